"""`command/config`: what it takes, and that long answers come whole, in pages that fit."""

import json
import sys

from firmware import storage
from firmware.actions import ConfigActions
from firmware.config import schema
from firmware.log import Log
from firmware.meter.reading import Reading
from firmware.mqtt import commands
from firmware.mqtt.commands import Commands
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.topics import Topics
from host_tests.unit.fakes import Clock, Json, Patched, in_scratch, write

TOPIC = b"homesync/h/nodes/n/command/config"


class Record:
    """Stands for `retained.Retained`: a node that was just switched on."""

    def seen(self, hash6):
        return False

    def add_id(self, hash6):
        pass

    def forget_id(self, hash6):
        pass


class Node:
    metering = None

    def __init__(self):
        self.asked = []

    def refresh(self):
        self.asked.append("refresh")

    def restart(self):
        self.asked.append("restart")


class Session:
    settled = True


def long_id(number):
    """A request id of as many bytes as are legal."""
    return "\x01" * 42 + "%02d" % number


class Bench:
    """`command/config` as it arrives, with settings and log of the test."""

    def __init__(self, **settings):
        self.settings = schema.defaults()
        self.settings.update(settings)
        self.log = Log(Clock())
        self.node = Node()
        self.outbox = Outbox()
        handlers = {"config": ConfigActions(self.settings, self.log, self.node)}
        self.commands = Commands(Topics("homesync", "h", "n"), self.outbox, Clock(), Record(),
                                 handlers, Session(), lambda text: None)

    def send(self, action, request_id=None, **arguments):
        """The answer; it fits the limit with room for `duplicate`."""
        arguments["action"] = action
        arguments["request_id"] = request_id
        payload = Json.dumps(arguments).encode()
        with Patched(commands, json=Json):
            self.commands.receive(TOPIC, payload, False, False, len(payload))
            self.commands.work()
        found = self.outbox.next()
        self.outbox.sent(found)
        assert self.outbox.next() is None
        assert len(found.payload) + len(', "duplicate": true') <= 1000
        return json.loads(str(found.payload, "utf-8"))

    def error(self, action, **arguments):
        return self.send(action, **arguments)["error"]["code"]

    def all_values(self, **arguments):
        """Every page of `get`: names in the order they came, and their values."""
        names, values, offset, pages = [], {}, 0, 0
        while offset is not None:
            answer = self.send("get", long_id(pages), offset=offset, **arguments)
            assert answer["status"] == "success", answer
            names += answer["result"]["values"].keys()
            values.update(answer["result"]["values"])
            offset = answer["result"]["next"]
            pages += 1
            assert pages < 40
        self.pages = pages
        return names, values


def longest_settings():
    return {
        "base_topic": '"' * 32, "home_id": "h" * 32, "node_id": "n" * 32, "board": "b" * 32,
        "broker_host": "\\" * 128, "broker_port": 65535, "broker_user": '"' * 64,
        "broker_password": '"' * 128, "wifi_ssid": '"' * 32, "wifi_password": '"' * 64,
        "ntp_servers": ['"' * 64] * 4, "relay_boot_states": ["last"] * 8,
        "extra_metrics": ["apparent_power"] * 8, "power_deadband_w": 9999.123456789,
        "voltage_deadband_v": 0.123456789, "current_deadband_a": 1e-05,
    }


def test_get_gives_every_setting_once_with_secrets_hidden():
    bench = Bench(wifi_password="hunter2", wifi_ssid="K\u00fcche")
    names, values = bench.all_values()
    wanted = dict(bench.settings)
    wanted["wifi_password"] = "***"
    assert sorted(names) == sorted(schema.NAMES)
    assert values == wanted
    assert bench.pages > 1


def test_get_hides_every_secret_but_shows_whether_it_is_set():
    hidden = [name for name in schema.NAMES if "password" in name] + ["tls_ca"]
    assert len(hidden) == 5
    for name in hidden:
        for value, shown in (("hunter2", "***"), ("", "")):
            bench = Bench(**{name: value})
            assert bench.send("get", keys=[name])["result"]["values"] == {name: shown}


def test_get_gives_every_setting_once_when_all_are_as_long_as_can_be():
    settings = longest_settings()
    assert schema.check(settings) == []
    bench = Bench(**settings)
    names, values = bench.all_values()
    assert sorted(names) == sorted(schema.NAMES)
    wanted = dict(bench.settings)
    wanted["wifi_password"] = wanted["broker_password"] = "***"
    assert values == wanted


