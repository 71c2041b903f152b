"""Offers: every field, the order of the checks, and which version may follow which."""

from binascii import unhexlify

from firmware.mqtt.commands import Refused
from firmware.ota import signature
from firmware.ota.offer import Offer, version_key
from host_tests.unit.fakes import Patched, raised
from host_tests.unit.ota.rsa_vectors import FORCED_DOWNGRADE_SIGNATURE, MODULUS, OFFER


class Node:
    """The facts of a node that takes OFFER."""

    def __init__(self, **facts):
        self.keys = {unhexlify("e8154b40"): MODULUS}
        self.hardware = "esp32"
        self.mpy = 0x2B06  # MicroPython 1.25 on ESP32
        self.version = "1.3.9"
        self.floor = 7
        self.bad = ()
        self.max_bytes = 61440
        for name in facts:
            setattr(self, name, facts[name])


def changed(**fields):
    command = dict(OFFER)
    command.update(fields)
    return command


def parse_refusal(command):
    """(code, message) of a command that is no offer."""
    refused = raised(Refused, Offer, command)
    return refused and refused.args


def code(command, **facts):
    """The code that a node with these facts refuses with; None if it takes the offer."""
    refused = raised(Refused, Offer(command).check, Node(**facts), lambda: None)
    return refused and refused.args[0]


def code_if_signed(command, **facts):
    """The same for an offer that the key would have signed."""
    with Patched(signature, verify=lambda *_: True):
        return code(command, **facts)


def test_a_signed_offer_is_taken():
    assert code(OFFER) is None


def test_the_fields():
    offer = Offer(changed(url="https://host.example/b"))
    assert offer.target == "app" and offer.version == "1.4.0" and offer.size == 61440
    assert offer.bundle == bytes(range(32)) and offer.id == "00010203"
    assert (offer.floor, offer.mpy, offer.hardware) == (7, 6, "esp32,esp32c3")
    assert offer.allow_downgrade is False and offer.force is False
    assert offer.url == "https://host.example/b"
    assert Offer(OFFER).url is None


def test_every_field_but_the_flags_and_the_url_must_be_there():
    for name in ("target", "bundle", "size", "version", "floor", "hw", "mpy", "key", "sig"):
        command = changed()
        del command[name]
        refused = parse_refusal(command)
        assert refused and refused[0] == "bad_request" and name in refused[1], name


def test_wrong_values_are_named():
    for name, values in (
        ("target", ("", "boot", 1)),
        ("bundle", ("", OFFER["bundle"][2:], OFFER["bundle"] + "00", "zz" * 32, "\u20ac" * 64)),
        ("size", (0, -1, 1 << 32, 1 << 80, 61440.0, "61440", True)),
        ("version", ("1.4", "1.4.0.0", "v1.4.0", "1.04.0", "1.4.", "1..0", "1.4.0-", "1.4.0-a..b",
                     "1.4.0-01", "1.4.0+b", "-1.4.0", "1.4.0 ", "1.4.\u0663", "1.4.0-\u00e9",
                     "1.4.0-" + "a" * 19, "")),
        ("floor", (-1, 1 << 32, 7.0)),
        ("hw", ("", "a b", "e\0", "\u00e9", "x" * 49, ["esp32"])),
        ("mpy", (-1, 1 << 16, "6")),
        ("key", ("", "e8154b", "e8154b4000", "e8154b4x")),
        ("sig", ("", OFFER["sig"][4:], OFFER["sig"] + "AAAA", "=" * 512, "\u20ac" * 512, 5)),
        ("allow_downgrade", (1, "true", 0)),
        ("force", (1, "yes")),
        ("url", ("", "ftp://x/", "https://h/a b", "http://h/\r\nX: y", "http://\u00e9/", 1,
                 "http://" + "x" * 250)),
    ):
        for value in values:
            refused = parse_refusal(changed(**{name: value}))
            assert refused and refused[0] == "bad_request", (name, value)
            assert name in refused[1], (name, value, refused)


def test_the_longest_texts_fit():
    offer = Offer(changed(version="1.4.0-" + "a" * 18, hw="x" * 48, url="http://" + "x" * 249))
    assert len(offer.signed_message()) == 136


