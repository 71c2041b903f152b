"""Modbus RTU as the master: CRC, read requests, reply checks, one transaction at a time."""

from time import ticks_diff

from micropython import const

REQUEST_SIZE = 8  # bytes of a read request
REPLY_OVERHEAD = 5  # address, function, byte count and two bytes of CRC around the data
_GENERAL_ADDRESS = const(0xF8)  # PZEM: any module answers, under its own address

_BYTE_BITS = const(10)  # on the wire, 8N1
_DRIVER_ON_MS = const(2)  # how long an RS485 driver is on before the first bit (reference 7.5)
_OFF = const(0)  # that driver
_ON = const(1)
_SENDING = const(2)

# CRC of each nibble, 64 bytes of RAM. The full table would take 0.5 to 1 KiB; a loop over bits
# needs none, but takes 4 to 5 times as long, too much of a tick for a long reply on an ESP8266.
_CRC_NIBBLE = const((
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
))  # fmt: skip


def crc16(data, begin, end):
    """CRC-16/MODBUS of data[begin:end]; a frame carries its low byte first.

    Reflected polynomial 0xA001, start value 0xFFFF (reference/meters.md 1.3).
    """
    crc = 0xFFFF
    table = _CRC_NIBBLE
    for i in range(begin, end):
        crc ^= data[i]
        crc = (crc >> 4) ^ table[crc & 15]
        crc = (crc >> 4) ^ table[crc & 15]
    return crc


def crc_matches(data, begin, size):
    """Whether the frame of `size` bytes at `begin` ends with its own CRC."""
    end = begin + size - 2
    return crc16(data, begin, end) == data[end] | data[end + 1] << 8


def read_request(buffer, address, function, register, count):
    """Put the 8-byte request for `count` 16-bit registers into `buffer`.

    `function` is 3 (holding) or 4 (input registers), `count` 1 to 125.
    """
    buffer[0] = address
    buffer[1] = function
    buffer[2] = register >> 8
    buffer[3] = register & 0xFF
    buffer[4] = 0
    buffer[5] = count
    crc = crc16(buffer, 0, 6)
    buffer[6] = crc & 0xFF
    buffer[7] = crc >> 8


def reply_size(request):
    """Bytes of the good reply to a read request."""
    return REPLY_OVERHEAD + 2 * request[5]


def _is_echo(data, begin, request):
    for i in range(REQUEST_SIZE):
        if data[begin + i] != request[i]:
            return False
    return True


def check_reply(data, begin, end, request):
    """What data[begin:end] starts with, as an answer to a read request.

    "ok", "exception": a good frame; "crc": a whole reply with a wrong CRC; "echo": the request
    itself, whose CRC is right too (reference/meters.md 1.4); "more": what is there fits, but is
    not complete; "noise": no answer starts here.
    """
    size = end - begin
    if size < 1:
        return "more"
    if data[begin] != request[0] and request[0] != _GENERAL_ADDRESS:
        return "noise"
    if size < 2:
        return "more"
    function = data[begin + 1]
    if function == request[1] | 0x80:
        wanted = REPLY_OVERHEAD
        good = "exception"
    elif function != request[1]:
        return "noise"
    elif size < 3:
        return "more"
    elif size >= REQUEST_SIZE and _is_echo(data, begin, request):
        return "echo"
    elif data[begin + 2] == 2 * request[5]:
        wanted = reply_size(request)
        good = "ok"
    else:
        return "more" if size < REQUEST_SIZE and data[begin + 2] == request[2] else "noise"
    if size < wanted:
        return "more"
    return good if crc_matches(data, begin, wanted) else "crc"


