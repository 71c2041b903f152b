"""URLs, answers and the waits of a download; the network itself is in node/test_ota_http.py."""

import errno
from time import ticks_diff

from firmware import dial
from firmware.mqtt.commands import Refused
from firmware.ota import http
from firmware.ota.http import body_start, pieces, redirected, target
from host_tests.unit.fakes import Patched, Ticks, raised

HEADER = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-99/100\r\n\r\n"
BUNDLE = bytes(range(100))
IN, OUT, ERR, HUP = 1, 4, 8, 16


class Peer:
    """A socket by script, and the modules `socket` and `select` around it.

    Each entry of `coming` is what a connection sends: bytes arrive as they are asked for, None is
    a wait for ever. `ready` is what poll says of the connection: a flag, 0 for not yet. `silent`
    is the number of rounds before the first byte.
    """

    POLLOUT, POLLERR, POLLHUP = OUT, ERR, HUP

    def __init__(self, *coming):
        self.script = list(coming)
        self.sent = []
        self.open = 0
        self.closed_ms = []
        self.ready = OUT
        self.accepts = 10000  # bytes that a write takes
        self.fault = None  # raised by connect
        self.silent = 0

    def socket(self):
        self.open += 1
        self.sent.append(b"")
        self._coming = self.script.pop(0) if self.script else None
        return self

    def poll(self, timeout_ms=None):
        if timeout_ms is None:
            return self
        assert timeout_ms == 0
        return [(self, self.ready)] if self.ready else []

    def register(self, sock, flags):
        assert sock is self and flags == OUT

    def unregister(self, sock):
        pass

    def setblocking(self, blocking):
        assert not blocking

    def getaddrinfo(self, host, port):
        return [(2, 1, 0, "", (host, port))]

    def connect(self, address):
        self.address = address
        raise OSError(self.fault or errno.EINPROGRESS, "")

    def write(self, data):
        n = min(len(data), self.accepts)
        self.sent[-1] += bytes(data[:n])
        return n or None

    def readline(self, most):
        self.silent -= 1
        if self._coming is None or self.silent >= 0:
            return None
        end = self._coming.find(b"\n") + 1
        n = min(most, end or len(self._coming))
        return self._take(n)

    def readinto(self, view):
        if self._coming is None:
            return None
        data = self._take(len(view))
        view[:len(data)] = data
        return len(data)

    def _take(self, n):
        data = self._coming[:n]
        self._coming = self._coming[n:]
        return data

    def close(self):
        self.open -= 1
        self.closed_ms.append(http.ticks_ms())


class Names:
    """Stands for `Resolver` and its look-up, which takes `rounds` rounds."""

    def __init__(self, rounds=0):
        self.rounds = rounds
        self.closed = 0
        self.asked_ms = []

    def lookup(self, host):
        self.asked = host
        self.asked_ms.append(http.ticks_ms())
        return self

    def poll(self):
        self.rounds -= 1
        return "192.0.2.7" if self.rounds < 0 else None

    def close(self):
        self.closed += 1


class Download:
    """Drives `pieces` against a Peer, a step of `step_ms` each round.

    `pauses_ms` are those between two attempts, `error` the message it was refused with.
    """

    def __init__(self, peer, have=0, names=None, url="http://host.example/b", secure=None,
                 step_ms=10):
        self.data = bytearray(BUNDLE[:have])
        self.ticks = Ticks()
        self.error = None
        self.rounds = 0
        names = names or Names()
        with Patched(http, ticks_ms=self.ticks), Patched(dial, socket=peer, select=peer):
            made = secure if callable(secure) else lambda: secure
            coming = pieces(url, len(BUNDLE), lambda: len(self.data), names, made)
            try:
                for piece in coming:
                    self.rounds += 1
                    self.ticks.sleep(step_ms)
                    if piece is not None:
                        assert len(piece)
                        self.data += piece
            except Refused as e:
                assert e.args[0] == "http"
                self.error = e.args[1]
        assert peer.open == 0
        self.pauses_ms = [ticks_diff(asked, closed) for asked, closed in zip(
            names.asked_ms[1:], peer.closed_ms)]


def refusal(function, *args):
    """The message that it refuses with; None if it does not."""
    error = raised(Refused, function, *args)
    if error is None:
        return None
    assert error.args[0] == "http"
    return error.args[1]


# URLs


def test_urls():
    for url, wanted in (
            ("http://host", (False, "host", 80, "/")),
            ("https://host/", (True, "host", 443, "/")),
            ("http://192.0.2.1:8000/a/b.bin", (False, "192.0.2.1", 8000, "/a/b.bin")),
            ("https://host:8443?q=/x:1@y", (True, "host", 8443, "/?q=/x:1@y")),
            ("http://host/a:b@c[0]", (False, "host", 80, "/a:b@c[0]")),
            ("http://host/a?b#c", (False, "host", 80, "/a?b")),
            ("http://host#c/d", (False, "host", 80, "/")),
            ("http://host:65535/", (False, "host", 65535, "/"))):
        assert target(url) == wanted, url


