# The other side: an MQTT client (paho) that hears everything of one node and commands it.
# It is independent of the firmware, so what it counts is what really happened.
import json
import threading
import time
from datetime import datetime, timedelta, timezone

import paho.mqtt.client as mqtt


class Message:
    """One message as the broker delivered it; `topic` is what stands behind the node's prefix."""

    def __init__(self, number, topic, received):
        self.number = number
        self.topic = topic
        self.payload = bytes(received.payload)
        self.qos = received.qos
        self.retain = bool(received.retain)
        self.at_s = time.monotonic()

    @property
    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        flags = "qos %d%s" % (self.qos, " retained" if self.retain else "")
        return "%d %s (%s) %s" % (self.number, self.topic, flags, self.payload.decode("latin-1"))


class Hub:
    """Subscribed to all of one node; every message is kept in `messages`, numbered from 0."""

    def __init__(self, host, port, prefix, user=None, password=None):
        self.messages = []
        self._prefix = prefix
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._ids = 0
        self._sender = None
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_queued_messages_set(0)  # without limit
        self._login = (user, password)
        if user:
            self._client.username_pw_set(user, password)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self._client.connect(host, port)
        self._client.loop_start()
        assert self._ready.wait(10), "the hub's own subscription was not acknowledged"

    @property
    def log(self):
        return [repr(message) for message in list(self.messages)]

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def mark(self):
        """The number of the next message: what `wait` and `seen` take as `after`."""
        return len(self.messages)

    def send(self, kind, payload, retain=False, qos=1):
        """Publish a command: bytes as they are, a dict as JSON. Returns paho's receipt."""
        if isinstance(payload, dict):
            payload = json.dumps(payload).encode()
        return self._client.publish(self._prefix + "command/" + kind, payload, qos, retain)

    def ask(self, kind, action, timeout_s=10.0, **arguments):
        """Send a command with a new request id; returns the payload of its answer."""
        request_id = arguments.pop("request_id", None) or self.new_id()
        after = self.mark()
        self.send(kind, dict(arguments, action=action, request_id=request_id))
        return self.answer(request_id, after, timeout_s)

    def answer(self, request_id, after=0, timeout_s=10.0):
        """The payload of the first answer to this request id."""
        return self.wait("response/command", lambda m: m.json["request_id"] == request_id,
                         after, timeout_s).json

    def serve(self, sender):
        """Answer requests for blocks from now on; None: no more. sender: `Sender` of nodectl."""
        self._sender = sender

    def new_id(self):
        self._ids += 1
        return "hub-%d" % self._ids

    def wait(self, topic, matches=None, after=0, timeout_s=10.0):
        """The first message on `topic`, from number `after` on, for which `matches` is true."""
        place = [after]

        def look():
            while place[0] < len(self.messages):
                message = self.messages[place[0]]
                place[0] += 1
                if message.topic == topic and (matches is None or matches(message)):
                    return message
            return None

        with self._changed:
            found = self._changed.wait_for(look, timeout_s)
        assert found, "nothing that fits on %s within %s s" % (topic, timeout_s)
        return found

    def seen(self, topic, after=0, until=None):
        """Messages `after` <= number < `until` on `topic`, or below it if it ends with a slash."""
        part = self.messages[after:until]
        if topic.endswith("/"):
            return [message for message in part if message.topic.startswith(topic)]
        return [message for message in part if message.topic == topic]

    def retained(self):
        """{topic: Message} of what a subscriber that comes now is given."""
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if self._login[0]:
            client.username_pw_set(*self._login)
        late, ready, complete = {}, threading.Event(), threading.Event()
        marker = self._prefix + "marker/" + self.new_id()

        def take(_client, _userdata, message):
            if message.topic == marker:
                complete.set()
            elif message.retain:
                topic = message.topic[len(self._prefix):]
                late[topic] = Message(0, topic, message)

        client.on_message = take
        client.on_subscribe = lambda *_: ready.set()
        client.on_connect = lambda *_: client.subscribe(self._prefix + "#", 1)
        client.connect(self._client.host, self._client.port)
        client.loop_start()
        try:
            # Retained messages come before anything that is published after the SUBACK.
            assert ready.wait(10)
            client.publish(marker, b"", 1)
            assert complete.wait(10)
        finally:
            client.disconnect()
            client.loop_stop()
        return late

    def _subscribe(self, client, _userdata, _flags, reason, _properties):
        assert not reason.is_failure, reason
        client.subscribe(self._prefix + "#", 1)

    def _take(self, _client, _userdata, received):
        topic = received.topic[len(self._prefix):]
        with self._changed:
            self.messages.append(Message(len(self.messages), topic, received))
            self._changed.notify_all()
        if self._sender and topic == "response/ota":
            block = self._sender.answer(self.messages[-1].json)
            if block:
                self.send("ota", block, qos=0)


def stamp(age_s=0.0):
    """The time `age_s` ago as the node writes it."""
    moment = datetime.now(timezone.utc) - timedelta(seconds=age_s)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
