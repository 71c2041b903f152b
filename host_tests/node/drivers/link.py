# Runs the real link (Stream, Session, and the node's own serving loop) against a scripted broker.
# The first line on stdin is the options, the others are orders; what happens goes out, all as
# JSON. Started by link_under_test.py, which explains them.
import json
import select
import sys
from binascii import hexlify
from time import ticks_ms

from firmware import node
from firmware.mqtt import session
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.stream import Stream
from firmware.mqtt.topics import Topics
from firmware.resolver import Resolver
from firmware.rhythm import Rhythm

OFFLINE = b'{"online": false, "reason": "restart"}'


class Session(session.Session):
    """Its publish looks CALL_MS up when it is called: a default is fixed when it is defined."""

    def publish(self, topic, payload, retain=False, qos=0, timeout_ms=None):
        super().publish(topic, payload, retain, qos, timeout_ms or session.CALL_MS)


class NoUpdates:
    work = None


class Link(node.Node):
    """A node of which only the serving loop is left: `_serve` is the firmware's."""

    def __init__(self, options):
        for name, value in options["constants"].items():
            if not hasattr(session, name):
                raise ValueError("session has no " + name)
            setattr(session, name, value)
        self._ticks = 0
        self._answer = options.get("answer")
        self._outbox = Outbox()
        self._rhythm = Rhythm(self._tick)
        servers = [tuple(server) for server in options["dns"]]
        stream = Stream(self._rhythm, Resolver(lambda: servers), options["payload_limit"],
                        _secure(options["settings"]))
        self._session = Session("link", stream, Topics("homesync", "h", "n"), options["settings"])
        self._session.on_command = self._received
        self._session.on_event = self._event
        self._session.pid = options["pid"]
        # work(): obey orders; tell(): nothing; next(): there is no backlog
        self._commands = self._house = self._backlog = self
        self._updates = NoUpdates
        self._backfill_ms = ticks_ms()
        self._orders = select.poll()
        self._orders.register(sys.stdin, select.POLLIN)
        self._running = True

    def run(self):
        while self._running:
            self._rhythm.beat()
            try:
                if self._session.online:
                    self._serve(ticks_ms())
                elif self._session.due(ticks_ms()):
                    self._session.connect()
                else:
                    self._rhythm.wait(10)
                    self.work()
            except session.LinkDown:
                pass

    def tell(self):
        pass

    def next(self):
        return None

    def work(self):
        for _ in self._orders.ipoll(0):
            line = sys.stdin.readline()
            if not line:
                raise SystemExit  # nobody listens any more
            self._obey(json.loads(line))

    def _obey(self, order):
        if "stop" in order:
            self._session.stop(OFFLINE, leave=order["stop"] == "leave")
            self._running = False
        elif "flood" in order:
            for n in range(order["flood"]):
                self._outbox.put_telemetry(b"telemetry/%d" % n, b"x" * 900)
        else:
            self._put(order)

    def _put(self, order):
        put = self._outbox.respond if order["qos"] else self._outbox.put_telemetry
        put(order["topic"].encode(), order["payload"].encode())

    def _tick(self, now_ms):
        self._ticks += 1

    def _received(self, topic, payload, retained, again, size):
        self._tell(
            command=str(hexlify(topic), "ascii"),
            payload=None if payload is None else str(hexlify(payload), "ascii"),
            retained=retained, size=size)
        if self._answer:
            self._outbox.respond(b"response/command", self._answer.encode())

    def _event(self, event, reason, detail):
        self._tell(event=event, reason=reason, detail=detail,
                   delay_ms=self._session._backoff.delay_ms)

    def _tell(self, **what):
        what["ticks"] = self._ticks
        what["longest_gap_ms"] = self._rhythm.take_max_gap_ms()
        print(json.dumps(what))


def _secure(settings):
    # TLS if a CA is given; the time of day stays unknown.
    if not settings.get("tls_ca"):
        return None
    from firmware.clock import Clock
    from firmware.mqtt.secure import Secure
    return Secure([settings["tls_ca"]], Clock())


Link(json.loads(sys.stdin.readline())).run()
