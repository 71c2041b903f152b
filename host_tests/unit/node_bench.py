"""A node on a bench: real status and outbox, everything else a stand-in that keeps count."""

import json
from time import ticks_add, ticks_diff

from firmware import node
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.session import LinkDown
from firmware.node import Node
from firmware.telemetry.status import Status
from host_tests.unit.fakes import Clock, Log, Patched, Ticks


class Rhythm:
    def __init__(self, ticks):
        self._ticks = ticks
        self.waits = 0
        self.beats = 0

    def beat(self):
        self.beats += 1
        return 10

    def wait(self, ms):
        self.waits += 1
        self._ticks.sleep(ms)

    def take_max_gap_ms(self):
        return 12


class Led:
    def __init__(self):
        self.shown = []

    def show_connection(self, state):
        self.shown.append(state)


class Energy:
    def __init__(self):
        self.services = self.flushes = 0

    def service(self, now_ms):
        self.services += 1

    def flush(self):
        self.flushes += 1


class Metering:
    def __init__(self):
        self.energy = Energy()


class House:
    meter_ok = True
    meter_errors = 3

    def __init__(self):
        self.metering = Metering()
        self.led = Led()
        self.checkpoints = 0
        self.told = 0
        self.told_all = 0

    def checkpoint(self, now_ms):
        self.checkpoints += 1

    def tell(self):
        self.told += 1

    def tell_all(self):
        self.told_all += 1


class Wifi:
    joined = True
    rssi = -60

    def service(self, now_ms):
        return self.joined

    def trouble(self):
        return "" if self.joined else "home: wrong password"

    def rssi_dbm(self):
        return self.rssi


class Sntp:
    def __init__(self):
        self.serviced = 0

    def service(self):
        self.serviced += 1


class Relays:
    def status(self):
        return {"state": "on", "relays": ["on"], "source": "boot", "tripped": None}


class Board:
    name = "esp32-pzem"
    unique_id = "a1b2c3d4e5f6"


class Session:
    """Publishes into `published`; `breaks_at` is the number of messages after which it ends."""

    prefix = b"homesync/h/nodes/n/"
    connects = 3
    bytes_sent = 4711

    def __init__(self, ticks):
        self._ticks = ticks
        self.online = False
        self.is_due = True
        self.attempts = 0
        self.published = []
        self.breaks_at = None
        self.trail = []
        self.on_connect = self.on_event = None
        self.on_check = None

    def due(self, now_ms):
        return self.is_due

    def connect(self):
        self.attempts += 1
        if self.on_connect:
            self.on_connect()
        self.online = True
        self.on_event("connected", None, "new session")

    def publish(self, topic, payload, retain, qos):
        if self.breaks_at is not None and len(self.published) >= self.breaks_at:
            self.online = False
            raise LinkDown()
        self.published.append((topic, payload, retain, qos))

    def check(self):
        self._ticks.sleep(1)
        if self.on_check:
            self.on_check()
        return False

    def keep_alive(self, now_ms):
        self.trail.append("keep_alive")

    def flush(self):
        self.trail.append("flush")

    def idle(self):
        self.trail.append("idle")
        self._ticks.sleep(9)

    def lost(self, reason, detail):
        self.trail.append(("lost", reason))
        self.online = False
        raise LinkDown()

    def interrupted(self):
        self.trail.append("interrupted")

    def stop(self, payload, leave):
        self.trail.append(("stop", json.loads(str(payload, "utf-8"))["reason"], leave))


class Commands:
    def __init__(self):
        self.works = 0

    def work(self):
        self.works += 1


class Updates:
    slot = {"slot": None, "state": "confirmed", "reason": ""}

    def __init__(self):
        self.work = None
        self.services = 0

    def service(self):
        self.services += 1


class Entry:
    """There is no setup portal."""

    portal = None
    busy = False

    def watch(self, now_ms, joined, joined_ms):
        pass


class Backlog:
    """Stands for `telemetry.backlog.Backlog`: `left` are the messages of an outage."""

    dropped = 0

    def __init__(self, trail):
        self.left = []
        self._trail = trail

    @property
    def count(self):
        return len(self.left)

    def offline(self):
        self._trail.append("offline")

    def online(self):
        self._trail.append("online")

    def flush(self):
        self._trail.append("flush")

    def service(self):
        pass

    def next(self):
        return self.left[0] if self.left else None

    def done(self):
        del self.left[0]


class Bench:
    def __init__(self, crash=None):
        self.ticks = Ticks()
        self.log = Log()
        self.house = House()
        self.wifi = Wifi()
        self.sntp = Sntp()
        self.outbox = Outbox()
        self.session = Session(self.ticks)
        self.recorded = []
        self.backlog = Backlog(self.recorded)
        self.commands = Commands()
        self.updates = Updates()
        self.rhythm = Rhythm(self.ticks)
        self.status = Status(self.outbox, Clock(), Relays(), self.wifi, Board())
        self.patched = Patched(node, ticks_ms=self.ticks)
        with self.patched:
            self.node = Node(self.log, self.rhythm, self.house, self.wifi, self.sntp, self.outbox,
                             self.backlog, self.session, self.commands, self.updates,
                             self.status, 17, "watchdog", crash)
        self.status.node = self.node
        self.entry = self.node.entry = Entry()
        self.session.on_event = self.node.session_event

    def run(self, seconds):
        """Rounds until that much time has passed."""
        end_ms = ticks_add(self.ticks(), round(1000 * seconds))
        with self.patched:
            while ticks_diff(end_ms, self.ticks()) > 0:
                self.node.step()

    def go_online(self):
        with self.patched:
            self.node.session_event("connecting", None, None)
            self.node.session_event("connected", None, "new session")
        self.session.online = True
        self.run(0.5)
        self.published()

    def published(self):
        """Topics below the prefix, in the order they left."""
        found, self.session.published = self.session.published, []
        assert all(item[0].startswith(Session.prefix) for item in found)
        return [str(item[0][len(Session.prefix):], "ascii") for item in found]

    def health(self):
        self.status.health()
        message = self.outbox.next()
        self.outbox.sent(message)
        assert len(message.payload) <= 1000
        return json.loads(str(message.payload, "utf-8"))
