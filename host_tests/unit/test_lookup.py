"""Names to addresses: the query byte by byte, answers of every kind, silent servers."""

import errno
from time import ticks_add, ticks_diff

from firmware import lookup as dns
from firmware.lookup import Lookup, is_address, parse_answer, question
from firmware.resolver import DnsError
from host_tests.unit.fakes import Net, Patched, Ticks, raised

QUESTION = b"\x06broker\x07example\x00\x00\x01\x00\x01"
ASKED = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + QUESTION
THE_NAME = b"\xc0\x0c"  # compressed: see the question
SERVERS = [("192.0.2.1", 53), ("192.0.2.2", 5353)]


def name(text):
    data = b""
    for label in text.split("."):
        data += bytes([len(label)]) + label.encode()
    return data + b"\0"


def record(owner, kind, data, of_class=1):
    size = len(data)
    return owner + bytes([0, kind, 0, of_class, 0, 0, 1, 0, size >> 8, size & 255]) + data


def a_record(owner=THE_NAME, address=b"\x0a\x01\x02\x03"):
    return record(owner, 1, address)


def cname(owner, data):
    return record(owner, 5, data)


def answer(*records, flags=b"\x81\x80", asked=QUESTION, ident=ASKED[:2]):
    head = ident + flags + b"\0\1" + bytes([0, len(records)]) + bytes(4)
    return head + asked + b"".join(records)


def refusal(data):
    e = raised(DnsError, parse_answer, data, ASKED)
    return e and e.args[1]


class Bench:
    """Look-ups with a network and ticks of the test."""

    def __init__(self, servers=SERVERS):
        self.net = Net()
        self.ticks = Ticks()
        self._servers = servers
        self._known = {}
        self._patched = Patched(dns, socket=self.net, ticks_ms=self.ticks)

    def __enter__(self):
        self._patched.__enter__()
        return self

    def __exit__(self, *error):
        self._patched.__exit__(*error)

    def lookup(self, host):
        return Lookup(host, self._servers, self._known)

    def answer(self, *records, flags=b"\x81\x80"):
        s = self.net.made[-1]
        s.coming.append(answer(*records, flags=flags, ident=s.sent[0][:2]))


# The question


def test_the_query_is_these_bytes():
    assert question("broker.example", b"\xab\xcd") == ASKED
    assert question("broker.example.", b"\xab\xcd") == ASKED


def test_what_is_no_host_name_is_refused():
    for host in ("", ".", "a..b", ".a", "x" * 64, "a." + "x" * 64 + ".b", "\u20ac" * 22):
        assert raised(DnsError, question, host, b"\0\0"), host
    for host in ("x" * 63, "a", "a.b.c"):
        assert question(host, b"\0\0")[12:-4] == name(host)


def test_addresses_are_told_from_names():
    for host in ("192.0.2.1", "0.0.0.0", "255.255.255.255"):
        assert is_address(host), host
    for host in ("192.0.2", "192.0.2.256", "192.0.2.1.1", "a.b.c.d", "192.0.2.", "192..2.1", "",
                 "1.2.3.-4", "1.2.3.+4", "::1"):
        assert not is_address(host), host


# Answers


def test_an_address():
    assert parse_answer(answer(a_record()), ASKED) == "10.1.2.3"


def test_an_address_under_its_full_name():
    assert parse_answer(answer(a_record(name("broker.example"))), ASKED) == "10.1.2.3"


def test_the_first_of_several_addresses():
    data = answer(a_record(), a_record(address=b"\1\1\1\1"))
    assert parse_answer(data, ASKED) == "10.1.2.3"


def test_upper_and_lower_case_are_the_same_name():
    data = answer(a_record(name("BROKER.Example")), asked=b"\x06bRoKeR\x07EXAMPLE\0\0\1\0\1")
    assert parse_answer(data, ASKED) == "10.1.2.3"


def test_an_alias_is_followed():
    data = answer(cname(THE_NAME, name("other.host")), a_record(name("other.host")))
    assert parse_answer(data, ASKED) == "10.1.2.3"


