# What a command must survive (design 4), over a real broker: every bad one is answered with the
# right code, nothing is switched, and the node goes on as if nothing had happened.
import json
import time

import pytest
from hub import stamp

BURST = 1000
FIELDS = {"request_id", "status", "result", "error", "timestamp"}


@pytest.fixture(scope="module")
def node(module_node):
    return module_node(loads=(1000, 60), settings={"power_heartbeat_s": 1}).start()


def refused(node, kind, payload, code, mentions="", request_id=None):
    """Send a bad command; check its answer, the relays, and that the next command works."""
    hub = node.hub
    pins = node.board.pins()
    after = hub.mark()
    hub.send(kind, payload)
    message = hub.wait("response/command", None, after)
    assert message.qos == 1
    answer = message.json
    assert set(answer) == FIELDS
    assert answer["request_id"] == request_id
    assert answer["status"] == "error" and answer["result"] is None
    assert answer["error"]["code"] == code, answer
    assert mentions in answer["error"]["message"], answer
    assert hub.ask("config", "get", keys=["node_id"])["status"] == "success"
    assert node.transitions(0) == pins.get(26, (0, 0))[1]
    assert node.transitions(1) == pins.get(27, (0, 0))[1]
    assert len(hub.seen("response/command", after)) == 2  # this answer, and the next


@pytest.mark.parametrize("payload", [
    b'{"action": "on"', b'{"action": "on', b"{", b'["on"]', b'"on"', b"5", b"null", b"on",
    b'{"action": "on"} x', b"\xff\xfe\x00", b'{"action": "on", "request_id": "\xff"}',
    b'{"action": "on", "relay": [0', b" ", b"\x00",
])
def test_what_is_no_json_object_is_malformed(node, payload):
    refused(node, "relay", payload, "malformed_json")


@pytest.mark.parametrize("fields, names", [
    ({}, "action"),
    ({"action": 1}, "action"),
    ({"action": None}, "action"),
    ({"action": ["on"]}, "action"),
    ({"action": "on", "relay": 2}, "relay"),
    ({"action": "on", "relay": -1}, "relay"),
    ({"action": "on", "relay": "0"}, "relay"),
    ({"action": "on", "relay": 0.5}, "relay"),
    ({"action": "on", "relay": True}, "relay"),
    ({"action": "on", "relay": 10**30}, "relay"),
    ({"action": "pulse"}, "duration_ms"),
    ({"action": "pulse", "duration_ms": "1"}, "duration_ms"),
    ({"action": "pulse", "duration_ms": 0}, "duration_ms"),
    ({"action": "pulse", "duration_ms": -5}, "duration_ms"),
    ({"action": "pulse", "duration_ms": 10**12}, "duration_ms"),
    ({"action": "on", "timestamp": 1700000000}, "timestamp"),
    ({"action": "on", "timestamp": "yesterday"}, "timestamp"),
    ({"action": "on", "timestamp": "2026-02-30T99:00:00Z"}, "timestamp"),
])
def test_a_wrong_field_is_named(node, fields, names):
    refused(node, "relay", dict(fields, request_id="r"), "bad_request", names, "r")


@pytest.mark.parametrize("request_id", ["", "x" * 65, 5, ["a"], {}, True])
def test_a_wrong_request_id_is_named_and_not_sent_back(node, request_id):
    refused(node, "relay", {"action": "on", "request_id": request_id}, "bad_request",
            "request_id")


def test_a_request_id_of_64_characters_comes_back_whole(node):
    request_id = "\u20ac" * 63 + "x"
    assert node.hub.ask("led", "identify", request_id=request_id)["request_id"] == request_id


def test_without_a_request_id_the_answer_has_null(node):
    after = node.hub.mark()
    node.hub.send("led", {"action": "identify"})
    answer = node.hub.wait("response/command", None, after).json
    assert answer["request_id"] is None and answer["status"] == "success"


@pytest.mark.parametrize("kind, action", [
    ("relay", "explode"), ("relay", ""), ("led", "dance"), ("config", "format"),
])
def test_an_unknown_action_is_refused(node, kind, action):
    refused(node, kind, {"action": action}, "unknown_action")


@pytest.mark.parametrize("kind", ["pump", "x" * 200, "x" * 600])
def test_an_unknown_command_topic_is_refused(node, kind):
    refused(node, kind, {"action": "on"}, "bad_request")


def test_an_empty_payload_is_ignored(node):
    after = node.hub.mark()
    node.hub.send("relay", b"")
    node.hub.ask("led", "identify")
    assert len(node.hub.seen("response/command", after)) == 1


def test_unknown_keys_are_ignored(node):
    assert node.hub.ask("led", "auto", colour="red", nested={"a": [1, {}]})["result"] == "auto"


def test_5_kib_are_too_large(node):
    payload = json.dumps({"action": "on", "padding": "x" * 5120}).encode()
    refused(node, "relay", payload, "too_large", str(len(payload)))


