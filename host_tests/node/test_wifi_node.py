# The Wi-Fi of a node: which of its networks it joins, and what it tells when it cannot.
import time

import pytest

TWO = {"wifi_ssid": "home", "wifi_password": "one", "wifi_ssid_2": "garage",
       "wifi_password_2": "two"}
BOTH = {"home": "one", "garage": "two"}


def joined(node, ssid, after, timeout_s=60):
    return node.board.wait_for_line("wifi: joined %s," % ssid, timeout_s, after)


def driver_was_content(node):
    """The driver's rules were kept: nothing was asked of it while it was busy."""
    assert not [line for line in node.board.log if "Internal State" in line or "house:" in line]


def test_another_network_is_joined_when_the_first_is_gone_and_back(new_node):
    node = new_node(settings=TWO, networks=BOTH).start()
    assert any("wifi: joined home," in line for line in node.board.log)
    for there, lost in (("garage", "home"), ("home", "garage")):
        log, heard = len(node.board.log), node.hub.mark()
        assert node.board.fault(networks={there: BOTH[there]})
        node.board.wait_for_line("wifi: lost " + lost, 5, log)
        joined(node, there, log)
        node.online(heard, 60)
    assert node.health()["meter_ok"]
    assert node.board.boots == 1
    driver_was_content(node)


def test_the_reason_of_the_first_is_told_by_way_of_the_second(new_node):
    node = new_node(settings=dict(TWO, wifi_password="typo"), networks=BOTH).start()
    joined(node, "garage", 0)
    assert node.health()["last_error"] == "no_wifi: home: wrong password"
    driver_was_content(node)


def test_all_reasons_are_told_and_forgotten_when_one_lets_it_in(new_node):
    node = new_node(settings=TWO, networks={"home": "changed"})
    node.listen()
    node.board.power_on()
    line = node.board.wait_for_line("link: error: no_wifi", 20)
    assert "home: wrong password; garage: not found" in line
    assert node.board.fault(networks={"home": "one"})
    node.online(timeout_s=30)
    assert node.health()["last_error"].endswith("home: wrong password; garage: not found")
    assert len([line for line in node.board.log if "wifi: home: wrong password" in line]) == 1
    driver_was_content(node)


@pytest.mark.parametrize("fault, detail", [
    ("refused", "simulated: refused"), ("no_address", "simulated: no address from DHCP")])
def test_what_keeps_it_out_is_told(new_node, fault, detail):
    node = new_node()
    node.listen()
    node.board.fault(wifi=fault)
    node.board.power_on()
    assert detail in node.board.wait_for_line("link: error: no_wifi", 20)
    assert node.board.fault(wifi="up")
    node.online(timeout_s=40)
    driver_was_content(node)


def test_a_static_address_needs_no_dhcp(new_node):
    node = new_node(settings={"address": "192.0.2.20/24", "gateway": "192.0.2.1"})
    node.board.fault(wifi="no_address")
    node.start()
    assert "address 192.0.2.20" in joined(node, "simulated", 0)


def test_the_house_goes_on_while_every_network_fails(new_node):
    node = new_node(settings=dict(TWO, wifi_ssid_3="cellar"), networks=BOTH).start()
    node.health()  # from here on its longest gap between two ticks counts
    heard = node.hub.mark()
    node.board.fault(wifi="not_found")
    node.board.wait_for_line("wifi: cellar: not found", 20)
    time.sleep(5)  # another round
    node.board.fault(wifi="up")
    node.online(heard, 30)
    assert node.hub.wait("status/health", None, heard).json["tick_max_ms"] < 250
    driver_was_content(node)


def test_an_esp8266_finds_its_second_network(new_node):
    node = new_node(settings=dict(TWO, board="nodemcu-pzem"), networks={"garage": "two"})
    node.listen()
    node.board.power_on()
    node.online(timeout_s=30)
    assert node.health()["last_error"] == "no_wifi: home: not found"
