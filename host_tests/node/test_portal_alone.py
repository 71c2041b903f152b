# The setup portal of an ESP8266, where it runs in place of the node: how the node gets there and
# back, and that no relay moves on the way.
import json
import time

import pytest
from portal_page import Page, hold, portal_code, wait_for_portal
from rig import SETTINGS

from host_tests.support.broker import free_port

BOARD = "nodemcu-pzem"
RELAY_PINS = (5, 4)
LED_PIN = 2
PROTECTED = [{"relay": 0, "max_current": 10}]


@pytest.fixture(scope="module")
def ports():
    return free_port(), free_port()


@pytest.fixture(scope="module")
def patches():
    return {
        "firmware/setup/entry.py": [
            ("_LOST_MS = const(600000)", "_LOST_MS = const(3000)"),
            ("_AGAIN_MS = const(60000)", "_AGAIN_MS = const(500)")],
        "firmware/setup/alone.py": [
            ("_LOST_MS = const(300000)", "_LOST_MS = const(2000)"),
            ("_ASKED_MS = const(600000)", "_ASKED_MS = const(3000)"),
            ("_IDLE_MS = const(1800000)", "_IDLE_MS = const(7000)")],
        "firmware/control/button.py": [
            ('(15000, "portal")', '(4000, "portal")'), ('(20000, "")', '(4500, "")')],
    }


@pytest.fixture(scope="module")
def code(ports, patches, tmp_path_factory):
    return portal_code(tmp_path_factory.mktemp("alone"), ports, patches)


@pytest.fixture
def esp8266(new_node, code):
    """esp8266(**settings): a node on such a board, still off."""
    def make(code=code, **settings):
        # The simulator takes orders when the meter is read: a press must not last for a second.
        node = new_node(code=code, settings=dict(settings, board=BOARD, sample_ms=200))
        node.board.fault(pin={"id": 0, "level": 1})  # the button has its pull-up on the board
        return node
    return make


@pytest.fixture
def new(esp8266):
    """One as it comes from the box: no network, no broker."""
    return esp8266(**dict(dict.fromkeys(SETTINGS, None), broker_host=None, broker_port=None,
                          home_id="home"))


def moves(node):
    return [node.board.pins().get(pin, (0, 0))[1] for pin in RELAY_PINS]


def lost(node):
    """Take the Wi-Fi away; returns the number of the next line of the log."""
    line = len(node.board.log)
    node.board.fault(wifi="not_found")
    return line


def logged(node, text, line=0):
    return [one for one in node.board.log[line:] if text in one]


def test_a_new_node_is_set_up_by_its_page(new, ports, broker):
    new.listen()
    new.board.power_on()
    wait_for_portal(new)
    page = Page(ports[0])
    assert page.enter()["wifi_ssid"] == ""
    time.sleep(3)  # it stays, though nobody has joined
    while page.ask("scan")["networks"] is None:
        time.sleep(0.1)
    page.ask("save", {"wifi_ssid": "simulated", "wifi_password": "simulated", "home_id": "home",
                      "node_id": new.prefix.split("/")[3], "broker_host": broker.host,
                      "broker_port": broker.port})
    new.online()
    assert page.refused() == "closed"
    assert new.board.causes == ["power_on", "soft", "soft"]
    assert not (new.flash / "portal.once").exists() and not (new.flash / "crash.txt").exists()


def test_it_comes_and_goes_while_wifi_is_away(esp8266, ports):
    node = esp8266().start()
    node.hub.ask("relay", "on")
    moved = moves(node)
    line = lost(node)
    wait_for_portal(node, line)
    page = Page(ports[0])
    assert page.enter()["wifi_ssid"] == "simulated"
    node.board.wait_for_line("portal mode ends (unused)", 10, line)
    node.board.wait_for_line("boot:", 10, line)
    wait_for_portal(node, len(node.board.log))
    assert node.board.causes == ["power_on"] + ["soft"] * 3
    after = node.hub.mark()
    node.board.fault(wifi="up")
    node.online(after)
    assert node.board.relay(0) and moves(node) == moved
    assert node.hub.ask("relay", "off")["result"] == "off"


def test_the_page_tests_and_saves_while_a_phone_is_there(esp8266, ports, broker):
    node = esp8266().start()
    node.board.fault(stations=1)
    line = lost(node)
    wait_for_portal(node, line)
    page = Page(ports[0])
    page.enter()
    time.sleep(3)
    node.board.fault(wifi="up")
    page.ask("test", {"wifi_password": "another1"})
    end_s = time.monotonic() + 20
    while page.ask("test")["state"] == "testing" and time.monotonic() < end_s:
        time.sleep(0.1)
    assert page.ask("test")["state"] == "good", page.ask("test")
    after = node.hub.mark()
    page.ask("save", {"wifi_password": "another1"})
    node.online(after)
    node.board.wait_for_line("portal mode ends (saved)", 1, line)
    assert json.loads((node.flash / "config.json").read_text())["wifi_password"] == "another1"


def test_a_phone_that_only_joins_does_not_keep_it(esp8266, ports):
    node = esp8266().start()
    node.board.fault(stations=1)
    line = lost(node)
    wait_for_portal(node, line)
    began_s = time.monotonic()
    node.board.wait_for_line("portal mode ends (unused)", 10, line)
    assert 6 < time.monotonic() - began_s < 10