def test_a_chain_of_compressed_aliases_is_followed():
    # 32: behind the question; 44: the data of the first alias, "eu" + "example" of the question
    first = cname(THE_NAME, b"\x02eu\xc0\x13")
    second = cname(b"\xc0\x2c", b"\x02de\xc0\x2c")
    data = answer(first, second, a_record(name("de.eu.example")))
    assert parse_answer(data, ASKED) == "10.1.2.3"


def test_an_address_of_somebody_else_is_not_taken():
    assert refusal(answer(a_record(name("other.host"))))
    assert refusal(answer(cname(THE_NAME, name("a.b")), a_record(THE_NAME)))


def test_other_records_are_passed_over():
    data = answer(record(THE_NAME, 28, bytes(16)), record(THE_NAME, 46, bytes(300)),
                  record(THE_NAME, 1, b"\1\1\1\1", 3), record(THE_NAME, 1, bytes(16)), a_record())
    assert parse_answer(data, ASKED) == "10.1.2.3"


def test_aliases_in_a_circle_end():
    data = answer(cname(THE_NAME, name("a.b")), cname(name("a.b"), THE_NAME))
    assert "no IPv4 address" in refusal(data)


def test_a_pointer_in_a_circle_ends():
    to_itself = 12 + len(QUESTION)
    assert "garbled" in refusal(answer(a_record(bytes([0xC0, to_itself]))))
    assert "garbled" in refusal(answer(a_record(bytes([0xC0, to_itself + 2, 0xC0, to_itself]))))
    # A label, then back to that label: an endless name.
    assert "garbled" in refusal(answer(a_record(b"\x01x" + bytes([0xC0, to_itself]))))


def test_a_pointer_out_of_the_packet():
    assert "garbled" in refusal(answer(a_record(b"\xff\xff")))


def test_no_such_name():
    message = refusal(answer(flags=b"\x81\x83"))
    assert message == "there is no host broker.example"


def test_a_server_that_fails():
    for code in (1, 2, 4, 5):
        assert str(code) in refusal(answer(flags=bytes([0x81, 0x80 + code])))


def test_a_truncated_answer_counts_as_far_as_it_goes():
    truncated = b"\x83\x80"
    assert parse_answer(answer(a_record(), flags=truncated), ASKED) == "10.1.2.3"
    data = answer(cname(THE_NAME, name("other.host")), flags=truncated)
    assert "too long" in refusal(data)


def test_a_name_without_address():
    assert "no IPv4 address" in refusal(answer())


def test_a_query_is_no_answer():
    assert refusal(ASKED)
    assert refusal(answer(a_record(), flags=b"\x01\x00"))


def test_an_answer_to_none_or_two_questions():
    whole = answer(a_record())
    for count in (0, 2):
        assert refusal(whole[:5] + bytes([count]) + whole[6:])


def test_a_pointer_beyond_the_first_256_bytes():
    # 12 + 20 bytes up to the first record, 12 + 300 for it, 12 up to the data of the alias.
    alias = cname(THE_NAME, name("other.host"))
    data = answer(record(THE_NAME, 46, bytes(300)), alias, a_record(b"\xc1\x64"))
    assert data[0x164:0x164 + 12] == name("other.host")
    assert parse_answer(data, ASKED) == "10.1.2.3"


def test_an_answer_to_another_question():
    data = answer(a_record(), asked=name("other.host") + b"\0\1\0\1")
    assert "another question" in refusal(data)


def test_an_answer_cut_at_any_byte():
    for whole in (answer(a_record()),
                  answer(cname(THE_NAME, name("other.host")), a_record(name("other.host")))):
        parse_answer(whole, ASKED)
        for size in range(len(whole)):
            assert refusal(whole[:size]), size


def test_an_answer_with_any_byte_wrong_ends_in_an_address_or_a_dns_error():
    whole = answer(cname(THE_NAME, name("other.host")), a_record(name("other.host")))
    for at in range(len(whole)):
        for value in (0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF, whole[at] ^ 0x80):
            data = whole[:at] + bytes([value]) + whole[at + 1:]
            try:
                assert is_address(parse_answer(data, ASKED))
            except DnsError:
                pass