def test_urls_that_are_none():
    for url, told in (
            ("", "no http"), ("ftp://host/", "no http"), ("//host/", "no http"),
            ("HTTPX://host/", "no http"), ("http:/host", "no http"), ("/path", "no http"),
            ("http://", "host or port"), ("http:///x", "host or port"),
            ("http://:80/", "host or port"), ("http://host:/", "host or port"),
            ("http://host:0/", "host or port"), ("http://host:65536/", "host or port"),
            ("http://host:80:80/", "host or port"), ("http://host:-1/", "host or port"),
            ("http://user@host/", "user, password"), ("http://u:p@host:1/", "user, password"),
            ("http://[::1]/", "IPv6"), ("http://[fe80::1]:80/", "IPv6"),
            ("http://host/a b", "printable"), ("http://host/\r\nX: y", "printable"),
            ("http://host/\x7f", "printable"), ("http://h\xf6st/", "printable")):
        assert told in (refusal(target, url) or ""), url


def test_the_length_of_a_url():
    url = "http://host/" + "x" * 1988
    assert target(url)[3] == url[11:]
    assert "2000" in refusal(target, url + "x")


def test_where_redirects_lead():
    plain = (False, "host", 8080, "/old")
    safe = (True, "host", 443, "/old")
    for where, location, wanted in (
            (plain, b"/new?x", (False, "host", 8080, "/new?x")),
            (safe, b"/new", (True, "host", 443, "/new")),
            (plain, b"http://other/", (False, "other", 80, "/")),
            (plain, b"https://other:1/x", (True, "other", 1, "/x")),
            (safe, b"https://other/", (True, "other", 443, "/"))):
        assert redirected(where, location) == wanted


def test_redirects_that_are_not_followed():
    safe = (True, "host", 443, "/old")
    for location, told in (
            (b"http://host/", "from https to http"), (b"//host/x", "no http"),
            (b"new", "no http"), (b"?x", "no http"), (b"", "no http"), (b"\xff\xfe", "no http"),
            (b"https://u:p@host/", "user, password"), (b"/a b", "printable")):
        assert told in (refusal(redirected, safe, location) or ""), location


# Answers


def test_a_range_is_the_one_asked_for():
    for offset in (0, 7, 99):
        fields = {b"content-range": b"bytes %d-99/100" % offset}
        assert body_start(206, fields, offset, 100) == offset


def test_other_ranges_are_refused():
    for got in (b"bytes 1-99/100", b"bytes 70-99/100", b"bytes 7-99/1000", b"bytes 7-99/10",
                b"bytes 7-99/*", b"bytes */100", b"7-99/100", b"bytes=7-99/100", b""):
        assert "size or range" in (
            refusal(body_start, 206, {b"content-range": got}, 7, 100) or ""), got
    assert refusal(body_start, 206, {b"content-length": b"93"}, 7, 100)


def test_a_server_without_ranges_begins_at_0():
    assert body_start(200, {b"content-length": b"100"}, 7, 100) == 0
    for fields in ({}, {b"content-length": b"1000"}, {b"content-length": b"93"},
                   {b"content-range": b"bytes 7-99/100"}):
        assert "size or range" in refusal(body_start, 200, fields, 7, 100)


def test_chunks_are_refused():
    for status in (200, 206):
        fields = {b"transfer-encoding": b"chunked", b"content-length": b"100",
                  b"content-range": b"bytes 7-99/100"}
        assert "chunks" in refusal(body_start, status, fields, 7, 100)


def test_which_answers_are_final():
    for status in (201, 204, 300, 304, 400, 401, 403, 404, 410, 416):
        assert refusal(body_start, status, {}, 0, 100) == "the server answers HTTP %d" % status
    for status in (408, 429, 500, 502, 503, 504, 999):
        assert "HTTP %d" % status in str(raised(ValueError, body_start, status, {}, 0, 100))


# Requests


def request(path="/b", host="host.example", start=0):
    return ("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: homesync-node\r\n"
            "Accept-Encoding: identity\r\nRange: bytes=%d-99\r\nConnection: close\r\n\r\n"
            % (path, host, start)).encode()


def test_a_download():
    peer = Peer(HEADER % 0 + BUNDLE)
    names = Names(rounds=3)
    done = Download(peer, names=names)
    assert (done.error, done.data) == (None, BUNDLE)
    assert peer.sent == [request()]
    assert names.asked == "host.example" and peer.address == ("192.0.2.7", 80)
    assert names.closed == 1 and done.pauses_ms == []


def test_a_port_that_is_not_the_usual_one_is_named():
    for port, wanted in ((":80", ""), (":443", ":443"), (":8000", ":8000")):
        peer = Peer(HEADER % 40 + BUNDLE[40:])
        done = Download(peer, 40, url="http://host.example%s/b" % port)
        assert done.data == BUNDLE
        assert peer.sent == [request(host="host.example" + wanted, start=40)]


def test_a_request_that_leaves_in_small_parts():
    peer = Peer(HEADER % 0 + BUNDLE)
    peer.accepts = 7
    assert Download(peer).data == BUNDLE
    assert peer.sent == [request()]


