# The web server of the setup portal: small requests, a few at a time, and nobody waits for them.
import gc
import select
import socket
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

# Not `const`: tests do not wait that long.
REQUEST_MS = 10000  # until all of it is there
ANSWER_MS = 10000  # until all of it is gone

_CONNECTIONS = const(3)
_MOST = const(5)  # with those that are only told that there are too many
_LINE_BYTES = const(1024)
_HEADER_BYTES = const(4096)  # in all; kept is only what is asked for below
_BODY_BYTES = const(6144)
_PIECE_BYTES = const(512)
_DRAIN_MS = const(1000)
_WANTED = (b"host", b"origin", b"authorization", b"content-type", b"content-length",
           b"transfer-encoding", b"x-token")
_TEXT = const("Content-Type: text/plain; charset=utf-8\r\n")


class Bad(Exception):
    """Bad(status, text, header lines=""): why a request is refused."""


class HttpServer:
    """Answers one request for each connection; `step` it often, it returns within milliseconds.

    handle(method, path, fields, body), all bytes, returns (status, header lines, content), or
    raises Bad. fields: {name in lower case: value} of those in _WANTED; header lines: text, each
    with its \\r\\n; content: text, or a file that is open for reading, and its size.
    served: the beginning of the addresses that may ask, "" for all.
    OSError if it cannot listen at `address` (text) and `port`.
    """

    def __init__(self, address, port, handle, log, served=""):
        self._handle = handle
        self._log = log
        self._served = served
        self._connections = []
        self._receiving = False  # there is memory for one body
        self._poll = select.poll()
        self._listener = s = socket.socket()
        try:
            s.setblocking(False)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(socket.getaddrinfo(address, port)[0][-1])
            s.listen(_MOST)
        except OSError:
            s.close()
            raise
        self._poll.register(s, select.POLLIN)

    def step(self):
        """Take in a connection, and go on with each that is open."""
        if self._poll.poll(0):
            try:
                self._accept()
            except (OSError, MemoryError):
                pass  # it has gone again, or cannot be served
        if self._connections:
            for connection in self._connections[:]:
                try:
                    next(connection.steps)
                except StopIteration:
                    self._connections.remove(connection)

    def close(self):
        """Drop all connections, and listen no more."""
        for connection in self._connections:
            connection.steps.close()
        self._connections = []
        self._listener.close()

    def _accept(self):
        s, peer = self._listener.accept()
        # The unix port has packed addresses. The chips take what comes for any of their addresses
        # by any of their interfaces.
        if isinstance(peer, tuple) and not peer[0].startswith(self._served):
            s.close()
            return
        s.setblocking(False)
        connection = _Connection(s)
        if len(self._connections) >= _CONNECTIONS:
            for old in self._connections:
                if not old.heard:  # browsers open some in advance: those make room
                    old.steps.close()
                    self._connections.remove(old)
                    break
            else:
                connection.heard = connection.surplus = True
                if len(self._connections) == _MOST:
                    s.close()
                    return
        connection.steps = self._steps(connection)
        next(connection.steps)  # or its `finally` would not count
        self._connections.append(connection)

    def _steps(self, connection):
        s = connection.socket
        try:
            yield
            until = ticks_add(ticks_ms(), REQUEST_MS)
            try:
                status, lines, content = yield from self._answer(connection, until)
            except Bad as e:
                status, content = e.args[:2]
                lines = _TEXT + (e.args[2] if len(e.args) > 2 else "")
            if not connection.heard:
                return  # opened in advance, and never used
            until = ticks_add(ticks_ms(), ANSWER_MS)
            yield from _send(s, status, lines, content, until)
            if not connection.complete:
                # Closed with something unread, the connection would be reset and the answer lost.
                until = ticks_add(ticks_ms(), _DRAIN_MS)
                waste = bytearray(_PIECE_BYTES)
                n = 1
                while n != 0:
                    for _ in range(8):
                        n = s.readinto(waste)
                        if not n:
                            break
                    yield _in_time(until)
        except (OSError, MemoryError, Bad):
            pass  # nobody is there any more, or they take too long
        finally:
            s.close()

    def _answer(self, connection, until):
        if connection.surplus:
            raise Bad(503, "too many at once", "Retry-After: 2\r\n")
        method, path, fields = yield from connection.header(until)
        size = _body_size(method, fields)
        body = b""
        if size:
            if self._receiving:
                raise Bad(503, "another request is being received", "Retry-After: 2\r\n")
            self._receiving = True
            try:
                body = yield from connection.body(size, until)
            finally:
                self._receiving = False
        connection.complete = True
        try:
            return self._handle(method, path, fields, body)
        except Bad:
            raise
        except Exception as e:  # whatever it is, the node goes on
            self._log("setup: internal error: %r" % e)
            raise Bad(500, "internal error: %r" % e)


