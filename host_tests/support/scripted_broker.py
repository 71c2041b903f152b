# A broker that says exactly the bytes a test tells it to, at the time the test tells it to.
# Plain TCP on a loopback port; it knows MQTT 3.1.1 (OASIS, section 2) just well enough to cut
# what it receives into packets.
import socket
import struct
import time
from collections import namedtuple

CONNACK_OK = b"\x20\x02\x00\x00"
CONNACK_RESUMED = b"\x20\x02\x01\x00"
PINGRESP = b"\xd0\x00"
CONNECT, PUBLISH, PUBACK, SUBSCRIBE = 0x10, 0x30, 0x40, 0x80
UNSUBSCRIBE, PINGREQ, DISCONNECT = 0xA0, 0xC0, 0xE0

# One received packet: `header` its first byte, `kind` that without the flags, `body` what follows
# the remaining length, `raw` all of it.
Packet = namedtuple("Packet", "header kind body raw")


class ScriptedBroker:
    """Listens on 127.0.0.1; `accept()` gives one connection at a time.

    narrow: small segments and buffers, so that the node's writes soon find no room; on loopback
    some megabytes fit in otherwise.
    """

    def __init__(self, port=0, narrow=False):
        self._socket = socket.socket()
        if narrow:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen(8)
        self.host, self.port = self._socket.getsockname()
        self._peers = []

    def accept(self, timeout_s=10.0):
        """The next connection."""
        self._socket.settimeout(timeout_s)
        peer = Peer(self._socket.accept()[0])
        self._peers.append(peer)
        return peer

    def session(self, connack=CONNACK_OK):
        """The next connection, led through CONNECT and SUBSCRIBE."""
        peer = self.accept()
        peer.expect(CONNECT)
        peer.send(connack)
        peer.suback()
        return peer

    def close(self):
        for peer in self._peers:
            peer.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Peer:
    """The broker's end of one connection."""

    def __init__(self, connection):
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def send(self, data):
        self._socket.settimeout(10)
        self._socket.sendall(data)

    def send_slices(self, data, size=1, pause_s=0.003):
        """Send `data` in segments of `size` bytes."""
        for at in range(0, len(data), size):
            self.send(data[at : at + size])
            time.sleep(pause_s)

    def packet(self, timeout_s=10.0):
        """The next packet. EOFError when the other side closed, TimeoutError when it is silent."""
        deadline = time.monotonic() + timeout_s
        while True:
            cut = _cut(self._received)
            if cut is not None:
                packet, self._received = cut
                return packet
            self._read(deadline)

    def expect(self, kind, timeout_s=10.0):
        """The next packet, which must be of this kind."""
        packet = self.packet(timeout_s)
        assert packet.kind == kind, f"0x{kind:02x} expected, got {packet.raw!r}"
        return packet

    def segment(self, timeout_s=10.0):
        """What one recv() returns, which is one segment if the other side sent nothing else."""
        assert not self._received, self._received
        self._socket.settimeout(timeout_s)
        return self._socket.recv(65536)

    def suback(self, code=1):
        """Take SUBSCRIBE and answer it."""
        packet = self.expect(SUBSCRIBE)
        self.send(b"\x90\x03" + packet.body[:2] + bytes((code,)))
        return packet

    def puback(self, packet):
        """Acknowledge a received PUBLISH of QoS 1."""
        self.send(b"\x40\x02" + pid_of(packet))

    def closed_within(self, timeout_s):
        """Whether the other side closes (or resets) by then; what it sends before is dropped."""
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                self._received = b""
                self._read(deadline)
        except (EOFError, ConnectionResetError):
            return True
        except TimeoutError:
            return False

    def close(self):
        """FIN: the orderly end."""
        self._socket.close()

    def reset(self):
        """RST: the connection vanishes at once."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _read(self, deadline):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("nothing came from the node")
        self._socket.settimeout(left_s)
        try:
            data = self._socket.recv(65536)
        except socket.timeout:
            raise TimeoutError("nothing came from the node") from None
        if not data:
            raise EOFError("the node closed the connection")
        self._received += data


def publish(topic, payload, qos=1, pid=1, retain=False):
    """The bytes of a PUBLISH packet."""
    topic, payload = _bytes(topic), _bytes(payload)
    body = struct.pack(">H", len(topic)) + topic
    if qos:
        body += struct.pack(">H", pid)
    body += payload
    return bytes((PUBLISH | qos << 1 | retain,)) + remaining_length(len(body)) + body


def remaining_length(size):
    """The variable-length size field (section 2.2.3)."""
    field = bytearray()
    while size > 127:
        field.append(size & 127 | 128)
        size >>= 7
    field.append(size)
    return bytes(field)


def pid_of(packet):
    """The two bytes of the packet id of a received PUBLISH of QoS 1."""
    topic_length = struct.unpack_from(">H", packet.body)[0]
    return packet.body[2 + topic_length : 4 + topic_length]


def parts(packet):
    """(topic, payload, qos, retain) of a received PUBLISH."""
    topic_length = struct.unpack_from(">H", packet.body)[0]
    qos = packet.header >> 1 & 3
    start = 2 + topic_length + (2 if qos else 0)
    topic = packet.body[2 : 2 + topic_length].decode()
    return topic, packet.body[start:], qos, bool(packet.header & 1)


def _cut(data):
    """(first packet, rest), or None while it is not complete."""
    size = shift = 0
    for at in range(1, min(len(data), 5)):
        size |= (data[at] & 127) << shift
        shift += 7
        if not data[at] & 128:
            start = at + 1
            if len(data) < start + size:
                return None
            body = data[start : start + size]
            packet = Packet(data[0], data[0] & 0xF0, body, data[: start + size])
            return packet, data[start + size :]
    return None


def _bytes(value):
    return value.encode() if isinstance(value, str) else value
