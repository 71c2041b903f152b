# Tests of the simulated thermistor and DS18B20, by the drivers that are to read them.
from time import ticks_add

from firmware.sensor.ds18b20 import Ds18b20 as Driver
from firmware.sensor.ntc import OPEN, SHORT, Ntc
from host_tests.simulator.modules.virtual import analog
from host_tests.simulator.modules.virtual.ds18b20 import Ds18b20, crc8
from host_tests.unit.fakes import Log

PLUS = {"series_ohm": 10000, "r25_ohm": 10000, "beta": 3350}


def read_by_ntc(temperature_c, fault=None):
    raw = analog.raw(analog.ntc_volts(PLUS, temperature_c, fault), 3.1, 12)
    return Ntc(lambda: None if raw == 4095 else raw * 3.1 / 4095, PLUS)()


class Bus:
    """`onewire.OneWire` without a pin."""

    def __init__(self, sensor):
        self.sensor = sensor
        self.now_ms = 0

    def reset(self):
        return self.sensor.reset(self.now_ms)

    def writebyte(self, byte):
        self.sensor.write(byte, self.now_ms)

    def readbyte(self):
        return self.sensor.read(self.now_ms)

    def crc8(self, data):
        return crc8(data)


def read_by_driver(temperature_c, fault=None):
    sensor = Ds18b20(lambda: temperature_c)
    sensor.fault = fault
    bus = Bus(sensor)
    log = Log()
    driver = Driver(bus, log)
    for bus.now_ms in range(0, 35000, 10):
        driver.poll(ticks_add(0, bus.now_ms))
    return driver.value_c, log.lines


def test_the_thermistor_shows_the_temperature():
    for temperature_c in (-10, 0, 25, 41, 80, 110):
        found, fault = read_by_ntc(temperature_c)
        assert fault is None
        assert abs(found - temperature_c) < 0.3, found


def test_the_thermistors_faults():
    assert read_by_ntc(25, "open") == (None, OPEN)
    assert read_by_ntc(25, "short") == (None, SHORT)


def test_crc_of_the_power_on_scratchpad():
    assert crc8(b"\x50\x05\x4b\x46\x7f\xff\x0c\x10") == 0x1C
    assert crc8(b"\xff" * 8) == 0xC9


def test_the_ds18b20_shows_the_temperature():
    for temperature_c in (-10.5, -0.0625, 0, 25.0625, 84.9375, 110):
        assert read_by_driver(temperature_c) == (temperature_c, [])


def test_the_ds18b20s_faults():
    for fault, why in (("absent", "no DS18B20"), ("stuck_low", "configuration"),
                       ("noise", "noise"), ("power_on", "its power")):
        value_c, lines = read_by_driver(25, fault)
        assert value_c is None
        assert len(lines) == 1 and why in lines[0]


def test_a_ds18b20_that_is_read_too_early_shows_what_it_had():
    sensor = Ds18b20(lambda: 25)
    bus = Bus(sensor)
    bus.reset()
    bus.writebyte(0xCC)
    bus.writebyte(0x44)
    bus.now_ms = 749
    bus.reset()
    bus.writebyte(0xCC)
    bus.writebyte(0xBE)
    data = [bus.readbyte() for _ in range(10)]
    assert data[:2] == [0x50, 0x05]
    assert data[9] == 0xFF
