# A broker that is away, frozen or refuses: no reboot, the right reason in the log, relays and
# meter unaffected, and back within one back-off step.
import time

import pytest
from hub import stamp

MAY_START_S = 8  # of a node, until its first attempt
FROM_ON = {"relay_boot_states": ["on"]}


def test_a_broker_killed_and_started_again(new_node, own_broker):
    broker = own_broker().start()
    node = new_node(broker, {"backoff_min_ms": 500}, loads=(1000,))
    node.start()
    assert node.hub.ask("relay", "on")["result"] == "on"
    transitions = node.transitions()
    line = len(node.board.log)
    broker.kill9()
    node.board.wait_for_line("link: disconnected: connection_lost", 10, after=line)
    node.board.wait_for_line("link: error: unreachable", 10, after=line)
    time.sleep(3)
    after = node.hub.mark()
    broker.start()
    start_s = time.monotonic()
    # It failed at 0.5, 1, 2 s or so: the present step is 4 s at most.
    node.online(after, 10)
    assert time.monotonic() - start_s < 4 + 3
    assert node.board.boots == 1
    assert node.board.relay(0) and node.transitions() == transitions
    health = node.health()
    assert health["reconnects"] == 1
    assert health["last_error"].startswith("unreachable")
    assert health["meter_ok"] is True
    assert health["tick_max_ms"] < 1000
    assert not any("meter lost" in line for line in node.board.log)
    # The broker knew nothing of us any more: subscription and status are there again.
    assert {"status/online", "status/relay", "status/health"} <= set(node.hub.retained())
    assert node.hub.ask("relay", "off")["result"] == "off"


def test_a_broker_absent_at_the_start_is_a_normal_state(new_node, own_broker):
    broker = own_broker()
    node = new_node(broker, dict(FROM_ON, power_heartbeat_s=1), loads=(1000,))
    node.board.power_on()
    node.board.wait_for_line("link: error: unreachable", MAY_START_S)
    node.board.wait_for_line("meter answers", MAY_START_S)
    time.sleep(2)
    assert node.board.boots == 1
    assert node.board.relay(0) and node.transitions() == 1
    broker.start()
    node.listen()
    node.online()
    assert node.board.boots == 1
    assert node.hub.wait("telemetry/power").json["value"] > 900
    assert node.hub.ask("relay", "off")["result"] == "off"


def wrong_password(new_node, own_broker):
    broker = own_broker(users={"node": "right", "hub": "h"}).start()
    settings = dict(FROM_ON, broker_user="node", broker_password="wrong")
    node = new_node(broker, settings, loads=(1000,))
    node.board.power_on()
    return node


def test_a_wrong_password_is_told_and_not_hammered(new_node, own_broker):
    node = wrong_password(new_node, own_broker)
    # Mosquitto answers a wrong password with "not authorized".
    line = node.board.wait_for_line("link: error: not_authorized", MAY_START_S)
    assert "password" in line
    node.board.wait_for_line("meter answers")
    time.sleep(5)
    assert sum("link: connecting" in line for line in node.board.log) == 1
    assert node.board.boots == 1
    assert node.board.relay(0) and node.transitions() == 1
    assert not any("meter lost" in line for line in node.board.log)
    # Corrected, it is in at once.
    node.listen(user="hub", password="h")
    node.configure(broker_password="right")
    node.board.press_reset()
    node.online()


@pytest.mark.full
def test_a_wrong_password_that_becomes_right_is_in_within_a_minute(new_node, own_broker):
    node = wrong_password(new_node, own_broker)
    node.board.wait_for_line("link: error: not_authorized", MAY_START_S)
    node.broker._users["node"] = "wrong"
    node.broker.restart()
    node.listen(user="hub", password="h")
    node.online(timeout_s=65)
    assert node.board.boots == 1


