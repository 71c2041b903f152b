# Tests of the simulator's pulse meter: exact counts, SEL, faults, what time_pulse_us() sees; and
# that the driver reads from it what the loads draw, over a day too.
import struct
from time import ticks_add

from firmware.meter.hlw8012 import HLW8012
from firmware.meter.pulses import Pulses, wrapping
from host_tests.simulator.modules.virtual import pulse_pins
from host_tests.simulator.modules.virtual.load import Load
from host_tests.simulator.modules.virtual.pulse import WH, Output, PulseMeter
from host_tests.unit.fakes import BEFORE_WRAP

SHELLY = {"chip": "bl0937", "sel_inverted": True}
POW = {"chip": "hlw8012"}
PERIOD = 32000


class Sel:
    def __init__(self):
        self.level = 0

    def value(self, level):
        self.level = level


def near(value, expected, share):
    return abs(value - expected) <= expected * share


def meter(profile, load, sel_level=0, **more):
    pulse_pins.level = lambda number: sel_level
    return PulseMeter(bytearray(16), dict(profile, cf=5, cf1=18, sel=23, **more), [[load]])


def test_counts_of_an_hour_are_those_of_the_formulas():
    # 1000 W at 230 V: 602.8 Hz and, by SEL, 1510.3 Hz for the voltage or 337.8 Hz for the current.
    for sel_level, cf1 in ((1, 5437210), (0, 1216208)):
        model = meter(SHELLY, Load(1000), sel_level)
        for _ in range(3600):
            model.run(1000, 2300, 500)
        assert near(model.cf.count, 2170119, 0.00001), model.cf.count
        assert near(model.cf1.count, cf1, 0.0003), model.cf1.count
    for sel_level, cf1 in ((0, 2026288), (1, 1080656)):  # Sonoff POW: high is the current
        model = meter(POW, Load(1000), sel_level)
        for _ in range(3600):
            model.run(1000, 2300, 500)
        assert near(model.cf.count, 348040, 0.00001), model.cf.count
        assert near(model.cf1.count, cf1, 0.0003), model.cf1.count


def test_steps_of_any_length_count_the_same():
    ones, uneven = meter(SHELLY, Load(777)), meter(SHELLY, Load(777))
    for _ in range(7000):
        ones.run(1, 2300, 500)
    for ms in (1, 999, 3000, 17, 2983):
        uneven.run(ms, 2300, 500)
    assert ones.cf.count == uneven.cf.count > 3000


def test_energy_is_kept_in_the_record():
    model = meter(SHELLY, Load(1000))
    model.run(3600000, 2300, 500)
    model.skip(3600000, 2300)
    assert struct.unpack_from("<II", model._record, 0) == (2000, 0)


def test_power_stays_right_when_the_house_runs_fast():
    slow, fast = meter(SHELLY, Load(1000)), meter(SHELLY, Load(1000), speed=60)
    slow.run(1000, 2300, 500)
    fast.run(60000, 2300, 500)  # also one second
    assert abs(slow.cf.count - fast.cf.count) <= 1


def test_faults():
    model = meter(SHELLY, Load(1000), 1)
    for fault in ("silent", "no_mains"):
        model.fault = fault
        model.run(5000, 2300, 500)
        assert model.cf.count == model.cf1.count == 0, fault
    # A silent chip hides what the load draws, no mains stop it: 5 s of 1000 W.
    assert struct.unpack_from("<II", model._record, 0) == (1, 5 * 10000000 - WH)
    model.fault = "noise"
    for _ in range(100):
        model.run(10, 2300, 500)
    assert model.cf.count > 6000 and model.cf1.count > 6000
    model.fault = "reset"
    assert model.cf.count == model.cf1.count == 0
    assert model.fault is None


def test_the_listener_hears_of_each_pulse():
    model = meter(POW, Load(1000))
    heard = []
    model.cf.listener = heard.append
    for _ in range(1000):
        model.run(1, 2300, 500)
    assert sum(heard) == model.cf.count == 96
    assert all(pulses == 1 for pulses in heard)


