# An RS485 transceiver between a UART and its line: it sends while the direction pin is high and
# hears while it is low.
class Transceiver:
    """In place of a `SerialLine`. driving: function that tells whether the direction pin is high.

    A request is lost when the pin is low at its first bit or falls before its last.
    """

    def __init__(self, line, driving):
        self._line = line
        self._driving = driving
        self._request = None  # on its way: (bytes, baud rate, begin and end in ms)

    def __getattr__(self, name):
        return getattr(self._line, name)

    def write(self, data, baudrate, now_ms):
        end_ms = now_ms + (len(data) * 10000 + baudrate - 1) // baudrate
        self._request = (bytes(data), baudrate, now_ms, end_ms) if self._driving() else None
        return end_ms

    def receive(self, now_ms):
        self._pass_on(now_ms)
        arrived = self._line.receive(now_ms)
        return b"" if self._driving() else arrived

    def pin_changes(self, now_ms):
        """The direction pin is about to change."""
        self._pass_on(now_ms)
        if self._driving():
            self._request = None

    def _pass_on(self, now_ms):
        if self._request and now_ms >= self._request[3]:
            data, baudrate, begin_ms, _ = self._request
            self._request = None
            self._line.write(data, baudrate, begin_ms)
