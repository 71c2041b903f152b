# Uptime and time of day.
from time import ticks_diff, ticks_ms

from micropython import const

from .timestamp import format_timestamp

# What no clock of ours can say: before this firmware was written, or beyond what gmtime takes on
# the chips (31 bits from 2000 end 18 days later).
EARLIEST_S = 1767225600  # 2026-01-01
LATEST_S = 3092601600  # 2068-01-01
_BACK_S = const(3600)


class Clock:
    """Uptime in seconds, and UTC once somebody has told it.

    It counts ticks of its own instead of asking the RTC: the ESP8266's RTC drifts by seconds a
    minute (reference: platform 1.4) and a set RTC would jump. `update` must be called at least
    once in six days, since ticks wrap; the node's tick does.
    """

    def __init__(self):
        self._last = ticks_ms()
        self._ms = 0
        self.uptime_s = 0
        self._offset_s = None  # Unix time at uptime 0; None while unknown
        self._stamp = None  # the last timestamp
        self._stamped_s = 0  # and its second
        self._phase_ms = 0  # how far the second of UTC is ahead of the second of uptime

    def update(self, now_ms):
        """Take in the time that has passed."""
        self._ms += ticks_diff(now_ms, self._last)
        self._last = now_ms
        if self._ms >= 1000:
            self.uptime_s += self._ms // 1000
            self._ms %= 1000

    def set_unix(self, unix_s, ms=0):
        """Set the time of day: now it is `unix_s` and `ms` milliseconds.

        Returns the step in whole seconds, None if the time was unknown before. ValueError for a
        time that cannot be.
        """
        if not EARLIEST_S <= unix_s < LATEST_S:
            raise ValueError("time %d is outside 2026 to 2067" % unix_s)
        before_s = self.unix()
        if before_s is not None and before_s - unix_s > _BACK_S:
            self._stamped_s = 0
        self._phase_ms = (ms - self._ms) % 1000
        self._offset_s = unix_s - self.uptime_s - (self._ms + self._phase_ms) // 1000
        return None if before_s is None else unix_s - before_s

    def unix(self):
        """UTC in whole seconds since 1970, or None while unknown."""
        if self._offset_s is None:
            return None
        return self._offset_s + self.uptime_s + (self._ms + self._phase_ms) // 1000

    def timestamp(self):
        """UTC as `YYYY-MM-DDTHH:MM:SSZ`, or None while unknown.

        It never goes back: set back by up to an hour, the clock gives none until it has come to
        the second that was told last. More than that, and what was told was wrong.
        """
        unix_s = self.unix()
        if unix_s == self._stamped_s:  # seven metrics share a second, as a rule
            return self._stamp
        if unix_s is None or unix_s < self._stamped_s:
            return None
        self._stamped_s = unix_s
        self._stamp = format_timestamp(unix_s)
        return self._stamp