def test_time_pulse_us_waits_for_an_edge_and_times_what_follows():
    output = Output()
    output.run(0, 1, 4)  # 250 Hz: high for 2 ms, low for 2 ms
    assert output.level == 1
    assert output.time_pulse_us(0, 5000) == (4000, 2000)
    assert output.time_pulse_us(1, 5000) == (2000, 2000)  # under way: what is left of it
    output.run(1, 1, 4)
    assert output.time_pulse_us(1, 5000) == (1000, 1000)
    assert output.time_pulse_us(0, 5000) == (3000, 2000)
    output.run(1, 1, 4)
    assert output.level == 0
    assert output.time_pulse_us(1, 5000) == (4000, 2000)


def test_time_pulse_us_gives_up():
    output = Output()
    output.run(0, 1, 10)  # high for 5 ms
    assert output.time_pulse_us(0, 2000) == (2000, -2)
    assert output.time_pulse_us(1, 2000) == (2000, -1)
    output.run(4, 1, 10)
    assert output.time_pulse_us(0, 2000) == (3000, -1)
    output.run(0, 0, 10)
    assert output.time_pulse_us(1, 2000) == (2000, -1)
    assert output.time_pulse_us(0, 2000) == (2000, -2)


def _watts(second):
    """A household's day behind a plug: 0 to 3.5 kW, steps, and hours of nothing."""
    hour = second // 3600
    if hour in (2, 3, 13):
        return 0
    if second % 1800 < 240:
        return 3500 if hour % 2 else 1980
    return (4, 65, 130, 2.5, 420)[hour % 5]


class Modelled:
    """The driver on the simulator's chip, with one load."""

    def __init__(self, profile, load):
        self.record = bytearray(16)
        self.sel = Sel()
        self.meter = PulseMeter(self.record, dict(profile, cf=5, cf1=18, sel=23), [[load]])
        inputs = [
            Pulses(wrapping(lambda o=output: o.count % PERIOD, PERIOD))
            for output in (self.meter.cf, self.meter.cf1)
        ]
        pulse_pins.level = lambda number: self.sel.level
        self.driver = HLW8012((inputs[0], inputs[1], self.sel), profile)
        self.now_ms = BEFORE_WRAP

    def tick(self, ms, voltage_dv=2300):
        """The reading that this tick gave, or None."""
        self.meter.run(ms, voltage_dv, 500)
        self.now_ms = ticks_add(self.now_ms, ms)
        readings = self.driver.poll(self.now_ms)
        return readings[0] if readings else None

    def true_dwms(self):
        energy_wh, remainder = struct.unpack_from("<II", self.record, 0)
        return energy_wh * WH + remainder


def test_a_day_of_varying_load_is_counted_within_a_thousandth():
    for profile in (SHELLY, POW):
        load = Load(0, power_factor=0.9)
        bench = Modelled(profile, load)
        counted = 0
        begun_dwms = None
        for second in range(0, 86400, 2):
            load.set(_watts(second))
            if second % 4 == 0:
                bench.driver.start(bench.now_ms)
            reading = bench.tick(2000)
            if reading and begun_dwms is None:
                assert reading.counted_dwms == 0
                begun_dwms = bench.true_dwms()
            elif reading:
                counted += reading.counted_dwms
        true_dwms = bench.true_dwms() - begun_dwms
        assert true_dwms > 8000 * WH
        # The last sample and one pulse may be missing; 1/4000 is a quarter of what is allowed.
        assert abs(counted - true_dwms) * 4000 <= true_dwms, (profile["chip"], counted, true_dwms)
        assert bench.driver.errors == {"timeout": 0, "implausible": 0}


def test_model_and_driver_agree_on_every_value():
    for profile in (SHELLY, POW):
        bench = Modelled(profile, Load(1200, power_factor=0.8))
        reading = None
        for tick in range(1200):
            if tick % 100 == 0:
                bench.driver.start(bench.now_ms)
            reading = bench.tick(10, 2284) or reading
        assert near(reading.voltage_v, 228.4, 0.005)
        assert near(reading.active_power_w, 1200, 0.011)
        assert near(reading.current_a, 1500 / 228.4, 0.005)
        assert near(reading.power_factor, 0.8, 0.015)


def test_a_tick_that_comes_late_costs_no_reading():
    bench = Modelled(SHELLY, Load(1000))
    for _ in range(20):
        bench.driver.start(bench.now_ms)
        for ms in (10, 1500, 10, 10, 900, 10):
            bench.tick(ms)
    assert bench.driver.errors == {"timeout": 0, "implausible": 0}
