"""What scripts/flash tells its user in one line."""


class FlashError(Exception):
    """It cannot go on; the text says why and what to do."""


class LinkLost(FlashError):
    """The cable was pulled, or the board stopped answering. `then`: what that means for it."""

    then = "What ran on the board still does after a restart"
