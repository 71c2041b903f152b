# The retained status topics: when each is sent, and what it says.
import gc
import json
import sys
from time import ticks_add, ticks_diff

from micropython import const

from .. import VERSION

_SECOND_ONLINE_MS = const(60000)
_PERIOD_MS = const(300000)
_RSSI_LOOK_MS = const(10000)
_RSSI_STEP_DBM = const(5)
_RELAY_KEYS = const(("state", "relays", "source", "tripped", "welded"))


class Status:
    """Puts `status/*` into the outbox: all of them at connect, then each in its own rhythm.

    node: `Node`, to be set before the first call; its `slot` is what status/firmware tells, its
    `health()` gives the (key, value) pairs of status/health, but for the heap.
    """

    def __init__(self, outbox, clock, relays, wifi, board):
        self._outbox = outbox
        self._clock = clock
        self._relays = relays
        self._wifi = wifi
        self.node = None
        self._board = board
        self._online_due_ms = None  # None: never connected so far
        self._health_due_ms = 0
        self._rssi_due_ms = 0
        self._rssi = None  # as last sent

    def connected(self, now_ms):
        """A session has begun: everything once."""
        self.online()
        self.firmware()
        self.relay()
        self._rssi = None
        self._send_rssi()
        self.health()
        self._online_due_ms = ticks_add(now_ms, _SECOND_ONLINE_MS)
        self._health_due_ms = ticks_add(now_ms, _PERIOD_MS)
        self._rssi_due_ms = ticks_add(now_ms, _RSSI_LOOK_MS)

    def service(self, now_ms):
        """Send what is due; called while online."""
        if ticks_diff(now_ms, self._online_due_ms) >= 0:
            self._online_due_ms = ticks_add(now_ms, _PERIOD_MS)
            self.online()
        if ticks_diff(now_ms, self._health_due_ms) >= 0:
            self._health_due_ms = ticks_add(now_ms, _PERIOD_MS)
            self.health()
        if ticks_diff(now_ms, self._rssi_due_ms) >= 0:
            self._rssi_due_ms = ticks_add(now_ms, _RSSI_LOOK_MS)
            self._send_rssi()

    def online(self):
        self._put("online", (("online", True),) + self._life())

    def offline_payload(self, reason):
        """What a planned stop leaves behind on status/online."""
        return self._encode((("online", False), ("reason", reason)) + self._life())

    def firmware(self):
        slot = self.node.slot
        reason = (("reason", slot["reason"]),) if slot["reason"] else ()
        self._put("firmware", (
            ("version", VERSION), ("slot", slot["slot"]), ("state", slot["state"])) + reason + (
            ("micropython", "%d.%d.%d" % tuple(sys.implementation.version[:3])),
            ("board", self._board.name), ("device", self._board.unique_id),
        ))

    def relay(self):
        status = self._relays.status()
        self._put("relay", [(key, status[key]) for key in _RELAY_KEYS if key in status])

    def health(self):
        gc.collect()  # the free heap means nothing while garbage counts as used
        self._put("health", [("heap_free", gc.mem_free())] + self.node.health())

    def _life(self):
        return ("uptime", self._clock.uptime_s), ("firmware", VERSION)

    def _send_rssi(self):
        rssi = self._wifi.rssi_dbm()
        if rssi is None or self._rssi is not None and abs(rssi - self._rssi) < _RSSI_STEP_DBM:
            return
        self._rssi = rssi
        self._put("rssi", (("value", rssi), ("unit", "dBm")))

    def _put(self, name, pairs):
        self._outbox.put_status(b"status/" + name.encode(), self._encode(pairs))

    def _encode(self, pairs):
        # From pairs: dictionaries have no order here, and people read this.
        members = ['"%s": %s' % (key, json.dumps(value)) for key, value in pairs]
        stamp = self._clock.timestamp()
        if stamp:
            members.append('"timestamp": "%s"' % stamp)
        return ("{%s}" % ", ".join(members)).encode()