def test_the_button_opens_it_and_leads_back(esp8266, ports):
    node = esp8266().start()
    node.hub.ask("relay", "on")
    moved = moves(node)
    line = len(node.board.log)
    hold(node)
    goodbye = node.hub.wait("status/online", lambda m: not m.json["online"], 0, 5)
    assert goodbye.json["reason"] == "restart"
    wait_for_portal(node, line)
    assert Page(ports[0]).enter()["home_id"] == "home"
    before = node.board.pins()[LED_PIN][1]
    time.sleep(0.5)
    after = node.hub.mark()
    hold(node)
    node.online(after)
    node.board.wait_for_line("portal mode ends (hand)", 1, line)
    assert node.board.pins()[LED_PIN][1] > before
    assert node.board.relay(0) and moves(node) == moved


def test_a_button_held_for_longest_erases_the_configuration(esp8266):
    node = esp8266().start()
    node.board.fault(stations=1)
    line = lost(node)
    wait_for_portal(node, line)
    time.sleep(0.3)
    hold(node, 5.5)
    node.board.wait_for_line("config: erased", 5, line)
    wait_for_portal(node, len(node.board.log))
    assert json.loads((node.flash / "config.json").read_text()) == {"board": BOARD}


def test_who_presses_the_button_without_a_network_has_the_node_for_a_while(new):
    (new.flash / "slots.crashes").write_text("3")
    new.board.power_on()
    wait_for_portal(new)
    line = len(new.board.log)
    time.sleep(0.3)  # it has to have seen the button up
    hold(new, 0.2)
    new.board.wait_for_line("meter answers", 10, line)
    time.sleep(0.3)
    hold(new, 0.2)
    end_s = time.monotonic() + 2
    while not new.board.relay(0) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert new.board.relay(0)
    assert not (new.flash / "slots.crashes").exists()  # a planned end: all is well
    wait_for_portal(new, line)  # and then it opens again
    assert new.board.relay(0) and moves(new)[0] == 1


def test_a_power_cut_ends_it(esp8266):
    node = esp8266().start()
    wait_for_portal(node, lost(node))
    node.board.power_cut()
    node.board.fault(wifi="up")
    after = node.hub.mark()
    node.board.power_on()
    node.online(after)


def test_a_power_cut_on_the_way_there_leads_to_the_node(esp8266):
    node = esp8266()
    (node.flash / "portal.once").write_bytes(b"lost")
    node.start()
    assert not logged(node, "setup: access point")
    assert not (node.flash / "portal.once").exists()


def test_a_crash_ends_it(esp8266, ports, patches, tmp_path):
    broken = dict(patches)
    broken["firmware/setup/alone.py"] = patches["firmware/setup/alone.py"] + [
        ("        if self._portal.done:", "        if self._portal.nothing:")]
    node = esp8266(portal_code(tmp_path, ports, broken)).start()
    line = lost(node)
    node.board.wait_for_line("AttributeError", 15, line)
    node.board.fault(wifi="up")
    node.board.wait_for_line("boot:", 15, line)
    after = node.hub.mark()
    node.online(after)
    assert "AttributeError" in node.health()["crash"]


def test_energy_is_saved_first_and_counted_on(esp8266):
    node = esp8266(base_topic="homesync").start()
    node.hub.ask("config", "energy_set", channel="", wh=12345)
    line = lost(node)
    wait_for_portal(node, line)
    after = node.hub.mark()
    node.board.fault(wifi="up")
    node.online(after)
    energy = node.hub.wait("telemetry/energy", None, after, 10).json["value"]
    assert 12345 <= energy < 12360


def test_a_relay_that_is_protected_holds_it_back_until_it_is_open(esp8266):
    node = esp8266(protection=PROTECTED).start()
    node.hub.ask("relay", "on")
    line = lost(node)
    node.board.wait_for_line("setup: the portal has to wait: nothing would protect relay 0", 10,
                             line)
    time.sleep(2)
    assert node.board.boots == 1 and len(logged(node, "has to wait")) == 1
    hold(node, 0.2)  # opens it
    wait_for_portal(node, line)
    assert not node.board.relay(0) and node.board.boots == 2


def test_a_timer_holds_it_back_until_it_is_over(esp8266):
    node = esp8266().start()
    node.hub.ask("relay", "pulse", duration_ms=6000)
    line = lost(node)
    node.board.wait_for_line("setup: the portal has to wait: the timer of relay 0", 10, line)
    assert node.board.relay(0)
    wait_for_portal(node, line)
    assert not node.board.relay(0) and moves(node)[0] == 2


def test_by_the_button_a_protected_relay_stays_closed(esp8266):
    node = esp8266(protection=PROTECTED).start()
    node.hub.ask("relay", "on")
    moved = moves(node)
    line = len(node.board.log)
    hold(node)
    wait_for_portal(node, line)
    assert logged(node, "setup: take care: nothing would protect relay 0", line)
    assert node.board.relay(0) and moves(node) == moved


def test_settings_on_trial_have_their_time(esp8266, ports):
    node = esp8266().start()
    after, line = node.hub.mark(), len(node.board.log)
    node.board.fault(networks={"simulated": "simulated"})
    node.hub.ask("config", "set", values={"wifi_ssid": "nowhere"})
    node.board.wait_for_line("meter answers", 15, line)
    time.sleep(0.3)
    hold(node)
    node.board.wait_for_line("setup: the portal has to wait: settings are on trial", 10, line)
    time.sleep(2)
    assert node.board.boots == 2
    node.board.fault(networks={"nowhere": "simulated"})
    node.online(after)
    node.board.wait_for_line("config: the new settings stay", 10, line)
    wait_for_portal(node, line)
