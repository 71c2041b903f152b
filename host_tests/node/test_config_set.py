# `command/config` `set` and `reset` from end to end: what could cut the node off is tried first.
import contextlib
import json
import time

import pytest
from hub import Hub
from rig import patched_code

# A board that loses no time, with a trial of seconds.
QUICK = {
    "main.py": [("GRACE_MS = 2000", "GRACE_MS = 100")],
    "firmware/config/trial.py": [("TRIAL_MS = 120000", "TRIAL_MS = 6000")],
    "firmware/node.py": [("_NO_WIFI_MS = const(10000)", "_NO_WIFI_MS = const(2000)")],
}
# The last word comes 4 s after the start.
SLOW = {"firmware/config/trial.py": QUICK["firmware/config/trial.py"] + [(
    "self._session.online and not self._outbox.full:",
    "self._session.online and ticks_diff(ticks_ms(), self._began_ms) > 4000:")]}
SECRETS = ("hunter2", "correct horse")
NETWORKS = {"simulated": "simulated", "attic": "hunter2"}


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    return patched_code(tmp_path_factory.mktemp("quick"), QUICK)


@pytest.fixture
def quick_node(new_node, code):
    """quick_node(**options): a Rig that is online, with relay 0 on."""
    def make(**options):
        options.setdefault("code", code)
        node = new_node(**options).start()
        assert node.hub.ask("relay", "on")["status"] == "success"
        return node
    return make


def send_set(node, **values):
    """(first answer, request id, number of the next message)."""
    request_id, after = node.hub.new_id(), node.hub.mark()
    answer = node.hub.ask("config", "set", request_id=request_id, values=values)
    return answer, request_id, after


def last_word(node, request_id, after, timeout_s=30.0):
    return node.hub.wait("response/command", lambda m: m.json["request_id"] == request_id
                         and m.json["status"] != "progress", after, timeout_s).json


def stored(node):
    return json.loads((node.flash / "config.json").read_text())


def good(node):
    return json.loads((node.flash / "config.good.json").read_text())


def is_over(node, timeout_s=5):
    """Whether nothing is left of the trial, soon after its last word."""
    end = time.monotonic() + timeout_s
    while (node.flash / "config.trial.json").exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def no_secret_is_told(node):
    heard = [repr(message) for message in node.hub.messages
             if not message.topic.startswith("command/")]
    for secret in SECRETS:
        assert not [line for line in node.board.log + heard if secret in line]


@contextlib.contextmanager
def listening(node, prefix, broker=None):
    broker = broker or node.broker
    hub = Hub(broker.host, broker.port, prefix)
    try:
        yield hub
    finally:
        hub.close()


def test_a_setting_that_cuts_nothing_off_is_taken_by_a_restart(quick_node):
    node = quick_node()
    before = node.transitions()
    answer, _, after = send_set(node, power_heartbeat_s=17, relay_boot_states=["on"])
    assert answer["status"] == "success"
    assert answer["result"] == {"changed": ["power_heartbeat_s", "relay_boot_states"],
                                "restarts": True, "trial": False}
    node.online(after)
    got = node.hub.ask("config", "get", keys=["power_heartbeat_s", "relay_boot_states"])
    assert got["result"]["values"] == {"power_heartbeat_s": 17, "relay_boot_states": ["on"]}
    assert stored(node) == good(node)
    assert node.board.relay(0) and node.transitions() == before
    boots = node.board.boots
    assert send_set(node, power_heartbeat_s=17)[0]["result"] == {
        "changed": [], "restarts": False, "trial": False}
    time.sleep(1)
    assert node.board.boots == boots


