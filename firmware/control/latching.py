# A latching relay: two coils that are pulsed, and a contact that stays where it is without power.
from time import ticks_add, ticks_diff

from micropython import const

from .relay import Relay

PULSE_MIN_MS = const(30)
PULSE_MAX_MS = const(500)


class LatchingRelay(Relay):
    """Two coils, one to close and one to open; `active_low` is that of both. Coils burn when both
    or one of them are held (reference: meters 9), so each gets its pulse and no more, and the
    record for `boot.py` always has both without current. Raises `ValueError`.

    The contact cannot be read: the first tick pulses it to the state `on`, wherever it was.
    In the record the coil of the last state stands first, since both levels are always the same.
    """

    latching = True

    def __init__(self, set_pin, reset_pin, pulse_ms=100, active_low=False):
        if set_pin == reset_pin or not PULSE_MIN_MS <= pulse_ms <= PULSE_MAX_MS:
            raise ValueError("latching relay")
        Relay.__init__(self, set_pin, active_low)
        self.reset_pin = reset_pin
        self.settle_ms = pulse_ms
        # At rest (None), or the coil that has current until `_end_ms`. Opening starts at once,
        # and cuts a closing pulse short; closing waits for the end of an opening pulse. Both
        # coils are at rest in between, be it for the time of two pin writes.
        self._coil = None
        self._end_ms = 0
        self._pulsed_to = None  # the state the last pulse was for; None: no pulse yet
        self._coils = None

    def start(self, output):
        rest = self.level(False)
        self._coils = output(self.reset_pin, rest), output(self.pin, rest)

    def switch(self, on, now_ms):
        self.on = on
        if self._coil is None or self._pulsed_to and not on:
            self._pulse(now_ms)

    def tick(self, now_ms):
        Relay.tick(self, now_ms)
        if self._coil is not None and ticks_diff(now_ms, self._end_ms) >= 0:
            self.rest()
        if self._coil is None and self._pulsed_to != self.on:
            self._pulse(now_ms)

    def rest(self):
        if self._coil is not None:
            self._coil.value(self.level(False))
            self._coil = None

    def outputs(self):
        rest = self.level(False)
        pairs = (self.reset_pin, rest), (self.pin, rest)
        return (pairs[1], pairs[0]) if self.lasting() else pairs

    def kept(self, outputs):
        for pin, _ in outputs:
            if pin == self.pin or pin == self.reset_pin:
                return pin == self.pin
        return None

    def _pulse(self, now_ms):
        self.rest()
        self._pulsed_to = self.on
        self._coil = self._coils[self.on]
        self._end_ms = ticks_add(now_ms, self.settle_ms)
        self._coil.value(self.level(True))
