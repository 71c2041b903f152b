# The socket as umqtt sees it: joined writes, exact reads, and an eye on what goes by.
import errno
import select

from micropython import const

from .line import Line, ProtocolError

# One receive buffer; only a payload that does not fit gets memory of its own.
_RX_BYTES = const(512)
_TX_BYTES = const(1280)  # a whole message of ours: 1,000 bytes of payload, topic, header

PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP = 0x30, 0x40, 0x90, 0xB0, 0xD0

# What `read` returns in place of a payload (or topic) above the limit.
OVERSIZE = b"\0oversize"


class Stream(Line):
    """Stands in for both the `socket` module and the socket of umqtt.simple.

    One object serves all connections, one after the other, so that its buffers are allocated
    once. `socket()` makes it a new, unconnected socket; after any error it is closed, and stays
    closed until then.

    Writes are joined until the next read or `flush()`: umqtt makes five small ones for a
    message, which Nagle and delayed ACK turn into 44 ms (reference: host-toolchain).

    `header` is the first byte of the last packet (0: there was none), `pongs` how many answers
    to pings have come, `oversize` the size of what the last OVERSIZE stands for.
    """

    def __init__(self, rhythm, resolver, payload_limit=4096, secure=None):
        super().__init__(rhythm, resolver, secure)
        self._limit = payload_limit
        self._rx = bytearray(_RX_BYTES)
        self._rx_view = memoryview(self._rx)
        self._tx = bytearray(_TX_BYTES)
        self._tx_view = memoryview(self._tx)
        self.pongs = 0
        self._awaited = 0
        self._reset()

    def _reset(self):
        self._rx_start = self._rx_end = self._tx_used = 0
        self._blocking = True
        self._nothing = False  # the last read found nothing (possible only while not blocking)
        self.header = 0
        self.oversize = 0

    def begin(self, timeout_ms, awaited=0):
        """A new call begins: its overall deadline, and which acknowledgement it waits for."""
        super().begin(timeout_ms)
        self._awaited = awaited

    # As umqtt.simple's module `socket`

    def socket(self, *_):
        """A fresh socket: this object."""
        self.abandon()
        self._reset()
        return self

    def getaddrinfo(self, host, port, *_):
        """Names are looked up in `connect`, where waiting is possible."""
        return [(0, 0, 0, "", (host, port))]

    # As its socket

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
        self.abandon()

    # For the session

    def wait_readable(self):
        """Let the house run until something arrives or the next tick is due."""
        self.idle = True
        if self._rx_end == self._rx_start:
            pause = self.rhythm.beat()
            self._poll.modify(self._polled, select.POLLIN)
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
