# The background: metering, relays, LED and watchdog go on whatever the link does.
from time import ticks_diff, ticks_ms

from .mqtt.session import CONNECT_MS

# The foreground must come round within twice its longest call, or the watchdog starves.
CHECKPOINT_MS = 2 * CONNECT_MS
FEED_MS = 1000
TEMPERATURE_MS = 10000
FAULTS = 8  # different ones that are logged


class House:
    """Everything that a tick does. `led`, `sampler`, `energy` may be None: the board has none.

    backlog: `Backlog`, which is given every reading; it records while there is no link.

    `tick` is called every 10 ms from wherever the foreground waits. It never touches a socket or
    a file, never raises, and returns within a few milliseconds.
    """

    def __init__(self, board, clock, log, reporter, backlog, status, relays, led, sampler,
                 energy):
        self.relays = relays
        self.led = led
        self.sampler = sampler
        self._board = board
        self._log = log
        self._reporter = reporter
        self._backlog = backlog
        self._status = status
        self._energy = energy
        self._relay_untold = False
        self._checkpoint_ms = ticks_ms()
        self._fed_ms = None
        self._temperature_ms = None
        self._faults = []  # texts of what failed in a tick
        parts = [clock.update, relays.tick, self._warmth, self._feed]
        if led:
            parts.append(led.tick)
        if sampler:
            parts.append(self._measure)
        self._parts = tuple(parts)

    def tick(self, now_ms):
        """One beat. A fault in one part stops no other."""
        for part in self._parts:
            try:
                part(now_ms)
            except Exception as e:
                self._fault(e)

    def checkpoint(self, now_ms):
        """The foreground has come round: the watchdog may be fed for another 20 s."""
        self._checkpoint_ms = now_ms

    def relay_changed(self, index, source):
        """A relay has switched: tell it, and what the meter then shows.

        This runs at the end of the deepest calls there are, so the telling is left to `tell`.
        """
        self._relay_untold = True
        self._reporter.force()

    def tell(self):
        """Put what has switched into the outbox; called by the foreground."""
        if self._relay_untold:
            self._relay_untold = False
            self._status.relay()

    def tell_all(self):
        """Report every metric with its next value."""
        self._reporter.force()
        self._temperature_ms = None

    @property
    def meter_ok(self):
        """Whether the meter answers; False where there is none."""
        return bool(self.sampler and self.sampler.ok)

    @property
    def meter_errors(self):
        """Missed and bad reads since the start."""
        return self.sampler.errors if self.sampler else 0

    def _measure(self, now_ms):
        reading = self.sampler.poll(now_ms)
        if reading is not None:
            reading.energy_wh = self._energy.update(now_ms, reading.energy_wh)
            good, polls = self.sampler.good, self.sampler.polls
            self._backlog.sample(0, reading, good, polls)
            self._reporter.reading(reading, now_ms, good, polls)

    def _warmth(self, now_ms):
        since_ms = self._temperature_ms
        if since_ms is None or ticks_diff(now_ms, since_ms) >= TEMPERATURE_MS:
            self._temperature_ms = now_ms
            value_c = self._board.chip_temperature_c()
            if value_c is not None:
                self._reporter.temperature(value_c, now_ms)

    def _feed(self, now_ms):
        if self._fed_ms is None or ticks_diff(now_ms, self._fed_ms) >= FEED_MS:
            if ticks_diff(now_ms, self._checkpoint_ms) < CHECKPOINT_MS:
                self._fed_ms = now_ms
                self._board.feed_watchdog()

    def _fault(self, error):
        # Logged once: at 100 ticks a second nothing else would stay in the log.
        try:
            text = repr(error)
            if text not in self._faults and len(self._faults) < FAULTS:
                self._faults.append(text)
                self._log("house: " + text)
        except Exception:
            pass  # out of memory, most likely: the next part has its turn all the same
