"""Eastron SDM120, SDM230, SDM72 and SDM630: meters on RS485, Modbus RTU."""

from struct import unpack_from

from micropython import const

from .modbus import REPLY_OVERHEAD, REQUEST_SIZE, read_request
from .modbus_meter import ModbusMeter

_READ_INPUT = const(4)
_ANSWER_MS = const(350)  # until a reply begins; 300 to 500 are in use (reference/meters.md 7.5)
_NOISE_SIZE = const(16)
_NO_MAINS_V = const(20)

# Tables of what is read: blocks of (first register, count, values), a value being (register,
# name, step from one channel to the next). Every value is a float32 in two registers. Registers
# between those a model has read as 0; one block of 80 from 0 on is what all but the SDM72 answer.
_PHASES = [
    (0x00, "voltage_v", 2),
    (0x06, "current_a", 2),
    (0x0C, "active_power_w", 2),
    (0x1E, "power_factor", 2),
    (0x46, "frequency_hz", 0),
]
_ENERGY = [(0x48, "register_wh", 0), (0x4A, "register_export_wh", 0)]
_PHASE_ENERGY = [(0x15A, "register_wh", 2), (0x160, "register_export_wh", 2)]


def energy_wh(buffer, offset):
    """Wh, an int, of the kWh that lie as a big-endian float32 at `offset`; None: no such energy.

    In integers, since a float of a chip has 22 or 24 bits. The meter's own 24 leave steps of
    at most 1 Wh up to 16,384 kWh; it is 2 Wh from there on, 8 Wh at 100,000 kWh.
    """
    bits = unpack_from(">I", buffer, offset)[0]
    if bits == 0x80000000:
        return 0  # minus zero
    exponent = bits >> 23  # above 255: negative; 255: infinite or no number
    if exponent > 148:
        return None  # 4.2 GWh or more
    shift = 150 - exponent
    return (((bits & 0x7FFFFF | 0x800000) * 1000 >> shift - 1) + 1) >> 1


class SDM120(ModbusMeter):
    """One phase: all values, power signed, import and export registers.

    profile: "address" (default 1), "baudrate" where it is not as delivered. direction: function
    of a level that switches the RS485 driver, if that needs a pin. A phase without mains reads
    0 V; a meter without mains does not answer. Source: reference/meters.md 7.
    """

    SERIAL = dict(ModbusMeter.SERIAL, baudrate=2400)
    MAX_POWER_W = 30000  # 300 V x 100 A
    PAUSE_MS = 100
    CHANNELS = 1
    BLOCKS = [(0, 80, _PHASES + _ENERGY)]

    def __init__(self, uart, profile, direction=None):
        requests = []
        longest = 0
        for register, count, _ in self.BLOCKS:
            request = bytearray(REQUEST_SIZE)
            read_request(request, profile.get("address", 1), _READ_INPUT, register, count)
            requests.append(request)
            longest = max(longest, REPLY_OVERHEAD + 2 * count)
        longest += REQUEST_SIZE
        baudrate = profile.get("baudrate", self.SERIAL["baudrate"])
        super().__init__(
            uart, profile, direction, self.CHANNELS, requests, longest + _NOISE_SIZE,
            _ANSWER_MS + longest * 10000 // baudrate,
        )  # fmt: skip
        power_w = self.MAX_POWER_W
        self._limits = (  # reference/meters.md 7.6
            ("voltage_v", 0, 500),
            ("current_a", 0, 120),
            ("active_power_w", -power_w, power_w),
            ("frequency_hz", 45, 65),
        )

    def _decode(self, turn):
        first, _, values = self.BLOCKS[turn]
        buffer = self._port.buffer
        for register, name, step in values:
            offset = self._port.data + 2 * (register - first)
            for reading in self._readings:
                if name.endswith("_wh"):
                    value = energy_wh(buffer, offset)
                else:
                    value = unpack_from(">f", buffer, offset)[0]
                setattr(reading, name, value)
                offset += 2 * step
        if turn == len(self.BLOCKS) - 1:
            for channel in range(self.channels):
                self._finish(channel)

    def _finish(self, channel):
        reading = self._readings[channel]
        if None in (reading.register_wh, reading.register_export_wh):
            self._fail("implausible", 1 << channel, ": energy")
            return
        if reading.voltage_v is not None:
            if reading.voltage_v < _NO_MAINS_V:
                reading.current_a = reading.active_power_w = 0.0
                reading.frequency_hz = reading.power_factor = None
            # Magnitudes: on some models these have the sign of the power, on others none.
            reading.current_a = abs(reading.current_a)
            reading.frequency_hz = reading.frequency_hz or None  # 0: measured on a dead phase
        # Kept out of the check of power against V x I: they may be of different moments.
        power_factor = reading.power_factor
        reading.power_factor = None
        if power_factor is not None and not -1.01 <= power_factor <= 1.01:
            self._fail("implausible", 1 << channel, ": power_factor")
        elif self._check(channel, self._limits) and power_factor is not None and reading.current_a:
            reading.power_factor = min(abs(power_factor), 1.0)


class SDM230(SDM120):
    """One phase, as the SDM120."""


class SDM630(SDM120):
    """Three phases, each a channel with registers of its own."""

    SERIAL = ModbusMeter.SERIAL
    CHANNELS = 3
    BLOCKS = [(0, 80, _PHASES), (0x15A, 12, _PHASE_ENERGY)]


class SDM72(SDM120):
    """Three phases, but power and energy of all together are all that it tells: one channel.

    The SDM72D-M 2 tells more, which is left out. Asked oftener than every 500 ms it restarts
    (reference/meters.md 7.5), so a sample takes 1.2 s.
    """

    SERIAL = ModbusMeter.SERIAL
    MAX_POWER_W = 90000
    PAUSE_MS = 500
    BLOCKS = [(0x34, 2, [(0x34, "active_power_w", 0)]), (0x48, 4, _ENERGY)]
