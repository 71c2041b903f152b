"""The retained status topics: what each says, byte by byte, and when it is sent."""

import json
from time import ticks_add

from firmware import VERSION
from firmware.mqtt.outbox import Outbox
from firmware.telemetry.status import Status
from host_tests.unit.fakes import BEFORE_WRAP, Clock

STAMP = '"timestamp": "2026-01-01T00:00:00Z"'
ALL = ["online", "firmware", "relay", "rssi", "health"]


class Relays:
    def status(self):
        return {"state": "on", "relays": ["on", "off"], "source": "command", "tripped": None}


class Wifi:
    rssi = -61

    def rssi_dbm(self):
        return self.rssi


class Node:
    pairs = [("tick_max_ms", 12), ("last_error", None)]
    slot = {"slot": "a", "state": "confirmed", "reason": ""}

    def health(self):
        return self.pairs


class Board:
    name = "esp32-pzem"
    unique_id = "a1b2c3d4e5f6"


class Bench:
    def __init__(self):
        self.outbox = Outbox()
        self.clock = Clock(uptime_s=86400)
        self.wifi = Wifi()
        self.status = Status(self.outbox, self.clock, Relays(), self.wifi, Board())
        self.status.node = Node()
        self.now_ms = BEFORE_WRAP

    def connect(self):
        self.status.connected(self.now_ms)
        return self.sent()

    def service(self, after_s):
        self.now_ms = ticks_add(self.now_ms, round(1000 * after_s))
        self.status.service(self.now_ms)
        return self.sent()

    def sent(self):
        """Names of the topics in the outbox; their payloads are in `last` then."""
        self.last = {}
        names = []
        while self.outbox.next():
            message = self.outbox.next()
            assert (message.qos, message.retain) == (1, True)
            assert message.topic.startswith(b"status/")
            names.append(str(message.topic[7:], "ascii"))
            self.last[names[-1]] = str(message.payload, "utf-8")
            self.outbox.sent(message)
        return names


def test_at_connect_everything_is_told():
    bench = Bench()
    assert sorted(bench.connect()) == sorted(ALL)
    for payload in bench.last.values():
        json.loads(payload)


def test_online():
    bench = Bench()
    bench.connect()
    assert bench.last["online"] == (
        '{"online": true, "uptime": 86400, "firmware": "%s", %s}' % (VERSION, STAMP))


def test_relay():
    bench = Bench()
    bench.status.relay()
    assert bench.sent() == ["relay"]
    assert bench.last["relay"] == (
        '{"state": "on", "relays": ["on", "off"], "source": "command", "tripped": null, '
        + STAMP + "}")


def test_firmware():
    bench = Bench()
    bench.connect()
    found = json.loads(bench.last["firmware"])
    version = found.pop("micropython").split(".")
    assert len(version) == 3 and all(part.isdigit() for part in version)
    assert found == {"version": VERSION, "slot": "a", "state": "confirmed", "board": "esp32-pzem",
                     "device": "a1b2c3d4e5f6", "timestamp": "2026-01-01T00:00:00Z"}


def test_after_a_way_back_it_says_why():
    bench = Bench()
    bench.status.node.slot = {"slot": "a", "state": "rolled_back", "reason": "the meter is silent"}
    bench.connect()
    found = json.loads(bench.last["firmware"])
    assert (found["state"], found["reason"]) == ("rolled_back", "the meter is silent")


def test_rssi():
    bench = Bench()
    bench.connect()
    assert bench.last["rssi"] == '{"value": -61, "unit": "dBm", %s}' % STAMP


def test_health_adds_the_free_heap():
    bench = Bench()
    bench.connect()
    found = json.loads(bench.last["health"])
    assert found.pop("heap_free") > 0
    assert found == {"tick_max_ms": 12, "last_error": None, "timestamp": "2026-01-01T00:00:00Z"}


def test_without_a_time_of_day_there_is_no_timestamp():
    bench = Bench()
    bench.clock.unix_s = None
    bench.connect()
    assert bench.last["rssi"] == '{"value": -61, "unit": "dBm"}'
    assert not any("timestamp" in payload for payload in bench.last.values())


def test_what_a_planned_stop_leaves_behind():
    for reason in ("restart", "shutdown", "update"):
        assert Bench().status.offline_payload(reason) == (
            '{"online": false, "reason": "%s", "uptime": 86400, "firmware": "%s", %s}' % (
                reason, VERSION, STAMP)).encode()


def test_online_is_told_after_60_seconds_and_then_every_300_also_when_ticks_start_over():
    bench = Bench()
    bench.connect()
    times = {"online": [], "health": []}
    for second in range(1, 1001):
        for name in bench.service(1):
            times[name].append(second)
    assert times == {"online": [60, 360, 660, 960], "health": [300, 600, 900]}


def test_a_new_session_starts_the_rhythm_anew():
    bench = Bench()
    bench.connect()
    bench.service(59)
    bench.connect()
    assert bench.service(59) == []
    assert bench.service(1) == ["online"]


def test_rssi_is_told_on_a_change_of_5_db():
    bench = Bench()
    bench.connect()
    for value, told in ((-65, 0), (-57, 0), (-66, 1), (-62, 0), (-61, 1), (-61, 0)):
        bench.wifi.rssi = value
        assert bench.service(10).count("rssi") == told, value


def test_rssi_is_looked_at_every_10_seconds():
    bench = Bench()
    bench.connect()
    bench.wifi.rssi = -80
    assert bench.service(9) == []
    assert bench.service(1) == ["rssi"]


def test_an_unknown_rssi_is_not_told():
    bench = Bench()
    bench.wifi.rssi = None
    assert "rssi" not in bench.connect()
    bench.wifi.rssi = -70
    assert bench.service(10) == ["rssi"]


def test_the_same_rssi_is_told_again_in_a_new_session():
    bench = Bench()
    bench.connect()
    assert "rssi" in bench.connect()
