# The background: metering, relays, inputs, LED and watchdog go on whatever the link does.
from time import ticks_diff, ticks_ms

from micropython import const

from .mqtt.session import CONNECT_MS

# The foreground must come round within twice its longest call, or the watchdog starves.
CHECKPOINT_MS = 2 * CONNECT_MS
_FEED_MS = const(1000)
# The foreground is kept by a call: what cannot wait for it is saved from here.
_ABSENT_MS = const(3000)
_FAULTS = const(8)  # different ones that are logged


class House:
    """Everything that a tick does. `led`, `metering`, `protection` may be None: there is none.

    thermometer: `sensor.thermometer`; warmth: `Temperature`, which reports it; inputs: list of
    buttons and switches.

    `tick` is called every 10 ms from wherever the foreground waits. It never touches a socket,
    never raises, and returns within a few milliseconds. It touches a file for two things that may
    not wait for the foreground: a trip, and energy that a power cut would lose.
    """

    def __init__(self, board, clock, log, status, relays, inputs, led, metering, protection,
                 thermometer, warmth):
        self.relays = relays
        self.led = led
        self.metering = metering
        self._board = board
        self._log = log
        self._status = status
        self._protection = protection
        self._thermometer = thermometer
        self._warmth = warmth
        self._relay_untold = False
        self._checkpoint_ms = ticks_ms()
        self._fed_ms = None
        self._faults = []  # texts of what failed in a tick
        parts = [clock.update, relays.tick] + [one.tick for one in inputs]
        if metering:
            parts += [metering.tick, self._save_energy]
        if protection:
            parts.append(protection.tick)
        parts += [self._measure_warmth, self._feed]
        if led:
            parts.append(led.tick)
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
        if self.metering:
            self.metering.force()

    def alarm_changed(self):
        """What protection knows of a relay has changed."""
        self._relay_untold = True

    def tell(self):
        """Put what has switched into the outbox; called by the foreground."""
        if self._relay_untold:
            self._relay_untold = False
            self._status.relay()

    def tell_all(self):
        """Report every metric with its next value."""
        if self.metering:
            self.metering.force()
        self._warmth.force()

    @property
    def meter_ok(self):
        """Whether the meter answers, with all channels; False where there is none."""
        return bool(self.metering and self.metering.ok)

    @property
    def meter_errors(self):
        """Missed and bad reads since the start, and energy that was not believed."""
        metering = self.metering
        return metering.sampler.errors + metering.energy.drops if metering else 0

    def _save_energy(self, now_ms):
        if ticks_diff(now_ms, self._checkpoint_ms) > _ABSENT_MS:
            self.metering.energy.service(now_ms)

    def _measure_warmth(self, now_ms):
        if self._thermometer.poll(now_ms):
            value_c = self._thermometer.value_c
            if self._protection:
                self._protection.temperature(value_c, now_ms)
            if value_c is not None:
                self._warmth.value(value_c, now_ms)

    def _feed(self, now_ms):
        if self._fed_ms is None or ticks_diff(now_ms, self._fed_ms) >= _FEED_MS:
            if ticks_diff(now_ms, self._checkpoint_ms) < CHECKPOINT_MS:
                self._fed_ms = now_ms
                self._board.feed_watchdog()

    def _fault(self, error):
        # Logged once: at 100 ticks a second nothing else would stay in the log.
        try:
            text = repr(error)
            if text not in self._faults and len(self._faults) < _FAULTS:
                self._faults.append(text)
                self._log("house: " + text)
        except Exception:
            pass  # out of memory, most likely: the next part has its turn all the same