def test_a_new_network_is_kept_when_it_works(quick_node):
    node = quick_node(networks=NETWORKS)
    before = node.transitions()
    answer, request_id, after = send_set(node, wifi_ssid="attic", wifi_password="hunter2")
    assert answer["status"] == "progress"
    assert answer["result"] == {"changed": ["wifi_password", "wifi_ssid"], "restarts": True,
                                "trial": True}
    word = last_word(node, request_id, after)
    assert word["status"] == "success"
    assert word["result"] == {"changed": ["wifi_password", "wifi_ssid"], "state": "kept"}
    assert is_over(node)
    assert stored(node)["wifi_ssid"] == good(node)["wifi_ssid"] == "attic"
    assert stored(node)["wifi_password"] == "hunter2"
    assert any("joined attic" in line for line in node.board.log)
    assert node.board.boots == 2 and node.board.relay(0) and node.transitions() == before
    assert node.hub.ask("config", "get", keys=["wifi_password"])["result"]["values"] == {
        "wifi_password": "***"}
    no_secret_is_told(node)


def test_a_wrong_password_is_reverted_and_told(quick_node):
    node = quick_node(networks=NETWORKS)
    before = (stored(node), node.transitions())
    _, request_id, after = send_set(node, wifi_ssid="attic", wifi_password="correct horse")
    word = last_word(node, request_id, after)
    assert word["error"]["code"] == "reverted"
    assert "wrong password" in word["error"]["message"]
    assert is_over(node)
    assert (stored(node), node.transitions()) == before
    assert good(node) == stored(node)
    assert node.board.boots == 3
    no_secret_is_told(node)
    # The same command again is not executed again.
    after = node.hub.mark()
    node.hub.send("config", {"action": "set", "request_id": request_id,
                             "values": {"wifi_ssid": "attic"}})
    assert node.hub.answer(request_id, after)["duplicate"]


def test_another_broker_is_kept_when_it_works(quick_node, own_broker):
    node = quick_node()
    other = own_broker().start()
    with listening(node, node.prefix, other) as hub:
        send_set(node, broker_port=other.port)
        word = hub.wait("response/command", lambda m: m.json["status"] == "success",
                        timeout_s=20).json
        assert word["result"]["changed"] == ["broker_port"]
        assert is_over(node)
        assert hub.ask("relay", "off")["status"] == "success"
        assert stored(node)["broker_port"] == other.port


def test_a_broker_that_is_not_there_is_reverted_in_time(quick_node, own_broker):
    node = quick_node()
    start = time.monotonic()
    _, request_id, after = send_set(node, broker_port=1, broker_user="x",
                                    broker_password="hunter2")
    word = last_word(node, request_id, after)
    assert word["error"]["code"] == "reverted" and "unreachable" in word["error"]["message"]
    assert 6 < time.monotonic() - start < 15
    assert node.hub.ask("relay", "off")["status"] == "success"
    no_secret_is_told(node)


def test_a_wrong_login_is_tried_once_in_the_trial(new_node, own_broker, code):
    broker = own_broker(users={"node": "right", "hub": "h"}).start()
    node = new_node(broker, {"broker_user": "node", "broker_password": "right"}, code=code)
    node.start(user="hub", password="h")
    _, request_id, after = send_set(node, broker_password="hunter2")
    word = last_word(node, request_id, after)
    assert word["error"]["code"] == "reverted"
    assert "not_authorized" in word["error"]["message"]
    assert len([line for line in broker.log if "not authorised" in line]) == 1
    assert stored(node)["broker_password"] == "right"
    no_secret_is_told(node)


def test_the_outcome_waits_for_the_broker(quick_node, own_broker):
    broker = own_broker().start()
    node = quick_node(broker=broker)
    _, request_id, after = send_set(node, broker_port=1)
    broker.kill9()
    node.board.wait_for_line("back to the settings before", 15)
    node.board.wait_for_line("link: error: unreachable", 15, len(node.board.log))
    node.board.power_cut()
    broker.start()
    node.hub.close()
    node.listen()
    node.board.power_on()
    assert last_word(node, request_id, 0)["error"]["code"] == "reverted"
    assert is_over(node)
    after = node.hub.mark()
    node.board.press_reset()
    node.online(after)
    assert not node.hub.seen("response/command", after)  # told once and for all


