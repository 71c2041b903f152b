"""Longest gap between two ticks of the node through broken links and floods."""

import json
import threading
import time

from ...support import proxy as faulty
from ...support.broker import Broker
from ..listener import Listener
from ..measure import ANSWER_LIMIT_S, BenchError, command_text, row
from ..node import FLOWING, Node

_ALLOWED_MS = 50
_KEEPALIVE_S = 5  # the shortest: a frozen broker is given up after 7.5 s
_FROZEN_S = 8.5
_HALF_OPEN_S = 8.5
_STALL_S = 3
_SLICES_S = 3
_AWAY_S = 2
_BURST = 1000
_LARGE_BYTES = 20 * 1024
_REFRESH_LIMIT_S = 30  # a node in its back-off needs up to 16 s


def gap(bench):
    """The node's own figure (status/health) after each fault; the control loop runs all along."""
    faults = {
        # name -> (what happens, sessions it ends)
        "broker killed (kill -9), back after 2 s": (_kill, 1),
        "broker restarted": (_restart, 1),
        "broker frozen (SIGSTOP) for 8.5 s": (_freeze, 1),
        "burst of 1,000 commands": (_burst, 0),
        "message of 20 KiB": (_large, 0),
        "line reset": (_reset, 1),
        "line half-open for 8.5 s": (_half_open, 1),
        "line stalled for 3 s": (_stall, 0),
        "line of one byte at a time for 3 s": (_slices, 2),
    }
    settings = dict(FLOWING, keepalive_s=_KEEPALIVE_S, backoff_min_ms=200, stable_s=1)
    gaps_ms = {}
    with Broker(bench.tools.mosquitto) as broker, bench.start("gap.py", bits=32) as control, \
            faulty.FaultProxy(broker.host, broker.port) as line:
        with Node(bench, line, **settings), Hub(broker) as hub:
            control.wait_until_ready()
            hub.refreshed_max_ms()  # what the start took is no fault's
            for name, (fault, ended) in faults.items():
                before = hub.reconnects
                fault(broker, hub, line)
                gaps_ms[name] = hub.refreshed_max_ms()
                if hub.reconnects - before != ended:
                    raise BenchError("%s: the node reconnected %d times, expected %d"
                                     % (name, hub.reconnects - before, ended))
        control.interrupt()
        control_ms = control.result(ANSWER_LIMIT_S)["longest_gap_ms"]
    target = "≤ peer + %d" % _ALLOWED_MS
    return [
        row("longest tick gap: " + name, gap_ms, "ms", target,
            gap_ms <= control_ms + _ALLOWED_MS, control_ms)
        for name, gap_ms in gaps_ms.items()
    ]


def _kill(broker, hub, line):
    broker.kill9()
    time.sleep(_AWAY_S)
    broker.start()


def _restart(broker, hub, line):
    broker.restart()


def _freeze(broker, hub, line):
    broker.suspend()
    time.sleep(_FROZEN_S)
    broker.resume()


def _burst(broker, hub, line):
    for number in range(_BURST):
        hub.publish("command/relay", command_text("burst-%d" % number))


def _large(broker, hub, line):
    hub.publish("command/relay", bytes(_LARGE_BYTES))


def _reset(broker, hub, line):
    _break(line, faulty.RST)


def _half_open(broker, hub, line):
    _break(line, faulty.HALF_OPEN)
    time.sleep(_HALF_OPEN_S)


def _stall(broker, hub, line):
    _break(line, faulty.STALL, stall_s=_STALL_S)
    time.sleep(_STALL_S)


def _slices(broker, hub, line):
    # A plan counts from the next connection on.
    line.plan = faulty.Plan(slice_bytes=1)
    line.last.cut()
    time.sleep(_SLICES_S)
    line.plan = faulty.Plan()
    line.last.cut()


def _break(line, kind, **options):
    """Let it happen with the next byte of telemetry."""
    connection = line.last
    passed = len(connection.passed[faulty.TO_BROKER])
    connection.plan = faulty.Plan(kind, faulty.TO_BROKER, passed, **options)
    line.wait(kind, lambda: connection.fault_s)


class Hub(Listener):
    """Commands the node and takes the largest `tick_max_ms` of the health reports it hears.

    Each report starts the node's measurement afresh, and it sends one by itself when it comes
    back, so all of them count.
    """

    def __init__(self, broker):
        self._heard = threading.Condition()
        self.reconnects = 0  # the node's, as of its last report
        self._max_ms = 0
        self._reports = 0
        super().__init__(broker, "status/health", inflight=_BURST)

    def refreshed_max_ms(self):
        """Ask for a report until one comes; return the largest figure since the last call."""
        deadline = time.monotonic() + _REFRESH_LIMIT_S
        with self._heard:
            # Two reports: the first may have been on its way before the fault was over.
            wanted = self._reports + 2
            while self._reports < wanted:
                if time.monotonic() > deadline:
                    raise BenchError("no status/health within %d s" % _REFRESH_LIMIT_S)
                self.publish("command/config", json.dumps({"action": "refresh"}))
                self._heard.wait(1)
            largest, self._max_ms = self._max_ms, 0
        return largest

    def heard(self, message):
        if message.retain:
            return
        with self._heard:
            self._reports += 1
            health = json.loads(message.payload)
            self._max_ms = max(self._max_ms, health["tick_max_ms"])
            self.reconnects = health["reconnects"]
            self._heard.notify_all()
