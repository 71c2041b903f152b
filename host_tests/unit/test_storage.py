"""Files are replaced whole or not at all, and a broken one is told from a missing one."""

import os

from firmware import storage
from host_tests.unit.fakes import Patched, in_scratch, raised, write


class Disk:
    """Stands for `open` and `os` at once: notes what is done, and fails at one step."""

    def __init__(self, fails_at=None):
        self.steps = []
        self._fails_at = fails_at

    def open(self, path, mode):
        self._step("open %s %s" % (path, mode))
        return self

    def write(self, data):
        self._step("write %s" % str(data, "ascii"))

    def flush(self):
        self._step("flush")

    def close(self):
        self._step("close")

    def rename(self, old, new):
        self._step("rename %s %s" % (old, new))

    def _step(self, text):
        self.steps.append(text)
        if text.split()[0] == self._fails_at:
            raise OSError(28)


STEPS = ["open a.json.new wb", "write data", "flush", "close", "rename a.json.new a.json"]


def test_a_file_is_written_beside_the_old_one_and_renamed_at_the_end():
    disk = Disk()
    with Patched(storage, open=disk.open, os=disk):
        storage.replace("a.json", b"data")
    assert disk.steps == STEPS


def test_whatever_fails_before_the_rename_leaves_the_old_file():
    for fails_at in ("open", "write", "flush", "close"):
        disk = Disk(fails_at)
        with Patched(storage, open=disk.open, os=disk):
            assert raised(OSError, storage.replace, "a.json", b"data"), fails_at
        assert not any(step.startswith("rename") for step in disk.steps), fails_at


def test_a_file_that_could_not_be_written_is_closed():
    for fails_at in ("write", "flush"):
        disk = Disk(fails_at)
        with Patched(storage, open=disk.open, os=disk):
            raised(OSError, storage.replace, "a.json", b"data")
        assert disk.steps[-1] == "close", fails_at


@in_scratch
def test_replaced_bytes_are_read_back():
    for data in (b"", b"one", bytes(range(256)) * 8):
        storage.replace("a", data)
        assert storage.read("a") == data
        assert os.listdir(".") == ["a"]


@in_scratch
def test_a_left_over_of_a_power_cut_is_no_obstacle():
    storage.replace("a", b"old")
    write("a.new", b"half of a much longer file")
    assert storage.read("a") == b"old"
    storage.replace("a", b"new")
    assert storage.read("a") == b"new"
    assert os.listdir(".") == ["a"]


@in_scratch
def test_no_file_is_none():
    assert storage.read("a") is None
    assert storage.read_json("a") is None


@in_scratch
def test_a_file_above_the_limit_is_refused():
    write("a", b"12345")
    assert storage.read("a", 5) == b"12345"
    assert raised(ValueError, storage.read, "a", 4)
    write("a", b" " * 8193)
    assert raised(ValueError, storage.read_json, "a")


@in_scratch
def test_remove():
    write("a", b"")
    storage.remove("a")
    storage.remove("a")
    assert os.listdir(".") == []


@in_scratch
def test_json_is_read_back():
    for value in ({"a": [1, None, "\u20ac"], "b": {"c": True}}, [True, False], "x", 0):
        storage.replace_json("a", value)
        assert storage.read_json("a") == value


@in_scratch
def test_json_cut_short_anywhere_is_broken_not_missing():
    whole = b'{"a": "\xe2\x82\xac", "b": [1, {"c": 2}], "d": 3}'
    write("a", whole)
    assert storage.read_json("a")["d"] == 3
    for size in range(len(whole)):
        write("a", whole[:size])
        assert raised(ValueError, storage.read_json, "a"), whole[:size]


@in_scratch
def test_the_error_names_the_file():
    for data in (b"", b"{", b"\xff\xfe", b"\0" * 100):
        write("a", data)
        assert "a is not JSON" in str(raised(ValueError, storage.read_json, "a"))


def test_a_file_the_disk_cannot_read_is_broken():
    class Unreadable(Disk):
        def read(self, n):
            raise OSError(5)

    disk = Unreadable()
    with Patched(storage, open=disk.open):
        assert "a cannot be read" in str(raised(ValueError, storage.read_json, "a"))
    assert disk.steps[-1] == "close"
