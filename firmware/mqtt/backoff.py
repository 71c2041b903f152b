# How long to wait before the next attempt to connect.
from time import ticks_add, ticks_diff

from micropython import const

_MAX_MS = const(60000)


class Backoff:
    """1, 2, 4 ... 60 s, each times 0.8 to 1.0 so that nodes do not come back in step.

    It is to be started again only after a session that has lasted: a broker that takes a node in
    and throws it out at once would otherwise be hammered.
    """

    def __init__(self, min_ms, randbits):
        self._min_ms = min_ms
        self._randbits = randbits
        self._failures = 0
        self._due_ms = None  # ticks of the next attempt; None: now
        self.delay_ms = 0

    def restart(self):
        """Begin with the shortest delay again."""
        self._failures = 0

    def failed(self, now_ms, refused=False):
        """An attempt failed, or a session ended; sets `delay_ms`."""
        delay_ms = min(self._min_ms << min(self._failures, 16), _MAX_MS)
        self._failures += 1
        if refused:
            delay_ms = _MAX_MS  # brokers ban nodes that hammer them with a wrong password
        self.delay_ms = delay_ms * (205 + self._randbits(8) % 52) >> 8  # 205/256 = 0.80
        self._due_ms = ticks_add(now_ms, self.delay_ms)

    def due(self, now_ms):
        """Whether the next attempt may be made."""
        return self._due_ms is None or ticks_diff(now_ms, self._due_ms) >= 0
