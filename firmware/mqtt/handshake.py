# What went wrong in a TLS handshake, in a sentence for people. Loaded for it, then dropped.
import errno

from micropython import const

# What mbedTLS says of a certificate, and what it means where the clock is set.
_CERTIFICATE = (
    ("has expired", "the server's certificate has expired"),
    ("in the future", "the server's certificate is not valid yet"),
    ("does not match", "the server's certificate is for another host: wrong host"),
    ("not correctly signed", "the server's certificate is from an unknown CA: see tls_ca"),
)
_DATES = const(2)  # the first ones depend on the clock

_VERSION = "the server does not speak TLS 1.2"
_ALERT = "the server refuses the handshake: no TLS 1.2, or a client certificate is demanded"
_NO_TLS = "what answers does not speak TLS: is it the port of a TLS listener?"
# mbedTLS's numbers: its texts are not in every build (mbedtls/ssl.h).
_CODES = {
    -0x6E80: _VERSION,  # BAD_PROTOCOL_VERSION
    -0x7780: _ALERT,  # FATAL_ALERT_MESSAGE
    -0x7200: _NO_TLS,  # INVALID_RECORD
    -0x7280: _NO_TLS,  # CONN_EOF
    -0x7F00: "no memory for TLS",  # ALLOC_FAILED
}


def explained(error, clock_set):
    """The exception that takes the place of `error` out of a handshake.

    clock_set: whether the node knows the time, or checks dates against the last it knew.
    """
    text = str(error)
    for n, (part, meaning) in enumerate(_CERTIFICATE):
        if part in text:
            if n < _DATES and not clock_set:
                meaning += ", or so it seems: the node's clock is not set, no time server answers"
            return ValueError(meaning)
    number = error.args[0] if error.args else None
    if number == errno.ETIMEDOUT:
        return OSError(number, "the TLS handshake is not answered: is it a TLS port?")
    if number in (errno.ECONNRESET, errno.ECONNABORTED):
        return ValueError(_NO_TLS)
    return ValueError(_CODES.get(number) or "the TLS handshake failed: %s" % (text or repr(error)))
