# What brokers do to nodes, and how the node tells it; what it cannot see is shown here too.
import contextlib
import json
import shutil
import time

import paho.mqtt.client as mqtt
import pytest

from host_tests.support import scripted_broker

FULL = pytest.mark.full
LONGEST = {"base_topic": "b" * 32, "home_id": "h" * 32, "node_id": "n" * 32}
LONGEST_PREFIX = "%(base_topic)s/%(home_id)s/nodes/%(node_id)s/" % LONGEST


@contextlib.contextmanager
def visitor(broker, client_id=""):
    """Somebody else's client, connected for a while."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id)
    client.connect(broker.host, broker.port)
    client.loop_start()
    deadline = time.monotonic() + 10
    while not client.is_connected() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert client.is_connected()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def lines(node, text):
    return [line for line in node.board.log if text in line]


def pages(hub, action, key):
    """What all pages of `config` `get` (the names) or `log` hold."""
    found, offset = [], 0
    while offset is not None:
        request_id = "\U0001f600" * 56 + action + str(offset)  # nearly the longest
        command = {"action": action, "offset": offset, "request_id": request_id}
        after = hub.mark()
        hub.send("config", json.dumps(command, ensure_ascii=False).encode())
        answer = hub.answer(request_id, after)
        assert answer["status"] == "success"
        found += answer["result"][key]
        offset = answer["result"]["next"]
    return found


@pytest.mark.parametrize("limit", [
    "message_size_limit 1024", pytest.param("max_packet_size 1200", marks=FULL)])
def test_all_arrives_at_a_broker_that_drops_what_is_larger(new_node, own_broker, limit):
    # The first counts the payload, the second all of the packet: topic, header and id too.
    broker = own_broker(config_lines=[limit]).start()
    node = new_node(broker, settings=LONGEST)
    node.prefix = LONGEST_PREFIX
    node.start()
    for n in range(20):  # long lines for the log
        node.hub.ask("config", "log", offset="\u20ac" * 40, request_id="log-%d" % n)
    assert node.hub.ask("relay", "on")["status"] == "success"  # no power factor without a load
    after = node.hub.mark()
    assert node.hub.ask("config", "refresh")["result"] == "refreshed"
    for name in ("online", "relay", "firmware", "rssi", "health"):
        node.hub.wait("status/" + name, None, after)
    for name in ("power", "voltage", "current", "energy", "power_factor", "frequency",
                 "temperature"):
        node.hub.wait("telemetry/" + name, None, after)
    assert set(pages(node.hub, "get", "values")) >= {"node_id", "wifi_password", "broker_host"}
    assert len(pages(node.hub, "log", "lines")) >= 12  # long lines leave sooner
    # The test would show nothing if all were short.
    assert max(len(message.payload) for message in node.hub.messages) > 900
    assert node.health()["dropped"] == 0
    assert lines(node, "link: connected") and not lines(node, "link: disconnected")


def test_the_connection_limit_is_told_and_waited_out(new_node, own_broker):
    broker = own_broker(config_lines=["max_connections 2"]).start()
    node = new_node(broker)
    node.listen()
    with visitor(broker):
        node.board.power_on()
        error = node.board.wait_for_line("link: error")
        assert "closed_before_connack" in error
        assert "connection limit" in error
        time.sleep(1)  # in which it tries again
        assert len(lines(node, "link: error")) > 1
        assert not lines(node, "link: connected")
    node.online()
    last_error = node.hub.wait("status/health").json["last_error"]
    assert last_error.startswith("closed_before_connack") and "connection limit" in last_error


def test_each_refusal_of_the_broker_is_told_apart(new_node, scripted):
    node = new_node(scripted)
    node.board.power_on()
    for code, told in (1, "MQTT 3.1.1"), (2, "client id"), (3, "not available"):
        peer = scripted.accept()
        peer.expect(scripted_broker.CONNECT)
        peer.send(b"\x20\x02\x00" + bytes((code,)))
        line = node.board.wait_for_line("CONNACK %d" % code)
        assert "error: broker_refused" in line and told in line
    health = None
    peer = scripted.session()
    while health is None:
        packet = peer.expect(scripted_broker.PUBLISH)
        topic, payload, qos, _ = scripted_broker.parts(packet)
        if qos:
            peer.puback(packet)
        if topic.endswith("status/health"):
            health = payload
    assert b'"last_error": "broker_refused: CONNACK 3: the broker is not available"' in health


@pytest.mark.parametrize("code, reason", [
    (4, "bad_credentials"), pytest.param(5, "not_authorized", marks=FULL)])
def test_a_refused_login_is_told_and_not_tried_at_once_again(new_node, scripted, code, reason):
    node = new_node(scripted)
    node.board.power_on()
    peer = scripted.accept()
    peer.expect(scripted_broker.CONNECT)
    peer.send(b"\x20\x02\x00" + bytes((code,)))
    line = node.board.wait_for_line("link: error")
    assert "%s (CONNACK %d: " % (reason, code) in line
    with pytest.raises(TimeoutError):
        scripted.accept(2)  # the back-off is 200 ms otherwise


@pytest.mark.parametrize("user, password", [
    ("node", "wrong"), pytest.param("nobody", "right", marks=FULL),
    pytest.param("", "", marks=FULL)])
def test_a_wrong_login_at_mosquitto(new_node, own_broker, user, password):
    # Mosquitto 2 says 5, "not authorized", whether user, password or both are wrong.
    broker = own_broker(users={"node": "right"}).start()
    node = new_node(broker, settings={"broker_user": user, "broker_password": password})
    node.board.power_on()
    line = node.board.wait_for_line("link: error")
    assert "not_authorized (CONNACK 5: " in line
    assert "user, password" in line


def test_what_access_rules_forbid_is_lost_and_nobody_is_told(new_node, own_broker, tmp_path):
    # Mosquitto acknowledges a forbidden message, and a subscription that will never get one,
    # like success; MQTT 3.1.1 has no other answer for the first. Only the broker's log tells.
    rules = tmp_path / "acl"
    rules.write_text("user hub\ntopic readwrite #\n"
                     "user node\ntopic write homesync/home/nodes/+/telemetry/#\n"
                     "topic write homesync/home/nodes/+/status/health\n"
                     "topic write homesync/home/nodes/+/status/online\n")
    rules.chmod(0o600)
    broker = own_broker(users={"node": "n", "hub": "h"},
                        config_lines=["acl_file %s" % rules, "log_type debug"]).start()
    node = new_node(broker, settings={"broker_user": "node", "broker_password": "n"})
    node.start(user="hub", password="h")
    node.hub.wait("telemetry/power")
    health = node.hub.wait("status/health").json
    assert health["last_error"] is None and health["dropped"] == 0
    node.hub.send("relay", {"action": "on", "request_id": "unheard"}).wait_for_publish(5)
    time.sleep(1.5)
    assert not node.board.relay(0)
    assert node.hub.seen("status/relay") == node.hub.seen("response/command") == []
    assert not lines(node, "link: error") + lines(node, "link: disconnected")
    assert [line for line in broker.log if "Denied PUBLISH" in line and "status/relay" in line]


@pytest.mark.full
def test_two_nodes_with_one_client_id_put_each_other_out(new_node, broker):
    # A flash image that was copied, with the random part of the id in it.
    first = new_node()
    first.start()
    twin = new_node(settings=dict(first.settings))
    shutil.copy(first.flash / "device.json", twin.flash / "device.json")
    twin.board.power_on()
    twin.board.wait_for_line("link: disconnected: connection_lost", 20)
    first.board.wait_for_line("link: disconnected: connection_lost", 20)
    assert "closed by the broker" in lines(first, "connection_lost")[0]
    # Neither gives up. Each waits longer and longer, since none of the sessions is a stable one:
    # 200 ms, 400, 800, 1600 times 0.8 to 1 are four rounds at most in these 3 s.
    time.sleep(3)
    assert 1 <= len(lines(first, "connection_lost")) <= 6
    twin.board.power_cut()
    assert first.hub.ask("relay", "on", timeout_s=20)["result"] == "on"
