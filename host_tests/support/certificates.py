# Certificates for a broker of the tests: a CA of its own, and servers good and bad.
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


class Authority:
    """A CA; `pem` is its certificate as text. Files go into `folder`."""

    def __init__(self, folder, name="test CA"):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = _builder(self._name, self._name, self._key, -1, 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        ).sign(self._key, hashes.SHA256())
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server(self, name, hosts=("127.0.0.1",), first_day=-1, last_day=10):
        """Lines for mosquitto.conf: a certificate for these hosts, valid between these days."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        certificate = _builder(subject, self._name, key, first_day, last_day).add_extension(
            x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
        ).sign(self._key, hashes.SHA256())
        files = {
            "certfile": certificate.public_bytes(serialization.Encoding.PEM),
            "keyfile": key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption()),
        }
        lines = []
        for kind, content in files.items():
            path = self._folder / (name + "." + kind)
            path.write_bytes(content)
            path.chmod(0o644)  # Mosquitto gives up root before it reads them
            lines.append("%s %s" % (kind, path))
        return lines


def _builder(subject, issuer, key, first_day, last_day):
    now = datetime.datetime.now(datetime.timezone.utc)
    return x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(
        key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(
        now + first_day * _DAY).not_valid_after(now + last_day * _DAY)


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
