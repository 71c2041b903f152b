# A serial line with devices on it: bytes take the time they take on the wire.
# A frame ends with 4 ms of silence (3.5 characters at 9600 baud); answers arrive byte by byte.
import random

_SILENCE_MS = 4
# Think time of a PZEM: with 34 ms on the wire a round trip takes 75 to 120 ms, as measured on
# real ones (reference/meters.md 1.5).
_THINK_MS = (41, 86)


class SerialLine:
    """The wire between one UART and the devices that listen on it.

    A device has `baudrate` and `answer(frame) -> bytes or None`. When several answer one frame
    their open outputs pull each other down, as on a real line.
    """

    def __init__(self, devices):
        self._devices = devices
        self._baudrate = devices[0].baudrate
        self._request = bytearray()
        self._request_end_ms = 0
        self._answer = b""
        self._answer_start_ms = 0
        self._taken = 0

    def _air_ms(self, length):
        return (length * 10000 + self._baudrate - 1) // self._baudrate

    def write(self, data, baudrate, now_ms):
        """Send `data`; returns the time in ms at which its last bit has left."""
        begin_ms = max(now_ms, self._request_end_ms) if self._request else now_ms
        if baudrate == self._baudrate:
            self._deliver(begin_ms)
            self._request.extend(data)
        self._request_end_ms = begin_ms + (len(data) * 10000 + baudrate - 1) // baudrate
        return self._request_end_ms

    def receive(self, now_ms):
        """Bytes that arrived since the last call; empty (never None) if there are none."""
        if self._request:
            self._deliver(now_ms)
        if self._taken == len(self._answer):
            return b""
        on_wire = (now_ms - self._answer_start_ms) * self._baudrate // 10000
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
        think_ms = _THINK_MS[0] + random.getrandbits(10) % (_THINK_MS[1] - _THINK_MS[0])
        if answer == frame and frame[1] in (0x03, 0x04):
            think_ms = 0  # an echo comes back while it is being sent
        self._answer_start_ms = self._request_end_ms + think_ms
