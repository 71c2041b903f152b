# The download of a bundle by HTTP(S), on real MicroPython, from a server that misbehaves.
import contextlib
import socket
import threading
import time

import pytest
from conftest import shown
from downloader import CONTENT, Downloader, complete, refused

from host_tests.support import http_server as web
from host_tests.support.certificates import Authority
from host_tests.support.dns_server import DnsServer
from host_tests.support.http_server import HttpServer

HEADER_BYTES = len(b"HTTP/1.1 206 Partial Content\r\nServer: test\r\nContent-Length: 6000\r\n"
                   b"Content-Range: bytes 0-5999/6000\r\n\r\n")
ATTEMPTS = 8


@pytest.fixture(scope="module")
def downloader(tools):
    with contextlib.closing(Downloader(tools.micropython32)) as one:
        yield one


@pytest.fixture
def download(downloader):
    with shown("download", downloader):
        yield downloader


@pytest.fixture
def server():
    with HttpServer(CONTENT) as one, shown("web server", one):
        yield one


class Secured:
    """The CA, and files of certificates that it made for servers."""

    def __init__(self, folder):
        ca = Authority(folder)
        self.pem = ca.pem
        self._made = {
            "good": ca.server("good"),
            "expired": ca.server("expired", first_day=-9, last_day=-2),
            "wrong_host": ca.server("wrong_host", hosts=("other.example",)),
            "unknown_ca": Authority(folder, "another CA").server("unknown_ca"),
            "named": ca.server("named", hosts=("broker.test",)),
        }

    def server(self, name):
        files = [line.split(" ", 1)[1] for line in self._made[name]]
        return HttpServer(CONTENT, files)


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    return Secured(tmp_path_factory.mktemp("certificates"))


# Well served


def test_all_of_it(download, server):
    result = download(server.url("/a/b?c=d#e"))
    assert complete(result)
    assert result["largest"] == 1024
    assert [one.head for one in server.requests] == [
        "GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: homesync-node\r\n"
        "Accept-Encoding: identity\r\nRange: bytes=0-5999\r\nConnection: close\r\n\r\n"
        % server.port]


@pytest.mark.parametrize("have", [1, 1024, 4096, 5999])
def test_the_rest_of_it(download, server, have):
    assert complete(download(server.url(), have=have), have)
    assert [one.start for one in server.requests] == [have]


@pytest.mark.parametrize("have", [0, 1, 1023, 1024, 1025, 4096, 5999])
def test_a_server_without_ranges_sends_again_what_is_there(download, server, have):
    server.script = [web.whole]
    assert complete(download(server.url(), have=have), have)
    assert len(server.requests) == 1


def test_nothing_is_asked_for_when_all_is_there(download, server):
    assert complete(download(server.url(), have=len(CONTENT)), len(CONTENT))
    assert not server.requests


def test_a_byte_at_a_time(download, server):
    server.script = [web.dribble(1)]
    assert complete(download(server.url()))


def test_a_slow_server_is_waited_for_while_it_sends(download, server):
    server.script = [web.dribble(1000, 0.2)]  # 1.4 s, the limit without a byte is 0.3
    assert complete(download(server.url()))
    assert len(server.requests) == 1


def test_a_host_with_a_name(download, server):
    with DnsServer({"web.test": "127.0.0.1"}, delay_s=0.5) as dns:
        result = download(server.url(host="web.test"), dns=[dns.address], TIMEOUT_MS=5000)
    assert complete(result)
    assert result["rounds"] > 40  # it went on while the name was looked up
    assert "\r\nHost: web.test:%d\r\n" % server.port in server.requests[0].head


def test_a_header_that_announces_another(download, server):
    server.script = [lambda exchange: exchange.send(
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + exchange.response())]
    assert complete(download(server.url()))
    assert len(server.requests) == 1


# Cut, reset, stalled


@pytest.mark.parametrize("fault", [web.cut, web.reset])
def test_a_cut_after_every_byte_of_the_header(download, server, fault):
    for count in range(HEADER_BYTES + 2):
        server.script = [fault(count)]
        server.requests.clear()
        assert complete(download(server.url()))
        starts = [one.start for one in server.requests]
        # An RST may overtake the byte before it.
        assert starts == [0, max(0, count - HEADER_BYTES)] or fault is web.reset \
            and starts == [0, 0], count


