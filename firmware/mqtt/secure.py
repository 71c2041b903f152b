# TLS for the stream: the broker's certificate is always checked, SNI always sent.
import tls

from .. import ondemand, storage


class Secure:
    """Wraps sockets in TLS 1.2 or newer.

    roots: the CA certificates to trust, as a list of PEM texts; empty ones are passed over.
    clock: `Clock`, to tell a certificate from the future from a clock that is not set.
    ValueError if there is no certificate.
    """

    def __init__(self, roots, clock):
        self._clock = clock
        # This kind of context demands a certificate without being told (reference: platform 2.2).
        # What the ESP8266 lacks, its stubs lack too; there `Refused` stands in.
        self._context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        roots = [pem for pem in roots if pem]
        if not roots:
            raise ValueError("no CA certificate")
        for pem in roots:  # each call adds to those before
            try:
                self._context.load_verify_locations(  # type: ignore[attr-defined,unused-ignore]
                    pem)
            except (OSError, ValueError) as e:
                raise ValueError("no CA certificate: %s" % e)

    def wrap(self, sock, host):
        """The TLS socket over a connected, non-blocking one; no byte has been sent yet."""
        return self._context.wrap_socket(sock, server_hostname=host,
                                         do_handshake_on_connect=False)

    def explained(self, error):
        """The exception to raise for one out of a handshake: what it means, as a text.

        OSError(ETIMEDOUT) stays what it is; all others become a ValueError.
        """
        try:
            return ondemand.load("mqtt.handshake").explained(
                error, self._clock.unix() is not None)
        finally:
            ondemand.drop("mqtt.handshake")


class Refused:
    """In place of `Secure` where TLS cannot be: the reason comes with every attempt."""

    def __init__(self, why):
        self._why = why

    def wrap(self, sock, host):
        raise ValueError(self._why)

    def explained(self, error):
        return error


def of_settings(settings, clock):
    """`Secure` that trusts the CA certificates beside the code, and those of `tls_ca`. ValueError
    or OSError if it cannot be."""
    path = storage.beside("firmware/roots.pem")
    return Secure((path and storage.read(path), settings["tls_ca"]), clock)
