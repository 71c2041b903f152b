"""How long the link stays away after each failure."""

from time import ticks_add

from firmware.mqtt.backoff import Backoff
from host_tests.unit.fakes import BEFORE_WRAP

WANTED_MS = (1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000)


def backoff(random=255, min_ms=1000):
    return Backoff(min_ms, lambda bits: random & ((1 << bits) - 1))


def delays(b, count, **how):
    found = []
    for _ in range(count):
        b.failed(0, **how)
        found.append(b.delay_ms)
    return found


def test_the_first_attempt_is_due_at_once():
    assert backoff().due(0)
    assert backoff().due(BEFORE_WRAP)


def test_delays_double_up_to_a_minute_each_times_08_to_10():
    lowest = [60000] * 9
    highest = [0] * 9
    for random in range(256):
        for i, delay_ms in enumerate(delays(backoff(random), 9)):
            lowest[i] = min(lowest[i], delay_ms)
            highest[i] = max(highest[i], delay_ms)
    for i in range(9):
        assert WANTED_MS[i] * 0.8 <= lowest[i] <= WANTED_MS[i] * 0.81, lowest
        assert highest[i] == WANTED_MS[i], highest


def test_random_delays_are_spread():
    firsts = {delays(backoff(random), 1)[0] for random in range(256)}
    assert len(firsts) > 40


def test_never_above_a_minute_however_often_it_fails():
    assert max(delays(backoff(51), 200)) == 60000
    for min_ms in (50, 1000, 60000):
        for random in (0, 51, 52, 103, 255):
            assert all(0.8 * min(min_ms, 60000) <= delay_ms <= 60000
                       for delay_ms in delays(backoff(random, min_ms), 30))


def test_the_shortest_delay_is_a_setting():
    assert delays(backoff(51, 50), 4) == [50, 100, 200, 400]
    assert delays(backoff(51, 60000), 2) == [60000, 60000]


def test_due_when_the_delay_has_passed_also_when_ticks_start_over():
    b = backoff(51)
    b.failed(BEFORE_WRAP)
    b.failed(BEFORE_WRAP)
    assert b.delay_ms == 2000
    assert not b.due(BEFORE_WRAP)
    assert not b.due(ticks_add(BEFORE_WRAP, 1999))
    assert b.due(ticks_add(BEFORE_WRAP, 2000))
    assert b.due(ticks_add(BEFORE_WRAP, 500000))


def test_restart_begins_with_the_shortest_delay():
    b = backoff(51)
    assert delays(b, 5) == [1000, 2000, 4000, 8000, 16000]
    b.restart()
    assert delays(b, 3) == [1000, 2000, 4000]


def test_a_wrong_password_waits_a_minute_from_the_start():
    for random in (0, 51, 255):
        for delay_ms in delays(backoff(random), 4, refused=True):
            assert 48000 <= delay_ms <= 60000


def test_after_a_refusal_others_wait_as_long_as_it_was_their_turn():
    b = backoff(51)
    b.failed(0, refused=True)
    b.failed(0)
    assert b.delay_ms == 2000
