"""BL0942: one phase, asked over a half-duplex UART, answers with 23 bytes.

GND of these boards is at mains potential: no serial adapter while they are plugged in.
"""

from time import ticks_add, ticks_diff

from micropython import const

from .frame_window import FrameWindow
from .pulse_counter import PulseCounter
from .reading import Reading, implausible

_READ = const(0x58)  # | address
_ALL = const(0xAA)
_START = const(0x55)
_PACKET_SIZE = const(23)
_TRIES = const(2)
_TIMEOUT_MS = const(100)  # 52 ms of wire at 4800 baud

_VOLTAGE_LOW = const(2)  # in byte 20: no zero-crossing of the voltage, so no frequency either
_REVERSE = const(1)  # in byte 19: the latest pulse was exported energy
_NO_MAINS_V = const(20)

_REFERENCE_V = 1.218
_DIVIDER = 3824.53  # 5 x 390 kOhm and 510 Ohm


def _u24(data, at):
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16


class BL0942:
    """Means of the chip's last 400 ms, energy from its 24-bit counter.

    bus: UART; a board's "baudrate" may be 9600. profile: "address" (0 to 3), "divider" and
    "shunt_mohm" of the board, "factors", "max_power_w" if the board bears other than 30 A, and
    "sign": 1 as wired, -1 for a shunt the other way round, 0 for boards that can only draw.

    The chip counts without regard to direction (its default); a count gets the sign of the power
    that comes with it. Nothing is ever written to the chip. Source: reference/meters.md 3.
    """

    SIGNED = True  # negative: export
    SERIAL = {"baudrate": 4800, "bits": 8, "parity": None, "stop": 1, "rxbuf": 64}
    MAX_POWER_W = 7500  # 30 A x 250 V with 1 mOhm

    def __init__(self, uart, profile):
        divider = profile.get("divider", _DIVIDER)
        shunt_mohm = profile.get("shunt_mohm", 1)
        factors = profile.get("factors", {})
        self._v_per_step = _REFERENCE_V * divider / 73989000 * factors.get("voltage", 1)
        self._a_per_step = _REFERENCE_V / 305978 / shunt_mohm * factors.get("current", 1)
        self._w_per_step = (
            _REFERENCE_V * _REFERENCE_V * divider / 3537000 / shunt_mohm * factors.get("power", 1)
        )
        # One pulse per 1638.4 x 256 steps x seconds.
        self._pulse_dwms = round(self._w_per_step * 4194304000)
        self._sign = profile.get("sign", 1)
        max_power_w = profile.get("max_power_w", self.MAX_POWER_W)
        self._limits = (
            ("voltage_v", 50, 500),
            ("current_a", 0, max_power_w / 100),  # no load draws its power below 100 V
            ("active_power_w", -max_power_w, max_power_w),
            ("frequency_hz", 44, 66),
        )
        self._counter = PulseCounter(24, max_power_w)
        self._uart = uart
        self._request = bytes((_READ | profile.get("address", 0), _ALL))
        self._window = FrameWindow(uart, _PACKET_SIZE, bytes((_START,)))
        self._next = (Reading(),)  # filled next; the other one is with the caller
        self._given = (Reading(),)
        self._tries = 0  # requests sent for this reading; 0 = idle
        self._deadline_ms = 0
        self._seen = None  # the failure to report unless a good packet follows
        self.channels = 1
        self.errors = {"timeout": 0, "noise": 0, "checksum": 0, "implausible": 0}
        self.error = None  # text of the latest failure

    @property
    def busy(self):
        """Whether an answer is awaited."""
        return self._tries > 0

    def start(self, now_ms):
        """Ask for a packet; a request that is still open is given up."""
        self._tries = 0
        self._seen = None
        self._ask(now_ms)

    def poll(self, now_ms):
        """(Reading,), once, when a good packet is complete; else None."""
        if not self._tries:
            return None
        window = self._window
        while window.fill():  # each turn uses up a byte, and the line is slower
            if window.buffer[0] != _START:
                self._seen = self._seen or "noise"
            elif self._sum() == window.buffer[22]:
                self._tries = 0
                return self._settle(now_ms)
            else:
                self._seen = "checksum"
            window.slide()
        if ticks_diff(now_ms, self._deadline_ms) >= 0:
            if window.end:
                self._seen = self._seen or "noise"
            if self._tries < _TRIES:
                self._ask(now_ms)
            else:
                self._tries = 0
                self._fail(self._seen or "timeout", "")
        return None

    def _ask(self, now_ms):
        self._window.flush()
        self._tries += 1
        self._deadline_ms = ticks_add(now_ms, _TIMEOUT_MS)
        self._uart.write(self._request)  # in one piece: the chip waits 16 ms for the second byte

    def _sum(self):
        """Checksum that belongs to the packet: of the command and all bytes before it."""
        data = self._window.buffer
        total = self._request[0]
        for i in range(22):
            total += data[i]
        return ~total & 0xFF

    def _settle(self, now_ms):
        data = self._window.buffer
        reading = self._next[0]
        reading.power_factor = reading.frequency_hz = None
        reading.voltage_v = _u24(data, 4) * self._v_per_step
        steps = _u24(data, 10)
        if steps & 0x800000:
            steps -= 0x1000000
        if data[20] & _VOLTAGE_LOW and reading.voltage_v < _NO_MAINS_V:
            reading.voltage_v = reading.current_a = reading.active_power_w = 0.0
            steps = 0
        else:
            reading.current_a = _u24(data, 1) * self._a_per_step
            reading.active_power_w = self._signed(steps) * self._w_per_step
            period_us = data[16] | data[17] << 8
            if period_us and not data[20] & _VOLTAGE_LOW:
                reading.frequency_hz = 1000000 / period_us
            wrong = implausible(reading, self._limits)
            if wrong:
                return self._fail("implausible", ": " + wrong)
            apparent_va = reading.apparent_power_va
            if apparent_va and steps:
                factor = reading.active_power_w / apparent_va
                reading.power_factor = max(-1.0, min(1.0, factor))
        count = _u24(data, 13)
        if not self._counter.update(now_ms, count, self._pulse_dwms):
            return self._fail("implausible", ": count %d" % count)
        dwms = self._counter.take_dwms()
        exported = steps < 0 or (steps == 0 and data[19] & _REVERSE)
        reading.counted_dwms = self._signed(-dwms if exported else dwms)
        self._next, self._given = self._given, self._next
        return self._given

    def _signed(self, value):
        return value * self._sign if self._sign else abs(value)

    def _fail(self, kind, detail):
        self.errors[kind] += 1
        self.error = kind + detail
