"""Frequencies from a hardware counter: windows from pulse to pulse, silence, wrap."""

from time import ticks_add

from firmware.meter.pulses import Pulses, wrapping
from host_tests.unit.fakes import BEFORE_WRAP


class Counter:
    """Pulses at a steady rate, in 1/1000 Hz, and the time."""

    def __init__(self, millihertz=0, period=1 << 60):
        self.millihertz = millihertz
        self.period = period
        self.now_ms = BEFORE_WRAP
        self._millionths = 0

    def advance(self, ms):
        self.now_ms = ticks_add(self.now_ms, ms)
        self._millionths += self.millihertz * ms

    def value(self):
        return self._millionths // 1000000 % self.period


def bench(millihertz, period=32000):
    counter = Counter(millihertz, period)
    return counter, Pulses(wrapping(counter.value, period))


def run(counter, pulses, ms, tick_ms=10):
    for _ in range(ms // tick_ms):
        counter.advance(tick_ms)
        pulses.poll(counter.now_ms)
    return pulses.hertz(counter.now_ms)


def begin(millihertz, period=32000):
    counter, pulses = bench(millihertz, period)
    pulses.restart(BEFORE_WRAP)
    return counter, pulses


def near(value, expected, share=0.01):
    return abs(value - expected) <= expected * share


def test_frequency_from_slow_to_the_fastest():
    for hertz in (2, 7, 60, 100, 340, 1510, 2700):
        counter, pulses = begin(hertz * 1000)
        run(counter, pulses, 1000)  # the first pulse of all only arms
        for _ in range(5):
            measured = run(counter, pulses, 1000)
            assert near(measured, hertz, 0.021), (hertz, measured)


def test_no_pulse_is_lost_between_windows():
    counter, pulses = begin(7300)
    sum_mhz = 0
    run(counter, pulses, 1000)
    for _ in range(100):
        sum_mhz += round(1000 * run(counter, pulses, 1000))
    assert near(sum_mhz, 730000, 0.002), sum_mhz


def test_a_late_tick_changes_nothing():
    counter, pulses = begin(1000000)
    run(counter, pulses, 1000)
    assert near(run(counter, pulses, 3000, 750), 1000)


def test_every_pulse_is_taken_once():
    counter, pulses = begin(333333)
    taken = 0
    for _ in range(37):
        run(counter, pulses, 510)
        taken += pulses.take()
    assert taken == counter.value()
    assert pulses.take() == 0


def test_a_16_bit_counter_wraps_without_loss():
    counter, pulses = begin(2700000, 32000)
    run(counter, pulses, 1000)
    taken = pulses.take()
    for second in range(60):  # five wraps
        measured = run(counter, pulses, 1000)
        assert near(measured, 2700, 0.005), second
        taken += pulses.take()
    assert taken == 61 * 2700


def test_unknown_until_two_pulses_were_seen():
    counter, pulses = begin(200)
    assert run(counter, pulses, 4990) is None  # none yet
    assert run(counter, pulses, 4000) is None  # one
    assert near(run(counter, pulses, 2000), 0.2)


def test_falls_as_a_gap_shows_it_and_is_zero_after_10_s():
    counter, pulses = begin(100000)
    run(counter, pulses, 1000)
    counter.millihertz = 0
    assert run(counter, pulses, 1000) == 1.0
    assert run(counter, pulses, 4000) == 0.2
    assert near(run(counter, pulses, 4990), 0.1)
    assert run(counter, pulses, 10) == 0.0


def test_one_missing_pulse_does_not_raise_the_frequency():
    counter, pulses = begin(300)
    run(counter, pulses, 10000)
    assert near(run(counter, pulses, 1000), 0.3)  # a window without a pulse
    assert near(run(counter, pulses, 1000), 0.3)


def test_the_first_pulse_after_silence_only_arms():
    counter, pulses = begin(0)
    assert run(counter, pulses, 10000) == 0.0
    counter.millihertz = 1000000
    counter.advance(1)
    counter.millihertz = 0
    assert run(counter, pulses, 1000) == 0.0
    assert pulses.take() == 1  # its energy counts all the same
    counter.millihertz = 500
    assert near(run(counter, pulses, 4000), 0.4)  # two more within 5 s of the first


def test_silence_of_many_days_stays_silence():
    counter, pulses = begin(50000)
    run(counter, pulses, 1000)
    counter.millihertz = 0
    run(counter, pulses, 11000)
    for _ in range(30):
        assert run(counter, pulses, 86400000, 43200000) == 0.0
    counter.millihertz = 50000
    assert near(run(counter, pulses, 1000), 50, 0.02)


def test_restart_forgets_what_was_before():
    counter, pulses = begin(500000)
    run(counter, pulses, 990)
    counter.millihertz = 20000
    pulses.restart(counter.now_ms)
    assert near(run(counter, pulses, 1000), 20, 0.01)


def test_a_counter_that_fell_back_adds_nothing():
    values = [5, 7, -900, 3]
    pulses = Pulses(lambda: values.pop(0))
    for now_ms in (10, 20, 30, 40):
        pulses.poll(now_ms)
    assert pulses.take() == 15
