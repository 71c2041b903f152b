# The metrics there are, and how each is told. Needed at the start only, then dropped.
from micropython import const

from .reporter import Metric

# (metric, unit, attribute of a reading, decimals, setting with the deadband)
_METRICS = const((
    ("power", "W", "active_power_w", 1, "power_deadband_w"),
    ("voltage", "V", "voltage_v", 1, "voltage_deadband_v"),
    ("current", "A", "current_a", 3, "current_deadband_a"),
    ("energy", "Wh", "energy_wh", 0, "energy_deadband_wh"),
    ("power_factor", "", "power_factor", 2, "power_factor_deadband"),
    ("frequency", "Hz", "frequency_hz", 1, "frequency_deadband_hz"),
))
_TEMPERATURE = const(("temperature", "\u00b0C", None, 1, "temperature_deadband_c"))
_EXTRA = const((  # by choice: the setting `extra_metrics`
    ("apparent_power", "VA", "apparent_power_va", 1, "power_deadband_w"),
    ("energy_export", "Wh", "export_wh", 0, "energy_deadband_wh"),
    ("energy_today", "Wh", "today_wh", 0, "energy_deadband_wh"),
    ("energy_yesterday", "Wh", "yesterday_wh", 0, "energy_deadband_wh"),
))


def of_channel(settings, suffix=""):
    """List of the `Metric` of one channel of the meter.

    suffix: what it adds to their names, as "_a"; the phases of a mains have one frequency, so
    that is told without.
    """
    extra = settings["extra_metrics"]
    rows = [row for row in _METRICS if not (suffix and row[0] == "frequency")]
    rows += [row for row in _EXTRA if row[0] in extra]
    return [_metric(row, settings, suffix) for row in rows]


def of_temperature(settings):
    """The `Metric` of the temperature."""
    return _metric(_TEMPERATURE, settings, "")


def _metric(row, settings, suffix):
    name, unit, attribute, decimals, deadband = row
    # Formatted by hand, not by json: it is the hot path, and dictionaries have no order here.
    shape = "%%.%df" % decimals if decimals else "%d"  # floats would lose whole Wh
    metric = Metric(attribute, ("telemetry/" + name + suffix).encode(),
                    '{"value": %s, "unit": "%s", "quality": %%d%%s}' % (shape, unit),
                    settings[deadband],
                    settings["power_heartbeat_s" if name == "power" else "heartbeat_s"] * 1000)
    if deadband == "power_deadband_w":
        metric.percent = settings["power_deadband_percent"]
        metric.most = settings["power_deadband_max_w"]
    return metric
