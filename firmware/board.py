# What a running node needs of its chip: the only place that imports `machine` (boot.py and main.py
# apart).
from binascii import hexlify

import machine
from micropython import const
from retained import Retained

from .timestamp import calendar

try:
    import esp32
except ImportError:
    esp32 = None

_WATCHDOG_MS = const(30000)
_CAUSES = const((
    ("PWRON_RESET", "power_on"),
    ("HARD_RESET", "hard"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deep_sleep"),
    ("SOFT_RESET", "soft"),
))


class Board:
    """The chip of a board. name: of the board; chip: "esp32" or "esp8266"."""

    def __init__(self, name, chip):
        self.name = name
        self.chip = chip
        self.retained = Retained(machine.RTC().memory)
        self.reset_cause = _reset_cause()
        self.unique_id = str(hexlify(machine.unique_id()), "ascii")
        self._watchdog = None

    def chip_temperature_c(self):
        """Of the silicon, warmer than the air; None where the chip has no sensor."""
        if hasattr(esp32, "mcu_temperature"):
            return esp32.mcu_temperature()  # type: ignore[attr-defined]  # only the newer chips
        if hasattr(esp32, "raw_temperature"):  # the first ESP32's, in Fahrenheit
            return (esp32.raw_temperature() - 32) * 5 / 9
        return None

    def set_rtc(self, unix_s):
        """Tell the chip the time: TLS looks there for the dates of certificates."""
        year, month, day, hour, minute, second, weekday = calendar(unix_s)[:7]
        machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))

    def start_watchdog(self):
        """30 s on ESP32; on ESP8266 the system's own of about 3 s, which stays with the system:
        a foreground call may take longer than that there."""
        if self.chip != "esp8266":
            self._watchdog = machine.WDT(timeout=_WATCHDOG_MS)

    def feed_watchdog(self):
        if self._watchdog:
            self._watchdog.feed()


def _reset_cause():
    cause = machine.reset_cause()
    for constant, name in _CAUSES:
        if getattr(machine, constant, None) == cause:
            return name
    return "unknown_%d" % cause  # ESP8266 has two without a constant: exception, soft watchdog
