"""What every end of an attempt or a session is called."""

import errno

from umqtt.simple import MQTTException

from firmware.mqtt.line import ProtocolError
from firmware.mqtt.reasons import explain
from firmware.resolver import DnsError


def reason(error, phase="mqtt", online=False):
    return explain(error, phase, online)[0]


def os_error(name, text="what the system says"):
    return OSError(getattr(errno, name), text)


def test_connack_codes():
    for code, wanted in ((1, "broker_refused"), (2, "broker_refused"), (3, "broker_refused"),
                         (4, "bad_credentials"), (5, "not_authorized"), (6, "broker_refused"),
                         (255, "broker_refused")):
        found, detail = explain(MQTTException(code), "mqtt", False)
        assert found == wanted, code
        assert "CONNACK %d" % code in detail
        assert ("unknown" in detail) == (code > 5)


def test_a_refused_subscription():
    found, detail = explain(MQTTException(0x80), "mqtt", False)
    assert found == "not_authorized"
    assert "subscription" in detail


def test_an_mqtt_exception_without_a_code():
    assert reason(MQTTException()) == "broker_refused"


def test_a_name_that_cannot_be_resolved():
    for number in (errno.ENOENT, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EINVAL):
        error = DnsError(number, "there is no host x")
        assert explain(error, "dns", False) == ("dns_failed", "there is no host x")


def test_a_broken_network_during_the_look_up():
    assert reason(os_error("EHOSTUNREACH"), "dns") == "dns_failed"


def test_no_tcp_connection():
    for name in ("ECONNREFUSED", "EHOSTUNREACH", "ECONNRESET"):
        assert reason(os_error(name), "tcp") == "unreachable", name


def test_nobody_answers_in_time():
    for phase in ("dns", "tcp", "mqtt"):
        for online in (False, True):
            assert reason(os_error("ETIMEDOUT"), phase, online) == "timeout"


def test_a_tls_handshake_that_fails_or_is_not_answered():
    error = ValueError("the certificate is bad")  # as `Secure` tells it
    assert explain(error, "tls", False) == ("tls_failed", "the certificate is bad")
    assert reason(os_error("ETIMEDOUT"), "tls") == "timeout"


def test_the_connection_ends_before_the_connack():
    for name in ("ECONNRESET", "ENOTCONN"):
        found, detail = explain(os_error(name), "mqtt", False)
        assert found == "closed_before_connack"
        assert "connection limit" in detail


def test_the_connection_ends_later():
    for name in ("ECONNRESET", "ENOTCONN", "EIO"):
        assert explain(os_error(name), "mqtt", True) == ("connection_lost", "what the system says")


def test_what_mqtt_does_not_allow():
    error = ProtocolError(errno.EINVAL, "packet type 0xf0")
    for online in (False, True):
        assert explain(error, "mqtt", online) == ("protocol_error", "packet type 0xf0")


def test_what_umqtt_trips_over():
    for error in (AssertionError(), IndexError("bytes index out of range"), TypeError(),
                  ValueError()):
        assert reason(error) == "protocol_error"
        assert reason(error, online=True) == "protocol_error"


def test_out_of_memory_is_not_the_fault_of_the_broker():
    assert explain(MemoryError(), "mqtt", True) == ("connection_lost", "out of memory")


def test_the_detail_is_a_text_also_without_one_in_the_error():
    for error in (OSError(errno.ECONNRESET), OSError(9999), OSError()):
        assert isinstance(explain(error, "mqtt", True)[1], str)
