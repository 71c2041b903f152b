# The unix port's `os`, with power that fails before the change number CUT_AT of the file system.
import uos
from uos import *  # noqa: F403

_left = [int(uos.getenv("CUT_AT"))]


def _counted(function):
    def change(*arguments):
        if _left[0] == 0:
            raise SystemExit(9)
        _left[0] -= 1
        return function(*arguments)
    return change


rename = _counted(uos.rename)
remove = _counted(uos.remove)
rmdir = _counted(uos.rmdir)
mkdir = _counted(uos.mkdir)