@pytest.mark.parametrize("block", [1, 1000, 4096])
def test_cuts_in_the_body(download, server, block):
    for count in (1, 2, 999, 1000, 1023, 1024, 1025, 4095, 4096, 4097, 5998, 5999):
        server.script = [web.cut(HEADER_BYTES + count)]
        server.requests.clear()
        assert complete(download(server.url(), block=block))
        assert [one.start for one in server.requests] == [0, count // block * block]


def test_cuts_without_end_do_not_matter_while_bytes_come(download, server):
    server.script = [lambda exchange: exchange.send(exchange.header() + exchange.content[
        exchange.start:exchange.start + 300])] * 30
    assert complete(download(server.url()))
    assert [one.start for one in server.requests] == list(range(0, 6000, 300))


@pytest.mark.parametrize("count", [0, 20, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 2500])
def test_a_stall_is_given_up_and_asked_again(download, server, count):
    server.script = [web.stall(count)]
    start = time.monotonic()
    assert complete(download(server.url()))
    assert 0.3 <= time.monotonic() - start < 5
    assert [one.start for one in server.requests] == [0, max(0, count - HEADER_BYTES)]


def test_a_header_that_takes_too_long_in_all(download, server):
    server.script = [web.dribble(1, 0.01)]  # 1 s
    assert complete(download(server.url()))
    assert len(server.requests) == 2


@pytest.mark.parametrize("answer, told", [
    (web.cut(10), "the connection ended in the header"),
    (web.cut(HEADER_BYTES), "the connection ended at byte 0"),
    (web.reset(0), "ECONNRESET"),
    (web.stall(10), "does not answer"),
    (web.endless, "too long"),
    (web.endless_hints, "does not answer"),
    (web.head("206 Partial Content", *["X-Line: %d" % n for n in range(1500)]), "too long"),
    (web.head("206 Partial Content", "X-Line: " + 17000 * "x"), "too long"),
    (web.says(100000 * b"x"), "too long"),
    (web.says(b"220 ftp.example ready\r\n"), "no HTTP"),
    (web.says(b"HTTP/1.1 fine\r\n\r\n"), "no HTTP"),
    (web.says(b"HTTP/1.1\r\n\r\n"), "no HTTP"),
    (web.says(b"\r\n\r\n"), "no HTTP"),
    (web.head("500 Internal Server Error"), "HTTP 500"),
    (web.head("429 Too Many Requests"), "HTTP 429"),
    (web.head("408 Request Timeout"), "HTTP 408"),
])
def test_what_may_pass_is_tried_eight_times(download, server, answer, told):
    server.script = [answer] * (ATTEMPTS - 1)
    assert complete(download(server.url()))
    server.script = [answer] * ATTEMPTS
    server.requests.clear()
    assert refused(download(server.url()), "8 attempts failed: ", told)
    assert len(server.requests) == ATTEMPTS


def test_bytes_that_are_not_new_do_not_count(download, server):
    server.script = [web.cut(HEADER_BYTES + 4000)] * ATTEMPTS
    result = download(server.url(), block=4096)
    assert refused(result, "the connection ended at byte 4000")
    assert len(server.requests) == ATTEMPTS and result["bytes"] == 0


def test_the_pauses_grow_to_a_limit(download, server):
    server.script = [web.cut(0)] * ATTEMPTS
    start = time.monotonic()
    assert refused(download(server.url(), PAUSE_MS=10, MOST_PAUSE_MS=300))
    # 10, 20 ... 160, 300, 300 ms
    assert 0.91 <= time.monotonic() - start < 5


def test_nobody_listens(download, dead_port):
    assert refused(download("http://127.0.0.1:%d/" % dead_port), "ECONNREFUSED")


def test_a_server_that_does_not_accept(download):
    # Its queue of connections is full, so a SYN gets no answer.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        others = [socket.socket() for _ in range(3)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        result = download("http://127.0.0.1:%d/" % port, TIMEOUT_MS=100)
        for other in others:
            other.close()
    assert refused(result, "does not answer")


def test_no_name_server_answers(download, server):
    with DnsServer({}) as dns:
        assert refused(download(server.url(host="web.test"), dns=[dns.address]),
                       "there is no host web.test")
    assert not server.requests


def test_stopped_in_the_middle_the_connection_is_closed(download, server):
    server.script = [web.stall(HEADER_BYTES + 2048)]
    result = download(server.url(), stop_at=2048)
    assert result["error"] is None and result["bytes"] == 2048
    deadline = time.monotonic() + 5
    while server.requests[0].ended is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.requests[0].ended


# Answers that are final


RANGE = "Content-Range: bytes %s"


@pytest.mark.parametrize("answer, told", [
    (web.head("404 Not Found"), "HTTP 404"),
    (web.head("401 Unauthorized"), "HTTP 401"),
    (web.head("416 Range Not Satisfiable", RANGE % "*/5000"), "HTTP 416"),
    (web.head("204 No Content"), "HTTP 204"),
    (web.head("304 Not Modified"), "HTTP 304"),
    (web.head("206 Partial Content", "Content-Length: 6000"), "another size or range"),
    (web.head("206 Partial Content", RANGE % "0-5999/6001"), "another size or range"),
    (web.head("206 Partial Content", RANGE % "0-5999/16000"), "another size or range"),
    (web.head("206 Partial Content", RANGE % "0-5999/*"), "another size or range"),
    (web.head("206 Partial Content", RANGE % "1-5999/6000"), "another size or range"),
    (web.head("206 Partial Content", RANGE % "00-5999/6000"), "another size or range"),
    (web.head("200 OK", "Content-Length: 5999"), "another size or range"),
    (web.head("200 OK", "Content-Length: 60000"), "another size or range"),
    (web.head("200 OK"), "another size or range"),
    (web.head("200 OK", "Transfer-Encoding: chunked", "Content-Length: 6000"), "chunks"),
    (web.head("206 Partial Content", RANGE % "0-5999/6000", "TRANSFER-ENCODING:chunked"),
     "chunks"),
])
def test_an_answer_that_stays_what_it_is(download, server, answer, told):
    server.script = [answer]
    assert refused(download(server.url()), told)
    assert len(server.requests) == 1


def test_a_bundle_that_changes_its_size_in_between(download, server):
    server.script = [web.cut(HEADER_BYTES + 1000),
                     web.head("206 Partial Content", RANGE % "1000-6999/7000")]
    result = download(server.url())
    assert refused(result, "another size or range") and result["bytes"] == 1000


def test_more_than_the_bundle_is_not_taken(download, server):
    server.script = [lambda exchange: exchange.send(exchange.response() + b"more")]
    assert complete(download(server.url()))


def test_a_shorter_range_than_asked_for_is_taken(download, server):
    server.script = [web.head("206 Partial Content", RANGE % "0-2999/6000", "Content-Length: 3000",
                              body=CONTENT[:3000])]
    assert complete(download(server.url()))
    assert [one.start for one in server.requests] == [0, 3000]


# Redirects


@pytest.mark.parametrize("status", [
    "301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect",
    "308 Permanent Redirect"])
def test_redirects_are_followed(download, server, status):
    with HttpServer(CONTENT) as other:
        server.script = [web.redirect(other.url("/there?x"), status)]
        assert complete(download(server.url(), have=100), 100)
        assert [(one.path, one.start) for one in other.requests] == [("/there?x", 100)]


def test_a_redirect_within_the_host(download, server):
    server.script = [web.redirect("/there#top")]
    assert complete(download(server.url()))
    assert [one.path for one in server.requests] == ["/bundle", "/there"]


def test_three_redirects_and_no_more(download, server):
    server.script = [web.redirect("/%d" % n) for n in range(3)]
    assert complete(download(server.url()))
    server.script = [web.redirect("/bundle") for _ in range(9)]
    server.requests.clear()
    assert refused(download(server.url()), "more than 3 redirects")
    assert len(server.requests) == 4


def test_after_a_cut_the_redirect_is_asked_for_again(download, server):
    # It may lead to a server of the moment, or to a URL that expires.
    server.script = [web.redirect("/one"), web.cut(HEADER_BYTES + 500), web.redirect("/two")]
    assert complete(download(server.url()))
    assert [(one.path, one.start) for one in server.requests] == [
        ("/bundle", 0), ("/one", 0), ("/bundle", 500), ("/two", 500)]


@pytest.mark.parametrize("location, told", [
    ("", "no http:// or https:// URL"),
    ("bundle", "no http:// or https:// URL"),
    ("//127.0.0.1/bundle", "no http:// or https:// URL"),
    ("ftp://127.0.0.1/bundle", "no http:// or https:// URL"),
    ("http://user:word@127.0.0.1/", "no user, password"),
    ("http://[::1]/bundle", "IPv6"),
    ("http://127.0.0.1:99999/", "port"),
    ("http:///bundle", "host"),
    ("/a b", "printable ASCII"),
    ("/ü", "printable ASCII"),
    ("/" + 2000 * "x", "2000"),
    ("https://127.0.0.1/", "TLS"),
])
def test_redirects_to_nowhere(download, server, location, told):
    server.script = [web.redirect(location)]
    assert refused(download(server.url()), told)
    assert len(server.requests) == 1


def test_a_location_that_is_no_text(download, server):
    server.script = [web.says(b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n")]
    assert refused(download(server.url()), "no http:// or https:// URL")


# TLS


def test_over_tls(download, secured):
    with secured.server("good") as server:
        assert complete(download(server.url(), ca=secured.pem))
        server.script = [web.cut(HEADER_BYTES + 2000), web.reset(0), web.stall(50),
                         web.dribble(100)]
        assert complete(download(server.url(), have=10, ca=secured.pem), 10)
        assert [one.start for one in server.requests] == [0, 10, 2009, 2009, 2009]


def test_the_name_of_a_tls_server_is_checked(download, secured):
    with DnsServer({"broker.test": "127.0.0.1", "other.test": "127.0.0.1"}) as dns, \
            secured.server("named") as server:
        assert complete(download(server.url(host="broker.test"), ca=secured.pem,
                                 dns=[dns.address]))
        assert refused(download(server.url(host="other.test"), ca=secured.pem,
                                dns=[dns.address]),
                       "other.test: the server's certificate is for another host")
        assert len(server.requests) == 1


@pytest.mark.parametrize("name, told", [
    ("expired", "the server's certificate has expired"), ("wrong_host", "wrong host"),
    ("unknown_ca", "unknown CA")])
def test_a_bad_certificate_is_final_and_told(download, secured, name, told):
    with secured.server(name) as server:
        started = time.monotonic()
        assert refused(download(server.url(), ca=secured.pem, PAUSE_MS=5000), told)
        assert time.monotonic() - started < 4
        assert not server.requests  # nothing has been said to it


def test_https_without_tls(download, secured):
    with secured.server("good") as server:
        assert refused(download(server.url()), "https needs TLS")
        assert not server.requests


def test_a_redirect_to_https_is_followed_but_not_back(download, secured, server):
    with secured.server("good") as safe:
        server.script = [web.redirect(safe.url("/safe"))]
        assert complete(download(server.url(), ca=secured.pem))
        assert [one.path for one in safe.requests] == ["/safe"]
        safe.script = [web.redirect(server.url())]
        assert refused(download(safe.url(), ca=secured.pem), "from https to http")
        safe.script = [web.redirect("/there")]
        assert complete(download(safe.url(), ca=secured.pem))
        assert safe.requests[-1].path == "/there"
        assert len(server.requests) == 1


def test_https_to_a_plain_port_is_tried_again(download, secured):
    # A handshake that is cut looks the same.
    with socket.create_server(("127.0.0.1", 0)) as plain:
        accepted = []

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    peer = plain.accept()[0]
                    accepted.append(peer)
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    peer.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = "https://127.0.0.1:%d/" % plain.getsockname()[1]
        assert refused(download(url, ca=secured.pem), "8 attempts failed", "does not speak TLS")
        assert len(accepted) == ATTEMPTS
        plain.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_stalled_handshake_ends_in_time(download, secured):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = "https://127.0.0.1:%d/" % mute.getsockname()[1]
        started = time.monotonic()
        assert refused(download(url, ca=secured.pem, TIMEOUT_MS=100), "handshake", "not answered")
        assert 0.8 <= time.monotonic() - started < 5
