"""scripts/nodectl ota push: what it sends, what it tells, how it ends."""

import os
import pty
import re
import threading
from datetime import datetime, timezone

from process import failed
from scripted_node import confirm

# From the offer to the end

def test_an_update_from_offer_to_confirmed(nodectl, node, bundle):
    path, payload, offer = bundle
    process = nodectl("ota", "push", path)
    command = node.command()
    assert node.fetch(offer) == payload
    for state in ("verifying", "installing", "restarting"):
        node.say("progress", {"state": state, "percent": 0})
    node.online(False, reason="update")
    node.online()
    node.say("progress", {"state": "trial", "percent": 0})
    process.wait_for("trial")
    confirm(node)
    assert process.end() == (0, "")

    age = datetime.now(timezone.utc) - datetime.fromisoformat(
        command.pop("timestamp").replace("Z", "+00:00"))
    assert abs(age.total_seconds()) < 30
    request_id = command.pop("request_id")
    assert 0 < len(request_id) <= 64
    assert command == dict(offer, action="offer")
    assert len(node.raw[0].payload) <= 1000
    assert [(m.qos, m.retain) for m in node.raw] == [(1, False)] + [(0, False)] * 3
    assert [len(block) for block in node.blocks] == [4112, 4112, 1824]
    assert re.sub(r" *\d+\.\d( KB/s| s)", r"X\1", process.out) == (
        "new.bundle: version 1.4.0, 9.8 KB, for n1\n"
        "offered\n"
        "downloading\n"
        "downloading  40 %     4.0 of 9.8 KBX KB/s\n"
        "downloading  81 %     8.0 of 9.8 KBX KB/s\n"
        "downloaded  9.8 KB inX s (X KB/s)\n"
        "verifying\n"
        "installing\n"
        "restarting into 1.4.0\n"
        "n1 is online\n"
        "trial: waits 5 min until the node finds itself well\n"
        "confirmed: n1 runs 1.4.0\n")


def test_a_node_that_runs_it_already_ends_it_at_once(nodectl, node, bundle):
    node.on_command = lambda _: confirm(node)
    process = nodectl("ota", "push", bundle[0])
    assert process.end() == (0, "")
    assert process.out.endswith("offered\nconfirmed: n1 runs 1.4.0\n")


def test_a_node_may_go_on_in_the_middle_with_small_blocks(nodectl, node, bundle):
    path, payload, offer = bundle
    process = nodectl("ota", "push", path)
    node.command()
    assert node.fetch(offer, 4096, 960) == payload[4096:]
    confirm(node)
    assert process.end() == (0, "")
    assert "the node has 4.0 KB already" in process.out


def test_only_what_is_asked_for_rightly_is_sent(nodectl, node, bundle):
    path, payload, offer = bundle
    process = nodectl("ota", "push", path)
    node.command()
    right = offer["bundle"][:8]
    node.need("00000000", 0, 100)
    node.need(right, 9999, 2)
    node.need(right, 0, 4097)
    node.need(right, 0, 100, request_id="of somebody else")
    node.need(right, 9000, 1000)
    node.need(right, 0, 2048)
    node.need(right, 0, 2048)
    data = [node.block(number)[16:] for number in range(3)]
    assert data == [payload[9000:], payload[:2048], payload[:2048]]
    confirm(node)
    assert process.end() == (0, "")
    assert len(node.blocks) == 3


def test_answers_to_others_are_not_its_own(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0])
    node.command()
    node.say("success", {"state": "confirmed"}, request_id="of somebody else")
    node.put("response/ota", {"request_id": None, "status": "error",
                              "error": {"code": "malformed_json", "message": "no"}})
    node.put("response/ota", "no object")
    node.refuse("downgrade", "1.4.0 is older than 2.0.0")
    failed(process, "n1: downgrade: 1.4.0 is older than 2.0.0")


def test_a_node_that_fell_back_says_why(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0])
    node.command()
    node.say("progress", {"state": "restarting", "percent": 100})
    process.wait_for("restarting into 1.4.0")
    node.refuse("rolled_back", "meter silent\x1b[2J")
    failed(process, "n1: rolled_back: meter silent?[2J")


def test_a_restart_in_the_trial_is_no_restart_into_the_new_version(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0])
    node.command()
    node.say("progress", {"state": "trial", "percent": 10})
    process.wait_for("trial")
    node.online(False, reason="update")
    node.online()
    process.wait_for("n1 is online")
    node.refuse("rolled_back", "the meter is silent")
    failed(process, "n1: rolled_back: the meter is silent")
    assert "restarting: the node did not find itself well\nn1 is online\n" in process.out
    assert "restarting into" not in process.out


def test_success_without_confirmed_is_none(nodectl, node, bundle):
    node.on_command = lambda _: node.say("success", {"state": "aborted"})
    failed(nodectl("ota", "push", bundle[0]), "n1 ended with aborted")


