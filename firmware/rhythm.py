# The beat of the house: every wait of the firmware lets it through.
from time import sleep_ms, ticks_diff, ticks_ms

from micropython import const

_PERIOD_MS = const(10)


class Rhythm:
    """Calls `tick(now_ms)` whenever 10 ms have passed, from wherever the foreground is.

    `max_gap_ms` is the longest time between two ticks since it was last read by `take_max_gap_ms`.
    """

    def __init__(self, tick):
        self._tick = tick
        self._last = ticks_ms()
        self.max_gap_ms = 0

    def beat(self):
        """Run the tick if it is due; return the ms until the next one (1 to 10)."""
        now = ticks_ms()
        gap = ticks_diff(now, self._last)
        if gap < _PERIOD_MS:
            return _PERIOD_MS - gap
        self._last = now
        if gap > self.max_gap_ms:
            self.max_gap_ms = gap
        self._tick(now)
        return _PERIOD_MS

    def wait(self, ms):
        """Do nothing but the house for `ms` milliseconds."""
        start = ticks_ms()
        while True:
            pause = self.beat()
            left = ms - ticks_diff(ticks_ms(), start)
            if left <= 0:
                return
            sleep_ms(min(pause, left))

    def take_max_gap_ms(self):
        """The longest gap since the last call, in ms."""
        gap, self.max_gap_ms = self.max_gap_ms, 0
        return gap
