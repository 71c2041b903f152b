"""The latest bytes from a UART, as many as one frame has, to find frames among noise."""


class FrameWindow:
    """Slides over what a UART receives.

    `buffer[:end]` is what was received and not given up; `starts` are the bytes that a frame can
    begin with. `uart` has `any()` and `readinto()` as machine.UART.
    """

    def __init__(self, uart, size, starts):
        self._uart = uart
        self._starts = starts
        self._byte = bytearray(1)
        self.buffer = bytearray(size)
        self.end = 0

    def fill(self):
        """Take what has arrived and fits; True when the buffer is full.

        Byte by byte: on the ESP8266 any() says 0 or 1, and a longer read waits for the bytes
        still on the wire.
        """
        uart = self._uart
        byte = self._byte
        buffer = self.buffer
        end = self.end
        while end < len(buffer) and uart.any() and uart.readinto(byte):
            buffer[end] = byte[0]
            end += 1
        self.end = end
        return end == len(buffer)

    def slide(self):
        """No frame begins here: go on to the next byte that one can begin with."""
        buffer = self.buffer
        begin = 1
        while begin < self.end and buffer[begin] not in self._starts:
            begin += 1
        for i in range(begin, self.end):
            buffer[i - begin] = buffer[i]
        self.end -= begin

    def flush(self):
        """Throw away what was received; a line at its full speed cannot hold this up."""
        while self.fill():
            self.end = 0
        self.end = 0
