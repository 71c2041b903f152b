# The house while an update goes on: relays obey, protection acts, energy counts.
import time

import pytest
import test_protection_node as protection
from rig import patched_code
from updating import (
    CRASHES,
    HASTY,
    SLOW_INSTALL,
    ended,
    firmware,
    push,
    states,
    told,
    updatable,
)

from host_tests.support.proxy import FaultProxy, Plan

BYTES_PER_S = 25000  # a line on which a download takes some seconds
TELEMETRY = {"sample_ms": 200, "heartbeat_s": 1, "energy_deadband_wh": 1}


@pytest.fixture(scope="module")
def better(bundles):
    return bundles.make("0.2.0")


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """Tells its samples, and takes its time to install."""
    return patched_code(tmp_path_factory.mktemp("slow"),
                        {**HASTY, **SLOW_INSTALL, **protection.PATCHES})


@pytest.fixture
def narrow(broker):
    """The port of a slow line to the broker."""
    with FaultProxy(broker.host, broker.port) as proxy:
        proxy.plan = Plan(bytes_per_s=BYTES_PER_S)
        yield proxy.port


def confirmed(node, request_id):
    answer = ended(node, request_id)
    assert answer["status"] == "success", answer


def test_relays_obey_and_telemetry_goes_on(new_node, bundles, better, code, narrow):
    node = updatable(new_node, bundles, code=code,
                     settings=dict(TELEMETRY, broker_port=narrow))
    begin, transitions = node.hub.mark(), node.transitions(1)
    request_id = push(node, better)
    for state, times in (("downloading", 3), ("installing", 2)):
        told(node, request_id, state, begin)
        for _ in range(times):
            start_s = time.monotonic()
            assert node.hub.ask("relay", "toggle", relay=1)["status"] == "success"
            assert time.monotonic() - start_s < 1, state
            transitions += 1
            assert node.transitions(1) == transitions
            time.sleep(0.65)  # five times in three seconds are allowed
        heard = node.hub.seen("response/ota", begin)
        assert heard[-1].json["result"]["state"] == state, "it was over too soon to tell"
    restart = told(node, request_id, "restarting", begin).number
    moments = [m.at_s for m in node.hub.seen("telemetry/voltage", begin, restart)]
    assert max(b - a for a, b in zip(moments, moments[1:])) < 2.5
    assert node.board.relay(0)


def test_a_trip_in_time_during_the_download(new_node, bundles, better, code, narrow):
    settings = dict(protection.OVER_POWER, broker_port=narrow)
    node = updatable(new_node, bundles, code=code, settings=settings, speed=protection.SPEED)
    protection.loaded(node)
    request_id = push(node, better)
    told(node, request_id, "downloading")
    protection.opens_with_its_sample(protection.overload(node))
    assert not node.board.relay(0)
    assert states(node) == ["downloading"]
    assert told(node, request_id, "verifying")


def test_a_trip_in_time_during_the_installation_is_kept(new_node, bundles, better, code):
    node = updatable(new_node, bundles, code=code, settings=protection.OVER_POWER,
                     speed=protection.SPEED)
    protection.loaded(node)
    request_id = push(node, better)
    told(node, request_id, "installing")
    protection.opens_with_its_sample(protection.overload(node))
    assert not node.board.relay(0)
    assert states(node)[-1] == "installing"
    transitions, after = node.transitions(), node.hub.mark()
    confirmed(node, request_id)
    tripped = node.hub.seen("status/relay", after)[-1].json["tripped"]
    assert (tripped["relay"], tripped["cause"]) == (0, "over_power")
    assert node.transitions() == transitions


def energies(node):
    return [message.json["value"] for message in node.hub.seen("telemetry/energy")]


def test_energy_is_unbroken_over_an_update_that_stays_and_one_that_does_not(
        new_node, bundles, better, hasty):
    # 1.1 kW at 20 times the speed: 6 Wh each second.
    node = updatable(new_node, bundles, settings=TELEMETRY, base_load=100, speed=20,
                     code=hasty)
    told_wh = node.hub.wait("telemetry/energy").json["value"]
    ahead_wh = node.board.energy_wh() - told_wh
    confirmed(node, push(node, better))
    worse = bundles.make("0.3.0", CRASHES)
    assert ended(node, push(node, worse))["error"]["code"] == "rolled_back"
    after = firmware(node, state="rolled_back") and node.hub.mark()
    node.hub.ask("config", "refresh")
    now_wh = node.hub.wait("telemetry/energy", None, after).json["value"]
    assert now_wh > told_wh + 30
    assert abs(node.board.energy_wh() - now_wh - ahead_wh) <= 10  # a sample of each second
    assert energies(node) == sorted(energies(node))


@pytest.mark.full
def test_what_a_counting_chip_has_counted_survives_an_update(new_node, bundles, better, hasty):
    node = updatable(new_node, bundles, code=hasty, speed=20,
                     settings=dict(TELEMETRY, board="sonoff-powr316"))
    node.hub.wait("telemetry/energy", lambda m: m.json["value"] >= 10, 0, 30)
    confirmed(node, push(node, better))
    after = node.hub.mark()
    node.hub.wait("telemetry/energy", lambda m: m.json["value"] >= energies(node)[0] + 20, after)
    assert energies(node) == sorted(energies(node))
    # No step is larger than what flows while the node restarts.
    assert max(b - a for a, b in zip(energies(node), energies(node)[1:])) < 40
