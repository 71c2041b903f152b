"""The configuration file, and what takes its place when it is broken."""

import json
import os

from firmware.config import schema, store
from firmware.config.store import GOOD_PATH, PATH
from host_tests.unit.fakes import Patched, in_scratch, write

GOOD = (b'{"home_id": "abc", "ntp_servers": ["a.example", "b.example:123"], "broker_port": 8883, '
        b'"wifi_ssid": "K\xc3\xbcche", "relay_boot_states": ["last", "off"]}')


def good_content():
    f = open(GOOD_PATH, "rb")
    try:
        return json.loads(str(f.read(), "utf-8"))
    finally:
        f.close()


@in_scratch
def test_settings_of_the_file_over_the_defaults():
    write(PATH, GOOD)
    settings, problems = store.load()
    assert problems == []
    wanted = schema.defaults()
    wanted.update({"home_id": "abc", "ntp_servers": ["a.example", "b.example:123"],
                   "broker_port": 8883, "wifi_ssid": "K\u00fcche",
                   "relay_boot_states": ["last", "off"]})
    assert settings == wanted


@in_scratch
def test_without_any_file_the_defaults_are_used_and_told():
    settings, problems = store.load()
    assert settings == schema.defaults()
    assert problems == ["there is no config.json", "there is no config.good.json",
                        "no good configuration: defaults are in use"]
    assert os.listdir(".") == []


@in_scratch
def test_an_empty_object_is_a_configuration():
    write(PATH, b"{}")
    assert store.load() == (schema.defaults(), [])


@in_scratch
def test_cut_at_any_byte_it_gives_way_to_the_last_good_one():
    write(PATH, GOOD)
    wanted = store.load()[0]
    for size in range(len(GOOD)):
        write(PATH, GOOD[:size])
        settings, problems = store.load()
        assert settings == wanted, GOOD[:size]
        assert problems[0].startswith("config.json is not JSON"), problems
        assert problems[1:] == ["the last good configuration is in use"]
        assert good_content()["home_id"] == "abc"


@in_scratch
def test_a_file_that_is_gone_gives_way_to_the_last_good_one():
    write(PATH, GOOD)
    wanted = store.load()[0]
    os.remove(PATH)
    settings, problems = store.load()
    assert settings == wanted
    assert problems == ["there is no config.json", "the last good configuration is in use"]


@in_scratch
def test_a_wrong_value_is_named_and_gives_way_to_the_last_good_ones():
    write(PATH, GOOD)
    store.load()
    write(PATH, b'{"home_id": "other", "broker_port": "8883", "stable_s": -1}')
    settings, problems = store.load()
    assert settings["home_id"] == "abc"
    assert settings["broker_port"] == 8883
    assert sorted(problems) == [
        "config.json: broker_port: must be an integer from 1 to 65535",
        "config.json: stable_s: must be an integer from 0 to 3600",
        "the last good configuration is in use",
    ]
    assert good_content()["home_id"] == "abc"


@in_scratch
def test_garbage_gives_way_to_the_last_good_one():
    write(PATH, GOOD)
    store.load()
    for data in (b"[]", b"null", b"1", b'"home"', b"\xff\xff\xff\xff", b"\0" * 64, bytes(9000),
                 GOOD + b"}", GOOD + GOOD, b"home_id=abc"):
        write(PATH, data)
        settings, problems = store.load()
        assert settings["home_id"] == "abc", data
        assert problems[-1] == "the last good configuration is in use", data


@in_scratch
def test_with_both_broken_the_defaults_are_used():
    write(PATH, GOOD[:-1])
    write(GOOD_PATH, GOOD[:-9])
    settings, problems = store.load()
    assert settings == schema.defaults()
    assert len(problems) == 3
    assert problems[2] == "no good configuration: defaults are in use"


@in_scratch
def test_a_broken_last_good_one_is_replaced_by_the_next_good_one():
    write(PATH, GOOD)
    for data in (b"", b"{", b"\xff", b'{"home_id": 1}'):
        write(GOOD_PATH, data)
        settings, problems = store.load()
        assert (settings["home_id"], problems) == ("abc", [])
        assert good_content()["home_id"] == "abc"


@in_scratch
def test_the_last_good_one_is_written_only_when_it_changes():
    def fails(path, value):
        raise AssertionError("written again")

    write(PATH, GOOD)
    store.load()
    with Patched(store.storage, replace_json=fails):
        store.load()
    write(PATH, b'{"home_id": "new"}')
    store.load()
    assert good_content() == {"home_id": "new"}


@in_scratch
def test_a_disk_that_cannot_be_written_is_told_and_stops_nothing():
    def fails(path, value):
        raise OSError(28)

    write(PATH, GOOD)
    with Patched(store.storage, replace_json=fails):
        settings, problems = store.load()
    assert settings["home_id"] == "abc"
    assert len(problems) == 1
    assert problems[0].startswith("cannot keep config.good.json")


@in_scratch
def test_a_disk_that_cannot_be_read_is_told_and_stops_nothing():
    os.mkdir(PATH)  # opens on MicroPython, and fails when it is read
    write(GOOD_PATH, GOOD)
    settings, problems = store.load()
    assert settings["home_id"] == "abc"
    assert len(problems) == 2


@in_scratch
def test_an_unknown_key_is_told_kept_and_not_used():
    write(PATH, b'{"home_id": "abc", "colour": "red"}')
    settings, problems = store.load()
    assert problems == ["config.json: unknown key colour"]
    assert "colour" not in settings
    assert good_content()["colour"] == "red"
