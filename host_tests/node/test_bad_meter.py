# A meter that fails: its telemetry stops, nothing is invented, everything else goes on.
import time

import pytest

SETTINGS = {"sample_ms": 200, "power_heartbeat_s": 1, "heartbeat_s": 1}
METER_METRICS = ("power", "voltage", "current", "energy", "power_factor", "frequency")
SPEED = 20


@pytest.fixture(scope="module")
def node(module_node):
    # Everything is reported each second here, so that silence shows soon.
    rig = module_node(loads=(1000,), base_load=100, speed=SPEED, settings=SETTINGS)
    rig.start()
    rig.hub.ask("relay", "on")
    return rig


@pytest.fixture
def healthy(node):
    """The node with a meter that works, before and after the test."""
    yield node
    node.board.fault(meter={"fault": None})


def lose(node, fault):
    """Set the fault and wait until the node knows; returns the hub's mark from then on."""
    line = len(node.board.log)
    node.board.fault(meter={"fault": fault})
    node.board.wait_for_line("meter lost", 10, after=line)
    time.sleep(0.2)  # what was on its way
    return node.hub.mark()


def energy_wh(node, after=0):
    """The value last told, or the first one after `after`."""
    if after:
        return node.hub.wait("telemetry/energy", None, after).json["value"]
    return node.hub.seen("telemetry/energy")[-1].json["value"]


@pytest.mark.parametrize("fault", ["silent", "echo", "bad_crc", "impossible"])
def test_a_lost_meter_is_silent_and_everything_else_goes_on(healthy, fault):
    node = healthy
    node.hub.wait("telemetry/energy", None, node.hub.mark())
    before_wh = energy_wh(node)
    after = lose(node, fault)
    lost_s = time.monotonic()

    health = node.health()
    assert health["meter_ok"] is False
    assert health["meter_errors"] >= 3
    assert node.hub.ask("relay", "off")["result"] == "off"
    assert not node.board.relay(0)
    assert node.hub.ask("relay", "on")["result"] == "on"
    node.hub.wait("telemetry/temperature", None, after, 15)
    time.sleep(max(0, lost_s + 2.5 - time.monotonic()))
    for metric in METER_METRICS:
        assert not node.hub.seen("telemetry/" + metric, after), metric

    after = node.hub.mark()
    node.board.fault(meter={"fault": None})
    for metric in METER_METRICS:
        node.hub.wait("telemetry/" + metric, None, after)
    # The meter went on counting; the total follows it, and no further than 1.1 kW could go.
    away_s = time.monotonic() - lost_s + 5
    assert before_wh <= energy_wh(node, after) <= before_wh + 1.2 * 1100 * SPEED * away_s / 3600
    health = node.health()
    assert health["meter_ok"] is True
    assert health["tick_max_ms"] < 1000


def test_quality_tells_how_many_reads_were_good(healthy):
    node = healthy
    lose(node, "silent")
    after = node.hub.mark()
    node.board.fault(meter={"fault": None})
    first = node.hub.wait("telemetry/power", None, after).json
    assert 0 < first["quality"] < 100
    later = node.hub.wait("telemetry/power", lambda m: m.json["quality"] == 100, after)
    assert later.json["value"] > 0


@pytest.mark.parametrize("fault", ["noise", "half"])
def test_a_disturbed_line_gives_right_values_or_none(healthy, fault):
    node = healthy
    time.sleep(1)
    after = node.hub.mark()
    node.board.fault(meter={"fault": fault})
    time.sleep(3)
    for message in node.hub.seen("telemetry/power", after):
        assert 1000 < message.json["value"] < 1250
    for message in node.hub.seen("telemetry/voltage", after):
        assert 215 < message.json["value"] < 245
    assert node.board.boots == 1


def test_a_meter_that_is_silent_from_the_start_is_not_ok(new_node):
    node = new_node(settings=SETTINGS)
    node.board.fault(meter={"fault": "silent"})
    node.start()
    node.board.wait_for_line("meter lost", 10)
    node.hub.wait("telemetry/temperature")
    assert node.health()["meter_ok"] is False
    assert {m.topic for m in node.hub.seen("telemetry/")} == {"telemetry/temperature"}
    after = node.hub.mark()
    node.board.fault(meter={"fault": None})
    node.hub.wait("telemetry/power", None, after)
    assert node.health()["meter_ok"] is True
