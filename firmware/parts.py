# Makes the parts that a board profile names. Part of the assembly, and dropped with it, so what it
# makes must not refer to its functions.
import json
import os

from micropython import const

from . import storage

_GLITCH_NS = const(12700)  # shorter pulses are not counted: the longest filter there is
_PCNT_PERIOD = const(32000)


class Parts:
    """Pins, buses and inputs by `profile`, the dict of a `boards/*.json`.

    machine, esp32: the chip's modules; esp32 is None where there is none.
    """

    def __init__(self, profile, machine, esp32):
        self.profile = profile
        self._machine = machine
        self._pin = machine.Pin
        self._esp32 = esp32
        self._esp8266 = profile["chip"] == "esp8266"

    def output(self, pin, level):
        """A pin as an output that starts at `level`."""
        return self._pin(pin, self._pin.OUT, value=level)

    def meter_uart(self, serial):
        """The UART the meter hangs on; serial: the keywords for it that the driver names."""
        meter = self.profile["meter"]
        if self._esp8266:
            os.dupterm(None, 1)  # else the REPL eats what the meter says
        options = dict(serial)
        options["baudrate"] = meter.get("baudrate", serial["baudrate"])
        for pin in ("tx", "rx"):
            if pin in meter:  # a chip that only talks has no use for a TX
                options[pin] = self._pin(meter[pin])
        return self._machine.UART(meter["uart"], **options)

    def input(self, pin, pull):
        """A pin as an input; pull: "up", "down" or None."""
        return self._pin(pin, self._pin.IN, {
            "up": self._pin.PULL_UP, "down": getattr(self._pin, "PULL_DOWN", None)}.get(pull))

    def pulse_inputs(self):
        """(CF, CF1, SEL) of a pulse meter: two `Pulses`, one output. ValueError: cannot count."""
        meter = self.profile["meter"]
        inputs = []
        for unit in (0, 1):
            pin = self.input(meter[("cf", "cf1")[unit]], "up")
            if self._esp8266:
                inputs.append(_sampled(self._machine, pin))
            else:
                inputs.append(_counted(self._machine, self._esp32, unit, pin))
        return inputs[0], inputs[1], self.output(meter["sel"], 0)

    def led_pin(self):
        """(pin, active_low) of the status LED, None if the board has none."""
        led = self.profile.get("led")
        if not led:
            return None
        active_low = led.get("active_low", False)
        return self.output(led["pin"], 1 if active_low else 0), active_low

    def adc(self, pin):
        """The `machine.ADC` of a pin; its range is 1 V on ESP8266 and about 3 V on ESP32."""
        if self._esp8266:
            return self._machine.ADC(0)  # the only one
        return self._machine.ADC(self._pin(pin), atten=self._machine.ADC.ATTN_11DB)

    def onewire(self, pin):
        """The 1-Wire bus on a pin, pulled up by 4.7 kOhm."""
        from onewire import OneWire
        return OneWire(self._pin(pin))


def _sampled(machine, pin):
    from .meter.pulse_sampling import SampledPulses
    return SampledPulses(pin, machine.Pin.IRQ_RISING, machine.time_pulse_us)


def _counted(machine, esp32, unit, pin):
    from .meter.pulses import Pulses, emptying, take_flags, wrapping
    counter = getattr(machine, "Counter", None)
    if counter:
        # Setting it to 0 loses no pulse; left alone it would outgrow a small int in some days.
        return Pulses(emptying(counter(unit, pin, filter_ns=_GLITCH_NS).value))
    pcnt = getattr(esp32, "PCNT", None)
    if not pcnt:
        raise ValueError("pulse meter: needs a chip with PCNT, and MicroPython 1.26 or newer")
    # A firmware without the Python part of `machine`. At `max` it starts over at 0.
    counter = pcnt(unit, pin=pin, rising=pcnt.INCREMENT, falling=pcnt.IGNORE, min=-_PCNT_PERIOD,
                   max=_PCNT_PERIOD, filter=_GLITCH_NS * 80 // 1000, value=0)
    # Only a limit that interrupts is in force for sure; the flags must be read, or it repeats.
    counter.irq(take_flags, pcnt.IRQ_MAX)
    counter.start()
    return Pulses(wrapping(counter.value, _PCNT_PERIOD))


def load_profile(name):
    """The dict of `boards/<name>.json`, from wherever this package was imported. ValueError."""
    path = storage.beside("firmware/boards/%s.json" % name)
    if path is None:
        raise ValueError("there is no board %s" % name)
    f = open(path)
    try:
        return json.load(f)
    finally:
        f.close()
