"""Uptime over the wrap of ticks, and what time of day is believed."""

from time import ticks_add

from firmware import clock
from firmware.clock import Clock
from host_tests.unit.fakes import BEFORE_WRAP, NEW_YEAR_S, Patched, Ticks, raised


def clock_at(now_ms):
    with Patched(clock, ticks_ms=Ticks(now_ms)):
        return Clock()


def test_uptime_counts_on_when_ticks_start_over():
    c = clock_at(BEFORE_WRAP)
    for i in range(1, 501):
        c.update(ticks_add(BEFORE_WRAP, 10 * i))
    assert c.uptime_s == 5


def test_uptime_loses_no_part_of_a_second():
    c = clock_at(100)
    c.update(1599)
    assert c.uptime_s == 1
    c.update(2099)
    assert c.uptime_s == 1
    c.update(2100)
    assert c.uptime_s == 2


def test_uptime_takes_a_long_pause_whole():
    c = clock_at(0)
    c.update(432000500)  # five days
    assert c.uptime_s == 432000


def test_time_of_day_is_unknown_until_it_is_told():
    c = clock_at(0)
    c.update(5000)
    assert c.unix() is None
    assert c.timestamp() is None


def test_time_of_day_goes_on_with_the_uptime():
    c = clock_at(0)
    c.update(5000)
    c.set_unix(NEW_YEAR_S)
    assert c.timestamp() == "2026-01-01T00:00:00Z"
    c.update(66000)
    assert c.unix() == NEW_YEAR_S + 61
    assert c.timestamp() == "2026-01-01T00:01:01Z"


def test_setting_the_time_tells_the_step():
    c = clock_at(0)
    assert c.set_unix(NEW_YEAR_S + 100) is None
    assert c.set_unix(NEW_YEAR_S + 100) == 0
    assert c.set_unix(NEW_YEAR_S + 97) == -3


def test_the_second_begins_where_it_was_told_to():
    c = clock_at(0)
    c.update(5300)
    assert c.set_unix(NEW_YEAR_S, 900) is None
    assert c.unix() == NEW_YEAR_S
    c.update(5399)
    assert c.unix() == NEW_YEAR_S
    c.update(5400)
    assert c.unix() == NEW_YEAR_S + 1
    c.update(6399)
    assert c.unix() == NEW_YEAR_S + 1
    c.update(6400)
    assert c.unix() == NEW_YEAR_S + 2
    assert c.uptime_s == 6


def test_every_part_of_a_second_is_kept_at_every_uptime():
    for up_ms in (0, 1, 250, 999):
        for ms in (0, 1, 500, 749, 750, 751, 999):
            c = clock_at(0)
            c.update(up_ms)
            c.set_unix(NEW_YEAR_S, ms)
            assert c.unix() == NEW_YEAR_S
            c.update(up_ms + 999 - ms)
            assert c.unix() == NEW_YEAR_S
            c.update(up_ms + 1000 - ms)
            assert c.unix() == NEW_YEAR_S + 1
            assert c.set_unix(NEW_YEAR_S + 1, 0) == 0


def test_timestamps_never_go_back():
    # A server corrects the clock by some seconds: nothing is stamped until it has caught up.
    c = clock_at(0)
    c.update(5000)
    c.set_unix(NEW_YEAR_S + 10)
    assert c.timestamp() == "2026-01-01T00:00:10Z"
    c.set_unix(NEW_YEAR_S + 7)
    for i in range(1, 3):
        assert c.timestamp() is None
        c.update(5000 + 1000 * i)
    assert c.unix() == NEW_YEAR_S + 9
    assert c.timestamp() is None
    c.update(8000)
    assert c.timestamp() == "2026-01-01T00:00:10Z"
    c.update(9000)
    assert c.timestamp() == "2026-01-01T00:00:11Z"


def test_a_clock_that_was_hours_ahead_begins_again():
    c = clock_at(0)
    c.set_unix(NEW_YEAR_S + 86400)
    c.timestamp()
    c.set_unix(NEW_YEAR_S)
    assert c.timestamp() == "2026-01-01T00:00:00Z"


def test_an_impossible_time_is_refused_and_the_old_one_stays():
    c = clock_at(0)
    c.set_unix(NEW_YEAR_S)
    for unix_s in (NEW_YEAR_S - 1, 0, -1, 3092601600, 4070908800, 1 << 33):
        assert raised(ValueError, c.set_unix, unix_s), unix_s
    assert c.unix() == NEW_YEAR_S
