"""What stands around an update in unit tests: `Updates` as its host, and what that has."""

from firmware.mqtt.outbox import Outbox
from host_tests.unit.fakes import Log


class Session:
    prefix = b"homesync/h/nodes/n/"

    def __init__(self):
        self.online = True
        self.connects = 1
        self.published = []
        self.fault = None  # raised by publish

    def publish(self, *message):
        if self.fault:
            raise self.fault
        self.published.append(message)


class Stream:
    def __init__(self):
        self.limit = 4096
        self.secure = None
        self.resolver = "resolver"


class Node:
    """Keeps why it was to restart."""

    def __init__(self):
        self.restarts = []
        self.refreshed = 0
        self.meter_ok = True
        self.metering = None

    def restart(self, reason="restart"):
        self.restarts.append(reason)

    def refresh(self):
        self.refreshed += 1


class Host:
    """Stands for `Updates`. `told` is the progress, `concluded` the last words, `failed` what
    `fail` was called with."""

    def __init__(self, **slot):
        self.slot = {"slot": None, "state": "confirmed", "version": None, "id": None,
                     "reason": "", "tries": 0, "floor": 0, "bad": []}
        self.slot.update(slot)
        self.chip = "esp32"
        self.log = Log()
        self.stream = Stream()
        self.session = Session()
        self.commands = self
        self.outbox = Outbox()
        self.node = Node()
        self.work = None
        self.ignored = 0
        self.beats = 0
        self.told = []
        self.concluded = []
        self.failed = []
        self.confirmed = 0

    def beat(self):
        self.beats += 1

    def tell(self, request_id, result):
        self.told.append((request_id, result))

    def conclude(self, request_id, result, refused):
        self.concluded.append((request_id, result, refused))
        self.outbox.respond(b"response/ota", b"the last word")

    def progress(self, request_id, result):
        return (request_id, result)

    def begin(self, work):
        self.work = work

    def confirm(self):
        self.confirmed += 1
        self.slot["state"] = "confirmed"

    def fail(self, reason, last=False):
        self.failed.append((reason, last))

    def meter_ok(self):
        return self.node.meter_ok

    def has_meter(self):
        return True

    def secure(self):
        return "tls"

    def answered(self):
        """The broker has all responses."""
        while self.outbox.next():
            self.outbox.sent(self.outbox.next())
