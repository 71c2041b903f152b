"""A board's console: types to it and reads what it prints, through mpremote's own terminal."""

import contextlib
import os
import pty
import select
import subprocess
import time
import tty

from .errors import FlashError, LinkLost
from .link import access_text

_INTERRUPT = b"\r\x03\x02"  # Ctrl-C; Ctrl-B leaves the raw mode that a killed mpremote left on
_SOFT_RESET = b"\x04"
_PROMPT = b"\n>>> "
_ORDERLY_S = 4.0  # a node that is interrupted says good-bye to its broker
_AGAIN_S = 0.25  # main.py listens for two seconds after power-on
_QUIT = b"\x1d"


class Console:
    """As long as it is open nobody else may use the port."""

    def __init__(self, link):
        self._link = link
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._child = subprocess.Popen([link.mpremote, "connect", link.port, "repl"], stdin=slave,
                                       stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Leave the port to others."""
        try:
            self.type(_QUIT)
            self._child.wait(2)
        except (LinkLost, subprocess.TimeoutExpired):
            self._child.kill()
            self._child.wait()
        os.close(self._master)

    def type(self, keys):
        try:
            os.write(self._master, keys)
        except OSError:
            raise LinkLost("the connection broke") from None

    def restart(self):
        """Let the interpreter start afresh, with boot.py and main.py; pins keep their level."""
        self.type(_INTERRUPT + _SOFT_RESET)

    def read(self, timeout_s):
        """Bytes that have come, b"" after `timeout_s` without any. LinkLost: no more will come."""
        try:
            if not select.select([self._master], [], [], max(timeout_s, 0))[0]:
                return b""
            data = os.read(self._master, 4096)
        except OSError:
            data = b""  # how Linux tells that the other end has closed
        if not data:
            raise LinkLost("the connection broke")
        return data


class _NoAccess(Exception):
    """The port does not open."""


def reach(link, patience_s, ask):
    """Bring the board to its prompt, whatever it does now.

    A node whose serial line has gone to its meter, or that hangs, hears nobody; but for two
    seconds after power-on it does. `ask()` is called once when that is needed.
    False: it was not reached in `patience_s`.
    """
    if not os.path.exists(link.port):
        raise FlashError(access_text(link.port))
    deadline = time.monotonic() + _ORDERLY_S
    try:
        if _interrupted(link, deadline, again_s=_ORDERLY_S):
            return True
    except _NoAccess:
        raise FlashError(access_text(link.port)) from None
    ask()
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with contextlib.suppress(_NoAccess):  # it is just going, or coming
            if _interrupted(link, deadline, _AGAIN_S):
                return True
        time.sleep(_AGAIN_S)  # the port may go with the board's power, and come back
    return False


def _interrupted(link, deadline, again_s):
    # Whether the prompt came before the deadline and before the port went away.
    heard = b""
    if not os.path.exists(link.port):
        return False
    with Console(link) as console:
        next_s = 0
        try:
            while time.monotonic() < deadline:
                if time.monotonic() >= next_s:
                    console.type(_INTERRUPT)
                    next_s = time.monotonic() + again_s
                heard = (heard + console.read(min(next_s, deadline) - time.monotonic()))[-4096:]
                if _PROMPT in heard:
                    return True
        except LinkLost:
            if b"failed to access" in heard:
                raise _NoAccess from None
    return False
