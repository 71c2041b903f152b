# Eastron SDM120, 230, 72 and 630 as seen on their wire. Registers, what each model answers, and
# limits: reference/meters.md section 7.
import math
import struct

from .load import load_sums
from .modbus import LINE_FAULTS, ModbusDevice, exception, two_words

WH = 36000000  # 0.1 W ms in one Wh
REFRESH_MS = 1000
FAULTS = (None,) + LINE_FAULTS + ("nan", "no_mains", "reset")

_BAUDRATES = {"sdm120": 2400, "sdm230": 2400, "sdm72": 9600, "sdm630": 9600}
_MAX_COUNT = 80
_START_CURRENT_MA = 20  # 0.4 % of the basic current of 5 A
_SDM72 = (0x34, 0x48, 0x4A, 0x156, 0x500, 0x502)
_SINGLE = (0x00, 0x06, 0x0C, 0x12, 0x18, 0x1E, 0x46, 0x48, 0x4A, 0x156)
_NAN = b"\x7f\xc0\x00\x00"


class _Phase:
    """What one phase shows since the last refresh, and its energy in Wh and 0.1 W ms."""

    def __init__(self, loads):
        self.loads = loads
        self.import_wh = self.import_rest = self.export_wh = self.export_rest = 0
        self.power_sum = self.reactive_sum = 0  # of the second that runs
        self.show(0, 0, 0)

    def show(self, power_dw, reactive_dvar, voltage_dv):
        apparent_dva = math.sqrt(power_dw**2 + reactive_dvar**2)
        self.voltage_v = voltage_dv / 10
        self.current_a = apparent_dva / voltage_dv if voltage_dv else 0.0
        if self.current_a * 1000 < _START_CURRENT_MA:
            self.current_a = apparent_dva = power_dw = reactive_dvar = 0.0
        self.power_w, self.reactive_var = power_dw / 10, reactive_dvar / 10
        self.apparent_va = apparent_dva / 10
        # With the sign of the power, as the SDM630 shows it; 1 without a load.
        self.power_factor = power_dw / apparent_dva if apparent_dva else 1.0

    def count(self, power_dw, duration_ms):
        if power_dw >= 0:
            self.import_rest += power_dw * duration_ms
            self.import_wh += self.import_rest // WH
            self.import_rest %= WH
        else:
            self.export_rest -= power_dw * duration_ms
            self.export_wh += self.export_rest // WH
            self.export_rest %= WH


