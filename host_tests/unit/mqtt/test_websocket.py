"""The WebSocket under MQTT: exact bytes both ways, in whatever pieces they come and go."""

import errno
import gc

from firmware.mqtt import websocket
from firmware.mqtt.line import ProtocolError
from firmware.mqtt.websocket import WebSocket
from host_tests.unit.fakes import Patched, raised

NONCE = b"the sample nonce"  # RFC 6455, 1.3, as are the key and its answer
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x37\xfa\x21\x3d"  # RFC 6455, 5.7, as are the frames with "Hello"

RESPONSE = (b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Upgrade: WebSocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            b"Sec-WebSocket-Protocol: mqtt\r\n\r\n")


class Below:
    """A non-blocking socket by script.

    It receives `coming`, `step` bytes at most at a time; at each position in `gaps` it has
    nothing once; behind the end it has nothing, or with `eof` the end. It sends `room` bytes
    in all before it would block (None: any number). `at` counts received bytes.
    """

    def __init__(self, coming=b"", step=100000, gaps=(), eof=False, room=None):
        self.sent = bytearray()
        self.closed = 0
        self.fault = None  # raised by every write
        self.room = room
        self.script(coming, step, gaps, eof)

    def script(self, coming, step=100000, gaps=(), eof=False):
        self.coming = coming
        self.at = 0
        self._step = step
        self._gaps = list(gaps)
        self._eof = eof

    def readinto(self, buffer):
        assert not self.closed
        if self.at in self._gaps:
            self._gaps.remove(self.at)
            return None
        n = min(len(buffer), self._step, len(self.coming) - self.at)
        for gap in self._gaps:
            if self.at < gap < self.at + n:
                n = gap - self.at
        if n == 0:
            assert len(buffer)  # else 0 would mean the end
            return 0 if self._eof else None
        buffer[:n] = self.coming[self.at:self.at + n]
        self.at += n
        return n

    def write(self, data):
        assert not self.closed and len(data)
        if self.fault:
            raise self.fault
        n = len(data)
        if self.room is not None:
            n = min(n, self.room)
            self.room -= n
            if n == 0:
                return None
        self.sent.extend(data[:n])
        return n

    def close(self):
        self.closed += 1


def not_random(n):
    return NONCE if n == 16 else MASK


def fixed(test):
    """Runs a test with the nonce and the mask of the RFC."""

    def run():
        with Patched(websocket, urandom=not_random):
            test()

    return run


def upgraded(coming=b"", **how):
    """A WebSocket after its upgrade, and the socket below it, which then receives `coming`."""
    below = Below(RESPONSE)
    with Patched(websocket, urandom=not_random):
        ws = WebSocket(below, "broker.example")
        assert steps(ws)[-1] is True
    below.sent = bytearray()
    below.script(coming, **how)
    return ws, below


def steps(ws):
    """What `upgrade` says, until it is done or has said the same 2,000 times."""
    said = []
    while len(said) < 2000 and True not in said:
        said.append(ws.upgrade())
    return said


def answered(response, **how):
    """The exception an upgrade with this response ends with, and the socket below."""
    below = Below(response, **how)
    with Patched(websocket, urandom=not_random):
        return raised(OSError, steps, WebSocket(below, "broker.example")), below


def received(ws, size=100, calls=3000):
    """All that `readinto` brings with a buffer of `size`, and whether it ended in EOF."""
    found = bytearray()
    buffer = bytearray(size)
    for _ in range(calls):
        n = ws.readinto(buffer)
        if n == 0:
            return bytes(found), True
        if n:
            found.extend(buffer[:n])
    return bytes(found), False


def frame(first, payload=b""):
    """A frame as servers send it: no mask."""
    n = len(payload)
    if n < 126:
        return bytes([first, n]) + payload
    if n < 65536:
        return bytes([first, 126, n >> 8, n & 255]) + payload
    return bytes([first, 127, 0, 0, 0, 0]) + n.to_bytes(4, "big") + payload


