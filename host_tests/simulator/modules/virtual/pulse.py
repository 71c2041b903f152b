# HLW8012 and BL0937 as seen on their pins: CF pulses with power, CF1 with what SEL chooses.
# Source of all frequencies: reference/meters.md section 4.1.
import math
import random
import struct

from . import pulse_pins

WH = 36000000  # 0.1 W ms in one Wh
FAULTS = (None, "silent", "no_mains", "noise", "reset")
_NOISE_PER_MS = 20  # pulses that no load makes


def _scales(item):
    """W, A and V per Hz from reference voltage, oscillator, divider and shunt."""
    shunt_ohm = item.get("shunt_mohm", 1) / 1000
    if item["chip"] == "bl0937":
        divider = item.get("divider", 1925)
        scales = (1.218**2 * divider / shunt_ohm / 1721506, 1.218 / shunt_ohm / 94638,
                  1.218 * divider / 15397)
    else:
        divider = item.get("divider", 2351)
        scales = (2.43**2 * divider / shunt_ohm * 64 / 24 / 3.579e6,
                  2.43 / shunt_ohm * 512 / 24 / 3.579e6, 2.43 * divider * 256 / 3.579e6)
    names = ("w_per_hz", "a_per_hz", "v_per_hz")
    return [item.get(name, scale) for name, scale in zip(names, scales)]


class Output:
    """A pin that pulses with a duty cycle of 50 %: high in the first half of each period.

    `count` are its rising edges so far. `listener` is called with the number of new ones.
    """

    def __init__(self):
        self.count = 0
        self.listener = None
        self._size = 1  # one period, in the unit that `_rate` adds per millisecond
        self._rate = 0
        self._phase = 0

    def run(self, duration_ms, rate, size):
        """Let time pass at `rate` / `size` pulses per millisecond, both ints."""
        if size != self._size:
            self._phase = self._phase * size // self._size
            self._size = size
        self._rate = rate
        self._phase += rate * duration_ms
        self.add(self._phase // size)
        self._phase %= size

    def add(self, pulses):
        self.count += pulses
        if pulses and self.listener:
            self.listener(pulses)

    @property
    def level(self):
        return 1 if 2 * self._phase < self._size else 0

    def time_pulse_us(self, level, timeout_us):
        """(time taken, result) of machine.time_pulse_us() called now, both in microseconds.

        As on the chip, a pulse that is under way is timed from the call on.
        """
        first = self.level
        if not self._rate:
            return timeout_us, -1 if level == first else -2
        half_us = self._size * 500 // self._rate
        left_us = half_us - self._phase * 1000 // self._rate % half_us
        wait_us, pulse_us = (0, left_us) if level == first else (left_us, half_us)
        if wait_us > timeout_us:
            return timeout_us, -2
        if pulse_us > timeout_us:
            return wait_us + timeout_us, -1
        return wait_us + pulse_us, pulse_us


class PulseMeter:
    """The chip. `record`: bytes that outlive the process; here the truth: u32 Wh, u32 0.1 W ms.

    item: "chip", "cf", "cf1", "sel", "sel_inverted" and the board's constants as in a profile;
    "speed": house time per real time, else 1. Pulses keep real time, so that power stays right.
    loads: per phase a list of Load; there is one phase.
    """

    def __init__(self, record, item, loads):
        self.address = item.get("address", 1)
        self.cf = pulse_pins.outputs[item["cf"]] = Output()
        self.cf1 = pulse_pins.outputs[item["cf1"]] = Output()
        self._sel = item["sel"]
        pulse_pins.sel_pins.add(self._sel)
        self._current_level = 0 if item.get("sel_inverted") else 1
        self._speed_milli = round(1000 * item.get("speed", 1))
        watts, amperes, volts = _scales(item)
        # One period: power in 0.1 W us, current in mA us, voltage in 0.1 V us.
        self._power_size = round(watts * 10000000)
        self._current_size = round(amperes * 1000000000)
        self._voltage_size = round(volts * 10000000)
        self._loads = loads[0] if loads else ()
        self._record = record
        self._fault = None

    @property
    def fault(self):
        return self._fault

    @fault.setter
    def fault(self, fault):
        """None or one of FAULTS; "reset" happens once: the counters start over."""
        if fault == "reset":
            self.cf.count = self.cf1.count = 0
            fault = None
        self._fault = fault

    def run(self, duration_ms, voltage_dv, frequency_dhz):
        """Let `duration_ms` of house time pass."""
        power_dw = reactive_dvar = current_ma = 0
        if self._fault == "no_mains":
            voltage_dv = 0
        else:
            for load in self._loads:
                load_dw = load.power_dw(voltage_dv)
                power_dw += load_dw
                reactive_dvar += load.reactive_dvar(load_dw)
            current_ma = round(math.sqrt(power_dw**2 + reactive_dvar**2) * 1000) // voltage_dv
        self._count(power_dw * duration_ms)
        if self._fault == "silent":
            power_dw = current_ma = voltage_dv = 0
        self._pulse(self.cf, duration_ms, power_dw, self._power_size)
        if pulse_pins.level(self._sel) == self._current_level:
            self._pulse(self.cf1, duration_ms, current_ma, self._current_size)
        else:
            self._pulse(self.cf1, duration_ms, voltage_dv, self._voltage_size)

    def skip(self, duration_ms, voltage_dv):
        """Count a long time in which nothing changed; the counters on the chip count it too."""
        self.run(duration_ms, voltage_dv, 0)

    def _pulse(self, output, duration_ms, value, size):
        output.run(duration_ms, value * 1000000 // self._speed_milli, size)
        if self._fault == "noise":
            output.add(random.getrandbits(8) * _NOISE_PER_MS * duration_ms >> 7)

    def _count(self, dwms):
        energy_wh, remainder = struct.unpack_from("<II", self._record, 0)
        remainder += dwms
        energy_wh += remainder // WH
        struct.pack_into("<II", self._record, 0, energy_wh & 0xFFFFFFFF, remainder % WH)
