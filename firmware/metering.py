# From the meter to all who need its readings: what a tick does with a sample.


class Metering:
    """Protection first, then energy, then what is told.

    sampler, energy: of `meter`; protection: `Protection` or None; backlog: `Backlog`.
    reporters: one `Reporter` for each channel; where there are several, the total comes before
    them, in the backlog too, and total(readings) makes its reading (`phases.Total`).
    """

    def __init__(self, sampler, energy, protection, backlog, reporters, total=None):
        self.sampler = sampler
        self.energy = energy
        self._protection = protection
        self._backlog = backlog
        self._reporters = reporters
        self._total = total
        self.readings = None  # the last sample, for `calibrate`

    def tick(self, now_ms):
        """Take a sample, if one is complete."""
        readings = self.sampler.poll(now_ms)
        if readings is None:
            return
        self.readings = readings
        if self._protection:
            self._protection.sample(readings, self.sampler.ok, now_ms)
        self.energy.update(now_ms, readings)
        first = 0
        if self._total:
            first = 1
            reading = self._total(readings)
            if reading is not None:
                self._tell(0, reading, self.sampler.all_good, now_ms)
        for channel, reading in enumerate(readings):
            if reading is not None:
                self._tell(first + channel, reading, self.sampler.good[channel], now_ms)

    def force(self):
        """Report the next value of everything."""
        for reporter in self._reporters:
            reporter.force()

    @property
    def ok(self):
        """Whether all channels answer."""
        return all(self.sampler.ok)

    def _tell(self, index, reading, good, now_ms):
        # The backlog comes first: it looks for UTC, and times never meet those sent live.
        self._backlog.sample(index, reading, good, self.sampler.polls)
        self._reporters[index].reading(reading, now_ms, good, self.sampler.polls)
