# What is worth sending: a metric that left its deadband, or whose heartbeat is due.
from time import ticks_add, ticks_diff

# (metric, unit, attribute of a reading, decimals, setting with the deadband)
_METRICS = (
    ("power", "W", "active_power_w", 1, "power_deadband_w"),
    ("voltage", "V", "voltage_v", 1, "voltage_deadband_v"),
    ("current", "A", "current_a", 3, "current_deadband_a"),
    ("energy", "Wh", "energy_wh", 0, "energy_deadband_wh"),
    ("power_factor", "", "power_factor", 2, "power_factor_deadband"),
    ("frequency", "Hz", "frequency_hz", 1, "frequency_deadband_hz"),
)
_TEMPERATURE = ("temperature", "\u00b0C", None, 1, "temperature_deadband_c")
_APPARENT_POWER = ("apparent_power", "VA", None, 1, "power_deadband_w")


class Metric:
    """What was last reported of one metric, and when the next report is due."""

    def __init__(self, row, settings):
        name, unit, self.attribute, decimals, deadband = row
        self.topic = ("telemetry/" + name).encode()
        # Formatted by hand, not by json: it is the hot path, and dictionaries have no order here.
        shape = "%%.%df" % decimals if decimals else "%d"  # floats would lose whole Wh
        self._payload = '{"value": %s, "unit": "%s", "quality": %%d%%s}' % (shape, unit)
        self._deadband = settings[deadband]
        self._percent = self._most = None
        if deadband == "power_deadband_w":
            self._percent = settings["power_deadband_percent"]
            self._most = settings["power_deadband_max_w"]
        heartbeat_s = settings["power_heartbeat_s" if name == "power" else "heartbeat_s"]
        self._heartbeat_ms = heartbeat_s * 1000
        # A value at or beyond these two leaves the deadband; None: report the next one in any case
        self._low = self._high = None
        self._due_ms = 0
        self.stamp = None  # timestamp of the last report
        self._good = self._polls = 0  # the sampler's counts at the last report

    def force(self):
        """Report the next value, whatever it is."""
        self._low = None

    def due(self, value, now_ms):
        """Whether `value` must be reported now."""
        low = self._low
        if low is None or value <= low or value >= self._high:
            return True
        return ticks_diff(now_ms, self._due_ms) >= 0

    def report(self, value, now_ms, good, polls, stamp):
        """The payload for `value`; quality is the share of good reads since the last report."""
        self.stamp = stamp
        deadband = self._deadband
        if self._percent is not None:
            deadband = max(deadband, min(abs(value) * self._percent / 100, self._most))
        self._low = value - deadband
        self._high = value + deadband
        self._due_ms = ticks_add(now_ms, self._heartbeat_ms)
        reads = polls - self._polls
        quality = 100 * (good - self._good) // reads if reads else 100
        self._good = good
        self._polls = polls
        stamp = ', "timestamp": "%s"' % stamp if stamp else ""
        return (self._payload % (value, quality, stamp)).encode()


class Reporter:
    """Turns readings into telemetry messages in the outbox."""

    def __init__(self, outbox, clock, settings):
        self._outbox = outbox
        self._clock = clock
        self._metrics = [Metric(row, settings) for row in _METRICS]
        self._temperature = Metric(_TEMPERATURE, settings)
        self._apparent = None
        if "apparent_power" in settings["extra_metrics"]:
            self._apparent = Metric(_APPARENT_POWER, settings)

    def force(self):
        """Report everything once, with the next values."""
        for metric in self._metrics:
            metric.force()
        self._temperature.force()
        if self._apparent:
            self._apparent.force()

    def reading(self, reading, now_ms, good, polls):
        """Take a reading; good, polls: the sampler's running counts of reads."""
        for metric in self._metrics:
            value = getattr(reading, metric.attribute)
            if value is not None and metric.due(value, now_ms):
                self._put(metric, value, now_ms, good, polls)
        if self._apparent and reading.voltage_v is not None and reading.current_a is not None:
            value = reading.voltage_v * reading.current_a
            if self._apparent.due(value, now_ms):
                self._put(self._apparent, value, now_ms, good, polls)

    def temperature(self, value_c, now_ms):
        """Take a temperature in °C."""
        if self._temperature.due(value_c, now_ms):
            self._put(self._temperature, value_c, now_ms, 0, 0)

    def _put(self, metric, value, now_ms, good, polls):
        stamp = self._clock.timestamp()
        if stamp and stamp == metric.stamp:
            return  # never two values for one second: the next sample tells
        payload = metric.report(value, now_ms, good, polls, stamp)
        self._outbox.put_telemetry(metric.topic, payload)
