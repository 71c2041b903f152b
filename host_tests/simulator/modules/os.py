# The unix port's `os` plus dupterm(), which ESP8266 firmware calls to free UART 0 of the REPL.
# A reset attaches the REPL again, as on the chip.
from uos import *  # noqa: F403

dupterm_detached = False


def dupterm(stream, slot=0):
    """Only detaching slot 1 (None, 1) means something here."""
    global dupterm_detached
    if slot == 1:
        dupterm_detached = stream is None
