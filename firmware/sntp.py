# Time from the network: SNTP (RFC 4330), never blocking, never believing nonsense.
import errno
import os
import socket
import struct
from time import ticks_diff, ticks_ms

from .clock import EARLIEST_S, LATEST_S

ANSWER_MS = 3000
RETRY_MIN_MS = 5000  # doubled after each failed round
RETRY_MAX_MS = 600000
RESYNC_MS = 86400000 // 4
DOUBT_S = 60  # the chips' crystals take months to be so far off
_AGREE_S = 5  # between two answers that say the same
_NTP_TO_UNIX_S = 2208988800  # from 1900 to 1970
_ERA_S = 1 << 32  # NTP seconds begin again in 2036


class Sntp:
    """Asks one server after the other until one gives a sane time, then again every 6 hours.

    A known time is moved by more than a minute only when a second answer says the same.

    servers: list of "host" or "host:port"; resolver: looks names up; log: callable(text).
    The stock ntptime turns a refusal (all zero) into the year 2036 and checks nothing else
    (reference: platform 2.6).
    """

    def __init__(self, servers, resolver, clock, log):
        self._servers = servers
        self._resolver = resolver
        self._clock = clock
        self._log = log
        self.on_time = None  # hook, called with the Unix time in s each time it is known anew
        self._at = 0
        self._retry_ms = RETRY_MIN_MS
        self._since = ticks_ms()
        self._pause_ms = 0
        # "idle" until `_pause_ms` is over → "lookup" of the server's name → "asked" → "idle"
        self._state = "idle"
        self._lookup = None
        self._socket = None
        self._doubted_s = None  # Unix time at uptime 0, by an answer that waits for a second one

    def service(self):
        """One step, called by the foreground while there is a network."""
        try:
            self._step(ticks_ms())
        except (OSError, ValueError) as e:
            self._failed(e)

    def _step(self, now_ms):
        waited = ticks_diff(now_ms, self._since)
        if self._state == "idle":
            if self._servers and waited >= self._pause_ms:
                host = self._servers[self._at].split(":")[0]
                self._lookup = self._resolver.lookup(host)
                self._state = "lookup"
        elif self._state == "lookup":
            address = self._lookup.poll()
            if address is not None:
                self._ask(address, now_ms)
        elif self._state == "asked":
            answer = self._receive()
            if answer is not None:
                self._answered(answer)
            elif waited > ANSWER_MS:
                raise OSError("no answer")

    def _ask(self, address, now_ms):
        server = self._servers[self._at].split(":")
        port = int(server[1]) if len(server) == 2 else 123
        # Our transmit time is a random number: the answer carries it back, a forger must guess it.
        self._nonce = os.urandom(8)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket = s
        s.setblocking(False)
        s.connect(socket.getaddrinfo(address, port)[0][-1])
        s.send(b"\x23" + bytes(39) + self._nonce)  # version 4, client
        self._state = "asked"
        self._since = now_ms

    def _receive(self):
        try:
            return self._socket.recv(68)
        except OSError as e:
            if e.errno == errno.EAGAIN:
                return None
            raise

    def _answered(self, answer):
        unix_s, ms = parse_answer(answer, self._nonce)
        self._believe(unix_s)
        step_s = self._clock.set_unix(unix_s, ms)
        if self.on_time:
            self.on_time(unix_s)
        if step_s is None or abs(step_s) > 2:
            self._log("time: %s from %s" % (self._clock.timestamp(), self._servers[self._at]))
        self._rest(RESYNC_MS)
        self._retry_ms = RETRY_MIN_MS

    def _believe(self, unix_s):
        known_s = self._clock.unix()
        start_s = unix_s - self._clock.uptime_s
        doubted_s, self._doubted_s = self._doubted_s, None
        if known_s is None or abs(unix_s - known_s) <= DOUBT_S:
            return
        if doubted_s is None or abs(start_s - doubted_s) > _AGREE_S:
            self._doubted_s = start_s
            raise ValueError("off by %d s: asking again" % (unix_s - known_s))

    def _failed(self, error):
        if self._retry_ms == RETRY_MIN_MS:
            self._log("time: %s: %s" % (self._servers[self._at], error))
        self._at = (self._at + 1) % len(self._servers)
        self._rest(self._retry_ms if self._at == 0 else 0)
        if self._at == 0:
            self._retry_ms = min(2 * self._retry_ms, RETRY_MAX_MS)

    def _rest(self, pause_ms):
        if self._lookup:
            self._lookup.close()
        if self._socket:
            self._socket.close()
        self._lookup = self._socket = None
        self._state = "idle"
        self._since = ticks_ms()
        self._pause_ms = pause_ms


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
