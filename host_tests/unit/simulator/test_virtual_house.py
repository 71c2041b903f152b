# Tests of house time: its speed, its refresh periods, and long steps that are only counted.
import struct

from host_tests.simulator.modules.virtual.house import House
from host_tests.simulator.modules.virtual.load import Load
from host_tests.simulator.modules.virtual.pzem import Pzem


def house(watts, speed=1.0):
    record = bytearray(16)
    meter = Pzem(record, {}, [[Load(watts, power_factor=0.5)]])  # constant power: exact sums
    return House((meter,), speed), meter, record


def energy_wh(record):
    return struct.unpack_from("<I", record, 0)[0]


def test_first_call_only_starts_the_clock():
    home, meter, record = house(36000)
    home.advance(5000)
    assert energy_wh(record) == 0
    assert meter.registers[0] != 0


def test_an_hour_in_small_steps_counts_exactly():
    home, _, record = house(1000)
    home.advance(0)
    for now_ms in range(7, 36001, 7):
        home.advance(now_ms)
    home.advance(36000)
    assert energy_wh(record) == 10


def test_speed_scales_energy():
    home, _, record = house(1000, speed=100)
    home.advance(0)
    for now_ms in range(10, 36001, 10):
        home.advance(now_ms)
    assert energy_wh(record) == 1000


def test_fractional_speed_loses_nothing():
    home, _, record = house(3600, speed=0.3)
    home.advance(0)
    for now_ms in range(1, 10001):
        home.advance(now_ms)
    assert energy_wh(record) == 3


def test_a_long_step_is_counted_in_full():
    home, meter, record = house(1000)
    home.advance(0)
    home.advance(3600000)
    assert energy_wh(record) == 1000
    assert meter.registers[3] == 10000


def test_any_meter_is_handed_all_the_time_there_is_in_steps_of_a_second_at_most():
    class Meter:
        run_ms = skipped_ms = longest_ms = 0

        def run(self, duration_ms, voltage_dv, frequency_dhz):
            self.run_ms += duration_ms
            self.longest_ms = max(self.longest_ms, duration_ms)

        def skip(self, duration_ms, voltage_dv):
            self.skipped_ms += duration_ms

    meter = Meter()
    home = House((meter,))
    home.advance(0)
    for now_ms in (70, 2900, 3000, 9007):
        home.advance(now_ms)
    assert meter.run_ms + meter.skipped_ms == 9007
    assert meter.skipped_ms == 3000
    assert meter.longest_ms <= 1000
