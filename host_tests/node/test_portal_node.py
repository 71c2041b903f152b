# The setup portal as part of a node: when it opens, what it changes, when it closes. The page
# itself, in a browser, is in host_tests/portal.
import json
import time

import pytest
from portal_page import Page, hold, portal_code, wait_for_portal
from rig import SETTINGS

from host_tests.support.broker import free_port


@pytest.fixture(scope="module")
def ports():
    return free_port(), free_port()


@pytest.fixture(scope="module")
def code(ports, tmp_path_factory):
    return portal_code(tmp_path_factory.mktemp("portal"), ports, {
        "firmware/setup/entry.py": [
            ("_LOST_MS = const(600000)", "_LOST_MS = const(2000)"),
            ("_UNUSED_MS = const(600000)", "_UNUSED_MS = const(3000)")]})


def test_a_new_node_is_set_up_by_its_page(new_node, code, ports, broker):
    node = new_node(code=code, settings=dict(
        dict.fromkeys(SETTINGS, None), home_id="home", board="esp32-pzem", broker_host=None,
        broker_port=None))
    node.listen()
    node.board.power_on()
    wait_for_portal(node)
    page = Page(ports[0])
    assert page.enter()["wifi_ssid"] == ""
    page.ask("save", {"wifi_ssid": "simulated", "wifi_password": "simulated", "home_id": "home",
                      "node_id": node.prefix.split("/")[3], "broker_host": broker.host,
                      "broker_port": broker.port})
    node.online()
    assert page.refused() == "closed"


def test_it_opens_when_wifi_is_away_for_long_and_closes_when_it_is_back(new_node, code, ports):
    node = new_node(code=code).start()
    node.hub.ask("relay", "on")
    assert Page(ports[0]).refused() == "closed"
    line = len(node.board.log)
    node.board.fault(wifi="not_found")
    wait_for_portal(node, line)
    page = Page(ports[0])
    assert page.enter()["wifi_ssid"] == "simulated"
    assert node.board.relay(0)
    after = node.hub.mark()
    node.board.fault(wifi="up")
    node.online(after)
    node.board.wait_for_line("setup: access point closed", 10, line)
    assert page.refused() == "closed"


def test_the_button_opens_it_while_the_node_works_on(new_node, code, ports):
    node = new_node(code=code).start()
    line = len(node.board.log)
    hold(node)
    wait_for_portal(node, line, 5)
    assert node.hub.ask("relay", "on")["result"] == "on"
    node.board.fault(stations=1)
    page = Page(ports[0])
    page.enter()
    time.sleep(4)
    assert page.refused() is None  # somebody is there
    node.board.fault(stations=0)
    node.board.wait_for_line("setup: access point closed", 10, line)


def test_in_the_house_it_asks_for_the_password(new_node, code, ports):
    node = new_node(code=code, settings={"portal_lan": True}).start()
    page = Page(ports[0], "127.0.0.1")
    assert page.refused() == 401
    password = json.loads((node.flash / "portal.json").read_text())["password"]
    page = Page(ports[0], "127.0.0.1", password)
    assert page.enter()["home_id"] == "home"
    after = node.hub.mark()
    page.ask("save", {"broker_user": "somebody", "broker_password": "secret"})
    node.online(after)
    assert "secret" not in "\n".join(node.board.log) and password not in "\n".join(node.board.log)
