# A DS18B20 at byte level: presence, ROM skip, conversion, scratchpad with its CRC.
# Nobody on the bus leaves it high: ones are read.

FAULTS = ("absent", "stuck_low", "noise", "power_on")
_POWER_ON = 0x0550  # 85 degrees, until a conversion has ended
_CONVERSION_MS = 750  # 12 bits


def crc8(data):
    """CRC-8 of Maxim: polynomial 0x8C reflected, from 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


class Ds18b20:
    """`fault` is None or one of FAULTS; temperature() is asked when a conversion begins."""

    def __init__(self, temperature):
        self._temperature = temperature
        self.fault = None
        self._raw = _POWER_ON
        self._converting = None  # (end in ms, raw)
        # Deaf until a reset; then hears the ROM command; then the function command; and then it
        # sends `_answer`, or nothing but ones.
        self._hears = None
        self._answer = b""

    def reset(self, now_ms):
        """True: a presence pulse was seen."""
        self._answer = b""
        self._hears = "rom"
        if self.fault == "absent":
            self._hears = None
        # What holds the wire low is taken for a presence pulse.
        return self._hears is not None

    def write(self, byte, now_ms):
        if self._hears == "rom":
            self._hears = "function" if byte == 0xCC else None
        elif self._hears == "function":
            self._hears = None
            if byte == 0x44:
                raw = int(self._temperature() * 16 + 4096.5) - 4096  # rounds below zero as well
                self._converting = now_ms + _CONVERSION_MS, raw
            elif byte == 0xBE:
                self._answer = self._scratchpad(now_ms)

    def read(self, now_ms):
        """The next byte."""
        if self.fault == "stuck_low":
            return 0
        byte = self._answer[0] if self._answer else 0xFF
        self._answer = self._answer[1:]
        return byte

    def _scratchpad(self, now_ms):
        if self._converting and now_ms >= self._converting[0]:
            self._raw = self._converting[1]
            self._converting = None
        raw = _POWER_ON if self.fault == "power_on" else self._raw
        data = bytes((raw & 0xFF, raw >> 8 & 0xFF, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10))
        data += bytes((crc8(data),))
        if self.fault == "noise":
            data = data[:1] + bytes((data[1] ^ 0x01,)) + data[2:]
        return data
