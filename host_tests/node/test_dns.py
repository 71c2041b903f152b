# The whole node, and where it matters only the link, against a name server with faults.
# The node asks the server that Wi-Fi names; its port 53, which tests may not use, is replaced.
import time

import pytest
from conftest import shown
from rig import patched_code

from host_tests.support import dns_server
from host_tests.support import scripted_broker as mqtt
from host_tests.support.dns_server import DnsServer

NAME = "broker.test"
HERE = {NAME: "127.0.0.1"}
NO_GAP_MS = 1000  # as in test_link_session.py


@pytest.fixture
def dns():
    with DnsServer(dict(HERE)) as server, shown("name server", server):
        yield server


@pytest.fixture
def named(new_node, dns, tmp_path):
    """named(**) is new_node(**) whose broker has a name; it is looked up at `dns`."""
    code = patched_code(tmp_path, {
        "firmware/setup/wifi.py": [("(server, 53)", "(server, %d)" % dns.address[1])]})

    def make(settings=None, **options):
        return new_node(code=code, settings=dict(settings or {}, broker_host=NAME), **options)

    return make


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.full)


def comes_online(node, timeout_s=20.0):
    node.listen()
    node.board.power_on()
    node.online(timeout_s=timeout_s)


def failure(node, timeout_s=15.0):
    """What the node says of the attempt that fails first."""
    node.board.power_on()
    return node.board.wait_for_line("link: error", timeout_s)


def test_a_node_finds_its_broker_by_name(named, dns):
    comes_online(named())
    assert dns.queries == [NAME]


def test_an_alias_of_an_alias_is_followed(named, dns):
    dns.records = {NAME: "eu.test", "eu.test": "host.eu.test", "host.eu.test": "127.0.0.1"}
    comes_online(named())


def test_a_server_that_takes_2_s_is_waited_for(named, dns):
    # Each query used to come from a socket of its own, so an answer after 1.5 s met a closed one.
    dns.delay_s = 2
    node = named()
    comes_online(node)
    assert not [line for line in node.board.log if "link: error" in line]


def test_a_dead_server_does_not_stop_the_house(named, dns):
    dns.mode = dns_server.SILENT
    node = named()
    assert "dns_failed (no DNS server answered for broker.test)" in failure(node)
    dns.mode = None
    node.listen()
    node.online()
    health = node.hub.wait("status/health").json
    assert health["last_error"].startswith("dns_failed")
    assert health["tick_max_ms"] < NO_GAP_MS
    assert health["meter_ok"] is True


@pytest.mark.parametrize("mode", [
    slow(dns_server.OTHER_ID), dns_server.OTHER_NAME, slow(dns_server.CUT)])
def test_a_forged_answer_that_comes_first_is_not_believed(named, dns, mode):
    dns.mode, dns.lie_first = mode, True
    node = named()
    comes_online(node)
    assert dns.queries == [NAME]
    assert not [line for line in node.board.log if "link: error" in line]


@pytest.mark.parametrize("mode, asked, told", [
    slow(dns_server.OTHER_ID, 3, "no DNS server answered"),
    slow(dns_server.OTHER_NAME, 3, "another question"),
    slow(dns_server.CUT, 3, "cut short or garbled"),
    slow(dns_server.TRUNCATED, 3, "too long for UDP"),
    (dns_server.SERVFAIL, 3, "the DNS server failed, code 2"),
    slow(dns_server.REFUSED, 3, "the DNS server failed, code 5"),
    (dns_server.OTHER_OWNER, 1, "no IPv4 address"),
    (dns_server.NXDOMAIN, 1, "there is no host broker.test"),
])
def test_a_server_without_a_good_answer_is_told_and_asked_again(
        link, scripted, dns, mode, asked, told):
    # What a server cannot tell is asked three times; that there is no address is final.
    dns.mode = mode
    node = link(broker_host=NAME, dns=[dns.address])
    error = node.wait("error", 12)
    assert error["reason"] == "dns_failed"
    assert told in error["detail"]
    assert error["longest_gap_ms"] < NO_GAP_MS
    assert len(dns.queries) == asked
    dns.mode = None
    scripted.session()
    node.wait("connected")


def test_a_name_that_does_not_exist_is_told_by_the_whole_node(named, dns):
    dns.records = {}
    assert "dns_failed (there is no host broker.test)" in failure(named())


@pytest.mark.parametrize("mode", [
    dns_server.SERVFAIL, dns_server.REFUSED, dns_server.TRUNCATED])
def test_the_second_server_is_asked_at_once_when_the_first_cannot_tell(link, scripted, dns, mode):
    with DnsServer(HERE, mode=mode) as first:
        node = link(broker_host=NAME, dns=[first.address, dns.address])
        node.wait("connecting")
        start_s = time.monotonic()
        scripted.accept(5).expect(mqtt.CONNECT)
        assert time.monotonic() - start_s < 1.2  # less than the pause before a repetition
        assert (first.queries, dns.queries) == ([NAME], [NAME])


def test_the_second_server_is_not_asked_for_a_name_that_does_not_exist(link, dns):
    with DnsServer({}) as first:
        node = link(broker_host=NAME, dns=[first.address, dns.address])
        assert "there is no host" in node.wait("error")["detail"]
        assert dns.queries == []


def test_the_second_server_is_asked_when_the_first_is_silent(link, scripted, dns):
    with DnsServer(HERE, mode=dns_server.SILENT) as first:
        link(broker_host=NAME, dns=[first.address, dns.address])
        scripted.accept(5).expect(mqtt.CONNECT)
        assert first.queries and dns.queries


def test_without_a_name_server_the_last_address_is_used(named, dns, own_broker):
    broker = own_broker().start()
    node = named(broker=broker)
    comes_online(node)
    dns.mode = dns_server.SILENT
    after = node.hub.mark()
    broker.restart()
    node.online(after)
    assert len(dns.queries) > 1
    assert not [line for line in node.board.log if "dns_failed" in line]


def test_a_broker_that_has_moved_is_found_at_the_next_reconnect(named, dns, own_broker):
    old = own_broker().start()
    new = own_broker(config_lines=["listener %d 127.0.0.2" % old.port]).start()
    node = named(broker=new, settings={"broker_port": old.port})
    node.listen()
    node.board.power_on()
    node.board.wait_for_line("link: connected", 20)
    assert node.hub.messages == []
    dns.records = {NAME: "127.0.0.2"}
    old.kill9()
    node.online()
    assert len(dns.queries) >= 2
