"""Times the firmware's check of an offer's signature and an Ed25519 check of the same 136 bytes.

signature_check.py ROUNDS; prints one JSON line with the milliseconds of each, or why they mean
nothing: one of the two does not tell right from wrong.
"""

import gc
import json
import sys
from binascii import a2b_base64, unhexlify
from time import ticks_diff, ticks_us

import ed25519

from firmware.ota import signature
from firmware.ota.offer import Offer
from host_tests.unit.ota.rsa_vectors import MODULUS, OFFER, SIGNATURE

# RFC 8032 section 7.1, test 3; and our message, signed by a key made for this.
RFC_KEY = unhexlify("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
RFC_SIGNATURE = unhexlify(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")
KEY = unhexlify("fad5370eb0e92a71bcebb06f20b97f0f7a36a5e9e8e84441a83050e670ab7db4")
ED25519_SIGNATURE = unhexlify(
    "2c28a0ec3b42f34b4eb0422b4f8749ce4c3ffe06021bee614b59c4ec825fd72f"
    "392d636547d97d343934c50ab1387ff6fda61febb3f162e488853c771bd9f80a")
MESSAGE = Offer(OFFER).signed_message()
RSA_SIGNATURE = a2b_base64(SIGNATURE)


def rsa(message=MESSAGE):
    return signature.verify(MODULUS, RSA_SIGNATURE, message, no_beat)


def ed(message=MESSAGE):
    return ed25519.verify(KEY, ED25519_SIGNATURE, message)


def no_beat():
    pass


def milliseconds(check):
    gc.collect()
    start = ticks_us()
    check()
    return ticks_diff(ticks_us(), start) / 1000


def main():
    if not ed25519.verify(RFC_KEY, RFC_SIGNATURE, b"\xaf\x82"):
        print("Ed25519 does not accept the signature of RFC 8032")
        return
    for check in (rsa, ed):
        if not check() or check(MESSAGE[:-1] + b"\x01"):
            print("a check does not tell right from wrong")
            return
    times = {"rsa_ms": [], "ed25519_ms": []}
    for _ in range(int(sys.argv[1])):  # in turn: what the machine does else meets both
        times["rsa_ms"].append(milliseconds(rsa))
        times["ed25519_ms"].append(milliseconds(ed))
    print(json.dumps(times))


main()
