"""Peacefair PZEM-004T v3 and v4: Modbus RTU over an isolated TTL port, up to three on one bus."""

from struct import unpack_from

from micropython import const

from .modbus import read_request
from .modbus_meter import ModbusMeter

_READ_INPUT = const(4)
_FIRST_REGISTER = const(0)
_REGISTERS = const(10)
_BUFFER_SIZE = const(64)  # a reply (25), an echo (8) and noise
_TIMEOUT_MS = const(300)  # round trips of 70 to 126 ms are measured (reference/meters.md 1.5)
_LIMITS = const((  # reference/meters.md 1.7; energy is left to the energy module
    ("voltage_v", 70, 500),  # a lost neutral shows up to 400 V: protection must see that
    ("current_a", 0, 110),
    ("active_power_w", 0, 26000),
    ("frequency_hz", 44, 66),
    ("power_factor", 0, 1),
))


class PZEM004T(ModbusMeter):
    """All values of one module, or of up to three on one bus, a channel each.

    profile: "address" (default 1) or "addresses", a list; each 1 to 0xF7, or 0xF8 for the only
    one on the bus. A module without mains does not answer: its channel costs 300 ms and fails.
    The registers refresh once a second. Source: reference/meters.md 1.
    """

    MAX_POWER_W = 26000  # 260 V x 100 A

    def __init__(self, uart, profile, direction=None):
        requests = []
        for address in profile.get("addresses") or (profile.get("address", 1),):
            request = bytearray(8)
            read_request(request, address, _READ_INPUT, _FIRST_REGISTER, _REGISTERS)
            requests.append(request)
        super().__init__(
            uart, profile, direction, len(requests), requests, _BUFFER_SIZE, _TIMEOUT_MS
        )

    def _asked(self, turn):
        return 1 << turn

    def _decode(self, turn):
        # Low word first. One division each: 22-bit floats lose a digit with every step.
        (
            voltage, current, current_high, power, power_high, energy, energy_high,
            frequency, power_factor,
        ) = unpack_from(">9H", self._port.buffer, self._port.data)  # fmt: skip
        reading = self._readings[turn]
        reading.voltage_v = voltage / 10
        reading.current_a = (current | current_high << 16) / 1000
        reading.active_power_w = (power | power_high << 16) / 10
        reading.register_wh = energy | energy_high << 16
        reading.frequency_hz = frequency / 10
        reading.power_factor = power_factor / 100
        self._check(turn, _LIMITS)
