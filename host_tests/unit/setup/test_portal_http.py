"""The web server of the setup portal, on sockets of the test's own."""

from firmware.setup import http_server
from firmware.setup.http_server import Bad, HttpServer
from host_tests.unit.fakes import Log, Patched, Ticks, raised

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Peer:
    """An accepted connection: `coming` are pieces to be read (b"": closed, an exception: raised),
    `room` is how much of an answer it takes at a time, None for all."""

    def __init__(self, *coming, room=None):
        self.coming = list(coming)
        self.room = room
        self.got = b""
        self.closed = False

    def setblocking(self, blocking):
        assert not blocking

    def read(self, most):
        if not self.coming:
            return None
        piece = self.coming.pop(0)
        if isinstance(piece, Exception):
            raise piece
        if len(piece) > most:
            self.coming.insert(0, piece[most:])
        return piece[:most]

    def readinto(self, view):
        piece = self.read(len(view))
        if piece is None:
            return None
        view[:len(piece)] = piece
        return len(piece)

    def write(self, data):
        taken = len(data) if self.room is None else min(self.room, len(data))
        self.got += data[:taken]
        return taken or None

    def close(self):
        self.closed = True


class Listener:
    """A socket that listens; the poll of the server is asked for `waiting`."""

    def __init__(self, taken=None):
        self.waiting = []
        self.closed = False
        self.bound = None
        self.taken = taken

    def setblocking(self, blocking):
        assert not blocking

    def setsockopt(self, *_):
        pass

    def bind(self, address):
        if self.taken:
            raise self.taken
        self.bound = address

    def listen(self, _):
        pass

    def accept(self):
        return self.waiting.pop(0)

    def close(self):
        self.closed = True


class Bench:
    """Stands for the modules `socket` and `select`, too."""

    SOL_SOCKET = SO_REUSEADDR = POLLIN = 1

    def __init__(self, served="", handle=None, listener=None):
        self.listener = listener or Listener()
        self.ticks = Ticks()
        self.log = Log()
        self.asked = []
        with self._patched():
            self.server = HttpServer("192.168.4.1", 80, handle or self.handle, self.log, served)

    def _patched(self):
        return Patched(http_server, socket=self, select=self, ticks_ms=self.ticks)

    # socket, select and poll

    def socket(self):
        return self.listener

    def getaddrinfo(self, host, port):
        return [(2, 1, 0, "", (host, port))]

    def poll(self, timeout_ms=None):
        return self if timeout_ms is None else self.listener.waiting

    def register(self, *_):
        pass

    def handle(self, method, path, fields, body):
        self.asked.append((method, path, fields, bytes(body)))
        return 200, "X: y\r\n", "fine"

    def serve(self, *peers, address="192.168.4.2", steps=40):
        """Statuses of what the peers got after so many steps; None for no answer."""
        for peer in peers:
            self.listener.waiting.append((peer, (address, 1234)))
        with self._patched():
            for _ in range(steps):
                self.server.step()
        return [int(peer.got.split(b" ", 2)[1]) if peer.got else None for peer in peers]


def test_a_request_is_handed_on_and_answered():
    bench = Bench()
    peer = Peer(b"GET /a/b?c=d HTTP/1.1\r\nHOST:  A \r\nX-Token:t\r\nCookie: no\r\n\r\n")
    assert bench.serve(peer) == [200]
    assert bench.asked == [(b"GET", b"/a/b", {b"host": b"A", b"x-token": b"t"}, b"")]
    assert peer.got == (
        b"HTTP/1.1 200 \r\nContent-Length: 4\r\nConnection: close\r\nCache-Control: no-store\r\n"
        b"X-Content-Type-Options: nosniff\r\nX: y\r\n\r\nfine")
    assert peer.closed


def test_it_listens_where_it_was_told_to():
    assert Bench().listener.bound == ("192.168.4.1", 80)


def test_a_byte_at_a_time_is_a_request_too():
    whole = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    bench = Bench()
    peer = Peer(*[whole[at:at + 1] for at in range(len(whole))], room=7)
    assert bench.serve(peer, steps=200) == [200]
    assert bench.asked == [(b"POST", b"/x", {b"host": b"a", b"content-length": b"5"}, b"hello")]


def test_lines_may_end_without_a_carriage_return():
    assert Bench().serve(Peer(b"GET / HTTP/1.0\nHost: a\n\n")) == [200]


