# Starts drivers/ota_http.py, the firmware's download by HTTP on real MicroPython, and orders.
import hashlib
import json
import os
import random
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
SIZE = 6000
CONTENT = random.Random(5).randbytes(SIZE)
NO_GAP_MS = 1000  # as in test_link_session.py; a read that blocks takes 10 s
QUICK = {"TIMEOUT_MS": 300, "PAUSE_MS": 1, "MOST_PAUSE_MS": 4}


class Downloader:
    """One process for all downloads; each call is one of them.

    have       bytes of CONTENT that are there before
    block      what is safe after a failed attempt is a multiple of this
    ca         PEM text to trust, None for no TLS
    dns        [[address, port], ...] of the DNS servers
    stop_at    stop when so many bytes are there
    constants  replace those of firmware/ota/http.py

    The answer is a dict: `sha256` of what came, `bytes` that are there in the end, `rounds` of
    the generator, its `largest` piece, the `longest_ms` of a round, `error` [code, message].
    """

    def __init__(self, micropython):
        self.log = []
        self._process = subprocess.Popen(
            [micropython, str(HERE / "drivers" / "ota_http.py")],
            env=dict(os.environ, MICROPYPATH=f"{REPO}:{REPO}/lib:.frozen"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __call__(self, url, size=SIZE, have=0, block=1, ca=None, dns=(), stop_at=None,
                 **constants):
        order = {"url": url, "size": size, "have": have, "block": block, "ca": ca,
                 "dns": list(dns), "stop_at": stop_at, "constants": dict(QUICK, **constants)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().rstrip()
        self.log += [str(order), answer]
        if not answer.startswith("{"):
            raise AssertionError(answer + "\n" + self._process.stdout.read())
        return json.loads(answer)

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def complete(result, have=0):
    """All of it is there, and no round kept the house waiting."""
    assert result["error"] is None
    assert result["bytes"] == SIZE
    assert result["sha256"] == hashlib.sha256(CONTENT[have:]).hexdigest()
    assert result["longest_ms"] < NO_GAP_MS
    return True


def refused(result, *parts):
    code, message = result["error"]
    assert code == "http"
    for part in parts:
        assert part in message
    assert result["longest_ms"] < NO_GAP_MS
    return True
