"""The least the RTC may say: this release, or the time saved last, if that can be believed."""

from firmware import rtc_floor, storage
from firmware.rtc_floor import PATH, raise_rtc, save
from firmware.timestamp import calendar, parse_timestamp
from host_tests.unit.fakes import Log, Patched, in_scratch, write

RELEASED_S = 1780000000  # 2026-05-28T20:26:40Z


class Board:
    rtc_s = None

    def set_rtc(self, unix_s):
        self.rtc_s = unix_s


def raised_to(rtc_s):
    """(time saved, what the RTC was set to, log) after a start with an RTC that says `rtc_s`."""
    board, log = Board(), Log()
    with Patched(rtc_floor, gmtime=lambda: calendar(rtc_s), RELEASED="2026-05-28T20:26:40Z"):
        saved_s = raise_rtc(board, log)
    return saved_s, board.rtc_s, log


def test_the_release_of_this_firmware_is_a_time():
    assert parse_timestamp(rtc_floor.RELEASED) >= 1795219200


@in_scratch
def test_without_a_saved_time_it_is_the_release():
    saved_s, rtc_s, log = raised_to(946684800)
    assert (saved_s, rtc_s) == (0, RELEASED_S)
    assert log.lines == ["time: unknown; for certificates it is 2026-05-28T20:26:40Z"]


@in_scratch
def test_a_later_saved_time_wins_an_earlier_one_does_not():
    for saved_s, wanted in ((RELEASED_S + 1, RELEASED_S + 1), (RELEASED_S - 1, RELEASED_S)):
        save(saved_s, Log())
        assert raised_to(946684800)[:2] == (saved_s, wanted)


@in_scratch
def test_an_rtc_that_is_ahead_is_left_alone():
    save(RELEASED_S + 100, Log())
    for rtc_s in (RELEASED_S + 100, RELEASED_S + 100000):
        saved_s, set_to, log = raised_to(rtc_s)
        assert (saved_s, set_to, log.lines) == (RELEASED_S + 100, None, [])
    assert raised_to(RELEASED_S + 99)[1] == RELEASED_S + 100


@in_scratch
def test_a_saved_time_that_cannot_be_is_told_and_not_believed():
    for data in (b"", b"17800", b"1767225599", b"3092601600", b"1e30", b"1790000000.5", b"true",
                 b"null", b'"1790000000"', b"[1790000000]", b"{}", b"\xff", b"9" * 9000):
        write(PATH, data)
        saved_s, rtc_s, log = raised_to(946684800)
        assert (saved_s, rtc_s) == (0, RELEASED_S), data
        assert log.has("time.json") or data == b"null", data


@in_scratch
def test_a_full_file_system_is_told():
    def full(*_):
        raise OSError(28)

    log = Log()
    with Patched(storage, replace=full):
        save(RELEASED_S, log)
    assert log.has("time: cannot keep time.json")
