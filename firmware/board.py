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
_GLITCH_NS = 12700  # shorter pulses are not counted: the longest filter there is
_PCNT_PERIOD = 32000
_ADC_END = 65000  # of 65535: from here on an input is taken to be at the end of its range

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
        options = dict(serial)
        options["baudrate"] = meter.get("baudrate", serial["baudrate"])
        for pin in ("tx", "rx"):
            if pin in meter:  # a chip that only talks has no use for a TX
                options[pin] = machine.Pin(meter[pin])
        return machine.UART(meter["uart"], **options)

    def input(self, pin, pull):
        """A pin as an input; pull: "up", "down" or None."""
        return machine.Pin(pin, machine.Pin.IN, {
            "up": machine.Pin.PULL_UP, "down": getattr(machine.Pin, "PULL_DOWN", None),
        }.get(pull))

    def pulse_inputs(self):
        """(CF, CF1, SEL) of a pulse meter: two `Pulses`, one output. ValueError: cannot count."""
        meter = self.profile["meter"]
        inputs = []
        for unit in (0, 1):
            pin = machine.Pin(meter[("cf", "cf1")[unit]], machine.Pin.IN, machine.Pin.PULL_UP)
            inputs.append(_sampled(pin) if self.chip == "esp8266" else _counted(unit, pin))
        return inputs[0], inputs[1], self.output(meter["sel"], 0)

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

    def adc_input(self, pin):
        """A function that gives V at an analogue input; None at the end of its range, which is
        1 V on ESP8266 and about 3 V on ESP32."""
        if self.chip == "esp8266":
            adc = machine.ADC(0)  # the only one
        else:
            adc = machine.ADC(machine.Pin(pin), atten=machine.ADC.ATTN_11DB)
        read_uv = getattr(adc, "read_uv", None)  # calibrated, where the chip is

        def read_v():
            raw = adc.read_u16()
            if raw >= _ADC_END:
                return None
            return read_uv() / 1000000 if read_uv else raw / 65535

        return read_v

    def onewire(self, pin):
        """The 1-Wire bus on a pin, pulled up by 4.7 kOhm."""
        from onewire import OneWire
        return OneWire(machine.Pin(pin))

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


def _sampled(pin):
    from .meter.pulse_sampling import SampledPulses
    return SampledPulses(pin, machine.Pin.IRQ_RISING, machine.time_pulse_us)


def _counted(unit, pin):
    from .meter.pulses import Pulses, wrapping
    counter = getattr(machine, "Counter", None)
    if counter:
        # Setting it to 0 loses no pulse; left alone it would outgrow a small int in some days.
        value = counter(unit, pin, filter_ns=_GLITCH_NS).value
        return Pulses(lambda: value(0))
    pcnt = getattr(esp32, "PCNT", None)
    if not pcnt:
        raise ValueError("pulse meter: needs a chip with PCNT, and MicroPython 1.26 or newer")
    # A firmware without the Python part of `machine`. At `max` it starts over at 0.
    counter = pcnt(unit, pin=pin, rising=pcnt.INCREMENT, falling=pcnt.IGNORE, min=-_PCNT_PERIOD,
                   max=_PCNT_PERIOD, filter=_GLITCH_NS * 80 // 1000, value=0)
    # Only a limit that interrupts is in force for sure; the flags must be read, or it repeats.
    counter.irq(lambda unit: unit.irq().flags(), pcnt.IRQ_MAX)
    counter.start()
    return Pulses(wrapping(counter.value, _PCNT_PERIOD))


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
