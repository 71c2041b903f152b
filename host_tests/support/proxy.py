# A TCP proxy between node and broker that breaks a connection where the test tells it to.
# It passes bytes as they are; only to deliver a message twice does it look for packets.
import select
import socket
import struct
import threading
import time
from collections import deque

TO_BROKER, TO_NODE = "to_broker", "to_node"

# What happens at `at_byte`. FIN: both sides are told that nothing more comes, and whatever they
# still send is thrown away. RST: both connections vanish. STALL: this direction rests for
# `stall_s`. HALF_OPEN: from here on nothing passes, either way, and neither side is told.
FIN, RST, STALL, HALF_OPEN = "FIN", "RST", "STALL", "HALF_OPEN"

_PIECES_PER_S = 50  # how finely a narrow line is cut
_IDLE_S = 0.5


class Plan:
    """What one connection goes through. Without arguments: nothing at all.

    fault       FIN, RST, STALL or HALF_OPEN, after `at_byte` bytes have passed in `direction`.
                At 0 it happens when the first byte comes, which is not passed.
    stall_s     how long a STALL lasts
    slice_bytes everything goes in segments of this size, `slice_pause_s` apart
    bytes_per_s speed of the line, each way
    latency_s   each way
    duplicate   a PUBLISH to the node with QoS 1 is delivered twice, the second time with DUP
    """

    def __init__(self, fault=None, direction=TO_BROKER, at_byte=0, stall_s=0, slice_bytes=0,
                 slice_pause_s=0.0002, bytes_per_s=0, latency_s=0, duplicate=False):
        self.fault = fault
        self.direction = direction
        self.at_byte = at_byte
        self.stall_s = stall_s
        self.slice_bytes = slice_bytes
        self.slice_pause_s = slice_pause_s
        self.bytes_per_s = bytes_per_s
        self.latency_s = latency_s
        self.duplicate = duplicate


