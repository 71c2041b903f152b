# What an exception from umqtt means, in one word for machines and one sentence for people.
import errno

from umqtt.simple import MQTTException

from ..resolver import DnsError
from .line import ProtocolError

_CONNACK = {
    1: ("broker_refused", "the broker does not speak MQTT 3.1.1"),
    2: ("broker_refused", "the broker refuses this client id"),
    3: ("broker_refused", "the broker is not available"),
    4: ("bad_credentials", "wrong user or password"),
    5: ("not_authorized", "not authorized: check user, password and access rules"),
}


def explain(error, phase, online):
    """(reason, detail) of what ended an attempt or a session.

    phase: how far the stream had come ("dns", "tcp", "mqtt"); online: after a good CONNACK.
    """
    if isinstance(error, MQTTException):
        code = error.args[0] if error.args else 0
        if code == 0x80:
            return "not_authorized", "the broker refuses the subscription to our commands"
        reason, text = _CONNACK.get(code, ("broker_refused", "unknown code"))
        return reason, "CONNACK %d: %s" % (code, text)
    if isinstance(error, DnsError):
        return "dns_failed", str(error.args[1])
    if phase == "tls" and isinstance(error, ValueError):  # by `Secure`, in words
        return "tls_failed", str(error)
    if isinstance(error, ProtocolError):
        return "protocol_error", str(error.args[1])
    if isinstance(error, OSError):
        return _os_error(error, phase, online)
    if isinstance(error, MemoryError):
        return "connection_lost", "out of memory"
    # umqtt asserts what the broker sends, and indexes into what it did not send
    return "protocol_error", repr(error)


def _os_error(error, phase, online):
    name = errno.errorcode.get(error.errno, str(error.errno))
    detail = str(error.args[1]) if len(error.args) > 1 else name
    if name == "ETIMEDOUT":
        return "timeout", detail
    if phase == "dns":
        return "dns_failed", detail
    if phase == "tcp":
        return "unreachable", detail
    if phase == "websocket":
        return "closed_before_connack", detail + "; is it the port of a WebSocket listener?"
    if not online:
        return "closed_before_connack", \
            detail + "; is the broker's connection limit reached, or is the port TLS only?"
    return "connection_lost", detail
