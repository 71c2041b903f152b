# Cuts one node's session at byte N, for one N after the other, and finds out what it cost.
# Commands go to the broker directly; pins and an independent subscriber tell what became of them.
import json
import socket
import time
from collections import deque

from hub import stamp
from rig import RELAY_PINS

from host_tests.support.proxy import TO_BROKER, FaultProxy, Plan
from host_tests.support.scripted_broker import remaining_length

LED_PIN = 2  # of the board esp32-pzem
BACK_S = 2.0  # the back-off is 0.05 s; what is above that is for a busy machine
ANSWER_S = 8.0
LAST_METRIC = b"/telemetry/frequency"  # with it a sample of the meter has been told
# Each relay changes at most 5 times in 3 s, else the command is refused as `too_fast`.
FLOOD_CHANGES, FLOOD_S = 5, 3.2
TICK_GAP_MS = 1000


class Session:
    """A node behind a fault proxy; each `cut` adds what went wrong to `violations`.

    SETTINGS   for the node's config.json: it comes back after 0.05 s however often it was cut
    longest_s  from a cut to the next connection
    """

    SETTINGS = {"backoff_min_ms": 50, "stable_s": 0}

    def __init__(self, new_node, broker):
        self.proxy = FaultProxy(broker.host, broker.port)
        settings = dict(self.SETTINGS, broker_port=self.proxy.port)
        self.node = new_node(broker, settings, loads=(1000, 60))
        self.violations = []
        self.longest_s = 0.0
        self.cuts = 0
        self._where = ""
        self._commands = 0
        self._changes = [0, 0]  # commanded, per relay
        self._times_s = [deque([0] * FLOOD_CHANGES, FLOOD_CHANGES) for _ in RELAY_PINS]
        self._led = "auto"

    def start(self):
        self.node.start()
        self.node.hub.wait("telemetry/frequency")
        self._base = [self.node.transitions(relay) for relay in (0, 1)]
        return self

    def close(self):
        self.proxy.close()

    def record(self):
        """The bytes of one whole session, {direction: bytes}: connect, subscribe, status (QoS 1),
        telemetry (QoS 0), a command that waits for the node and one that comes live."""
        session, ids = self._begin(Plan())
        ids.append(self._live(session))
        self._answers(ids)
        relay = b"/status/relay"
        self.proxy.wait("status/relay", lambda: session.passed[TO_BROKER].count(relay) == 2)
        time.sleep(0.1)  # the acknowledgement of that
        return {direction: bytes(data) for direction, data in session.passed.items()}

    def cut(self, kind, direction, at_byte, new=False):
        """One cycle: a session that is cut there, and one that is not.

        new: the broker has forgotten the node before, so that this session must subscribe for
        those after it; a command that comes too early is nobody's then, so none is sent before.
        """
        self._where = "%s %s at byte %d%s" % (kind, direction, at_byte, ", new" if new else "")
        self.cuts += 1
        try:
            self._cycle(Plan(kind, direction, at_byte), new)
        except (AssertionError, TimeoutError) as error:
            self.violated("%s\n    %s" % (error, "\n    ".join(self.node.board.log[-8:])))

    def violated(self, text):
        self.violations.append("%s: %s" % (self._where, text))

    def finish(self):
        """What can be told only at the end."""
        self._where = "in the end"
        hub = self.node.hub
        try:
            self.node.health()
        except AssertionError as error:
            self.violated(str(error))
        if self.node.board.boots != 1:
            self.violated("the node started %d times" % self.node.board.boots)
        if self.tick_gap_ms >= TICK_GAP_MS:
            self.violated("%d ms between two ticks" % self.tick_gap_ms)
        for text in two_values(hub.seen("telemetry/")):
            self.violated(text)
        return self

    @property
    def tick_gap_ms(self):
        """The longest that was ever reported."""
        return max(m.json["tick_max_ms"] for m in self.node.hub.seen("status/health"))

    # One cycle

    def _cycle(self, plan, new):
        proxy = self.proxy
        session, ids = self._begin(plan, new)
        if not new:
            ids.append(self._live(session))
        tries = 0
        while not self._cut_within(session, 0.2):
            tries += 1
            assert tries < 20, "it was never cut: %d bytes" % len(session.passed[plan.direction])
            ids.append(self._command("led", self._other_led()))
        assert len(session.passed[plan.direction]) == plan.at_byte
        back = proxy.next(proxy.connections.index(session) + 1, BACK_S + 10)
        back_s = back.opened_s - session.fault_s
        self.longest_s = max(self.longest_s, back_s)
        if back_s > BACK_S:
            self.violated("back after %.1f s" % back_s)
        if new:
            self.node.online(self._mark, ANSWER_S)
            ids.append(self._relay(0))
        ids.append(self._command("led", self._other_led()))
        self._answers(ids)
        self._compare_pins()
        self._compare_answers(ids)
        assert back.fault_s is None and back.ended_s is None, "the session after it ended too"

    def _begin(self, plan, new=False):
        """End the present session; returns the next one, and the ids of commands in its queue."""
        oldest_s = max(times_s[0] for times_s in self._times_s)
        time.sleep(max(0.0, oldest_s + FLOOD_S - time.monotonic()))
        proxy = self.proxy
        number = len(proxy.connections)
        proxy.plans.clear()  # of a cycle that went wrong
        proxy.plans.append(plan)
        self._mark = self.node.hub.mark()
        if new:
            self._forget()
            session = proxy.next(number, BACK_S)
            self._cut_within(session, ANSWER_S)
            self._mark = self.node.hub.mark()
            return session, []
        proxy.last.cut()
        session = proxy.next(number, BACK_S)
        return session, [self._relay(0)]

    def _live(self, session):
        """Command the other relay when the meter's values have passed, or after the cut."""
        self.proxy.wait("telemetry", lambda: session.fault_s
                        or LAST_METRIC in session.passed[TO_BROKER])
        return self._relay(1)

    def _cut_within(self, session, timeout_s):
        try:
            return self.proxy.wait("the cut", lambda: session.fault_s, timeout_s)
        except TimeoutError:
            return None

    def _forget(self):
        """Make the broker forget the node: a clean session with its client id."""
        connect = self.proxy.last.passed[TO_BROKER]
        start = connect.index(b"MQTT") + 8  # behind level, flags and keep-alive
        size = int.from_bytes(connect[start : start + 2], "big")
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + connect[start : start + 2 + size]
        with socket.create_connection((self.node.broker.host, self.node.broker.port), 5) as one:
            one.sendall(b"\x10" + remaining_length(len(body)) + body)
            assert one.recv(4) == b"\x20\x02\x00\x00"
            one.sendall(b"\xe0\x00")

    # Commands and what became of them

    def _relay(self, relay):
        self._changes[relay] += 1
        self._times_s[relay].append(time.monotonic())
        return self._command("relay", "toggle", relay=relay, timestamp=stamp())

    def _other_led(self):
        self._led = "off" if self._led == "on" else "on"
        return self._led

    def _command(self, kind, action, **fields):
        self._commands += 1
        request_id = "c%d" % self._commands
        self.node.hub.send(kind, dict(fields, action=action, request_id=request_id))
        return request_id

    def _answers(self, ids):
        for request_id in ids:
            answer = self.node.hub.answer(request_id, self._mark, ANSWER_S)
            assert answer["status"] == "success", "command refused: %s" % answer
            assert "duplicate" not in answer, (
                "executed, and the first answer was lost: %s" % answer)
        for times_s in self._times_s:
            times_s[-1] = time.monotonic()  # it was executed before, maybe long after it was sent

    def _compare_pins(self):
        """Every command was executed once, and the broker's retained messages say the truth."""
        node = self.node
        changes = [node.transitions(relay) - self._base[relay] for relay in (0, 1)]
        if changes != self._changes:
            was, self._changes = self._changes, changes
            self.violated("%s changes of the relays, %s commanded" % (changes, was))
        relays = ["on" if node.board.pins()[pin][0] else "off" for pin in RELAY_PINS]
        _soon(lambda: self._told(relays), "the last status is not that of the node")
        _soon(lambda: node.board.pins()[LED_PIN][0] == (self._led == "on"),
              "the LED is not " + self._led)

    def _compare_answers(self, ids):
        """An answer may come again, once for the one cut, but not a different one."""
        answers = [m.json for m in self.node.hub.seen("response/command", self._mark)]
        for request_id in ids:
            results = [one["result"] for one in answers if one["request_id"] == request_id]
            assert len(results) <= 2, "%d answers to %s" % (len(results), request_id)
            assert len(set(results)) == 1, "%s to %s" % (results, request_id)

    def _told(self, relays):
        online = self.node.hub.seen("status/online", self._mark)
        relay = self.node.hub.seen("status/relay", self._mark)
        return bool(online and online[-1].json["online"]
                    and relay and relay[-1].json["relays"] == relays)


def _soon(look, otherwise):
    deadline = time.monotonic() + ANSWER_S
    while not look():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


def two_values(messages):
    """What is wrong with live telemetry: two different values for one metric and second."""
    first, wrong = {}, []
    for message in messages:
        payload = json.loads(message.payload)
        key = message.topic, payload.get("timestamp")
        if key[1] and first.setdefault(key, payload["value"]) != payload["value"]:
            wrong.append("%s at %s is %s and %s" % (key + (first[key], payload["value"])))
    return wrong
