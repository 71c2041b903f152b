"""Commands on a bench: handlers that count, a session and a clock to be set, RTC memory."""

import json

from retained import Retained

from firmware.mqtt.commands import Commands, Refused, integer
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.topics import Topics
from firmware.timestamp import format_timestamp
from host_tests.unit.fakes import NEW_YEAR_S, Clock, Json, Log

PREFIX = b"homesync/h/nodes/n/"
STAMP = '"timestamp": "2026-01-01T00:00:00Z"'
# The longest legal ids in JSON: control characters take six bytes, an emoji four.
LONG_IDS = ("\x01" * 42 + "xx", '"' * 64, "\\" * 64, "\U0001f600" * 63, "\u20ac" * 64,
            "\u00e4" * 64, "x" * 64, "\x7f" * 64)


class Switch:
    """A handler that acts at once; `fails` is raised instead, by prepare or by the action."""

    deferred = False

    def __init__(self):
        self.done_actions = []
        self.result = None
        self.fails_to_prepare = None
        self.fails = None

    def prepare(self, action, command):
        if self.fails_to_prepare:
            raise self.fails_to_prepare
        if action not in ("on", "off"):
            raise Refused("unknown_action", "action must be on or off")
        integer(command, "relay", 0, 1, 0)
        return lambda: self._act(action)

    def _act(self, action):
        if self.fails:
            raise self.fails
        self.done_actions.append(action)
        return self.result or action

    def state(self):
        return ["now", self.done_actions[-1] if self.done_actions else None]


class Slow(Switch):
    """A handler for the foreground."""

    deferred = True

    def __init__(self):
        super().__init__()
        self.dones = 0

    def done(self):
        self.dones += 1


class Session:
    settled = True


class Memory:
    """RTC memory."""

    def __init__(self):
        self.content = b""

    def __call__(self, new=None):
        if new is None:
            return self.content
        self.content = bytes(new)


class Bench:
    def __init__(self):
        self.topics = Topics("homesync", "h", "n")
        self.outbox = Outbox()
        self.clock = Clock()
        self.memory = Memory()
        self.session = Session()
        self.log = Log()
        self.relay = Switch()
        self.config = Slow()
        self.reset()

    def reset(self):
        """The chip starts again; RTC memory is all that it keeps."""
        handlers = {"relay": self.relay, "config": self.config}
        self.commands = Commands(self.topics, self.outbox, self.clock, Retained(self.memory),
                                 handlers, self.session, self.log)

    def receive(self, payload, kind="relay", retained=False, again=False):
        if isinstance(payload, dict):
            payload = Json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        topic = PREFIX + b"command/" + kind.encode()
        self.commands.receive(topic, payload, retained, again, len(payload))

    def answers(self):
        """Everything in the outbox, as parsed JSON; it is empty then."""
        found = []
        while self.outbox.next():
            message = self.outbox.next()
            assert message.qos == 1 and not message.retain
            assert len(message.payload) <= 1000
            found.append(json.loads(str(message.payload, "utf-8")))
            found[-1]["topic"] = message.topic
            self.outbox.sent(message)
        return found

    def send(self, payload, kind="relay", retained=False, again=False):
        """Send one command, let the foreground work, return its one answer."""
        self.receive(payload, kind, retained, again)
        self.commands.work()
        answers = self.answers()
        assert len(answers) == 1, answers
        return answers[0]

    def raw(self, payload):
        self.receive(payload)
        message = self.outbox.next()
        self.outbox.sent(message)
        return message.payload


def code(answer):
    if answer["status"] == "error":
        assert answer["result"] is None
        assert answer["error"]["message"]
        return answer["error"]["code"]
    assert answer["status"] == "success" and "error" not in answer
    return "duplicate" if answer.get("duplicate") else "done"


def at(offset_s):
    return format_timestamp(NEW_YEAR_S + offset_s)
