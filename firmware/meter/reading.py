"""One reading of one metering channel, and the check that it is physically possible."""


class Reading:
    """Values of one sample. None means unknown, never zero. Only `energy_wh` is an int.

    A driver reuses its objects: a reading holds until the driver returns the next one.
    """

    def __init__(self):
        self.voltage_v = None
        self.current_a = None
        self.active_power_w = None
        self.energy_wh = None
        self.frequency_hz = None
        self.power_factor = None


def implausible(reading, limits):
    """What is wrong with a reading, as a short text, or None when nothing is.

    `limits` is a sequence of (attribute name, lowest, highest), both included. Where voltage,
    current, power and power factor are all known, power must agree with their product within
    3 W, 3 % or one step (0.01) of the power factor, whichever is most: below a factor of 0.3
    its step is coarser than 3 %. Source: reference/meters.md 1.7.
    """
    for name, low, high in limits:
        value = getattr(reading, name)
        if value is not None and not low <= value <= high:  # a NaN fails here as well
            return "%s %g" % (name, value)
    power = reading.active_power_w
    if None in (reading.voltage_v, reading.current_a, power, reading.power_factor):
        return None
    apparent_va = reading.voltage_v * reading.current_a
    difference_w = abs(apparent_va * reading.power_factor - power)
    if difference_w > max(3, 0.03 * abs(power), 0.01 * apparent_va):
        return "active_power_w %g differs from V*I*PF by %.1f" % (power, difference_w)
    return None
