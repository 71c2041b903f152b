# MQTT over WebSocket (RFC 6455): the framing between `Stream` and its TCP or TLS socket.
import errno
from binascii import b2a_base64
from hashlib import sha1
from os import urandom

from micropython import const

from ..timestamp import parse_timestamp
from .line import ProtocolError

_PAYLOAD_BYTES = const(1024)  # the most that goes into one frame of ours
_RESPONSE_BYTES = const(1024)  # the most an upgrade response may have
_BINARY = const(2)
_CLOSE = const(8)
_PING = const(9)
_PONG = const(10)


class WebSocket:
    """Has `readinto`, `write`, `close` like the non-blocking socket `below` it.

    host: for the Host header, with the port if that is not the scheme's own. Host and path
    must fit into the output buffer, together about 850 bytes.

    First `upgrade()` until it returns True, then the rest. Nothing is read ahead, so what
    `select.poll` says of `below` is true for this too. After an OSError only `close()` is left.

    `date` is the Date header of the upgrade response as Unix time in s; None if it has none.
    """

    def __init__(self, below, host, path="/mqtt"):
        self._below = below
        self.date = None
        key = b2a_base64(urandom(16)).strip()
        self._accept = accept(key)
        # What is being sent: first the request, then one frame of ours after the other. In
        # between, the response is received here.
        self._out = bytearray(8 + _PAYLOAD_BYTES)
        self._out_view = memoryview(self._out)
        request = ("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
                   "Sec-WebSocket-Key: %s\r\n\r\n" % (path, host, str(key, "ascii"))).encode()
        self._out_view[:len(request)] = request
        self._sent, self._end = 0, len(request)
        self._taken = 0  # payload bytes of a data frame that `write` has not yet reported
        self._reply = None  # (opcode, payload) of a pong or close that waits behind that frame
        # False until the upgrade is done; True while data may flow; False for good when either
        # side has said close or the server has broken the protocol.
        self._open = False
        # What is being received. `_have` < `_need`: bytes of a header, 0 between two frames.
        # `_have` == `_need`: `_left` bytes of the payload are still to come.
        self._head = bytearray(10)
        self._head_view = memoryview(self._head)
        self._have, self._need, self._left = 0, 2, 0
        self._fragmented = False  # the message goes on in the next data frame
        self._response = 0  # bytes of the upgrade response
        self._control = None  # payload of the ping, pong or close being received

    def upgrade(self):
        """One step of the opening handshake: True when done, else "in" or "out" to poll for.

        ProtocolError if the server does not agree. Reads one line of the response at most.
        """
        if not self._push():
            return "out"
        out = self._out
        byte = self._head_view[:1]
        n = self._response
        while n < _RESPONSE_BYTES:
            got = self._below.readinto(byte)
            if got is None:
                return "in"
            if not got:
                raise OSError(errno.ECONNRESET, "closed during the WebSocket upgrade")
            out[n] = byte[0] if byte[0] < 128 else 63  # "?": a header may hold what is no UTF-8
            self._response = n = n + 1
            if byte[0] == 10:
                if out[n - 3] != 10:
                    return "in"
                break
        self._check(str(self._out_view[:n], "ascii").split("\r\n"))
        self._open = True
        return True

    def readinto(self, buffer):
        """Number of payload bytes received; 0: the server has closed.

        None: nothing yet; poll, then call again. At most one frame without payload for us is
        taken, so that a flood of pings cannot hold the caller.
        """
        if not self._open:
            return 0
        if self._sent < self._end:
            self._push()
        if self._have < self._need:
            got = self._read_head()
            if not got:
                return got
        control = self._control
        if control is not None:
            buffer = memoryview(control)[len(control) - self._left:]
        got = None
        if self._left:
            got = self._below.readinto(memoryview(buffer)[:self._left])
            if not got:
                return got
            self._left -= got
        if not self._left:
            self._have, self._need = 0, 2
            if control is not None:
                self._answer(control)
        if control is None:
            return got
        return None if self._open else 0

    def write(self, data):
        """Send `data`, or its first 1,024 bytes, as one frame; returns how many bytes it took.

        None: not all of the frame has left; poll, then call again with the same data.
        """
        if not self._open:
            raise OSError(errno.ECONNRESET, "the WebSocket is closed")
        if not self._taken:
            if not self._push():
                return None
            self._taken = self._begin(_BINARY, data)
        if not self._push():
            return None
        taken = self._taken
        self._taken = 0
        return taken

    def close(self):
        """Say close if it can leave at once, and close the socket below."""
        try:
            if self._open:
                self._open = False
                self._reply = (_CLOSE, b"\x03\xe8")  # 1000: normal
            self._push()
        except (OSError, ValueError):  # TLS raises both
            pass
        self._below.close()

    # The opening handshake

    def _check(self, lines):
        # The lines of the response (RFC 6455, 4.1). The last two are empty if it is complete.
        status = lines[0].split(" ")
        if status[:2] != ["HTTP/1.1", "101"]:
            what = "no HTTP"
            if status[0].startswith("HTTP/"):
                what = "HTTP " + " ".join(status[1:])[:60]
            raise ProtocolError(errno.EINVAL, "no WebSocket: the server answered " + what)
        headers = {}
        for line in lines[1:]:
            name, value = (line + ":").split(":", 1)
            name = name.strip().lower()
            value = value[:-1].strip()
            headers[name] = headers[name] + ", " + value if name in headers else value
        self.date = _unix(headers.get("date", ""))
        bad = None
        if lines[-2:] != ["", ""]:
            bad = "length"
        elif "websocket" not in _words(headers, "upgrade"):
            bad = "Upgrade"
        elif "upgrade" not in _words(headers, "connection"):
            bad = "Connection"
        elif headers.get("sec-websocket-accept") != self._accept:
            bad = "Sec-WebSocket-Accept"
        elif headers.get("sec-websocket-protocol") != "mqtt":
            bad = "Sec-WebSocket-Protocol"
        elif headers.get("sec-websocket-extensions"):  # we asked for none
            bad = "Sec-WebSocket-Extensions"
        if bad:
            raise ProtocolError(errno.EINVAL, "no WebSocket: bad %s in the response" % bad)

    # Sending

    def _push(self):
        # Send the frame begun, then the reply that waits; True when nothing is left.
        while True:
            while self._sent < self._end:
                done = self._below.write(self._out_view[self._sent:self._end])
                if not done:
                    return False
                self._sent += done
            if not self._reply:
                return True
            opcode, payload = self._reply
            self._reply = None
            self._begin(opcode, payload)

    def _begin(self, opcode, data):
        # Put a masked frame into the output buffer; returns how much of `data` is in it.
        out = self._out
        n = min(len(data), _PAYLOAD_BYTES)
        out[0] = 0x80 | opcode
        if n < 126:
            out[1] = 0x80 | n
            i = 2
        else:
            out[1] = 0x80 | 126
            out[2] = n >> 8
            out[3] = n & 255
            i = 4
        mask = urandom(4)
        out[i:i + 4] = mask
        i += 4
        self._sent, self._end = 0, i + n
        self._out_view[i:i + n] = memoryview(data)[:n]
        # By fours, twice as fast as byte by byte; up to 3 bytes behind the end do not matter.
        a, b, c, d = mask
        while i < self._end:
            out[i] ^= a
            out[i + 1] ^= b
            out[i + 2] ^= c
            out[i + 3] ^= d
            i += 4
        return n

    # Receiving

    def _read_head(self):
        # The header of a frame: True when complete, None not yet, 0 at the end of the stream.
        head = self._head
        while self._have < self._need:
            got = self._below.readinto(self._head_view[self._have:self._need])
            if not got:
                return got
            self._have += got
            if self._have == 2:
                self._check_head(head[0], head[1])
        if self._need > 2:
            self._left = int.from_bytes(self._head_view[2:self._need], "big")
            if self._left > 0x7FFFFFFF:
                self._fail()
        return True

    def _check_head(self, first, size):
        # The first two bytes of a header: flags and opcode, mask bit and size.
        opcode = first & 15
        bad = (first & 0x70) | (size & 0x80)
        self._control = None
        if opcode & 8:
            bad = bad or first < 0x80 or size > 125 or opcode > _PONG
            bad = bad or size == 1 and opcode == _CLOSE
        else:
            bad = bad or opcode != (0 if self._fragmented else _BINARY)
            self._fragmented = first < 0x80
        if bad:
            self._fail()
        if opcode & 8:
            self._control = bytearray(size)
        self._left = size
        if size > 125:
            self._need = 4 if size == 126 else 10

    def _answer(self, payload):
        # A control frame has come.
        opcode = self._head[0] & 15
        if opcode == _PING:
            self._reply = (_PONG, payload)
        elif opcode == _CLOSE:
            self._reply = (_CLOSE, payload[:2])  # the same code
            self._open = False
        self._push()

    def _fail(self):
        self._open = False
        self._reply = (_CLOSE, b"\x03\xea")  # 1002: protocol error; leaves with `close`
        raise ProtocolError(errno.EINVAL, "a WebSocket frame that begins %02x %02x"
                            % (self._head[0], self._head[1]))


def accept(key):
    """The Sec-WebSocket-Accept that answers `key` (bytes), as text (RFC 6455, 4.2.2)."""
    digest = sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return str(b2a_base64(digest), "ascii").strip()


def _words(headers, name):
    return [word.strip() for word in headers.get(name, "").lower().split(",")]


def _unix(date):
    # Of "Thu, 01 Jan 2026 00:00:00 GMT", the form servers must send (RFC 9110, 5.6.7).
    words = date.split(" ")
    try:
        _, day, month, year, clock, zone = words
        month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split().index(month) + 1
        if zone == "GMT":
            return parse_timestamp("%s-%02d-%sT%sZ" % (year, month, day, clock))
    except ValueError:
        pass
    return None
