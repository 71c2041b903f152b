"""A trial of settings in flash: what each start makes of it."""

import os

from firmware import storage
from firmware.config import TRIAL, pending, schema, store
from host_tests.unit.fakes import Patched, in_scratch, write

VALUES = {"home_id": "new", "stable_s": 5}
OLD, NEW = ["homesync", "h", "n"], ["homesync", "new", "n"]


def begun():
    write("config.json", b'{"home_id": "h", "sample_ms": 900}')
    store.load()
    pending.begin("r1", VALUES, {"changed": ["home_id", "stable_s"]}, OLD, NEW)


def start():
    """(settings in use, record, problems)"""
    settings, problems = store.load()
    return settings, store.pending(settings, problems), problems


def stored(path="config.json"):
    return storage.read_json(path)


def full(path, data):
    raise OSError(28)


class Flash:
    """Has room for so many files, then no more."""

    def __init__(self, room, error):
        self._room = room
        self._error = error
        self._replace = storage.replace

    def replace(self, path, data):
        if not self._room:
            raise OSError(self._error)
        self._room -= 1
        self._replace(path, data)


@in_scratch
def test_as_a_rule_there_is_none():
    write("config.json", b"{}")
    assert start() == (schema.defaults(), None, [])


@in_scratch
def test_what_is_on_trial_is_used_but_not_kept():
    begun()
    settings, record, problems = start()
    assert (settings["home_id"], settings["stable_s"], settings["sample_ms"]) == ("new", 5, 900)
    assert record["values"] == VALUES and problems == []
    assert (record["request_id"], record["old"], record["new"]) == ("r1", OLD, NEW)
    assert stored() == stored(store.GOOD_PATH) == {"home_id": "h", "sample_ms": 900}


@in_scratch
def test_two_starts_may_try():
    begun()
    assert [start()[0]["home_id"] for _ in range(2)] == ["new", "new"]
    for _ in range(3):
        settings, record, _ = start()
        assert settings["home_id"] == "h" and record["values"] is None
        assert record["refused"] == ["reverted", "reset while they were tried, twice"]
    pending.forget()
    assert start()[:2] == (settings, None)


@in_scratch
def test_a_try_that_cannot_be_counted_is_none():
    begun()
    with Patched(storage, replace=full):
        settings, record, _ = start()
    assert settings["home_id"] == "h"
    assert record["refused"] == ["reverted", "flash is full"]
    assert start()[1] is None


@in_scratch
def test_kept_they_are_in_both_files():
    begun()
    _, record, _ = start()
    pending.keep(record)
    wanted = {"home_id": "new", "stable_s": 5, "sample_ms": 900}
    assert stored() == stored(store.GOOD_PATH) == wanted
    assert record["refused"] is None and record["values"] is None
    settings, again, _ = start()
    assert settings["home_id"] == "new" and again == record
    write("config.json", b"{")
    assert start()[0]["home_id"] == "new"


@in_scratch
def test_reverted_they_are_in_none():
    begun()
    _, record, _ = start()
    pending.revert(record, "unreachable")
    settings, again, _ = start()
    assert settings["home_id"] == "h" and again == record
    assert again["refused"] == ["reverted", "unreachable"] and again["values"] is None
    assert stored() == stored(store.GOOD_PATH) == {"home_id": "h", "sample_ms": 900}


@in_scratch
def test_what_was_interrupted_while_it_was_kept_is_finished_by_the_next_start():
    for writes in range(4):  # the mark, config.json, the last good one, the end
        begun()
        _, record, _ = start()
        with Patched(storage, replace=Flash(writes, 5).replace):
            try:
                pending.keep(record)
                raise AssertionError("it was not interrupted")
            except OSError:
                pass
        settings, record, problems = start()
        assert settings["home_id"] == "new" and problems == []
        if writes:
            assert record["values"] is None and stored()["home_id"] == "new"
            assert stored(store.GOOD_PATH) == stored()
        else:
            assert record["values"] == VALUES and stored()["home_id"] == "h"
        pending.forget()


@in_scratch
def test_on_a_full_flash_what_is_kept_is_used_until_it_can_be_written():
    begun()
    _, record, _ = start()
    storage.replace_json(TRIAL, dict(record, kept=True))
    for _ in range(3):
        with Patched(storage, replace=full):
            settings, record, problems = start()
        assert settings["home_id"] == "new" and record["values"] == VALUES
        assert problems[-1].startswith(TRIAL + ": cannot be kept yet")
    settings, record, problems = start()
    assert settings["home_id"] == "new" and record["values"] is None and problems == []


@in_scratch
def test_what_another_firmware_does_not_take_is_reverted():
    for values in ({"home_id": 5}, {"colour": "red"}):
        begun()
        pending.begin("r1", values, {"changed": []}, OLD, NEW)
        settings, record, _ = start()
        assert settings["home_id"] == "h" and "colour" not in settings
        assert record["refused"][0] == "reverted"
        pending.begin("r1", values, {"changed": []}, OLD, NEW)
        storage.replace_json(TRIAL, dict(stored(TRIAL), kept=True))
        settings, record, _ = start()
        assert settings["home_id"] == "h"
        pending.forget()


@in_scratch
def test_a_broken_file_is_told_and_removed():
    begun()
    whole = storage.read(TRIAL)
    for data in [whole[:size] for size in range(0, len(whole), 7)] + [
            b"[]", b"5", b"null", b"{}", b"\xff", b'{"old": 1, "new": 2}',
            whole.replace(b'"request_id"', b'"r"'), whole.replace(b'"tries": 2', b'"tries": "x"')]:
        write(TRIAL, data)
        settings, record, problems = start()
        assert settings["home_id"] == "h" and not record, data
        assert problems == [TRIAL + " is broken"], data
        assert TRIAL not in os.listdir("."), data
