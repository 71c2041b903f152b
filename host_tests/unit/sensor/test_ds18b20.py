"""The DS18B20: real scratchpads, the traps of reference/meters.md 10a, and the pace."""

from time import ticks_add

from firmware.sensor.ds18b20 import Ds18b20, celsius
from host_tests.simulator.modules.virtual.ds18b20 import crc8
from host_tests.unit.fakes import BEFORE_WRAP, Log


def scratchpad(raw, config=0x7F):
    data = bytes((raw & 0xFF, raw >> 8 & 0xFF, 0x4B, 0x46, config, 0xFF, 0x0C, 0x10))
    return data + bytes((crc8(data),))


POWER_ON = b"\x50\x05\x4b\x46\x7f\xff\x0c\x10\x1c"
WARM = scratchpad(0x0191)  # 25.0625


class Bus:
    """Stands for `onewire.OneWire`: notes what is written, and answers with `answer`."""

    def __init__(self, answer=WARM):
        self.answer = answer
        self.present = True
        self.said = []
        self.calls = 0  # bytes and resets in one tick

    def reset(self):
        self.calls += 1
        self.said.append("reset")
        self._left = list(self.answer)
        return self.present

    def writebyte(self, byte):
        self.calls += 1
        self.said.append(byte)

    def readbyte(self):
        self.calls += 1
        return self._left.pop(0)

    def crc8(self, data):
        return crc8(data)


class Bench:
    def __init__(self, answer=WARM):
        self.now_ms = BEFORE_WRAP
        self.log = Log()
        self.bus = Bus(answer)
        self.sensor = Ds18b20(self.bus, self.log)
        self.busiest = 0
        self.ended_ms = []

    def run(self, ms):
        for _ in range(ms // 10):
            self.bus.calls = 0
            if self.sensor.poll(self.now_ms):
                self.ended_ms.append(self.now_ms)
            self.busiest = max(self.busiest, self.bus.calls)
            self.now_ms = ticks_add(self.now_ms, 10)
        return self.sensor.value_c


def test_the_data_sheets_temperatures():
    for raw, value_c in ((0x07D0, 125), (0x0191, 25.0625), (0x00A2, 10.125), (0x0008, 0.5), (0, 0),
                         (0xFFF8, -0.5), (0xFF5E, -10.125), (0xFE6F, -25.0625), (0xFC90, -55)):
        assert celsius(scratchpad(raw)) == (value_c, None)


def test_bits_that_the_resolution_leaves_undefined_do_not_count():
    for config, value_c in ((0x1F, 25.5), (0x3F, 25.75), (0x5F, 25.875), (0x7F, 25.9375)):
        assert celsius(scratchpad(0x019F, config)) == (value_c, None)


def test_what_is_no_temperature():
    for data, why in ((POWER_ON, "lost its power"), (bytes(9), "configuration of 0x00"),
                      (scratchpad(0x0191, 0xFF), "configuration of 0xFF"),
                      (scratchpad(0x07D1), "says 125 degrees"),
                      (scratchpad(0xFC8F), "says -56 degrees")):
        value_c, fault = celsius(data)
        assert value_c is None and why in fault, fault


def test_the_bytes_on_the_bus_and_the_wait_between():
    bench = Bench()
    bench.run(10)
    assert bench.bus.said == ["reset", 0xCC, 0x44]
    bench.run(740)
    assert len(bench.bus.said) == 3
    bench.run(10)
    assert bench.bus.said[3:] == ["reset", 0xCC, 0xBE]
    assert bench.run(30) == 25.0625
    assert bench.log.lines == []


def test_one_measurement_in_ten_seconds_and_no_long_tick():
    bench = Bench()
    bench.run(60000)
    assert len(bench.ended_ms) == 6
    assert bench.busiest == 3  # one reset and two bytes, 2.1 ms; or three bytes


def test_three_misses_make_it_unknown_and_one_good_reading_known():
    bench = Bench()
    bench.run(2000)
    bench.bus.answer = WARM[:3] + b"\x00" + WARM[4:]
    assert bench.run(30000) == 25.0625
    assert bench.run(2000) is None
    assert bench.log.lines == ["temperature: noise on the way from the DS18B20"]
    bench.bus.answer = WARM
    assert bench.run(11000) == 25.0625
    assert bench.log.lines[1:] == ["temperature: sensor is well"]


def test_nobody_there():
    for answer, present, why in ((WARM, False, "no DS18B20"), (b"\xff" * 9, True, "noise"),
                                 (bytes(9), True, "configuration"), (POWER_ON, True, "its power")):
        bench = Bench(answer)
        bench.bus.present = present
        assert bench.run(35000) is None
        assert bench.log.has(why)
        assert len(bench.log.lines) == 1
        assert len(bench.ended_ms) >= 3
