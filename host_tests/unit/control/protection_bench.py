"""What the tests of protection trip: two real relays, a meter made of lists, and a flash."""

from time import ticks_add

from firmware.control.protection import Protection
from firmware.meter.reading import Reading
from host_tests.unit.control.relay_board import Board
from host_tests.unit.fakes import BEFORE_WRAP, Log


def reading(power_w=None, current_a=None, voltage_v=230.0):
    made = Reading()
    made.active_power_w = power_w
    made.current_a = current_a
    made.voltage_v = voltage_v
    return made


class Bench:
    """A node whose ticks come each 10 ms; time passes in `run` and `sample` alone."""

    def __init__(self, *entries, **more):
        self.now_ms = BEFORE_WRAP
        self.log = Log()
        self.kept = []  # each list that went into flash
        self.flash_full = False
        self.told = 0
        self.channels = more.pop("channels", 1)
        trips = more.pop("trips", ())
        self.board = Board(locked=[trip[0] for trip in trips], **more)
        self.relays = self.board.relays
        self.protection = Protection(
            entries, self.relays, self.log, self._keep, trips, self.channels)
        self.protection.on_change = self._changed
        self.relays.protection = self.protection

    def on(self, *indices):
        for index in indices or (0,):
            assert self.relays.set(index, True, "command", self.now_ms) is None
        return self

    def run(self, ms):
        for _ in range(ms // 10):
            self.now_ms = ticks_add(self.now_ms, 10)
            self.relays.tick(self.now_ms)
            self.protection.tick(self.now_ms)

    def sample(self, *readings, **more):
        """A second passes, then this comes from the meter; ok: which channels are not lost."""
        self.run(more.pop("after_ms", 1000))
        ok = more.pop("ok", [True] * self.channels)
        self.protection.sample(readings, ok, self.now_ms)

    def power(self, *watts):
        """One sample after another."""
        for power_w in watts:
            self.sample(reading(power_w, power_w / 230))

    def volts(self, *volts):
        for voltage_v in volts:
            self.sample(reading(0.0, 0.0, voltage_v))

    def states(self):
        return self.board.states()

    def cause(self):
        trip = self.protection.tripped()
        return trip and trip["cause"]

    def _keep(self, trips):
        if self.flash_full:
            raise OSError(28)
        # The relay is open before anything is written.
        assert all(not self.relays.relays[trip[0]].on for trip in trips)
        self.kept.append(list(trips))

    def _changed(self):
        self.told += 1
