"""An update: how long 60 KB take over a line with 50 ms round trip, and what heap they take."""

import json
import os
import random
import threading
import time

from ...support.broker import Broker
from ...support.proxy import FaultProxy, Plan
from ..listener import Listener
from ..measure import FOLDER, BenchError, row
from ..node import Node

_BUNDLE_BYTES = 60000
_ROUND_TRIP_S = 0.05
_LIMIT_S = 60
_TARGET_S = 10
_TARGET_BLOCKS = 3
_BLOCK_BYTES = 4096


def update(bench):
    """Download and installation over MQTT."""
    from bundling import chip
    chip.install()
    bundle, key_file = _signed(bench)
    with Broker(bench.tools.mosquitto) as broker, FaultProxy(broker.host, broker.port) as proxy:
        proxy.plan = Plan(latency_s=_ROUND_TRIP_S / 2)
        with Node(bench, proxy, files={"keys.bin": key_file}), _Hub(broker, bundle) as hub:
            times = hub.push()
    total_s = times["restarting"]
    heap = _heap(bench, bundle, key_file)
    blocks = (heap["most"] - heap["loaded"]) / _BLOCK_BYTES
    return [
        row("update of 60 KB at 50 ms round trip, until the restart", total_s, "s",
            "< %d" % _TARGET_S, total_s < _TARGET_S),
        row("of it the download", times["verifying"], "s"),
        row("heap to check an offer, code included", (heap["check"] - heap["before"]) / 1024,
            "KiB"),
        row("heap for the updater's code and its job", (heap["loaded"] - heap["before"]) / 1024,
            "KiB"),
        row("most heap beside that (%s), in blocks" % heap["where"], blocks, "",
            "≤ %d" % _TARGET_BLOCKS, blocks <= _TARGET_BLOCKS),
    ]


def _heap(bench, bundle, key_file):
    reports = []
    ended = threading.Event()

    def heard(line):
        if line.startswith('{"'):
            reports.append(line)
            ended.set()

    programs = {"main.py": os.path.join(FOLDER, "update_main.py")}
    with Broker(bench.tools.mosquitto) as broker, _Hub(broker, bundle) as hub:
        with Node(bench, broker, programs=programs, on_line=heard, heap="512k",
                  files={"keys.bin": key_file}):
            hub.push()
            if not ended.wait(_LIMIT_S):
                raise BenchError("update: no report of the heap")
    return json.loads(reports[0])


def _signed(bench):
    """((payload, offer), keys.bin) of a bundle that cannot be compressed."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    from bundling import container, keys
    noise = random.Random(1).randbytes(_BUNDLE_BYTES)
    files = {"firmware/n%d.mpy" % at: noise[at:at + 3000] for at in range(0, len(noise), 3000)}
    payload = container.pack(files)
    pairs = [rsa.generate_private_key(65537, 3072) for _ in range(2)]
    key_file = b"".join(keys.modulus(pair.public_key()) for pair in pairs)
    with bench.start("abi.py", bits=32) as program:
        mpy = program.result(10)["mpy"]
    offer = container.offer(payload, "9.0.0", 0, {"esp32"}, mpy)
    return (payload, container.sign(offer, pairs[0])), key_file


class _Hub(Listener):
    """Offers the bundle once the node is online, answers its requests, notes when states come."""

    def __init__(self, broker, bundle):
        from remote.sender import Sender

        self._payload, self._offer = bundle
        self._sender = Sender(self._payload, self._offer, "bench")
        self._online = threading.Event()
        self._changed = threading.Condition()
        self._seen = {}  # state: time
        self._end = None
        super().__init__(broker, "#")

    def push(self):
        """Seconds from the offer to each state."""
        if not self._online.wait(_LIMIT_S):
            raise BenchError("update: the node is not online")
        start_s = time.monotonic()
        self.publish("command/ota", json.dumps(
            dict(self._offer, action="offer", request_id="bench")))
        with self._changed:
            self._changed.wait_for(lambda: self._end or "restarting" in self._seen, _LIMIT_S)
        if "restarting" not in self._seen:
            raise BenchError("update: %s" % (self._end or "not done"))
        return {state: at_s - start_s for state, at_s in self._seen.items()}

    def heard(self, message):
        if message.topic.endswith("status/online") and b'"online": true' in message.payload:
            self._online.set()
        if not message.topic.endswith("response/ota"):
            return
        answer = json.loads(message.payload)
        block = self._sender.answer(answer)
        if block:
            self.paho.publish(message.topic.replace("response", "command"), block)
        with self._changed:
            if answer["status"] == "progress":
                self._seen.setdefault(answer["result"]["state"], time.monotonic())
            else:
                self._end = message.payload
            self._changed.notify_all()
