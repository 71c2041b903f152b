# One question to one time server (SNTP, RFC 4330). Loaded for it, every few hours.
import errno
import os
import socket
import struct
from time import ticks_diff

from micropython import const

from .clock import EARLIEST_S, LATEST_S

_ANSWER_MS = const(3000)
_NTP_TO_UNIX_S = const(2208988800)  # from 1900 to 1970
_ERA_S = const(1 << 32)  # NTP seconds begin again in 2036


class Query:
    """Asks `server`, "host" or "host:port", once its name is resolved; `close()` it in the end."""

    def __init__(self, server, resolver):
        parts = server.split(":")
        self._port = int(parts[1]) if len(parts) == 2 else 123
        self._lookup = resolver.lookup(parts[0])
        self._socket = None  # None: the name is being looked up; else the server is asked

    def poll(self, now_ms):
        """(Unix time in s, ms) once, None until then. OSError or ValueError: there is none."""
        if self._socket is None:
            address = self._lookup.poll()
            if address is not None:
                self._ask(address, now_ms)
            return None
        try:
            answer = self._socket.recv(68)
        except OSError as e:
            if e.errno != errno.EAGAIN:
                raise
            if ticks_diff(now_ms, self._asked_ms) > _ANSWER_MS:
                raise OSError("no answer")
            return None
        return parse_answer(answer, self._nonce)

    def close(self):
        self._lookup.close()
        if self._socket:
            self._socket.close()

    def _ask(self, address, now_ms):
        # Our transmit time is a random number: the answer carries it back, a forger must guess it.
        self._nonce = os.urandom(8)
        self._asked_ms = now_ms
        s = self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setblocking(False)
        s.connect(socket.getaddrinfo(address, self._port)[0][-1])
        s.send(b"\x23" + bytes(39) + self._nonce)  # version 4, client


def parse_answer(data, nonce):
    """(Unix time in seconds, milliseconds) of a 48-byte SNTP answer.

    Raises ValueError on anything suspect.
    """
    if len(data) < 48:
        raise ValueError("the answer has %d bytes, not 48" % len(data))
    if data[0] & 7 != 4:
        raise ValueError("not from a server")
    if data[24:32] != nonce:
        raise ValueError("an answer to another question")
    if data[1] == 0:
        raise ValueError("the server refuses (%r)" % bytes(data[12:16]))
    if data[0] >> 6 == 3 or data[1] > 15:
        raise ValueError("the server itself has no time")
    if data[40:48] == bytes(8):  # would be the first second of the era: 2036
        raise ValueError("the answer has no time in it")
    seconds = struct.unpack(">I", data[40:44])[0]
    unix_s = seconds - _NTP_TO_UNIX_S
    if seconds < 0x80000000:
        unix_s += _ERA_S
    if not EARLIEST_S <= unix_s < LATEST_S:
        raise ValueError("the server's time is out of range")
    return unix_s, data[44] * 1000 >> 8  # the fraction's first byte: 4 ms is all we need
