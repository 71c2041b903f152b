"""Who may update this node: the two pinned keys, what is signed, and the check of a signature.

Signatures are RSA-3072, e = 65537, PKCS#1 v1.5 with SHA-256 (RFC 8017 section 8.2). The key file
lies outside the slots: it holds the modulus of the key in use and that of its spare, 384 bytes
each, big-endian, nothing else. The id of a key is the first 4 bytes of the SHA-256 of its modulus.
"""

from hashlib import sha256
from struct import pack

from micropython import const

KEY_BYTES = 384
KEY_ID_BYTES = 4
VERSION_BYTES = 24
HARDWARE_BYTES = 48
APP = 1  # values of the signed `target`
IMAGE = 2
ALLOW_DOWNGRADE = 1  # bits of the signed `flags`
FORCE = 2

_DOMAIN = b"homesync-ota-v1\0"
_SQUARINGS = const(16)  # e = 2**16 + 1
# DER of the DigestInfo around a SHA-256 (RFC 8017 section 9.2, note 1).
_DIGEST_INFO = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"


def read_keys(data):
    """{id: modulus} of the bytes of a key file. ValueError if it is none."""
    if len(data) != 2 * KEY_BYTES:
        raise ValueError("a key file has %d bytes, not %d" % (2 * KEY_BYTES, len(data)))
    keys = {}
    for modulus in (data[:KEY_BYTES], data[KEY_BYTES:]):
        if modulus[0] < 0x80 or not modulus[-1] & 1:
            raise ValueError("the key file holds something that is no RSA-3072 modulus")
        keys[key_id(modulus)] = modulus
    return keys


def key_id(modulus):
    """4 bytes by which a key is named."""
    return sha256(modulus).digest()[:KEY_ID_BYTES]


def signed_message(target, flags, key, bundle, size, floor, mpy, version, hardware):
    """The 136 bytes that are signed, all numbers big-endian.

    16 domain, 1 target (APP or IMAGE), 1 flags, 4 id of the key, 32 SHA-256 of the bundle, 4 its
    size in bytes, 4 floor, 2 mpy (version, architecture << 8), 24 version and 48 hardware (names
    with commas between), both ASCII with zeros behind. The caller has checked lengths and ranges:
    `pack` cuts off what is too long.
    """
    return pack(">16sBB4s32sIIH24s48s", _DOMAIN, target, flags, key, bundle, size, floor, mpy,
                version.encode(), hardware.encode())


def verify(modulus, signature, message, beat):
    """Whether `signature` is that of `message` by the key with this modulus (of `read_keys`).

    About 0.5 s on a chip: `beat()` is called before each of the 17 multiplications. Not by
    pow(): ESP8266 has none with a modulus, and it would not beat.
    """
    if len(signature) != KEY_BYTES:
        return False
    n = int.from_bytes(modulus, "big")
    s = int.from_bytes(signature, "big")
    if s >= n:  # s + n would do as well as s
        return False
    power = s
    for _ in range(_SQUARINGS):
        beat()
        power = power * power % n
    beat()
    power = power * s % n
    # The one right block, compared as a whole. Whoever takes the padding apart instead accepts
    # forgeries that hide something in it.
    end = b"\0" + _DIGEST_INFO + sha256(message).digest()
    block = b"\0\x01" + b"\xff" * (KEY_BYTES - 2 - len(end)) + end
    return power == int.from_bytes(block, "big")
