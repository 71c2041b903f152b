"""A thermistor (NTC) from an analogue input to ground, with a resistor to the supply.

The keys of a board profile: `series_ohm`, `r25_ohm` (at 25 degrees C), `beta`, and `supply_v`
(default 3.3). Source: reference/meters.md 10a.
"""

from math import log

from micropython import const

_MEAN_OF = const(4)
_ADC_END = const(65000)  # of 65535: from here on an input is taken to be at the end of its range
# Beyond what a house can have: the wire is broken, or the contacts touch.
_COLDEST_C = const(-40)
_HOTTEST_C = const(130)

OPEN = "NTC open, or colder than can be measured"
SHORT = "NTC short-circuited"


def celsius(ratio, series_ohm, r25_ohm, beta):
    """Degrees C; `ratio`: voltage at the input to the supply's, above 0 and below 1.

    1/T = 1/T25 + ln(R/R25)/beta, in kelvin.
    """
    ohm = series_ohm * ratio / (1 - ratio)
    return 1 / (1 / 298.15 + log(ohm / r25_ohm) / beta) - 273.15


def volts(adc):
    """A function that reads a `machine.ADC` in V, None at the end of its range."""
    read_uv = getattr(adc, "read_uv", None)  # calibrated, where the chip is

    def read_v():
        raw = adc.read_u16()
        if raw >= _ADC_END:
            return None
        return read_uv() / 1000000 if read_uv else raw / 65535

    return read_v


class Ntc:
    """read_v() gives volts, or None where the input is at the end of its range."""

    def __init__(self, read_v, profile):
        self._read_v = read_v
        self._supply_v = profile.get("supply_v", 3.3)
        self._parts = profile["series_ohm"], profile["r25_ohm"], profile["beta"]

    def __call__(self):
        """(degrees C, None), or (None, OPEN or SHORT)."""
        total_v = 0
        for _ in range(_MEAN_OF):
            volts = self._read_v()
            if volts is None:
                return None, OPEN
            total_v += volts
        ratio = total_v / (_MEAN_OF * self._supply_v)
        if ratio <= 0:
            return None, SHORT
        if ratio >= 1:
            return None, OPEN
        value_c = celsius(ratio, *self._parts)
        if value_c < _COLDEST_C:
            return None, OPEN
        if value_c > _HOTTEST_C:
            return None, SHORT
        return value_c, None