def test_what_comes_behind_the_body_is_left():
    bench = Bench()
    assert bench.serve(
        Peer(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\n\r\n")) == [200]
    assert [asked[3] for asked in bench.asked] == [b"ab"]


def test_refusals_have_their_status_and_say_why():
    for start, status in (
            (b"hello\r\n\r\n", 400), (b"GET x HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/2\r\n\r\n", 505), (b"GET / FTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\n\r\n", 411),
            (b"POST / HTTP/1.1\r\nContent-Length: 6145\r\n\r\n", 413),
            (b"POST / HTTP/1.1\r\nContent-Length: 9999999999999\r\n\r\n", 413),
            (b"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
            (b"GET /" + b"a" * 1100, 431), (b"GET / HTTP/1.1\r\nX: " + b"a" * 1100, 431),
            (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 800, 431)):
        bench = Bench()
        peer = Peer(start)
        assert bench.serve(peer) == [status]
        assert b"\r\nContent-Type: text/plain" in peer.got
        assert bench.asked == []


def test_what_a_handler_refuses_is_told():
    def handle(*_):
        raise Bad(418, "a teapot", "X: y\r\n")

    peer = Peer(GET)
    assert Bench(handle=handle).serve(peer) == [418]
    assert peer.got.endswith(b"X: y\r\n\r\na teapot")


def test_a_bug_of_a_handler_is_told_and_logged():
    def handle(*_):
        return {}["nothing"]

    bench = Bench(handle=handle)
    assert bench.serve(Peer(GET)) == [500]
    assert bench.log.has("internal error: KeyError")


def test_too_slow_is_told():
    for start in (b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"):
        bench = Bench()
        peer = Peer(start)
        assert bench.serve(peer) == [None]
        bench.ticks.sleep(http_server.REQUEST_MS - 1)
        assert bench.serve(steps=1) == [] and not peer.got
        bench.ticks.sleep(1)
        bench.serve()
        assert peer.got.startswith(b"HTTP/1.1 408 ")
        bench.ticks.sleep(1000)
        bench.serve()
        assert peer.closed


def test_who_says_nothing_at_all_is_dropped_without_a_word():
    bench = Bench()
    peer = Peer()
    bench.serve(peer)
    bench.ticks.sleep(http_server.REQUEST_MS)
    bench.serve()
    assert peer.closed and not peer.got


def test_who_does_not_read_is_dropped():
    bench = Bench()
    peer = Peer(GET, room=0)
    bench.serve(peer)
    bench.ticks.sleep(http_server.ANSWER_MS)
    bench.serve()
    assert peer.closed


def test_who_goes_away_is_forgotten():
    for end in (b"", OSError(104)):
        for start in (b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"):
            bench = Bench()
            peer = Peer(start, end)
            assert bench.serve(peer) == [None]
            assert peer.closed


def test_the_fourth_at_once_is_told_to_come_back():
    bench = Bench()
    three = [Peer(b"GET") for _ in range(3)]
    bench.serve(*three)
    fourth = Peer()
    assert bench.serve(fourth) == [503]
    assert b"Retry-After: 2" in fourth.got
    assert not any(peer.closed for peer in three)


def test_more_than_that_are_hung_up_on():
    bench = Bench()
    bench.serve(*[Peer(b"GET") for _ in range(3)])
    more = [Peer() for _ in range(4)]
    assert bench.serve(*more, steps=5) == [503, 503, None, None]
    assert [peer.closed for peer in more] == [False, False, True, True]


def test_one_that_was_opened_in_advance_makes_room():
    bench = Bench()
    early = Peer()
    bench.serve(Peer(b"GET"), early, Peer(b"GET"))
    assert bench.serve(Peer(GET)) == [200]
    assert early.closed


def test_one_body_at_a_time():
    bench = Bench()
    first = Peer(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab")
    bench.serve(first)
    assert bench.serve(Peer(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")) == [503]
    first.coming.append(b"c")
    bench.serve()
    assert first.got.startswith(b"HTTP/1.1 200 ")
    assert bench.serve(Peer(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")) == [200]


def test_only_the_network_that_is_served_is_heard():
    bench = Bench(served="192.168.4.")
    stranger = Peer(GET)
    assert bench.serve(stranger, address="192.168.40.2") == [None]
    assert stranger.closed and bench.asked == []
    assert bench.serve(Peer(GET), address="192.168.4.9") == [200]


def test_closing_closes_all():
    bench = Bench()
    peers = [Peer(b"GET"), Peer()]
    bench.serve(*peers)
    bench.server.close()
    assert bench.listener.closed and all(peer.closed for peer in peers)


def test_a_file_is_sent_in_pieces():
    class File:
        closed = False
        pieces = [b"a" * 512, b"b" * 88, b""]

        def read(self, most):
            assert most == 512
            return self.pieces.pop(0)

        def close(self):
            self.closed = True

    file = File()
    peer = Peer(GET, room=300)
    assert Bench(handle=lambda *_: (200, "", (file, 600))).serve(peer) == [200]
    assert b"Content-Length: 600\r\n" in peer.got
    assert peer.got.endswith(b"\r\n\r\n" + b"a" * 512 + b"b" * 88)
    assert file.closed


def test_a_port_that_is_taken_is_told_and_nothing_left_open():
    listener = Listener(OSError(98))
    assert raised(OSError, Bench, "", None, listener).args == (98,)
    assert listener.closed
