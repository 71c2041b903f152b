# What is worth sending: a metric that left its deadband, or whose heartbeat is due.
from time import ticks_add, ticks_diff


class Metric:
    """What was last reported of one metric, and when the next report is due.

    attribute: of a reading; topic: below the prefix, bytes; payload: a format for the value, the
    quality and what follows. percent: of the value, is the deadband where that is more than
    `deadband`, up to `most`; None: it does not grow with the value.
    """

    percent = most = None

    def __init__(self, attribute, topic, payload, deadband, heartbeat_ms):
        self.attribute = attribute
        self.topic = topic
        self._payload = payload
        self._deadband = deadband
        self._heartbeat_ms = heartbeat_ms
        # A value at or beyond one of these two leaves the deadband; where they are equal, any does
        self._low = self._high = 0
        self._due_ms = 0
        self.stamp = None  # timestamp of the last report
        self._good = self._polls = 0  # the sampler's counts at the last report

    def force(self):
        """Report the next value, whatever it is."""
        self._low = self._high

    def due(self, value, now_ms):
        """Whether `value` must be reported now."""
        return not self._low < value < self._high or ticks_diff(now_ms, self._due_ms) >= 0

    def report(self, value, now_ms, good, polls, stamp):
        """The payload for `value`; quality is the share of good reads since the last report."""
        self.stamp = stamp
        deadband = self._deadband
        if self.percent is not None:
            deadband = max(deadband, min(abs(value) * self.percent / 100, self.most))
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

    metrics: list of `Metric`.
    """

    def __init__(self, outbox, clock, metrics):
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics

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

    def value(self, value_c, now_ms):
        """Take a temperature in °C."""
        metric = self._metrics[0]
        if metric.due(value_c, now_ms):
            self._put(metric, value_c, now_ms, 0, 0)
