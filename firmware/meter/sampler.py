"""Asks a meter driver at a steady pace and knows whether the meter can be trusted."""

from time import ticks_add, ticks_diff

_MISSES_UNTIL_LOST = 3


class Sampler:
    """One reading per `period_ms` from `driver`; `log` takes a text.

    A meter that missed 3 reads in a row is unknown: `ok` is False and `last_reading` None, until
    the next good reading. `polls`, `good` and `errors` count the reads that ended, were good and
    were missed since the start; `last_error` says why the latest was missed.
    """

    def __init__(self, driver, period_ms=1000, log=None):
        self._driver = driver
        self._period_ms = period_ms
        self._log = log
        self._due_ms = None  # when to ask next; None before the first poll
        self._waiting = False  # asked, and the driver has not settled it
        self._misses = 0  # in a row
        self._asked_polls = self._asked_good = 0  # the counts when quality was last asked
        self._quality_percent = 0
        self._logged_ok = None  # the state the log knows; None: neither was reported yet
        self.ok = False
        self.polls = self.good = self.errors = 0
        self.last_reading = None
        self.last_error = None

    def poll(self, now_ms):
        """Each good reading once, else None. Call it every 10 ms or so."""
        reading = None
        if self._waiting:
            reading = self._driver.poll(now_ms)
            if reading is not None or not self._driver.busy:
                self._waiting = False
                self._settle(reading)
        if self._due_ms is None:
            self._due_ms = now_ms
        late_ms = ticks_diff(now_ms, self._due_ms)
        if late_ms >= 0 and not self._waiting:
            # Whole periods from the due time: no drift, and no burst after a long delay.
            periods = late_ms // self._period_ms + 1
            self._due_ms = ticks_add(self._due_ms, periods * self._period_ms)
            self._waiting = True
            self._driver.start(now_ms)
        return reading

    def quality_percent(self):
        """Share of good reads since the last call, rounded down; the last figure if none ended."""
        polls = self.polls - self._asked_polls
        if polls:
            self._quality_percent = 100 * (self.good - self._asked_good) // polls
            self._asked_polls = self.polls
            self._asked_good = self.good
        return self._quality_percent

    def _settle(self, reading):
        self.polls += 1
        if reading is not None:
            self.good += 1
            self._misses = 0
            self.ok = True
            self.last_reading = reading
            self._log_change("meter answers")
            return
        self.errors += 1
        self._misses += 1
        self.last_error = self._driver.error
        if self._misses >= _MISSES_UNTIL_LOST:
            self.ok = False
            self.last_reading = None
            self._log_change("meter lost: " + str(self.last_error))

    def _log_change(self, text):
        if self.ok != self._logged_ok:
            self._logged_ok = self.ok
            if self._log:
                self._log(text)