class ModbusPort:
    """One transaction at a time on a UART, without waiting.

    `uart` has `any()`, `readinto()` and `write()` as machine.UART, and maybe `txdone()`.
    `capacity` is the size of the receive buffer: the longest reply, an echo and some noise.
    `direction(level)` switches an RS485 driver; None: there is none, or one that needs no pin. It
    goes off at the first tick after the last bit. After "ok", the reply's data begin at
    `buffer[data]` and hold until the next `start()`.
    """

    def __init__(self, uart, capacity, timeout_ms=300, baudrate=9600, direction=None):
        self._uart = uart
        self._txdone = getattr(uart, "txdone", None)
        self._timeout_ms = timeout_ms
        self._baudrate = baudrate
        self._direction = direction
        # None = idle. A request = its answer is awaited: start() sets it, the result of poll()
        # clears it.
        self._request = None
        # The RS485 driver: start() makes it _ON, the polls write the request (_SENDING) and
        # then switch it _OFF.
        self._driver = _OFF
        self._start_ms = 0  # when the driver went on, and then when the request was written
        self._owed = False  # the previous request had no answer: it may come late
        self._seen = None  # the failure to report unless a good reply follows
        self._byte = bytearray(1)
        self._begin = 0  # buffer[_begin:_end]: received and not yet judged
        self._end = 0
        self.buffer = bytearray(capacity)
        self.data = 0
        self.exception_code = 0

    @property
    def busy(self):
        return self._request is not None

    def start(self, now_ms, request):
        """Send a read request (kept until the result). Input from before it is thrown away."""
        self._end = 0
        self._receive()
        self._begin = self._end = 0
        self._seen = None
        self._request = request
        self._start_ms = now_ms
        if self._direction:
            self._direction(1)
            self._driver = _ON
        else:
            self._uart.write(request)

    def poll(self, now_ms):
        """None while waiting or idle; the result once, when the transaction is over.

        "ok"; "exception" (then `exception_code` is set); "crc", "echo"; "noise": bytes came, but
        no whole answer; "timeout": nothing came. Failures are known when the time is up, because
        until then a good reply may still follow the noise.
        """
        if self._request is None:
            return None
        elapsed_ms = ticks_diff(now_ms, self._start_ms)
        if self._driver != _OFF and not self._drive(now_ms, elapsed_ms):
            return None
        self._receive()  # before the clock is looked at: after a late tick the reply is here
        result = self._search(elapsed_ms)
        if result is None and elapsed_ms >= self._timeout_ms:
            result = self._seen or "timeout"
        if result is not None:
            self._request = None
            self._owed = result == "timeout"
        return result

    def _drive(self, now_ms, elapsed_ms):
        """Move the RS485 driver on; True when it is off."""
        if self._driver == _ON:
            if elapsed_ms >= _DRIVER_ON_MS:
                self._uart.write(self._request)
                self._start_ms = now_ms
                self._driver = _SENDING
            return False
        # Both conditions: the write may have come later than `now_ms` of its tick, and on the
        # ESP8266 txdone() is true while the last byte is still leaving.
        if not self._fits(REQUEST_SIZE, elapsed_ms) or self._txdone and not self._txdone():
            return False
        self._direction(0)
        self._driver = _OFF
        return True

    def _fits(self, size, elapsed_ms):
        """Whether `size` bytes can have passed on the wire in this time."""
        return elapsed_ms * self._baudrate >= size * _BYTE_BITS * 1000

    def _receive(self):
        """Take what has arrived, at most as much as fits, so noise cannot hold up the tick.

        Byte by byte: on the ESP8266 any() says 0 or 1, and a longer read waits for the bytes
        still on the wire.
        """
        uart = self._uart
        byte = self._byte
        buffer = self.buffer
        end = self._end
        while end < len(buffer) and uart.any() and uart.readinto(byte):
            buffer[end] = byte[0]
            end += 1
        self._end = end

    def _search(self, elapsed_ms):
        """Slide over the received bytes to the first good frame."""
        request = self._request
        begin = self._begin
        while begin < self._end:
            found = check_reply(self.buffer, begin, self._end, request)
            if found == "ok" or found == "exception":
                size = reply_size(request) if found == "ok" else REPLY_OVERHEAD
                if not self._owed or self._fits(REQUEST_SIZE + size, elapsed_ms):
                    self.data = begin + 3
                    self.exception_code = self.buffer[begin + 2]
                    return found
                found = "noise"  # too early for this request's answer: it is the one before
            if self._seen is None or self._seen == "noise":
                self._seen = "noise" if found == "more" else found
            if found == "more":
                break
            begin += REQUEST_SIZE if found == "echo" else 1
        self._begin = begin
        if self._end == len(self.buffer):
            self._make_room()
        return None

    def _make_room(self):
        buffer = self.buffer
        begin = self._begin
        for i in range(begin, self._end):
            buffer[i - begin] = buffer[i]
        self._end -= begin
        self._begin = 0
