# A web server of one file on a loopback port, with the faults that a download meets.
import re
import socket
import ssl
import struct
import threading
import time


class HttpServer:
    """Serves `content` under every path, one connection at a time, one request for each.

    files     certificate and key, to be a TLS server; None for plain TCP
    script    what happens at the next requests, one entry for each: functions that take an
              `Exchange`; afterwards all goes well
    requests  the exchanges so far
    """

    def __init__(self, content, files=None):
        self.content = content
        self.script = []
        self.requests = []
        self._tls = None
        if files:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*files)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def log(self):
        return [one.head for one in self.requests]

    def url(self, path="/bundle", host="127.0.0.1"):
        return "http%s://%s:%d%s" % ("s" if self._tls else "", host, self.port, path)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(20)

    def _serve(self):
        while True:
            try:
                peer = self._socket.accept()[0]
            except OSError:
                return
            peer.settimeout(10)
            try:
                if self._tls:
                    peer = self._tls.wrap_socket(peer, server_side=True)
                exchange = Exchange(peer, self.content)
                self.requests.append(exchange)
                (self.script.pop(0) if self.script else good)(exchange)
            except OSError:  # the node has gone, or refuses the certificate
                pass
            finally:
                peer.close()


class Exchange:
    """One request, and the way to answer it.

    head: the request as text; path: what it asks for; start: where its range begins; ended: when
    the node closed the connection, by `time.monotonic`, None if nobody waited for that.
    """

    def __init__(self, peer, content):
        self._peer = peer
        self.content = content
        self.ended = None
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            got = peer.recv(1)
            if not got:
                raise ConnectionError("no request")
            data += got
        self.head = data.decode()
        self.path = self.head.split(" ")[1]
        self.start = int(re.search(r"\r\nRange: bytes=(\d+)-", self.head).group(1))

    def header(self):
        """The right header for the range that is asked for."""
        end = len(self.content)
        return ("HTTP/1.1 206 Partial Content\r\nServer: test\r\nContent-Length: %d\r\n"
                "Content-Range: bytes %d-%d/%d\r\n\r\n"
                % (end - self.start, self.start, end - 1, end)).encode()

    def response(self):
        return self.header() + self.content[self.start:]

    def send(self, data):
        self._peer.sendall(data)

    def wait_for_end(self):
        """Until the node closes the connection."""
        try:
            while self._peer.recv(4096):
                pass
        except ConnectionError:
            pass
        self.ended = time.monotonic()

    def reset(self):
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._peer.close()


# Entries for `HttpServer.script`


def good(exchange):
    """All that is asked for."""
    exchange.send(exchange.response())


def cut(count):
    """The first `count` bytes of the response, then the end of the connection."""
    return lambda exchange: exchange.send(exchange.response()[:count])


def reset(count):
    """The same, but by RST."""

    def act(exchange):
        exchange.send(exchange.response()[:count])
        exchange.reset()

    return act


def stall(count):
    """The same, but then nothing more."""

    def act(exchange):
        exchange.send(exchange.response()[:count])
        exchange.wait_for_end()

    return act


def dribble(step, pause_s=0.0):
    """The whole response, `step` bytes at a time."""

    def act(exchange):
        data = exchange.response()
        for at in range(0, len(data), step):
            exchange.send(data[at:at + step])
            time.sleep(pause_s)

    return act


def head(status, *lines, body=b""):
    """A response of this status line (without the version) and these header lines."""

    def act(exchange):
        exchange.send("\r\n".join(("HTTP/1.1 " + status,) + lines + ("", "")).encode() + body)

    return act


def redirect(location, status="302 Found"):
    return head(status, "Location: " + location)


def whole(exchange):
    """As servers answer that know no ranges."""
    head("200 OK", "content-length:%d" % len(exchange.content), body=exchange.content)(exchange)


def endless(exchange):
    """A header without an end."""
    exchange.send(b"HTTP/1.1 206 Partial Content\r\n")
    while True:
        exchange.send(b"X-Filler: 0123456789\r\n" * 100)


def endless_hints(exchange):
    """One announcement after the other."""
    while True:
        exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)


def says(data):
    """These bytes."""
    return lambda exchange: exchange.send(data)
