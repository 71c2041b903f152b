"""Several channels as one: the total of three phases, or of three meters on one bus."""

from micropython import const

from .reading import Reading

_SUMS = const(("current_a", "active_power_w", "apparent_power_va", "energy_wh", "export_wh",
               "today_wh", "yesterday_wh"))


class Total(Reading):
    """`total(readings)` is the reading of all channels together.

    Current, power and energies are sums, voltage is the mean, frequency that of the first channel
    which knows it, power factor the sum of W over the sum of VA (None without load). A value is
    None where any part of it is unknown.
    """

    apparent_power_va = None  # a sum here: phases differ in voltage

    def __call__(self, readings):
        """Take the readings of all channels (None: it failed); None if all failed."""
        self.frequency_hz = None
        known = False
        for reading in readings:
            if reading is not None:
                known = True
                if self.frequency_hz is None:
                    self.frequency_hz = reading.frequency_hz
        if not known:
            return None
        for name in _SUMS:
            setattr(self, name, _sum(readings, name))
        voltage_v = _sum(readings, "voltage_v")
        self.voltage_v = None if voltage_v is None else voltage_v / len(readings)
        self.power_factor = None
        if self.apparent_power_va and self.active_power_w is not None:
            # Rounded by the chips: a heater may have more W than VA.
            self.power_factor = max(-1.0, min(1.0, self.active_power_w / self.apparent_power_va))
        return self


def _sum(readings, name):
    result = 0
    for reading in readings:
        value = None if reading is None else getattr(reading, name)
        if value is None:
            return None
        result += value
    return result
