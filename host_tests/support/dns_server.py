# A small DNS server (RFC 1035) on a loopback port, with the faults a node meets.
# It knows A and CNAME records; `mode` and `records` may be changed while it runs.
import socket
import struct
import threading
import time

_A, _CNAME, _IN = 1, 5, 1
_ANSWER, _TRUNCATED = 0x8180, 0x0200
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5

# What comes instead of the answer, or before it. The forged ones carry an address where nobody
# listens: a node that believes them does not get through.
SILENT, OTHER_ID, OTHER_NAME, OTHER_OWNER, CUT, TRUNCATED = (
    "silent", "other id", "other name", "other owner", "cut", "truncated")
_FORGED_ADDRESS = "127.255.255.254"


class DnsServer:
    """Answers on 127.0.0.1.

    records    {name: address, or another name: an alias}; all others are NXDOMAIN
    mode       None answers well; a number is the code every answer gives; else one of the names
               above: `OTHER_NAME` (of the question), `OTHER_OWNER` (of the record), `CUT` (the
               last bytes are missing), `TRUNCATED` (flag TC, no records)
    lie_first  with a mode: the good answer comes right after
    delay_s    before each answer
    queries    the names asked for so far
    """

    def __init__(self, records, mode=None, lie_first=False, delay_s=0):
        self.records = records
        self.mode = mode
        self.lie_first = lie_first
        self.delay_s = delay_s
        self.queries = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.address = self._socket.getsockname()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def log(self):
        return list(self.queries)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _serve(self):
        # (when, packet, receiver): one that waits must not hold up the next.
        waiting = []
        while not self._stopping.is_set():
            self._socket.settimeout(0.02 if waiting else 0.1)
            try:
                query, sender = self._socket.recvfrom(512)
            except (socket.timeout, ConnectionError):
                query = None
            now_s = time.monotonic()
            if query:
                waiting += [(now_s + self.delay_s, data, sender) for data in self._answers(query)]
            due = [item for item in waiting if item[0] <= now_s]
            waiting = [item for item in waiting if item[0] > now_s]
            for _, data, receiver in due:
                self._socket.sendto(data, receiver)

    def _answers(self, query):
        name = _name(query)
        self.queries.append(name)
        good = self._answer(query, name)
        if self.mode is None:
            return [good]
        false = [] if self.mode == SILENT else [self._false(query, name)]
        return false + [good] if self.lie_first else false

    def _answer(self, query, name):
        chain = []
        owner, value = name, self.records.get(name)
        while value in self.records:
            chain.append(_record(owner, _CNAME, _encoded(value)))
            owner, value = value, self.records[value]
        if value is None:
            return _packet(query, _ANSWER | NXDOMAIN, query[12:])
        chain.append(_record(owner, _A, socket.inet_aton(value)))
        return _packet(query, _ANSWER, query[12:], chain)

    def _false(self, query, name):
        if isinstance(self.mode, int):
            return _packet(query, _ANSWER | self.mode, query[12:])
        if self.mode == TRUNCATED:
            return _packet(query, _ANSWER | _TRUNCATED, query[12:])
        if self.mode == CUT:
            good = self._answer(query, name)
            return good[: len(good) - 7]
        forged = socket.inet_aton(_FORGED_ADDRESS)
        other = "other.example"
        if self.mode == OTHER_NAME:
            asked = _encoded(other) + query[-4:]
            return _packet(query, _ANSWER, asked, [_record(other, _A, forged)])
        if self.mode == OTHER_OWNER:
            return _packet(query, _ANSWER, query[12:], [_record(other, _A, forged)])
        assert self.mode == OTHER_ID, self.mode
        changed = bytes((query[0] ^ 0x55,)) + query[1:]
        return _packet(changed, _ANSWER, query[12:], [_record(name, _A, forged)])


def _packet(query, flags, question, records=()):
    head = query[:2] + struct.pack(">5H", flags, 1, len(records), 0, 0)
    return head + question + b"".join(records)


def _record(owner, kind, data):
    return _encoded(owner) + struct.pack(">HHIH", kind, _IN, 60, len(data)) + data


def _encoded(name):
    return b"".join(bytes((len(part),)) + part.encode() for part in name.split(".")) + b"\0"


def _name(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels)
