# The whole node against amqtt, a broker that is not Mosquitto and not quite the standard.
# Where it differs, and how the node copes:
# * A command that waited for the node is delivered with the retain flag, which MQTT-3.3.1-9 has
#   for another case: the node refuses it as `retained`, so it is answered, but never executed.
# * A resumed session gets every retained message that anybody subscribed to, at QoS 0 (the
#   node's own status among them): the node takes only its own command/+ for commands.
# * A message goes out at the subscriber's QoS, not at the lower of the two (MQTT-3.8.4-6): the
#   hub hears QoS 0 telemetry at QoS 1. A command sent at QoS 0 is acknowledged like one of QoS 1.
# * Sessions of clients without a user name keep nothing, so the node has one here.
import sys

import pytest

from host_tests.support.amqtt_broker import AmqttBroker

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="amqtt needs Python 3.10")
WILL = b'{"online": false, "reason": "unexpected_disconnect"}'


@pytest.fixture(scope="module")
def amqtt():
    with AmqttBroker() as broker:
        yield broker


@pytest.fixture(scope="module")
def node(amqtt, module_node):
    login = {"broker_user": "node", "broker_password": "node"}
    return module_node(amqtt, settings=login).start(user="hub", password="hub")


def test_connects_and_tells_everything(node):
    node.board.wait_for_line("link: connected (new session)")
    for topic in ("relay", "firmware", "rssi", "health"):
        assert node.hub.wait("status/" + topic).qos == 1
    assert node.hub.wait("telemetry/power").json["unit"] == "W"


def test_a_command_is_executed_once_and_answered(node):
    node.hub.ask("relay", "off")
    transitions = node.transitions()
    after = node.hub.mark()
    answer = node.hub.ask("relay", "on", request_id="once")
    assert (answer["status"], answer["result"]) == ("success", "on")
    assert node.board.relay(0)
    assert node.hub.wait("status/relay", None, after).json["state"] == "on"
    again = node.hub.ask("relay", "on", request_id="once")
    assert again["duplicate"] is True
    assert node.transitions() == transitions + 1


def test_status_is_retained_and_telemetry_is_not(node):
    node.hub.ask("config", "refresh")
    retained = node.hub.retained()
    assert set(retained) == {
        "status/" + name for name in ("online", "relay", "firmware", "rssi", "health")}
    assert retained["status/online"].json["online"] is True


def test_a_restart_says_so(node):
    after = node.hub.mark()
    node.hub.ask("config", "restart")
    assert node.hub.wait("status/online", None, after).json["reason"] == "restart"
    node.online(after)


def test_a_session_is_resumed_and_what_waited_there_is_answered_but_not_executed(node):
    after = node.hub.mark()
    node.board.power_cut()
    node.hub.wait("status/online", lambda m: not m.json["online"], after)
    node.hub.send("relay", {"action": "on", "request_id": "waited"})
    node.board.power_on()
    answer = node.hub.answer("waited", after, 20)
    assert answer["error"]["code"] == "retained"
    node.online(after)
    node.board.wait_for_line("link: connected (session resumed)")
    assert not node.board.relay(0)
    # What else came with it is no command: nothing else is answered, and the node goes on.
    assert node.hub.ask("relay", "on")["result"] == "on"
    assert len(node.hub.seen("response/command", after)) == 2


def test_a_killed_node_leaves_its_will(node):
    after = node.hub.mark()
    node.board.power_cut()
    assert node.hub.wait("status/online", None, after).payload == WILL
    assert node.hub.retained()["status/online"].payload == WILL
