# Energy totals and trips outlive a `reset` of the settings, unless it asks for them.
import base64
import json
import time
import urllib.request

import pytest
from rig import patched_code

from host_tests.support.broker import free_port

WH = 500000
# 1 kW at 20 times the speed: some 6 Wh each second.
SETTINGS = {"sample_ms": 200, "relay_boot_states": ["on"],
            "protection": [{"relay": 0, "max_power": 1500}]}
QUICK = [("GRACE_MS = 2000", "GRACE_MS = 100")]
MOST_WH = 150  # what is counted within the seconds that a restart may take here


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    return patched_code(tmp_path_factory.mktemp("quick"), {"main.py": QUICK})


def energy_wh(node):
    """The total of the next sample."""
    after = node.hub.mark()
    node.hub.ask("config", "refresh")
    return node.hub.wait("telemetry/energy", None, after).json["value"]


def tripped(node):
    """What the node says of a trip."""
    after = node.hub.mark()
    node.hub.ask("config", "refresh")
    return node.hub.wait("status/relay", None, after).json["tripped"]


def with_a_trip(node):
    """Online, with a total of 500 kWh, and relay 0 opened by protection."""
    node.start()
    node.hub.wait("telemetry/energy")
    assert node.hub.ask("config", "energy_set", wh=WH)["status"] == "success"
    after = node.hub.mark()
    node.board.fault(load={"index": 0, "watts": 2400})
    node.hub.wait("status/relay", lambda m: m.json["tripped"], after)
    node.board.fault(load={"index": 0, "watts": 1000})
    assert energy_wh(node) >= WH
    return node


def reset(node, **arguments):
    """The answer, once the node is back."""
    after = node.hub.mark()
    answer = node.hub.ask("config", "reset", **arguments)
    gone = node.hub.wait("status/online", lambda m: not m.json["online"], after)
    node.online(gone.number)
    return answer["result"]


def test_energy_and_trips_are_kept_unless_asked_for(new_node, code):
    node = with_a_trip(new_node(settings=SETTINGS, code=code, speed=20, base_load=100))
    transitions = node.transitions()
    assert reset(node) == {"changed": sorted(SETTINGS), "restarts": True, "trial": False}
    assert energy_wh(node) >= WH
    assert tripped(node)["cause"] == "over_power"
    assert node.hub.ask("relay", "on")["error"]["code"] == "relay_locked"

    after = node.hub.mark()
    assert reset(node, energy=True) == {
        "changed": [], "restarts": True, "trial": False, "cleared": ["energy", "trips"]}
    first_wh = energy_wh(node)
    assert 0 <= first_wh < MOST_WH
    told = node.hub.seen("telemetry/energy", after)
    restart = node.hub.seen("status/online", after)[0].number
    assert [m for m in told if m.number > restart and m.json["value"] >= MOST_WH] == []
    assert tripped(node) is None
    assert not node.board.relay(0) and node.transitions() == transitions  # it did not even click
    assert node.hub.ask("relay", "on")["result"] == "on"
    assert node.board.relay(0)
    time.sleep(1.5)
    assert first_wh <= energy_wh(node) < 2 * MOST_WH  # and on it goes

    # What a later restart, planned or not, restores is this, too.
    node.board.power_cut()
    after = node.hub.mark()
    node.board.power_on()
    node.online(after)
    assert energy_wh(node) < 3 * MOST_WH


def test_a_power_cut_right_after_the_answer_brings_nothing_back(new_node, code):
    node = with_a_trip(new_node(settings=SETTINGS, code=code, speed=20, base_load=100))
    assert node.hub.ask("config", "reset", energy=True)["result"]["cleared"] == [
        "energy", "trips"]
    node.board.power_cut()
    after = node.hub.mark()
    node.board.power_on()
    node.online(after)
    assert energy_wh(node) < MOST_WH
    assert tripped(node) is None
    assert node.hub.ask("relay", "on")["result"] == "on"


def test_energy_that_is_no_boolean_changes_nothing(new_node, code):
    node = with_a_trip(new_node(settings=SETTINGS, code=code, speed=20, base_load=100))
    for value in (1, "true", None, []):
        error = node.hub.ask("config", "reset", energy=value)["error"]
        assert error["code"] == "bad_request" and "energy" in error["message"], value
    assert energy_wh(node) >= WH and tripped(node)
    assert node.board.boots == 1


def test_a_board_without_a_meter_only_clears_its_trips(new_node, tmp_path):
    code = patched_code(tmp_path, {"main.py": QUICK, "firmware/boards/esp32-pzem.json": [(
        '  "meter": {"chip": "pzem004t", "uart": 2, "tx": 17, "rx": 16, "address": 1},\n', "")]})
    node = new_node(code=code)
    (node.flash / "trips.json").write_text('[[0, "over_temperature", 95, 80, 0]]')
    node.start()
    assert tripped(node)["cause"] == "over_temperature"
    assert reset(node, energy=True)["cleared"] == ["trips"]
    assert tripped(node) is None
    assert node.hub.ask("relay", "on")["result"] == "on"


def test_the_setup_page_keeps_them_unless_its_box_is_ticked(new_node, tmp_path):
    port = free_port()
    code = patched_code(tmp_path, {"main.py": QUICK, "firmware/setup/__init__.py": [
        ("\nPORT = 80", "\nPORT = %d" % port)]})
    node = with_a_trip(new_node(settings=dict(SETTINGS, portal_lan=True), code=code, speed=20,
                                base_load=100))
    password = json.loads((node.flash / "portal.json").read_text())["password"]
    headers = {"Content-Type": "application/json", "Authorization":
               "Basic " + base64.b64encode(b"me:" + password.encode()).decode()}

    def ask(path, values=None):
        data = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(
            "http://127.0.0.1:%d/%s" % (port, path), data, headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def save(values):
        headers["X-Token"] = ask("state")["token"]
        after = node.hub.mark()
        assert ask("save", values) == {"saved": True}
        gone = node.hub.wait("status/online", lambda m: not m.json["online"], after)
        node.online(gone.number)

    save({"wifi_ssid_2": "garage", "wifi_password_2": "other horse"})
    assert energy_wh(node) >= WH and tripped(node)
    save({"energy": True})
    assert energy_wh(node) < MOST_WH and tripped(node) is None
    kept = json.loads((node.flash / "config.json").read_text())
    assert kept["wifi_ssid_2"] == "garage" and "energy" not in kept