# Look-ups


def test_a_look_up():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        s = bench.net.made[0]
        assert s.peer == SERVERS[0]
        assert s.sent == [s.sent[0][:2] + ASKED[2:]]
        assert lookup.poll() is None
        bench.answer(a_record())
        assert lookup.poll() == "10.1.2.3"
        assert lookup.poll() == "10.1.2.3"
        assert s.closed


def test_an_address_needs_no_server():
    with Bench([]) as bench:
        assert bench.lookup("192.0.2.77").poll() == "192.0.2.77"
        assert bench.lookup("localhost").poll() == "127.0.0.1"
        assert bench.net.made == []


def test_no_server_is_known():
    with Bench([]) as bench:
        assert raised(DnsError, bench.lookup, "broker.example")


def test_each_query_has_an_id_of_its_own():
    with Bench() as bench:
        for _ in range(8):
            bench.lookup("broker.example")
        assert len({s.sent[0][:2] for s in bench.net.made}) > 1


def test_an_answer_with_the_wrong_id_is_not_looked_at():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        s = bench.net.made[0]
        wrong = bytes([s.sent[0][0] ^ 1, s.sent[0][1]])
        s.coming += [answer(a_record(address=b"\6\6\6\6"), ident=wrong), b"", b"\x00"]
        for _ in range(3):
            assert lookup.poll() is None
        bench.answer(a_record())
        assert lookup.poll() == "10.1.2.3"


def test_a_server_of_2_s_is_slow_but_not_silent():
    # The socket was closed when the query was repeated, so each answer came to nobody.
    with Bench(SERVERS[:1]) as bench:
        lookup = bench.lookup("broker.example")
        bench.ticks.sleep(dns.RETRY_MS + 1)
        assert lookup.poll() is None
        assert tried(bench) == [SERVERS[0]] * 2
        bench.answer(a_record())
        assert lookup.poll() == "10.1.2.3"
        assert len(bench.net.made) == 1 and bench.net.made[0].closed


def test_the_first_server_may_still_answer_after_the_second_was_asked():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        bench.ticks.sleep(dns.RETRY_MS + 1)
        assert lookup.poll() is None
        first, second = bench.net.made
        first.coming.append(answer(a_record(), ident=first.sent[0][:2]))
        assert lookup.poll() == "10.1.2.3"
        assert first.closed and second.closed
        assert lookup.poll() == "10.1.2.3"


def test_a_server_that_fails_or_refuses_gives_way_to_the_next_at_once():
    # A server that could not tell ended the look-up, and the next was never asked.
    for code in (2, 4, 5):
        with Bench() as bench:
            lookup = bench.lookup("broker.example")
            bench.answer(flags=bytes([0x81, 0x80 + code]))
            assert lookup.poll() is None
            assert tried(bench) == SERVERS
            bench.answer(a_record())
            assert lookup.poll() == "10.1.2.3"
            assert all(s.closed for s in bench.net.made)


def test_a_truncated_answer_without_address_gives_way_to_the_next_at_once():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        bench.answer(cname(THE_NAME, name("other.host")), flags=b"\x83\x80")
        assert lookup.poll() is None
        assert tried(bench) == SERVERS


def test_the_only_server_is_asked_again_after_a_pause_and_its_failure_is_told():
    with Bench(SERVERS[:1]) as bench:
        lookup = bench.lookup("broker.example")
        start = bench.ticks.now_ms
        error, answered = None, 0
        while error is None:
            if len(bench.net.made[0].sent) > answered:
                answered += 1
                bench.answer(flags=b"\x81\x82")
            error = raised(DnsError, lookup.poll)
            bench.ticks.sleep(10)
        assert "code 2" in error.args[1]
        assert tried(bench) == [SERVERS[0]] * 3
        assert 4500 <= ticks_diff(bench.ticks.now_ms, start) <= 5000


