"""The bundle that an update comes in, and how it is unpacked, a block at a time.

    "HSB1"
    deflate stream (raw, window of 2**10 bytes: the decoder needs 3 KB) of
        for each file: 1 length of its name, 4 size (big-endian), 32 SHA-256, name, content
        1 zero byte

Names are ASCII and ascend, which also means that no two are the same. Only what is below
`firmware/` can be in a bundle, and new keys: nothing else could be told from boot code, settings,
or a module that takes the place of one of MicroPython's.
"""

from binascii import hexlify
from hashlib import sha256

from deflate import RAW, DeflateIO
from micropython import const

from . import KEYS

MAGIC = b"HSB1"
WINDOW_BITS = 10
MAX_FILES = 200
MAX_NAME = 48

_MAX_FOLDERS = const(2)
_KEYS_BYTES = const(768)
_HEAD_BYTES = const(36)  # size and SHA-256
_BLOCK_BYTES = const(512)
_FLASH_BLOCK = const(4096)
_NAME_CHARS = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-."


class BadBundle(Exception):
    """It is not what scripts/bundle makes; the text says where."""


class TooLarge(BadBundle):
    """Its files take more than there is room for."""


def unpack(stream, folder, max_bytes, beat):
    """Unpack a whole bundle; yields (name, SHA-256 in hex) of each file when it is written.

    stream: has readinto, ends with the bundle. folder: its `create(name)` makes an open file with
    the folders in its name; None to check the bundle without a write. max_bytes: most that the
    files may take, each in whole blocks of 4,096 bytes. beat(): called for every 512 bytes, so
    that the house goes on.
    Raises BadBundle, and what the folder raises; what was written until then is worth nothing.
    """
    block = memoryview(bytearray(_BLOCK_BYTES))
    _read(stream, block[:4])
    if block[:4] != MAGIC:
        raise BadBundle("not a bundle")
    inflated = DeflateIO(stream, RAW, WINDOW_BITS)
    previous = ""
    count = total = 0
    while True:
        _read(inflated, block[:1])
        length = block[0]
        if not length:
            break
        _read(inflated, block[:_HEAD_BYTES + length])
        size = int.from_bytes(block[:4], "big")
        digest = bytes(block[4:_HEAD_BYTES])
        name = bytes(block[_HEAD_BYTES:_HEAD_BYTES + length])
        if not allowed(name):
            raise BadBundle("the name %r" % name)
        name = str(name, "ascii")
        if name <= previous:
            raise BadBundle("%s after %s" % (name, previous))
        previous = name
        count += 1
        total += (size + _FLASH_BLOCK - 1) // _FLASH_BLOCK * _FLASH_BLOCK
        if count > MAX_FILES:
            raise BadBundle("more than %d files" % MAX_FILES)
        if total > max_bytes:
            raise TooLarge("its files take more than the %d bytes there is room for" % max_bytes)
        if name == KEYS and size != _KEYS_BYTES:
            raise BadBundle("%s of %d bytes" % (name, size))
        file = folder.create(name) if folder else None
        try:
            sha = sha256()
            while size:
                piece = block[:min(size, _BLOCK_BYTES)]
                _read(inflated, piece)
                sha.update(piece)
                if file:
                    file.write(piece)
                size -= len(piece)
                beat()
        finally:
            if file:
                file.close()
        if sha.digest() != digest:
            raise BadBundle("%s does not have its hash" % name)
        yield name, str(hexlify(digest), "ascii")
    if _some(inflated, block[:1]) or _some(stream, block[:1]):
        raise BadBundle("bytes behind the end")


def allowed(name):
    """Whether a file of this name (bytes) may be in a bundle.

    keys.bin, or below firmware/, at most two folders deep. Only the last part has a dot in it, so
    that no name is both a file and a folder.
    """
    if name == KEYS.encode():
        return True
    parts = name.split(b"/")
    folders = len(parts) - 1
    if parts[0] != b"firmware" or not 0 < folders <= _MAX_FOLDERS or len(name) > MAX_NAME:
        return False
    for at, part in enumerate(parts):
        if part[:1] in b"." or (b"." in part) != (at == folders):
            return False
        if not all(c in _NAME_CHARS for c in part):
            return False
    return True


def _read(stream, view):
    # Fill `view`, or it was cut short.
    while len(view):
        n = _some(stream, view)
        if not n:
            raise BadBundle("cut short")
        view = view[n:]


def _some(stream, view):
    try:
        return stream.readinto(view)
    except (EOFError, OSError, ValueError):  # EOFError: in the middle of the deflate stream
        raise BadBundle("cut short or damaged")
