# A serial line with devices on it: bytes take the time they take on the wire.
# A frame ends with 4 ms of silence (3.5 characters at 9600 baud); answers arrive byte by byte,
# and so does what a device says unasked.
import random

_SILENCE_MS = 4
# Think time of a PZEM: with 34 ms on the wire a round trip takes 75 to 120 ms, as measured on
# real ones (reference/meters.md 1.5).
_THINK_MS = (41, 86)
_PUSH_STEP_MS = 5
_PUSH_BACKLOG_MS = 3000  # more than any receive buffer holds


class SerialLine:
    """The wire between one UART and the devices that listen on it.

    A device has `baudrate` and maybe `parity` (0 = even). It has `answer(frame) -> bytes or None`
    and maybe `think_ms`, the range of its think time; when several answer one frame their open
    outputs pull each other down, as on a real line. Or it has `push(now_ms) -> bytes or None`:
    what it begins to say at this moment; such a device is alone on its line.
    """

    def __init__(self, devices):
        first = devices[0]
        self._devices = devices
        self._push = getattr(first, "push", None)
        self._pushed_ms = None  # when it was last asked; None: never
        self._think_ms = getattr(first, "think_ms", _THINK_MS)
        self.baudrate = first.baudrate
        self.parity = getattr(first, "parity", None)
        self._char_bits = 10 if self.parity is None else 11
        self._request = bytearray()
        self._request_end_ms = 0
        self._answer = b""
        self._answer_start_ms = 0
        self._taken = 0

    def write(self, data, baudrate, now_ms):
        """Send `data`; returns the time in ms at which its last bit has left."""
        begin_ms = max(now_ms, self._request_end_ms) if self._request else now_ms
        if baudrate == self.baudrate and not self._push:
            self._deliver(begin_ms)
            self._request.extend(data)
        bits = len(data) * self._char_bits
        self._request_end_ms = begin_ms + (bits * 1000 + baudrate - 1) // baudrate
        return self._request_end_ms

    def receive(self, now_ms):
        """Bytes that arrived since the last call; empty (never None) if there are none."""
        if not self._push:
            if self._request:
                self._deliver(now_ms)
            return self._take(now_ms)
        if self._pushed_ms is None or now_ms - self._pushed_ms > _PUSH_BACKLOG_MS:
            self._pushed_ms = now_ms - _PUSH_STEP_MS
        data = b""
        while now_ms - self._pushed_ms >= _PUSH_STEP_MS:
            self._pushed_ms += _PUSH_STEP_MS
            frame = self._push(self._pushed_ms)
            if frame:
                data += self._take(self._pushed_ms)
                self._answer = frame
                self._answer_start_ms = self._pushed_ms
                self._taken = 0
        return data + self._take(now_ms)

    def _take(self, now_ms):
        """What has arrived of the present answer and was not taken before."""
        if self._taken == len(self._answer):
            return b""
        on_wire = (now_ms - self._answer_start_ms) * self.baudrate // (1000 * self._char_bits)
        end = min(max(on_wire, self._taken), len(self._answer))
        data = self._answer[self._taken : end]
        self._taken = end
        return data

    def _deliver(self, now_ms):
        """Hand a finished frame to the devices."""
        if not self._request or now_ms - self._request_end_ms < _SILENCE_MS:
            return
        frame = bytes(self._request)
        self._request = bytearray()
        answers = [a for a in (device.answer(frame) for device in self._devices) if a]
        if not answers:
            return
        answer = answers[0]
        for other in answers[1:]:
            common = min(len(answer), len(other))
            tail = answer[common:] or other[common:]
            answer = bytes(a & b for a, b in zip(answer, other)) + tail
        self._answer = answer
        self._taken = 0
        low, high = self._think_ms
        think_ms = low + random.getrandbits(10) % (high - low)
        if answer == frame and frame[1] in (0x03, 0x04):
            think_ms = 0  # an echo comes back while it is being sent
        self._answer_start_ms = self._request_end_ms + think_ms
