# A PZEM-004T v3 as seen on its wire: Modbus RTU requests in, answers out, byte for byte.
# Source of registers, functions, error codes and refresh: reference/meters.md section 1.
import math
import struct

from .load import load_sums
from .modbus import LINE_FAULTS, ModbusDevice, exception, two_words

WH = 36000000  # 0.1 W ms in one Wh
REFRESH_MS = 1000
FAULTS = (None,) + LINE_FAULTS + ("impossible", "no_mains", "reset", "wrap")
FAULT_IMPOSSIBLE_DV = 9000  # 900.0 V
ENERGY_END_WH = 9999991  # 9999.99 kWh is the last; that it starts over then is an assumption
_BEFORE_WRAP_WH = 5

_START_CURRENT_MA = 20  # 100 A type; below it the chip shows neither current nor power
_START_POWER_DW = 4


class Pzem(ModbusDevice):
    """The module: `run()` lets house time pass, `answer()` takes a request from the wire.

    record: its own non-volatile memory, writable bytes (layout.METERS) that outlive power cuts.
    item: "address" as delivered (default 1). loads: for its one phase a list of Load that flow
    through its current transformer. Registers change once per second of house time and show the
    mean of the last 2 s. Faults that happen once: "reset" clears the energy, "wrap" puts it
    shortly before its end. Without mains ("no_mains") it is dead.
    """

    baudrate = 9600
    general_address = 0xF8

    def __init__(self, record, item, loads):
        super().__init__()
        self._record = record
        self._loads = loads[0]
        self._energy_wh, self._remainder, stored_address, _, self._alarm_w = struct.unpack_from(
            "<IIBBH", record, 0
        )
        self.address = stored_address or item.get("address", 1)
        self._bin_ms = 0
        self._bin_power = self._bin_reactive = 0
        self._last_mean = None
        self.registers = [0] * 10

    def run(self, duration_ms, voltage_dv, frequency_dhz):
        """Let `duration_ms` of house time pass."""
        if self.fault in ("reset", "wrap"):
            self._set_energy(0 if self.fault == "reset" else ENERGY_END_WH - _BEFORE_WRAP_WH)
            self.fault = None
        if self.fault == "no_mains":
            return
        # A module without a sign: what flows back is counted and shown like any other.
        power_dw, reactive_dvar = map(abs, load_sums(self._loads, voltage_dv))
        if self._last_mean is None:  # it ran long before: begin in the settled state
            self._last_mean = (power_dw, reactive_dvar)
            self._refresh(power_dw, reactive_dvar, voltage_dv, frequency_dhz)
        while duration_ms:
            part_ms = min(duration_ms, REFRESH_MS - self._bin_ms)
            self._count(power_dw, part_ms)
            self._bin_power += power_dw * part_ms
            self._bin_reactive += reactive_dvar * part_ms
            self._bin_ms += part_ms
            duration_ms -= part_ms
            if self._bin_ms == REFRESH_MS:
                self._end_bin(voltage_dv, frequency_dhz)

    def _end_bin(self, voltage_dv, frequency_dhz):
        power_dw, reactive_dvar = self._bin_power // REFRESH_MS, self._bin_reactive // REFRESH_MS
        last = self._last_mean
        self._last_mean = (power_dw, reactive_dvar)
        self._refresh(
            (power_dw + last[0]) // 2, (reactive_dvar + last[1]) // 2, voltage_dv, frequency_dhz
        )
        self._bin_ms = self._bin_power = self._bin_reactive = 0

    def skip(self, duration_ms, voltage_dv):
        """Count the energy of a long time in which nothing changed."""
        if self.fault != "no_mains":
            self._count(abs(load_sums(self._loads, voltage_dv)[0]), duration_ms)

    def answer(self, request):
        return None if self.fault == "no_mains" else super().answer(request)

    def _body(self, request):
        """What follows the address in the answer, without the CRC."""
        function = request[1]
        if function == 0x42:
            self._set_energy(0)
            return b"\x42"
        if function == 0x41:
            return None  # factory calibration takes seconds; nobody should ask for it
        if function not in (0x03, 0x04, 0x06):
            return exception(function, 1)
        if len(request) != 8:
            return exception(function, 3)
        register, value = two_words(request)
        if function == 0x06:
            return self._write_holding(register, value) or bytes(request[1:6])
        if function == 0x03:
            first, words = 1, (self._alarm_w, self.address)
        else:
            first, words = 0, self.registers
        start = register - first
        if start < 0 or value < 1 or start + value > len(words):
            return exception(function, 2)
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

    def _set_energy(self, energy_wh):
        self._energy_wh = energy_wh
        self._remainder = 0
        self.registers[5] = energy_wh & 0xFFFF
        self.registers[6] = energy_wh >> 16
        self._store()

    def _count(self, power_dw, duration_ms):
        self._remainder += power_dw * duration_ms
        self._energy_wh = (self._energy_wh + self._remainder // WH) % ENERGY_END_WH
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
