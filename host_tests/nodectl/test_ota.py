"""scripts/nodectl ota status, abort and rollback; options and the places they come from."""

import pytest
from process import failed, own
from scripted_node import ScriptedNode

from host_tests.support.broker import Broker, free_port
from host_tests.support.certificates import Authority

FIRMWARE = {"version": "1.3.0", "slot": "a", "state": "rolled_back", "reason": "meter silent",
            "board": "esp32-pzem", "timestamp": "2026-02-06T14:30:00Z"}


def test_status_shows_the_answer_and_what_is_retained(nodectl, node):
    node.put("status/firmware", FIRMWARE, retain=True)
    node.on_command = lambda _: node.say("success", {
        "version": "1.3.0", "slot": "a", "state": "confirmed", "reason": None, "floor": 7,
        "bad": ["a1b2c3d4", "00000000"], "ignored_blocks": 0,
        "update": {"state": "downloading", "percent": 40, "version": "1.4.0"}})
    process = nodectl("ota", "status")
    assert process.end() == (0, "")
    assert node.commands[0]["action"] == "status"
    assert process.out == ("node           n1\n"
                           "state          confirmed\n"
                           "slot           a\n"
                           "version        1.3.0\n"
                           "floor          7\n"
                           "board          esp32-pzem\n"
                           "bad            a1b2c3d4, 00000000\n"
                           "ignored_blocks 0\n"
                           "update         downloading 40 %, version 1.4.0\n")


def test_status_of_a_node_that_is_offline_is_what_it_told_last(nodectl, node):
    node.online(False)
    node.put("status/firmware", FIRMWARE, retain=True)
    process = nodectl("ota", "status")
    assert process.end() == (1, "")
    assert process.out.startswith("node           n1 is offline; when it was online:\n"
                                  "state          rolled_back\n")
    assert node.commands == []


def test_abort_shows_the_answer(nodectl, node):
    node.on_command = lambda _: node.say("success", {"state": "aborted"})
    process = nodectl("ota", "abort")
    assert process.end() == (0, "")
    assert (node.commands[0]["action"], process.out) == ("abort", "aborted\n")


def test_rollback_follows_the_restart(nodectl, node):
    process = nodectl("ota", "rollback")
    assert node.command()["action"] == "rollback"
    node.say("progress", {"state": "restarting", "version": "1.3.0"})
    process.wait_for("restarting, version 1.3.0\n")
    node.say("progress", {"state": "trial", "percent": 0, "version": "1.3.0"})
    node.say("success", {"state": "confirmed", "version": "1.3.0"})
    assert process.end() == (0, "")
    assert process.out == ("restarting, version 1.3.0\n"
                           "trial, version 1.3.0\n"
                           "confirmed, version 1.3.0\n")


@pytest.mark.parametrize("action", ("status", "abort", "rollback"))
def test_a_refusal_is_told(nodectl, node, action):
    node.on_command = lambda _: node.refuse("unsupported", "not now")
    failed(nodectl("ota", action), "n1: unsupported: not now")


@pytest.mark.parametrize("action", ("abort", "rollback"))
def test_a_node_that_is_offline_cannot_be_told(nodectl, node, action):
    node.online(False)
    failed(nodectl("ota", action), "n1 is offline")


# Options

def test_places_may_stand_before_and_after_the_command(nodectl, node, broker, home):
    node.on_command = lambda _: node.say("success", {"state": "confirmed"})
    place = own(broker)
    for arguments in (("--broker", place, "--home", home, "--node", "n1", "ota", "status"),
                      ("ota", "status", "--broker", place, "--home", home, "--node", "n1"),
                      ("--broker", "127.0.0.1:1", "ota", "--home", home, "status", "--node", "n1",
                       "--broker", place)):
        process = nodectl(*arguments, BROKER=None, HOME=None, NODE=None)
        assert process.end() == (0, ""), arguments


@pytest.mark.parametrize(("arguments", "part"), (
    ((), "COMMAND"),
    (("ota",), "ACTION"),
    (("ota", "status", "--node", ""), "which node?"),
    (("ota", "status", "--node", "+"), "--node: + cannot be one"),
    (("ota", "status", "--broker", "host:x"), "--broker: host:x is not HOST or HOST:PORT"),
    (("ota", "status", "--broker", ":1883"), "--broker: :1883 is not"),
    (("ota", "push", "x", "--timeout", "0"), "--timeout"),
    (("ota", "push"), "BUNDLE"),
    (("ota", "status", "--user", "me", "--password-file", "/nowhere"), "--password-file: "),
    (("ota", "status", "--password-file", "/dev/null"), "a password needs a --user"),
    (("ota", "status", "--password", "secret"), "--password"),
))
def test_wrong_usage_is_one_line_and_exit_code_2(nodectl, arguments, part):
    process = nodectl(*arguments)
    code, errors = process.end()
    assert code == 2 and process.out == ""
    assert errors.startswith("scripts/nodectl: ") and errors.count("\n") == 1, errors
    assert part in errors


def test_tls_is_checked_against_the_given_ca(tools, nodectl, home, tmp_path):
    authority = Authority(tmp_path)
    ca = tmp_path / "ca.pem"
    ca.write_text(authority.pem)
    secure = "127.0.0.1:%d" % free_port()
    lines = ["listener %s 127.0.0.1" % secure.split(":")[1], *authority.server("good")]
    with Broker(tools.mosquitto, config_lines=lines) as broker, \
            ScriptedNode(broker, home, "n1") as node:
        node.online()
        node.on_command = lambda _: node.say("success", {"state": "aborted"})
        process = nodectl("ota", "abort", "--ca", ca, BROKER=secure)
        assert process.end() == (0, "")
        failed(nodectl("ota", "abort", "--tls", BROKER=secure),
               "cannot be reached: unable to get local issuer certificate")
        ca.write_text("no certificate")
        failed(nodectl("ota", "abort", "--ca", ca, BROKER=secure), "no CA certificates in")


def test_another_base_topic(nodectl, broker, home):
    with ScriptedNode(broker, home, "n1", base="mine") as node:
        node.online()
        node.on_command = lambda _: node.say("success", {"state": "aborted"})
        process = nodectl("ota", "abort", "--base", "mine")
        assert process.end() == (0, "")
