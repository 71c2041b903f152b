"""Energy from the pulse counter inside a meter chip, which wraps, and starts anywhere."""

from time import ticks_diff

from micropython import const

# A count may be this much older or younger than the moment it is looked at: two frames of a
# CSE7766, or an answer of a BL0942 that had to be asked for twice.
_SLACK_MS = const(250)


class PulseCounter:
    """What a counter of `bits` bits counted, in dW x ms (36,000,000 to the Wh).

    A step that `max_power_w` and 20 % could not make is no energy: a damaged count if the next
    one continues the count before it, else a chip that has started over.
    """

    def __init__(self, bits, max_power_w):
        self._mask = (1 << bits) - 1
        self._max_dw = max_power_w * 12
        self._count = None  # last believed; None: none yet
        self._count_ms = 0
        self._doubted = False  # the latest count was impossible; two in a row are a new start
        self._dwms = None  # not taken yet; None until the first taking, which is the base

    def update(self, now_ms, count, pulse_dwms):
        """Look at `count`, each pulse being `pulse_dwms`; False: do not believe its frame."""
        pulses = 0
        if self._count is not None:
            pulses = (count - self._count) & self._mask
            gap_ms = ticks_diff(now_ms, self._count_ms)
            if gap_ms < 0:  # 6 to 12 days without a count: nobody knows how often it wrapped
                pulses = 0
            elif (pulses - 1) * pulse_dwms > self._max_dw * (gap_ms + _SLACK_MS):
                if not self._doubted:
                    self._doubted = True
                    return False
                pulses = 0
        self._doubted = False
        self._count = count
        self._count_ms = now_ms
        if self._dwms is not None:
            self._dwms += pulses * pulse_dwms
        return True

    def take_dwms(self):
        """Energy since the last call, int; 0 the first time."""
        dwms = self._dwms or 0
        self._dwms = 0
        return dwms
