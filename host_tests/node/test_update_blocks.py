# Blocks nobody asked for, wrong ones, thousands of them, offers that are none: they are counted,
# answered once, and the update goes on as if they had not been there.
import hashlib
import struct
import time

import pytest
from rig import patched_code
from update_under_test import UpdateUnderTest, bundle_of
from updating import (
    Sender,
    ended,
    firmware,
    keys,
    push,
    serve,
    updatable,
)

from host_tests.support.proxy import FaultProxy, Plan

SIZE = 11000
BLOCK = 4096
TICK_GAP_MS = 1000
IMPATIENT = {"firmware/ota/blocks.py": [("_WAIT_MS = const(5000)", "_WAIT_MS = const(40)"),
                                        ("_WAIT_MAX_MS = const(60000)",
                                         "_WAIT_MAX_MS = const(80)")]}


class Made:
    def __init__(self, folder):
        keys.generate(folder / "keys")
        self.key_file = folder / "keys" / "keys.bin"
        self.bundle = bundle_of(SIZE, folder / "keys")
        self.other = bundle_of(SIZE + 1, folder / "keys")
        self.code = folder / "code"
        self.code.mkdir()
        patched_code(self.code, {})
        self.impatient = folder / "impatient"
        self.impatient.mkdir()
        patched_code(self.impatient, IMPATIENT)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("blocks"))


@pytest.fixture
def started(tools, broker, made):
    """started(**options): a node that takes updates."""
    nodes = []

    def start(code=None, **options):
        nodes.append(UpdateUnderTest(tools.micropython32, broker, code or made.code,
                                     made.key_file, **options))
        return nodes[-1]

    yield start
    for node in nodes:
        node.close()


@pytest.fixture(scope="module")
def node(tools, broker, made):
    one = UpdateUnderTest(tools.micropython32, broker, made.code, made.key_file)
    yield one
    one.close()


def block(bundle, at, size, **wrong):
    """The block at this offset with the header that belongs to it, but for what is `wrong`."""
    data = bundle[0][at:at + size]
    header = struct.pack(
        ">4s4sIH", wrong.get("start", b"\xb1\x01\x00\x10"),
        wrong.get("id", bytes.fromhex(bundle[1]["bundle"][:8])), wrong.get("offset", at),
        wrong.get("length", len(data)))
    return header + wrong.get("tag", hashlib.sha256(data).digest()[:2]) + data


def offer(node, bundle, **more):
    """Offer a bundle without serving its blocks; returns the request id."""
    node.hub.serve(None)
    request_id = node.hub.new_id()
    node.hub.send("ota", dict(bundle[1], action="offer", request_id=request_id, **more))
    return request_id


def asked(node, offset, after=0, timeout_s=10.0, **wanted):
    """The request for the block at `offset`."""
    return node.hub.wait("response/ota", lambda m: (m.json["result"] or {}).get("need", {}).get(
        "offset") == offset and all(m.json["result"]["need"][name] == value
                                    for name, value in wanted.items()), after, timeout_s)


def refusals(node, after):
    """Codes of the errors on response/ota."""
    return [m.json["error"]["code"] for m in node.hub.seen("response/ota", after)
            if m.json["status"] == "error"]


def finish(node, bundle, request_id):
    """Serve the block that is awaited and all after it, until the node has the bundle."""
    need = [m.json["result"]["need"] for m in node.hub.seen("response/ota")
            if "need" in (m.json["result"] or ())][-1]
    serve(node, bundle, request_id)
    node.hub.send("ota", block(bundle, need["offset"], need["bytes"]), qos=0)
    restarted(node, bundle)


def restarted(node, bundle):
    event = node.wait("restart", 20)
    assert event["version"]["id"] == bundle[1]["bundle"][:8]
    assert event["limit"] == BLOCK  # what it was before the update
    assert event["longest_gap_ms"] < TICK_GAP_MS


