"""The offer of an update: what `command/ota` says, and whether this node may and can take it.

    {"action": "offer", "target": "app", "bundle": hex, "size": bytes, "version": "1.4.0",
     "floor": 7, "hw": "esp32,esp32c3", "mpy": 6, "key": hex, "sig": base64}

and, if wanted, `allow_downgrade` and `force` (true), both signed, and `url`, which is not: the
signed hash decides what comes from there. Refusals are `Refused(code, message)` in this order:

    bad_request     a field is missing or wrong
    unsupported     target "image": reserved
    unknown_key     the node has no such key
    bad_signature   everything below is signed
    wrong_hardware  not for this chip
    wrong_mpy       compiled for another MicroPython
    below_floor     an older generation than one that ran here
    downgrade       an older version than the one that runs, without `allow_downgrade`
    known_bad       it failed here before, without `force`
    no_space        larger than there is room for
"""

from binascii import a2b_base64, hexlify, unhexlify

from ..mqtt.commands import Refused, integer
from . import signature

_MAX_U32 = (1 << 32) - 1
_ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_URL_CHARS = 256


class Offer:
    """The fields of an offer, well-formed but not checked yet; takes the dict of the command.

    target, version, hardware, url (None if none): str; bundle (SHA-256), key, signature: bytes;
    size in bytes, floor, mpy: int; allow_downgrade, force: bool. `id` is the short name of the
    bundle: the first 8 hex digits of its hash.
    """

    def __init__(self, command):
        self.target = _text(command, "target", 5)
        if self.target not in ("app", "image"):
            raise Refused("bad_request", "target must be app or image")
        self.bundle = _bytes(command, "bundle", unhexlify, 64, 32)
        self.id = str(hexlify(self.bundle[:4]), "ascii")
        self.size = integer(command, "size", 1, _MAX_U32)
        self.version = _text(command, "version", signature.VERSION_BYTES)
        try:
            version_key(self.version)
        except ValueError as e:
            raise Refused("bad_request", "version: %s" % e)
        self.floor = integer(command, "floor", 0, _MAX_U32)
        self.hardware = _text(command, "hw", signature.HARDWARE_BYTES)
        self.mpy = integer(command, "mpy", 0, 0xFFFF)
        self.allow_downgrade = _flag(command, "allow_downgrade")
        self.force = _flag(command, "force")
        self.key = _bytes(command, "key", unhexlify, 8, signature.KEY_ID_BYTES)
        self.signature = _bytes(command, "sig", a2b_base64, 512, signature.KEY_BYTES)
        self.url = None
        if command.get("url") is not None:
            self.url = _text(command, "url", _URL_CHARS)
            if not self.url.startswith(("http://", "https://")):
                raise Refused("bad_request", "url must begin with http:// or https://")

    def check(self, node, beat):
        """Raise Refused unless this node may take the offer; nothing is written before.

        node has `keys` (of signature.read_keys), `hardware` (chip of the board profile), `mpy`
        (sys.implementation._mpy), `version`, `floor`, `bad` (ids of bundles that failed
        here) and `max_bytes` (the largest bundle that fits). `beat` as in signature.verify.
        """
        if self.target != "app":
            raise Refused("unsupported", "this firmware updates the target app only")
        modulus = node.keys.get(self.key)
        if modulus is None:
            raise Refused("unknown_key", "signed by a key that this node does not have")
        if not signature.verify(modulus, self.signature, self.signed_message(), beat):
            raise Refused("bad_signature", "the signature is not that of this offer")
        if node.hardware not in self.hardware.split(","):
            raise Refused("wrong_hardware", "for %s, this is %s" % (self.hardware, node.hardware))
        # Byte code depends on the version only; native code also on what is above it.
        if self.mpy & 0xFF != node.mpy & 0xFF or self.mpy >> 8 not in (0, node.mpy >> 8):
            raise Refused("wrong_mpy", "mpy %d, this MicroPython has %d" % (self.mpy, node.mpy))
        if self.floor < node.floor:
            raise Refused("below_floor", "floor %d, here it is %d" % (self.floor, node.floor))
        if not self.allow_downgrade and version_key(self.version) < version_key(node.version):
            raise Refused("downgrade", "%s is older than %s" % (self.version, node.version))
        if self.id in node.bad and not self.force:
            raise Refused("known_bad", "this bundle has failed here")
        if self.size > node.max_bytes:
            raise Refused("no_space", "%d bytes, room for %d" % (self.size, node.max_bytes))

    def signed_message(self):
        """What the signature is of."""
        return signature.signed_message(
            signature.APP if self.target == "app" else signature.IMAGE,
            signature.ALLOW_DOWNGRADE * self.allow_downgrade | signature.FORCE * self.force,
            self.key, self.bundle, self.size, self.floor, self.mpy, self.version, self.hardware)


def version_key(text):
    """A tuple that sorts as semver.org 2.0.0, section 11, orders versions: 1.0.0-rc.1 < 1.0.0.

    ValueError if it is no such version; build metadata (behind "+") is none for us.
    """
    at = text.find("-")
    numbers = (text if at < 0 else text[:at]).split(".")
    if len(numbers) != 3:
        raise ValueError("must be MAJOR.MINOR.PATCH")
    key = [_number(number) for number in numbers]
    key.append(at < 0)  # a release comes after its candidates
    for part in text[at + 1:].split(".") if at >= 0 else ():
        if not part or not all(c in _ALPHANUMERIC or c == "-" for c in part):
            raise ValueError("wrong behind the -")
        # Numbers come before texts.
        key.append((0, _number(part), "") if _is_number(part) else (1, 0, part))
    return tuple(key)


def _is_number(text):
    return text != "" and all("0" <= c <= "9" for c in text)


def _number(text):
    if not _is_number(text) or text[0] == "0" and text != "0":
        raise ValueError("must be numbers without leading zeros")
    return int(text)


def _text(command, name, most):
    value = command.get(name)
    # Nothing else is in a version, a chip or a URL, and nothing else may get into a request line.
    if not isinstance(value, str) or not 0 < len(value) <= most \
            or not all("!" <= c <= "~" for c in value):
        raise Refused("bad_request",
                      "%s must be 1 to %d printable ASCII characters, no space" % (name, most))
    return value


def _bytes(command, name, decode, chars, size):
    value = command.get(name)
    try:
        data = decode(value) if isinstance(value, str) and len(value) == chars else b""
    except ValueError:
        data = b""
    if len(data) != size:
        raise Refused("bad_request", "%s must be %d characters for %d bytes" % (name, chars, size))
    return data


def _flag(command, name):
    value = command.get(name, False)
    if not isinstance(value, bool):
        raise Refused("bad_request", "%s must be true or false" % name)
    return value
