# Runs firmware.ota.http on real MicroPython: a line of JSON on stdin orders a download, a line on
# stdout tells how it went. Started by downloader.py, which explains both.
import json
import sys
from binascii import hexlify
from hashlib import sha256
from time import sleep_ms, ticks_diff, ticks_us

from firmware.clock import Clock
from firmware.mqtt.commands import Refused
from firmware.mqtt.secure import Secure
from firmware.ota import http
from firmware.resolver import Resolver


class Taker:
    """Keeps what comes; whole blocks of `block` bytes, and the end, are safe."""

    def __init__(self, size, have, block):
        self.data = bytearray(have)
        self._size = size
        self._block = block

    def have(self):
        n = len(self.data)
        if n < self._size:
            n -= n % self._block
            self.data = self.data[:n]
        return n


def download(order):
    for name in order["constants"]:
        if not hasattr(http, name):
            raise ValueError("http has no " + name)
        setattr(http, name, order["constants"][name])
    size = order["size"]
    taker = Taker(size, order["have"], order["block"])
    servers = [tuple(server) for server in order["dns"]]

    def secure():
        if not order["ca"]:
            raise Refused("http", "https needs TLS")
        return Secure([order["ca"]], Clock())

    error = None
    longest_us = rounds = largest = 0
    coming = http.pieces(order["url"], size, taker.have, Resolver(lambda: servers), secure)
    while order["stop_at"] is None or len(taker.data) < order["stop_at"]:
        start_us = ticks_us()
        try:
            piece = next(coming)
        except StopIteration:
            break
        except Refused as e:
            error = e.args
            break
        finally:
            longest_us = max(longest_us, ticks_diff(ticks_us(), start_us))
        rounds += 1
        if piece is None:
            sleep_ms(1)
        else:
            assert len(piece)
            largest = max(largest, len(piece))
            taker.data += piece
    coming.close()
    digest = sha256(memoryview(taker.data)[order["have"]:]).digest()
    return {"sha256": str(hexlify(digest), "ascii"), "bytes": len(taker.data), "rounds": rounds,
            "largest": largest, "longest_ms": longest_us / 1000, "error": error}


while True:
    line = sys.stdin.readline()
    if not line:
        break
    print(json.dumps(download(json.loads(line))))
