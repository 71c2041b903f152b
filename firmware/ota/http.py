"""Fetches a bundle by HTTP or HTTPS, a step at a time. Loaded for it, then dropped.

Only offsets and sizes are checked here: the signed hash decides whether what came is the bundle.
"""

import errno
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from ..dial import dial
from ..mqtt.commands import Refused

# Not `const`: tests do not wait that long.
TIMEOUT_MS = 15000  # for the way to the server, then for the header, then without a byte
PAUSE_MS = 1000  # before the second attempt; then twice as long each time,
MOST_PAUSE_MS = 30000  # up to this

_ATTEMPTS = const(8)  # in a row without a new byte
_REDIRECTS = const(3)
_URL_CHARS = const(2000)  # what release pages redirect to has a signature in it
_PIECE_BYTES = const(1024)
_LINE_BYTES = const(2048)
_HEADER_BYTES = const(16384)
_WANTED = (b"location", b"content-length", b"content-range", b"transfer-encoding")


def pieces(url, size, have, resolver, secure):
    """Yields None while it waits, or a piece of the bundle, from offset `have()` on.

    A piece is a memoryview of 1 to 1,024 bytes, valid until the next one. Each attempt begins at
    what `have()`, the number of bytes that are safe, says then; it is asked only between two
    attempts, so it may drop what is not safe. The generator ends when that is `size`, the size of
    the whole bundle; `close()` it to stop before.
    resolver: `Resolver`; secure() makes a `Secure` for https, or raises Refused.
    Raises Refused("http", message) when there is no point in going on.
    """
    first = target(url)
    view = memoryview(bytearray(_PIECE_BYTES))
    best = have()
    failed = 0
    while best < size:
        trouble = "not all that came was taken"
        try:
            where = first
            for _ in range(_REDIRECTS + 1):
                where = yield from _get(where, size, have, view, resolver, secure)
                if where is None:
                    break
            else:
                raise Refused("http", "more than %d redirects" % _REDIRECTS)
        except (OSError, ValueError, MemoryError) as e:  # TLS raises the first two
            trouble = str(e)
        if have() > best:
            best = have()
            failed = 0
        if best < size:
            failed += 1
            if failed == _ATTEMPTS:
                raise Refused("http", "%d attempts failed: %s" % (_ATTEMPTS, trouble))
            until = ticks_add(ticks_ms(), min(PAUSE_MS << failed - 1, MOST_PAUSE_MS))
            while ticks_diff(until, ticks_ms()) > 0:
                yield None


def target(url):
    """(whether TLS, host, port, path with query) of a URL; raises Refused."""
    if len(url) > _URL_CHARS or not all("!" <= c <= "~" for c in url):
        raise Refused("http", "a URL has up to %d printable ASCII characters" % _URL_CHARS)
    tls = url.startswith("https://")
    if not tls and not url.startswith("http://"):
        raise Refused("http", "no http:// or https:// URL: " + url)
    url = url.split("#", 1)[0]
    at = start = 8 if tls else 7
    while url[at:at + 1] not in "/?":  # true at the end, too
        at += 1
    host = url[start:at]
    path = url[at:]
    if path[:1] != "/":
        path = "/" + path
    port = 443 if tls else 80
    if "@" in host or "[" in host:
        raise Refused("http", "no user, password or IPv6 address may be in a URL")
    if ":" in host:
        host, port = host.split(":", 1)
        port = int(port) if port.isdigit() else 0
    if not host or not 0 < port < 65536:
        raise Refused("http", "the host or port of the URL is wrong")
    return tls, host, port, path


def redirected(where, location):
    """The target that a redirect from the target `where` leads to; raises Refused."""
    tls, host, port, _ = where
    try:
        location = str(location, "utf-8")
    except ValueError:  # UnicodeError is one
        location = ""
    if location[:1] == "/" and location[:2] != "//":
        location = "http%s://%s:%d%s" % ("s" if tls else "", host, port, location)
    where = target(location)
    if tls and not where[0]:
        raise Refused("http", "redirected from https to http")
    return where


