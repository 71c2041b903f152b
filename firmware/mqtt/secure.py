# TLS for the stream: the broker's certificate is always checked, SNI always sent.
import tls

# What mbedTLS says of a certificate, in words of ours.
_CERTIFICATE = (
    ("has expired", "the broker's certificate has expired, or the node's clock is wrong"),
    ("in the future", "the broker's certificate is not valid yet, or the node's clock is wrong"),
    ("does not match", "the broker's certificate is for another host: wrong host"),
    ("not correctly signed", "the broker's certificate is from an unknown CA: see tls_ca"),
)


class Secure:
    """Wraps sockets in TLS 1.2 or newer.

    roots: the CA certificates to trust, as the bytes of a PEM file. ValueError if it has none.
    """

    def __init__(self, roots):
        # This kind of context demands a certificate without being told (reference: platform 2.2).
        # What the ESP8266 lacks, its stubs lack too; there `Refused` stands in.
        self._context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        try:
            self._context.load_verify_locations(roots)  # type: ignore[attr-defined,unused-ignore]
        except (OSError, ValueError) as e:
            raise ValueError("no CA certificate: %s" % e)

    def wrap(self, sock, host):
        """The TLS socket over a connected, non-blocking one; no byte has been sent yet."""
        return self._context.wrap_socket(sock, server_hostname=host,
                                         do_handshake_on_connect=False)


class Refused:
    """In place of `Secure` where TLS cannot be: the reason comes with every attempt."""

    def __init__(self, why):
        self._why = why

    def wrap(self, sock, host):
        raise ValueError(self._why)


def explain(error):
    """What a TLS failure means, as a text."""
    text = str(error)
    for part, meaning in _CERTIFICATE:
        if part in text:
            return meaning
    return "the TLS handshake failed: %s" % (text.strip() or repr(error))
