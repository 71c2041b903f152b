# Starts drivers/update.py, the updating part of a node on real MicroPython, and listens to it.
# It does not restart into the new version: it tells that it would, forgets all, and goes on.
import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
from itertools import count
from pathlib import Path

from hub import Hub
from link_under_test import SETTINGS
from updating import container, keys

HERE = Path(__file__).resolve().parent
CHIPS = {"esp32", "esp8266"}
_numbers = count(1)


def bundle_of(size, folder, **flags):
    """(payload, offer) of a bundle with one file of `size` bytes that cannot be compressed, signed
    with the active key in `folder`."""
    content = random.Random(size).getrandbits(8 * size).to_bytes(size, "big")
    payload = container.pack({"firmware/content.bin": content})
    offer = container.offer(payload, "9.0.0", 0, CHIPS, 6)
    return payload, container.sign(offer, keys.private_key(folder / "active.pem"), **flags)


class UpdateUnderTest:
    """One node that knows nothing but updates. It connects at once, and again after each loss.

    port      where it finds the broker, which may be a proxy; the hub goes to `broker` itself
    code      folder with firmware/ and lib/, as of `patched_code`
    flash     folder of its files; at first, and again after each update, only keys.bin
    hub       `Hub`, there before the node is

    An event is a dict: `event` of the session, or "restart" with `version`, the head of the new
    slot's seal when all files in it are good; with each come `sent` (bytes in this session),
    `limit` (of a payload) and `longest_gap_ms` (between two ticks, since the event before).
    """

    def __init__(self, micropython, broker, code, key_file, port=None, chip="esp32",
                 **settings):
        self.log = []
        self.events = []
        self._taken = 0
        self._changed = threading.Condition()
        self.flash = Path(tempfile.mkdtemp(prefix="update-"))
        shutil.copy(key_file, self.flash / "keys.bin")
        self.name = "u%d" % next(_numbers)
        self.hub = Hub(broker.host, broker.port, "homesync/h/nodes/%s/" % self.name)
        own = dict(SETTINGS, broker_port=port or broker.port, backoff_min_ms=10, stable_s=0)
        self._options = {"node": self.name, "chip": chip, "settings": dict(own, **settings)}
        self._command = [micropython, "-X", "heapsize=1M", str(HERE / "drivers" / "update.py")]
        self._path = f"{code}:{code}/lib:.frozen"
        self.connect()

    def connect(self):
        """Power on, and wait for the first session."""
        self._process = subprocess.Popen(
            self._command, env=dict(os.environ, MICROPYPATH=self._path), cwd=self.flash,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send(self._options)
        self.wait("connected")

    def most_bytes(self, most):
        """From now on there is no memory for more than that in one piece; None: there is."""
        self._send({"most_bytes": most})

    def wait(self, event, timeout_s=10.0):
        """The next event of this name; those before it are dropped."""

        def look():
            while self._taken < len(self.events):
                self._taken += 1
                if self.events[self._taken - 1]["event"] == event:
                    return self.events[self._taken - 1]
            return None

        with self._changed:
            found = self._changed.wait_for(look, timeout_s)
        assert found, f"no event {event!r} within {timeout_s} s:\n" + "\n".join(self.log[-20:])
        return found

    def status(self):
        """The result of `status` by command/ota."""
        request_id = self.hub.new_id()
        after = self.hub.mark()
        self.hub.send("ota", {"action": "status", "request_id": request_id})
        answer = self.hub.wait("response/ota", lambda m: m.json["request_id"] == request_id,
                               after).json
        assert answer["status"] == "success", answer
        return answer["result"]

    def kill(self):
        """Power off; `flash` stays."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()
        self._process = None

    def close(self):
        if self._process:
            self.kill()
        self.hub.close()
        shutil.rmtree(self.flash, ignore_errors=True)

    def _send(self, line):
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self):
        for raw in self._process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            with self._changed:
                if line.startswith("{"):
                    self.events.append(json.loads(line))
                else:
                    self.log.append(line)
                self._changed.notify_all()
