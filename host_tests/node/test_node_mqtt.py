# The whole node against a real Mosquitto: topics, flags, relay commands, restart, last will.
import json
import time

import pytest
from hub import stamp

METER_METRICS = {
    "power": "W", "voltage": "V", "current": "A", "energy": "Wh", "power_factor": "",
    "frequency": "Hz",
}
METRICS = dict(METER_METRICS, temperature="°C")
STATUS = ("online", "relay", "firmware", "rssi", "health")
WILL = b'{"online": false, "reason": "unexpected_disconnect"}'
SPEED = 20  # the meter settles within 0.15 s, so what is left is the node's own delay


@pytest.fixture(scope="module")
def node(module_node):
    return module_node(loads=(1000, 60), base_load=100, speed=SPEED).start()


def test_seven_metrics_at_qos_0_not_retained(node):
    after = node.hub.mark()
    assert node.hub.ask("config", "refresh")["result"] == "refreshed"
    for metric, unit in METRICS.items():
        message = node.hub.wait("telemetry/" + metric, None, after)
        assert message.qos == 0
        value = message.json
        assert set(value) == {"value", "unit", "quality", "timestamp"}
        assert value["unit"] == unit
        assert value["quality"] == 100
        assert isinstance(value["value"], (int, float))
    retained = node.hub.retained()
    assert not [topic for topic in retained if not topic.startswith("status/")]


def test_values_are_those_of_the_house(node):
    node.hub.ask("relay", "off", relay=0)
    node.hub.ask("relay", "off", relay=1)
    time.sleep(1)
    after = node.hub.mark()
    node.hub.ask("config", "refresh")
    value = {m: node.hub.wait("telemetry/" + m, None, after).json["value"] for m in METRICS}
    assert 90 <= value["power"] <= 110
    assert 220 <= value["voltage"] <= 240
    assert 0.35 <= value["current"] <= 0.5
    assert value["power_factor"] == 1
    assert 49 <= value["frequency"] <= 51
    assert 30 <= value["temperature"] <= 60


def test_all_status_topics_at_qos_1_and_retained(node):
    after = node.hub.mark()
    node.hub.ask("config", "refresh")
    for name in STATUS:
        message = node.hub.wait("status/" + name, None, after)
        assert message.qos == 1
        assert not message.retain  # that flag is for those who come later
    retained = node.hub.retained()
    assert set(retained) == {"status/" + name for name in STATUS}
    assert all(message.qos == 1 for message in retained.values())


def test_what_the_status_topics_say(node):
    node.hub.ask("config", "refresh")
    status = {topic[7:]: m.json for topic, m in node.hub.retained().items()}
    assert set(status["online"]) == {"online", "uptime", "firmware", "timestamp"}
    assert status["online"]["online"] is True
    assert set(status["relay"]) == {"state", "relays", "source", "tripped", "timestamp"}
    assert status["relay"]["tripped"] is None
    firmware = status["firmware"]
    assert firmware["state"] == "confirmed"
    assert firmware["board"] == "esp32-pzem"
    assert firmware["device"] == "240ac4000001"
    assert firmware["micropython"].startswith("1.")
    assert (status["rssi"]["value"], status["rssi"]["unit"]) == (-60, "dBm")
    health = status["health"]
    assert {"heap_free", "tick_max_ms", "reconnects", "last_error", "boots", "reset_cause",
            "crash", "meter_ok", "meter_errors", "dropped", "backlog", "bytes_sent"} <= set(health)
    assert health["meter_ok"] is True
    assert health["reset_cause"] == "power_on"
    assert health["boots"] == 1
    assert health["crash"] is None
    assert health["bytes_sent"] > 1000


def test_timestamps_are_the_time(node):
    after = node.hub.mark()
    earliest = stamp(3)
    node.hub.ask("config", "refresh")
    message = node.hub.wait("telemetry/power", None, after)
    assert earliest <= message.json["timestamp"] <= stamp(-3)


@pytest.mark.parametrize("relay", [0, 1])
def test_a_relay_command_switches_answers_and_tells(node, relay):
    node.hub.ask("relay", "off", relay=relay)
    transitions = node.transitions(relay)
    after = node.hub.mark()
    answer = node.hub.ask("relay", "on", relay=relay, request_id="on-%d" % relay)
    assert answer["status"] == "success"
    assert answer["result"] == "on"
    assert answer["request_id"] == "on-%d" % relay
    assert node.board.relay(relay)
    assert node.transitions(relay) == transitions + 1
    message = node.hub.wait("status/relay", None, after)
    assert message.qos == 1
    assert message.json["relays"][relay] == "on"
    assert message.json["source"] == "command"
    assert message.json["state"] == message.json["relays"][0]
    assert json.loads(node.hub.retained()["status/relay"].payload)["relays"][relay] == "on"
    response = node.hub.seen("response/command", after)[0]
    assert response.qos == 1 and not response.retain
    assert node.hub.ask("relay", "off", relay=relay)["result"] == "off"
    assert not node.board.relay(relay)
    time.sleep(1.5)  # the flood guard allows 5 changes in 3 s


