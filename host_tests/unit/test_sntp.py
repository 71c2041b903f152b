"""Network time: which answers are believed, and when servers are asked again."""

import errno
import struct

from firmware import sntp, sntp_query
from firmware.resolver import DnsError
from firmware.sntp import Sntp
from firmware.sntp_query import parse_answer
from firmware.timestamp import format_timestamp
from host_tests.unit.fakes import Log, Net, OnDemand, Patched, Ticks, raised

NONCE = b"\x11\x22\x33\x44\x55\x66\x77\x88"
NTP_2026 = 3976214400  # 2026-01-01 in seconds since 1900
UNIX_2026 = 1767225600


def answer(seconds=NTP_2026, nonce=NONCE, first=0x24, stratum=2, fraction=0,
           reference=b"\xc0\0\2\1"):
    head = bytes([first, stratum, 6, 0xEC]) + bytes(8) + reference + bytes(8)
    return head + nonce + bytes(8) + struct.pack(">II", seconds, fraction)


def refusal(data):
    e = raised(ValueError, parse_answer, data, NONCE)
    return e and str(e)


class Clock:
    """Stands for `clock.Clock`: notes what it is set to."""

    def __init__(self):
        self.set_to = []
        self.step_s = None
        self.known_s = None
        self.uptime_s = 7

    def unix(self):
        return self.known_s

    def set_unix(self, unix_s, ms):
        self.set_to.append(unix_s)
        self.ms = ms
        return self.step_s

    def timestamp(self):
        return format_timestamp(self.set_to[-1])


class Lookup:
    def __init__(self, result):
        self._result = result
        self.closed = False

    def poll(self):
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def close(self):
        self.closed = True


class Resolver:
    """Stands for `resolver.Resolver`; `result`: address, None (not yet) or an exception."""

    def __init__(self):
        self.asked = []
        self.lookups = []
        self.result = "192.0.2.123"

    def lookup(self, host):
        self.asked.append(host)
        if isinstance(self.result, ValueError):
            raise self.result
        self.lookups.append(Lookup(self.result))
        return self.lookups[-1]


class Bench:
    """An Sntp with everything it touches; `run` lets time pass in steps of 250 ms."""

    def __init__(self, servers=("one.example", "two.example:1123")):
        self.net = Net()
        self.ticks = Ticks()
        self.clock = Clock()
        self.log = Log()
        self.resolver = Resolver()
        self.code = OnDemand(sntp_query)
        self._patched = Patched(sntp, ondemand=self.code, ticks_ms=self.ticks)
        self._patched_query = Patched(sntp_query, socket=self.net)
        with self._patched:
            self.sntp = Sntp(list(servers), self.resolver, self.clock, self.log)

    def run(self, seconds):
        with self._patched, self._patched_query:
            for _ in range(seconds * 4):
                self.sntp.service()
                self.ticks.sleep(250)

    def reply(self, **changes):
        s = self.net.made[-1]
        if "nonce" not in changes:
            changes["nonce"] = s.sent[0][40:]
        s.coming.append(answer(**changes))


# Answers


def test_a_good_answer():
    assert parse_answer(answer(), NONCE) == (UNIX_2026, 0)
    assert parse_answer(answer(NTP_2026 + 1, fraction=0x80000000), NONCE) == (UNIX_2026 + 1, 500)
    unix_s, ms = parse_answer(answer(fraction=0xFFFFFFFF), NONCE)
    assert unix_s == UNIX_2026
    assert 990 <= ms <= 999


def test_extension_fields_behind_it_do_no_harm():
    assert parse_answer(answer() + bytes(20), NONCE) == (UNIX_2026, 0)


def test_any_version_and_a_leap_second_announced_are_fine():
    for first in (0x1C, 0x24, 0x64, 0xA4):
        assert parse_answer(answer(first=first), NONCE)[0] == UNIX_2026


def test_ntp_seconds_that_began_again_in_2036():
    assert parse_answer(answer(0xFFFFFFFF), NONCE)[0] == 2085978495
    assert format_timestamp(parse_answer(answer(1), NONCE)[0]) == "2036-02-07T06:28:17Z"