class _Connection:
    def __init__(self, s):
        self.socket = s
        self.steps = None
        self.heard = False  # a byte has come
        self.surplus = False
        self.complete = False  # all of the request has come
        self._data = b""  # what has come and is not used yet

    def header(self, until):
        """Returns (method, path, fields); all bytes."""
        line = yield from self._line(_LINE_BYTES, until)
        # No text yet: whoever speaks TLS here gets an answer, too.
        words = line.split(b" ")
        if len(words) != 3 or words[1][:1] != b"/" or words[2][:5] != b"HTTP/":
            raise Bad(400, "this is no HTTP request")
        if words[2][:7] != b"HTTP/1.":
            raise Bad(505, "HTTP/1.1, please")
        fields = {}
        room = _HEADER_BYTES - len(line)
        while True:
            line = yield from self._line(min(room, _LINE_BYTES), until)
            room -= len(line) + 2
            if not line:
                break
            name = line.split(b":", 1)[0].lower()
            if name in _WANTED:
                if name in fields:
                    raise Bad(400, "%s comes twice" % str(name, "utf-8"))
                fields[name] = line[len(name) + 1:].strip()
        return words[0], words[1].split(b"?", 1)[0], fields

    def body(self, size, until):
        """Returns `size` bytes."""
        gc.collect()
        try:
            body = bytearray(size)
        except MemoryError:
            raise Bad(503, "out of memory", "Retry-After: 2\r\n")
        have = min(len(self._data), size)
        body[:have] = self._data[:have]
        self._data = b""
        view = memoryview(body)
        while have < size:
            n = self.socket.readinto(view[have:])
            if n == 0:
                raise OSError
            if n is None:
                yield _in_time(until)
            else:
                have += n
        return body

    def _line(self, most, until):
        # Returns a line of the header, without its end.
        while True:
            at = self._data.find(b"\n")
            if (at if at >= 0 else len(self._data)) > most:
                raise Bad(431, "the header of the request is too long")
            if at >= 0:
                line = self._data[:at].rstrip(b"\r")
                self._data = self._data[at + 1:]
                return line
            data = self.socket.read(_PIECE_BYTES)
            if data == b"":
                raise OSError
            if data is None:
                yield _in_time(until)
            else:
                self.heard = True
                self._data += data
                yield


def _body_size(method, fields):
    if b"transfer-encoding" in fields:
        raise Bad(501, "a body comes with its length here, not in chunks")
    size = fields.get(b"content-length")
    if size is None:
        if method == b"POST":
            raise Bad(411, "how long is the body?")
        return 0
    if not size or not size.isdigit():
        raise Bad(400, "content-length must be a number")
    if len(size) > 6 or int(size) > _BODY_BYTES:
        raise Bad(413, "the body is larger than %d bytes" % _BODY_BYTES)
    return int(size)


def _head_of(status, lines, size):
    # Without a phrase behind the status: those for people are in the content.
    return ("HTTP/1.1 %d \r\nContent-Length: %d\r\nConnection: close\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s\r\n"
            % (status, size, lines)).encode()


def _send(s, status, lines, content, until):
    file = None
    if isinstance(content, str):
        content = content.encode()
        data = _head_of(status, lines, len(content)) + content
    else:
        file, size = content
        data = _head_of(status, lines, size)
    try:
        while data:
            n = s.write(data)
            if n:
                data = data[n:]
            yield _in_time(until)
            if not data and file:
                data = file.read(_PIECE_BYTES)
    finally:
        if file:
            file.close()


def _in_time(until):
    # None, to be yielded where it takes long.
    if ticks_diff(until, ticks_ms()) <= 0:
        raise Bad(408, "this takes too long")