def test_power_follows_the_relay_within_1_s_of_the_meter_showing_it(node):
    node.hub.ask("relay", "off")
    time.sleep(1.5)
    after = node.hub.mark()
    node.hub.ask("relay", "on")
    switched_s = node.hub.wait("status/relay", None, after).at_s
    full = node.hub.wait("telemetry/power", lambda m: m.json["value"] > 1000, after)
    # 0.15 s until the meter shows all of it, 1 s for us, and a busy machine.
    assert full.at_s - switched_s < 2.5
    after = node.hub.mark()
    node.hub.ask("relay", "off")
    switched_s = node.hub.wait("status/relay", None, after).at_s
    gone = node.hub.wait("telemetry/power", lambda m: m.json["value"] < 150, after)
    assert gone.at_s - switched_s < 2.5


def test_energy_counts_up(node):
    def energy_wh():
        after = node.hub.mark()
        node.hub.ask("config", "refresh")
        return node.hub.wait("telemetry/energy", None, after).json["value"]

    first_wh = energy_wh()
    node.hub.ask("relay", "on")
    time.sleep(3)
    node.hub.ask("relay", "off")
    # 1.1 kW for 3 s at 20 times the speed are 18 Wh.
    assert 10 <= energy_wh() - first_wh <= 40


def test_a_pulse_ends_by_itself_and_says_so(node):
    node.hub.ask("relay", "off")
    time.sleep(1)
    after = node.hub.mark()
    answer = node.hub.ask("relay", "pulse", duration_ms=300)
    assert answer["result"] == "on"
    message = node.hub.wait("status/relay", lambda m: m.json["source"] == "timer", after)
    assert message.json["state"] == "off"
    assert not node.board.relay(0)


def test_a_change_of_the_signal_is_told(node):
    after = node.hub.mark()
    node.board.fault(rssi=-75)
    try:
        message = node.hub.wait("status/rssi", None, after, timeout_s=15)
    finally:
        node.board.fault(rssi=-60)
    assert message.json["value"] == -75


def test_settings_can_be_read_but_secrets_cannot(node):
    values, offset, pages = {}, 0, 0
    while offset is not None:
        result = node.hub.ask("config", "get", offset=offset)["result"]
        values.update(result["values"])
        offset = result["next"]
        pages += 1
    assert pages > 1
    assert values["node_id"] == node.settings["node_id"]
    assert values["wifi_password"] == "***"
    assert values["broker_password"] == ""


def test_the_log_can_be_read(node):
    result = node.hub.ask("config", "log", offset=0)["result"]
    assert any("boot: esp32-pzem, reset cause power_on" in line for line in result["lines"])


def test_nothing_sent_is_above_1000_bytes(node):
    hub = node.hub
    hub.ask("config", "get", request_id="\u20ac" * 64)
    hub.ask("config", "log", offset=0, request_id="x" * 64)
    assert max(len(message.payload) for message in hub.messages
               if not message.topic.startswith("command/")) <= 1000


def test_telemetry_is_quiet_in_between(node):
    # Nothing left its deadband, no heartbeat is due: nothing is sent.
    time.sleep(1.5)
    after = node.hub.mark()
    time.sleep(3)
    # Energy, and wobbles: the frequency may cross its deadband each second. Six metrics, each
    # second, would be 18.
    assert len(node.hub.seen("telemetry/", after)) <= 6


def test_a_planned_restart_tells_goes_and_comes_back_with_its_relays_untouched(node):
    node.hub.ask("relay", "on")
    transitions = node.transitions()
    boots = node.board.boots
    after = node.hub.mark()
    answer = node.hub.ask("config", "restart")
    assert answer["result"] == "restarting"
    offline = node.hub.wait("status/online", None, after)
    assert offline.json["online"] is False and offline.json["reason"] == "restart"
    assert offline.qos == 1
    back = node.online(offline.number)
    # Its own goodbye, and no last will.
    assert [m.number for m in node.hub.seen("status/online", after, back.number + 1)] == [
        offline.number, back.number]
    assert node.board.boots == boots + 1
    assert node.board.causes[-1] == "soft"
    assert node.transitions() == transitions
    assert node.board.relay(0)
    relay = node.hub.wait("status/relay", None, back.number).json
    assert relay["state"] == "on" and relay["source"] == "boot"
    health = node.health()
    assert health["reset_cause"] == "soft"
    assert health["boots"] == 2
    node.hub.ask("relay", "off")


def test_a_command_sent_during_a_restart_is_answered_after_it(node):
    after = node.hub.mark()
    node.hub.ask("config", "restart")
    node.hub.wait("status/online", lambda m: not m.json["online"], after)
    node.hub.send("led", {"action": "identify", "request_id": "while away"})
    answer = node.hub.answer("while away", after, 20)
    # It has no timestamp, but a planned restart is over too soon for it to be stale.
    assert answer["status"] == "success"
    node.online(after)


def test_shutdown_leaves_its_own_message_and_no_will(node):
    after = node.hub.mark()
    assert node.board.stop() == 0
    offline = node.hub.wait("status/online", None, after)
    assert offline.json["online"] is False and offline.json["reason"] == "shutdown"
    time.sleep(0.5)
    assert len(node.hub.seen("status/online", after)) == 1
    assert json.loads(node.hub.retained()["status/online"].payload)["reason"] == "shutdown"


def test_a_killed_node_leaves_exactly_the_last_will(new_node):
    node = new_node()
    node.start()
    after = node.hub.mark()
    node.board.power_cut()
    message = node.hub.wait("status/online", None, after)
    assert message.payload == WILL
    assert message.qos == 1
    assert node.hub.retained()["status/online"].payload == WILL
