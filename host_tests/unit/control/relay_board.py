"""What the tests of relays switch: pins, a record, and a board of two relays."""

from firmware.control.relays import Relay, Relays


class Pin:
    def __init__(self, level):
        self.level = level
        self.writes = []

    def value(self, level):
        self.level = level
        self.writes.append(level)


class Record:
    """Stands for `retained.Retained`."""

    def __init__(self, outputs=()):
        self.kept = list(outputs)
        self.writes = 0

    def outputs(self):
        return self.kept

    def set_outputs(self, outputs):
        self.kept = list(outputs)
        self.writes += 1


class Protection:
    """Stands for `protection.Protection`: says what it was told to say."""

    def __init__(self, tripped=None, welded=()):
        self._tripped = tripped
        self._welded = list(welded)
        self.cleared = []
        self.stays_open = []

    def tripped(self):
        return self._tripped

    def welded(self):
        return self._welded

    def clear(self, index, now_ms):
        self.cleared.append(index)

    def stay_open(self, index, now_ms):
        self.stays_open.append(index)


class Board:
    """Two relays, on pins 26 and 27 unless given, and everything that happens to them."""

    def __init__(self, active_low=False, boot_states=(), kept=(), power_on=True, last=None,
                 save=None, relays=None, **rules):
        self.record = Record(kept)
        self.pins = {}
        self.changes = []
        self.saves = []
        self.relays = Relays(
            relays or [Relay(26, active_low), Relay(27, active_low)],
            self.output,
            self.record,
            boot_states,
            power_on,
            last=last,
            on_change=lambda index, source: self.changes.append((index, source)),
            save=save or self.saves.append,
            **rules
        )

    def output(self, number, level):
        assert number not in self.pins
        self.pins[number] = Pin(level)
        return self.pins[number]

    def levels(self):
        return [self.pins[26].level, self.pins[27].level]

    def states(self):
        return self.relays.status()["relays"]

    def writes(self):
        return self.pins[26].writes

    def ticks(self, start_ms, end_ms):
        """Tick every 10 ms, first at `start_ms`, last before `end_ms`."""
        for at_ms in range(start_ms, end_ms, 10):
            self.relays.tick(at_ms)
