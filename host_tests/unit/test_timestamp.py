"""Times in writing: every form that is read, and what is none."""

from firmware.timestamp import format_timestamp, parse_timestamp
from host_tests.unit.fakes import NEW_YEAR_S, raised


def refused(text):
    return raised(ValueError, parse_timestamp, text) is not None


def test_known_times_in_writing():
    for unix_s, text in (
        (1767225600, "2026-01-01T00:00:00Z"),
        (1835481599, "2028-02-29T23:59:59Z"),
        (1835481600, "2028-03-01T00:00:00Z"),
        (1893455999, "2029-12-31T23:59:59Z"),
        (2085978496, "2036-02-07T06:28:16Z"),
        (2145916799, "2037-12-31T23:59:59Z"),
    ):
        assert format_timestamp(unix_s) == text
        assert parse_timestamp(text) == unix_s


def test_every_day_of_twelve_years_is_read_as_written():
    for unix_s in range(NEW_YEAR_S + 40000, 2145916800, 86400):
        assert parse_timestamp(format_timestamp(unix_s)) == unix_s


def test_dates_beyond_what_is_written():
    assert parse_timestamp("1970-01-01T00:00:00Z") == 0
    assert parse_timestamp("2000-02-29T12:00:00Z") == 951825600
    assert parse_timestamp("2099-12-31T23:59:59Z") == 4102444799


def test_fractions_are_cut():
    for fraction in (".0", ".999999999", ".5", "." + 200 * "9"):
        assert parse_timestamp("2026-01-01T00:00:00%sZ" % fraction) == NEW_YEAR_S


def test_offsets():
    for text in (
        "2026-01-01T01:00:00+01:00",
        "2025-12-31T23:00:00-01:00",
        "2026-01-01T05:45:00+05:45",
        "2025-12-31T14:30:00-09:30",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00-00:00",
        "2026-01-01T23:59:00+23:59",
        "2026-01-01T02:00:00.25+02:00",
    ):
        assert parse_timestamp(text) == NEW_YEAR_S, text


def test_lower_case_space_and_leap_second_are_rfc_3339_too():
    assert parse_timestamp("2026-01-01t00:00:00z") == NEW_YEAR_S
    assert parse_timestamp("2026-01-01 00:00:00Z") == NEW_YEAR_S
    assert parse_timestamp("2025-12-31T23:59:60Z") == NEW_YEAR_S


def test_a_time_cut_at_any_byte_is_refused():
    whole = "2026-01-01T00:00:00.123+01:00"
    parse_timestamp(whole)
    for size in range(len(whole)):
        assert refused(whole[:size]), whole[:size]


def test_days_that_do_not_exist_are_refused():
    for day in ("2026-02-29", "2028-02-30", "2026-04-31", "2026-06-31", "2026-13-01",
                "2026-00-10", "2026-01-00", "2026-01-32", "2026-12-32", "0000-00-00",
                "1969-12-31", "2100-01-01"):
        assert refused(day + "T00:00:00Z"), day


def test_times_that_do_not_exist_are_refused():
    for time in ("24:00:00Z", "00:60:00Z", "00:00:61Z", "00:00:00+24:00", "00:00:00+00:60"):
        assert refused("2026-01-01T" + time), time


def test_garbage_is_refused():
    for text in (
        "yesterday, when nobody looked",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00ZZ",
        "2026-01-01T00:00:00Z ",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+01",
        "2026-01-01T00:00:00+01:0",
        "2026-01-01T00:00:00*01:00",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01X00:00:00Z",
        "2026/01-01T00:00:00Z",
        "2026-01/01T00:00:00Z",
        "2026-01-01T00.00:00Z",
        "2026-01-01T00:00.00Z",
        "2026-01-01T+1:00:00Z",
        "2026-01-01T 1:00:00Z",
        "2026-01-01T1_:00:00Z",
        "+026-01-01T00:00:00Z",
        "2026-01-01T00:00:0\u0660Z",  # a digit, but not one of ours
        20 * "\0",
        20 * "\u20ac",
        5000 * "9",
    ):
        assert refused(text), text


def test_the_refusal_does_not_repeat_a_long_text():
    e = raised(ValueError, parse_timestamp, 5000 * "x")
    assert len(str(e)) < 100
