# The line to the broker: TCP, TLS, WebSocket; every wait has one deadline, and the house goes on.
import errno
import select
import socket
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

from .. import ondemand

# The unix port lacks the constant; its value is 1 in every stack we run on.
_TCP_NODELAY = getattr(socket, "TCP_NODELAY", 1)
_IPPROTO_TCP = getattr(socket, "IPPROTO_TCP", 6)


class ProtocolError(OSError):
    """The broker sent what MQTT does not allow here."""


class Line:
    """One connection after the other over a non-blocking socket.

    rhythm: `Rhythm`, which lets the house tick while this waits; resolver: `Resolver`;
    secure: `Secure` for TLS, None for plain TCP. `websocket_path`: None for MQTT as it is, else
    the path of the WebSocket that carries it; it counts from the next connection on.
    `on_date`: hook, called with the Unix time in s that the response to a WebSocket upgrade over
    TLS has; over plain TCP anybody could have written it.

    All waiting has one deadline, set by `begin()` for a whole call of umqtt: a deadline for each
    read would not bound a publish with a chatty broker. After any error its owner abandons it.

    `last_rx_ms` is when bytes last came; `phase` what is going on: "dns", "tcp", "tls",
    "websocket", "mqtt"; `idle` is True between two calls, while `wait_readable` waits.
    """

    def __init__(self, rhythm, resolver, secure):
        self.rhythm = rhythm
        self.resolver = resolver
        self.secure = secure
        self.websocket_path = None
        self.on_date = None
        self._poll = select.poll()
        self._socket = None  # what is read and written
        self._polled = None  # what is polled: the same, but below a WebSocket
        self.last_rx_ms = ticks_ms()
        self.bytes_sent = 0
        self.phase = "dns"
        self.begin(0)

    def begin(self, timeout_ms, awaited=None):
        """A new call begins: its overall deadline, and which acknowledgement it waits for."""
        self._deadline = ticks_add(ticks_ms(), timeout_ms)
        self._overdue = self.idle = False
        self._awaited = awaited

    def connect(self, address):
        """Look the host up and open the way to `(host, port)`."""
        self.phase = "dns"
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
        self._socket = self._polled = s
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
                raise
        if self._wait(select.POLLOUT) & (select.POLLERR | select.POLLHUP):
            s.readinto(bytearray(1))  # raises what is pending, as a rule
            raise OSError(errno.ECONNREFUSED)
        if self.secure:
            self._start_tls(host)
        if self.websocket_path:
            self._start_websocket("%s:%d" % (host, port))
        elif not self.secure:
            self.phase = "mqtt"
        self.last_rx_ms = ticks_ms()

    def abandon(self):
        """Close without sending anything more."""
        if self._socket:
            self._poll.unregister(self._polled)
            self._socket.close()
            self._socket = self._polled = None

    def explained(self, error):
        """`error`, or what it means if it came out of a TLS handshake."""
        if self.phase == "tls" and isinstance(error, (OSError, ValueError)):
            return self.secure.explained(error)
        return error

    # In the hot path: no `except ... as`, few locals. A function that needs more than 11 words
    # takes them from the heap at each call, and the search for free ones costs more than the call.

    def _receive(self, into):
        # Bytes received, None if there are none yet.
        got = self._socket.readinto(into)
        if got:
            self.rhythm.beat()  # a flood of messages must not starve the house
            self.last_rx_ms = ticks_ms()
            self._bound()
        elif got is not None:
            raise OSError(errno.ECONNRESET, "closed by the broker")
        return got

    def _send(self, view, n):
        # All `n` bytes of a memoryview.
        while True:
            sent = self._socket.write(view)
            if sent:
                if self.phase == "tls":
                    self.phase = "mqtt"
                self.bytes_sent += sent
                n -= sent
                if not n:
                    return
                view = view[sent:]
            else:
                self._wait(select.POLLOUT)

    def _wait(self, flags):
        # Until the socket is ready; returns the poll flags. The socket is looked at once more
        # before the deadline counts: a long tick must not turn an answer into a time-out.
        self._bound()  # a WebSocket may be ready for ever with nothing but pings
        self._poll.modify(self._polled, flags)
        while True:
            for ready in self._poll.ipoll(self.rhythm.beat()):
                return ready[1]
            self._check_deadline()

    def _start_tls(self, host):
        # The handshake goes on inside the first write, a step each time that is called, with
        # ticks between the steps; success of that write means that it is done.
        self.phase = "tls"
        s = self._socket
        self._socket = self.secure.wrap(s, host)
        self._poll.unregister(s)
        self._polled = self._socket
        self._poll.register(self._polled, select.POLLOUT)

    def _start_websocket(self, host):
        ws = self._socket = ondemand.load("mqtt.websocket").WebSocket(
            self._socket, host, self.websocket_path)
        if not self.secure:
            self.phase = "websocket"
        step = "out"
        while step is not True:
            step = ws.upgrade()
            if step == "in":
                self.phase = "websocket"
                self._wait(select.POLLIN)
            elif step == "out":
                self._wait(select.POLLOUT)
        self.phase = "mqtt"
        if self.secure and self.on_date and ws.date:
            self.on_date(ws.date)

    def _pause(self):
        sleep_ms(min(self.rhythm.beat(), 2))
        self._check_deadline()

    def _bound(self):
        # Nor may a flood hold a call for ever: what has come by the deadline is still looked at.
        if ticks_diff(self._deadline, ticks_ms()) <= 0:
            if self._overdue:
                self._check_deadline()
            self._overdue = True

    def _check_deadline(self):
        if ticks_diff(self._deadline, ticks_ms()) <= 0:
            raise OSError(errno.ETIMEDOUT, "no answer (%s)" % self.phase)
