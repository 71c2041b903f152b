"""The bundle file: what a node downloads, and behind it the offer, signed or not yet.

    the bundle as firmware/ota/bundle.py reads it: `size` bytes, SHA-256 in the offer
    the offer as firmware/ota/offer.py reads it, without action: JSON
    4 bytes length of that JSON, big-endian, then "offer"

So there is one file to keep, sign, serve and send. A node never asks for what is behind `size`.
"""

import base64
import hashlib
import io
import json
import os
import re
import struct
import zlib
from pathlib import Path

from firmware.ota import bundle, signature

from . import keys
from .errors import BundleError

_END = b"offer"
_MAX_UNPACKED = 1 << 24  # larger than any flash it could go to
_VERSION = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?", re.A)
_TARGETS = {"app": signature.APP, "image": signature.IMAGE}
_FLAGS = (("allow_downgrade", signature.ALLOW_DOWNGRADE), ("force", signature.FORCE))


class _File:
    """What an unpacked file is written to."""

    def __init__(self):
        self.content = b""

    def write(self, data):
        self.content += data

    def close(self):
        pass


def pack(files):
    """The bytes of a bundle with these files ({name: content})."""
    if len(files) > bundle.MAX_FILES:
        raise BundleError("%d files, at most %d" % (len(files), bundle.MAX_FILES))
    plain = b""
    for name, content in sorted(files.items()):
        if not bundle.allowed(name.encode()) or len(name) > bundle.MAX_NAME:
            raise BundleError("%s cannot be in a bundle" % name)
        plain += struct.pack(">BI", len(name), len(content)) + hashlib.sha256(content).digest()
        plain += name.encode() + content
    deflater = zlib.compressobj(9, zlib.DEFLATED, -bundle.WINDOW_BITS, 9)
    return bundle.MAGIC + deflater.compress(plain + b"\0") + deflater.flush()


def check(version, floor):
    """Raise BundleError unless a node can take them for a version and a floor."""
    if not _VERSION.fullmatch(version) or len(version) > signature.VERSION_BYTES:
        raise BundleError("version %s is not MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-NAME of at "
                          "most %d characters" % (version, signature.VERSION_BYTES))
    if not 0 <= floor < 1 << 32:
        raise BundleError("the floor must be from 0 to %d" % ((1 << 32) - 1))


def offer(payload, version, floor, chips, mpy):
    """The offer of a bundle, not signed yet. `chips`: names as in board profiles."""
    check(version, floor)
    hardware = ",".join(sorted(chips))
    if not re.fullmatch(r"[a-z0-9]+(,[a-z0-9]+)*", hardware) \
            or len(hardware) > signature.HARDWARE_BYTES:
        raise BundleError("hardware %r is not names with commas between, of at most %d characters"
                          % (hardware, signature.HARDWARE_BYTES))
    return {"target": "app", "bundle": hashlib.sha256(payload).hexdigest(), "size": len(payload),
            "version": version, "floor": floor, "hw": hardware, "mpy": mpy}


def sign(unsigned, key, allow_downgrade=False, force=False):
    """The offer with `key` and `sig` of this private key, and with or without the flags."""
    signed = {name: unsigned[name] for name in
              ("target", "bundle", "size", "version", "floor", "hw", "mpy")}
    if allow_downgrade:
        signed["allow_downgrade"] = True
    if force:
        signed["force"] = True
    signed["key"] = signature.key_id(keys.modulus(key.public_key())).hex()
    signed["sig"] = base64.b64encode(keys.sign(key, message(signed))).decode()
    return signed


def message(signed):
    """The bytes that the signature of an offer is of."""
    flags = sum(bit for name, bit in _FLAGS if signed.get(name))
    return signature.signed_message(
        _TARGETS[signed["target"]], flags, bytes.fromhex(signed["key"]),
        bytes.fromhex(signed["bundle"]), signed["size"], signed["floor"], signed["mpy"],
        signed["version"], signed["hw"])


def write(path, payload, about):
    """Put the bundle file in place of `path` in one step."""
    path = Path(path)
    text = json.dumps(about, sort_keys=True, separators=(",", ":")).encode()
    new = path.with_name("%s.%d.new" % (path.name, os.getpid()))
    try:
        new.write_bytes(payload + text + struct.pack(">I", len(text)) + _END)
        os.replace(new, path)
    except OSError as error:
        raise BundleError("%s: %s" % (path, error.strerror)) from error


def read(path):
    """(payload, offer) of a bundle file, whose hash and size are right."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BundleError("%s: %s" % (path, error.strerror)) from error
    foot = len(data) - len(_END) - 4
    if foot < 0 or not data.endswith(_END):
        raise BundleError("%s is no bundle" % path)
    start = foot - struct.unpack_from(">I", data, foot)[0]
    try:
        about = json.loads(data[max(start, 0):foot])
        size, digest = about["size"], about["bundle"]
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError("%s: its offer is damaged" % path) from error
    payload = data[:max(start, 0)]
    if len(payload) != size or hashlib.sha256(payload).hexdigest() != digest:
        raise BundleError("%s is damaged: it does not have its size and hash" % path)
    return payload, about


def files_of(payload, path):
    """{name: content}, unpacked by the code of the node."""
    written = {}

    class Folder:
        @staticmethod
        def create(name):
            return written.setdefault(name, _File())

    try:
        for _ in bundle.unpack(io.BytesIO(payload), Folder, _MAX_UNPACKED, lambda: None):
            pass
    except bundle.BadBundle as error:
        raise BundleError("%s: %s" % (path, error)) from error
    return {name: file.content for name, file in written.items()}


def verify(path, moduli):
    """(offer, id of the key) of a bundle file signed by one of the keys; all files are checked."""
    payload, about = read(path)
    if "sig" not in about:
        raise BundleError("%s is not signed" % path)
    for modulus in moduli:
        key_id = signature.key_id(modulus)
        try:
            if key_id.hex() == about["key"] and keys.signed_by(
                    modulus, base64.b64decode(about["sig"], validate=True), message(about)):
                files_of(payload, path)
                return about, key_id.hex()
        except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            raise BundleError("%s: its offer is damaged" % path) from error
    raise BundleError("%s is not signed by this key" % path)
