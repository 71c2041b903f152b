"""The sampler's pace, its verdict on the meter, and its counts."""

from time import ticks_add

from firmware.meter.sampler import Sampler

PERIOD = ticks_add(0, -1) + 1  # 2**30 on the chips


class Driver:
    """Answers `delay_ms` after each start with what `replies` holds; None is a failure."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.delay_ms = 80
        self.starts = []
        self.busy = False
        self.error = None

    def start(self, now_ms):
        self.starts.append(now_ms)
        self.busy = True
        self._left_ms = self.delay_ms

    def poll(self, now_ms):
        if not self.busy:
            return None
        self._left_ms -= 10
        if self._left_ms > 0:
            return None
        self.busy = False
        reply = self.replies.pop(0) if self.replies else None
        if reply is None:
            self.error = "timeout"
        return reply


def run(sampler, begin_ms, end_ms, step_ms=10):
    """Every reading of the polls in [begin, end), with ticks that wrap."""
    readings = []
    for now_ms in range(begin_ms, end_ms, step_ms):
        reading = sampler.poll(now_ms % PERIOD)
        if reading is not None:
            readings.append(reading)
    return readings


def test_one_read_each_period():
    driver = Driver(*"abc")
    assert run(Sampler(driver), 0, 3000) == ["a", "b", "c"]
    assert driver.starts == [0, 1000, 2000]


def test_the_first_read_starts_at_the_first_poll():
    driver = Driver("a")
    Sampler(driver).poll(123456)
    assert driver.starts == [123456]


def test_late_polls_do_not_make_the_pace_drift():
    driver = Driver(*"abcdefgh")
    run(Sampler(driver), 0, 7000, 70)
    for i, started_ms in enumerate(driver.starts):
        assert 0 <= started_ms - 1000 * i < 70, driver.starts


def test_a_long_delay_is_followed_by_one_read_and_no_burst():
    driver = Driver(*"abcdefgh")
    sampler = Sampler(driver)
    run(sampler, 0, 1000)
    run(sampler, 5500, 7500)
    assert driver.starts == [0, 5500, 6000, 7000]


def test_the_pace_holds_over_the_wrap_of_the_ticks():
    driver = Driver(*"abcd")
    begin_ms = PERIOD - 1500
    assert run(Sampler(driver), begin_ms, begin_ms + 4000) == ["a", "b", "c", "d"]
    assert driver.starts == [begin_ms, begin_ms + 1000, 500, 1500]


def test_a_driver_slower_than_the_period_is_not_interrupted():
    driver = Driver("a", "b")
    driver.delay_ms = 1500
    sampler = Sampler(driver)
    assert run(sampler, 0, 3600) == ["a", "b"]
    assert driver.starts == [0, 1500, 3000]


def test_not_ok_before_the_first_reading():
    sampler = Sampler(Driver("a"))
    assert not sampler.ok
    assert sampler.last_reading is None
    assert sampler.quality_percent() == 0
    run(sampler, 0, 100)
    assert sampler.ok
    assert sampler.last_reading == "a"


def test_two_missed_reads_change_nothing_and_the_third_makes_it_unknown():
    sampler = Sampler(Driver("a"))
    run(sampler, 0, 3000)
    assert sampler.ok
    assert sampler.last_reading == "a"
    run(sampler, 3000, 4000)
    assert not sampler.ok
    assert sampler.last_reading is None


def test_missed_reads_count_only_in_a_row():
    sampler = Sampler(Driver("a", None, None, "b", None, None, "c"))
    for second in range(7):
        run(sampler, 1000 * second, 1000 * second + 1000)
        assert sampler.ok, second
    assert sampler.errors == 4


def test_a_good_reading_makes_it_known_again():
    sampler = Sampler(Driver("a", None, None, None, "b"))
    run(sampler, 0, 4000)
    assert not sampler.ok
    assert run(sampler, 4000, 5000) == ["b"]
    assert sampler.ok
    assert sampler.last_reading == "b"


def test_a_change_is_logged_once():
    lines = []
    sampler = Sampler(Driver("a", "b", None, None, None, None, None, "c", "d"), 1000, lines.append)
    run(sampler, 0, 9000)
    assert lines == ["meter answers", "meter lost: timeout", "meter answers"]


def test_a_meter_that_never_answered_is_logged_once():
    lines = []
    sampler = Sampler(Driver(), 1000, lines.append)
    run(sampler, 0, 2000)
    assert lines == []
    run(sampler, 2000, 20000)
    assert lines == ["meter lost: timeout"]


def test_errors_and_the_latest_reason_are_kept():
    sampler = Sampler(Driver("a", None, "b"))
    run(sampler, 0, 1000)
    assert (sampler.errors, sampler.last_error) == (0, None)
    run(sampler, 1000, 3000)
    assert (sampler.errors, sampler.last_error) == (1, "timeout")


def test_reads_are_counted_from_the_start_whoever_asks_for_the_quality():
    sampler = Sampler(Driver("a", None, "b"))
    run(sampler, 0, 2000)
    sampler.quality_percent()
    run(sampler, 2000, 3000)
    assert (sampler.polls, sampler.good, sampler.errors) == (3, 2, 1)


def test_quality_is_the_share_since_it_was_asked():
    sampler = Sampler(Driver("a", "b", None, "c", "d", None, None))
    run(sampler, 0, 4000)
    assert sampler.quality_percent() == 75
    run(sampler, 4000, 5000)
    assert sampler.quality_percent() == 100
    run(sampler, 5000, 7000)
    assert sampler.quality_percent() == 0


def test_quality_is_rounded_down_so_100_means_all():
    sampler = Sampler(Driver(*("a" * 199)))
    run(sampler, 0, 200000)
    assert sampler.quality_percent() == 99


def test_quality_asked_again_before_a_read_ends_stays():
    sampler = Sampler(Driver("a", None))
    run(sampler, 0, 2000)
    assert sampler.quality_percent() == 50
    assert sampler.quality_percent() == 50
