# Time from the network: SNTP (RFC 4330), never blocking, never believing nonsense.
from time import ticks_diff, ticks_ms

from micropython import const

from . import ondemand

_RETRY_MIN_MS = const(5000)  # doubled after each failed round
_RETRY_MAX_MS = const(600000)
_RESYNC_MS = const(86400000 // 4)
_DOUBT_S = const(60)  # the chips' crystals take months to be so far off
_AGREE_S = const(5)  # between two answers that say the same


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
        self._retry_ms = _RETRY_MIN_MS
        self._since = ticks_ms()
        self._pause_ms = 0
        # None: at rest until `_pause_ms` is over, then the `Query` of one server
        self._query = None
        self._doubted_s = None  # Unix time at uptime 0, by an answer that waits for a second one

    def service(self):
        """One step, called by the foreground while there is a network."""
        try:
            self._step(ticks_ms())
        except (OSError, ValueError, MemoryError) as e:
            self._failed(e)

    def _step(self, now_ms):
        if self._query:
            answer = self._query.poll(now_ms)
            if answer:
                self._answered(*answer)
        elif self._servers and ticks_diff(now_ms, self._since) >= self._pause_ms:
            try:
                self._query = ondemand.load("sntp_query").Query(
                    self._servers[self._at], self._resolver)
            finally:
                ondemand.drop("sntp_query")

    def _answered(self, unix_s, ms):
        self._believe(unix_s)
        step_s = self._clock.set_unix(unix_s, ms)
        if self.on_time:
            self.on_time(unix_s)
        if step_s is None or abs(step_s) > 2:
            self._log("time: %s from %s" % (self._clock.timestamp(), self._servers[self._at]))
        self._rest(_RESYNC_MS)
        self._retry_ms = _RETRY_MIN_MS

    def _believe(self, unix_s):
        known_s = self._clock.unix()
        start_s = unix_s - self._clock.uptime_s
        doubted_s, self._doubted_s = self._doubted_s, None
        if known_s is None or abs(unix_s - known_s) <= _DOUBT_S:
            return
        if doubted_s is None or abs(start_s - doubted_s) > _AGREE_S:
            self._doubted_s = start_s
            raise ValueError("off by %d s: asking again" % (unix_s - known_s))

    def _failed(self, error):
        if self._retry_ms == _RETRY_MIN_MS:
            self._log("time: %s: %s" % (self._servers[self._at], error))
        self._at = (self._at + 1) % len(self._servers)
        self._rest(self._retry_ms if self._at == 0 else 0)
        if self._at == 0:
            self._retry_ms = min(2 * self._retry_ms, _RETRY_MAX_MS)

    def _rest(self, pause_ms):
        if self._query:
            self._query.close()
        self._query = None
        self._since = ticks_ms()
        self._pause_ms = pause_ms
