# Code that runs rarely is loaded for it and dropped again: code is the largest user of RAM.
import gc
import sys

_PACKAGE = __name__[: __name__.rfind(".")]


def load(name):
    """The module `name` of this package, as "config.store"; imported if it is not there."""
    gc.collect()  # before an import, else its garbage splits the largest free block
    module = __import__(_PACKAGE + "." + name, None, None, ("*",))
    return module


def with_slots(do):
    """do(slots), the module beside `boot.py`, which is there only that long."""
    import slots
    try:
        return do(slots)
    finally:
        sys.modules.pop("slots", None)


def drop(*names):
    """Forget modules: their memory is free once nothing made by them is in use."""
    for name in names:
        full = _PACKAGE + "." + name
        sys.modules.pop(full, None)
        dot = full.rfind(".")
        package = sys.modules.get(full[:dot])
        if hasattr(package, full[dot + 1:]):
            delattr(package, full[dot + 1:])
    gc.collect()