def body_start(status, fields, offset, size):
    """Where in the bundle the body of a response begins: at `offset` or 0.

    fields: {name in lower case: value}, both bytes. Raises Refused, or ValueError if it may be
    different next time.
    """
    if status >= 500 or status in (408, 429):
        raise ValueError("the server answers HTTP %d" % status)
    if status not in (200, 206):
        raise Refused("http", "the server answers HTTP %d" % status)
    if b"transfer-encoding" in fields:
        raise Refused("http", "the server sends it in chunks, which this node does not read")
    if status == 200:  # it knows no ranges
        if fields.get(b"content-length") == b"%d" % size:
            return 0
    else:
        got = fields.get(b"content-range", b"")
        if got.startswith(b"bytes %d-" % offset) and got.endswith(b"/%d" % size):
            return offset
    raise Refused("http", "the server sends another size or range than that of %d bytes from %d"
                  % (size, offset))


def _get(where, size, have, view, resolver, secure):
    # One request. Yields as `pieces`; returns the target that it is redirected to, else None.
    tls, host, port, path = where
    if tls:
        secure = secure()
    until = ticks_add(ticks_ms(), TIMEOUT_MS)
    s = yield from dial(host, port, resolver, lambda ip: _in_time(until))
    try:
        offset = have()
        request = ("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: homesync-node\r\n"
                   "Accept-Encoding: identity\r\nRange: bytes=%d-%d\r\nConnection: close\r\n\r\n"
                   % (path, host if port == (443 if tls else 80) else "%s:%d" % (host, port),
                      offset, size - 1)).encode()
        try:
            if tls:
                s = secure.wrap(s, host)
            while request:
                sent = s.write(request)  # with TLS the handshake goes on in here
                if sent:
                    request = request[sent:]
                else:
                    yield _in_time(until)
        except (OSError, ValueError) as e:
            if not tls:
                raise
            told = "%s: %s" % (host, secure.explained(e))
            if isinstance(e, ValueError):  # the certificate, not the network
                raise Refused("http", told)
            raise ValueError(told)
        until = ticks_add(ticks_ms(), TIMEOUT_MS)
        status = 100
        while status < 200:  # such a header announces another one
            _in_time(until)
            status, fields = yield from _header(s, until)
        if status in (301, 302, 303, 307, 308):
            return redirected(where, fields.get(b"location", b""))
        at = body_start(status, fields, offset, size)
        until = ticks_add(ticks_ms(), TIMEOUT_MS)
        while at < size:
            n = s.readinto(view[:min(_PIECE_BYTES, size - at)])
            if n is None:
                yield _in_time(until)
                continue
            if not n:
                raise ValueError("the connection ended at byte %d" % at)
            until = ticks_add(ticks_ms(), TIMEOUT_MS)
            at += n
            yield view[max(0, n - at + offset):n] if at > offset else None
    finally:
        s.close()


def _header(s, until):
    # Returns (status, fields) of a response, a line each step.
    status = total = 0
    fields = {}
    while True:
        line = b""
        while line[-1:] != b"\n":
            part = s.readline(_LINE_BYTES)
            if part is None:
                yield _in_time(until)
                continue
            if not part:
                raise ValueError("the connection ended in the header")
            total += len(part)
            if total > _HEADER_BYTES:
                raise ValueError("the header is too long")
            line += part
            if len(line) > _LINE_BYTES:  # of such a line the beginning will do, and the end
                line = line[:_LINE_BYTES] + part[-1:]
        yield None
        line = line.rstrip(b"\r\n")
        if not status:
            words = line.split(b" ")
            if words[0][:7] != b"HTTP/1." or len(words) < 2 or not words[1].isdigit():
                raise ValueError("what answers is no HTTP server")
            status = int(words[1])
        elif line:
            name = line.split(b":", 1)[0]
            value = line[len(name) + 1:].strip()
            name = name.lower()
            if name in _WANTED and len(line) < _LINE_BYTES:
                fields[name] = value
        else:
            return status, fields


def _in_time(until):
    # None, to be yielded where nothing has come: a long tick must not turn an answer into a
    # time-out.
    if ticks_diff(until, ticks_ms()) <= 0:
        raise OSError(errno.ETIMEDOUT, "the server does not answer")
