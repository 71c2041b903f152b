"""The ring of log lines: what stays, how it is paged, and that no line is too long for a page."""

from firmware.log import ALL_BYTES, LINE_BYTES, LINES, Log, json_bytes, shortened
from host_tests.unit.fakes import Clock, Json

PAGE_BYTES = 600
NASTY = (
    "\x00" * 300,
    "\x1b[2J" * 80,
    "\r\n" * 200,
    '"' * 300,
    "\\" * 300,
    "\u00e4" * 300,
    "\u20ac" * 300,
    "\U0001f600" * 300,
    "\ud800" * 300,
    "a\u20ac" * 200,
    "\x7f" * 300,
    "",
)


def filled(count, text="line %d"):
    log = Log(Clock(None, 3))
    for i in range(count):
        log(text % i)
    return log


def all_pages(log, offset=0, max_bytes=PAGE_BYTES):
    lines = []
    while offset is not None:
        page, offset = log.page(offset, max_bytes)
        lines += page
        assert len(Json.dumps(page).encode()) <= max_bytes
    return lines


def test_lines_carry_the_time_of_day():
    log = Log(Clock())
    log("hello")
    assert log.page(0, PAGE_BYTES) == (["2026-01-01T00:00:00Z hello"], None)


def test_lines_carry_the_uptime_while_the_time_is_unknown():
    assert filled(1).page(0, PAGE_BYTES) == (["+3s line 0"], None)


def test_only_the_last_40_stay():
    log = filled(100)
    assert log.count == 100
    assert LINES == 40
    assert all_pages(log) == ["+3s line %d" % i for i in range(60, 100)]


def test_long_lines_leave_sooner():
    for text in ("x" * 120 + "%d", "\u20ac" * 40 + "%d"):
        log = filled(100, text)
        lines = all_pages(log)
        sizes = [len(line.encode()) for line in lines]
        assert sum(sizes) <= ALL_BYTES < sum(sizes) + sizes[0]
        assert lines[-1] == "+3s " + text % 99 and log.count == 100


def test_there_is_room_for_all_lines_again_when_the_long_ones_have_left():
    log = filled(100, "x" * 120 + "%d")
    for i in range(40):
        log("line %d" % i)
    assert len(all_pages(log)) == 40


def test_pages_together_give_every_line_once():
    for count in (0, 1, 39, 40, 41, 79):
        log = filled(count)
        wanted = ["+3s line %d" % i for i in range(max(0, count - 40), count)]
        assert all_pages(log) == wanted, count
        assert all_pages(log, 0, 30) == wanted, count


def test_a_page_begins_where_it_is_asked_to():
    log = filled(50)
    assert all_pages(log, 48) == ["+3s line 48", "+3s line 49"]
    assert all_pages(log, 50) == []
    assert all_pages(log, 1 << 29) == []


def test_the_next_offset_is_the_number_of_the_next_line():
    log = filled(30)
    lines, following = log.page(0, 100)
    assert lines == ["+3s line %d" % i for i in range(following)]
    assert 0 < following < 30


def test_a_page_holds_as_many_lines_as_fit():
    # Ten characters, two quotes, comma and space each; the brackets stand for the last two.
    log = filled(10)
    assert len(log.page(0, 140)[0]) == 10
    assert len(log.page(0, 139)[0]) == 9
    assert log.page(0, 5) == (["+3s line 0"], 1)


def test_a_line_written_between_two_pages_is_on_a_later_one():
    log = filled(40)
    lines, following = log.page(0, 100)
    log("late")
    assert lines + all_pages(log, following) == ["+3s line %d" % i for i in range(40)] + [
        "+3s late"]


def test_a_line_of_any_content_fits_a_page():
    log = Log(Clock())
    for text in NASTY:
        log(text)
    assert len(all_pages(log)) == len(NASTY)


def test_a_line_is_cut_at_160_bytes_but_never_inside_a_character():
    log = Log(Clock(None, 3))
    for character in ("x", "\u00e4", "\u20ac", "\U0001f600"):
        for lead in range(5):
            log("." * lead + character * 170)
            line = log.page(log.count - 1, 2000)[0][0]
            size = len(line.encode()) - len("+3s ")
            assert LINE_BYTES - 3 <= size <= LINE_BYTES, (character, lead)
            assert line == "+3s " + "." * lead + character * (
                (size - lead - 3) // len(character.encode())) + "..."


def test_a_line_of_exactly_160_bytes_is_whole():
    log = Log(Clock(None, 3))
    log("x" * 160)
    assert log.page(0, 2000)[0] == ["+3s " + "x" * 160]


def test_no_control_character_reaches_terminal_or_reader():
    log = Log(Clock(None, 3))
    log("a\x1b[31m\r\nb\0")
    assert log.page(0, 2000)[0] == ["+3s a?[31m? b?"]


def test_a_lone_surrogate_does_not_make_the_log_invalid_utf_8():
    log = Log(Clock(None, 3))
    log("a\ud83db\ud800c\udfff")
    assert log.page(0, 2000)[0] == ["+3s a?b?c?"]


def test_other_characters_stay():
    log = Log(Clock(None, 3))
    log("K\u00fcche \u20ac \U0001f600")
    assert log.page(0, 2000)[0] == ["+3s K\u00fcche \u20ac \U0001f600"]


def test_json_bytes_is_never_below_what_json_takes():
    for code in list(range(0x250)) + [0x7FF, 0x800, 0x20AC, 0xFFFD, 0x10000, 0x1F600]:
        text = 3 * chr(code)
        assert json_bytes(text) >= len(Json.dumps(text).encode()), code
    assert json_bytes("") == 2
    assert json_bytes('a"\\\u20ac') == 2 + 1 + 2 + 2 + 3


def test_shortened_leaves_what_fits():
    assert shortened("\u20ac\u20ac", 6) == "\u20ac\u20ac"
    assert shortened("\u20ac\u20ac", 5) == "..."
    assert shortened("abcdef", 5) == "ab..."
