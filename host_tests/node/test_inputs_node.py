# Buttons and wall switches of a node that never sees a network, but to be told good-bye.
import json
import time

import pytest
from rig import patched_code

# The board shelly-plus-1pm: a button to ground, a wall switch to the supply, an LED that is lit
# by a low level.
BUTTON, SWITCH, LED = 25, 4, 0
EDGE = {"input_modes": ["", "edge"]}


def switched_on(node):
    """Power it on, and wait until its inputs have been read."""
    node.board.fault(wifi="down")
    node.board.power_on()
    node.board.wait_for_line("meter answers", 10)  # the tick runs, and reads inputs
    time.sleep(0.4)
    return node


@pytest.fixture(scope="module")
def node(module_node):
    return switched_on(module_node(settings={"board": "shelly-plus-1pm"}))


def move(node, pin, level, settled_s=0.25):
    """Put an input to a level (None: let go), for long enough to be no bounce."""
    assert node.board.fault(pin={"id": pin, "level": level})
    time.sleep(settled_s)


def press(node, seconds):
    move(node, BUTTON, 0, seconds)
    move(node, BUTTON, None)


def changes(node, pin, seconds):
    """How often a pin changes in this time."""
    before = node.board.pins()[pin][1]
    time.sleep(seconds)
    return node.board.pins()[pin][1] - before


def test_a_button_toggles_the_relay(node):
    for wanted in (True, False, True):
        press(node, 0.2)
        assert node.board.relay(0) is wanted
    press(node, 1.5)  # too long to be a press, too short to be anything else
    assert node.board.relay(0)


@pytest.mark.full
def test_the_led_shows_what_letting_go_would_do(node):
    move(node, BUTTON, 0, 1.3)
    assert node.board.pins()[LED][0] == 1  # nothing: dark
    assert changes(node, LED, 1.4) == 0
    time.sleep(0.5)  # 3.2 s: it would clear a trip, and blinks 0.1 s each second
    assert 3 <= changes(node, LED, 2) <= 5
    move(node, BUTTON, None)
    assert 1 <= changes(node, LED, 2) <= 2  # no network, as before: 0.1 s every 2 s


def test_a_relay_follows_its_switch(node):
    for wanted in (True, False, True):
        move(node, SWITCH, 1 if wanted else 0)
        assert node.board.relay(0) is wanted


def test_nobody_has_tried_the_network_and_nothing_has_failed(node):
    assert node.board.boots == 1
    assert not [line for line in node.board.log if "link: connecting" in line or "house:" in line]


@pytest.mark.full
def test_a_relay_toggles_at_each_edge_of_its_switch(new_node):
    node = switched_on(new_node(settings={"board": "shelly-plus-1pm",
                                          "input_modes": ["", "edge"]}))
    move(node, SWITCH, 1)
    assert node.board.relay(0)
    press(node, 0.2)  # the button is there as well
    assert not node.board.relay(0)
    move(node, SWITCH, 0)
    assert node.board.relay(0)


@pytest.mark.full
def test_the_switch_as_it_stands_at_the_start_changes_nothing(new_node):
    node = switched_on(new_node(settings={"board": "shelly-plus-1pm",
                                          "relay_boot_states": ["on"]}))
    assert node.board.relay(0)  # though its position says off
    move(node, SWITCH, 1)
    move(node, SWITCH, 0)
    assert not node.board.relay(0)


@pytest.mark.full
def test_the_led_shows_the_longer_presses_too(node):
    move(node, BUTTON, 0, 8.3)
    assert changes(node, LED, 1.4) == 0
    time.sleep(0.6)  # 10.3 s: the portal, two flashes each second
    assert 10 <= changes(node, LED, 3) <= 14
    time.sleep(2)  # 15.3 s: nothing
    assert changes(node, LED, 3) == 0
    time.sleep(2)  # 20.3 s: erase, as fast as it can
    assert changes(node, LED, 1) >= 18


# --- erasing the configuration ------------------------------------------------------------------

# All times of a press in a tenth of what they are, so that 21 s are 2.1.
_LIMITS = ((1000, "toggle"), (3000, ""), (8000, "clear_trip"), (10000, ""), (15000, "portal"),
           (20000, ""), (60000, "erase"))
FASTER = {"firmware/control/button.py": [
    ('(%d, "%s"),' % limit, '(%d, "%s"),' % (limit[0] // 10, limit[1])) for limit in _LIMITS]}


@pytest.fixture
def quick_node(new_node, tmp_path):
    """quick_node(**settings): a node whose button counts ten times as fast, not started yet."""
    def make(**settings):
        return new_node(settings=dict(settings, board="shelly-plus-1pm"),
                        code=patched_code(tmp_path, FASTER))
    return make


def files(node):
    return {path.name: path.read_bytes() for path in node.flash.iterdir() if path.is_file()}


def test_a_button_held_for_20_seconds_erases_the_configuration(quick_node):
    node = quick_node(calibration={"power": 1.1}, base_topic="lab", node_id="erased",
                      relay_boot_states=["on"])
    node.prefix = "lab/home/nodes/erased/"
    kept = {"keys.bin": b"as it was", "portal.json": b'{"password": "as it was"}'}
    for name, content in kept.items():
        (node.flash / name).write_bytes(content)
    node.start()
    assert "config.good.json" in files(node)
    moved = node.board.pins()[26][1]
    press(node, 2.1)
    node.hub.wait("status/online", lambda m: m.json.get("reason") == "shutdown")
    node.board.wait_for_line("no wifi_ssid is set", 20)
    left = files(node)
    assert json.loads(left["config.json"]) == {
        "board": "shelly-plus-1pm", "calibration": {"power": 1.1}}
    assert json.loads(left["config.good.json"]) == json.loads(left["config.json"])
    assert {name: left[name] for name in kept} == kept
    assert json.loads(left["device.json"])["boots"] == node.board.boots == 2
    assert node.board.causes == ["power_on", "soft"]
    assert b"simulated" not in b"".join(left[name] for name in left if "json" in name)
    assert node.board.pins()[26][1] == moved  # the relay did not move
    assert any("config: erased" in line for line in node.board.log)


@pytest.mark.full
def test_a_button_held_for_less_or_for_ever_erases_nothing(quick_node):
    node = quick_node()
    switched_on(node)
    before = files(node)["config.json"]
    for seconds in (0.9, 1.2, 1.6, 6.5):
        press(node, seconds)
        time.sleep(0.5)
    assert node.board.boots == 1
    assert files(node)["config.json"] == before


@pytest.mark.full
def test_power_that_comes_and_goes_erases_nothing(quick_node):
    node = quick_node()
    for _ in range(8):
        node.board.power_on()
        node.board.wait_for_line("boot:", 10, len(node.board.log))
        node.board.power_cut()
    assert json.loads(files(node)["config.json"]) == {
        key: value for key, value in node.settings.items() if value is not None}


@pytest.mark.full
def test_nothing_is_erased_before_the_button_is_let_go(quick_node):
    node = quick_node()
    node.start()
    move(node, BUTTON, 0, 3)
    assert node.board.boots == 1 and node.hub.ask("relay", "toggle")["status"] == "success"
    move(node, BUTTON, None)
    node.board.wait_for_line("config: erased", 5)
    node.board.wait_for_line("no wifi_ssid is set", 20)
    assert json.loads(files(node)["config.json"]) == {"board": "shelly-plus-1pm"}
