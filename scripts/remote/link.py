"""The connection to the broker, for one node: its messages come as events, one at a time."""

import json
import os
import queue
import socket
import ssl
import time
from datetime import datetime, timezone

import paho.mqtt.client as mqtt

from .errors import RemoteError

_KEEPALIVE_S = 15
_ANSWER_S = 10.0
_KNOWN_S = 5.0  # retained messages come at once; a node without one does not exist


class Link:
    """Hears what the node says of updates and of itself, and which other nodes there are.

    options: host, port, user, password (None if none), tls, ca (path or None), base, home, node.
    connected: whether the broker is there; paho tries again by itself where it is not.
    nodes: {id: last status/online} of the home. firmware: the node's last status/firmware.
    """

    def __init__(self, options):
        self.node = options.node
        self.connected = False
        self.nodes = {}
        self.firmware = {}
        self._options = options
        self._address = "%s:%d" % (options.host, options.port)
        self._prefix = "%s/%s/nodes/" % (options.base, options.home)
        self._events = queue.SimpleQueue()  # filled by paho's thread
        self._client = client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2,
                                            client_id="nodectl-" + os.urandom(6).hex())
        client.reconnect_delay_set(1, 4)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = lambda *_: self._events.put(("lost", None, False))
        client.on_message = lambda _client, _userdata, message: self._events.put(
            (message.topic[len(self._prefix):], message.payload, message.retain))
        client.on_socket_open = _no_delay

    def open(self):
        """Connect and subscribe; RemoteError if the broker is not there or refuses."""
        options = self._options
        if options.user is not None:
            self._client.username_pw_set(options.user, options.password)
        if options.tls:
            try:
                self._client.tls_set_context(ssl.create_default_context(cafile=options.ca))
            except OSError as error:
                raise RemoteError("no CA certificates in %s: %s" % (options.ca, error)) from error
        try:
            self._client.connect(options.host, options.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            why = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or error
            raise RemoteError("the broker %s cannot be reached: %s"
                              % (self._address, why)) from error
        self._client.loop_start()
        end = time.monotonic() + _ANSWER_S
        while not self.connected:
            if time.monotonic() > end:
                raise RemoteError("the broker %s does not answer as one" % self._address)
            self.next(0.5)

    def close(self):
        self._client.disconnect()
        if self.connected:  # else its thread may be in the middle of a long attempt
            self._client.loop_stop()

    def next(self, timeout_s):
        """The next event, (what, message, retained), or None if there is none within this time.

        what: "response/ota", "status/online" or "status/firmware" of the node, with the message
        as a dict; "lost" and "back", with None, tell of the broker.
        """
        end = time.monotonic() + timeout_s
        while True:
            try:
                what, message, retained = self._events.get(
                    timeout=max(end - time.monotonic(), 0.001))
            except queue.Empty:
                return None
            if what == "refused":
                raise RemoteError("the broker %s %s" % (self._address, message))
            if message is None:
                changed = self.connected != (what == "back")
                self.connected = what == "back"
                if changed:
                    return what, None, False
                continue
            node, _, what = what.partition("/")
            message = _parsed(message)
            if message is None:
                continue
            if what == "status/online":
                self.nodes[node] = message
            elif what == "status/firmware":
                self.firmware = message
            if node == self.node:
                return what, message, retained

    def meet(self):
        """Whether the node is online; RemoteError if there is no such node."""
        end = time.monotonic() + _KNOWN_S
        while self.node not in self.nodes and time.monotonic() < end:
            self.next(end - time.monotonic())
        if self.node not in self.nodes:
            others = ", ".join(sorted(self.nodes))
            raise RemoteError("there is no node %s in the home %s; %s" % (
                self.node, self._options.home,
                "nodes seen: " + others if others else "no node has been seen there"))
        return self.online

    @property
    def online(self):
        return self.nodes.get(self.node, {}).get("online") is True

    def ask(self, message):
        """Send a command/ota, with the time of now."""
        stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        # Short: a node may take 1,024 bytes and no more, and so may a broker.
        text = json.dumps(dict(message, timestamp=stamp), separators=(",", ":"))
        self._client.publish(self._prefix + self.node + "/command/ota", text, 1)

    def block(self, data):
        """Send a block of a bundle; one that gets lost is asked for again."""
        self._client.publish(self._prefix + self.node + "/command/ota", data, 0)

    def _on_connect(self, client, _userdata, _flags, reason, _properties):
        if reason.is_failure:
            self._events.put(("refused", "refuses the login: %s" % reason, False))
            return
        client.subscribe([(self._prefix + "+/status/online", 1),
                          (self._prefix + self.node + "/status/firmware", 1),
                          (self._prefix + self.node + "/response/ota", 1)])

    def _on_subscribe(self, _client, _userdata, _mid, reasons, _properties):
        if reasons[-1].is_failure:
            self._events.put(("refused", "does not let this user hear the node", False))
        else:
            self._events.put(("back", None, False))


def _no_delay(_client, _userdata, connection):
    # A block is longer than a segment: its end would wait for the broker's acknowledgement.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _parsed(payload):
    try:
        message = json.loads(payload)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
