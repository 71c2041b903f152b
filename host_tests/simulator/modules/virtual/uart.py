# `machine.UART`: what is wired to its pins answers, anything else is an open line.
# Signature and errors are the ESP32 port's where firmware can meet them.
import utime

from . import memory, world
from .pin import Pin

_ESP8266 = memory.CHIP == "esp8266"
_UART_PINS = {0: (1, 3)} if _ESP8266 else {0: (1, 3), 2: (17, 16)}  # unless told otherwise


class UART:
    """One UART. Times are in ms, `rxbuf` in bytes; an overflow loses the newest bytes silently.

    On the ESP8266 any() is 0 or 1, and reads give None until the REPL has left UART 0
    (os.dupterm(None, 1)).
    """

    INV_TX = 1
    INV_RX = 2

    def __init__(self, number, baudrate=115200, *args, **options):
        if not 0 <= number < (2 if _ESP8266 else 3):
            raise ValueError("UART(%d) does not exist" % number)
        self._number = number
        self._tx, self._rx = _UART_PINS.get(number, (None, None))
        self._rxbuf = 15 if _ESP8266 else 256
        self._timeout_ms = self._timeout_char_ms = 0
        self._bits, self._parity, self._stop = 8, None, 1
        self._sent_ms = 0
        self.init(baudrate, *args, **options)

    def init(
        self,
        baudrate=115200,
        bits=None,
        parity=-1,
        stop=None,
        *,
        tx=None,
        rx=None,
        txbuf=None,
        rxbuf=None,
        timeout=None,
        timeout_char=None,
    ):
        self._baudrate = baudrate
        self._bits = bits or self._bits
        self._parity = self._parity if parity == -1 else parity
        self._stop = stop or self._stop
        self._tx = self._tx if tx is None else _pin_number(tx)
        self._rx = self._rx if rx is None else _pin_number(rx)
        self._rxbuf = rxbuf or self._rxbuf
        self._timeout_ms = self._timeout_ms if timeout is None else timeout
        self._timeout_char_ms = self._timeout_char_ms if timeout_char is None else timeout_char
        self._buffer = bytearray()
        wired_tx, wired_rx, line = world.lines.get(self._number, (None, None, None))
        self._hears = self._speaks = None
        if line and (self._bits, self._parity, self._stop) == (8, line.parity, 1):
            if self._tx == wired_tx:
                self._speaks = line
            if self._rx == wired_rx and self._baudrate == line.baudrate:
                self._hears = line
        if self._hears:
            self._hears.receive(world.touch())  # pending input is discarded

    def deinit(self):
        self._hears = self._speaks = None
        self._buffer = bytearray()

    def _collect(self):
        """Take what has arrived by now into the receive buffer."""
        now_ms = world.touch()
        if self._hears is not None:
            arrived = self._hears.receive(now_ms)
            if arrived:
                room = self._rxbuf - len(self._buffer)
                self._buffer.extend(arrived[: max(room, 0)])

    def _detached(self):
        if not _ESP8266 or self._number != 0:
            return True
        import os

        return os.dupterm_detached

    def any(self):
        self._collect()
        if _ESP8266:
            return 1 if self._buffer and self._detached() else 0
        return len(self._buffer)

    def _wait(self, length):
        """Wait as the port does for `length` bytes; returns how many there are."""
        start = utime.ticks_ms()
        patience_ms = self._timeout_ms
        self._collect()
        have = len(self._buffer)
        while have < length and utime.ticks_diff(utime.ticks_ms(), start) < patience_ms:
            utime.sleep_ms(1)
            self._collect()
            if len(self._buffer) > have:
                have = len(self._buffer)
                start = utime.ticks_ms()
                patience_ms = self._timeout_char_ms
        return min(have, length) if self._detached() else 0

    def read(self, length=-1):
        if length is None or length < 0:
            length = max(self._wait(1), len(self._buffer)) if self._detached() else 0
        else:
            length = self._wait(length)
        if not length:
            return None
        data = bytes(self._buffer[:length])
        self._buffer = self._buffer[length:]
        return data

    def readinto(self, buffer, length=None):
        length = self._wait(len(buffer) if length is None else min(length, len(buffer)))
        if not length:
            return None
        buffer[:length] = self._buffer[:length]
        self._buffer = self._buffer[length:]
        return length

    def write(self, data):
        self._collect()
        now_ms = world.now_ms()
        if self._speaks is not None:
            self._sent_ms = self._speaks.write(data, self._baudrate, now_ms)
        else:
            self._sent_ms = max(now_ms, self._sent_ms) + len(data) * 10000 // self._baudrate
        return len(data)

    def txdone(self):
        return world.now_ms() >= self._sent_ms

    def flush(self):
        while not self.txdone():
            utime.sleep_ms(1)


def _pin_number(pin):
    return pin._number if isinstance(pin, Pin) else pin
