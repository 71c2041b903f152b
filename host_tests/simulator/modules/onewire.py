# The module that the chips have frozen in: 1-Wire by software. A byte takes the time it takes.
import utime
from virtual import analog, memory, world
from virtual.ds18b20 import Ds18b20, crc8

_RESET_US = 960
_BYTE_US = 560
_PROFILE = memory.SETTINGS.get("temperature") or {}
_SENSOR = Ds18b20(lambda: world.temperature_c)


class OneWire:
    """The bus on one pin: on that of the board's DS18B20 there is the sensor, else nothing."""

    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin
        pin.init(pin.OPEN_DRAIN, pin.PULL_UP)
        wired = _PROFILE.get("kind") == "ds18b20" and _PROFILE["pin"] == pin._number
        self._sensor = _SENSOR if wired else None

    def reset(self, required=False):
        utime.sleep_us(_RESET_US)
        found = self._sensor is not None and self._at_work().reset(world.now_ms())
        if required and not found:
            raise OSError("no presence")
        return found

    def readbyte(self):
        utime.sleep_us(_BYTE_US)
        return self._at_work().read(world.now_ms()) if self._sensor else 0xFF

    def writebyte(self, value):
        utime.sleep_us(_BYTE_US)
        if self._sensor:
            self._at_work().write(value, world.now_ms())

    def crc8(self, data):
        return crc8(data)

    def _at_work(self):
        world.touch()
        self._sensor.fault = analog.fault
        return self._sensor
