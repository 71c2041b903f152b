# A bundle in blocks over MQTT: the node asks for one, and takes nothing else.
from hashlib import sha256
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from ..mqtt.commands import Refused

HEAD_BYTES = 16
_LEAST_BYTES = const(960)  # with its header below the 1,024 bytes that some brokers allow
_WAIT_MS = const(5000)
_WAIT_MAX_MS = const(60000)
_HALVE_AFTER = const(2)  # requests without an answer
_GIVE_UP_AFTER = const(32)


class Blocks:
    """Asks for one block after the other until the bundle is there.

        0xB1, 1 version, 0 flags, 16 length of this head, 4 first bytes of the bundle's SHA-256,
        4 offset, 2 length, 2 first bytes of the data's SHA-256, all big-endian, then the data

    An offset instead of a number: blocks may change their size at any point of a bundle.

    bundle: its SHA-256; size in bytes; most: largest block in bytes; stream: `Stream`, whose limit
    is raised as long as blocks come; session: `Session`; ask(offset, n): puts a request out.
    """

    def __init__(self, bundle, size, most, stream, session, ask):
        self._start = b"\xb1\x01\x00\x10" + bundle[:4]
        self._size = size
        self._most = most
        self._stream = stream
        self._session = session
        self._ask = ask
        self._offset = None  # of the block that is awaited; None: nothing is
        self._n = 0
        self._block = None
        self._unanswered = 0
        self._due_ms = ticks_ms()
        self._connects = 0

    def receive(self, payload, size):
        """Take what came on command/ota; False: nobody asked for it. `payload` is None where
        there was no memory for its `size` bytes."""
        if self._offset is None or size != HEAD_BYTES + self._n:
            return False
        if payload is None:
            if self._most > _LEAST_BYTES:
                self._unanswered = _HALVE_AFTER
                self._due_ms = ticks_ms()
            return True
        data = memoryview(payload)[HEAD_BYTES:]
        if payload[:HEAD_BYTES] != self._start + self._offset.to_bytes(4, "big") \
                + self._n.to_bytes(2, "big") + sha256(data).digest()[:2]:
            return False
        self._block = data
        self._offset = None
        return True

    def again(self):
        """Ask at once: there is somebody who may know the block."""
        if self._offset is not None:
            self._request(self._offset, 0)

    def pieces(self, have):
        """Yields a block, or None while it waits for one. have(): bytes that are there already.
        Raises Refused when nobody answers for long."""
        limit = self._stream.limit
        self._stream.limit = max(limit, self._most + HEAD_BYTES)
        try:
            while have() < self._size:
                self._request(have(), 0)
                while self._offset is not None:
                    yield None
                    self._watch(have())
                block, self._block = self._block, None
                yield block
        finally:
            self._offset = None
            self._stream.limit = limit

    def _request(self, offset, unanswered):
        self._offset = offset
        self._n = min(self._most, self._size - offset)
        self._unanswered = unanswered
        wait_ms = _WAIT_MS << min(max(unanswered - _HALVE_AFTER, 0), 4)
        self._due_ms = ticks_add(ticks_ms(), min(wait_ms, _WAIT_MAX_MS))
        self._connects = self._session.connects
        self._ask(offset, self._n)

    def _watch(self, offset):
        if self._offset is None:
            return
        if self._connects != self._session.connects:  # a new session: nobody has kept us waiting
            self._request(offset, self._unanswered)
        elif ticks_diff(ticks_ms(), self._due_ms) >= 0:
            unanswered = self._unanswered + 1
            if self._most > _LEAST_BYTES and unanswered >= _HALVE_AFTER:
                self._most = max(self._most // 2, _LEAST_BYTES)
                unanswered = 0
            elif unanswered >= _GIVE_UP_AFTER:
                raise Refused("stalled", "nobody sends the blocks that this node asks for")
            self._request(offset, unanswered)
