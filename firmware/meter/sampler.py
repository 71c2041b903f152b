"""Asks a meter driver at a steady pace and knows whether the meter can be trusted."""

from time import ticks_add, ticks_diff

from micropython import const

_MISSES_UNTIL_LOST = const(3)


class Sampler:
    """One sample per `period_ms` from `driver`; `log` takes a text; `names`: of its channels.

    A channel that missed 3 samples in a row is unknown (`ok[channel]` is False) until its next
    good one. Counted since the start: `polls`, the samples that ended; `good[channel]`;
    `all_good`, those in which no channel was missed; `errors`, the others.
    """

    def __init__(self, driver, period_ms=1000, log=None, names=("",)):
        self._driver = driver
        self._period_ms = period_ms
        self._log = log
        self._names = names
        self._due_ms = None  # when to ask next; None before the first poll
        self._waiting = False  # asked, and the driver has not settled it
        self._missed = (None,) * len(names)
        self._misses = [0] * len(names)  # in a row
        self._logged_ok = list(self._missed)  # what the log knows; None: nothing yet
        self.ok = [False] * len(names)
        self.good = [0] * len(names)
        self.polls = self.all_good = 0

    @property
    def errors(self):
        """Samples in which at least one channel was missed."""
        return self.polls - self.all_good

    def poll(self, now_ms):
        """Each sample once: a tuple of a Reading, or None if it was missed, for each channel.

        Else None. Call it every 10 ms or so.
        """
        readings = self._driver.poll(now_ms)
        if self._waiting and (readings is not None or not self._driver.busy):
            self._waiting = False
            if readings is None:
                readings = self._missed
            self._settle(readings)
        else:
            readings = None
        if self._due_ms is None:
            self._due_ms = now_ms
        late_ms = ticks_diff(now_ms, self._due_ms)
        if late_ms >= 0 and not self._waiting:
            # Whole periods from the due time: no drift, and no burst after a long delay.
            periods = late_ms // self._period_ms + 1
            self._due_ms = ticks_add(self._due_ms, periods * self._period_ms)
            self._waiting = True
            self._driver.start(now_ms)
        return readings

    def _settle(self, readings):
        self.polls += 1
        missed = 0
        for channel, reading in enumerate(readings):
            if reading is not None:
                self.good[channel] += 1
                self._misses[channel] = 0
                self._know(channel, True)
            else:
                missed += 1
                self._misses[channel] += 1
                if self._misses[channel] >= _MISSES_UNTIL_LOST:
                    self._know(channel, False)
        if not missed:
            self.all_good += 1

    def _know(self, channel, ok):
        self.ok[channel] = ok
        if self._logged_ok[channel] is not ok and self._log:
            self._logged_ok[channel] = ok
            text = "meter%s " % (self._names[channel] and " " + self._names[channel])
            self._log(text + ("answers" if ok else "lost: %s" % self._driver.error))