def wrong_blocks(bundle):
    good = block(bundle, 0, BLOCK)
    flipped = bytearray(good)
    flipped[1000] ^= 1
    return {
        "another bundle": block(bundle, 0, BLOCK, id=b"\x00\x01\x02\x03"),
        "the block after it": block(bundle, BLOCK, BLOCK),
        "another offset": block(bundle, 0, BLOCK, offset=1),
        "an offset beyond the end": block(bundle, 0, BLOCK, offset=0xFFFFFFFF),
        "another length": block(bundle, 0, BLOCK, length=BLOCK - 1),
        "length 0": block(bundle, 0, BLOCK, length=0),
        "another tag": block(bundle, 0, BLOCK, tag=b"\0\0"),
        "a bit of data": bytes(flipped),
        "version 2": block(bundle, 0, BLOCK, start=b"\xb1\x02\x00\x10"),
        "a flag": block(bundle, 0, BLOCK, start=b"\xb1\x01\x01\x10"),
        "another header length": block(bundle, 0, BLOCK, start=b"\xb1\x01\x00\x11"),
        "a smaller one": block(bundle, 0, 2048),
        "a byte less": block(bundle, 0, BLOCK - 1),
        "a byte more": block(bundle, 0, BLOCK + 1),
        "cut off": good[:-1],
        "with something behind": good + b"\0",
        "the header alone": good[:16],
        "half a header": good[:7],
        "the first byte alone": good[:1],
        "no data": block(bundle, 0, 0),
        "20 KiB": good + bytes(16384),
    }


@pytest.mark.parametrize("name", wrong_blocks((bytes(2 * BLOCK), {"bundle": "00" * 32})))
def test_a_wrong_block_is_counted_and_answered_once(node, made, name):
    wrong = wrong_blocks(made.bundle)[name]
    after = node.hub.mark()
    before = node.status()["ignored_blocks"]
    request_id = offer(node, made.bundle)
    asked(node, 0, after, bytes=BLOCK)
    for _ in range(2):
        node.hub.send("ota", wrong, qos=0)
    status = node.status()
    assert status["ignored_blocks"] == before + 2
    assert status["update"] == {"state": "downloading", "percent": 0, "version": "9.0.0"}
    assert (node.flash / "update.stage").stat().st_size == 0
    finish(node, made.bundle, request_id)
    assert refusals(node, after) == ["unexpected_block"]


def test_an_empty_message_is_nothing(node, made):
    after = node.hub.mark()
    before = node.status()["ignored_blocks"]
    node.hub.send("ota", b"")
    assert node.status()["ignored_blocks"] == before
    assert not refusals(node, after)


@pytest.mark.parametrize("size", [16, 1000, BLOCK + 16, 20480])
def test_a_thousand_blocks_while_nothing_is_updated(started, made, size):
    node = started()
    after = node.hub.mark()
    one = block(made.bundle, 0, min(size - 16, BLOCK))
    one += bytes(size - len(one))
    for _ in range(1000):
        node.hub.send("ota", one)  # with QoS 1, or the broker might drop some
    status = node.status()
    assert status["ignored_blocks"] == 1000
    assert status["update"] is None and status["state"] == "confirmed"
    assert refusals(node, after) == ["unexpected_block"]
    assert sorted(path.name for path in node.flash.iterdir()) == ["keys.bin"]
    push(node, made.bundle)  # whose event tells how far ticks were apart
    restarted(node, made.bundle)


def test_a_thousand_wrong_blocks_while_one_is_awaited(node, made):
    after = node.hub.mark()
    before = node.status()["ignored_blocks"]
    request_id = offer(node, made.bundle)
    asked(node, 0, after)
    wrong = list(wrong_blocks(made.bundle).values())
    for n in range(1000):
        node.hub.send("ota", wrong[n % len(wrong)])
    serve(node, made.bundle, request_id)
    node.hub.send("ota", block(made.bundle, 0, BLOCK))
    restarted(node, made.bundle)
    assert node.status()["ignored_blocks"] == before + 1000
    assert refusals(node, after) == ["unexpected_block"]


class Repeating(Sender):
    """Sends each block so many times with this QoS."""

    def __init__(self, node, bundle, times, qos):
        super().__init__(bundle[0], bundle[1], node.hub.new_id())
        self._node = node
        self._times = times
        self._qos = qos
        node.hub.serve(self)
        node.hub.send("ota", dict(bundle[1], action="offer", request_id=self.request_ids[0]))

    def answer(self, message):
        data = super().answer(message)
        for _ in range(self._times if data else 0):
            self._node.hub.send("ota", data, qos=self._qos)


