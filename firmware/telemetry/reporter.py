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
_EXTRA = (  # by choice: the setting `extra_metrics`
    ("apparent_power", "VA", "apparent_power_va", 1, "power_deadband_w"),
    ("energy_export", "Wh", "export_wh", 0, "energy_deadband_wh"),
    ("energy_today", "Wh", "today_wh", 0, "energy_deadband_wh"),
    ("energy_yesterday", "Wh", "yesterday_wh", 0, "energy_deadband_wh"),
)


class Metric:
    """What was last reported of one metric, and when the next report is due."""

    def __init__(self, row, settings, suffix=""):
        name, unit, self.attribute, decimals, deadband = row
        self.topic = ("telemetry/" + name + suffix).encode()
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
    """Turns the readings of one channel into telemetry messages in the outbox.

    suffix: what the channel adds to the names of its metrics, as "_a"; the phases of a mains have
    one frequency, so that is told without.
    """

    def __init__(self, outbox, clock, settings, suffix=""):
        self._outbox = outbox
        self._clock = clock
        extra = settings["extra_metrics"]
        rows = [row for row in _METRICS if not (suffix and row[0] == "frequency")]
        rows += [row for row in _EXTRA if row[0] in extra]
        self._metrics = [Metric(row, settings, suffix) for row in rows]

    def force(self):
        """Report everything once, with the next values."""
        for metric in self._metrics:
            metric.force()

    def reading(self, reading, now_ms, good, polls):
        """Take a reading; good, polls: the sampler's running counts of reads."""
        for metric in self._metrics:
            value = getattr(reading, metric.attribute)
            if value is not None and metric.due(value, now_ms):
                self._put(metric, value, now_ms, good, polls)

    def _put(self, metric, value, now_ms, good, polls):
        stamp = self._clock.timestamp()
        if stamp and stamp == metric.stamp:
            return  # never two values for one second: the next sample tells
        payload = metric.report(value, now_ms, good, polls, stamp)
        self._outbox.put_telemetry(metric.topic, payload)


class Temperature(Reporter):
    """The same for one temperature, which comes from elsewhere."""

    def __init__(self, outbox, clock, settings):
        self._outbox = outbox
        self._clock = clock
        self._metrics = [Metric(_TEMPERATURE, settings)]

    def value(self, value_c, now_ms):
        """Take a temperature in °C."""
        metric = self._metrics[0]
        if metric.due(value_c, now_ms):
            self._put(metric, value_c, now_ms, 0, 0)
