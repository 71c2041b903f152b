# What can be said to a node about updates: again, another one, abort, status, and what is refused.
import hashlib

import pytest
from rig import patched_code
from updating import (
    HASTY,
    ended,
    is_clean,
    needs,
    order,
    push,
    serve,
    stalled_at,
    told,
    updatable,
)

from host_tests.support import http_server as web

BLOCK = 4096


@pytest.fixture(scope="module")
def better(bundles):
    return bundles.make("0.2.0")


@pytest.fixture
def node(new_node, bundles, hasty):
    """Version 0.1.0 runs beside the slots, with relay 0 on."""
    return updatable(new_node, bundles, code=hasty)


@pytest.fixture(scope="module")
def idle(module_node, bundles, tmp_path_factory):
    """One node for all that changes nothing, with 2 MB of flash free."""
    code = patched_code(tmp_path_factory.mktemp("small"), {**HASTY, "firmware/ota/actions.py": [
        ('stat = os.statvfs(".")', "stat = 4096, 0, 0, 0, 500")]})
    return updatable(module_node, bundles, code=code)


def error(answer):
    assert answer["status"] == "error" and answer["result"] is None, answer
    return answer["error"]["code"]


def test_the_same_bundle_again_is_the_same_update_and_answers_the_newest_request(node, better):
    first = push(node, better, most=3 * BLOCK)
    stalled_at(node, 3 * BLOCK)
    after = node.hub.mark()
    second = push(node, better)
    answer = ended(node, second, after)
    assert answer["result"] == {"state": "confirmed", "version": "0.2.0"}
    assert min(needs(node, after)) == 3 * BLOCK  # nothing came twice
    assert not [m for m in node.hub.seen("response/ota", after) if m.json["request_id"] == first
                and m.json["status"] != "progress"]
    # Offered once more it is there already.
    again = push(node, better)
    answer = ended(node, again)
    assert answer["result"] == {"state": "confirmed", "version": "0.2.0"}
    assert is_clean(node)


def test_status_tells_each_state(node, better):
    assert order(node, "status")["result"] == {
        "version": "0.1.0", "slot": None, "state": "confirmed", "reason": "", "floor": 0,
        "bad": [], "ignored_blocks": 0, "update": None}
    request_id = push(node, better, most=3 * BLOCK)
    stalled_at(node, 3 * BLOCK)
    percent = 3 * BLOCK * 100 // len(better[0])
    assert order(node, "status")["result"]["update"] == {
        "state": "downloading", "percent": percent, "version": "0.2.0"}
    serve(node, better, request_id)
    told(node, request_id, "trial")
    on_trial = order(node, "status")["result"]
    assert (on_trial["version"], on_trial["slot"], on_trial["state"]) == ("0.2.0", "a", "trial")
    assert on_trial["update"]["state"] == "trial" and 0 <= on_trial["update"]["percent"] <= 100
    ended(node, request_id)
    assert is_clean(node)
    after = order(node, "status")["result"]
    assert (after["version"], after["state"], after["update"]) == ("0.2.0", "confirmed", None)


def test_during_a_download_another_bundle_has_to_wait_and_abort_makes_way(node, bundles, better):
    request_id = push(node, better, most=3 * BLOCK)
    stalled_at(node, 3 * BLOCK)
    other = bundles.make("0.3.0")
    refused = order(node, "offer", **other[1])
    assert error(refused) == "busy" and "0.2.0 is downloading" in refused["error"]["message"]
    assert error(order(node, "rollback")) == "busy"
    assert order(node, "abort")["result"] == {"state": "aborted"}
    assert error(ended(node, request_id)) == "aborted"
    assert is_clean(node)
    assert not (node.flash / "a").exists()
    assert ended(node, push(node, other))["result"] == {"state": "confirmed", "version": "0.3.0"}
    assert node.board.boots == 2


def test_there_is_nothing_to_abort_and_nothing_to_go_back_to(idle):
    assert error(order(idle, "abort")) == "bad_request"
    assert error(order(idle, "rollback")) == "unsupported"
    assert error(order(idle, "confirm")) == "unknown_action"


