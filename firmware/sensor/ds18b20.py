"""DS18B20 on a 1-Wire bus of its own. Source: its data sheet, reference/meters.md 10a."""

from time import ticks_add, ticks_diff

from micropython import const

from . import Thermometer

_PERIOD_MS = const(10000)  # more often it would warm itself
_CONVERSION_MS = const(750)  # at 12 bits; less takes less
_MISSES = const(3)  # in a row, and the temperature is unknown
_SLICE = const(3)  # bytes read in one tick: a byte takes 0.6 ms

_SKIP_ROM = const(0xCC)
_CONVERT = const(0x44)
_READ_SCRATCHPAD = const(0xBE)

_POWER_ON = const(0x0550)  # 85 degrees: nothing has been converted since power-on


def celsius(scratchpad):
    """(degrees C, None) from its nine bytes, whose CRC is right; else (None, what is wrong).

    A bus held low reads nine zeros, with the right CRC: hence the look at the configuration.
    """
    config = scratchpad[4]
    if config & 0x9F != 0x1F:
        return None, "DS18B20 with a configuration of 0x%02X" % config
    raw = scratchpad[1] << 8 | scratchpad[0]
    raw &= ~(7 >> (config >> 5))  # bits that this resolution leaves undefined
    if raw == _POWER_ON:
        return None, "DS18B20 has lost its power"
    if raw & 0x8000:
        raw -= 0x10000
    if not -880 <= raw <= 2000:
        return None, "DS18B20 says %d degrees" % (raw // 16)
    return raw / 16, None


class Ds18b20(Thermometer):
    """bus: `onewire.OneWire`, whose wire it has for itself."""

    def __init__(self, bus, log):
        super().__init__(None, log)
        self._bus = bus
        self._scratchpad = bytearray(9)
        # Waits until `_due_ms` to start a conversion (None); until then for the conversion (-1);
        # has read so many bytes of the answer (0, 3, 6). After nine, or without presence: None.
        self._taken = None
        self._misses = 0  # in a row

    def poll(self, now_ms):
        """True when a measurement has ended. Takes 3 ms at the most."""
        if self._due_ms is not None and ticks_diff(now_ms, self._due_ms) < 0:
            return False
        bus = self._bus
        taken = self._taken
        if taken is None or taken < 0:
            # A reset tells by its result whether anything is there.
            if not bus.reset():
                return self._end(None, "no DS18B20 answers", now_ms)
            bus.writebyte(_SKIP_ROM)
            bus.writebyte(_CONVERT if taken is None else _READ_SCRATCHPAD)
            self._taken = -1 if taken is None else 0
            self._due_ms = ticks_add(now_ms, _CONVERSION_MS if taken is None else 0)
            return False
        for at in range(taken, taken + _SLICE):
            self._scratchpad[at] = bus.readbyte()
        self._taken = taken + _SLICE
        if self._taken < len(self._scratchpad):
            return False
        if bus.crc8(self._scratchpad):
            return self._end(None, "noise on the way from the DS18B20", now_ms)
        value_c, fault = celsius(self._scratchpad)
        return self._end(value_c, fault, now_ms)

    def _end(self, value_c, fault, now_ms):
        self._taken = None
        self._due_ms = ticks_add(now_ms, _PERIOD_MS)
        if fault:
            self._misses += 1
            if self._misses < _MISSES:
                return True  # with the value there was
        else:
            self._misses = 0
        self.settle(value_c, fault)
        return True
