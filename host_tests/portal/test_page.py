# The setup page in a real browser: what a person does, sees and saves.
import socket
import threading

import pytest
from page_steps import STORED, WHYS, choose, fill, filled, opened, outcome, save_untested

from host_tests.support.broker import Broker, free_port
from host_tests.support.certificates import Authority
from host_tests.support.dns_server import DnsServer


def test_a_first_set_up(browser, portal, broker):
    node = portal()
    filled(browser, node, broker)
    browser.run("document.querySelector('[name=board]').value = 'shelly-plus-1pm'; "
                "form.oninput()")
    assert outcome(browser) == (
        "good", "It works. Joined Home sweet home; the broker 127.0.0.1 lets the node in. "
                "Now save.")
    assert browser.text("#save") == "Save and restart"
    browser.click("#save")
    assert node.wait_for("saved") == {
        "wifi_ssid": "Home sweet home", "wifi_password": "correct horse",
        "broker_host": "127.0.0.1", "broker_port": broker.port, "broker_user": "ann",
        "broker_password": "secret one", "node_id": "cellar", "board": "shelly-plus-1pm"}
    browser.wait("document.body.innerText.includes('The node restarts now')")
    assert node.wait_for("closed")
    assert node.events["trail"][-1] == "closed"
    assert not browser.problems()
    assert not any(secret in line for line in node.log if '"log"' in line
                   for secret in ("correct horse", "secret one"))


def test_networks_are_listed_strongest_first_and_as_text(browser, portal):
    opened(browser, portal())
    assert browser.run("return [...document.querySelectorAll('#nets button')].map("
                       "b => [...b.children].map(c => c.textContent))") == [
        ["Home sweet home", "strong"], ["FRITZ!Box 7590 with a rather long name", "good"],
        ["café", "open, good"], ['a"b<i>\\c&d', "weak"]]
    choose(browser, "café")
    assert browser.value("[name=wifi_ssid]") == "café"
    assert browser.run("return document.activeElement.name") == "wifi_password"


def test_no_network_in_range(browser, portal):
    opened(browser, portal(networks={}))
    assert browser.text("#nets") == "None found."


def test_what_is_missing_is_told_at_its_field(browser, portal):
    opened(browser, portal())
    fill(browser, wifi_password="short", broker_port="99999", home_id="my home")
    browser.click("#test")
    browser.wait("document.querySelector('.why')")
    assert browser.run("return " + WHYS) == [
        ["broker_port", "must be an integer from 1 to 65535"],
        ["home_id", "may only have letters, digits, _ and -"]]
    assert browser.run("return document.activeElement.name") == "broker_port"
    fill(browser, broker_port="1883", home_id="home")
    assert browser.run("return " + WHYS) == []  # typing takes it away
    browser.click("#test")
    browser.wait("document.querySelector('.why')")
    assert browser.run("return " + WHYS) == [
        ["wifi_ssid", "choose a network, or type its name"],
        ["wifi_password", "has 8 characters at least"],
        ["broker_host", "type the name or the address of the broker"]]
    assert browser.text("#told") == "Not yet: see what is marked above."


def test_a_port_that_is_no_number_is_told(browser, portal):
    opened(browser, portal())
    fill(browser, broker_port="mqtt")
    browser.click("#test")
    browser.wait("document.querySelector('.why')")
    assert ["broker_port", "must be an integer from 1 to 65535"] in browser.run("return " + WHYS)


def test_a_wrong_wifi_password(browser, portal, broker):
    node = portal(TROUBLE_MS=500)
    filled(browser, node, broker)
    fill(browser, wifi_password="wrong horse")
    assert outcome(browser) == ("bad", "Wi-Fi: Home sweet home: wrong password")
    assert browser.text("#save") == "Save without a test"


def test_a_network_that_is_not_there(browser, portal, broker):
    node = portal(TROUBLE_MS=500)
    filled(browser, node, broker)
    fill(browser, wifi_ssid="gone")
    assert outcome(browser) == ("bad", "Wi-Fi: gone: not found")


def test_a_wrong_broker_password(browser, portal, broker):
    filled(browser, portal(), broker)
    fill(browser, broker_password="wrong one")
    kind, text = outcome(browser)
    assert kind == "bad"
    assert text.startswith("Broker 127.0.0.1: ") and "user" in text and "password" in text


