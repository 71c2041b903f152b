"""What scripts/bundle tells its user in one line."""


class BundleError(Exception):
    """A file, key or folder is not what it must be; the text says which and why."""
