"""The beat of the house: every 10 ms from wherever it is let through, with the gaps on record."""

from time import ticks_add, ticks_diff

from firmware import rhythm
from firmware.rhythm import Rhythm
from host_tests.unit.fakes import BEFORE_WRAP, Patched, Ticks


class Bench:
    """A rhythm on ticks of the test; a tick of the house takes `tick_ms`."""

    def __init__(self, tick_ms=0):
        self.ticks = Ticks()
        self.beats = []
        self.sleeps = []
        self.tick_ms = tick_ms
        self._patched = Patched(rhythm, ticks_ms=self.ticks, sleep_ms=self.sleep)

    def __enter__(self):
        self._patched.__enter__()
        self.rhythm = Rhythm(self.tick)
        return self

    def __exit__(self, *error):
        self._patched.__exit__(*error)

    def tick(self, now_ms):
        self.beats.append(ticks_diff(now_ms, BEFORE_WRAP))
        self.ticks.sleep(self.tick_ms)

    def sleep(self, ms):
        self.sleeps.append(ms)
        self.ticks.sleep(ms)

    def at(self, ms):
        self.ticks.now_ms = ticks_add(BEFORE_WRAP, ms)


def test_the_house_ticks_once_10_ms_have_passed():
    with Bench() as bench:
        for ms in (0, 9, 10, 11, 19, 20, 35):
            bench.at(ms)
            bench.rhythm.beat()
        assert bench.beats == [10, 20, 35]


def test_a_beat_tells_how_long_until_the_next():
    with Bench() as bench:
        for ms, left in ((0, 10), (1, 9), (9, 1), (10, 10), (12, 8)):
            bench.at(ms)
            assert bench.rhythm.beat() == left


def test_a_long_gap_is_one_tick_not_many():
    with Bench() as bench:
        bench.at(5000)
        bench.rhythm.beat()
        bench.rhythm.beat()
        assert bench.beats == [5000]


def test_waiting_ticks_all_the_time_also_when_ticks_start_over():
    with Bench() as bench:
        bench.rhythm.wait(3000)
        assert bench.beats == list(range(10, 3001, 10))
        assert ticks_diff(bench.ticks.now_ms, BEFORE_WRAP) == 3000


def test_waiting_never_sleeps_past_the_next_tick_or_the_end():
    with Bench() as bench:
        bench.at(7)
        bench.rhythm.wait(38)
        assert bench.beats == [10, 20, 30, 40]
        assert max(bench.sleeps) <= 10
        assert min(bench.sleeps) > 0
        assert ticks_diff(bench.ticks.now_ms, BEFORE_WRAP) == 45


def test_a_slow_house_does_not_make_waiting_endless():
    with Bench(tick_ms=25) as bench:
        bench.rhythm.wait(100)
        assert 100 <= ticks_diff(bench.ticks.now_ms, BEFORE_WRAP) <= 140


def test_waiting_for_nothing_ends_at_once():
    for ms in (0, -5):
        with Bench() as bench:
            bench.rhythm.wait(ms)
            assert bench.sleeps == []


def test_the_longest_gap_is_kept_until_it_is_read():
    with Bench() as bench:
        for ms in (10, 52, 70):
            bench.at(ms)
            bench.rhythm.beat()
        assert bench.rhythm.take_max_gap_ms() == 42
        bench.at(83)
        bench.rhythm.beat()
        assert bench.rhythm.take_max_gap_ms() == 13
        assert bench.rhythm.take_max_gap_ms() == 0


def test_a_slow_tick_counts_as_a_gap():
    with Bench(tick_ms=30) as bench:
        bench.at(10)
        bench.rhythm.beat()
        bench.rhythm.beat()
        assert bench.rhythm.take_max_gap_ms() == 30