def test_each_block_many_times(node, made):
    # What comes once more is a block that nobody asked for: in the download, while it is
    # verified and installed, and before the restart.
    after = node.hub.mark()
    before = node.status()["ignored_blocks"]
    Repeating(node, made.bundle, 30, qos=0)
    restarted(node, made.bundle)
    assert node.status()["ignored_blocks"] == before + 29 * 3
    assert refusals(node, after) == ["unexpected_block"]


def test_blocks_of_qos_1(node, made):
    after = node.hub.mark()
    Repeating(node, made.bundle, 1, qos=1)
    restarted(node, made.bundle)
    assert not refusals(node, after)


def test_blocks_delivered_twice(started, broker, made):
    with FaultProxy(broker.host, broker.port) as proxy:
        proxy.plan = Plan(duplicate=True)
        node = started(port=proxy.port)
        after = node.hub.mark()
        Repeating(node, made.bundle, 1, qos=1)
        restarted(node, made.bundle)
        assert proxy.last.duplicated == 4  # the offer, too
        assert node.status()["ignored_blocks"] == 3
        assert refusals(node, after) == ["unexpected_block"]
        answers = [m.json for m in node.hub.seen("response/ota", after)
                   if m.json.get("duplicate")]
        assert [answer["status"] for answer in answers] == ["progress"]


def test_a_retained_block_is_not_taken_when_it_comes_again(started, broker, made):
    with FaultProxy(broker.host, broker.port) as proxy:
        node = started(port=proxy.port)
        node.hub.send("ota", block(made.bundle, 0, BLOCK), retain=True).wait_for_publish(5)
        try:
            assert node.status()["ignored_blocks"] == 1  # live, it has no flag
            request_id = offer(node, made.bundle)
            asked(node, 0)
            after = node.hub.mark()
            proxy.last.cut()
            asked(node, 0, after)  # it has subscribed again before
            status = node.status()
            assert status["ignored_blocks"] == 2 and status["update"]["percent"] == 0
            finish(node, made.bundle, request_id)
        finally:
            node.hub.send("ota", b"", retain=True).wait_for_publish(5)


@pytest.mark.full
def test_blocks_during_a_trial(new_node, bundles):
    node = updatable(new_node, bundles)
    better = bundles.make("0.2.0")
    request_id = push(node, better)
    firmware(node, state="trial")
    after = node.hub.mark()
    for _ in range(100):
        node.hub.send("ota", block(better, 0, BLOCK))
    node.hub.send("ota", {"action": "status", "request_id": "s"})
    status = node.hub.wait("response/ota", lambda m: m.json["request_id"] == "s", after).json
    assert status["result"]["ignored_blocks"] == 100
    assert status["result"]["update"]["state"] == "trial"
    answer = ended(node, request_id)
    assert answer["result"] == {"state": "confirmed", "version": "0.2.0"}
    assert refusals(node, after) == ["unexpected_block"]


# Offers that are none

