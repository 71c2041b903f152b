# What a node measured while the broker was out of reach arrives later: once, in order, dated.
import time

import pytest
from rig import patched_code

from host_tests.support.proxy import FIN, TO_BROKER, FaultProxy, Plan

# Minutes of 3 s, so that an outage of some seconds has several.
SHORT_MINUTES = {"firmware/telemetry/backlog.py": [("MINUTE_S = const(60)", "MINUTE_S = const(3)"),
                                                   ("FEWEST = 5", "FEWEST = 1")]}


@pytest.fixture(scope="module")
def short_minutes(tmp_path_factory):
    return patched_code(tmp_path_factory.mktemp("short_minutes"), SHORT_MINUTES)


@pytest.fixture
def line(broker):
    """The line between node and broker; the hub has its own, so it hears all."""
    with FaultProxy(broker.host, broker.port) as one:
        yield one


def cut(line):
    line.plan = Plan(FIN, TO_BROKER, 0)  # each new connection ends at its first byte
    line.last.cut()


def backfilled(hub, metric, after):
    """Messages of the outage, once they have begun and no more have come for two seconds."""
    topic = "telemetry/" + metric
    hub.wait(topic, lambda message: message.json.get("backfilled"), after, 20)
    count = -1
    while count != (count := len(hub.seen(topic, after))):
        time.sleep(2)
    return [message for message in hub.seen(topic, after) if message.json.get("backfilled")]


def test_an_outage_is_told_afterwards_in_order_and_once(new_node, broker, line, short_minutes):
    node = new_node(broker, {"broker_port": line.port}, code=short_minutes)
    node.start()
    assert node.hub.ask("relay", "on")["status"] == "success"
    time.sleep(4)  # the meter shows a mean over 2 s
    cut(line)
    node.board.wait_for_line("link: disconnected", 10)
    time.sleep(14)
    after = node.hub.mark()
    line.plan = Plan()
    node.online(after)
    power = backfilled(node.hub, "power", after)
    energy = backfilled(node.hub, "energy", after)
    assert 4 <= len(power) <= 8 and len(power) == len(energy)
    assert all(message.qos == 1 and not message.retain for message in power + energy)
    stamps = [message.json["timestamp"] for message in power]
    assert stamps == sorted(set(stamps))
    assert stamps == [message.json["timestamp"] for message in energy]
    assert all(900 < message.json["value"] < 1100 for message in power)
    values = [message.json["value"] for message in energy]
    assert values == sorted(values)
    live = node.hub.wait("telemetry/energy", lambda m: "backfilled" not in m.json, after)
    assert live.number < power[0].number  # live values go first
    assert live.json["value"] >= values[-1]  # and nothing is missing between them
    health = node.health()
    assert (health["backlog"], health["dropped"]) == (0, 0)


def test_what_is_left_of_an_outage_survives_a_planned_stop(new_node, broker, line,
                                                          short_minutes):
    node = new_node(broker, {"broker_port": line.port}, code=short_minutes)
    node.start()
    cut(line)
    node.board.wait_for_line("link: disconnected", 10)
    time.sleep(8)
    after = node.hub.mark()
    assert node.board.stop() == 0
    line.plan = Plan()
    node.board.power_on()
    node.online(after)
    assert 2 <= len(backfilled(node.hub, "power", after)) <= 5
