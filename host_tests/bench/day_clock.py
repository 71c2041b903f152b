"""A clock that a program moves by itself: it stands in for the module `time`.

Import it before anything that imports `time`. Sleeping moves it too, so nothing ever waits.
"""

import sys
import time as _real

_PERIOD = 1 << 30
_ms = 0


class Time:
    """What the firmware takes from `time`; ticks wrap as on the chips."""

    gmtime = _real.gmtime
    time = _real.time

    @staticmethod
    def sleep_ms(ms):
        forward(ms)

    @staticmethod
    def ticks_ms():
        return _ms % _PERIOD

    @staticmethod
    def ticks_add(ticks, delta):
        return (ticks + delta) % _PERIOD

    @staticmethod
    def ticks_diff(end, start):
        half = _PERIOD // 2
        return (end - start + half) % _PERIOD - half


def forward(ms):
    """Let time pass."""
    global _ms
    _ms += ms


sys.modules["time"] = Time
