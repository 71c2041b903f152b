"""Bundles: unpacked file by file, and refused for anything that is not as it should be."""

import io
from binascii import hexlify, unhexlify
from hashlib import sha256

from firmware.ota.bundle import BadBundle, allowed, unpack
from host_tests.unit.fakes import raised

# Made by zlib with a window of 2**10 from A and B below: what scripts/bundle makes.
A = b"x = 1\n" * 400
B = b'{"name": "b", "chip": "esp32"}\n'
COMPRESSED = unhexlify(
    "48534231e36360e04c9893fee992cdfd85771734893fb8face7db29ac3c449693ba3574e79dcbbdd5eddc6282d"
    "b328b73cb128553f512fb7a0b242c156c1906b941c2547c95172941c2547c9517294a41629c6c0c020afbb61d1"
    "3c67d39cf5bfe7c9316c6ca994d857f5fefae1c34b1c788eff8beaba64189e9659945b9e5894aa9f949f589452"
    "ac9fa497559c9f57ad9497989baa64a5a094a4a4a3a0949c915900e2a41617181b29d572310000")
# One file: 32 bytes, 1,100 zeros, the same 32 bytes. With a window of 2**15 bytes the end is a
# reference 1,132 bytes back, with one of 2**10 it is written out.
FAR = unhexlify(
    "48534231e3636060e9f9a0dd7fcbf2a6f3d58a15417f9375b63c7f6a18325ff2512747f08f77a6392b4ebe4acb"
    "2cca2d4f2c4ad54fd4cb2da8d42d1473daaeb6c18531a966e5ef35465f4f04f36f9c6073e436936abbf824298f"
    "468651300a46c128a0022058d60000")
NEAR = unhexlify(
    "48534231e3636060e9f9a0dd7fcbf2a6f3d58a15417f9375b63c7f6a18325ff2512747f08f77a6392b4ebe4acb"
    "2cca2d4f2c4ad54fd4cb2da8d42d1473daaeb6c18531a966e5ef35465f4f04f36f9c6073e436936abbf824298f"
    "468651300a46c128a002d02d1473daaeb6c18531a966e5ef35465f4f04f36f9c6073e436936abbf824298f4606"
    "00")


class Folder:
    """Takes the files of a bundle; `full` is the number of bytes after which it is full."""

    def __init__(self, full=1 << 20):
        self.files = {}
        self.open = 0
        self.longest = 0
        self.room = full

    def create(self, name):
        assert name not in self.files
        self.files[name] = b""
        self.open += 1
        return File(self, name)


class File:
    def __init__(self, folder, name):
        self._folder = folder
        self._name = name

    def write(self, data):
        folder = self._folder
        folder.room -= len(data)
        if folder.room < 0:
            raise OSError(28)
        folder.files[self._name] += bytes(data)
        folder.longest = max(folder.longest, len(data))

    def close(self):
        self._folder.open -= 1


def record(name, content, digest=None, size=None):
    """One file as it is in a bundle, before it is compressed."""
    size = len(content) if size is None else size
    return (bytes([len(name)]) + size.to_bytes(4, "big") + (digest or sha256(content).digest())
            + name + content)


def stored(plain):
    """A deflate stream that is not compressed (RFC 1951 section 3.2.4)."""
    out = b""
    for at in range(0, len(plain), 60000):
        piece = plain[at:at + 60000]
        last = at + 60000 >= len(plain)
        out += bytes([last]) + len(piece).to_bytes(2, "little")
        out += (len(piece) ^ 0xFFFF).to_bytes(2, "little") + piece
    return out


def bundle(*records):
    return b"HSB1" + stored(b"".join(records) + b"\0")


def unpacked(data, folder=None, max_bytes=1 << 20):
    """[(name, hash)] of all files."""
    return list(unpack(io.BytesIO(data), folder, max_bytes, lambda: None))


def refusal(data, max_bytes=1 << 20):
    """Why a bundle is refused; the same with and without writing."""
    folder = Folder()
    told = raised(BadBundle, unpacked, data, folder, max_bytes)
    assert folder.open == 0
    assert str(told) == str(raised(BadBundle, unpacked, data, None, max_bytes))
    return str(told) if told else None


GOOD = bundle(record(b"firmware/__init__.mpy", b"M\x06"), record(b"firmware/a/b.mpy", b"code"),
              record(b"firmware/empty.json", b""))


def test_a_compressed_bundle():
    folder = Folder()
    told = unpacked(COMPRESSED, folder)
    assert folder.files == {"firmware/a.mpy": A, "firmware/boards/b.json": B}
    assert told == [(name, str(hexlify(sha256(folder.files[name]).digest()), "ascii"))
                    for name in sorted(folder.files)]
    assert folder.open == 0


def test_files_are_told_when_they_are_written():
    folder = Folder()
    steps = unpack(io.BytesIO(GOOD), folder, 1 << 20, lambda: None)
    assert next(steps)[0] == "firmware/__init__.mpy"
    assert folder.files == {"firmware/__init__.mpy": b"M\x06"} and folder.open == 0


def test_an_empty_file_is_a_file():
    folder = Folder()
    assert len(unpacked(GOOD, folder)) == 3
    assert folder.files["firmware/empty.json"] == b""


def test_the_check_writes_nothing_and_says_the_same():
    assert unpacked(COMPRESSED) == unpacked(COMPRESSED, Folder())


def test_it_goes_in_pieces_of_512_bytes_and_beats_at_each():
    folder = Folder()
    beats = []
    for _ in unpack(io.BytesIO(COMPRESSED), folder, 1 << 20, lambda: beats.append(1)):
        pass
    assert folder.longest == 512
    assert len(beats) == 6  # 2,400 bytes and 31


