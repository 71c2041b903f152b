"""Baseline, not tuned after it was written: the bare echo a node's command latency is judged by.

umqtt.simple over a socket that joins writes and sets TCP_NODELAY. Each message on command/relay
(QoS 1) is answered on response/command at QoS 0 with its request_id. Nothing else is done.
"""

import json
import select
import socket
from time import ticks_add, ticks_diff, ticks_ms

import options
from umqtt import simple

IPPROTO_TCP = 6
TELEMETRY = b'{"value": 125.5, "unit": "W", "timestamp": "2025-02-06T14:30:00Z", "quality": 100}'


class JoinedSocket:
    """A blocking socket whose writes leave together: umqtt makes up to six for one message."""

    def __init__(self):
        self.raw = socket.socket()
        self._out = bytearray()

    def connect(self, address):
        self.raw.connect(address)
        self.raw.setsockopt(IPPROTO_TCP, getattr(socket, "TCP_NODELAY", 1), 1)

    def write(self, data, length=None):
        self._out += data if length is None else data[:length]

    def flush(self):
        if self._out:
            self.raw.write(self._out)
            self._out = bytearray()

    def read(self, length):
        if self._out:
            self.flush()
        return self.raw.read(length)

    def setblocking(self, flag):
        pass  # always blocking: the loop below reads only when there is something to read


class Network:
    """What umqtt.simple looks up in its `socket` module."""

    getaddrinfo = socket.getaddrinfo
    socket = JoinedSocket


def main():
    given = options.parse(
        "echo.py HOST PORT BASE_TOPIC [--telemetry MESSAGES_PER_SECOND]",
        ("host", "port", "base"),
        {"telemetry": 0.0},
    )
    base = given["base"].encode()
    response_topic = base + b"/response/command"
    telemetry_topic = base + b"/telemetry/power"

    simple.socket = Network
    client = simple.MQTTClient(b"bench-echo", given["host"], int(given["port"]))

    def on_command(topic, message):
        request_id = json.loads(message)["request_id"]
        client.publish(response_topic, json.dumps({"request_id": request_id}))

    client.set_callback(on_command)
    client.connect()
    client.subscribe(base + b"/command/relay", 1)
    print("ready")

    if not given["telemetry"]:
        while True:
            client.wait_msg()

    period_ms = int(1000 / given["telemetry"])
    poller = select.poll()
    poller.register(client.sock.raw, select.POLLIN)
    due = ticks_ms()
    while True:
        wait_ms = ticks_diff(due, ticks_ms())
        if wait_ms <= 0:
            client.publish(telemetry_topic, TELEMETRY)
            due = ticks_add(due, period_ms)
            wait_ms = ticks_diff(due, ticks_ms())
        client.sock.flush()
        if poller.poll(max(wait_ms, 0)):
            client.wait_msg()


main()
