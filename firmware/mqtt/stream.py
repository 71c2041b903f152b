# The socket under umqtt: deadlines, joined writes, exact reads, and the house goes on meanwhile.
import errno
import select
import socket
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

# The unix port lacks the constant; its value is 1 in every stack we run on.
_TCP_NODELAY = getattr(socket, "TCP_NODELAY", 1)
_IPPROTO_TCP = getattr(socket, "IPPROTO_TCP", 6)

_RX_BYTES = 512  # one receive buffer; only a payload that does not fit gets memory of its own
_TX_BYTES = 1280  # a whole message of ours: 1,000 bytes of payload, topic, header

PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP = 0x30, 0x40, 0x90, 0xB0, 0xD0

# What `read` returns in place of a payload (or topic) above the limit.
OVERSIZE = b"\0oversize"


class ProtocolError(OSError):
    """The broker sent what MQTT does not allow here."""


class Stream:
    """Stands in for both the `socket` module and the socket of umqtt.simple.

    One object serves all connections, one after the other, so that its buffers are allocated
    once. `socket()` makes it a new, unconnected socket; after any error it is closed, and stays
    closed until then.

    All waiting has one deadline, set by `begin()` for a whole umqtt call: a deadline for each
    read would not bound a publish with a chatty broker. While it waits, `rhythm` lets the house
    tick. Writes are joined until the next read or `flush()`: umqtt makes five small ones for a
    message, which Nagle and delayed ACK turn into 44 ms (reference: host-toolchain).

    `header` is the first byte of the last packet (0: there was none), `last_rx_ms` when bytes
    last came, `pongs` how many answers to pings, `phase` what is going on: "dns", "tcp", "mqtt";
    `idle` is True between two calls, while `wait_readable` waits.
    """

    def __init__(self, rhythm, resolver, payload_limit=4096):
        self.rhythm = rhythm
        self.resolver = resolver
        self._limit = payload_limit
        self._rx = bytearray(_RX_BYTES)
        self._rx_view = memoryview(self._rx)
        self._tx = bytearray(_TX_BYTES)
        self._tx_view = memoryview(self._tx)
        self._poll = select.poll()
        self._socket = None
        self.bytes_sent = 0
        self.pongs = 0
        self.begin(0)
        self._reset()

    def _reset(self):
        self._rx_start = self._rx_end = self._tx_used = 0
        self._blocking = True
        self._nothing = False  # the last read found nothing (possible only while not blocking)
        self.header = 0
        self.oversize = 0  # size of what the last OVERSIZE stands for
        self.last_rx_ms = ticks_ms()
        self.phase = "dns"

    def begin(self, timeout_ms, awaited=0):
        """A new call begins: its overall deadline, and which acknowledgement it waits for."""
        self._deadline = ticks_add(ticks_ms(), timeout_ms)
        self._overdue = False
        self._awaited = awaited
        self.idle = False

    # As umqtt.simple's module `socket`

    def socket(self, *_):
        """A fresh socket: this object."""
        self._drop()
        self._reset()
        return self

    def getaddrinfo(self, host, port, *_):
        """Names are looked up in `connect`, where waiting is possible."""
        return [(0, 0, 0, "", (host, port))]

    # As its socket

    def connect(self, address):
        """Look the host up and open a TCP connection to `(host, port)`."""
        host, port = address
        lookup = self.resolver.lookup(host)
        try:
            ip = lookup.poll()
            while ip is None:
                self._pause()
                ip = lookup.poll()
        finally:
            lookup.close()
        self.phase = "tcp"
        s = socket.socket()
        self._socket = s
        s.setblocking(False)
        try:
            s.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
        except OSError:
            pass  # a stack without it is slower, not broken
        self._poll.register(s, select.POLLOUT)
        try:
            s.connect(socket.getaddrinfo(ip, port)[0][-1])
        except OSError as e:
            if e.errno not in (errno.EINPROGRESS, errno.EAGAIN):
                self._fail(e)
        if self._wait(select.POLLOUT) & (select.POLLERR | select.POLLHUP):
            self._fail(self._pending_error())
        self.phase = "mqtt"
        self.last_rx_ms = ticks_ms()

    def settimeout(self, _):
        """Newer umqtt calls it; the deadline of `begin` holds instead."""

    def setblocking(self, blocking):
        """umqtt says False before it looks for a packet, True right after its first byte."""
        self._blocking = blocking
        if not blocking:
            return
        self.header = 0 if self._nothing else self._rx[self._rx_start - 1]
        self._nothing = False
        kind = self.header & 0xF0
        if kind in (PUBACK, SUBACK, UNSUBACK):
            if kind != self._awaited:
                self._skip_packet()  # nobody reads it otherwise, and all after it is misread
        elif kind == PINGRESP:
            self.pongs += 1
        elif kind not in (0, PUBLISH):
            self._fail(ProtocolError(errno.EINVAL, "packet type 0x%02x" % self.header))

    def read(self, n):
        """Exactly `n` bytes; None if not blocking and none are there.

        What exceeds the payload limit is received and thrown away, so that umqtt acknowledges
        it; OVERSIZE takes its place.
        """
        start = self._rx_start
        end = start + n
        if end > self._rx_end:
            if n > _RX_BYTES:
                return self._read_large(n)
            if not self._fill(n):
                self._nothing = True
                return None
            start = self._rx_start
            end = start + n
        elif n < 0:
            self._fail(ProtocolError(errno.EINVAL, "a packet shorter than its topic"))
        self._rx_start = end
        return bytes(self._rx_view[start:end])

    def write(self, data, n=None):
        """Take `data` (or its first `n` bytes); it leaves with the next read or flush."""
        if n is None:
            n = len(data)
        elif n < len(data):
            data = memoryview(data)[:n]
        if self._tx_used + n > _TX_BYTES:
            self.flush()
            if n > _TX_BYTES:
                self._send(data, n)
                return n
        end = self._tx_used + n
        self._tx[self._tx_used:end] = data
        self._tx_used = end
        return n

    def flush(self):
        """Send what `write` has taken."""
        n = self._tx_used
        if n:
            self._tx_used = 0
            self._send(self._tx_view, n)

    def close(self):
        """Send what is left (DISCONNECT must leave, or the will fires), then close."""
        if self._socket and self._tx_used:
            self.begin(500)
            try:
                self.flush()
            except OSError:
                pass
        self._drop()

    # For the session

    def abandon(self):
        """Close without sending anything more."""
        self._drop()

    def wait_readable(self):
        """Let the house run until something arrives or the next tick is due."""
        self.idle = True
        if self._rx_end == self._rx_start:
            pause = self.rhythm.beat()
            self._poll.modify(self._socket, select.POLLIN)
            for _ in self._poll.ipoll(pause):
                pass

    # Inside

    def _fill(self, n):
        # At least `n` bytes into the buffer; False if not blocking and there is not one.
        if self._tx_used:
            self.flush()
        rx = self._rx
        have = self._rx_end - self._rx_start
        if have:
            rx[:have] = self._rx_view[self._rx_start:self._rx_end]
        self._rx_start = 0
        self._rx_end = have
        while have < n:
            got = self._receive(self._rx_view[have:])
            if got:
                have += got
                self._rx_end = have
            elif have == 0 and not self._blocking:
                return False
            else:
                self._wait(select.POLLIN)
        return True

    def _read_large(self, n):
        payload = out = None
        if n <= self._limit:
            try:
                payload = bytearray(n)
                out = memoryview(payload)
            except MemoryError:
                payload = out = None
        have = self._rx_end - self._rx_start
        if out is not None:
            out[:have] = self._rx_view[self._rx_start:self._rx_end]
        self._rx_start = self._rx_end = 0
        if self._tx_used:
            self.flush()
        while have < n:
            into = self._rx_view[:min(n - have, _RX_BYTES)] if out is None else out[have:]
            got = self._receive(into)
            if got:
                have += got
            else:
                self._wait(select.POLLIN)
        if payload is not None:
            return payload
        self.oversize = n
        return OVERSIZE

    def _skip_packet(self):
        size = self.read(1)[0]
        if size > 127:
            self._fail(ProtocolError(errno.EINVAL, "an acknowledgement of 128 bytes"))
        self.read(size)

    def _receive(self, into):
        # Bytes received, None if there are none yet.
        if self._socket is None:
            raise OSError(errno.ENOTCONN)
        try:
            got = self._socket.readinto(into)
        except OSError as e:
            self._fail(e)
        if got == 0:
            self._fail(OSError(errno.ECONNRESET, "closed by the broker"))
        if got:
            self.rhythm.beat()  # a flood of messages must not starve the house
            self.last_rx_ms = now = ticks_ms()
            if ticks_diff(self._deadline, now) <= 0:
                # Nor may it hold a call for ever: what has come is still looked at, then it ends.
                if self._overdue:
                    self._check_deadline()
                self._overdue = True
        return got

    def _send(self, data, n):
        if self._socket is None:
            raise OSError(errno.ENOTCONN)
        view = memoryview(data)
        sent = 0
        while sent < n:
            try:
                done = self._socket.write(view[sent:n])
            except OSError as e:
                self._fail(e)
            if done:
                sent += done
            else:
                self._wait(select.POLLOUT)
        self.bytes_sent += n

    def _wait(self, flags):
        # Until the socket is ready; returns the poll flags. The socket is looked at once more
        # before the deadline counts: a long tick must not turn an answer into a time-out.
        self._poll.modify(self._socket, flags)
        while True:
            pause = self.rhythm.beat()
            for ready in self._poll.ipoll(pause):
                return ready[1]
            self._check_deadline()

    def _pause(self):
        sleep_ms(min(self.rhythm.beat(), 2))
        self._check_deadline()

    def _check_deadline(self):
        if ticks_diff(self._deadline, ticks_ms()) <= 0:
            self._fail(OSError(errno.ETIMEDOUT, "no answer (%s)" % self.phase))

    def _pending_error(self):
        try:
            self._socket.readinto(self._rx_view[:1])
        except OSError as e:
            return e
        return OSError(errno.ECONNREFUSED)

    def _fail(self, error):
        self._drop()
        raise error

    def _drop(self):
        if self._socket:
            self._poll.unregister(self._socket)
            self._socket.close()
            self._socket = None
        self._tx_used = 0