class FaultProxy:
    """Listens on 127.0.0.1 and connects to the upstream host and port for each connection.

    plans        of the next connections, one each: append to it
    plan         of each new connection for which there is none in `plans`
    connections  every `Connection` so far, oldest first
    """

    def __init__(self, upstream_host, upstream_port):
        self._upstream = (upstream_host, upstream_port)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(16)
        self.host, self.port = self._socket.getsockname()
        self.plan = Plan()
        self.plans = deque()
        self.connections = []
        self._changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def last(self):
        """The newest connection."""
        return self.connections[-1]

    def wait(self, what, look, timeout_s=10.0):
        """Wait until `look()` is true, and return what it says; `what` tells it in an error."""
        with self._changed:
            found = self._changed.wait_for(look, timeout_s)
        if not found:
            raise TimeoutError("%s: not within %s s" % (what, timeout_s))
        return found

    def next(self, number, timeout_s=10.0):
        """Connection `number`, counted from 0, as soon as it is there."""
        self.wait("connection %d" % number, lambda: len(self.connections) > number, timeout_s)
        return self.connections[number]

    def close(self):
        """Refuse new connections and end those that are there."""
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() does not
        self._socket.close()
        for connection in self.connections:
            connection.end()
        self.wait("the end of all", lambda: all(one.ended_s for one in self.connections))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def told(self):
        """Something happened: let those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def _accept(self):
        while True:
            try:
                node = self._socket.accept()[0]
            except OSError:
                return
            try:
                broker = socket.create_connection(self._upstream, 2)
            except OSError:
                _reset(node)
                continue
            plan = self.plans.popleft() if self.plans else self.plan
            connection = Connection(node, broker, plan, self.told)
            with self._changed:
                self.connections.append(connection)
                self._changed.notify_all()
            threading.Thread(target=connection.run, daemon=True).start()


class Connection:
    """One connection of the node, and the one to the broker that belongs to it.

    passed      {direction: every byte that was passed on}
    duplicated  how many messages were delivered twice
    opened_s, fault_s, ended_s  when it began, met its fault (or `cut()`), and was gone on both
                sides; time.monotonic(), None if not yet

    Until `fault_s` bytes pass; after a FIN or HALF_OPEN they are thrown away.
    """

    def __init__(self, node, broker, plan, told):
        self.plan = plan
        self.passed = {TO_BROKER: bytearray(), TO_NODE: bytearray()}
        self.duplicated = 0
        self.opened_s = time.monotonic()
        self.fault_s = self.ended_s = None
        self._told = told
        self._discarding = False
        self._sockets = (node, broker)
        for one in self._sockets:
            one.setblocking(True)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = {node: _Line(TO_BROKER, broker, plan), broker: _Line(TO_NODE, node, plan)}

    def cut(self):
        """FIN, now, whatever the plan says. May be called from any thread."""
        self._discarding = True
        self.fault_s = self.fault_s or time.monotonic()
        self._shut(socket.SHUT_WR)
        self._told()

    def end(self):
        """Leave it, even where a side is still there that knows nothing of a HALF_OPEN."""
        self._discarding = True
        self._shut(socket.SHUT_RDWR)

    def run(self):
        """Pass bytes until both sides have closed."""
        sources = list(self._sockets)
        try:
            while sources or any(line.queue for line in self._lines.values()):
                for source in select.select(sources, (), (), self._pause_s())[0]:
                    data = self._receive(source)
                    if not data:
                        sources.remove(source)
                    if not self._discarding:
                        self._take(self._lines[source], data)
                for line in self._lines.values():
                    self._pass(line)
        except OSError:  # ours, or one side has reset: the other learns of it in the same way
            for one in self._sockets:
                _reset(one)
        for one in self._sockets:
            one.close()
        self.ended_s = time.monotonic()
        self._told()

    def _pause_s(self):
        due_s = min((line.queue[0][0] for line in self._lines.values() if line.queue),
                    default=None)
        return _IDLE_S if due_s is None else max(0.0, due_s - time.monotonic())

    def _take(self, line, data):
        if not self.plan.duplicate or line.direction == TO_BROKER or not data:
            line.put(data)
            return
        line.partial += data
        while True:
            size = packet_size(line.partial)
            if size is None or size > len(line.partial):
                return
            packet, line.partial = line.partial[:size], line.partial[size:]
            line.put(packet)
            if packet[0] & 0xF6 == 0x32:
                self.duplicated += 1
                line.put(bytes((packet[0] | 8,)) + packet[1:])

    def _pass(self, line):
        """Send what is due, up to the byte at which the fault happens."""
        plan = self.plan
        while line.queue and line.queue[0][0] <= time.monotonic():
            data = line.queue.popleft()[1]
            room = None
            if plan.fault and not self.fault_s and line.direction == plan.direction and data:
                room = plan.at_byte - len(self.passed[line.direction])
            if self._discarding:
                continue
            if not data:
                line.sink.shutdown(socket.SHUT_WR)
            elif room is None or len(data) < room:
                self._send(line, data)
            else:
                self._send(line, data[:room])
                if plan.fault == STALL:
                    line.rest(data[room:], plan.stall_s)
                self._fault(plan.fault)

    def _send(self, line, data):
        if data:
            self.passed[line.direction] += data  # first: who has received it may look here
            line.sink.sendall(data)
            self._told()

    def _receive(self, source):
        try:
            return source.recv(65536)
        except OSError:
            if self._discarding:
                return b""  # it has gone after the cut, one way or the other
            raise

    def _fault(self, kind):
        if kind == FIN:
            self.cut()
        elif kind == RST:
            self.fault_s = time.monotonic()
            raise ConnectionResetError
        else:
            self._discarding = kind == HALF_OPEN
            self.fault_s = time.monotonic()
            self._told()

    def _shut(self, how):
        # No close: with unread bytes in the buffer that would send a RST instead of a FIN.
        for one in self._sockets:
            try:
                one.shutdown(how)
            except OSError:
                pass  # that side has gone already


class _Line:
    """One direction: what waits to be passed, and when each piece of it is due."""

    def __init__(self, direction, sink, plan):
        self.direction = direction
        self.sink = sink
        self.queue = deque()  # (due, bytes); b"" is the end
        self.partial = b""  # of a packet
        self._latency_s = plan.latency_s
        self._size = plan.slice_bytes
        self._s_per_byte = self._s_per_piece = 0.0
        if plan.bytes_per_s:
            self._size = self._size or max(1, plan.bytes_per_s // _PIECES_PER_S)
            self._s_per_byte = 1 / plan.bytes_per_s
        elif plan.slice_bytes:
            self._s_per_piece = plan.slice_pause_s
        self._free_s = 0.0  # when the piece before is through

    def put(self, data):
        size = self._size or len(data) or 1
        for at in range(0, len(data) or 1, size):
            piece = data[at : at + size]
            self._free_s = max(self._free_s, time.monotonic()) \
                + len(piece) * self._s_per_byte + self._s_per_piece
            self.queue.append((self._free_s + self._latency_s, piece))

    def rest(self, data, pause_s):
        """Put `data` back, and let nothing through for a while."""
        resumes_s = time.monotonic() + pause_s
        waiting = [data] if data else []
        waiting += [piece for _, piece in self.queue]
        self.queue = deque((resumes_s, piece) for piece in waiting)
        self._free_s = resumes_s


def packet_size(data):
    """Size in bytes of the MQTT packet at the start of `data`, None if that cannot be told yet
    (MQTT 3.1.1, section 2.2.3)."""
    size = 0
    for at in range(1, min(len(data), 5)):
        size |= (data[at] & 127) << 7 * (at - 1)
        if data[at] < 128:
            return at + 1 + size
    return None


def packet_ends(data):
    """Where each complete packet of `data` ends, counted in bytes from the start."""
    ends, at = [], 0
    while True:
        size = packet_size(data[at : at + 5])
        if size is None or at + size > len(data):
            return ends
        at += size
        ends.append(at)


def _reset(one):
    """Close with a RST, so that the other side notices at once."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