def test_a_port_where_nobody_listens(browser, portal, broker):
    filled(browser, portal(), broker)
    fill(browser, broker_port=free_port())
    assert outcome(browser) == ("bad", "Broker 127.0.0.1: nobody listens at this port")


def test_a_broker_whose_name_is_unknown(browser, portal, broker):
    with DnsServer({"broker.example": "127.0.0.1"}) as dns:
        filled(browser, portal(dns=[dns.address]), broker)
        fill(browser, broker_host="brocker.example")
        assert outcome(browser) == (
            "bad", "Broker brocker.example: there is no host brocker.example")
        fill(browser, broker_host="broker.example")
        assert outcome(browser)[0] == "good"


def test_a_server_that_is_no_broker(browser, portal, broker):
    node = portal(BROKER_MS=1000)
    filled(browser, node, broker)
    fill(browser, broker_port=node.port)  # the page itself
    assert outcome(browser) == (
        "bad", "Broker 127.0.0.1: what answers at port %d is no MQTT broker" % node.port)


def test_a_broker_that_never_answers(browser, portal, broker):
    node = portal(BROKER_MS=1000)
    filled(browser, node, broker)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        fill(browser, broker_port=port)
        assert outcome(browser) == (
            "bad", "Broker 127.0.0.1: port %d does not answer like a broker" % port)


def test_tls_with_a_ca_of_its_own(browser, portal, tools, tmp_path):
    ca = Authority(tmp_path)
    with Broker(tools.mosquitto, config_lines=ca.server("good")) as broker:
        node = portal()
        opened(browser, node)
        choose(browser, "Home sweet home")
        fill(browser, wifi_password="correct horse", broker_host="127.0.0.1")
        browser.click("[name=broker_tls]")
        assert browser.value("[name=broker_port]") == "8883"
        fill(browser, broker_port=broker.port)
        browser.click("summary")
        fill(browser, tls_ca=Authority(tmp_path, "another CA").pem)
        kind, text = outcome(browser)
        assert (kind, text) == (
            "bad", "Broker 127.0.0.1: the server's certificate is from an unknown CA: see tls_ca")
        fill(browser, tls_ca=ca.pem)
        assert outcome(browser)[0] == "good"
        browser.click("#save")
        saved = node.wait_for("saved")
    assert saved["broker_tls"] is True
    assert saved["tls_ca"].strip() == ca.pem.strip()


def test_tls_that_is_forgotten(browser, portal, tools, tmp_path):
    ca = Authority(tmp_path)
    with Broker(tools.mosquitto, config_lines=ca.server("good")) as broker:
        filled(browser, portal(), broker)
        kind, text = outcome(browser)
    assert kind == "bad"
    assert "does the port want TLS" in text


@pytest.mark.parametrize("answers,words", [
    ((b"\x20\2\0\2",), "it refuses the client id homesync_home_cellar_setup"),
    ((b"\x20\2\0\3",), "it is not available now"),
    ((b"\x20\2\0\5",), "it does not let this user in (user, password, access rules)"),
    ((b"\x20\2\0\x99",), "it refuses, code 153"),
    ((b"\x20\2\0\0", b"\x90\3\0\1\x80"),
     "it does not let this user subscribe to homesync/home/nodes/cellar/command/+ (access rules)"),
    ((b"",), "it closed the connection; does the port want TLS, or no TLS?"),
])
def test_what_a_broker_may_say(browser, portal, broker, answers, words):
    asked = []

    def serve(listener):
        with listener.accept()[0] as s:
            for answer in answers:
                asked.append(s.recv(1000))
                s.sendall(answer)
            if answer:
                s.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        filled(browser, portal(), broker)
        fill(browser, broker_port=listener.getsockname()[1])
        assert outcome(browser) == ("bad", "Broker 127.0.0.1: " + words)
    assert asked[0] == (b"\x10\x37\0\4MQTT\4\xc2\0\x1e\0\x1ahomesync_home_cellar_setup"
                        b"\0\3ann\0\x0asecret one")
    assert asked[1:] in ([], [b"\x82\x29\0\1\0\x24homesync/home/nodes/cellar/command/+\1"])


def test_a_test_without_enough_memory_is_no_verdict(browser, portal, broker):
    filled(browser, portal(test_fails=True), broker)
    state, words = outcome(browser)
    assert state == "bad" and "may be right all the same" in words
    assert browser.text("#save") == "Save without a test"


