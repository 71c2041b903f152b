"""Erasing the configuration: what goes, what stays, and what a power cut leaves."""

import json
import os

from firmware.setup import erase
from host_tests.unit.fakes import Log, Patched, in_scratch, write

OTHERS = ("device.json", "portal.json", "keys.bin", "trips.json", "relays.json")
FILES = {
    "config.json": b'{"board": "sonoff-pow", "calibration": {"power": 1.1}, "wifi_ssid": "home", '
                   b'"wifi_password": "hunter2"}',
    "config.good.json": b'{"wifi_password": "hunter2"}',
    "config.trial.json": b'{"values": {"wifi_password": "hunter3"}}',
    "config.json.new": b"hunter4",
    "config.good.json.new": b"hunter5",
    "config.trial.json.new": b"hunter6",
}
ERASED = b'{"board": "sonoff-pow", "calibration": {"power": 1.1}}'


def fill(**changes):
    for name in OTHERS:
        write(name, name.encode())
    files = dict(FILES)
    files.update(changes)
    for name in files:
        if files[name] is not None:
            write(name, files[name])


def content(name):
    f = open(name, "rb")
    try:
        return f.read()
    finally:
        f.close()


def left():
    return sorted(os.listdir("."))


@in_scratch
def test_what_describes_the_hardware_stays_and_nothing_else_of_the_configuration():
    fill()
    log = Log()
    erase.erase(log)
    assert sorted(OTHERS + ("config.json",)) == left()
    assert json.loads(content("config.json")) == json.loads(ERASED)
    assert all(content(name) == name.encode() for name in OTHERS)
    assert log.lines == ["config: erased"]


@in_scratch
def test_a_broken_configuration_gives_way_to_the_last_good_one():
    for broken in (b"{", b"[]", None):
        fill(**{"config.json": broken, "config.good.json": ERASED})
        erase.erase(Log())
        assert json.loads(content("config.json")) == json.loads(ERASED)
        assert left() == sorted(OTHERS + ("config.json",))
        os.remove("config.json")


@in_scratch
def test_without_any_configuration_an_empty_one_is_left():
    erase.erase(Log())
    assert left() == ["config.json"] and content("config.json") == b"{}"


class Cut(Exception):
    pass


class Storage:
    """`storage`, until the power fails at the step numbered `steps`."""

    def __init__(self, steps):
        self.steps = steps

    def _step(self):
        if not self.steps:
            raise Cut()
        self.steps -= 1

    def remove(self, path):
        self._step()
        storage.remove(path)

    def replace_json(self, path, value):
        self._step()
        storage.replace_json(path, value)

    read_json = staticmethod(erase.storage.read_json)


storage = erase.storage


@in_scratch
def test_a_power_cut_leaves_the_old_configuration_or_the_new_one():
    cuts = 0
    for steps in range(20):
        fill()
        try:
            with Patched(erase, storage=Storage(steps)):
                erase.erase(Log())
        except Cut:
            cuts += 1
        now = content("config.json")
        assert now == FILES["config.json"] or json.loads(now) == json.loads(ERASED)
        if "config.trial.json" in left():  # it would be laid over the new one
            assert now == FILES["config.json"]
    assert cuts == 6


class Full:
    """`storage` of a full flash."""

    remove = staticmethod(erase.storage.remove)
    read_json = staticmethod(erase.storage.read_json)

    def replace_json(self, path, value):
        raise OSError(28)


@in_scratch
def test_a_full_flash_keeps_the_old_configuration_and_says_so():
    fill()
    log = Log()
    with Patched(erase, storage=Full()):
        erase.erase(log)
    assert content("config.json") == FILES["config.json"]
    assert log.has("cannot be erased")
