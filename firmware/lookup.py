# One look-up of a host name (RFC 1035). Loaded for it by the resolver.
import errno
import os
import socket
from time import ticks_diff, ticks_ms

from micropython import const

from .resolver import DnsError

RETRY_MS = 1500  # UDP gets lost: ask again, the next server if there are several
_TRIES = const(3)
_ANSWER_BYTES = const(512)  # the most a server sends over UDP without EDNS (RFC 1035, 4.2.1)
_A = const(1)
_CNAME = const(5)
_IN = const(1)


class Lookup:
    """One question. `poll()` returns the address, or None while it is not known yet.

    It raises DnsError when the name does not exist. When nobody gives a good answer, the address
    of last time is better than none; without one the DnsError tells the last trouble.
    """

    def __init__(self, host, servers, known):
        self._host = host
        self._known = known
        self._address = host if is_address(host) else None
        if host.lower() == "localhost":  # RFC 6761, 6.3: no need to ask
            self._address = "127.0.0.1"
        # One for each server asked: a slow one may still answer when it is asked again.
        self._sockets = []
        self._tries = 0
        self._trouble = None  # the last answer that was none
        if self._address is None:
            if not servers:
                raise DnsError(errno.EHOSTUNREACH, "no DNS server is known")
            self._servers = servers
            self._question = question(host, os.urandom(2))
            self._send()

    def poll(self):
        """The IPv4 address as text, or None: not yet."""
        if self._address is None:
            try:
                self._look()
            except OSError:
                self.close()
                raise
        return self._address

    def close(self):
        """Give the sockets back."""
        for s in self._sockets:
            s.close()
        self._sockets = []

    def _look(self):
        # For an answer in each socket; without one, whether it is time to ask again.
        overdue = ticks_diff(ticks_ms(), self._sent) > RETRY_MS
        for s in self._sockets:
            try:
                data = s.recv(_ANSWER_BYTES)
            except OSError as e:
                if e.errno not in (errno.EAGAIN, errno.ECONNREFUSED):
                    raise
                continue
            if data[:2] != self._question[:2]:
                continue
            try:
                address = parse_answer(data, self._question)
            except DnsError as e:
                if e.errno == errno.ENOENT:
                    raise
                self._trouble = e
                # EINVAL may be forged, so the answer may still come. EIO is the server's own
                # word: no need to wait if there is another.
                if e.errno == errno.EIO and len(self._sockets) < len(self._servers):
                    overdue = True
                continue
            self._address = self._known[self._host] = address
            self.close()
            return
        if overdue:
            self._retry()

    def _retry(self):
        if self._tries < _TRIES:
            self._send()
            return
        self.close()
        self._address = self._known.get(self._host)
        if self._address is None:
            raise self._trouble or DnsError(
                errno.ETIMEDOUT, "no DNS server answered for " + self._host)

    def _send(self):
        i = self._tries % len(self._servers)
        self._tries += 1
        self._sent = ticks_ms()
        if i == len(self._sockets):
            self._sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        s = self._sockets[i]
        try:
            s.setblocking(False)
            s.connect(socket.getaddrinfo(*self._servers[i])[0][-1])
            s.send(self._question)
        except OSError:
            pass  # no route yet, most likely: the retry or the end of the tries sees to it


def is_address(host):
    """True for dotted IPv4."""
    parts = host.split(".")
    if len(parts) != 4:
        return False
    for part in parts:
        if not part.isdigit() or int(part) > 255:
            return False
    return True


def question(host, ident):
    """The query for the A records of `host` (RFC 1035, 4.1); `ident` is its two-byte id."""
    packet = bytearray(ident + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    for label in host.rstrip(".").split("."):
        data = label.encode()
        if not 0 < len(data) < 64:
            raise DnsError(errno.EINVAL, "not a host name: " + host[:60])
        packet.append(len(data))
        packet.extend(data)
    packet.extend(b"\x00\x00\x01\x00\x01")
    return bytes(packet)


def parse_answer(data, asked):
    """The first address in an answer to the query `asked`.

    Raises DnsError with ENOENT: there is none; EIO: the server cannot tell; EINVAL: no answer.
    """
    try:
        flags = _u16(data, 2)
        if not flags & 0x8000 or _u16(data, 4) != 1:
            raise DnsError(errno.EINVAL, "the DNS server sent no answer")
        name, at = _name(data, 12)
        if name != _name(asked, 12)[0]:
            raise DnsError(errno.EINVAL, "the DNS server answered another question")
        if flags & 15 == 3:
            raise DnsError(errno.ENOENT, "there is no host " + name)
        if flags & 15:
            raise DnsError(errno.EIO, "the DNS server failed, code %d" % (flags & 15))
        at += 4
        for _ in range(_u16(data, 6)):
            owner, at = _name(data, at)
            kind, of_class, size = _u16(data, at), _u16(data, at + 2), _u16(data, at + 8)
            at += 10
            if owner == name and of_class == _IN:
                if kind == _A and size == 4:
                    return "%d.%d.%d.%d" % (data[at], data[at + 1], data[at + 2], data[at + 3])
                if kind == _CNAME:
                    name = _name(data, at)[0]
            at += size
    except (IndexError, ValueError):  # UnicodeError is a ValueError
        raise DnsError(errno.EINVAL, "the DNS answer is cut short or garbled")
    if flags & 0x0200:
        raise DnsError(errno.EIO, "the DNS answer is too long for UDP")
    raise DnsError(errno.ENOENT, "the DNS answer has no IPv4 address for " + name)


def _u16(data, at):
    return data[at] << 8 | data[at + 1]


def _name(data, at):
    # A possibly compressed name (RFC 1035, 4.1.4) in lower case, and where the reading goes on.
    labels = []
    end = None
    for _ in range(64):  # a pointer may point at itself
        size = data[at]
        if size >= 0xC0:
            if end is None:
                end = at + 2
            at = (size & 0x3F) << 8 | data[at + 1]
        elif size:
            labels.append(str(data[at + 1:at + 1 + size], "utf-8").lower())
            at += 1 + size
        else:
            return ".".join(labels), at + 1 if end is None else end
    raise ValueError("a name without an end")
