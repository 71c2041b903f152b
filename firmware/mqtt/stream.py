# The socket as umqtt sees it: joined writes, exact reads, and an eye on what goes by.
import errno
import select

from micropython import const

from .line import Line, ProtocolError

# One receive buffer; only a payload that does not fit gets memory of its own.
_RX_BYTES = const(512)
_TX_BYTES = const(1280)  # a whole message of ours: 1,000 bytes of payload, topic, header

PUBACK = const(0x40)
SUBACK = const(0x90)
UNSUBACK = const(0xB0)
_PUBLISH = const(0x30)
_PINGRESP = const(0xD0)

# What `read` returns in place of a payload (or topic) above the limit.
OVERSIZE = b"\0oversize"


class Stream(Line):
    """Stands in for both the `socket` module and the socket of umqtt.simple.

    One object serves all connections, one after the other, so that its buffers are allocated
    once. `socket()` makes it a new, unconnected socket.

    Writes are joined until the next read or `flush()`: umqtt makes five small ones for a
    message, which Nagle and delayed ACK turn into 44 ms (reference: host-toolchain).

    `header` is the first byte of the last packet (0: there was none), `pongs` how many answers
    to pings have come, `oversize` the size of what the last OVERSIZE stands for.

    `limit`: the most bytes of a payload (or topic) that get memory; it may be set at any time,
    and counts from the next packet on. What is longer is thrown away as it comes.
    """

    def __init__(self, rhythm, resolver, payload_limit=4096, secure=None):
        super().__init__(rhythm, resolver, secure)
        self.limit = payload_limit
        self._rx = bytearray(_RX_BYTES)
        self._rx_view = memoryview(self._rx)
        self._tx = bytearray(_TX_BYTES)
        self._tx_view = memoryview(self._tx)
        self.pongs = 0
        self._reset()

    def _reset(self):
        self._rx_start = self._rx_end = self._tx_used = 0
        self.header = 0
        self.oversize = 0

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

    def setblocking(self, _):
        """umqtt calls it right after the first byte of each packet: a look at what comes."""
        self.header = header = self._rx[self._rx_start - 1]
        header &= 0xF0
        if header == _PUBLISH or header == self._awaited:
            return
        if header == _PINGRESP:
            self.pongs += 1
        elif header in (PUBACK, SUBACK, UNSUBACK):
            self._skip_packet()  # nobody reads it otherwise, and all after it is misread
        else:
            raise ProtocolError(errno.EINVAL, "packet type 0x%02x" % self.header)

    def read(self, n):
        """Exactly `n` bytes, however long they take.

        What exceeds the payload limit is received and thrown away, so that umqtt acknowledges
        it; OVERSIZE takes its place.
        """
        start = self._rx_start
        end = start + n
        if end > self._rx_end:
            if n > _RX_BYTES:
                return self._read_large(n)
            self._fill(n)
            start = 0
            end = n
        elif n < 0:
            raise ProtocolError(errno.EINVAL, "a packet shorter than its topic")
        self._rx_start = end
        return bytes(self._rx_view[start:end])

    def write(self, data, n=None):
        """Take `data` (or its first `n` bytes); it leaves with the next read or flush."""
        if n is None:
            n = len(data)
        elif n < len(data):
            data = memoryview(data)[:n]
        start = self._tx_used
        end = start + n
        if end > _TX_BYTES:
            self.flush()
            if n > _TX_BYTES:
                self._send(memoryview(data), n)
                return n
            start = 0
            end = n
        self._tx[start:end] = data
        self._tx_used = end
        return n

    def flush(self):
        """Send what `write` has taken."""
        n = self._tx_used
        if n:
            self._tx_used = 0
            self._send(self._tx_view[:n], n)

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

    def look(self):
        """Whether a packet is here, or its beginning; if not, what waits to be sent leaves."""
        if self._rx_end == self._rx_start:
            if self._tx_used:
                self.flush()
            self._rx_start = self._rx_end = 0
            self._rx_end = self._receive(self._rx_view) or 0
        return self._rx_end > self._rx_start

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
        # At least `n` bytes into the buffer, from its start.
        if self._tx_used:
            self.flush()
            if not self.secure and self._socket is self._polled:
                self._wait(select.POLLIN)  # the answer takes a while; TLS may hide earlier bytes
        view = self._rx_view
        have = self._rx_end - self._rx_start
        if have:
            self._rx[:have] = view[self._rx_start:self._rx_end]
        self._rx_start = 0
        self._rx_end = have
        while have < n:
            got = self._receive(view[have:] if have else view)
            if got:
                have += got
                self._rx_end = have
            else:
                self._wait(select.POLLIN)

    def _read_large(self, n):
        payload = out = None
        if n <= self.limit:
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
            raise ProtocolError(errno.EINVAL, "an acknowledgement of 128 bytes")
        self.read(size)
