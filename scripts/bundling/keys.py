"""RSA-3072 key pairs as PEM files, the node's key file, signing and checking."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from firmware.ota import signature
from toolchain.setup import REPO

from .errors import BundleError

_EXPONENT = 65537
KEY_FILE = "keys.bin"


def generate(folder, spare=None):
    """Make active.pem, spare.pem, their public halves .pub, and keys.bin; returns the paths.

    With `spare`, the PEM file of a key that exists, only a new active key is made.
    """
    folder = Path(folder)
    _refuse_repository(folder)
    names = ("active",) if spare else ("active", "spare")
    paths = [folder / (name + end) for name in names for end in (".pem", ".pub")]
    paths.append(folder / KEY_FILE)
    for path in paths:
        if path.exists():
            raise BundleError("%s is there already; keys are never overwritten" % path)
    moduli = []
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for private_path, public_path in zip(paths[:-1:2], paths[1::2]):
        private = rsa.generate_private_key(_EXPONENT, signature.KEY_BYTES * 8)
        # Readable for its owner only from the first byte on.
        _create(private_path, 0o600, private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        _create(public_path, 0o644, private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        moduli.append(modulus(private.public_key()))
    if spare:
        moduli += public_moduli(spare)[:1]
    _create(paths[-1], 0o644, b"".join(moduli))
    return paths


def private_key(path):
    """The private key in a PEM file."""
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BundleError("%s is no unencrypted private key in PEM" % path) from error
    _check(key, path)
    return key


def public_moduli(path):
    """Moduli in a PEM file (a private or public key) or in a key file of a node."""
    data = _read(path)
    if not data.startswith(b"-----"):
        return list(signature.read_keys(key_file(path)).values())
    if b"PRIVATE" in data:
        key = private_key(path).public_key()
    else:
        try:
            key = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise BundleError("%s is no public key in PEM" % path) from error
        _check(key, path)
    return [modulus(key)]


def key_file(path):
    """The bytes of a node's key file."""
    data = _read(path)
    try:
        signature.read_keys(data)
    except ValueError as error:
        raise BundleError("%s: %s" % (path, error)) from error
    return data


def modulus(public_key):
    return public_key.public_numbers().n.to_bytes(signature.KEY_BYTES, "big")


def sign(key, message):
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def signed_by(key_modulus, signed, message):
    """Whether `signed` is the signature of `message`: asked of `cryptography`, not of our code."""
    numbers = rsa.RSAPublicNumbers(_EXPONENT, int.from_bytes(key_modulus, "big"))
    try:
        numbers.public_key().verify(signed, message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _check(key, path):
    bits = getattr(key, "key_size", 0)
    if not isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)) \
            or bits != signature.KEY_BYTES * 8:
        raise BundleError("%s is no RSA-3072 key" % path)
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    if public.public_numbers().e != _EXPONENT:
        raise BundleError("%s has an exponent other than %d" % (path, _EXPONENT))


def _refuse_repository(folder):
    if Path(REPO).resolve() in (folder.resolve(), *folder.resolve().parents):
        raise BundleError("%s is inside the repository: keys belong elsewhere" % folder)


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BundleError("%s: %s" % (path, error.strerror)) from error


def _create(path, mode, data):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
