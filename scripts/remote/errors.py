"""What scripts/nodectl tells its user in one line."""


class RemoteError(Exception):
    """Broker or node did not do what was asked; the text says what and why."""