def test_answers_of_a_strange_form_do_no_harm(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0])
    node.command()
    for result in (None, 5, "text", [], {"state": 5}, {"state": "downloading", "percent": 1e300},
                   {"state": "downloading", "percent": "x"}, {"state": {}, "percent": -1},
                   {"need": []}):
        node.say("progress", result)
    node.say("strange", {"state": "strange"})
    confirm(node)
    assert process.end() == (0, "")
    failed_one = nodectl("ota", "push", bundle[0])
    node.command(1)
    node.put("response/ota", {"request_id": node.request_id, "status": "error", "error": "what"})
    failed(failed_one, "n1: error")


# Options

def test_no_wait_ends_at_the_restart(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0], "--no-wait")
    node.command()
    node.say("progress", {"state": "installing", "percent": 50})
    node.say("progress", {"state": "restarting", "percent": 100})
    assert process.end() == (0, "")
    assert process.out.endswith(
        "restarting into 1.4.0\nnot confirmed yet: `scripts/nodectl ota status` tells\n")


def test_no_wait_sees_the_restart_if_its_message_was_lost(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0], "--no-wait")
    node.command()
    node.say("progress", {"state": "installing", "percent": 50})
    node.online(False, reason="update")
    assert process.end() == (0, "")
    assert "restarting into 1.4.0" in process.out


def test_with_a_url_nothing_is_served(nodectl, node, bundle):
    path, _, offer = bundle
    process = nodectl("ota", "push", path, "--url", "http://hub/new.bundle")
    assert node.command()["url"] == "http://hub/new.bundle"
    node.need(offer["bundle"][:8], 0, 100)
    node.say("progress", {"state": "downloading", "percent": 50})
    process.wait_for("the node has 4.9 KB already")
    confirm(node)
    assert process.end() == (0, "")
    assert node.blocks == []


def test_silence_of_the_node_ends_it(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0], "--timeout", "0.7")
    node.command()
    node.say("progress", {"state": "trial", "percent": 0})
    failed(process, "nothing heard from n1 for 0.7 s; it may still go on by itself")


def test_a_node_that_stays_offline_ends_it(nodectl, node, bundle):
    node.online(False)
    process = nodectl("ota", "push", bundle[0], "--timeout", "0.3")
    code, errors = process.end()
    assert (code, errors) == (1, "scripts/nodectl: nothing heard from n1 for 0.3 s\n")


def test_nonsense_is_no_sign_of_life(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0], "--timeout", "1")
    node.command()
    stop = threading.Event()

    def ask():
        while not stop.wait(0.2):
            node.need("00000000", 0, 100)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        failed(process, "nothing heard from n1 for 1 s")
    finally:
        stop.set()
        asking.join()


# The bundle

def test_wrong_bundles(nodectl, bundle, tmp_path):
    from bundling import container

    path, payload, offer = bundle
    unsigned = tmp_path / "unsigned.bundle"
    container.write(unsigned, payload,
                    {name: offer[name] for name in offer if name not in ("key", "sig")})
    failed(nodectl("ota", "push", unsigned),
           "unsigned.bundle is not signed: run `scripts/bundle sign ")
    damaged = tmp_path / "damaged.bundle"
    damaged.write_bytes(b"x" + path.read_bytes()[1:])
    failed(nodectl("ota", "push", damaged), "damaged.bundle is damaged")
    failed(nodectl("ota", "push", tmp_path / "none"), "No such file")


# Ctrl-C

def test_ctrl_c_tells_how_to_go_on(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0])
    node.command()
    node.say("progress", {"state": "downloading", "percent": 10})
    process.wait_for("downloading")
    process.interrupt()
    assert process.end() == (130, "")
    assert process.out.endswith(
        "stopped; n1 keeps what it has\n"
        "the same command again goes on; to give up: scripts/nodectl ota abort --node n1\n")


def test_ctrl_c_in_the_trial_tells_that_the_node_goes_on(nodectl, node, bundle):
    process = nodectl("ota", "push", bundle[0])
    node.command()
    node.say("progress", {"state": "trial", "percent": 0})
    process.wait_for("trial")
    process.interrupt()
    assert process.end() == (130, "")
    assert process.out.endswith("n1 goes on by itself; `scripts/nodectl ota status` tells\n")


# The terminal

def test_the_bar_fits_80_columns(nodectl, node, bundle):
    path, _, offer = bundle
    ours, theirs = pty.openpty()
    process = nodectl("ota", "push", path, stdout=theirs)
    os.close(theirs)
    shown = []
    reading = threading.Thread(target=_read_all, args=(ours, shown))
    reading.start()
    node.command()
    node.fetch(offer, 0, 960)
    node.say("progress", {"state": "installing", "percent": 30})
    confirm(node)
    assert process.end() == (0, "")
    reading.join()
    os.close(ours)
    text = b"".join(shown).decode()
    rewritten = [part for part in re.split(r"\r\n|\r|\n", text) if part]
    assert max(len(part.replace("\x1b[K", "")) for part in rewritten) < 80, rewritten
    assert re.search(r"\r\[########################\.\.\]  96 %     9\.4 of 9\.8 KB +\d+\.\d KB/s",
                     text), text
    assert text.endswith("\r\x1b[Kconfirmed: n1 runs 1.4.0\r\n"), text[-200:]


def _read_all(terminal, shown):
    try:
        while True:
            shown.append(os.read(terminal, 4096))
    except OSError:  # the other end is closed
        pass
