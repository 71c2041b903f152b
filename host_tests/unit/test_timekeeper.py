"""The time where TLS is used: what is told to the RTC, what is saved, what is believed."""

import sys

from firmware import storage
from firmware.clock import Clock
from firmware.rtc_floor import PATH
from firmware.timekeeper import Timekeeper
from host_tests.unit.fakes import Log, in_scratch

NOW_S = 1800000000  # 2027-01-15T08:00:00Z
DAY_S = 86400


class Board:
    def __init__(self):
        self.set_to = []

    def set_rtc(self, unix_s):
        self.set_to.append(unix_s)


class Sntp:
    on_time = None
    services = 0

    def service(self):
        self.services += 1


class Bench:
    def __init__(self):
        self.sntp = Sntp()
        self.clock = Clock()
        self.board = Board()
        self.log = Log()
        self.keeper = Timekeeper(self.sntp, self.clock, self.board, self.log)
        self.board.set_to = []
        self.log.lines = []

    def answer(self, unix_s):
        """As Sntp does it."""
        self.clock.set_unix(unix_s)
        self.sntp.on_time(unix_s)


@in_scratch
def test_what_a_time_server_says_goes_to_the_rtc():
    bench = Bench()
    bench.keeper.service()
    assert bench.sntp.services == 1 and bench.board.set_to == []
    bench.answer(NOW_S)
    assert bench.board.set_to == [NOW_S]


@in_scratch
def test_nothing_is_saved_while_the_time_is_unknown():
    bench = Bench()
    bench.keeper.service()
    bench.keeper.save()
    assert storage.read(PATH) is None


@in_scratch
def test_the_time_is_saved_once_a_day():
    bench = Bench()
    for unix_s, wanted in ((NOW_S, NOW_S), (NOW_S + DAY_S - 1, NOW_S),
                           (NOW_S + DAY_S, NOW_S + DAY_S)):
        bench.clock.set_unix(unix_s)
        bench.keeper.service()
        assert storage.read_json(PATH) == wanted
    assert "firmware.rtc_floor" not in sys.modules


@in_scratch
def test_a_start_within_a_day_does_not_write_again():
    storage.replace_json(PATH, NOW_S)
    bench = Bench()
    bench.answer(NOW_S + 3600)
    bench.keeper.service()
    assert storage.read_json(PATH) == NOW_S
    bench.keeper.save()  # the planned stop does
    assert storage.read_json(PATH) == NOW_S + 3600


@in_scratch
def test_a_saved_time_from_the_future_is_corrected():
    storage.replace_json(PATH, NOW_S + 40 * 365 * DAY_S)
    bench = Bench()
    bench.answer(NOW_S)
    bench.keeper.service()
    assert storage.read_json(PATH) == NOW_S


@in_scratch
def test_the_floor_is_no_time_of_day():
    storage.replace_json(PATH, NOW_S)
    bench = Bench()
    assert bench.clock.unix() is None and bench.clock.timestamp() is None


@in_scratch
def test_the_brokers_date_sets_clock_and_rtc():
    bench = Bench()
    bench.keeper.date(NOW_S)
    assert bench.clock.unix() == NOW_S
    assert bench.board.set_to == [NOW_S]
    assert bench.log.lines == ["time: 2027-01-15T08:00:00Z from the broker"]


@in_scratch
def test_without_a_time_server_each_date_counts():
    bench = Bench()
    for unix_s in (NOW_S, NOW_S + 100, NOW_S + 101):
        bench.keeper.date(unix_s)
    assert bench.clock.unix() == NOW_S + 101
    assert len(bench.log.lines) == 2  # one second is not worth a line


@in_scratch
def test_a_time_server_has_the_last_word():
    bench = Bench()
    bench.keeper.date(NOW_S)
    bench.answer(NOW_S + 5)
    bench.keeper.date(NOW_S + 100)
    assert bench.clock.unix() == NOW_S + 5
    assert bench.board.set_to == [NOW_S, NOW_S + 5]


@in_scratch
def test_a_date_that_cannot_be_changes_nothing():
    bench = Bench()
    for unix_s in (0, 1767225599, 3092601600):
        bench.keeper.date(unix_s)
    assert bench.clock.unix() is None and bench.board.set_to == []
    assert len(bench.log.lines) == 3 and bench.log.has("says the broker")