def test_a_power_cut_in_the_trial_is_no_verdict_but_two_are(quick_node):
    node = quick_node()
    _, request_id, after = send_set(node, broker_port=1)
    for _ in range(2):
        node.board.wait_for_line("link: error: unreachable", 15, len(node.board.log))
        assert node.board.running
        node.board.power_cut()
        assert stored(node)["broker_port"] == node.broker.port
        node.board.power_on()
    word = last_word(node, request_id, after)
    assert word["error"]["code"] == "reverted" and "reset" in word["error"]["message"]
    assert is_over(node)


def test_a_version_that_crashes_with_the_new_settings_gets_the_old_ones_back(
        new_node, tmp_path):
    code = patched_code(tmp_path, dict(QUICK, **{"firmware/assembly.py": [(
        "    gc.collect()\n    clock = Clock()\n",
        "    gc.collect()\n    clock = Clock()\n"
        "    if settings['keepalive_s'] == 77:\n        1 / 0\n")]}))
    node = new_node(code=code).start()
    _, request_id, after = send_set(node, keepalive_s=77)
    word = last_word(node, request_id, after)
    assert word["error"]["code"] == "reverted"
    assert is_over(node) and "keepalive_s" not in stored(node)
    assert len([line for line in node.board.log if "ZeroDivisionError" in line]) == 2


def test_until_the_last_word_others_wait(new_node, tmp_path):
    node = new_node(code=patched_code(tmp_path, dict(QUICK, **SLOW))).start()
    values = {"node_id": node.settings["node_id"], "keepalive_s": 31}
    answer, request_id, after = send_set(node, **values)
    assert answer["result"]["changed"] == ["keepalive_s"]
    node.board.wait_for_line("the new settings stay")
    again = node.hub.mark()
    node.hub.send("config", {"action": "set", "values": values, "request_id": request_id})
    answer = node.hub.answer(request_id, again)
    assert (answer["status"], answer["result"], answer["duplicate"]) == (
        "progress", {"state": "trial"}, True)
    for action, arguments in (("set", {"values": {"keepalive_s": 32}}), ("reset", {}),
                              ("calibrate", {"metric": "voltage", "true": 229})):
        assert node.hub.ask("config", action, **arguments)["error"]["code"] == "busy", action
    assert last_word(node, request_id, after)["result"]["state"] == "kept"
    assert is_over(node)
    assert stored(node)["keepalive_s"] == 31 and "calibration" not in stored(node)
    assert send_set(node, keepalive_s=32)[0]["status"] == "progress"


def test_many_settings_at_once_and_back(quick_node):
    node = quick_node()
    values = {
        "relay_boot_states": ["last", "off"], "auto_off_s": [0, 3600], "interlock": [[0, 1]],
        "interlock_ms": 700, "input_modes": ["momentary"], "utc_offset": "+02:00",
        "protection": [{"relay": 0, "max_power": [3500, 2000]}], "sample_ms": 900,
        "calibration": {"power": 1.01}, "power_deadband_w": 6, "power_deadband_percent": 4.5,
        "power_deadband_max_w": 41, "voltage_deadband_v": 2, "current_deadband_a": 0.25,
        "energy_deadband_wh": 10, "power_factor_deadband": 0.2, "frequency_deadband_hz": 0.3,
        "temperature_deadband_c": 1, "power_heartbeat_s": 30, "heartbeat_s": 200,
        "extra_metrics": ["energy_today"]}
    before = stored(node)
    answer, _, after = send_set(node, **values)
    assert answer["result"] == {"changed": sorted(values), "restarts": True, "trial": False}
    node.online(after)
    names = sorted(values)
    for part in (names[:9], names[9:]):  # else they come in pages
        got = node.hub.ask("config", "get", keys=part)["result"]["values"]
        assert got == {name: values[name] for name in part}
    after = node.hub.mark()
    answer = node.hub.ask("config", "reset")
    assert answer["result"] == {"changed": sorted(set(values) - {"calibration"}),
                                "restarts": True, "trial": False}
    node.online(after)
    assert stored(node) == dict(before, calibration={"power": 1.01})
    assert node.hub.ask("config", "reset")["result"] == {
        "changed": [], "restarts": False, "trial": False}