def test_a_kiss_of_death_is_refused_with_its_code():
    assert "RATE" in refusal(answer(stratum=0, reference=b"RATE"))


def test_a_refusal_of_zeros_is_not_the_year_2036():
    assert refusal(answer(0, stratum=0, reference=bytes(4)))
    assert refusal(bytes([0x24]) + bytes(47))


def test_an_answer_without_a_transmit_time_is_refused():
    # RFC 4330, section 5; all zero would be 2036-02-07 06:28:16.
    assert refusal(answer(0))


def test_a_server_without_time_is_refused():
    assert refusal(answer(first=0xE4))
    for stratum in (16, 17, 255):
        assert refusal(answer(stratum=stratum))
    assert parse_answer(answer(stratum=15), NONCE)[0] == UNIX_2026


def test_an_answer_to_somebody_else_is_refused():
    for at in range(8):
        wrong = bytearray(NONCE)
        wrong[at] ^= 1
        assert refusal(answer(nonce=bytes(wrong))), at


def test_what_is_not_from_a_server_is_refused():
    for mode in (0, 1, 2, 3, 5, 6, 7):
        assert refusal(answer(first=0x20 | mode)), mode


def test_an_answer_cut_at_any_byte_is_refused():
    whole = answer()
    for size in range(48):
        assert refusal(whole[:size]), size


def test_a_time_before_this_firmware_is_refused():
    assert refusal(answer(NTP_2026 - 1))
    assert refusal(answer(2208988800))  # 1970
    assert refusal(answer(0x80000000))  # 1968


def test_a_time_beyond_what_the_chips_can_write_is_refused():
    assert refusal(answer(3092601600 + 2208988800 - (1 << 32)))  # 2068
    assert refusal(answer(0x7FFFFFFF))  # 2104


# Asking


def test_the_request_is_these_bytes_and_a_nonce():
    bench = Bench()
    bench.run(1)
    s = bench.net.made[0]
    assert s.peer == ("192.0.2.123", 123)
    assert len(s.sent) == 1
    assert s.sent[0][:40] == b"\x23" + bytes(39)
    assert len(s.sent[0]) == 48
    assert s.sent[0][40:] != bytes(8)


def test_a_good_answer_sets_the_clock_and_is_logged():
    bench = Bench()
    bench.run(1)
    bench.reply(fraction=0x40000000)
    bench.run(1)
    assert bench.clock.set_to == [UNIX_2026]
    assert bench.clock.ms == 250
    assert bench.log.lines == ["time: 2026-01-01T00:00:00Z from one.example"]
    assert bench.net.made[0].closed
    assert bench.resolver.lookups[0].closed


def test_it_is_asked_again_after_six_hours():
    bench = Bench()
    bench.run(1)
    bench.reply()
    bench.run(6 * 3600 - 1)
    assert len(bench.net.made) == 1
    bench.run(2)
    assert len(bench.net.made) == 2
    assert bench.resolver.asked == ["one.example", "one.example"]


def test_a_small_step_is_not_worth_a_line():
    bench = Bench()
    bench.clock.step_s = -2
    bench.run(1)
    bench.reply()
    bench.run(1)
    assert bench.log.lines == []
    bench.clock.step_s = -3
    bench.run(6 * 3600)
    bench.reply()
    bench.run(1)
    assert len(bench.log.lines) == 1


def test_a_large_step_needs_a_second_answer_that_says_the_same():
    # One server with a wrong time would have moved a clock that was right.
    bench = Bench()
    bench.clock.known_s = UNIX_2026 - 61
    bench.run(1)
    bench.reply()
    bench.run(1)
    assert bench.clock.set_to == []
    assert bench.resolver.asked == ["one.example", "two.example"]
    bench.reply()
    bench.run(1)
    assert bench.clock.set_to == [UNIX_2026]


def test_two_servers_that_differ_move_nothing():
    bench = Bench(["one.example"])
    bench.clock.known_s = UNIX_2026
    for asked, off_s in enumerate((7200, 3600, 7200)):
        while len(bench.net.made) == asked:
            bench.run(1)
        bench.reply(seconds=NTP_2026 + off_s)
        bench.run(1)
    assert bench.clock.set_to == []
    assert bench.log.lines == ["time: one.example: off by 7200 s: asking again"]


