# What an analogue input sees: a thermistor that follows the controlled temperature.
# Written against the formula the other way round: R = R25 * exp(beta * (1/T - 1/T25)).
import math

FAULTS = ("open", "short")

fault = None  # of the board's thermometer: one of these, or of ds18b20.FAULTS


def ntc_volts(profile, temperature_c, fault=None):
    """The voltage between series resistor and thermistor; `profile`: its part "temperature"."""
    supply_v = profile.get("supply_v", 3.3)
    if fault == "open":
        return supply_v
    if fault == "short":
        return 0.0
    exponent = profile["beta"] * (1 / (temperature_c + 273.15) - 1 / 298.15)
    ohm = profile["r25_ohm"] * math.exp(exponent)
    return supply_v * ohm / (ohm + profile["series_ohm"])


def raw(volts, full_v, bits):
    """What a converter of so many bits reads, `full_v` at the end of its range."""
    end = (1 << bits) - 1
    return max(0, min(end, int(volts / full_v * end + 0.5)))
