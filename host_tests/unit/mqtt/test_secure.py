"""TLS contexts: what is trusted, and what failures are turned into."""

import sys
from binascii import a2b_base64, hexlify
from hashlib import sha256

from host_tests.unit.fakes import Clock, Patched, raised


class Tls:
    """Stands for the module `tls`, which CPython lacks; takes what begins like a PEM."""

    PROTOCOL_TLS_CLIENT = 1

    def __init__(self):
        self.trusted = []
        self.wrapped = []

    def SSLContext(self, protocol):  # noqa: N802
        assert protocol == self.PROTOCOL_TLS_CLIENT
        return self

    def load_verify_locations(self, pem):
        if not pem.startswith("-----BEGIN" if isinstance(pem, str) else b"-----BEGIN"):
            raise ValueError("invalid cert")
        self.trusted.append(pem)

    def wrap_socket(self, sock, **options):
        self.wrapped.append((sock, options))
        return "wrapped"


try:
    import tls  # noqa: F401
except ImportError:
    sys.modules["tls"] = Tls()

from firmware.mqtt import secure  # noqa: E402
from firmware.mqtt.secure import Refused, Secure  # noqa: E402

PEM = "-----BEGIN CERTIFICATE-----\n"
ISRG_ROOTS = [
    b"96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6",  # X1
    b"69729b8e15a86efc177a57afb7171dfc64add28c2fca8cf1507e34453ccb1470",  # X2
]


def shipped():
    f = open(__file__[:__file__.rfind("host_tests")] + "firmware/roots.pem")
    try:
        return f.read()
    finally:
        f.close()


def secured(*roots):
    fake = Tls()
    with Patched(secure, tls=fake):
        return Secure(roots, Clock()), fake


def test_roots_add_up():
    made, fake = secured(PEM.encode(), PEM + "of a house")
    assert fake.trusted == [PEM.encode(), PEM + "of a house"]


def test_either_may_be_missing_but_not_both():
    assert secured(None, PEM)[1].trusted == [PEM]
    assert secured(PEM, "")[1].trusted == [PEM]
    for roots in ((None, ""), (b"", ""), ()):
        assert str(raised(ValueError, secured, *roots)) == "no CA certificate"


def test_a_broken_root_is_an_error_even_beside_a_good_one():
    for roots in ((PEM, "garbage"), (b"garbage", PEM)):
        assert str(raised(ValueError, secured, *roots)) == "no CA certificate: invalid cert"


def test_the_name_is_sent_and_nothing_waits():
    made, fake = secured(PEM)
    assert made.wrap("a socket", "broker.example") == "wrapped"
    assert fake.wrapped == [("a socket", {"server_hostname": "broker.example",
                                          "do_handshake_on_connect": False})]


def test_the_code_that_explains_is_dropped_again():
    made, _ = secured(PEM)
    for clock, known in ((Clock(), True), (Clock(None), False)):
        made._clock = clock
        found = made.explained(ValueError("The certificate validity has expired"))
        assert ("not set" in str(found)) != known
        assert "firmware.mqtt.handshake" not in sys.modules


def test_refused_says_why_each_time():
    refused = Refused("no TLS here")
    for _ in range(2):
        error = raised(ValueError, refused.wrap, "a socket", "broker.example")
        assert str(refused.explained(error)) == "no TLS here"


def test_the_roots_that_ship_are_those_of_lets_encrypt():
    found = []
    for part in shipped().split("-----BEGIN CERTIFICATE-----")[1:]:
        der = a2b_base64(part.split("-----END CERTIFICATE-----")[0].replace("\n", ""))
        found.append(hexlify(sha256(der).digest()))
    assert found == ISRG_ROOTS


def test_the_roots_that_ship_are_taken_by_the_real_tls():
    if not isinstance(sys.modules.get("tls"), Tls):
        Secure([shipped().encode(), shipped()], Clock())
        cut = shipped()[:1000]
        assert raised(ValueError, Secure, [cut], Clock())
