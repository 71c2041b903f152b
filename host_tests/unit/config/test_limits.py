"""The setting `protection`: what it may hold, and how it meets the board profile's."""

import json
import os

from firmware.config import limits


def wrong(*entries):
    return limits.check(list(entries), 0, 8)


def test_everything_an_entry_may_have():
    assert wrong() is None
    assert wrong({"relay": 0}, {"relay": 7, "phase": ""}) is None
    assert wrong({
        "relay": 1, "phase": "c", "max_power": [3500, 2000], "max_current": 16.5,
        "min_voltage": [190, 0], "max_voltage": 260, "max_temperature": 80, "reclose_s": 60,
        "on_meter_lost": "open", "lost_hold_s": 0, "welded_w": 0}) is None


def test_the_field_that_is_wrong_is_named():
    power = "must be a number from 1 to 100000, or [number, hold in ms up to 600000]"
    for entry, why in (
        (7, "must be an object"),
        ({}, "relay must be an integer from 0 to 7"),
        ({"relay": 8}, "relay must be an integer from 0 to 7"),
        ({"relay": True}, "relay must be an integer from 0 to 7"),
        ({"relay": 0, "phase": "d"}, 'phase must be a, b, c or ""'),
        ({"relay": 0, "phase": 1}, 'phase must be a, b, c or ""'),
        ({"relay": 0, "phase": []}, 'phase must be a, b, c or ""'),
        ({"relay": 0, "max_power": 0}, "max_power " + power),
        ({"relay": 0, "max_power": "3500"}, "max_power " + power),
        ({"relay": 0, "max_power": None}, "max_power " + power),
        ({"relay": 0, "max_power": [3500]}, "max_power " + power),
        ({"relay": 0, "max_power": [3500, 1, 1]}, "max_power " + power),
        ({"relay": 0, "max_power": [3500, 0.5]}, "max_power " + power),
        ({"relay": 0, "max_power": [3500, 600001]}, "max_power " + power),
        ({"relay": 0, "max_power": [True, 0]}, "max_power " + power),
        ({"relay": 0, "max_power": float("nan")}, "max_power " + power),
        ({"relay": 0, "max_powr": 3500}, "there is no max_powr"),
        ({"relay": 0, "reclose_s": 0.5}, "reclose_s must be an integer from 0 to 86400"),
        ({"relay": 0, "welded_w": -1}, "welded_w must be an integer from 0 to 1000"),
        ({"relay": 0, "on_meter_lost": True}, "on_meter_lost must be keep or open"),
        ({"relay": 0, "min_voltage": [250, 10], "max_voltage": 250},
         "min_voltage must be below max_voltage"),
    ):
        assert wrong(entry) == "[0]: " + why, entry


def test_the_place_in_the_list_is_named():
    assert wrong({"relay": 0}, {"relay": 0}) == "[1]: relay 0 has an entry already"
    assert wrong({"relay": 0}, 7) == "[1]: must be an object"
    many = "must be a list of 0 to 8 objects, one for each relay"
    assert limits.check({}, 0, 8) == many
    assert limits.check([{"relay": i % 8} for i in range(9)], 0, 8) == many


def test_ones_own_entry_replaces_the_profiles_for_that_relay():
    profile = [{"relay": 0, "max_power": 3500, "max_temperature": 80}, {"relay": 1, "phase": "b"}]
    own = [{"relay": 0, "max_power": 2000}, {"relay": 2}]
    assert limits.merged(profile, own) == own + [{"relay": 1, "phase": "b"}]
    assert limits.merged(profile, []) == profile


def test_the_board_profiles_are_right():
    folder = "firmware/boards/"
    found = 0
    for name in os.listdir(folder):
        with open(folder + name) as f:
            entries = json.load(f).get("protection", [])
        assert limits.check(entries, 0, 8) is None, name
        found += len(entries)
    assert found
