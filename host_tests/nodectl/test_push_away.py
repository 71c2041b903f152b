"""scripts/nodectl ota push while the node or the broker is not there."""

import pytest
from process import failed, own, places
from scripted_node import ScriptedNode, confirm

from host_tests.support.broker import Broker
from remote import link
from remote.errors import RemoteError

# Nodes that are not there

def test_an_unknown_node_is_told_with_those_that_are_there(node, broker, home, monkeypatch):
    monkeypatch.setattr(link, "_KNOWN_S", 0.5)
    with ScriptedNode(broker, home, "n2") as other:
        other.online(False, reason="shutdown")
        assert refusal(broker, home, "n3") == (
            "there is no node n3 in the home %s; nodes seen: n1, n2" % home)
        assert refusal(broker, "nobody", "n1") == (
            "there is no node n1 in the home nobody; no node has been seen there")


def refusal(broker, home, node):
    to_node = link.Link(places(broker, home, node))
    try:
        to_node.open()
        with pytest.raises(RemoteError) as refused:
            to_node.meet()
    finally:
        to_node.close()
    return str(refused.value)


def test_a_node_that_is_offline_gets_the_offer_when_it_comes(nodectl, node, bundle):
    node.online(False, reason="unexpected_disconnect")
    process = nodectl("ota", "push", bundle[0])
    process.wait_for("n1 is offline (unexpected_disconnect): waiting for it")
    assert node.commands == []
    node.online()
    node.command()
    process.wait_for("n1 is online\noffered")
    confirm(node)
    assert process.end() == (0, "")


def test_a_node_that_goes_away_is_served_when_it_is_back(nodectl, node, bundle):
    path, payload, offer = bundle
    process = nodectl("ota", "push", path)
    node.command()
    node.need(offer["bundle"][:8], 0, 4096)
    node.block(0)
    node.online(False, reason="unexpected_disconnect")
    process.wait_for("n1 is offline (unexpected_disconnect): waiting for it")
    node.online()
    process.wait_for("n1 is online")
    assert node.fetch(offer, 4096) == payload[4096:]
    confirm(node)
    assert process.end() == (0, "")
    assert len(node.commands) == 1


# The broker

def test_a_broker_that_dies_in_the_middle_and_comes_back(tools, nodectl, home, bundle):
    path, payload, offer = bundle
    with Broker(tools.mosquitto) as broker, ScriptedNode(broker, home, "n1") as node:
        node.online()
        process = nodectl("ota", "push", path, BROKER=own(broker))
        node.command()
        node.need(offer["bundle"][:8], 0, 4096)
        node.block(0)
        node.lose(broker.kill9)
        process.wait_for("the broker is lost: trying again")
        broker.start()
        process.wait_for("the broker is back")
        node.wait_ready()
        node.online()
        assert node.fetch(offer, 4096) == payload[4096:]
        confirm(node)
        assert process.end() == (0, "")


def test_no_broker(nodectl, bundle):
    failed(nodectl("ota", "push", bundle[0], "--broker", "127.0.0.1:1"),
           "the broker 127.0.0.1:1 cannot be reached: Connection refused")


def test_passwords_and_where_they_come_from(tools, nodectl, home, bundle, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("right\n")
    login = "me", "right"
    with Broker(tools.mosquitto, users=dict([login])) as broker, \
            ScriptedNode(broker, home, "n1", login=login) as node:
        node.online()
        node.on_command = lambda _: confirm(node)
        place = own(broker)
        failed(nodectl("ota", "push", bundle[0], "--user", "me", BROKER=place, PASSWORD="wrong"),
               "the broker %s refuses the login: Not authorized" % place)
        failed(nodectl("ota", "push", bundle[0], BROKER=place), "refuses the login")
        from_environment = nodectl("ota", "push", bundle[0], BROKER=place, PASSWORD="right",
                                   USER="me")
        assert from_environment.end() == (0, "")
        from_file = nodectl("--user", "me", "--password-file", secret, "ota", "push", bundle[0],
                            BROKER=place, PASSWORD="wrong")
        assert from_file.end() == (0, "")