def test_get_gives_every_setting_once_with_characters_of_any_width():
    for character in ("\u00e4", "\u20ac", "\U0001f600", "\x7f"):
        size = len(character.encode())
        settings = {"broker_host": character * (128 // size),
                    "wifi_ssid": character * (32 // size),
                    "broker_user": character * (64 // size),
                    "ntp_servers": [character * (64 // size)] * 4}
        assert schema.check(settings) == []
        names, values = Bench(**settings).all_values()
        assert sorted(names) == sorted(schema.NAMES)
        assert values["ntp_servers"] == settings["ntp_servers"]


def test_get_pages_are_full_in_any_sequence_of_settings():
    # A page that ends just above or below the limit shows only with the right neighbours.
    for length in range(40):
        bench = Bench(broker_host="x" * length)
        assert len(bench.all_values()[0]) == len(schema.NAMES)


def test_get_of_some_keys():
    bench = Bench(home_id="abc", broker_password="hunter2")
    answer = bench.send("get", keys=["home_id", "broker_password", "wifi_password"])
    assert answer["result"] == {
        "values": {"home_id": "abc", "broker_password": "***", "wifi_password": ""}, "next": None}
    assert bench.send("get", keys=[])["result"] == {"values": {}, "next": None}
    assert bench.send("get", keys=None)["result"]["values"]["home_id"] == "abc"


def test_get_refuses_wrong_keys():
    bench = Bench()
    for keys in ("home_id", [1], [None], [["home_id"]], {}, {"home_id": 1}, 5, ["nothing"],
                 ["home_id", "nothing"], ["\x00" * 500], ["\U0001f600" * 500], [""]):
        assert bench.error("get", keys=keys) == "bad_request", keys
    assert "nothing" in bench.send("get", keys=["nothing"])["error"]["message"]


def test_get_refuses_wrong_offsets():
    bench = Bench()
    for offset in (-1, 1.0, "0", True, [], 1 << 40):
        assert bench.error("get", offset=offset) == "bad_request", offset
    assert bench.send("get", offset=len(schema.NAMES))["result"] == {"values": {}, "next": None}


def test_log_gives_every_line_once():
    bench = Bench()
    for i in range(60):
        bench.log("line %d " % i + "x" * (3 * i))
    lines, offset = [], 0
    while offset is not None:
        answer = bench.send("log", long_id(offset), offset=offset)
        lines += answer["result"]["lines"]
        offset = answer["result"]["next"]
    first = 60 - len(lines)  # long lines leave sooner: see test_log
    assert 0 < first < 58
    assert [line.split()[2] for line in lines] == [str(i) for i in range(first, 60)]
    assert bench.send("log", offset=58)["result"]["lines"] == lines[-2:]
    assert bench.send("log", offset=60)["result"] == {"lines": [], "next": None}


def test_log_begins_with_the_first_line():
    bench = Bench()
    bench.log("first")
    assert bench.send("log")["result"] == {"lines": ["2026-01-01T00:00:00Z first"], "next": None}


def test_log_gives_every_line_whatever_is_in_it():
    bench = Bench()
    for text in ("\x01" * 300, "\r\n\t" * 100, '"' * 300, "\\" * 300, "\U0001f600" * 100,
                 "\x7f" * 300, "\ud800" * 300, "\u20ac\x00" * 100):
        bench.log(text)
    count, offset = 0, 0
    while offset is not None:
        result = bench.send("log", long_id(offset), offset=offset)["result"]
        count += len(result["lines"])
        offset = result["next"]
    assert count == 8


def test_log_refuses_wrong_offsets():
    bench = Bench()
    for offset in (-1, 1.0, "0", True, 1 << 40):
        assert bench.error("log", offset=offset) == "bad_request", offset


def test_the_code_is_loaded_for_a_command_and_dropped_again():
    bench = Bench()
    bench.send("refresh")
    for module in ("firmware.config.actions", "firmware.config.schema"):
        assert module not in sys.modules
    assert ConfigActions.deferred is True  # loading takes time


def test_refresh_and_restart_ask_the_node():
    bench = Bench()
    assert bench.send("refresh")["result"] == "refreshed"
    assert bench.send("restart")["result"] == "restarting"
    assert bench.node.asked == ["refresh", "restart"]


# calibrate, energy_set


class Energy:
    def __init__(self):
        self.totals = []
        self.full = False

    def set_total(self, channel, wh):
        self.totals.append((channel, wh))
        return not self.full


class Metering:
    """Stands for `Metering`: each channel shows 230 V, 2 A, 450 W; None of the readings: lost."""

    def __init__(self, channels=1):
        reading = Reading()
        reading.voltage_v, reading.current_a, reading.active_power_w = 230.0, 2.0, 450.0
        self.sampler = Sampler([True] * channels)
        self.energy = Energy()
        self.readings = (reading,) * channels


class Sampler:
    def __init__(self, ok):
        self.ok = ok


def with_meter(channels=1, **settings):
    bench = Bench(**settings)
    bench.node.metering = Metering(channels)
    return bench


def stored():
    return storage.read_json("config.json")["calibration"]


@in_scratch
def test_a_factor_is_computed_stored_and_taken_by_a_restart():
    write("config.json", b'{"home_id": "h", "calibration": {"voltage": 1.01}}')
    bench = with_meter(calibration={"voltage": 1.01})
    answer = bench.send("calibrate", metric="power", true=459)
    assert answer["result"] == {"factor": 1.02, "restarts": True}
    assert bench.node.asked == ["restart"]
    assert bench.settings["calibration"] == stored() == {"voltage": 1.01, "power": 1.02}
    assert storage.read_json("config.json")["home_id"] == "h"


@in_scratch
def test_a_factor_waits_until_a_trial_of_settings_is_over():
    # The factor would be computed with what may be gone in a minute, and stay.
    write("config.trial.json", b"{}")
    bench = with_meter(calibration={"power": 1.9})
    assert bench.error("calibrate", metric="power", true=459) == "busy"
    assert storage.read("config.json") is None and bench.node.asked == []


@in_scratch
def test_a_factor_is_for_what_is_shown_with_the_factor_before_it():
    bench = with_meter(calibration={"voltage": 1.1})
    assert bench.send("calibrate", metric="voltage", true=230)["result"]["factor"] == 1.1


@in_scratch
def test_each_phase_has_factors_of_its_own():
    bench = with_meter(3)
    bench.send("calibrate", metric="current", channel="b", true=2.1)
    assert stored() == {"current_b": 1.05}


@in_scratch
def test_a_factor_that_cannot_be_right_changes_nothing():
    bench = with_meter()
    for true in (900.1, 224.9):
        answer = bench.send("calibrate", metric="power", true=true)
        assert answer["error"]["code"] == "bad_request"
        assert "0.5 to 2" in answer["error"]["message"]
    assert storage.read("config.json") is None
    assert bench.settings["calibration"] == {}
    assert bench.node.asked == []


def test_without_a_value_there_is_nothing_to_compare_with():
    bench = with_meter()
    for readings in (None, (None,), (Reading(),)):
        bench.node.metering.readings = readings
        assert bench.error("calibrate", metric="power", true=100) == "bad_request"


def test_wrong_arguments_of_calibrate_are_named():
    for channels, named, arguments in (
        (1, "metric", {"true": 1}), (1, "metric", {"metric": "energy", "true": 1}),
        (1, "true", {"metric": "power"}), (1, "true", {"metric": "power", "true": 0}),
        (1, "true", {"metric": "power", "true": "100"}),
        (1, "true", {"metric": "power", "true": True}),
        (1, "channel", {"metric": "power", "true": 1, "channel": "a"}),
        (3, "channel", {"metric": "power", "true": 1}),
        (3, "channel", {"metric": "power", "true": 1, "channel": "d"}),
        (3, "channel", {"metric": "power", "true": 1, "channel": ""}),
        (3, "channel", {"metric": "power", "true": 1, "channel": 0}),
    ):
        error = with_meter(channels).send("calibrate", **arguments)["error"]
        assert error["code"] == "bad_request" and error["message"].startswith(named), arguments


def test_a_total_is_set():
    bench = with_meter(3)
    assert bench.send("energy_set", channel="c", wh=123456)["result"] == {"wh": 123456}
    assert bench.node.metering.energy.totals == [(2, 123456)]


def test_wrong_arguments_of_energy_set_are_named():
    bench = with_meter()
    for arguments in ({}, {"wh": -1}, {"wh": 1.5}, {"wh": "1"}, {"wh": 4000000001}):
        error = bench.send("energy_set", **arguments)["error"]
        assert error["code"] == "bad_request" and error["message"].startswith("wh"), arguments
    assert bench.node.metering.energy.totals == []


def test_a_total_that_flash_refuses_is_told():
    bench = with_meter()
    bench.node.metering.energy.full = True
    assert bench.error("energy_set", wh=1) == "internal_error"


def test_without_a_meter_there_is_nothing_to_set():
    bench = Bench()
    assert bench.error("calibrate", metric="power", true=1) == "unsupported"
    assert bench.error("energy_set", wh=1) == "unsupported"

def test_unknown_actions():
    bench = Bench()
    for action in ("", "GET", "delete"):
        assert bench.error(action) == "unknown_action", action
    assert bench.node.asked == []