def test_image_is_reserved():
    assert code(changed(target="image")) == "unsupported"


def test_a_key_the_node_does_not_have():
    assert code(changed(key="e8154b41")) == "unknown_key"
    assert code(OFFER, keys={}) == "unknown_key"


def test_a_changed_offer_is_refused_by_its_signature():
    for name, value in (("size", 61439), ("floor", 8), ("version", "1.4.1"), ("mpy", 7),
                        ("bundle", "ff" * 32), ("hw", "esp32,esp32c6"),
                        ("allow_downgrade", True), ("force", True),
                        ("sig", FORCED_DOWNGRADE_SIGNATURE)):
        assert code(changed(**{name: value})) == "bad_signature", name


def test_the_flags_are_signed_too():
    both = changed(allow_downgrade=True, force=True, sig=FORCED_DOWNGRADE_SIGNATURE)
    assert code(both, version="2.0.0", bad=("00010203",)) is None
    assert code(changed(sig=FORCED_DOWNGRADE_SIGNATURE), version="2.0.0") == "bad_signature"


def test_a_forged_offer_learns_nothing_about_the_node():
    assert code(changed(size=1), hardware="esp8266", mpy=0, floor=99, max_bytes=0) \
        == "bad_signature"


def test_the_hardware_must_be_named_whole():
    for hardware in ("esp32", "esp32c3"):
        assert code(OFFER, hardware=hardware) is None
    for hardware in ("esp8266", "esp32c", "esp", "", "esp32,esp32c3"):
        assert code(OFFER, hardware=hardware) == "wrong_hardware", hardware


def test_byte_code_needs_the_version_and_native_code_the_architecture_too():
    for mpy, here, good in ((6, 0x2B06, True), (6, 0x2706, True), (6, 0x2B07, False),
                            (7, 0x2B06, False), (0x2B06, 0x2B06, True), (0x2B06, 0x2706, False)):
        assert code_if_signed(changed(mpy=mpy), mpy=here) == (None if good else "wrong_mpy"), mpy


def test_below_the_floor_not_even_a_signed_downgrade():
    both = changed(allow_downgrade=True, force=True, sig=FORCED_DOWNGRADE_SIGNATURE)
    assert code(both, floor=8) == "below_floor"
    assert code(OFFER, floor=7) is None
    assert code(OFFER, floor=6) is None


def test_an_older_version_only_if_allowed():
    assert code(OFFER, version="1.4.1") == "downgrade"
    assert code(OFFER, version="1.4.0") is None  # the same again is no downgrade
    assert code_if_signed(changed(allow_downgrade=True), version="1.4.1") is None


def test_a_bundle_that_failed_here_only_if_forced():
    assert code(OFFER, bad=("00010203", "ffffffff")) == "known_bad"
    assert code(OFFER, bad=("00010204",)) is None
    assert code_if_signed(changed(force=True), bad=("00010203",)) is None


def test_larger_than_the_room():
    assert code(OFFER, max_bytes=61439) == "no_space"


def test_the_order_of_the_checks():
    facts = {"keys": {}, "hardware": "x", "mpy": 5, "floor": 8, "version": "2.0.0",
             "bad": ("00010203",), "max_bytes": 0}
    seen = []
    for name in ("keys", "hardware", "mpy", "floor", "version", "bad", "max_bytes"):
        seen.append(code(OFFER, **facts))
        del facts[name]
    assert seen == ["unknown_key", "wrong_hardware", "wrong_mpy", "below_floor", "downgrade",
                    "known_bad", "no_space"]
    assert code(OFFER, **facts) is None


def test_versions_in_the_order_of_semver():
    # The example of section 11.4, and numbers that text would sort wrongly.
    ordered = ("0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
               "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1-x", "1.0.0", "1.0.1",
               "1.2.0", "1.9.0", "1.10.0", "2.0.0-1", "2.0.0-1a", "2.0.0", "10.0.0")
    keys = [version_key(text) for text in ordered]
    for at in range(len(keys) - 1):
        assert keys[at] < keys[at + 1], ordered[at]
        assert not keys[at + 1] < keys[at], ordered[at]
    assert version_key("1.0.0-a.1") == version_key("1.0.0-a.1")
