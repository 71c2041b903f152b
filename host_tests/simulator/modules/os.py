# The unix port's `os` plus dupterm(), which ESP8266 firmware calls to free UART 0 of the REPL.
# A reset attaches the REPL again, as on the chip.
from uos import *  # noqa: F403
from virtual import layout, memory

dupterm_detached = False


def dupterm(stream, slot=0):
    """Only detaching slot 1 (None, 1) means something here."""
    global dupterm_detached
    if slot == 1:
        dupterm_detached = stream is None
        memory.write(layout.REPL_ATTACHED, "<I", 0 if dupterm_detached else 1)


if memory.SETTINGS.get("free_blocks") is not None:

    def statvfs(path, _statvfs=statvfs):  # noqa: F405
        told = _statvfs(path)
        return told[:3] + (memory.SETTINGS["free_blocks"],) * 2 + told[5:]
