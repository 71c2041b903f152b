# A PZEM-004T v3 as seen on its wire: Modbus RTU requests in, answers out, byte for byte.
# Source of registers, functions, error codes and refresh: reference/meters.md section 1.
import math
import random
import struct

WH = 36000000  # 0.1 W ms in one Wh
REFRESH_MS = 1000
GENERAL_ADDRESS = 0xF8
FAULTS = (None, "silent", "echo", "bad_crc", "impossible", "noise", "half")
FAULT_IMPOSSIBLE_DV = 9000  # 900.0 V

_START_CURRENT_MA = 20  # 100 A type; below it the chip shows neither current nor power
_START_POWER_DW = 4


def crc16(data):
    """CRC-16/MODBUS of `data` as the two bytes that follow it on the wire, low one first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return bytes((crc & 0xFF, crc >> 8))


class Pzem:
    """The module: `run()` lets house time pass, `answer()` takes a request from the wire.

    `record` is its own non-volatile memory: 16 writable bytes (layout.METERS), kept over power
    cuts. Registers change once per second of house time and show the mean of the last 2 s.
    `loads` are what flows through its current transformer.
    """

    baudrate = 9600

    def __init__(self, record, address=1, loads=()):
        self.fault = None
        self._record = record
        self._loads = loads
        self._energy_wh, self._remainder, stored_address, _, self._alarm_w = struct.unpack_from(
            "<IIBBH", record, 0
        )
        self.address = stored_address or address
        self._bin_ms = 0
        self._bin_power = self._bin_reactive = 0
        self._last_mean = None
        self.registers = [0] * 10

    def run(self, duration_ms, voltage_dv, frequency_dhz):
        """Let `duration_ms` of house time pass; at most to the end of the refresh period."""
        power_dw = reactive_dvar = 0
        for load in self._loads:
            load_dw = load.power_dw(voltage_dv)
            power_dw += load_dw
            reactive_dvar += load.reactive_dvar(load_dw)
        if self._last_mean is None:  # it ran long before: begin in the settled state
            self._last_mean = (power_dw, reactive_dvar)
            self._refresh(power_dw, reactive_dvar, voltage_dv, frequency_dhz)
        self._count(power_dw, duration_ms)
        self._bin_power += power_dw * duration_ms
        self._bin_reactive += reactive_dvar * duration_ms
        self._bin_ms += duration_ms
        if self._bin_ms >= REFRESH_MS:
            mean = (self._bin_power // self._bin_ms, self._bin_reactive // self._bin_ms)
            self._refresh(
                (mean[0] + self._last_mean[0]) // 2,
                (mean[1] + self._last_mean[1]) // 2,
                voltage_dv,
                frequency_dhz,
            )
            self._last_mean = mean
            self._bin_ms = self._bin_power = self._bin_reactive = 0

    def skip(self, duration_ms, voltage_dv):
        """Count the energy of a long time in which nothing changed."""
        self._count(sum(load.power_dw(voltage_dv) for load in self._loads), duration_ms)

    def answer(self, request):
        """Bytes sent back for one received frame, or None; the present fault applied."""
        if len(request) < 4 or crc16(request[:-2]) != bytes(request[-2:]):
            return None
        if request[0] not in (self.address, GENERAL_ADDRESS):
            return None
        if self.fault == "silent":
            return None
        if self.fault == "echo":
            return bytes(request)
        body = self._body(request)
        if body is None:
            return None
        frame = bytes((request[0],)) + body
        frame += crc16(frame)
        if self.fault == "bad_crc":
            return frame[:-1] + bytes((frame[-1] ^ 0xFF,))
        if self.fault == "noise":
            return bytes(random.getrandbits(8) for _ in range(1 + random.getrandbits(3))) + frame
        if self.fault == "half":
            return frame[: len(frame) // 2]
        return frame

    def _body(self, request):
        """What follows the address in the answer, without the CRC."""
        function = request[1]
        if function == 0x42:
            self._energy_wh = self._remainder = self.registers[5] = self.registers[6] = 0
            self._store()
            return b"\x42"
        if function == 0x41:
            return None  # factory calibration takes seconds; nobody should ask for it
        if function not in (0x03, 0x04, 0x06):
            return bytes((function | 0x80, 1))
        if len(request) != 8:
            return bytes((function | 0x80, 3))
        register, value = struct.unpack_from(">HH", request, 2)
        if function == 0x06:
            return self._write_holding(register, value) or bytes(request[1:6])
        if function == 0x03:
            first, words = 1, (self._alarm_w, self.address)
        else:
            first, words = 0, self.registers
        start = register - first
        if start < 0 or value < 1 or start + value > len(words):
            return bytes((function | 0x80, 2))
        data = b"".join(struct.pack(">H", word) for word in words[start : start + value])
        if function == 0x04 and register == 0 and self.fault == "impossible":
            data = struct.pack(">H", FAULT_IMPOSSIBLE_DV) + data[2:]
        return bytes((function, len(data))) + data

    def _write_holding(self, register, value):
        """Store one holding register; returns the body of an error answer, or None."""
        if register == 1:
            self._alarm_w = value
        elif register != 2:
            return b"\x86\x02"
        elif not 1 <= value <= 0xF7:
            return b"\x86\x03"
        else:
            self.address = value
        self._store()
        return None

    def _count(self, power_dw, duration_ms):
        self._remainder += power_dw * duration_ms
        self._energy_wh = (self._energy_wh + self._remainder // WH) & 0xFFFFFFFF
        self._remainder %= WH
        self._store()

    def _store(self):
        struct.pack_into(
            "<IIBBH",
            self._record,
            0,
            self._energy_wh,
            self._remainder,
            self.address,
            0,
            self._alarm_w,
        )

    def _refresh(self, power_dw, reactive_dvar, voltage_dv, frequency_dhz):
        apparent_dva = math.sqrt(power_dw * power_dw + reactive_dvar * reactive_dvar)
        current_ma = int(apparent_dva * 1000) // voltage_dv
        if current_ma < _START_CURRENT_MA or power_dw < _START_POWER_DW:
            current_ma = power_dw = factor_percent = 0
        else:
            factor_percent = round(100 * power_dw / apparent_dva)
        self.registers[:] = (
            voltage_dv,
            current_ma & 0xFFFF,
            current_ma >> 16,
            power_dw & 0xFFFF,
            power_dw >> 16,
            self._energy_wh & 0xFFFF,
            self._energy_wh >> 16,
            frequency_dhz,
            factor_percent,
            0xFFFF if 0 < self._alarm_w * 10 <= power_dw else 0,
        )