def test_bad_input_changes_nothing_and_tells_no_secret(quick_node):
    node = quick_node()
    before, boots = stored(node), node.board.boots
    for values, named in (
        ({"wifi_password": "hunter2", "wifi_pasword": "hunter2"}, "wifi_pasword"),
        ({"wifi_password": "hunter2" * 10}, "wifi_password"),
        ({"wifi_password": ["hunter2"]}, "wifi_password"),
        ({"wifi_ssid": "attic", "broker_port": "1883"}, "broker_port"),
        ({"sample_ms": 1}, "sample_ms"), ({"board": "none"}, "none"),
        ({"board": "nodemcu-pzem"}, "esp8266"), ({}, "values"), ("hunter2", "values"),
        (None, "values"), ([["wifi_password", "hunter2"]], "values"),
    ):
        error = node.hub.ask("config", "set", values=values)["error"]
        assert error["code"] == "bad_request" and named in error["message"], (values, error)
    for payload in (b'{"wifi_password": "hunter2", "action": "set"',
                    b'"hunter2"', b'{"action": "hunter", "values": "hunter2"}',
                    b'{"action": "set", "values": {"wifi_password": "hunter2\xff"}}'):
        after = node.hub.mark()
        node.hub.send("config", payload)
        assert node.hub.wait("response/command", None, after).json["status"] == "error"
    request_id = node.hub.new_id()
    after = node.hub.mark()
    node.hub.send("config", {"action": "set", "values": {"wifi_password": "hunter2"},
                             "request_id": request_id, "timestamp": "2020-01-01T00:00:00Z"})
    assert node.hub.answer(request_id, after)["error"]["code"] == "expired"
    assert stored(node) == before and node.board.boots == boots
    no_secret_is_told(node)


def moved(node, **values):
    """Change ids, and see that all has moved; returns the new prefix."""
    new = dict(node.settings, **values)
    prefix = "%s/%s/nodes/%s/" % (new.get("base_topic", "homesync"), new["home_id"],
                                  new["node_id"])
    with listening(node, prefix) as hub:
        answer, request_id, after = send_set(node, **values)
        assert answer["result"]["trial"] is True
        word = hub.wait("response/command", lambda m: m.json["status"] == "success",
                        timeout_s=20).json
        assert word["request_id"] == request_id
        assert last_word(node, request_id, after)["result"]["state"] == "kept"
        assert is_over(node)
        assert node.hub.retained() == {}
        assert set(hub.retained()) == {"status/" + name for name in (
            "online", "relay", "firmware", "rssi", "health")}
        time.sleep(1)
        assert hub.retained()["status/online"].json["online"] is True
        assert hub.ask("relay", "off")["result"] == "off"
        # Nobody listens on the old tree any more.
        after = node.hub.mark()
        node.hub.send("relay", {"action": "on", "request_id": "nobody"})
        time.sleep(1)
        assert not node.board.relay(0)
        assert node.hub.seen("response/", after) == []
    return prefix


def test_a_new_node_id_moves_everything(quick_node, own_broker):
    broker = own_broker(config_lines=["log_type all"]).start()
    node = quick_node(broker=broker)
    suffix = json.loads((node.flash / "device.json").read_text())["suffix"]
    old = "homesync_home_%s_%s" % (node.settings["node_id"], suffix)
    moved(node, node_id="renamed", home_id="elsewhere")
    assert not [line for line in broker.log if "queued" in line and old in line]
    connects = [line for line in broker.log if old in line and " as " in line]
    assert "c0" in connects[0] and "c1" in connects[-1], connects


def test_a_new_base_topic_moves_everything(quick_node):
    node = quick_node()
    moved(node, base_topic="house/one")


def test_a_new_id_that_fails_is_told_on_both_trees(quick_node):
    node = quick_node()
    with listening(node, "homesync/home/nodes/lost/") as hub:
        _, request_id, after = send_set(node, node_id="lost", broker_port=1)
        assert last_word(node, request_id, after)["error"]["code"] == "reverted"
        word = hub.wait("response/command", timeout_s=20).json
        assert word["request_id"] == request_id and word["error"]["code"] == "reverted"
        assert is_over(node)
        assert hub.retained() == {}
        assert node.hub.retained()["status/online"].json["online"] is True