def test_a_compressed_bundle_cut_anywhere():
    for size in range(len(COMPRESSED)):
        assert refusal(COMPRESSED[:size]), size


def test_a_stored_bundle_cut_anywhere():
    for size in range(len(GOOD)):
        assert refusal(GOOD[:size]), size


def test_any_byte_changed():
    # Past the magic each bit is in a length, a hash, a name, or in what is hashed. (A name may
    # become another good one: whether the bundle is the signed one is for its own hash to say.)
    names = [name for name, _ in unpacked(COMPRESSED)]
    same = 0
    for at in range(len(COMPRESSED)):
        changed = bytearray(COMPRESSED)
        changed[at] ^= 0x10
        folder = Folder()
        if raised(BadBundle, unpacked, bytes(changed), folder) is None:
            same += sorted(folder.files) == names
        assert folder.open == 0
    assert same <= 1  # the padding of the last byte


def test_bytes_behind_the_end():
    assert refusal(GOOD) is None
    assert refusal(GOOD + b"\0") == "bytes behind the end"
    assert refusal(COMPRESSED + b"x") == "bytes behind the end"
    assert refusal(b"HSB1" + stored(record(b"firmware/a.mpy", b"") + b"\0\0")) \
        == "bytes behind the end"


def test_what_is_no_bundle():
    for data in (b"", b"HSB", b"HSB2" + GOOD[4:], b"PK\x03\x04" + GOOD[4:]):
        assert refusal(data), data[:4]


def test_a_wrong_hash():
    assert refusal(bundle(record(b"firmware/a.mpy", b"code", bytes(32)))) \
        == "firmware/a.mpy does not have its hash"
    assert refusal(bundle(record(b"firmware/a.mpy", b"", bytes(32))))


def test_a_wrong_size():
    good = record(b"firmware/b.mpy", b"more code, and then some, for the length of a head")
    assert refusal(bundle(record(b"firmware/a.mpy", b"code", size=3), good))
    assert refusal(bundle(record(b"firmware/a.mpy", b"code", size=5), good))
    assert refusal(bundle(record(b"firmware/a.mpy", b"code", size=0xFFFFFFFF)))


def test_names_that_are_refused():
    for name in (
        b"boot.py", b"boot.mpy", b"main.py", b"config.json", b"slots.state", b"seal",
        b"lib/slots.py",
        b"machine.py", b"json.mpy",  # would take the place of a built-in module
        b"/firmware/a.mpy", b"//firmware/a.mpy", b"../firmware/a.mpy", b"firmware/../boot.py",
        b"firmware/..", b"firmware/../../keys.bin", b"./firmware/a.mpy", b"firmware/./a.mpy",
        b"firmware//a.mpy", b"firmware/", b"firmware", b"firmware/a.mpy/", b"firmwares/a.mpy",
        b"Firmware/a.mpy", b"firmware/a", b"firmware/a.b/c.mpy", b"firmware/.hidden",
        b"firmware/a/b/c.mpy", b"firmware/a/b/c/d.mpy",
        b"firmware/a b.mpy", b"firmware/a\0.mpy", b"firmware/a\n.mpy", b"firmware\\a.mpy",
        b"firmware/\xc3\xa4.mpy", b"firmware/\xff.mpy", b"firmware/" + b"a" * 36 + b".mpy",
        b"a/keys.bin", b"keys.bin/a.mpy", b"keys.bi", b"keys.binx", b" keys.bin",
    ):
        assert not allowed(name), name
        assert refusal(bundle(record(name, b"code"))), name
    assert refusal(bundle(record(b"firmware/" + b"a" * 200 + b".mpy", b"code")))


def test_names_that_are_not():
    for name in (b"firmware/a.mpy", b"firmware/a/b.mpy", b"firmware/a_B-9.py",
                 b"firmware/x.tar.gz", b"firmware/" + b"a" * 35 + b".mpy"):
        assert allowed(name), name
        assert refusal(bundle(record(name, b"code"))) is None, name


def test_duplicates_and_names_out_of_order():
    a, b = record(b"firmware/a.mpy", b"1"), record(b"firmware/b.mpy", b"2")
    assert refusal(bundle(a, b)) is None
    assert refusal(bundle(b, a))
    assert refusal(bundle(a, a))
    assert refusal(bundle(a, b, record(b"firmware/a.mpy", b"3")))


def test_new_keys_have_the_size_of_a_key_file():
    assert refusal(bundle(record(b"keys.bin", bytes(768)))) is None
    for size in (0, 384, 767, 769):
        assert refusal(bundle(record(b"keys.bin", bytes(size)))), size


def test_more_than_there_is_room_for_is_refused_before_the_file_is_begun():
    data = bundle(record(b"firmware/a.mpy", bytes(4096)), record(b"firmware/b.mpy", bytes(1)))
    assert refusal(data, 8192) is None  # files take whole blocks
    assert refusal(data, 8191)
    folder = Folder()
    raised(BadBundle, unpacked, data, folder, 8191)
    assert list(folder.files) == ["firmware/a.mpy"]


def test_too_many_files():
    records = [record(b"firmware/%03d.mpy" % at, b"") for at in range(201)]
    assert refusal(bundle(*records[:200])) is None
    assert refusal(bundle(*records))


def test_a_full_disk_is_told_as_it_is():
    folder = Folder(full=600)
    assert raised(OSError, unpacked, COMPRESSED, folder).args[0] == 28
    assert folder.open == 0


def test_a_window_larger_than_the_decoder_has():
    # With 2**15 it would take 34 KB.
    assert refusal(NEAR) is None
    assert refusal(FAR)


def test_no_deflate_stream_at_all():
    for junk in (b"\xff" * 64, b"\x07" + bytes(64), bytes(64)):
        assert refusal(b"HSB1" + junk)
