"""The sampler's pace, its verdict on each channel, and its counts."""

from time import ticks_add

from firmware.meter.sampler import Sampler

PERIOD = ticks_add(0, -1) + 1  # 2**30 on the chips


class Driver:
    """Answers `delay_ms` after each start with what `replies` holds; None is a failure.

    A reply is the tuple of all channels, or what the only channel reads.
    """

    def __init__(self, *replies):
        self.replies = list(replies)
        self.delay_ms = 80
        self.starts = []
        self.busy = False
        self.error = None
        self.polls = 0
        self.unasked = None

    def start(self, now_ms):
        self.starts.append(now_ms)
        self.busy = True
        self._left_ms = self.delay_ms

    def poll(self, now_ms):
        self.polls += 1
        if not self.busy:
            return self.unasked
        self._left_ms -= 10
        if self._left_ms > 0:
            return None
        self.busy = False
        reply = self.replies.pop(0) if self.replies else None
        if reply is None or isinstance(reply, tuple) and None in reply:
            self.error = "timeout"
        return reply if reply is None or isinstance(reply, tuple) else (reply,)


def run(sampler, begin_ms, end_ms, step_ms=10, whole=False):
    """Every sample of the polls in [begin, end), with ticks that wrap: whole, or channel 0."""
    samples = []
    for now_ms in range(begin_ms, end_ms, step_ms):
        sample = sampler.poll(now_ms % PERIOD)
        if sample is not None:
            samples.append(sample if whole else sample[0])
    return samples


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


def test_a_driver_is_polled_also_while_nothing_was_asked():
    # A chip that talks by itself would overflow its UART.
    driver = Driver("a")
    sampler = Sampler(driver)
    run(sampler, 0, 1000)
    assert driver.polls == 100


def test_what_comes_unasked_is_no_sample():
    driver = Driver("a")
    sampler = Sampler(driver)
    run(sampler, 0, 500)
    driver.unasked = ("b",)
    assert run(sampler, 500, 900) == []
    assert sampler.polls == 1


def test_not_ok_before_the_first_reading():
    sampler = Sampler(Driver("a"))
    assert sampler.ok == [False]
    run(sampler, 0, 100)
    assert sampler.ok == [True]


def test_a_missed_sample_is_given_as_missed():
    sampler = Sampler(Driver("a", None, "b"))
    assert run(sampler, 0, 3000) == ["a", None, "b"]


def test_two_missed_samples_change_nothing_and_the_third_makes_it_unknown():
    sampler = Sampler(Driver("a"))
    run(sampler, 0, 3000)
    assert sampler.ok == [True]
    run(sampler, 3000, 4000)
    assert sampler.ok == [False]


def test_missed_samples_count_only_in_a_row():
    sampler = Sampler(Driver("a", None, None, "b", None, None, "c"))
    for second in range(7):
        run(sampler, 1000 * second, 1000 * second + 1000)
        assert sampler.ok == [True], second
    assert sampler.errors == 4


def test_a_good_reading_makes_it_known_again():
    sampler = Sampler(Driver("a", None, None, None, "b"))
    run(sampler, 0, 4000)
    assert sampler.ok == [False]
    assert run(sampler, 4000, 5000) == ["b"]
    assert sampler.ok == [True]


def test_samples_are_counted():
    sampler = Sampler(Driver("a", None, "b"))
    run(sampler, 0, 3000)
    assert (sampler.polls, sampler.good, sampler.all_good, sampler.errors) == (3, [2], 2, 1)


def test_each_channel_is_judged_by_itself():
    lines = []
    replies = [("a", "b"), (None, "b"), (None, "b"), (None, "b"), None, ("a", None)]
    sampler = Sampler(Driver(*replies), 1000, lines.append, ("a", "b"))
    found = []
    for second, reply in enumerate(replies):
        assert run(sampler, 1000 * second, 1000 * second + 1000, whole=True) == [
            reply or (None, None)]
        found.append(list(sampler.ok))
    assert found == [[True, True]] * 3 + [[False, True]] * 2 + [[True, True]]
    assert (sampler.polls, sampler.good, sampler.all_good, sampler.errors) == (6, [2, 4], 1, 5)
    assert lines == ["meter a answers", "meter b answers", "meter a lost: timeout",
                     "meter a answers"]


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
