"""Counts energy in integers: totals that never fall, whatever the meter does.

Floats would lose whole Wh (reference/platform.md 1.5). A total is Wh and a remainder in dW x ms.
"""

from time import ticks_diff

from micropython import const

DWMS_PER_WH = 36000000
# W x ms to Wh, with 20 % to spare: 3,600,000 / 1.2.
_W_MS_PER_WH = const(3000000)
_DWMS_PER_W_MS = const(12)  # 10, and 20 % to spare
_STEP_WH = const(10)  # some registers show no less
_FLOAT_BITS = const(23)  # others are a float32, whose steps grow (reference/meters.md 7.6)


class EnergyTotal:
    """Energy in one direction: `total_wh`, None while unknown, and `rest_dwms`.

    `update()` follows the register of a meter, which may be replaced or reset. A register value
    is believed at once only when it continues the last believed one: not lower, and not higher
    than 1.2 x `max_power_w` could make it since then, plus a step of the register. Any other
    value needs a second one that continues it, so a single bad frame adds nothing. A confirmed
    fall (reset, replaced, run over its top) or jump becomes the new base and leaves the total as
    it is. While `_register_ms` is None the register was restored, and the time since is unknown:
    a confirmed rise then counts in full, since the meter went on counting while the node was off.
    The very first confirmed value is the total. `drops` counts values not believed. A gap above
    12 days between two values is measured too short (ticks wrap), so its energy may be left out;
    it is never invented.

    `add()` counts what a chip without a register has measured.
    """

    def __init__(self, max_power_w):
        self._max_power_w = max_power_w
        self._register_ms = None  # when `register_wh` was read; None: before this start
        self._candidate_wh = None  # waits for a second value that continues it
        self._candidate_ms = 0
        self.total_wh = None
        self.rest_dwms = 0
        self.register_wh = None  # last believed value; None: none yet
        self.drops = 0

    def add(self, dwms):
        """Count energy of 0 or more dW x ms."""
        dwms += self.rest_dwms
        self.total_wh = (self.total_wh or 0) + dwms // DWMS_PER_WH
        self.rest_dwms = dwms % DWMS_PER_WH

    def set(self, total_wh):
        """From now on the total is this."""
        self.total_wh = total_wh
        self.rest_dwms = 0
        if self._register_ms is None:
            self.register_wh = None  # what the meter counted until now is in the new total

    def update(self, now_ms, register_wh):
        """Take the meter's register of `now_ms`.

        Returns `total_wh`, or None until a value has been believed since this start: the restored
        total lags behind what was told before a power cut.
        """
        if self._register_ms is not None and self._continues(
            self.register_wh, self._register_ms, now_ms, register_wh
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
        return None if self._register_ms is None else self.total_wh

    def _continues(self, from_wh, from_ms, now_ms, to_wh):
        rise_wh = to_wh - from_wh
        gap_ms = ticks_diff(now_ms, from_ms)
        if gap_ms < 0:  # 6 to 12 days: longer than any limit on the rise would be worth
            return rise_wh >= 0
        step_wh = _STEP_WH + (to_wh >> _FLOAT_BITS)
        return 0 <= rise_wh <= self._max_power_w * gap_ms // _W_MS_PER_WH + step_wh

    def _rebase(self):
        """Make the candidate the base, with the total unchanged if there is one to keep."""
        base_wh = self._candidate_wh
        if self.total_wh is None:
            self.total_wh = base_wh
        rose_while_off = self._register_ms is None and self.register_wh is not None \
            and base_wh >= self.register_wh
        if not rose_while_off:
            self.register_wh = base_wh

    def _suspect(self, now_ms, register_wh):
        self._candidate_wh = register_wh
        self._candidate_ms = now_ms

    def _believe(self, now_ms, register_wh):
        self._candidate_wh = None
        self.total_wh += register_wh - self.register_wh
        self.register_wh = register_wh
        self._register_ms = now_ms


class Channel:
    """Energy of one metering channel: `imported`, `exported`, and the import by local days.

    signed: the chip tells export from import. Energy without a register is dropped, and counted
    in `drops`, when it is more than 1.2 x `max_power_w` could make in the time since the last
    reading, plus 1 Wh for the steps of a pulse counter; negative energy also where the chip is not
    signed. Power is integrated by the trapezoidal rule, but not over a gap of four sample periods
    and more, which is when the meter is given up: what nobody has seen is not invented.
    """

    def __init__(self, max_power_w, period_ms, signed):
        self._max_power_w = max_power_w
        self._gap_ms = period_ms * 7 // 2
        self._signed = signed
        self._last_ms = None  # when the last reading without a register came
        self._last_power_w = None
        self._drops = 0
        self.imported = EnergyTotal(max_power_w)
        self.exported = EnergyTotal(max_power_w)
        self.boot_wh = None  # import when this start began, or when it was first known
        self.day_start_wh = None
        self.yesterday_wh = None

    @property
    def drops(self):
        """Energy values that were not believed."""
        return self._drops + self.imported.drops + self.exported.drops

    def take(self, now_ms, reading):
        """Count a reading and put the totals into it."""
        if reading.register_wh is not None:
            reading.energy_wh = self.imported.update(now_ms, reading.register_wh)
            if reading.register_export_wh is not None:
                reading.export_wh = self.exported.update(now_ms, reading.register_export_wh)
        else:
            self._count(now_ms, reading)
            reading.energy_wh = self.imported.total_wh
            reading.export_wh = self.exported.total_wh
        if self.boot_wh is None:
            self.boot_wh = self.day_start_wh = reading.energy_wh

    def restored(self, today_wh):
        """The totals are those of the last save, `today_wh` of them of its last day."""
        self.boot_wh = self.imported.total_wh
        if self.boot_wh is not None:
            self.day_start_wh = self.boot_wh - today_wh

    def set_total(self, total_wh):
        """From now on the imported total is this; today and yesterday stay."""
        shift_wh = total_wh - (self.imported.total_wh or 0)
        self.imported.set(total_wh)
        if self.boot_wh is None:
            self.boot_wh = self.day_start_wh = total_wh
        else:
            self.boot_wh += shift_wh
            self.day_start_wh += shift_wh

    def today_wh(self, total_wh):
        """Import from the beginning of the day to the total `total_wh`; None if that is None."""
        return None if total_wh is None else total_wh - self.day_start_wh

    def next_day(self, since_boot, is_next):
        """A day begins: at this start if `since_boot`, else now. `is_next`: no day is between."""
        start_wh = self.boot_wh if since_boot else self.imported.total_wh
        self.yesterday_wh = None
        if is_next and start_wh is not None:
            self.yesterday_wh = start_wh - self.day_start_wh
        self.day_start_wh = start_wh

    def _count(self, now_ms, reading):
        before_ms, before_w = self._last_ms, self._last_power_w
        power_w = self._last_power_w = reading.active_power_w
        self._last_ms = now_ms
        if before_ms is None:  # the base: how long it has counted is unknown
            self.imported.add(0)
            if self._signed:
                self.exported.add(0)
            return
        gap_ms = ticks_diff(now_ms, before_ms)
        dwms = reading.counted_dwms
        if dwms is None:
            if power_w is None or before_w is None or gap_ms > self._gap_ms:
                return
            # 22-bit floats: a sample may be off by 1 in 4,000,000, in either direction.
            dwms = round((before_w + power_w) * (5 * gap_ms))
        most_dwms = self._max_power_w * _DWMS_PER_W_MS * gap_ms + DWMS_PER_WH
        if gap_ms < 0 or not (-most_dwms if self._signed else 0) <= dwms <= most_dwms:
            self._drops += 1
        elif dwms < 0:
            self.exported.add(-dwms)
        else:
            self.imported.add(dwms)
