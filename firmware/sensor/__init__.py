# Temperature: by the sensor that the board profile names, else by the chip's own.
from time import ticks_add, ticks_diff


def thermometer(board, parts, log):
    """The sensor of a board: `poll(now_ms)` at every tick; `value_c`, None while unknown.

    The profile's part "temperature" names its `kind` and `pin`: "ntc" (see ntc.py), "ds18b20", or
    "chip", which is warmer than the air and knows it to some 10 degrees only.
    """
    profile = parts.profile.get("temperature", {})
    kind = profile.get("kind", "chip")
    if kind == "ntc":
        from .ntc import Ntc, volts
        return Thermometer(Ntc(volts(parts.adc(profile["pin"])), profile), log)
    if kind == "ds18b20":
        from .ds18b20 import Ds18b20
        return Ds18b20(parts.onewire(profile["pin"]), log)
    return Thermometer(lambda: (board.chip_temperature_c(), None), log)


class Thermometer:
    """Measures once a second: read() gives (degrees C, None), or (None, why not)."""

    def __init__(self, read, log, period_ms=1000):
        self._read = read
        self._log = log
        self._period_ms = period_ms
        self._due_ms = None  # None: before the first measurement
        self.value_c = None
        self.fault = None  # what the log knows to be wrong

    def poll(self, now_ms):
        """True when there is a new `value_c`, or there should be."""
        if self._due_ms is not None and ticks_diff(now_ms, self._due_ms) < 0:
            return False
        self._due_ms = ticks_add(now_ms, self._period_ms)
        self.settle(*self._read())
        return True

    def settle(self, value_c, fault):
        """Take what was measured, and tell a change of its health."""
        self.value_c = value_c
        if fault != self.fault:
            self.fault = fault
            self._log("temperature: " + (fault or "sensor is well"))
