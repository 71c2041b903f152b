"""How long a node is away after its line was cut, and what of that is not its back-off."""

import threading
import time

from ...support.broker import Broker
from ...support.proxy import FaultProxy
from ..listener import Listener
from ..measure import BenchError, percentile, row
from ..node import Node

_CUTS = 12
_BACKOFF_MIN_MS = 1000  # the default
_LIMIT_S = 10
_TARGET_S = 2  # the back-off, and as much again for everything else


def reconnect(bench):
    """The line is cut, the broker stands: until a subscriber hears `online` again."""
    away_s, building_s = [], []
    with Broker(bench.tools.mosquitto) as broker, FaultProxy(broker.host, broker.port) as proxy:
        # A session that is stable at once, or each cut would double the back-off.
        with Node(bench, proxy, stable_s=0, backoff_min_ms=_BACKOFF_MIN_MS), _Ear(broker) as ear:
            for _ in range(3 if bench.quick else _CUTS):
                line = proxy.last
                ear.back.clear()
                line.cut()
                cut_s = time.monotonic()
                if not ear.back.wait(_LIMIT_S):
                    raise BenchError("reconnect: not online within %d s" % _LIMIT_S)
                away_s.append(ear.online_s - cut_s)
                building_s.append(ear.online_s - proxy.last.opened_s)
                time.sleep(0.5)
    worst_s = max(away_s)
    return [
        row("away after a cut line, longest of %d" % len(away_s), worst_s, "s",
            "≤ %d" % _TARGET_S, worst_s <= _TARGET_S),
        row("of it connecting, until `online` is heard, p50", percentile(building_s, 50) * 1000,
            "ms"),
    ]


class _Ear(Listener):
    """Hears the node's `online` at the broker itself."""

    def __init__(self, broker):
        self.back = threading.Event()
        self.online_s = 0.0
        super().__init__(broker, "status/online")

    def heard(self, message):
        if not message.retain and b'"online": true' in message.payload:
            self.online_s = time.monotonic()
            self.back.set()