def unmasked(data, mask):
    return bytes([data[i] ^ mask[i & 3] for i in range(len(data))])


def frames(sent):
    """The frames in `sent` as [(first byte, payload)]; they must be whole and masked."""
    found = []
    at = 0
    while at < len(sent):
        first, size = sent[at], sent[at + 1]
        assert size & 0x80, "not masked"
        size &= 127
        assert size != 127
        at += 2
        if size == 126:
            size = sent[at] << 8 | sent[at + 1]
            at += 2
        assert at + 4 + size <= len(sent), "frame cut off"
        found.append((first, unmasked(sent[at + 4:at + 4 + size], sent[at:at + 4])))
        at += 4 + size
    return found


# The opening handshake


def test_accept_key_of_the_rfc():
    assert websocket.accept(KEY) == ACCEPT


@fixed
def test_the_request():
    below = Below()
    assert WebSocket(below, "broker.example:8884", "/ws").upgrade() == "in"
    assert bytes(below.sent) == (
        b"GET /ws HTTP/1.1\r\n"
        b"Host: broker.example:8884\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: mqtt\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def test_the_default_path():
    below = Below()
    WebSocket(below, "broker.example").upgrade()
    assert bytes(below.sent[:20]) == b"GET /mqtt HTTP/1.1\r\n"


def test_every_connection_has_its_own_key():
    requests = []
    for _ in range(2):
        below = Below()
        WebSocket(below, "broker.example").upgrade()
        requests.append(bytes(below.sent))
    assert len(requests[0]) == len(requests[1])
    assert requests[0] != requests[1]


@fixed
def test_a_request_that_leaves_in_pieces_waits_for_out():
    below = Below(RESPONSE, room=0)
    ws = WebSocket(below, "broker.example")
    whole = Below()
    WebSocket(whole, "broker.example").upgrade()
    for sent in range(len(whole.sent)):
        assert ws.upgrade() == "out"
        assert len(below.sent) == sent and below.at == 0
        below.room = 1
    assert "out" not in steps(ws)
    assert below.sent == whole.sent


def test_a_response_in_pieces():
    end = len(RESPONSE)
    hows = [{"step": 1}, {"step": 1, "gaps": range(end)}]
    hows += [{"gaps": [i]} for i in range(end)]
    for how in hows:
        error, below = answered(RESPONSE, **how)
        assert error is None, error
        assert below.at == end


def test_a_step_reads_one_line_at_most():
    below = Below(RESPONSE)
    with Patched(websocket, urandom=not_random):
        ws = WebSocket(below, "broker.example")
        assert ws.upgrade() == "in"
    assert below.at == RESPONSE.find(b"\n") + 1


def test_nothing_is_read_behind_the_response():
    below = Below(RESPONSE + frame(0x82, b"CONNACK"))
    with Patched(websocket, urandom=not_random):
        ws = WebSocket(below, "broker.example")
        assert steps(ws)[-1] is True
    assert below.at == len(RESPONSE)
    assert received(ws) == (b"CONNACK", False)


def test_names_and_words_of_the_response_in_any_case_and_order():
    for changed in (
        RESPONSE.replace(b"Upgrade: WebSocket", b"UPGRADE:websocket"),
        RESPONSE.replace(b"Connection: Upgrade", b"connection:  keep-alive ,upGRADE "),
        RESPONSE.replace(b"Connection:", b"Connection: keep-alive\r\nConnection:"),
        RESPONSE.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"),
        RESPONSE.replace(b"Sec-WebSocket-Accept", b"sec-websocket-accept"),
        RESPONSE.replace(b"Sec-WebSocket-Protocol: ", b"SEC-WEBSOCKET-PROTOCOL:\t"),
        RESPONSE.replace(b"Upgrade: WebSocket\r\n", b"").replace(
            b"\r\n\r\n", b"\r\nUpgrade: WebSocket\r\n\r\n"),
        RESPONSE.replace(b"\r\n\r\n", b"\r\nServer: caf\xe9 \xff\r\nno colon\r\n\r\n"),
        RESPONSE.replace(b" Switching Protocols", b""),
    ):
        error, _ = answered(changed)
        assert error is None, (changed, error)


def test_a_response_that_does_not_agree_is_refused_with_what_is_bad():
    for old, new, word in (
        (b"Upgrade: WebSocket", b"Upgrade: h2c", "Upgrade"),
        (b"Upgrade: WebSocket", b"X: WebSocket", "Upgrade"),
        (b"Connection: Upgrade", b"Connection: close", "Connection"),
        (b"Connection: Upgrade", b"Connection: Upgraded", "Connection"),
        (b"s3pP", b"S3pP", "Sec-WebSocket-Accept"),
        (b"Sec-WebSocket-Accept", b"X-Accept", "Sec-WebSocket-Accept"),
        (b"\r\n\r\n", b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         "Sec-WebSocket-Accept"),  # twice
        (b"Protocol: mqtt", b"Protocol: soap", "Sec-WebSocket-Protocol"),
        (b"Protocol: mqtt", b"Protocol: mqttv3.1", "Sec-WebSocket-Protocol"),
        (b"Sec-WebSocket-Protocol: mqtt\r\n", b"", "Sec-WebSocket-Protocol"),
        (b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
         "Sec-WebSocket-Extensions"),
    ):
        changed = RESPONSE.replace(old, new)
        assert changed != RESPONSE
        error, _ = answered(changed)
        assert isinstance(error, ProtocolError), new
        assert error.args == (
            errno.EINVAL, "no WebSocket: bad %s in the response" % word), error.args


def test_another_status_is_told():
    rest = RESPONSE[RESPONSE.find(b"\r\n"):]
    for line, told in (
        (b"HTTP/1.1 403 Forbidden", "HTTP 403 Forbidden"),
        (b"HTTP/1.1 404", "HTTP 404"),
        (b"HTTP/1.0 101 Switching Protocols", "HTTP 101 Switching Protocols"),
        (b"HTTP/1.1 1011", "HTTP 1011"),
        (b"HTTP/1.1", "HTTP "),
        (b"220 mail.example ESMTP", "no HTTP"),
        (b"", "no HTTP"),
    ):
        error, _ = answered(line + rest)
        assert isinstance(error, ProtocolError), line
        assert error.args[1] == "no WebSocket: the server answered " + told, error.args


def test_a_response_has_1024_bytes_at_most():
    filler = b"X: " + b"x" * (1024 - len(RESPONSE) - 5) + b"\r\n"
    longest = RESPONSE.replace(b"Upgrade: W", filler + b"Upgrade: W")
    assert len(longest) == 1024
    error, _ = answered(longest)
    assert error is None, error
    for more in range(1, 6):
        error, below = answered(longest.replace(b"X: ", b"X" * more + b"X: "))
        assert isinstance(error, ProtocolError), more
        assert error.args[1] == "no WebSocket: bad length in the response"
        assert below.at == 1024
    # An IndexError once: no end of line at all.
    error, below = answered(RESPONSE[:32].replace(b"\r\n", b"") + b"x" * 2000)
    assert error.args[1] == "no WebSocket: bad length in the response"
    assert below.at == 1024


def test_a_long_refusal_is_still_told_as_such():
    error, below = answered(b"HTTP/1.1 503 Service Unavailable\r\n" + b"X: y\r\n" * 500)
    assert error.args[1].endswith("HTTP 503 Service Unavailable")
    assert below.at == 1024


def test_the_end_within_the_response():
    for end in range(len(RESPONSE)):
        error, _ = answered(RESPONSE[:end], eof=True)
        assert not isinstance(error, ProtocolError), end
        assert error.errno == errno.ECONNRESET


def date_of(text):
    response = RESPONSE.replace(b"Upgrade: W", b"Date: " + text + b"\r\nUpgrade: W")
    with Patched(websocket, urandom=not_random):
        ws = WebSocket(Below(response), "broker.example")
        assert ws.date is None
        steps(ws)
    return ws.date


def test_the_date_of_the_response():
    assert date_of(b"Thu, 01 Jan 2026 00:00:00 GMT") == 1767225600
    assert date_of(b"Sat, 21 Nov 2026 12:30:05 GMT") == 1795264205
    assert date_of(b"Tue, 29 Feb 2028 23:59:59 GMT") == 1835481599
    assert upgraded()[0].date is None


def test_a_date_in_another_form_is_none():
    for text in (b"", b"x", b"Thursday, 01-Jan-26 00:00:00 GMT", b"Thu Jan  1 00:00:00 2026",
                 b"Thu, 01 Jan 2026 00:00:00 CET", b"Thu, 01 Jan 2026 00:00:00",
                 b"Thu, 32 Jan 2026 00:00:00 GMT", b"Thu, 1 Jan 2026 00:00:00 GMT",
                 b"Thu, 01 Foo 2026 00:00:00 GMT", b"Thu, 01 Jan 2026 24:00:00 GMT",
                 b"Thu, \xff1 Jan 2026 00:00:00 GMT", b"Thu, 01 Jan 2026 00:00:00 GMT GMT"):
        assert date_of(text) is None, text


def test_a_host_too_long_for_the_buffer():
    assert raised(ValueError, WebSocket, Below(), "x" * 1000)


def test_neither_way_is_open_before_the_upgrade():
    below = Below(b"HTTP/1.1")
    ws = WebSocket(below, "broker.example")
    ws.upgrade()
    below.sent = bytearray()
    assert raised(OSError, ws.write, b"x").errno == errno.ECONNRESET
    assert ws.readinto(bytearray(4)) == 0
    ws.close()
    assert below.closed and not below.sent


# Receiving


def test_sizes_of_frames():
    for size in (1, 125, 126, 127, 255, 256, 65535, 65536):
        payload = bytes([i * 7 & 255 for i in range(251)]) * (size // 251 + 1)
        payload = payload[:size]
        ws, below = upgraded(frame(0x82, payload))
        assert received(ws, 4096) == (payload, False)
        assert below.at == len(below.coming)


def test_a_length_written_longer_than_needed():
    ws, _ = upgraded(b"\x82\x7e\x00\x01a" + b"\x82\x7f" + bytes(7) + b"\x01b")
    assert received(ws) == (b"ab", False)


# All that a server may send, with the payload it carries and the payloads of the pongs it asks.
MIXED = (frame(0x82, b"one") + frame(0x89, b"Hello") + frame(0x02, b"tw") + frame(0x00)
         + frame(0x89) + frame(0x80, b"o") + frame(0x82) + frame(0x8a, b"unasked")
         + frame(0x02) + frame(0x00, b"th") + frame(0x80) + frame(0x82, b"r" * 130)
         + frame(0x89, b"p" * 125) + frame(0x82, b"ee"))
MIXED_PAYLOAD = b"onetwoth" + b"r" * 130 + b"ee"
MIXED_PONGS = [(0x8a, b"Hello"), (0x8a, b""), (0x8a, b"p" * 125)]


def test_frames_in_pieces():
    end = len(MIXED)
    hows = [{}, {"step": 1}, {"step": 1, "gaps": range(end)}]
    hows += [{"gaps": [i]} for i in range(end)]
    for how in hows:
        ws, below = upgraded(MIXED, **how)
        assert received(ws, 100, 2 * end + 20) == (MIXED_PAYLOAD, False), how
        assert frames(below.sent) == MIXED_PONGS, how


def test_frames_into_buffers_of_any_size():
    for size in (1, 2, 3, 5, 129, 130, 131, 1000):
        ws, _ = upgraded(MIXED)
        assert received(ws, size) == (MIXED_PAYLOAD, False), size


def test_only_what_is_asked_is_read():
    first, second = frame(0x82, b"abcdef"), frame(0x82, b"gh")
    ws, below = upgraded(first + second)
    assert ws.readinto(bytearray(4)) == 4
    assert below.at == 2 + 4
    assert ws.readinto(bytearray(100)) == 2  # not across the end of the frame
    assert below.at == len(first)
    assert ws.readinto(bytearray(1)) == 1
    assert below.at == len(first) + 2 + 1


def test_a_memoryview_is_filled_in_place():
    ws, _ = upgraded(frame(0x82, b"abc"))
    buffer = bytearray(b"......")
    assert ws.readinto(memoryview(buffer)[2:]) == 3
    assert buffer == b"..abc."


def test_an_empty_frame_is_not_the_end():
    ws, _ = upgraded(frame(0x82) + frame(0x82, b"x"))
    assert ws.readinto(bytearray(9)) is None
    assert ws.readinto(bytearray(9)) == 1


def test_a_flood_of_pings_does_not_hold_the_caller():
    ws, below = upgraded(frame(0x89, b"!") * 100)
    assert ws.readinto(bytearray(9)) is None
    assert below.at == 3


def test_the_end_below_is_the_end_wherever_it_comes():
    data = frame(0x82, b"abc") + frame(0x89, b"ping") + frame(0x82, b"r" * 126)
    for end in range(len(data)):
        ws, _ = upgraded(data[:end], eof=True)
        payload, ended = received(ws)
        assert ended and (b"abc" + b"r" * 126).startswith(payload), end


@fixed
def test_ping_and_pong_of_the_rfc():
    ws, below = upgraded(b"\x89\x05Hello")
    assert ws.readinto(bytearray(9)) is None
    assert bytes(below.sent) == b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"


@fixed
def test_a_close_is_answered_with_its_code_and_is_the_end():
    for payload, answer in (
        (b"", b"\x88\x80\x37\xfa\x21\x3d"),
        (b"\x03\xe8", b"\x88\x82\x37\xfa\x21\x3d\x34\x12"),
        (b"\x03\xe9going away", b"\x88\x82\x37\xfa\x21\x3d\x34\x13"),
        (b"\x03\xe8" + b"x" * 123, b"\x88\x82\x37\xfa\x21\x3d\x34\x12"),
    ):
        ws, below = upgraded(frame(0x82, b"last") + frame(0x88, payload) + frame(0x82, b"x"))
        assert received(ws) == (b"last", True)
        assert ws.readinto(bytearray(9)) == 0
        assert below.at == 6 + 2 + len(payload)
        assert raised(OSError, ws.write, b"late").errno == errno.ECONNRESET
        ws.close()
        assert bytes(below.sent) == answer  # one close, not two
        assert below.closed


def test_what_a_server_may_not_send():
    bad = [bytes([first, 0]) for first in range(256)
           if first not in (0x02, 0x82, 0x88, 0x89, 0x8a)]
    bad += [bytes([first, 0x80]) + MASK for first in (0x02, 0x82, 0x88, 0x89, 0x8a)]  # masked
    bad += [bytes([first, size]) for first in (0x88, 0x89, 0x8a) for size in (126, 127)]
    bad.append(b"\x88\x01")  # half a code
    bad.append(b"\x82\x7f\x00\x00\x00\x00\x80\x00\x00\x00")
    bad.append(b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00")
    bad.append(b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x01")
    before = frame(0x82, b"good")
    for data in bad:
        ws, below = upgraded(before + data + b"more")
        error = raised(ProtocolError, received, ws)
        assert error, data
        assert error.args == (errno.EINVAL, "a WebSocket frame that begins %02x %02x"
                              % (data[0], data[1]))
        assert below.at == len(before) + (10 if data[1] == 127 and data[0] == 0x82 else 2)
        refused_for_good(ws, below)


def test_fragments_out_of_order():
    for data in (
        frame(0x00, b"x"),  # goes on with nothing
        frame(0x80, b"x"),
        frame(0x02, b"x") + frame(0x82, b"y"),  # a second one begins in the first
        frame(0x02, b"x") + frame(0x80, b"y") + frame(0x80, b"z"),
    ):
        ws, below = upgraded(data)
        assert raised(ProtocolError, received, ws), data
        refused_for_good(ws, below)


def refused_for_good(ws, below):
    assert ws.readinto(bytearray(9)) == 0
    assert raised(OSError, ws.write, b"x").errno == errno.ECONNRESET
    assert not below.sent
    ws.close()
    assert frames(below.sent) == [(0x88, b"\x03\xea")]  # 1002
    assert below.closed


def test_the_longest_length():
    ws, below = upgraded(b"\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xffabc")
    assert received(ws) == (b"abc", False)


# Sending


@fixed
def test_a_frame_of_ours():
    ws, below = upgraded()
    assert ws.write(b"Hello") == 5
    assert bytes(below.sent) == b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"


@fixed
def test_sizes_of_our_frames():
    data = bytes([i * 7 & 255 for i in range(1100)])
    for size in list(range(1, 10)) + [124, 125, 126, 127, 255, 256, 1021, 1022, 1023, 1024]:
        for kind in (bytes, bytearray, memoryview):
            ws, below = upgraded()
            assert ws.write(kind(data[:size])) == size
            header = bytes([0x82, 0x80 | size]) if size < 126 else \
                bytes([0x82, 0xfe, size >> 8, size & 255])
            assert bytes(below.sent) == header + MASK + unmasked(data[:size], MASK), size


def test_more_than_a_frame_holds():
    data = bytes([i * 7 & 255 for i in range(1025)])
    ws, below = upgraded()
    assert ws.write(memoryview(data)) == 1024
    assert ws.write(memoryview(data)[1024:]) == 1
    assert frames(below.sent) == [(0x82, data[:1024]), (0x82, data[1024:])]


def test_every_frame_has_its_own_mask():
    masks = [b"\x00\x00\x00\x00", b"\x01\x02\x03\x04", b"\xff\xfe\xfd\xfc"]
    ws, below = upgraded(frame(0x89, b"pp"))
    with Patched(websocket, urandom=lambda n: masks.pop(0)):
        ws.write(b"aaaaa")
        ws.readinto(bytearray(9))
        ws.write(b"aaa")
    assert bytes(below.sent) == (b"\x82\x85\x00\x00\x00\x00aaaaa"
                                 b"\x8a\x82\x01\x02\x03\x04qr"
                                 b"\x82\x83\xff\xfe\xfd\xfc\x9e\x9f\x9c")


def test_a_frame_that_leaves_byte_by_byte():
    data = b"d" * 200
    ws, below = upgraded()
    below.room = 0
    for sent in range(208):
        assert ws.write(data) is None
        assert len(below.sent) == sent
        below.room = 1
    assert ws.write(data) == 200
    assert ws.write(data) is None  # the next one is a frame of its own
    below.room = None
    assert ws.write(data) == 200
    assert frames(below.sent) == [(0x82, data)] * 2


def test_a_ping_while_a_frame_is_half_sent():
    data = b"data of ours"
    whole = 6 + len(data)
    for cut in range(whole):
        ws, below = upgraded(frame(0x89, b"?"))
        below.room = cut
        assert ws.write(data) is None
        assert ws.readinto(bytearray(9)) is None
        assert len(below.sent) == cut
        below.room = whole - cut + 3  # into the middle of the pong
        while ws.write(data) is None:
            below.room = 100
        assert frames(below.sent) == [(0x82, data), (0x8a, b"?")], cut


def test_reading_sends_the_rest_but_write_reports_it_once():
    ws, below = upgraded(frame(0x82, b"abc"))
    below.room = 3
    assert ws.write(b"data") is None
    below.room = None
    assert ws.readinto(bytearray(9)) == 3
    assert frames(below.sent) == [(0x82, b"data")]
    assert ws.write(b"data") == 4
    assert frames(below.sent) == [(0x82, b"data")]


def test_a_pong_that_is_half_sent_comes_before_our_frame():
    for cut in range(7):
        ws, below = upgraded(frame(0x89, b"?"))
        below.room = cut
        assert ws.readinto(bytearray(9)) is None
        assert ws.write(b"data") is None
        assert len(below.sent) == cut
        below.room = None
        assert ws.write(b"data") == 4
        assert frames(below.sent) == [(0x8a, b"?"), (0x82, b"data")], cut


def test_a_pong_that_had_to_wait_leaves_with_the_next_read():
    ws, below = upgraded(frame(0x89, b"?"))
    below.room = 0
    ws.readinto(bytearray(9))
    assert not below.sent
    below.room = None
    assert ws.readinto(bytearray(9)) is None
    assert frames(below.sent) == [(0x8a, b"?")]


def test_of_pings_that_had_to_wait_the_last_is_answered():
    # RFC 6455, 5.5.3 allows it, and what waits stays bounded.
    ws, below = upgraded(frame(0x89, b"1") + frame(0x89, b"2") + frame(0x89, b"3"))
    below.room = 2
    assert ws.write(b"data") is None
    assert received(ws, calls=5) == (b"", False)
    below.room = None
    assert ws.write(b"data") == 4
    assert frames(below.sent) == [(0x82, b"data"), (0x8a, b"3")]


def test_a_pong_that_comes_does_not_disturb_the_one_that_waits():
    ws, below = upgraded(frame(0x89, b"ask") + frame(0x8a, b"XXXXX"))
    below.room = 0
    received(ws, calls=5)
    below.room = None
    ws.readinto(bytearray(9))
    assert frames(below.sent) == [(0x8a, b"ask")]


# Closing


@fixed
def test_close_says_so():
    ws, below = upgraded()
    ws.close()
    assert bytes(below.sent) == b"\x88\x82\x37\xfa\x21\x3d\x34\x12"
    assert below.closed == 1
    assert ws.readinto(bytearray(9)) == 0


def test_close_does_not_cut_into_a_frame():
    for cut in range(10):
        ws, below = upgraded(frame(0x88, b"\x03\xe8"))
        below.room = cut
        assert ws.write(b"data") is None
        assert ws.readinto(bytearray(9)) == 0
        below.room = None
        ws.close()
        assert frames(below.sent) == [(0x82, b"data"), (0x88, b"\x03\xe8")], cut


def test_close_does_not_wait():
    ws, below = upgraded()
    below.room = 3
    ws.close()
    assert below.closed == 1
    assert len(below.sent) == 3


def test_close_of_what_is_already_broken():
    for fault in (OSError(errno.ECONNRESET), ValueError("TLS")):
        ws, below = upgraded()
        below.fault = fault
        ws.close()
        assert below.closed == 1


# Memory


class Pipe:
    """Sends nowhere and receives one frame over and over, without allocating anything."""

    def __init__(self, coming):
        self._coming = coming
        self._at = 0

    def readinto(self, buffer):
        for i in range(len(buffer)):
            buffer[i] = self._coming[self._at]
            self._at = (self._at + 1) % len(self._coming)
        return len(buffer)

    def write(self, data):
        return len(data)


def allocated(function, argument):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(10):
        function(argument)
    after = gc.mem_alloc()
    gc.enable()
    return (after - before) // 10


def test_what_a_frame_allocates():
    if not hasattr(gc, "mem_alloc"):
        return  # CPython does not count
    ws, _ = upgraded()
    payload = bytes(1000)
    ws._below = Pipe(frame(0x82, payload))
    # A few views and the mask; nothing that grows with the payload.
    assert allocated(ws.write, payload) <= 320
    assert allocated(ws.readinto, bytearray(1000)) <= 320