def test_20_kib_at_qos_1_are_refused_once_and_never_delivered_again(node):
    refused(node, "relay", b"x" * 20480, "too_large", "20480")
    after = node.hub.mark()
    node.hub.ask("config", "restart")  # an unacknowledged message would come again now
    node.online(after)
    node.board.wait_for_line("session resumed", 5)
    time.sleep(1)
    codes = [(m.json.get("error") or {}).get("code") for m in
             node.hub.seen("response/command", after)]
    assert "too_large" not in codes


def test_a_repeated_request_id_is_answered_again_but_not_executed_again(node):
    hub = node.hub
    before = node.transitions()
    first = hub.ask("relay", "toggle", request_id="again")
    second = hub.ask("relay", "toggle", request_id="again")
    third = hub.ask("relay", "toggle", request_id="again", relay=1)
    assert first["status"] == "success" and "duplicate" not in first
    for repeated in (second, third):
        assert repeated["duplicate"] is True
        assert repeated["result"] == first["result"]
    assert node.transitions() == before + 1


def test_a_refused_command_may_come_again_with_the_same_id(node):
    hub = node.hub
    hub.ask("relay", "fly", request_id="second try")
    answer = hub.ask("relay", "toggle", request_id="second try")
    assert answer["status"] == "success" and "duplicate" not in answer


def test_a_command_of_40_s_ago_is_expired(node):
    node.board.wait_for_line(" time: ", 15)
    payload = {"action": "toggle", "request_id": "old", "timestamp": stamp(40)}
    refused(node, "relay", payload, "expired", " s old", "old")


def test_a_command_of_60_s_ahead_is_refused(node):
    payload = {"action": "toggle", "request_id": "early", "timestamp": stamp(-60)}
    refused(node, "relay", payload, "bad_request", "future", "early")


def test_a_fresh_timestamp_is_accepted_with_fraction_and_offset(node):
    for text in (stamp(5), stamp(5)[:-1] + ".123Z", stamp(5)[:-1] + "+00:00"):
        assert node.hub.ask("led", "auto", timestamp=text)["status"] == "success"


def test_a_sixth_change_in_3_s_is_too_fast_but_opening_never_is(node):
    time.sleep(3.2)
    hub = node.hub
    hub.ask("relay", "off")
    time.sleep(3.2)
    transitions = node.transitions()
    for action in ("on", "off", "on", "off", "on"):
        assert hub.ask("relay", action)["status"] == "success"
    assert hub.ask("relay", "off")["status"] == "success"
    assert hub.ask("relay", "on")["error"]["code"] == "too_fast"
    assert node.transitions() == transitions + 6


def test_a_retained_command_is_never_executed_when_it_comes_again(node):
    time.sleep(3.2)
    hub = node.hub
    transitions = node.transitions()
    after = hub.mark()
    hub.send("relay", {"action": "toggle"}, retain=True)
    try:
        # Live, the broker delivers it without the flag: it is a command like any other.
        assert hub.wait("response/command", None, after).json["status"] == "success"
        assert node.transitions() == transitions + 1
        after = hub.mark()
        hub.ask("config", "restart")
        answer = hub.wait("response/command", lambda m: m.json["status"] == "error", after).json
        assert answer["error"]["code"] == "retained"
        assert node.transitions() == transitions + 1
    finally:
        hub.send("relay", b"", retain=True).wait_for_publish(5)
    node.online(after)


def test_a_burst_of_1000_commands_executes_none_twice(node):
    hub, board = node.hub, node.board
    time.sleep(3.2)
    before = [node.transitions(0), node.transitions(1)]
    boots = board.boots
    after = hub.mark()
    ids = ["b%d" % n for n in range(BURST // 2)]
    for number, request_id in enumerate(ids):
        command = {"action": "toggle", "relay": number & 1, "request_id": request_id}
        hub.send("relay", command)
        hub.send("relay", command)
    # "overloaded" is said once a second at the most: ask until there is room again.
    for _ in range(20):
        hub.send("led", {"action": "auto", "request_id": "end"})
        time.sleep(1)
        if any(m.json["request_id"] == "end" for m in hub.seen("response/command", after)):
            break
    hub.answer("end", after, 10)

    switched = {}
    overloaded = 0
    answered = set()
    for message in hub.seen("response/command", after):
        answer = message.json
        answered.add(answer["request_id"])
        if answer["request_id"] in (None, "end"):
            assert answer["status"] == "success" or answer["error"]["code"] == "overloaded"
            overloaded += answer["request_id"] is None
        elif answer["status"] == "error":
            assert answer["error"]["code"] == "too_fast", answer
        elif not answer.get("duplicate"):
            assert answer["request_id"] not in switched, "executed twice"
            switched[answer["request_id"]] = int(answer["request_id"][1:]) & 1
    assert switched
    for relay in (0, 1):
        done = sum(1 for which in switched.values() if which == relay)
        assert node.transitions(relay) - before[relay] == done
    assert answered.issuperset(ids) or overloaded
    # And all that time the node lived: no reset, telemetry, ticks.
    assert board.boots == boots
    assert hub.seen("telemetry/power", after)
    assert node.health()["tick_max_ms"] < 1000


def test_none_of_it_went_wrong_inside(node):
    assert not [line for line in node.board.log if "internal error" in line or "house:" in line]
    assert node.health()["crash"] is None
