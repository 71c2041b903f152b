"""A day of a household as its meter sees it: 86,400 readings, the same in every run.

Standby and router, a fridge that cycles, kettle, hob, lights and television in the evening, a
washing machine. Values are rounded as a PZEM-004T gives them.
"""

from math import sqrt

from firmware.meter.reading import Reading

DAY_S = 86400
_HOUR = 3600
_MINUTE = 60

# (from, to, watts, power factor, seconds on, of a period of) in seconds of the day
_APPLIANCES = (
    (0, DAY_S, 62, 0.55, 1, 1),  # standby, router
    (0, DAY_S, 78, 0.72, 14 * _MINUTE, 42 * _MINUTE),  # fridge
    (6.4 * _HOUR, 7.6 * _HOUR, 48, 0.92, 1, 1),  # lights in the morning
    (6.6 * _HOUR, 6.6 * _HOUR + 190, 2050, 1.0, 1, 1),  # kettle
    (7.0 * _HOUR, 7.0 * _HOUR + 160, 850, 1.0, 12, 17),  # toaster, thermostat
    (9.0 * _HOUR, 9.0 * _HOUR + 25 * _MINUTE, 2000, 1.0, 1, 1),  # washing: heats
    (9.4 * _HOUR, 10.5 * _HOUR, 190, 0.62, 14, 22),  # washing: turns
    (10.5 * _HOUR, 10.7 * _HOUR, 420, 0.75, 55, 60),  # washing: spins
    (12.2 * _HOUR, 12.8 * _HOUR, 1800, 1.0, 9, 24),  # hob, its own rhythm
    (15.5 * _HOUR, 15.5 * _HOUR + 170, 2050, 1.0, 1, 1),  # kettle
    (17.5 * _HOUR, 23.2 * _HOUR, 96, 0.93, 1, 1),  # lights in the evening
    (18.3 * _HOUR, 19.1 * _HOUR, 1800, 1.0, 11, 26),  # hob
    (18.5 * _HOUR, 19.2 * _HOUR, 2300, 1.0, 95, 180),  # oven, thermostat
    (19.5 * _HOUR, 23.0 * _HOUR, 115, 0.96, 1, 1),  # television
    (20.2 * _HOUR, 20.2 * _HOUR + 180, 2050, 1.0, 1, 1),  # kettle
)


class Household:
    """`reading(second)` gives the reading of that second; call it for each in turn."""

    def __init__(self):
        self._reading = Reading()
        self._noise = 12345
        self._drift_v = 0.0
        self._energy_ws = 1234567 * 3600

    def reading(self, second):
        """The same `Reading` object each time, with new values."""
        active_w = reactive_var = 0.0
        for start, end, watts, factor, on_s, period_s in _APPLIANCES:
            if start <= second < end and int(second - start) % period_s < on_s:
                # Small loads breathe by 2 %, electronics and motors more than heaters.
                watts *= 1 + 0.02 * self._wobble() * (1 if factor < 1 else 0.3)
                active_w += watts
                reactive_var += watts * sqrt(1 / factor**2 - 1)
        # The net: slow wander of some volts, a dip under load, jitter.
        self._drift_v = self._drift_v * 0.999 + 0.12 * self._wobble()
        voltage_v = 231.5 + self._drift_v - active_w / 2300 + 0.2 * self._wobble()
        apparent_va = sqrt(active_w * active_w + reactive_var * reactive_var)
        self._energy_ws += active_w
        reading = self._reading
        reading.voltage_v = round(voltage_v * 10) / 10
        reading.current_a = round(apparent_va / voltage_v * 1000) / 1000
        reading.active_power_w = round(active_w * 10) / 10
        reading.energy_wh = int(self._energy_ws) // 3600
        reading.frequency_hz = round(500 + 0.5 * self._drift_v / 4 + 0.4 * self._wobble()) / 10
        reading.power_factor = round(100 * active_w / apparent_va) / 100
        return reading

    def temperature_c(self, second):
        """Of the chip: follows the room, 38 to 46 °C."""
        hours = second / _HOUR
        return 38 + 8 * (1 - abs(hours - 15) / 15) + 0.3 * self._wobble()

    def _wobble(self):
        """From -1 to 1, a linear congruential sequence."""
        self._noise = (self._noise * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._noise >> 8) / (1 << 22) - 1
