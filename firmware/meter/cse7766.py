"""CSE7766, CSE7759B and HLW8032: one phase, a frame of 24 bytes pushed every 105 ms.

GND of these boards is at mains potential: no serial adapter while they are plugged in.
"""

from time import ticks_add, ticks_diff

from micropython import const

from .frame_window import FrameWindow
from .pulse_counter import PulseCounter
from .reading import Reading

_FRAME_SIZE = const(24)
_FRAMES_PER_POLL = const(4)  # a backlog is worked off over some ticks
_TIMEOUT_MS = const(1000)  # nine frames

_NORMAL = const(0x55)
_UNCALIBRATED = const(0xAA)
_STARTS = b"\x55\xaa\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff"

# Bits for "out of range" (byte 0, shifted) and "measured, not still counting" (byte 20, shifted).
_POWER = const(1)
_VOLTAGE = const(4)

# Values are ints until a reading is made of them, in steps of 1 mV, 0.1 mA and 10 mW.
_V = const(0)
_A = const(1)
_W = const(2)
_STEPS = (1000, 10000, 100)

_MIN_VOLTAGE_V = const(50)
_MAX_VOLTAGE_V = const(300)
# Without mains the chip shows 0.4 V, but so does a bad frame now and then with a good checksum
# (reference/meters.md 2.4): this many in a row are no mains.
_NO_MAINS_V = const(20)
_NO_MAINS_FRAMES = const(5)
_MIN_LOADED_V = const(100)  # nothing draws the highest power at less


def _u24(data, at):
    return data[at] << 16 | data[at + 1] << 8 | data[at + 2]


