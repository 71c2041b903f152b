"""A total that never falls, over the energy register of a meter that can be replaced or reset."""

from time import ticks_diff

# W x ms to Wh, with 20 % to spare: 3,600,000 / 1.2.
_W_MS_PER_WH = 3000000


class EnergyTotal:
    """`total_wh` = offset + register, in integers (floats lose whole Wh, platform.md 1.5).

    A register value is believed at once only when it continues the last believed one: not lower,
    and not higher than 1.2 x `max_power_w` could make it since then, plus 1 Wh. Any other value
    needs a second one that continues it, so a single bad frame adds nothing. A confirmed fall
    (reset, replaced, run over its top) or jump moves the offset and leaves the total as it is.
    After `restore()` the time since the last value is unknown: a confirmed rise then counts in
    full, since the meter went on counting while the node was off.

    `total_wh` is None until the first value is confirmed or a state restored; `drops` counts
    values not believed. A gap above 12 days between two values is measured too short (ticks
    wrap), so its energy may be left out; it is never invented.
    """

    def __init__(self, max_power_w):
        self._max_power_w = max_power_w
        self._offset_wh = 0
        self._register_wh = None  # last believed value; None: none yet
        self._register_ms = None  # when; None: unknown, it was restored
        self._candidate_wh = None  # waits for a second value that continues it
        self._candidate_ms = 0
        self.total_wh = None
        self.drops = 0

    def state(self):
        """(offset_wh, register_wh) to save, both int, or None while there is no total."""
        if self._register_wh is None:
            return None
        return self._offset_wh, self._register_wh

    def restore(self, state):
        """Go on from a saved state(); call it before the first update()."""
        if state is not None:
            self._offset_wh, self._register_wh = state
            self.total_wh = self._offset_wh + self._register_wh

    def update(self, now_ms, register_wh):
        """Take the meter's register of `now_ms`; returns `total_wh`."""
        if self._register_ms is not None and self._continues(
            self._register_wh, self._register_ms, now_ms, register_wh
        ):
            self._believe(now_ms, register_wh)
        elif self._candidate_wh is None:
            # The first value after a start is no fault, only not confirmed yet.
            if self._register_ms is not None:
                self.drops += 1
            self._suspect(now_ms, register_wh)
        elif self._continues(self._candidate_wh, self._candidate_ms, now_ms, register_wh):
            self._rebase()
            self._believe(now_ms, register_wh)
        else:
            self.drops += 1
            self._suspect(now_ms, register_wh)
        return self.total_wh

    def _continues(self, from_wh, from_ms, now_ms, to_wh):
        rise_wh = to_wh - from_wh
        gap_ms = ticks_diff(now_ms, from_ms)
        if gap_ms < 0:  # 6 to 12 days: longer than any limit on the rise would be worth
            return rise_wh >= 0
        return 0 <= rise_wh <= self._max_power_w * gap_ms // _W_MS_PER_WH + 1

    def _rebase(self):
        """Continue from the candidate with the total unchanged, if there is one to keep."""
        if self._register_wh is None:
            return
        rose_while_off = self._register_ms is None and self._candidate_wh >= self._register_wh
        if not rose_while_off:
            self._offset_wh = self.total_wh - self._candidate_wh

    def _suspect(self, now_ms, register_wh):
        self._candidate_wh = register_wh
        self._candidate_ms = now_ms

    def _believe(self, now_ms, register_wh):
        self._candidate_wh = None
        self._register_wh = register_wh
        self._register_ms = now_ms
        self.total_wh = self._offset_wh + register_wh