FORGED = {
    "no signature": ({"sig": None}, "bad_request"),
    "half a signature": ({"sig": "QUJD"}, "bad_request"),
    "another signature": ({"sig": "QUJD" * 128}, "bad_signature"),
    "another size": ({"size": SIZE - 1}, "bad_signature"),
    "another hash": ({"bundle": "00" * 32}, "bad_signature"),
    "another version": ({"version": "9.0.1"}, "bad_signature"),
    "another flag": ({"force": True}, "bad_signature"),
    "a key of somebody else": ({"key": "00000000"}, "unknown_key"),
    "no size": ({"size": None}, "bad_request"),
    "a size that is a text": ({"size": "5"}, "bad_request"),
    "a huge size": ({"size": 10 ** 30}, "bad_request"),
    "a negative floor": ({"floor": -1}, "bad_request"),
    "a whole image": ({"target": "image"}, "unsupported"),
    "a list as hash": ({"bundle": ["00"]}, "bad_request"),
    "a long version": ({"version": "1." * 200}, "bad_request"),
    "a url of a file": ({"url": "file:///etc/passwd"}, "bad_request"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_offer_writes_nothing(node, made, name):
    fields, code = FORGED[name]
    after = node.hub.mark()
    command = {key: value for key, value in dict(made.bundle[1], **fields).items()
               if value is not None}
    request_id = node.hub.new_id()
    node.hub.send("ota", dict(command, action="offer", request_id=request_id))
    answer = ended(node, request_id, after, 10)
    assert answer["status"] == "error" and answer["error"]["code"] == code, answer
    assert node.status()["update"] is None
    assert sorted(path.name for path in node.flash.iterdir()) == ["keys.bin"]


@pytest.mark.parametrize("payload, code", [
    (b'{"action": "offer", "request_id": "x", "targ', "malformed_json"),
    (b'["offer"]', "malformed_json"),
    (b'{"action": "offer", "sig": "' + b"x" * 1900 + b'"}', "bad_request"),
    (b'{"action": ["offer"]}', "bad_request"),
    (b'{"action": "confirm"}', "unknown_action"),
    (b'{"action": "abort"}', "bad_request"),
])
def test_what_is_no_offer_is_refused(node, payload, code):
    after = node.hub.mark()
    node.hub.send("ota", payload)
    answer = node.hub.wait("response/ota", None, after).json
    assert answer["status"] == "error" and answer["error"]["code"] == code, answer
    assert sorted(path.name for path in node.flash.iterdir()) == ["keys.bin"]


# Senders that fall silent, and memory that runs out


def test_a_silent_sender_ends_it_and_another_one_can_begin(started, made):
    node = started(made.impatient)
    request_id = offer(node, made.bundle)
    asked(node, 0)
    node.hub.send("ota", block(made.bundle, 0, BLOCK), qos=0)
    answer = ended(node, request_id, 0, 20)
    assert answer["error"]["code"] == "stalled"
    requests = [m.json["result"]["need"] for m in node.hub.seen("response/ota")
                if "need" in (m.json["result"] or ())]
    assert [need["bytes"] for need in requests if need["offset"] == BLOCK] == \
        [4096] * 2 + [2048] * 2 + [1024] * 2 + [960] * 32
    assert node.status()["update"] is None
    assert sorted(path.name for path in node.flash.iterdir()) == ["keys.bin"]
    push(node, made.other)
    restarted(node, made.other)


def test_without_memory_for_a_block_a_smaller_one_is_asked_for_at_once(started, made):
    node = started()
    node.most_bytes(3000)
    time.sleep(0.1)
    start_s = time.monotonic()
    push(node, made.bundle)
    restarted(node, made.bundle)
    assert time.monotonic() - start_s < 4  # nobody waited for 5 s
    sizes = [m.json["result"]["need"]["bytes"] for m in node.hub.seen("response/ota")
             if "need" in m.json["result"]]
    assert sizes[:-1] == [4096] + [2048] * (len(sizes) - 2)
    assert node.status()["ignored_blocks"] == 0


def test_without_any_memory_it_waits_for_some(started, made):
    node = started(made.impatient)
    request_id = offer(node, made.bundle)
    asked(node, 0)
    node.most_bytes(600)  # even the offer would not find room
    serve(node, made.bundle, request_id)
    asked(node, 0, bytes=960)
    asked(node, 0, node.hub.mark(), bytes=960)
    node.most_bytes(None)
    restarted(node, made.bundle)
    assert node.status()["ignored_blocks"] == 0


# The offer comes again


def test_the_same_offer_under_another_id_takes_the_answers_over(started, made):
    node = started(made.impatient)
    offer(node, made.bundle)
    asked(node, 0)
    second = push(node, made.bundle)
    restarted(node, made.bundle)
    later = [m.json for m in node.hub.seen("response/ota") if m.json["request_id"] == second]
    assert later[0]["result"]["state"] == "downloading"
    assert "restarting" in [answer["result"]["state"] for answer in later]


def test_an_offer_that_waits_for_a_node_without_power_goes_on_where_it_was(started, made):
    # The offer is there before the node has looked after the update that it was in.
    node = started()
    offer(node, made.bundle)
    asked(node, 0)
    node.hub.send("ota", block(made.bundle, 0, BLOCK), qos=0)
    asked(node, BLOCK)
    node.kill()
    after = node.hub.mark()
    push(node, made.bundle)
    node.connect()
    restarted(node, made.bundle)
    needs = [m.json["result"]["need"]["offset"] for m in node.hub.seen("response/ota", after)
             if "need" in m.json["result"]]
    assert needs[0] == BLOCK


def test_another_offer_meets_a_node_that_is_busy(node, made):
    first = offer(node, made.bundle)
    asked(node, 0)
    second = node.hub.new_id()
    node.hub.send("ota", dict(made.other[1], action="offer", request_id=second))
    assert ended(node, second)["error"]["code"] == "busy"
    finish(node, made.bundle, first)