def test_what_is_there_is_not_yielded_again():
    whole = b"HTTP/1.0 200 OK\nContent-Length:100\n\n"
    for have in (0, 1, 50, 99):
        done = Download(Peer(whole + BUNDLE), have)
        assert done.data == BUNDLE, have


def test_with_all_there_nothing_is_asked_for():
    peer = Peer()
    assert Download(peer, 100).rounds == 0
    assert peer.sent == []


# Waits, at their real length


def test_attempts_and_pauses():
    peer = Peer(*[b""] * 8)
    done = Download(peer)
    assert done.error == "8 attempts failed: the connection ended in the header"
    assert len(peer.sent) == 8
    assert done.pauses_ms == [1000, 2000, 4000, 8000, 16000, 30000, 30000]


def test_a_new_byte_starts_the_count_again():
    peer = Peer(b"", b"", HEADER % 0 + BUNDLE[:1], b"", HEADER % 1 + BUNDLE[1:])
    done = Download(peer)
    assert done.data == BUNDLE
    assert peer.sent[2:] == [request(), request(start=1), request(start=1)]
    assert done.pauses_ms == [1000, 2000, 1000, 2000]


def test_each_wait_ends_after_15_s():
    for coming, ready, rounds, told in (
            (HEADER, OUT, 9999, "does not answer"),  # no address
            (HEADER, 0, 0, "does not answer"),  # no connection
            (None, OUT, 0, "does not answer"),  # no byte
            ):
        peer = Peer(*[coming] * 8)
        peer.ready = ready
        done = Download(peer, names=Names(rounds), step_ms=50)
        assert told in done.error
        waited_ms = ticks_diff(done.ticks(), Ticks()()) - 91000
        assert 8 * 15000 <= waited_ms <= 8 * 15200, waited_ms


def test_a_request_that_does_not_leave_ends_after_15_s():
    peer = Peer()
    peer.accepts = 0
    done = Download(peer, step_ms=50)
    assert "does not answer" in done.error
    assert 8 * 15000 <= ticks_diff(done.ticks(), Ticks()()) - 91000 <= 8 * 15200


def test_the_answer_has_15_s_of_its_own():
    peer = Peer(HEADER % 0 + BUNDLE)
    peer.silent = 140
    done = Download(peer, names=Names(rounds=140), step_ms=100)
    assert done.data == BUNDLE and len(peer.sent) == 1


def test_an_answer_found_after_a_long_tick_counts():
    assert Download(Peer(HEADER % 0 + BUNDLE), step_ms=14000).data == BUNDLE


# Faults of the connection


def test_a_connection_that_is_refused_says_so():
    peer = Peer(*[b""] * 8)
    peer.ready = OUT | ERR | HUP
    done = Download(peer)
    assert done.error.startswith("8 attempts failed: ") and str(errno.ECONNREFUSED) in done.error


def test_no_route_is_tried_again():
    peer = Peer()
    peer.fault = errno.EHOSTUNREACH
    done = Download(peer)
    assert "8 attempts" in done.error and len(done.pauses_ms) == 7


def test_no_memory_is_tried_again():
    class Full(Names):
        def lookup(self, host):
            raise MemoryError("no room")

    done = Download(Peer(), names=Full())
    assert done.error == "8 attempts failed: no room"


# TLS


class Wrap:
    """Stands for `Secure`; the handshake takes `steps` writes, and ends with `fault`."""

    def __init__(self, steps=2, fault=None):
        self.steps = steps
        self.fault = fault

    def wrap(self, sock, host):
        self.below = sock
        self.host = host
        return self

    def explained(self, error):
        return ValueError("the server's fault: %s" % error)

    def write(self, data):
        self.steps -= 1
        if self.steps >= 0:
            return None
        if self.fault:
            raise self.fault
        return self.below.write(data)

    def readline(self, most):
        return self.below.readline(most)

    def readinto(self, view):
        return self.below.readinto(view)

    def close(self):
        self.below.close()


def test_over_tls():
    peer = Peer(HEADER % 0 + BUNDLE)
    secure = Wrap()
    done = Download(peer, url="https://host.example/b", secure=secure)
    assert done.data == BUNDLE
    assert secure.host == "host.example" and peer.address[1] == 443
    assert peer.sent == [request()]


def test_a_certificate_is_refused_once_and_for_all():
    peer = Peer()
    done = Download(peer, url="https://broker.example/b", secure=Wrap(fault=ValueError("old")))
    assert done.error == "broker.example: the server's fault: old"
    assert len(peer.sent) == 1


def test_a_handshake_that_breaks_is_tried_again():
    peer = Peer()
    done = Download(peer, url="https://host.example/b", secure=Wrap(fault=OSError(-1, "cut")))
    assert done.error.startswith("8 attempts failed: host.example: the server's fault:")
    assert len(peer.sent) == 8


def test_a_node_without_tls_says_so_before_it_asks():
    def none():
        raise Refused("http", "no TLS on this chip")

    peer = Peer()
    assert Download(peer, url="https://host.example/b", secure=none).error == "no TLS on this chip"
    assert peer.sent == []
