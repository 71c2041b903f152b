# A BL0942 as seen on its wire: the request for all values in, a packet of 23 bytes out.
# Source of layout, formulas, refresh and the damage it does: reference/meters.md section 3.
import math
import random
import struct

from .load import load_sums

FAULTS = (
    None, "silent", "noise", "stray", "half", "bad_checksum", "wrap", "reset", "no_mains",
)  # fmt: skip
REFRESH_MS = 400

_FIRST_COUNT = 0x800000  # a chip has been seen to start there
_CREEP_STEPS = 134
_REVERSE, _CREEP, _CURRENT_LOW, _VOLTAGE_LOW = 1, 2, 0x100, 0x200


class Bl0942:
    """The chip: `run()` lets house time pass, `answer()` takes a request from the wire.

    `record` keeps the pulse counter (u32), the energy towards the next pulse (u64) and whether
    they were ever set (u8). A pulse is `pulse_dwms` of what flows through `loads`, whatever its
    direction. `item` may have the board's "baudrate", "address", "shunt_mohm", "divider",
    "factors" (true to shown), and "sign": -1 for a shunt the wrong way round.
    """

    parity = None
    think_ms = (0, 1)  # the answer follows at once

    def __init__(self, record, item, loads):
        self.baudrate = item.get("baudrate", 4800)
        self.address = item.get("address", 0)
        self.fault = None
        self._record = record
        self._loads = loads[0]
        self._sign = -1 if item.get("sign") == -1 else 1
        factors = item.get("factors", {})
        divider = item.get("divider", 3824.53)
        shunt_mohm = item.get("shunt_mohm", 1)
        # Steps of one V, A and W.
        self._v_steps = 73989000 / 1.218 / divider / factors.get("voltage", 1)
        self._a_steps = 305978 / 1.218 * shunt_mohm / factors.get("current", 1)
        self._w_steps = 3537000 / 1.483524 * shunt_mohm / divider / factors.get("power", 1)
        self.pulse_dwms = round(4194304000 / self._w_steps)
        self.pulses, self._towards_dwms, known = struct.unpack_from("<IQB", record, 0)
        if not known:
            self.pulses = _FIRST_COUNT
        self._due_ms = 0
        self._values = (0, 0, 0, 20000, _CREEP | _CURRENT_LOW | _VOLTAGE_LOW)

    def run(self, duration_ms, voltage_dv, frequency_dhz):
        """Let `duration_ms` of house time pass."""
        if self.fault in ("wrap", "reset"):
            self.pulses = 0xFFFFFE if self.fault == "wrap" else 0
            self._towards_dwms = 0
            self.fault = None
        if self.fault == "no_mains":
            voltage_dv = power_dw = reactive_dvar = 0
        else:
            power_dw, reactive_dvar = load_sums(self._loads, voltage_dv)
        self._count(power_dw, duration_ms)
        self._due_ms -= duration_ms
        if self._due_ms <= 0:
            self._due_ms = REFRESH_MS
            self._refresh(power_dw, reactive_dvar, voltage_dv, frequency_dhz)

    def skip(self, duration_ms, voltage_dv):
        """Count the energy of a long time in which nothing changed."""
        self._count(sum(load.power_dw(voltage_dv) for load in self._loads), duration_ms)

    def answer(self, request):
        """The packet for a request for all values, the present fault applied; else None."""
        if request != bytes((0x58 | self.address, 0xAA)) or self.fault == "silent":
            return None
        packet = self.packet()
        if self.fault == "bad_checksum":
            return packet[:-1] + bytes((packet[-1] ^ 0xFF,))
        if self.fault == "half":
            return packet[: len(packet) // 2]
        if self.fault == "stray":
            return bytes(1 + random.getrandbits(2)) + packet
        if self.fault == "noise":
            return bytes(random.getrandbits(8) for _ in range(1 + random.getrandbits(3))) + packet
        return packet

    def packet(self):
        """The 23 bytes of this moment, for its own address."""
        current, voltage, power, period_us, status = self._values
        packet = b"\x55" + b"".join(
            (value & 0xFFFFFF).to_bytes(3, "little")
            for value in (current, voltage, current, power, self.pulses))
        packet += struct.pack("<HxHx", period_us, status)
        return packet + bytes((~(0x58 + self.address + sum(packet)) & 0xFF,))

    def _count(self, power_dw, duration_ms):
        self._towards_dwms += power_dw * duration_ms
        self.pulses = (self.pulses + self._towards_dwms // self.pulse_dwms) & 0xFFFFFF
        self._towards_dwms %= self.pulse_dwms
        struct.pack_into("<IQB", self._record, 0, self.pulses, self._towards_dwms, 1)

    def _refresh(self, power_dw, reactive_dvar, voltage_dv, frequency_dhz):
        current = power = 0
        status = _CURRENT_LOW
        period_us = 20000
        if voltage_dv:
            apparent_dva = math.sqrt(power_dw * power_dw + reactive_dvar * reactive_dvar)
            current = round(apparent_dva / voltage_dv * self._a_steps)
            power = round(power_dw / 10 * self._w_steps)
            period_us = 10000000 // frequency_dhz
        else:
            status |= _VOLTAGE_LOW
        if power < _CREEP_STEPS:
            current = power = 0
            status |= _CREEP
        elif current > self._a_steps:
            status &= ~_CURRENT_LOW
        if power and self._sign < 0:
            status |= _REVERSE
        voltage = round(voltage_dv / 10 * self._v_steps)
        self._values = (current, voltage, self._sign * power, period_us, status)