def test_a_minute_of_drift_is_corrected_at_once():
    bench = Bench()
    bench.clock.known_s = UNIX_2026 + 60
    bench.run(1)
    bench.reply()
    bench.run(1)
    assert bench.clock.set_to == [UNIX_2026]


def test_a_silent_server_gives_way_to_the_next_after_3_seconds():
    bench = Bench()
    bench.run(3)
    assert bench.resolver.asked == ["one.example"]
    bench.run(2)
    assert bench.resolver.asked == ["one.example", "two.example"]
    assert bench.net.made[0].closed
    assert bench.net.made[1].peer == ("192.0.2.123", 1123)


def test_servers_are_asked_in_their_order():
    bench = Bench(["one.example", "two.example", "three.example"])
    bench.resolver.result = DnsError(errno.ENOENT, "no")
    bench.run(8)
    assert bench.resolver.asked[:4] == [
        "one.example", "two.example", "three.example", "one.example"]


def test_a_bad_answer_gives_way_to_the_next_server_and_sets_nothing():
    for changes in ({"stratum": 0}, {"nonce": bytes(8)}, {"seconds": 0}, {"first": 0xE4}):
        bench = Bench()
        bench.run(1)
        bench.reply(**changes)
        bench.run(1)
        assert bench.resolver.asked == ["one.example", "two.example"], changes
        assert bench.clock.set_to == []
        bench.reply()
        bench.run(1)
        assert bench.clock.set_to == [UNIX_2026]


def test_a_name_that_is_not_found_gives_way_to_the_next_server():
    bench = Bench()
    bench.resolver.result = DnsError(errno.ENOENT, "there is no host one.example")
    bench.run(1)
    assert bench.resolver.asked[:2] == ["one.example", "two.example"]
    assert bench.log.has("there is no host")


def test_a_failing_network_raises_nothing():
    bench = Bench()
    bench.net.refuse = OSError(errno.EHOSTUNREACH, "no route")
    bench.run(1)
    bench.net.refuse = None
    bench.run(10)
    bench.net.made[-1].coming.append(OSError(errno.ECONNREFUSED, "refused"))
    bench.run(1)
    assert bench.clock.set_to == []
    assert bench.sntp is not None


def test_between_rounds_the_pause_doubles_from_5_seconds_to_10_minutes():
    bench = Bench(["one.example"])
    bench.resolver.result = DnsError(errno.ENOENT, "no")
    rounds = []
    for second in range(4000):
        before = len(bench.resolver.asked)
        bench.run(1)
        if len(bench.resolver.asked) > before:
            rounds.append(second)
    pauses = [b - a for a, b in zip(rounds, rounds[1:])]
    for pause, wanted in zip(pauses, (5, 10, 20, 40, 80, 160, 320, 600, 600, 600)):
        assert wanted <= pause <= wanted + 2, pauses
    assert len(pauses) >= 10
    # Only the first failure is worth a line.
    assert len(bench.log.lines) == 1


def test_after_a_success_the_pauses_begin_again():
    bench = Bench(["one.example"])
    bench.resolver.result = DnsError(errno.ENOENT, "no")
    bench.run(200)
    bench.resolver.result = "192.0.2.123"
    while not bench.net.made:
        bench.run(1)
    bench.reply()
    bench.run(1)
    bench.resolver.result = DnsError(errno.ENOENT, "no")
    bench.run(6 * 3600)
    asked = len(bench.resolver.asked)
    bench.run(7)
    assert len(bench.resolver.asked) == asked + 1


def test_without_servers_nobody_is_asked():
    bench = Bench([])
    bench.run(20)
    assert bench.resolver.asked == []
    assert bench.net.made == []


def test_the_code_of_a_question_is_there_only_for_it():
    bench = Bench()
    bench.run(1)
    assert bench.code.loaded == []


def test_no_room_for_the_code_is_tried_again_later():
    bench = Bench(["one.example"])
    bench.code.module = None
    bench.run(1)
    assert bench.log.has("one.example")
    bench.code.module = sntp_query
    bench.run(6)
    bench.reply()
    bench.run(1)
    assert bench.clock.set_to == [UNIX_2026]
