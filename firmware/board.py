# The chip and the board: the only place that imports `machine` (boot.py apart).
import json
import os
import sys
from binascii import hexlify

import machine
from retained import Retained

from .clock import calendar

try:
    import esp32
except ImportError:
    esp32 = None

WATCHDOG_MS = 30000

_CAUSES = (
    ("PWRON_RESET", "power_on"),
    ("HARD_RESET", "hard"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deep_sleep"),
    ("SOFT_RESET", "soft"),
)


class Board:
    """Makes the parts named in a profile. `profile` is the dict of a `boards/*.json`."""

    def __init__(self, profile):
        self.profile = profile
        self.chip = profile["chip"]
        self.retained = Retained(machine.RTC().memory)
        self.reset_cause = _reset_cause()
        self.unique_id = str(hexlify(machine.unique_id()), "ascii")
        self._watchdog = None

    def output(self, pin, level):
        """A pin as an output that starts at `level`."""
        return machine.Pin(pin, machine.Pin.OUT, value=level)

    def meter_uart(self, serial):
        """The UART the meter hangs on; serial: the keywords for it that the driver names."""
        meter = self.profile["meter"]
        if self.chip == "esp8266":
            os.dupterm(None, 1)  # else the REPL eats what the meter says
        return machine.UART(meter["uart"], tx=machine.Pin(meter["tx"]),
                            rx=machine.Pin(meter["rx"]), **serial)

    def led_pin(self):
        """(pin, active_low) of the status LED, None if the board has none."""
        led = self.profile.get("led")
        if not led:
            return None
        active_low = led.get("active_low", False)
        return self.output(led["pin"], 1 if active_low else 0), active_low

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
            self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def feed_watchdog(self):
        if self._watchdog:
            self._watchdog.feed()


def load_profile(name):
    """The dict of `boards/<name>.json`, from wherever this package was imported. ValueError."""
    for folder in sys.path:
        path = (folder + "/" if folder else "") + "firmware/boards/%s.json" % name
        try:
            f = open(path)
        except OSError:
            continue
        try:
            return json.load(f)
        finally:
            f.close()
    raise ValueError("there is no board %s" % name)


def _reset_cause():
    cause = machine.reset_cause()
    for constant, name in _CAUSES:
        if getattr(machine, constant, None) == cause:
            return name
    return "unknown_%d" % cause  # ESP8266 has two without a constant: exception, soft watchdog