def test_what_answers_another_question_does_not_keep_the_answer_out():
    # Anybody who guesses the id could end a look-up with it.
    with Bench(SERVERS[:1]) as bench:
        lookup = bench.lookup("broker.example")
        s = bench.net.made[0]
        for false in (answer(a_record(), asked=name("other.host") + b"\0\1\0\1"),
                      answer(a_record())[:30], answer(a_record(), flags=b"\x01\x00")):
            s.coming.append(s.sent[0][:2] + false[2:])
            assert lookup.poll() is None
        assert tried(bench) == SERVERS[:1]
        bench.answer(a_record())
        assert lookup.poll() == "10.1.2.3"


def test_if_nothing_better_comes_it_is_told_what_was_wrong_with_the_answer():
    with Bench(SERVERS[:1]) as bench:
        lookup = bench.lookup("broker.example")
        s = bench.net.made[0]
        s.coming.append(s.sent[0][:2] + answer(a_record())[2:40])
        error = None
        while error is None:
            error = raised(DnsError, lookup.poll)
            bench.ticks.sleep(10)
        assert "cut short" in error.args[1]


def test_a_server_that_fails_leaves_us_the_last_known_address():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        bench.answer(a_record())
        lookup.poll()
        lookup = bench.lookup("broker.example")
        bench.answer(flags=b"\x81\x82")
        address = lookup.poll()
        for _ in range(500):
            address = address or lookup.poll()
            bench.ticks.sleep(10)
        assert address == "10.1.2.3"


def test_a_name_that_does_not_exist_ends_the_look_up():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        s = bench.net.made[0]
        s.coming.append(answer(flags=b"\x81\x83", ident=s.sent[0][:2]))
        e = raised(DnsError, lookup.poll)
        assert e.args[0] == errno.ENOENT
        assert s.closed


def tried(bench):
    """The servers asked so far, each time."""
    return [s.peer for s in bench.net.made for _ in s.sent]


def test_a_silent_server_gives_way_to_the_next_and_the_third_try_is_the_last():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        start = bench.ticks.now_ms
        error = None
        while error is None:
            error = raised(DnsError, lookup.poll)
            bench.ticks.sleep(10)
        assert error.args[0] == errno.ETIMEDOUT
        assert tried(bench) == [SERVERS[0], SERVERS[0], SERVERS[1]]
        assert all(s.closed for s in bench.net.made)
        assert 4500 <= ticks_diff(bench.ticks.now_ms, start) <= 5000


def test_without_an_answer_the_last_known_address_is_better_than_none():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        bench.answer(a_record())
        assert lookup.poll() == "10.1.2.3"
        lookup = bench.lookup("broker.example")
        address = lookup.poll()
        assert address is None
        for _ in range(500):
            address = address or lookup.poll()
            bench.ticks.sleep(10)
        assert address == "10.1.2.3"


def test_a_known_address_does_not_hide_a_new_one():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        bench.answer(a_record())
        lookup.poll()
        lookup = bench.lookup("broker.example")
        bench.answer(a_record(address=b"\x0a\x09\x09\x09"))
        assert lookup.poll() == "10.9.9.9"


def test_no_route_at_first_is_retried():
    with Bench() as bench:
        bench.net.refuse = OSError(errno.EHOSTUNREACH, "no route")
        lookup = bench.lookup("broker.example")
        assert lookup.poll() is None
        bench.net.refuse = None
        bench.ticks.now_ms = ticks_add(bench.ticks.now_ms, 1600)
        assert lookup.poll() is None
        bench.answer(a_record())
        assert lookup.poll() == "10.1.2.3"


def test_a_port_nobody_listens_on_is_waited_out():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        bench.net.made[0].coming.append(OSError(errno.ECONNREFUSED, "refused"))
        assert lookup.poll() is None


def test_another_error_closes_the_socket():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        bench.net.made[0].coming.append(OSError(errno.EIO, "input/output error"))
        assert raised(OSError, lookup.poll)
        assert bench.net.made[0].closed


def test_close_gives_the_socket_back():
    with Bench() as bench:
        lookup = bench.lookup("broker.example")
        lookup.close()
        lookup.close()
        assert bench.net.made[0].closed
