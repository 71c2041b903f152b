"""One reading of one metering channel, and the check that it is physically possible."""


class Reading:
    """Values of one sample of one channel. None means unknown, never zero.

    `active_power_w` is positive for import. The driver gives energy in one of three ways, as ints:
    `register_wh` and `register_export_wh` are the meter's own registers; `counted_dwms` is what
    its pulse counter counted since the driver's previous reading, in dW x ms (36,000,000 to the
    Wh), negative for export; all None: the power is integrated over time. The energy module adds
    the totals, ints too: import, export, and the import of this and of the last local day.

    A driver reuses its objects: a reading holds until the driver returns the next one.
    """

    def __init__(self):
        self.voltage_v = None
        self.current_a = None
        self.active_power_w = None
        self.frequency_hz = None
        self.power_factor = None
        self.register_wh = None
        self.register_export_wh = None
        self.counted_dwms = None
        self.energy_wh = None
        self.export_wh = None
        self.today_wh = None
        self.yesterday_wh = None

    @property
    def apparent_power_va(self):
        """Voltage x current, None if one is unknown."""
        if self.voltage_v is None or self.current_a is None:
            return None
        return self.voltage_v * self.current_a


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
