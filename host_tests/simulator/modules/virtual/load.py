# What draws power in the virtual house: the mains with its small wobble, and loads on them.
# Powers are integers in 0.1 W, voltages in 0.1 V: the chips count the same way.
import math

NOMINAL_DV = 2300


def mains_voltage_dv(second):
    """Line voltage in 0.1 V: 230 V, a slow swing of 0.8 V each minute, 0.2 V of jitter."""
    phase = second % 60
    swing = (phase if phase < 30 else 60 - phase) - 15
    return NOMINAL_DV + swing * 8 // 15 + second * 7 % 5 - 2


def mains_frequency_dhz(second):
    """Line frequency in 0.1 Hz: 49.9 to 50.1 Hz."""
    return 499 + second // 20 % 3


class Load:
    """One consumer: `watts` at 230 V, drawn while `is_on()`.

    A resistive load (power factor 1) follows the square of the voltage, any other (a motor, a
    power supply) draws constant power and lags.
    """

    def __init__(self, watts, is_on=None, power_factor=1.0):
        self.is_on = is_on or (lambda: True)
        self.set(watts, power_factor)

    def set(self, watts, power_factor=None):
        self._nominal_dw = round(watts * 10)
        if power_factor is not None:
            if not 0 < power_factor <= 1:
                raise ValueError("power factor must be above 0 and at most 1")
            self._resistive = power_factor == 1
            self._tangent_milli = round(1000 * math.sqrt(1 / power_factor**2 - 1))

    def power_dw(self, voltage_dv):
        """Active power in 0.1 W at this voltage, 0 while switched off."""
        if not self.is_on():
            return 0
        if not self._resistive:
            return self._nominal_dw
        return self._nominal_dw * voltage_dv // NOMINAL_DV * voltage_dv // NOMINAL_DV

    def reactive_dvar(self, power_dw):
        """Reactive power in 0.1 var that goes with `power_dw`."""
        return power_dw * self._tangent_milli // 1000


def load_sums(loads, voltage_dv):
    """(0.1 W, 0.1 var) of these loads together."""
    power_dw = reactive_dvar = 0
    for load in loads:
        load_dw = load.power_dw(voltage_dv)
        power_dw += load_dw
        reactive_dvar += load.reactive_dvar(load_dw)
    return power_dw, reactive_dvar