def test_saving_without_a_test_asks_once(browser, portal, broker):
    node = portal()
    filled(browser, node, broker)
    browser.click("#save")
    assert browser.text("#save") == "Save all the same"
    assert "this page is back" in browser.text("#told")
    assert node.saved is None
    browser.click("#save")
    assert node.wait_for("saved")["node_id"] == "cellar"


def test_a_change_after_the_test_wants_another(browser, portal, broker):
    filled(browser, portal(), broker)
    assert outcome(browser)[0] == "good"
    browser.add("[name=node_id]", "2")
    assert browser.text("#save") == "Save without a test"


def test_a_full_flash_is_told(browser, portal, broker):
    node = portal(save_fails=True)
    filled(browser, node, broker)
    save_untested(browser)
    browser.wait("document.getElementById('told').textContent.includes('cannot be written')")
    assert not browser.run("return document.getElementById('save').disabled")


def test_stored_secrets_stay_and_are_not_shown(browser, portal):
    node = portal(settings=STORED)
    opened(browser, node)
    assert browser.value("[name=wifi_ssid]") == STORED["wifi_ssid"]
    assert browser.value("[name=broker_user]") == "ann"
    everything = browser.run("return document.documentElement.outerHTML + JSON.stringify(state)")
    assert "correct horse" not in everything and "secret one" not in everything
    fill(browser, node_id="n2")
    save_untested(browser)
    assert node.wait_for("saved") == {"node_id": "n2"}


def test_a_stored_password_goes_to_no_other_broker(browser, portal):
    node = portal(settings=STORED)
    opened(browser, node)
    fill(browser, broker_host="127.0.0.1")
    browser.click("#test")
    browser.wait("document.querySelector('.why')")
    assert browser.run("return " + WHYS) == [
        ["broker_password", "type it again: it was for another broker"]]


def test_a_password_can_be_looked_at(browser, portal):
    opened(browser, portal())
    fill(browser, wifi_password="correct horse")
    show = ".pw button"
    browser.click(show)
    assert browser.run("return field.wifi_password.type") == "text"
    browser.click(show)
    assert browser.run("return field.wifi_password.type") == "password"


def test_the_enter_key_starts_the_test(browser, portal, broker):
    filled(browser, portal(), broker)
    browser.add("[name=node_id]", "\ue007")
    browser.wait("document.getElementById('told').className == 'good'", 40)


def test_a_phone_that_loses_the_node_for_seconds_gets_the_result(browser, portal, broker):
    node = portal()
    filled(browser, node, broker)
    browser.run("const real = fetch; let lost = 0; window.fetch = (...a) => "
                "a[0] == '/test' && !a[1].body && lost++ < 2 "
                "? Promise.reject(new TypeError('away')) : real(...a)")
    assert outcome(browser)[0] == "good"


def test_a_node_that_has_gone_is_told(browser, portal):
    node = portal()
    opened(browser, node)
    fill(browser, wifi_ssid="x")
    node.close()
    browser.click("#scan")
    browser.wait("document.getElementById('nets').textContent.includes('does not answer')", 30)


def test_the_house_goes_on(browser, portal, broker):
    node = portal()
    filled(browser, node, broker)
    outcome(browser)
    assert node.longest_ms() < 100  # a scan of 20 ms, and a machine with other things to do


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_window(browser, portal, width):
    browser.look(width, 800)
    opened(browser, portal())
    browser.run("for (const box of document.querySelectorAll('details')) box.open = true")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run("return Math.min(...[...document.querySelectorAll('button, input, select')]"
                       ".filter(e => e.offsetParent && e.type != 'checkbox')"
                       ".map(e => e.getBoundingClientRect().height))") >= 40  # for fingers


def test_on_the_lan_it_asks_for_the_password(browser, portal):
    node = portal(lan=True, settings=STORED)
    assert node.events["trail"] == []  # no access point
    browser.open(node.url.replace("//", "//any:%s@" % node.password))  # as typed into the dialog
    browser.open(node.url)
    browser.wait("!document.getElementById('form').hidden")
    fill(browser, node_id="n2")
    save_untested(browser)
    assert node.wait_for("saved") == {"node_id": "n2"}
