"""Signatures: the right one counts, whatever else looks like one does not; the signed bytes."""

from binascii import a2b_base64, unhexlify
from hashlib import sha256

from firmware.ota import signature
from firmware.ota.offer import Offer
from firmware.ota.signature import read_keys, verify
from host_tests.unit.fakes import raised
from host_tests.unit.ota.rsa_vectors import (
    FORGED,
    MODULUS,
    NIST_MESSAGE,
    NIST_MODULUS,
    NIST_SIGNATURE,
    OFFER,
    SIGNATURE,
)

GOOD = a2b_base64(SIGNATURE)
# Field by field, written down without the code that makes it.
SIGNED = (b"homesync-ota-v1\0" b"\x01" b"\x00" b"\xe8\x15\x4b\x40"
          + bytes(range(32))
          + b"\x00\x00\xf0\x00" b"\x00\x00\x00\x07" b"\x00\x06"
          + b"1.4.0" + bytes(19) + b"esp32,esp32c3" + bytes(35))


def accepted(modulus, signed, message):
    return verify(modulus, signed, message, lambda: None)


def number(data):
    return int.from_bytes(data, "big")


def test_what_is_signed_byte_by_byte():
    assert len(SIGNED) == 136
    assert Offer(OFFER).signed_message() == SIGNED


def test_each_field_is_signed():
    other = {"target": "image", "bundle": OFFER["bundle"][:-1] + "e", "size": 61441, "floor": 8,
             "version": "1.4.1", "hw": "esp32,esp32c6", "mpy": 7, "key": "e8154b41",
             "allow_downgrade": True, "force": True}
    seen = {SIGNED}
    for name in other:
        changed = dict(OFFER)
        changed[name] = other[name]
        seen.add(Offer(changed).signed_message())
    assert len(seen) == 1 + len(other)


def test_the_largest_numbers_fit():
    changed = dict(OFFER)
    changed.update({"size": 0xFFFFFFFF, "floor": 0xFFFFFFFE, "mpy": 0xFFFF})
    assert Offer(changed).signed_message()[54:64] == b"\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff"


def test_the_signature_of_the_key_is_accepted():
    assert accepted(MODULUS, GOOD, SIGNED)


def test_a_signature_published_by_nist_is_accepted():
    assert accepted(NIST_MODULUS, NIST_SIGNATURE, NIST_MESSAGE)


def test_blocks_that_are_not_quite_right_are_refused():
    assert len(FORGED) == 11
    for what, forged in FORGED:
        assert len(a2b_base64(forged)) == 384, what
        assert not accepted(MODULUS, a2b_base64(forged), SIGNED), what


def test_another_message_or_another_key():
    assert not accepted(MODULUS, GOOD, SIGNED[:-1] + b"\x01")
    assert not accepted(MODULUS, GOOD, SIGNED + b"\0")
    assert not accepted(NIST_MODULUS, GOOD, SIGNED)


def test_any_bit_flipped():
    for at in range(0, 384, 24):
        flipped = bytearray(GOOD)
        flipped[at] ^= 1 << at // 24 % 8
        assert not accepted(MODULUS, bytes(flipped), SIGNED), at


def test_the_signature_plus_the_modulus():
    # Equal modulo n: without the comparison with n it would count as a second signature.
    plus = (number(GOOD) + number(MODULUS)).to_bytes(384, "big")
    assert pow_16_1(number(plus), number(MODULUS)) == pow_16_1(number(GOOD), number(MODULUS))
    assert not accepted(MODULUS, plus, SIGNED)


def pow_16_1(base, modulus):
    power = base
    for _ in range(16):
        power = power * power % modulus
    return power * base % modulus


def test_numbers_that_power_to_themselves():
    n = number(MODULUS)
    for value in (0, 1, n - 1, n, (1 << 3072) - 1):
        assert not accepted(MODULUS, value.to_bytes(384, "big"), SIGNED), value


def test_a_signature_of_another_length():
    for wrong in (b"", GOOD[:-1], GOOD[1:], GOOD + b"\0", b"\0" + GOOD, GOOD + GOOD):
        assert not accepted(MODULUS, wrong, SIGNED), len(wrong)


def test_it_beats_between_the_multiplications():
    beats = []
    assert verify(MODULUS, GOOD, SIGNED, lambda: beats.append(1))
    assert len(beats) == 17


def test_a_key_file_holds_two_keys_by_id():
    keys = read_keys(MODULUS + NIST_MODULUS)
    assert keys == {unhexlify(OFFER["key"]): MODULUS,
                    sha256(NIST_MODULUS).digest()[:4]: NIST_MODULUS}
    assert signature.key_id(MODULUS) == unhexlify("e8154b40")


def test_what_is_no_key_file():
    whole = MODULUS + NIST_MODULUS
    even = MODULUS[:-1] + bytes([MODULUS[-1] & 0xFE])
    for wrong in (b"", MODULUS, whole[:-1], whole + b"\0", bytes(768), b"\xff" * 767 + b"\xfe",
                  MODULUS + even, even + MODULUS, MODULUS + b"\x7f" + MODULUS[1:]):
        assert raised(ValueError, read_keys, wrong), len(wrong)
