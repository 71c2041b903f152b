# A CSE7766 (HLW8032) as seen on its wire: a frame every 105 ms, byte for byte.
# Source of layout, states, timing and the damage it does: reference/meters.md section 2.
import math
import random
import struct

from .load import load_sums

FAULTS = (None, "silent", "noise", "bad_checksum", "poison", "wrap", "reset", "no_mains")
FRAME_MS = 105

_VOLTAGE, _CURRENT, _POWER = 191600, 16565, 5378000  # coefficients of a real chip
_NOISE_CYCLE_US = 186236  # the current's without a load, as captured
_NO_VOLTAGE_CYCLE_US = 464669  # 0.4 V: without mains, and in the captured poison frame
_SLOWEST_CYCLE_US = 6000000  # power too small to be measured
_VOLTAGE_OK, _CURRENT_OK, _POWER_OK = 0x40, 0x20, 0x10


class Cse7766:
    """The chip: `run()` lets house time pass, `push()` gives the frames that are due.

    `record` keeps the pulse counter (u32, of which a frame shows 16 bits) and the energy towards
    the next pulse (u64). A pulse is `pulse_dwms` of what flows through `loads`. `item` may have
    the board's "factors" (true to shown).
    """

    baudrate = 4800
    parity = 0

    def __init__(self, record, item, loads):
        self.address = item.get("address")
        self.fault = None
        self._record = record
        self._loads = loads[0]
        factors = item.get("factors", {})
        self._factors = [factors.get(n, 1) for n in ("voltage", "current", "power")]
        self.pulse_dwms = int(_POWER * self._factors[2]) // 100
        self.pulses, self._towards_dwms = struct.unpack_from("<IQ", record, 0)
        self._voltage_dv = self._current_ma = 0
        self._cycle_us = None  # of power, the last that ended; None: it ran long without a load
        self._since_us = _SLOWEST_CYCLE_US  # the last pulse
        self._due_ms = None
        self._frames = 0

    def run(self, duration_ms, voltage_dv, frequency_dhz):
        """Let `duration_ms` of house time pass."""
        if self.fault in ("wrap", "reset"):
            self.pulses = 65500 if self.fault == "wrap" else 0
            self._towards_dwms = 0
            self.fault = None
        if self.fault == "no_mains":
            voltage_dv = power_dw = reactive_dvar = 0
        else:
            power_dw, reactive_dvar = load_sums(self._loads, voltage_dv)
        self._voltage_dv = voltage_dv
        self._current_ma = 0
        if voltage_dv:
            apparent_dva = math.sqrt(power_dw * power_dw + reactive_dvar * reactive_dvar)
            self._current_ma = int(apparent_dva * 1000) // voltage_dv
        self._since_us += duration_ms * 1000
        before = self.pulses
        self._count(power_dw, duration_ms)
        if self.pulses != before or (duration_ms == 0 and power_dw):
            self._cycle_us = self.pulse_dwms * 1000 // power_dw
            self._since_us = self._towards_dwms * 1000 // power_dw

    def skip(self, duration_ms, voltage_dv):
        """Count the energy of a long time in which nothing changed."""
        self._count(sum(load.power_dw(voltage_dv) for load in self._loads), duration_ms)

    def push(self, now_ms):
        """The frame that begins at `now_ms` on the wire, the present fault applied, or None."""
        if self._due_ms is None:
            self._due_ms = now_ms + random.getrandbits(6)
        if now_ms < self._due_ms:
            return None
        self._due_ms += FRAME_MS
        if self.fault == "silent":
            return None
        frame = self.frame()
        if self.fault == "bad_checksum":
            return frame[:-1] + bytes((frame[-1] ^ 0xFF,))
        if self.fault == "noise":
            return bytes(random.getrandbits(8) for _ in range(1 + random.getrandbits(3))) + frame
        return frame

    def frame(self):
        """The 24 bytes of this moment; the fault "poison" spoils every second voltage."""
        self._frames += 1
        state = 0x55
        measured = _VOLTAGE_OK | _CURRENT_OK
        voltage_us = _NO_VOLTAGE_CYCLE_US
        if self._voltage_dv:
            voltage_us = int(_VOLTAGE * 10 * self._factors[0]) // self._voltage_dv
        if self.fault == "poison" and self._frames % 2:
            voltage_us = _NO_VOLTAGE_CYCLE_US
        current_us = _NOISE_CYCLE_US
        if self._current_ma:
            ended_us = int(_CURRENT * 1000 * self._factors[1]) // self._current_ma
            current_us = min(current_us, ended_us)
        if self._since_us >= _SLOWEST_CYCLE_US:
            state = 0xF2
        if self._cycle_us is None or self._since_us > self._cycle_us:
            power_us = self._since_us & 0xFFFFFF  # it counts on, and over
        else:
            power_us = self._cycle_us
            measured |= _POWER_OK
        pulses = self.pulses & 0xFFFF
        if not pulses & 0xFF:
            pulses = (pulses - 256) & 0xFFFF  # caught before the carry
        body = b"".join(
            coefficient.to_bytes(3, "big") + cycle_us.to_bytes(3, "big")
            for coefficient, cycle_us in (
                (_VOLTAGE, voltage_us), (_CURRENT, current_us), (_POWER, power_us)))
        status = (self.pulses >> 16 & 1) << 7 | measured | 1
        body += bytes((status, pulses >> 8, pulses & 0xFF))
        return bytes((state, 0x5A)) + body + bytes((sum(body) & 0xFF,))

    def _count(self, power_dw, duration_ms):
        self._towards_dwms += power_dw * duration_ms
        self.pulses = (self.pulses + self._towards_dwms // self.pulse_dwms) & 0xFFFFFFFF
        self._towards_dwms %= self.pulse_dwms
        struct.pack_into("<IQ", self._record, 0, self.pulses, self._towards_dwms)
