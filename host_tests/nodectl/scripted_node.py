# A node as others see it, made of paho: says what the test tells it to, keeps what it is sent.
import json
import threading

import paho.mqtt.client as mqtt

_MAGIC = 0xB1


class ScriptedNode:
    """commands: JSON messages of command/ota as dicts; blocks: the binary ones; raw: all of them
    as paho received them. Use it as a context manager."""

    def __init__(self, broker, home, node, base="homesync", login=None):
        self.commands = []
        self.blocks = []
        self.raw = []
        self.on_command = None
        self.request_id = None
        self._prefix = "%s/%s/nodes/%s/" % (base, home, node)
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        if login:
            self._client.username_pw_set(*login)
        self._client.on_connect = lambda client, *_: client.subscribe(
            self._prefix + "command/ota", 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def __enter__(self):
        self.wait_ready()
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _client, _userdata, message):
        with self._changed:
            self.raw.append(message)
            if message.payload[:1] == bytes([_MAGIC]):
                self.blocks.append(message.payload)
            else:
                command = json.loads(message.payload)
                self.request_id = command["request_id"]
                self.commands.append(command)
                if self.on_command:
                    self.on_command(command)
            self._changed.notify_all()

    def wait_ready(self):
        assert self._ready.wait(10), "the node's own subscription was not acknowledged"

    def lose(self, kill):
        """Kill the broker; `wait_ready` waits until the node is back on it."""
        self._ready.clear()
        kill()

    def put(self, topic, message, qos=1, retain=False):
        self._client.publish(self._prefix + topic, json.dumps(message), qos, retain)

    def online(self, online=True, **more):
        self.put("status/online", dict(more, online=online), retain=True)

    def say(self, status, result=None, request_id=None, **more):
        """An answer to the last command, or to another one."""
        self.put("response/ota", dict(more, request_id=request_id or self.request_id,
                                      status=status, result=result))

    def refuse(self, code, message="no"):
        self.say("error", error={"code": code, "message": message})

    def need(self, bundle, offset, size, request_id=None):
        self.say("progress", {"state": "downloading", "percent": 0, "need": {
            "bundle": bundle, "offset": offset, "bytes": size}}, request_id)

    def command(self, number=0, timeout_s=20):
        """Wait for the command of this number."""
        return self._wait(self.commands, number, timeout_s)

    def block(self, number, timeout_s=10):
        return self._wait(self.blocks, number, timeout_s)

    def _wait(self, found, number, timeout_s):
        with self._changed:
            assert self._changed.wait_for(lambda: len(found) > number, timeout_s), \
                "%d came, not %d" % (len(found), number + 1)
        return found[number]

    def fetch(self, offer, start=0, size=4096):
        """Ask for one block after another, from `start` on; returns their data."""
        data = b""
        while start + len(data) < offer["size"]:
            offset = start + len(data)
            expected = min(size, offer["size"] - offset)
            number = len(self.blocks)
            self.need(offer["bundle"][:8], offset, expected)
            data += self.block(number)[16:]
        return data


def confirm(node, request_id=None):
    """The last word of an update that went well."""
    node.say("success", {"state": "confirmed", "version": "1.4.0"}, request_id)