class Sdm(ModbusDevice):
    """A meter: `run()` lets house time pass, `answer()` takes a request from the wire.

    record: bytes that outlive power cuts: for each phase u32 import Wh, its rest in 0.1 W ms,
    u32 export Wh, its rest. item: "chip", "address" (default 1), "baudrate" where it is not as
    delivered. loads: for each phase a list of Load; negative ones are generators. All values are
    those of the last whole second of house time.

    Faults: "echo" sends the request back before the answer, as a direction module that hears
    itself; "nan" is what a weak supply makes of all values; "no_mains" takes away one phase
    (`fault_phase`) or all, and then the meter is dead; "reset" clears the energy, once.
    """

    def __init__(self, record, item, loads):
        super().__init__()
        self.fault_phase = None
        self.chip = item["chip"]
        self.baudrate = item.get("baudrate", _BAUDRATES[self.chip])
        self.address = item.get("address", 1)
        self._record = record
        self._phases = [_Phase(part) for part in loads]
        for phase, numbers in zip(self._phases, self._stored()):
            phase.import_wh, phase.import_rest, phase.export_wh, phase.export_rest = numbers
        self._frequency_hz = 0.0
        self._bin_ms = None  # of the second that runs; None before the first

    def _stored(self):
        numbers = range(len(self._phases))
        return [struct.unpack_from("<IIII", self._record, 16 * number) for number in numbers]

    def _dead(self, number):
        return self.fault == "no_mains" and self.fault_phase in (None, number)

    def run(self, duration_ms, voltage_dv, frequency_dhz):
        """Let `duration_ms` of house time pass."""
        if self.fault == "reset":
            for phase in self._phases:
                phase.import_wh = phase.import_rest = phase.export_wh = phase.export_rest = 0
            self.fault = None
        self._frequency_hz = frequency_dhz / 10
        volts = [0 if self._dead(i) else voltage_dv for i in range(len(self._phases))]
        sums = [load_sums(p.loads, v) if v else (0, 0) for p, v in zip(self._phases, volts)]
        if self._bin_ms is None:  # it ran long before: begin in the settled state
            self._bin_ms = 0
            for phase, (power_dw, reactive_dvar), volt in zip(self._phases, sums, volts):
                phase.show(power_dw, reactive_dvar, volt)
        while duration_ms:
            part_ms = min(duration_ms, REFRESH_MS - self._bin_ms)
            duration_ms -= part_ms
            self._bin_ms += part_ms
            for phase, (power_dw, reactive_dvar), volt in zip(self._phases, sums, volts):
                phase.count(power_dw, part_ms)
                phase.power_sum += power_dw * part_ms
                phase.reactive_sum += reactive_dvar * part_ms
                if self._bin_ms == REFRESH_MS:
                    phase.show(phase.power_sum / REFRESH_MS, phase.reactive_sum / REFRESH_MS, volt)
                    phase.power_sum = phase.reactive_sum = 0
            self._bin_ms %= REFRESH_MS
        self._store()

    def skip(self, duration_ms, voltage_dv):
        """Count the energy of a long time in which nothing changed."""
        for number, phase in enumerate(self._phases):
            if not self._dead(number):
                phase.count(load_sums(phase.loads, voltage_dv)[0], duration_ms)
        self._store()

    def _store(self):
        for number, p in enumerate(self._phases):
            struct.pack_into("<IIII", self._record, 16 * number,
                             p.import_wh, p.import_rest, p.export_wh, p.export_rest)

    def answer(self, request):
        if self.fault == "no_mains" and self.fault_phase is None:
            return None
        if self.fault != "echo":
            return super().answer(request)
        self.fault = None
        answer = super().answer(request)
        self.fault = "echo"
        return answer and bytes(request) + answer

    def _body(self, request):
        """What follows the address in the answer, without the CRC."""
        function = request[1]
        if function != 0x04:
            return exception(function, 1)
        if len(request) != 8:
            return exception(function, 3)
        first, count = two_words(request)
        if not 0 < count <= _MAX_COUNT or count % 2 or first % 2 or not self.has(first, count):
            return exception(function, 2)
        values = self.values()
        data = b""
        for register in range(first, first + count, 2):
            data += struct.pack(">f", values.get(register, 0.0))
        if self.fault == "nan":
            data = _NAN * (count // 2)
        return bytes((function, len(data))) + data

    def has(self, first, count):
        """Whether it answers for these registers.

        The SDM72 refuses any that it does not have; the others read them as 0, up to the block
        that only three phases have.
        """
        if self.chip == "sdm72":
            return all(register in _SDM72 for register in range(first, first + count, 2))
        return self.chip == "sdm630" or first in _SINGLE

    def values(self):
        """{register: value} of all that this model has, as it would send them."""
        phases = self._phases
        import_kwh = sum(phase.import_wh for phase in phases) / 1000
        export_kwh = sum(phase.export_wh for phase in phases) / 1000
        power_w = sum(phase.power_w for phase in phases)
        found = {0x34: power_w, 0x46: self._frequency_hz, 0x48: import_kwh, 0x4A: export_kwh,
                 0x156: import_kwh + export_kwh, 0x500: max(power_w, 0), 0x502: -min(power_w, 0)}
        for number, phase in enumerate(phases):
            for register, value in (
                (0x00, phase.voltage_v), (0x06, phase.current_a), (0x0C, phase.power_w),
                (0x12, phase.apparent_va), (0x18, phase.reactive_var), (0x1E, phase.power_factor),
                (0x15A, phase.import_wh / 1000), (0x160, phase.export_wh / 1000),
            ):  # fmt: skip
                found[register + 2 * number] = value
        if self.chip == "sdm630":
            return found
        wanted = _SDM72 if self.chip == "sdm72" else _SINGLE
        return {register: found[register] for register in wanted if register in found}