def flash(node):
    """What is in its flash, but for what is measured."""
    return {path.relative_to(node.flash).as_posix(): path.read_bytes()
            for path in node.flash.rglob("*") if path.is_file() and "energy" not in path.name}


def flawed(bundles, offer):
    """(code, offer to be refused with it)."""
    def signed(**changes):
        return bundles.sign(dict(offer, **changes))

    return [
        ("bad_request", {**offer, "sig": offer["sig"][:-4]}),
        ("bad_request", {**offer, "version": "1.0"}),
        ("bad_request", {**offer, "size": str(offer["size"])}),
        ("bad_request", {**offer, "url": "ftp://127.0.0.1/bundle"}),
        ("bad_request", {name: offer[name] for name in offer if name != "bundle"}),
        ("unsupported", signed(target="image")),
        ("unknown_key", {**offer, "key": "00000000"}),
        ("bad_signature", {**offer, "size": offer["size"] + 1}),
        ("bad_signature", {**offer, "force": True}),
        ("wrong_hardware", signed(hw="esp32c3,esp8266")),
        ("wrong_mpy", signed(mpy=offer["mpy"] + 1)),
        ("downgrade", signed(version="0.0.9")),
        ("no_space", signed(size=2040000)),
    ]


def test_an_offer_with_a_flaw_is_refused_before_anything_is_written(idle, bundles, better):
    before = flash(idle)
    for code, offer in flawed(bundles, better[1]):
        assert error(order(idle, "offer", **offer)) == code
    assert flash(idle) == before
    assert order(idle, "status")["result"]["update"] is None


def test_what_does_not_have_its_hash_is_not_installed(idle, better):
    wrong = bytearray(better[0])
    wrong[50000] ^= 1
    answer = ended(idle, push(idle, (bytes(wrong), better[1])))
    assert error(answer) == "bad_hash"
    assert is_clean(idle) and not (idle.flash / "a").exists()
    assert idle.board.boots == 1


def test_a_signed_bundle_that_is_none_is_not_installed(idle, bundles, better):
    payload = better[0][:-2000]  # signed like this, by mistake
    offer = bundles.sign(dict(better[1], size=len(payload),
                              bundle=hashlib.sha256(payload).hexdigest()))
    assert error(ended(idle, push(idle, (payload, offer)))) == "bad_bundle"
    assert is_clean(idle) and not (idle.flash / "a").exists()


def test_an_esp8266_takes_half_the_blocks(new_node, bundles, hasty):
    settings = {"board": "nodemcu-pzem"}
    node = updatable(new_node, bundles, code=hasty, settings=settings)
    bundle = bundles.make("0.2.0", chips={"esp8266"})
    answer = ended(node, push(node, bundle))
    assert answer["result"] == {"state": "confirmed", "version": "0.2.0"}
    assert sorted(set(needs(node))) == list(range(0, len(bundle[0]), BLOCK // 2))
    assert node.board.relay(0)


def test_a_bundle_comes_from_a_web_server(node, better):
    with web.HttpServer(better[0]) as server:
        server.script = [web.cut(40000)]
        after = node.hub.mark()
        request_id = push(node, better, most=0, url=server.url())
        answer = ended(node, request_id)
    assert answer["result"] == {"state": "confirmed", "version": "0.2.0"}
    assert not needs(node)
    assert [one.start > 0 for one in server.requests] == [False, True]  # it has gone on
    percents = [m.json["result"]["percent"] for m in node.hub.seen("response/ota", after)
                if m.json["result"].get("state") == "downloading"]
    assert percents == sorted(percents) and len(set(percents)) >= 5, percents


def test_a_web_server_without_the_bundle_ends_the_update(idle, better):
    with web.HttpServer(better[0][::-1]) as server:
        assert error(ended(idle, push(idle, better, most=0, url=server.url()))) == "bad_hash"
        # Until the broker has acknowledged the last word, who offers it again gets the same.
        assert is_clean(idle)
        server.script = [web.head("404 Not Found")]
        answer = ended(idle, push(idle, better, most=0, url=server.url()))
        assert error(answer) == "http" and "404" in answer["error"]["message"]
    assert is_clean(idle)
    assert idle.hub.ask("relay", "off")["result"] == "off"
    assert idle.hub.ask("relay", "on")["result"] == "on"
