"""Peacefair PZEM-004T v3 and v4: one phase, Modbus RTU over an isolated TTL port."""

from struct import unpack_from

from .modbus import ModbusPort, read_request
from .reading import Reading, implausible

_READ_INPUT = 4
_FIRST_REGISTER = 0
_REGISTERS = 10
_BUFFER_SIZE = 64  # a reply (25), an echo (8) and noise
_TIMEOUT_MS = 300  # round trips of 70 to 126 ms are measured (reference/meters.md 1.5)
_LIMITS = (  # reference/meters.md 1.7; energy is left to EnergyTotal
    ("voltage_v", 70, 270),
    ("current_a", 0, 110),
    ("active_power_w", 0, 26000),
    ("frequency_hz", 44, 66),
    ("power_factor", 0, 1),
)


class PZEM004T:
    """Reads all values of the module at `address` (1 to 0xF7; 0xF8: the only one on the bus).

    A module without mains does not answer at all. Its registers refresh once a second.
    Source: reference/meters.md 1.
    """

    # rxbuf: the ESP8266's own 15 bytes are less than a reply.
    SERIAL = {"baudrate": 9600, "bits": 8, "parity": None, "stop": 1, "rxbuf": 256}
    MAX_POWER_W = 26000  # 260 V x 100 A

    def __init__(self, uart, address=1):
        self._port = ModbusPort(uart, _BUFFER_SIZE, _TIMEOUT_MS)
        self._request = bytearray(8)
        read_request(self._request, address, _READ_INPUT, _FIRST_REGISTER, _REGISTERS)
        self._reading = Reading()  # filled next; the other one is with the caller
        self._given = Reading()
        self.errors = {
            "timeout": 0, "noise": 0, "crc": 0, "echo": 0, "exception": 0, "implausible": 0,
        }  # fmt: skip
        self.error = None  # text of the latest failure

    @property
    def busy(self):
        """Whether an answer is awaited."""
        return self._port.busy

    def start(self, now_ms):
        """Ask for new values; a request that is still open is given up."""
        self._port.start(now_ms, self._request)

    def poll(self, now_ms):
        """A Reading, once, when a good reply is complete; else None."""
        result = self._port.poll(now_ms)
        if result is None:
            return None
        if result != "ok":
            detail = " %d" % self._port.exception_code if result == "exception" else ""
            self._fail(result, detail)
            return None
        reading = self._reading
        self._decode(reading)
        wrong = implausible(reading, _LIMITS)
        if wrong:
            self._fail("implausible", ": " + wrong)
            return None
        self._reading, self._given = self._given, reading
        return reading

    def _decode(self, reading):
        # Low word first. One division each: 22-bit floats lose a digit with every step.
        (
            voltage, current, current_high, power, power_high, energy, energy_high,
            frequency, power_factor,
        ) = unpack_from(">9H", self._port.buffer, self._port.data)  # fmt: skip
        reading.voltage_v = voltage / 10
        reading.current_a = (current | current_high << 16) / 1000
        reading.active_power_w = (power | power_high << 16) / 10
        reading.energy_wh = energy | energy_high << 16
        reading.frequency_hz = frequency / 10
        reading.power_factor = power_factor / 100

    def _fail(self, kind, detail):
        self.errors[kind] += 1
        self.error = kind + detail
