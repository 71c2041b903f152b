"""A chip's pulse counter: wraps are energy, impossible steps are not."""

from time import ticks_add

from firmware.meter.pulse_counter import PulseCounter
from host_tests.unit.fakes import BEFORE_WRAP

HALF_PERIOD_MS = (ticks_add(0, -1) + 1) // 2
PULSE_DWMS = 10000  # 1 J


def counted(*counts, bits=16, max_power_w=1000, step_ms=1000):
    """Energy in pulses that each count but the first adds; None: it is not believed."""
    counter = PulseCounter(bits, max_power_w)
    now_ms = BEFORE_WRAP
    found = []
    for count in counts:
        believed = counter.update(now_ms, count, PULSE_DWMS)
        found.append(counter.take_dwms() // PULSE_DWMS if believed else None)
        now_ms = ticks_add(now_ms, step_ms)
    assert found[0] == 0
    return found[1:]


def test_steps_and_a_wrap():
    assert counted(65000, 65500, 65500, 400) == [500, 0, 436]
    assert counted(0xFFFFFF, 0, bits=24) == [1]


def test_what_is_counted_before_the_first_taking_is_the_base():
    counter = PulseCounter(16, 1000)
    counter.update(0, 5, PULSE_DWMS)
    counter.update(100, 9, PULSE_DWMS)
    assert counter.take_dwms() == 0
    counter.update(200, 10, PULSE_DWMS)
    counter.update(300, 12, 2 * PULSE_DWMS)
    assert counter.take_dwms() == 5 * PULSE_DWMS
    assert counter.take_dwms() == 0


def test_the_most_that_is_possible_is_believed_and_no_more():
    # 1000 W and 20 % for a second and 250 ms of slack are 1500 J; a pulse may just have come.
    assert counted(0, 1501) == [1501]
    assert counted(0, 1502) == [None]


def test_a_slow_pulse_is_always_possible():
    assert counted(7, 8, max_power_w=1, step_ms=0) == [1]


def test_one_impossible_count_is_skipped():
    assert counted(100, 30000, 105) == [None, 5]


def test_two_impossible_counts_are_a_new_start():
    assert counted(30000, 0, 3, 5) == [None, 0, 2]


def test_the_time_since_the_last_believed_count_decides():
    assert counted(0, 2000, 2100) == [None, 2100]


def test_more_than_half_the_ticks_period_without_a_count_adds_nothing():
    counter = PulseCounter(16, 1000)
    counter.update(0, 5, PULSE_DWMS)
    counter.take_dwms()
    later_ms = ticks_add(HALF_PERIOD_MS - 1, 1000)
    assert counter.update(later_ms, 7, PULSE_DWMS)
    assert counter.take_dwms() == 0
    counter.update(ticks_add(later_ms, 1000), 8, PULSE_DWMS)
    assert counter.take_dwms() == PULSE_DWMS
