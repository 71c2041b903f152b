# The block of the setup page that few need: more networks, a fixed address, energy totals.
from page_steps import (
    MORE,
    MORE_STORED,
    STORED,
    WHYS,
    fill,
    filled,
    opened,
    outcome,
    save_untested,
)


def test_more_networks_and_a_fixed_address(browser, portal):
    node = portal(settings=STORED)
    opened(browser, node)
    browser.click(MORE)
    fill(browser, wifi_ssid_2="Garage", wifi_password_2="other horse", wifi_ssid_3="open one",
         address=" 10.0.0.20/22", gateway="10.0.3.1 ", dns="10.0.0.2", hostname="cellar")
    save_untested(browser)
    assert node.wait_for("saved") == {
        "wifi_ssid_2": "Garage", "wifi_password_2": "other horse", "wifi_ssid_3": "open one",
        "address": "10.0.0.20/22", "gateway": "10.0.3.1", "dns": "10.0.0.2", "hostname": "cellar"}
    assert node.wait_for("energy") is False
    assert not any("other horse" in line for line in node.log if '"log"' in line)
    assert not browser.problems()


def test_an_address_without_a_mask_has_that_of_most_networks(browser, portal):
    node = portal(settings=MORE_STORED)
    opened(browser, node)
    browser.click(MORE)
    fill(browser, address="10.0.0.20")
    assert browser.run("return values()") == "{}"  # as it is stored
    fill(browser, address="10.0.0.21")
    save_untested(browser)
    assert node.wait_for("saved") == {"address": "10.0.0.21/24"}


def test_a_network_is_taken_away_by_its_name(browser, portal):
    node = portal(settings=MORE_STORED)
    opened(browser, node)
    everything = browser.run("return document.documentElement.outerHTML + JSON.stringify(state)")
    assert "other horse" not in everything
    browser.click(MORE)
    shown = "return field.wifi_password_2.placeholder"
    assert browser.value("[name=wifi_ssid_2]") == "Garage"
    assert browser.run(shown).startswith("stored") and not browser.value("[name=wifi_password_2]")
    browser.type("[name=wifi_ssid_2]", "Garden")
    assert browser.run(shown) == ""  # of another network
    browser.type("[name=wifi_ssid_2]", "Garage")
    assert browser.run(shown).startswith("stored")
    fill(browser, wifi_ssid_2="", address="", gateway="")
    save_untested(browser)
    assert node.wait_for("saved") == {"wifi_ssid_2": "", "wifi_password_2": "", "address": "",
                                      "gateway": ""}


def test_what_is_wrong_with_the_rare_ones_is_told_at_its_field(browser, portal):
    opened(browser, portal(settings=STORED))
    browser.click(MORE)
    fill(browser, wifi_password_2="short", wifi_password_3="other horse", address="10.0.0.20/22",
         gateway="10.0.4.1")
    browser.click(MORE)
    browser.click("#test")
    browser.wait("document.querySelector('.why')")
    assert browser.run("return " + WHYS) == [
        ["wifi_password_2", "has 8 characters at least"],
        ["wifi_ssid_3", "whose password is this? Type the name, too"],
        ["gateway", "is in another network than the node's address"]]
    assert browser.run("return document.activeElement.name") == "wifi_password_2"
    assert browser.run("return field.gateway.checkVisibility()")  # the block is open again
    fill(browser, wifi_password_2="", wifi_password_3="", address="10.0.0.300", gateway="x",
         hostname="a b")
    browser.click("#test")
    browser.wait("document.querySelector('.why')")
    assert browser.run("return " + WHYS) == [
        ["address", "must be an IPv4 address with the bits of its network, as 192.168.1.20/24, "
                    "or empty"],
        ["gateway", "must be an IPv4 address, as 192.168.1.1, or empty"],
        ["hostname", "may only have letters, digits and - between them, 32 at the most"]]


def test_the_test_uses_the_fixed_address(browser, portal, broker):
    node = portal()
    filled(browser, node, broker)
    browser.click(MORE)
    fill(browser, address="10.0.0.20/22", gateway="10.0.3.1")
    assert outcome(browser)[0] == "good"
    browser.click("#save")
    node.wait_for("closed")
    assert node.events["station"] == [
        "dhcp", ["10.0.0.20", "255.255.252.0", "10.0.3.1", "10.0.3.1"], "dhcp"]  # and back


def test_another_fixed_address_is_tried_in_the_same_network(browser, portal, broker):
    node = portal(settings=dict(STORED, broker_host="127.0.0.1", broker_port=broker.port))
    opened(browser, node)
    browser.click(MORE)
    assert outcome(browser)[0] == "good"
    fill(browser, address="10.0.0.20/24", gateway="10.0.0.1", dns="10.0.0.2")
    assert outcome(browser)[0] == "good"
    browser.click("#save")
    node.wait_for("closed")
    assert ["10.0.0.20", "255.255.255.0", "10.0.0.1", "10.0.0.2"] in node.events["station"]


def test_in_the_second_network_the_first_is_tried(browser, portal, broker):
    # The node was in the second one, and the test said that it had joined the first.
    node = portal(TROUBLE_MS=500, settings=dict(
        STORED, broker_host="127.0.0.1", broker_port=broker.port, wifi_ssid="gone",
        wifi_ssid_2="café"))
    node.wait_for_line("wifi: joined café")
    opened(browser, node)
    assert outcome(browser) == ("bad", "Wi-Fi: gone: not found")


def test_energy_is_kept_unless_asked_for(browser, portal):
    node = portal(settings=STORED)
    opened(browser, node)
    browser.click(MORE)
    assert browser.run("return field.energy.checked") is False
    browser.click("[name=energy]")
    save_untested(browser)
    assert node.wait_for("saved") == {}
    assert node.wait_for("energy") is True


def test_a_test_that_was_good_stays_so_with_energy(browser, portal, broker):
    node = portal()
    filled(browser, node, broker)
    assert outcome(browser)[0] == "good"
    browser.click(MORE)
    browser.click("[name=energy]")
    assert browser.text("#save") == "Save and restart"
    browser.click("#save")
    assert node.wait_for("energy") is True and node.saved["node_id"] == "cellar"
