"""The name server of the setup portal, byte by byte (RFC 1035)."""

from firmware.setup.captive_dns import answer

IP = bytes((192, 168, 4, 1))
NAME = b"\x07example\x03com\x00"
A = b"\x00\x01\x00\x01"
RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x0a\x00\x04" + IP


def query(question=NAME + A, flags=b"\x01\x00", counts=b"\x00\x01\x00\x00\x00\x00\x00\x00",
          behind=b""):
    return b"\xab\xcd" + flags + counts + question + behind


def test_every_name_has_our_address():
    for name in (NAME, b"\x00", b"\x3f" + b"x" * 63 + b"\x00"):
        assert answer(query(name + A), IP) == (
            b"\xab\xcd\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00" + name + A + RECORD)


def test_recursion_is_desired_only_where_it_was():
    assert answer(query(flags=b"\x00\x00"), IP)[2:4] == b"\x84\x80"


def test_any_type_and_any_class_are_addresses_too():
    for kind in (b"\x00\xff\x00\x01", b"\x00\x01\x00\xff"):
        assert answer(query(NAME + kind), IP)[6:8] == b"\x00\x01"


def test_what_is_no_address_has_an_empty_answer():
    for kind in (28, 65, 16, 12, 256):  # AAAA, HTTPS, TXT, PTR, one whose second byte is 0
        asked = NAME + bytes((kind >> 8, kind & 255, 0, 1))
        assert answer(query(asked), IP) == (
            b"\xab\xcd\x85\x80\x00\x01\x00\x00\x00\x00\x00\x00" + asked)
    chaos = NAME + b"\x00\x01\x00\x03"
    assert answer(query(chaos), IP)[6:8] == b"\x00\x00"


def test_what_comes_behind_the_question_is_not_repeated():
    # EDNS (RFC 6891), as every phone sends it
    extra = b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"
    asked = query(counts=b"\x00\x01\x00\x00\x00\x00\x00\x01", behind=extra)
    assert answer(asked, IP) == answer(query(), IP)


def test_what_is_no_query_has_no_answer():
    assert answer(query(flags=b"\x81\x80"), IP) is None  # an answer: two of us would never end
    assert answer(query(flags=b"\x28\x00"), IP) is None  # an update
    for count in (b"\x00\x00", b"\x00\x02", b"\x01\x01"):
        assert answer(query(counts=count + b"\x00" * 6), IP) is None


def test_names_with_pointers_or_too_long_have_no_answer():
    assert answer(query(b"\xc0\x0c" + A + b"\x00" * 8), IP) is None
    assert answer(query(b"\x40" + b"x" * 64 + b"\x00" + A), IP) is None
    assert answer(query((b"\x3f" + b"x" * 63) * 4 + b"\x00" + A), IP) is None
    longest = (b"\x3f" + b"x" * 63) * 3 + b"\x3d" + b"x" * 61 + b"\x00"  # 255 bytes
    assert answer(query(longest + A), IP) is not None
    longer = (b"\x3f" + b"x" * 63) * 3 + b"\x3e" + b"x" * 62 + b"\x00"
    assert answer(query(longer + A), IP) is None


def test_a_query_cut_anywhere_has_no_answer():
    whole = query()
    for end in range(len(whole)):
        assert answer(whole[:end], IP) is None


def test_any_byte_may_be_anything():
    whole = query()
    for at in range(len(whole)):
        for byte in (0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF):
            reply = answer(whole[:at] + bytes((byte,)) + whole[at + 1:], IP)
            assert reply is None or len(reply) <= len(whole) + len(RECORD)