def test_a_frozen_broker_is_noticed_and_the_house_goes_on(new_node, own_broker):
    broker = own_broker().start()
    node = new_node(broker, {"keepalive_s": 5})
    node.start()
    line = len(node.board.log)
    assert node.hub.ask("relay", "pulse", duration_ms=3000)["status"] == "success"
    closed_s = time.monotonic()
    broker.suspend()
    try:
        while node.board.relay(0) and time.monotonic() - closed_s < 10:
            time.sleep(0.05)
        # The pulse ends on time though the foreground waits for a broker that says nothing.
        assert 2 < time.monotonic() - closed_s < 5
        node.board.wait_for_line("link: disconnected: timeout", 15, after=line)
        assert 5 < time.monotonic() - closed_s < 15  # 1.5 x 5 s
        after = node.hub.mark()
    finally:
        broker.resume()
    node.online(after, 15)
    assert node.board.boots == 1
    assert node.health()["tick_max_ms"] < 1000
    told = node.hub.wait("status/relay", lambda m: m.json["source"] == "timer", after)
    assert told.json["state"] == "off"


def queue(node, age_s=None):
    """Leave a relay command for a node that is away."""
    command = {"action": "on", "request_id": "queued"}
    if age_s is not None:
        command["timestamp"] = stamp(age_s)
    node.hub.send("relay", command).wait_for_publish(5)


def test_a_command_queued_while_the_power_was_off_is_not_executed(new_node):
    # How long it was off nobody knows, and the command says nothing about its age.
    node = new_node()
    node.start()
    node.board.power_cut()
    node.hub.wait("status/online", lambda m: not m.json["online"])
    queue(node)
    transitions = node.transitions()
    after = node.hub.mark()
    node.board.power_on()
    answer = node.hub.answer("queued", after, 15)
    assert answer["error"]["code"] == "expired"
    assert node.transitions() == transitions
    time.sleep(1)  # a ping has come back: the queue is empty
    assert node.hub.ask("relay", "on", request_id="fresh")["result"] == "on"


def test_a_command_queued_for_a_moment_is_executed(new_node):
    node = new_node()
    node.start()
    node.board.fault(wifi="down")
    node.board.wait_for_line("link: disconnected: no_wifi", 5)
    queue(node)
    after = node.hub.mark()
    node.board.fault(wifi="up")
    answer = node.hub.answer("queued", after, 15)
    assert answer["status"] == "success"
    assert node.board.relay(0)


def test_a_queued_command_with_a_timestamp_is_judged_by_it(new_node):
    node = new_node()
    node.start()
    node.board.fault(wifi="down")
    node.board.wait_for_line("link: disconnected: no_wifi", 5)
    queue(node, age_s=40)
    after = node.hub.mark()
    node.board.fault(wifi="up")
    answer = node.hub.answer("queued", after, 15)
    assert answer["error"]["code"] == "expired"
    assert not node.board.relay(0)


@pytest.mark.full
def test_a_command_without_a_timestamp_queued_for_30_s_is_expired(new_node):
    node = new_node()
    node.start()
    node.board.fault(wifi="down")
    node.board.wait_for_line("link: disconnected: no_wifi", 5)
    queue(node)
    time.sleep(31)
    assert any("no_wifi" in line for line in node.board.log)
    after = node.hub.mark()
    node.board.fault(wifi="up")
    answer = node.hub.answer("queued", after, 15)
    assert answer["error"]["code"] == "expired"
    assert not node.board.relay(0)
    time.sleep(1)
    assert node.hub.ask("relay", "on")["result"] == "on"


@pytest.mark.parametrize("fault, detail", [
    ("wrong_password", "wrong password"),
    pytest.param("not_found", "not found", marks=pytest.mark.full),
])
def test_wifi_that_refuses_says_why(new_node, fault, detail):
    node = new_node(settings=FROM_ON)
    node.board.fault(wifi=fault)
    node.board.power_on()
    line = node.board.wait_for_line("link: error: no_wifi", 20)
    assert detail in line
    assert node.board.relay(0) and node.board.boots == 1
    node.board.fault(wifi="up")
    node.listen()
    node.online(timeout_s=25)
