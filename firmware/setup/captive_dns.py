# Answers every DNS question with the portal's own address: the phone that has joined its access
# point then finds that there is a page to show.
import select
import socket

from micropython import const

_PACKET_BYTES = const(512)  # the most that is sent over UDP without EDNS (RFC 1035, 4.2.1)
_AT_ONCE = const(4)  # answers for each step
_A = const(1)
_ANY = const(255)
_CLASSES = (b"\x00\x01", b"\x00\xff")  # Internet, any
# The name of the question, A, IN, for 10 s: outside of here it has another address.
_RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x0a\x00\x04"


class CaptiveDns:
    """The name server of the access point; `step` it often.

    address: our own IPv4 address, to listen at and to answer with. OSError if it cannot.
    """

    def __init__(self, address, port=53):
        self._ip = bytes([int(part) for part in address.split(".")])
        self._socket = s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            s.setblocking(False)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(socket.getaddrinfo(address, port)[0][-1])
        except OSError:
            s.close()
            raise
        self._poll = select.poll()
        self._poll.register(s, select.POLLIN)

    def step(self):
        """Answer what has been asked, a few questions at most."""
        for _ in range(_AT_ONCE):
            if not self._poll.poll(0):  # cheaper than the exception of a socket with nothing
                return
            try:
                data, peer = self._socket.recvfrom(_PACKET_BYTES)
                reply = answer(data, self._ip)
                if reply:
                    self._socket.sendto(reply, peer)
            except OSError:
                return  # the phone has just left

    def close(self):
        self._socket.close()


def answer(data, ip):
    """The reply to a DNS query (RFC 1035, 4.1), None for what deserves none.

    Every name has the address `ip` (4 bytes); what is no question for an address has an empty
    answer, which keeps phones from asking again.
    """
    if len(data) < 17 or data[2] & 0xF8 or data[4:6] != b"\x00\x01":
        return None  # no standard query with one question
    at = 12
    while data[at]:
        if data[at] > 63:  # a pointer: in a question there is nothing to point at
            return None
        at += data[at] + 1
        if at - 12 > 254 or at + 5 > len(data):
            return None
    at += 1
    found = data[at] == 0 and data[at + 1] in (_A, _ANY) and data[at + 2:at + 4] in _CLASSES
    reply = data[:2] + bytes((0x84 | data[2] & 1, 0x80, 0, 1, 0, found, 0, 0, 0, 0))
    reply += data[12:at + 4]
    return reply + _RECORD + ip if found else reply
