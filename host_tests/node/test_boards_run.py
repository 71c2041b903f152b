# Every board profile runs, with its own chip and pins: a known load is told as what it is.
import json

import pytest
from rig import REPO

PROFILES = {path.stem: json.loads(path.read_text())
            for path in sorted((REPO / "firmware" / "boards").glob("*.json"))}
LOADS = (1000, 400, 250)  # behind the relays
BASE_LOADS = (20, 30, 120)  # beside them, where the meter tells the phases apart
WITH_FREQUENCY = ("pzem004t", "sdm630", "bl0942")


def phases(profile):
    """Suffixes of the meter's channels."""
    meter = profile["meter"]
    three = len(meter.get("addresses", ())) == 3 or meter["chip"] == "sdm630"
    return ("_a", "_b", "_c") if three else ("",)


def nominal_w(profile):
    """{suffix: power at 230 V with all relays closed}."""
    loads = LOADS[:len(profile["relays"])]
    suffixes = phases(profile)
    if len(suffixes) == 1:
        return {"": sum(loads)}
    return {suffix: base + (loads[at] if at < len(loads) else 0)
            for at, (suffix, base) in enumerate(zip(suffixes, BASE_LOADS))}


@pytest.fixture(scope="module")
def fleet(module_node):
    """{profile name: node}, all at work at once, with all relays closed."""
    nodes = {}
    for name, profile in PROFILES.items():
        nodes[name] = module_node(
            settings={"board": name, "heartbeat_s": 2}, loads=LOADS[:len(profile["relays"])],
            base_load=BASE_LOADS if len(phases(profile)) > 1 else 0)
        nodes[name].listen()
        nodes[name].board.power_on()
    for name, node in nodes.items():
        node.online()
        for relay in range(len(PROFILES[name]["relays"])):
            assert node.hub.ask("relay", "on", relay=relay)["result"] == "on"
            assert node.board.relay(relay)
    return nodes


@pytest.fixture(params=PROFILES)
def board(request, fleet):
    """(node, profile), once the meter shows the current that flows now."""
    node, profile = fleet[request.param], PROFILES[request.param]
    for suffix, watts in nominal_w(profile).items():
        # A pulse meter shows voltage and current by turns.
        node.hub.wait("telemetry/current" + suffix,
                      lambda m, amperes=watts / 230: abs(m.json["value"] / amperes - 1) < 0.02)
    return node, profile


def told(node, metric, after):
    return node.hub.wait("telemetry/" + metric, None, after).json["value"]


def test_a_board_tells_its_load(board):
    node, profile = board
    after = node.hub.mark()
    node.hub.ask("config", "refresh")
    sum_w = 0
    for suffix, watts in nominal_w(profile).items():
        voltage_v = told(node, "voltage" + suffix, after)
        power_w = told(node, "power" + suffix, after)
        assert 225 < voltage_v < 235
        assert power_w == pytest.approx(watts * (voltage_v / 230) ** 2, rel=0.02)
        current_a = told(node, "current" + suffix, after)
        assert current_a == pytest.approx(power_w / voltage_v, rel=0.02)
        assert told(node, "power_factor" + suffix, after) >= 0.98
        assert told(node, "energy" + suffix, after) >= 0
        sum_w += power_w
    if len(phases(profile)) > 1:
        assert told(node, "power", after) == pytest.approx(sum_w, abs=0.2)  # of the rounding
    if profile["meter"]["chip"] in WITH_FREQUENCY:
        assert 49.5 < told(node, "frequency", after) < 50.5
    if profile["chip"] != "esp8266":  # that has no sensor of its own
        assert told(node, "temperature", after) == pytest.approx(41, abs=1)


def test_a_board_is_well(board):
    node, profile = board
    health = node.health()
    assert health["meter_ok"] is True
    assert health["meter_errors"] == 0
    assert health["boots"] == 1 and health["crash"] is None
    assert node.hub.retained()["status/firmware"].json["board"] == profile["name"]
    for text in ("house:", "config:", "protection:", "lost", "cannot", "Traceback", "NTC"):
        assert not [line for line in node.board.log if text in line], text
