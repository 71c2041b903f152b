# Tests of the simulator's latching relay: what a pulse does, and what no pulse does.
import struct

from host_tests.simulator.modules.virtual.latch import Latch

CLOSE, OPEN = 0, 1


class Coils:
    """A relay with its two pins, and the clock."""

    def __init__(self):
        self.state = bytearray(8)
        self.levels = [0, 0]
        self.now_ms = 1000
        coils = (lambda: self.levels[CLOSE], lambda: self.levels[OPEN])
        self.latch = Latch(self.state, 0, coils, 4)

    def set(self, coil, level):
        self.latch.pin_changes(self.now_ms)
        self.levels[coil] = level

    def wait(self, ms):
        self.now_ms += ms
        self.latch.update(self.now_ms)

    def pulse(self, coil, ms):
        self.set(coil, 1)
        self.wait(ms)
        self.set(coil, 0)

    @property
    def clashes(self):
        return struct.unpack_from("<I", self.state, 4)[0]


def test_a_pulse_moves_the_contact_and_it_stays():
    relay = Coils()
    assert not relay.latch.is_closed()
    relay.pulse(CLOSE, 30)
    assert relay.latch.is_closed()
    relay.wait(100000)
    assert relay.latch.is_closed()
    relay.pulse(OPEN, 100)
    assert not relay.latch.is_closed()
    assert relay.clashes == 0


def test_a_pulse_too_short_moves_nothing():
    relay = Coils()
    for _ in range(5):
        relay.pulse(CLOSE, 29)
        relay.wait(500)
    assert not relay.latch.is_closed()


def test_a_pulse_counts_from_its_pin_not_from_the_next_look():
    relay = Coils()
    relay.set(CLOSE, 1)
    relay.now_ms += 30  # nobody looked in between
    relay.set(CLOSE, 0)
    assert relay.latch.is_closed()


def test_both_coils_move_nothing_and_are_counted_once_each_time():
    relay = Coils()
    for _ in range(2):
        relay.set(CLOSE, 1)
        relay.set(OPEN, 1)
        relay.wait(200)
        relay.wait(200)
        relay.set(OPEN, 0)
        relay.set(CLOSE, 0)
    assert relay.clashes == 2
    assert not relay.latch.is_closed()


def test_an_overlap_of_no_time_is_counted_too():
    relay = Coils()
    relay.set(CLOSE, 1)
    relay.wait(100)
    relay.set(OPEN, 1)
    relay.set(CLOSE, 0)
    relay.wait(100)
    relay.set(OPEN, 0)
    assert relay.clashes == 1


def test_one_pulse_right_after_the_other_is_no_clash():
    relay = Coils()
    relay.pulse(CLOSE, 50)
    relay.pulse(OPEN, 50)
    assert relay.clashes == 0
    assert not relay.latch.is_closed()