class CSE7766:
    """Means over the frames since the last reading, energy from the chip's 16-bit counter.

    bus: UART. profile: "factors"; "max_power_w" if the board bears other than 30 A. An HLW8032
    board with the usual 4 x 470 kOhm divider has factors of 1.88 for voltage and power.

    A voltage, current or power whose cycle has not ended keeps its last value, or the highest
    that so long a cycle allows. No load: 0 A and 0 W (below about 1 W, F2 in byte 0), until a
    second power cycle has ended, since the first began before the load. No mains: 0 V too.
    The chip does not know the frequency. Source: reference/meters.md 2.
    """

    # parity 0 is even. rxbuf: the ESP8266's own 15 bytes last for 34 ms.
    SERIAL = {"baudrate": 4800, "bits": 8, "parity": 0, "stop": 1, "rxbuf": 256}
    MAX_POWER_W = 7500  # 30 A x 250 V with 1 mOhm

    def __init__(self, uart, profile):
        factors = profile.get("factors", {})
        self._factors = tuple(factors.get(n, 1.0) for n in ("voltage", "current", "power"))
        max_power_w = profile.get("max_power_w", self.MAX_POWER_W)
        voltage_steps = _STEPS[_V] / self._factors[_V]
        self._no_mains = int(_NO_MAINS_V * voltage_steps)
        self._lowest_voltage = int(_MIN_VOLTAGE_V * voltage_steps)
        self._highest = (
            int(_MAX_VOLTAGE_V * voltage_steps),
            int(max_power_w / _MIN_LOADED_V * _STEPS[_A] / self._factors[_A]),
            int(max_power_w * _STEPS[_W] / self._factors[_W]),
        )
        self._window = FrameWindow(uart, _FRAME_SIZE, _STARTS)
        self._in_step = False  # the latest bytes were a frame: what follows should be one
        self._counter = PulseCounter(16, max_power_w)
        self._latest = None  # (V, A, W) of the latest frame in steps, None what is unknown
        self._sums = [0, 0, 0]  # of the frames since the last reading
        self._counts = [0, 0, 0]
        self._dark = 0  # frames in a row with the voltage of no mains
        # Power cycles: None = believed. 0 = no load: the first cycle to end began long before and
        # may have run over, so it is not. Else that first cycle, until another one ends.
        self._first_cycle = None
        self._next = (Reading(),)  # filled next; the other one is with the caller
        self._given = (Reading(),)
        self._deadline_ms = 0
        self._failed = False  # a frame was bad since start()
        self.channels = 1
        self.busy = False
        self.errors = {
            "timeout": 0, "noise": 0, "checksum": 0, "implausible": 0, "uncalibrated": 0,
        }  # fmt: skip
        self.error = None  # text of the latest failure

    def start(self, now_ms):
        """A reading is wanted."""
        self.busy = True
        self._failed = False
        self._deadline_ms = ticks_add(now_ms, _TIMEOUT_MS)

    def poll(self, now_ms):
        """(Reading,), once, if one is wanted and a frame has come; else None.

        Call it at every tick, wanted or not: the UART's buffer is full after a second.
        """
        window = self._window
        for _ in range(_FRAMES_PER_POLL):
            if not window.fill():
                break
            if self._is_frame():
                self._in_step = True
                window.end = 0
                self._take(now_ms)
            else:
                self._in_step = False
                window.slide()
        if not self.busy:
            return None
        if self._counts[_V]:
            self.busy = False
            return self._settle()
        if ticks_diff(now_ms, self._deadline_ms) >= 0:
            self.busy = False
            if not self._failed:
                self._fail("noise" if window.end else "timeout", "no frame")
        return None

    def _is_frame(self):
        """Whether the window holds a frame with a right sum; why not counts once per fault."""
        data = self._window.buffer
        if data[0] not in _STARTS or data[1] != 0x5A:
            if self._in_step:
                self._fail("noise", "%02X%02X" % (data[0], data[1]))
            return False
        total = 0
        for i in range(2, 23):
            total += data[i]
        if total & 0xFF == data[23]:
            return True
        if self._in_step:
            self._fail("checksum", "%02X" % data[23])
        return False

    def _take(self, now_ms):
        """Check a frame for sense and add it to the sums; a doubtful one leaves no trace."""
        data = self._window.buffer
        state = data[0]
        measured = data[20] >> 4
        out = 0
        power_coefficient = _u24(data, 14)
        if state == _UNCALIBRATED or (state != _NORMAL and state & 1) or not power_coefficient:
            return self._fail("uncalibrated", "state %02X" % state)
        if state != _NORMAL:
            # Power is what goes first; and nothing is out of range and measured in one.
            out = (state & 0x0F) >> 1
            if not out & _POWER or out & measured:
                return self._fail("implausible", "state %02X, %02X" % (state, data[20]))
        voltage = self._value(_V)
        current = self._value(_A)
        power = self._value(_W)
        dark = voltage is not None and voltage < self._no_mains
        self._dark = self._dark + 1 if dark else 0
        if out & _VOLTAGE or (self._dark >= _NO_MAINS_FRAMES and not measured & _POWER):
            voltage = 0
        first_cycle = self._first_cycle
        if out or voltage == 0:
            first_cycle = 0
        elif first_cycle is not None and measured & _POWER:
            cycle = _u24(data, 17)
            if first_cycle and cycle != first_cycle:
                first_cycle = None
            else:
                first_cycle = cycle
        if first_cycle is not None:
            current = power = 0
        if voltage != 0 and (voltage is None or voltage < self._lowest_voltage):
            return self._fail("implausible", "voltage cycle %d" % _u24(data, 5))
        values = (voltage, current, power)
        for kind in range(3):
            if values[kind] is not None and values[kind] > self._highest[kind]:
                name = ("voltage", "current", "power")[kind]
                return self._fail("implausible", "%s cycle %d" % (name, _u24(data, 5 + 6 * kind)))
        # With a low byte of 0 the high one may not have been carried to (2.2).
        if data[22]:
            pulse_dwms = int(power_coefficient * self._factors[_W]) // 100
            if not self._counter.update(now_ms, data[21] << 8 | data[22], pulse_dwms):
                return self._fail("implausible", "count %d" % (data[21] << 8 | data[22]))
        self._first_cycle = first_cycle
        if self._counts[_V] and (voltage == 0) != (self._latest[_V] == 0):
            self._clear()  # a mean of mains and no mains would be neither
        self._latest = values
        for kind in range(3):
            if values[kind] is not None:
                self._sums[kind] += values[kind]
                self._counts[kind] += 1

    def _value(self, kind):
        """Voltage, current or power of the frame, in steps; None: not known yet."""
        data = self._window.buffer
        latest = self._latest[kind] if self._latest else None
        cycle = _u24(data, 5 + 6 * kind)
        if not cycle:
            return latest
        value = (_u24(data, 2 + 6 * kind) * _STEPS[kind] + (cycle >> 1)) // cycle
        if data[20] & (0x40 >> kind) or (latest is not None and value < latest):
            return value
        return latest

    def _clear(self):
        for kind in range(3):
            self._sums[kind] = self._counts[kind] = 0

    def _mean(self, kind):
        count = self._counts[kind]
        return self._factors[kind] * self._sums[kind] / (count * _STEPS[kind]) if count else None

    def _settle(self):
        reading = self._next[0]
        voltage_v = reading.voltage_v = self._mean(_V)
        current_a = reading.current_a = self._mean(_A)
        power_w = reading.active_power_w = self._mean(_W)
        reading.power_factor = None
        if power_w and current_a:
            reading.power_factor = min(1.0, power_w / (voltage_v * current_a))
        reading.counted_dwms = self._counter.take_dwms()
        self._clear()
        self._next, self._given = self._given, self._next
        return self._given

    def _fail(self, kind, detail):
        self.errors[kind] += 1
        self.error = kind + ": " + detail
        self._failed = True
