"""HLW8012 and BL0937: what pulses mean, the turns of CF1, light and no load."""

from time import ticks_add

from firmware.meter.hlw8012 import HLW8012
from firmware.meter.pulses import Pulses, wrapping
from host_tests.unit.fakes import BEFORE_WRAP

PERIOD = 32000


class Pin:
    """SEL: the levels it was put to, and the one it has."""

    def __init__(self):
        self.levels = []

    def value(self, level):
        self.levels.append(level)


class Chip:
    """Frequencies in 1/1000 Hz, the driver that counts them, and the time."""

    def __init__(self, profile, power=0, voltage=0, current=0):
        self.power, self.voltage, self.current = power, voltage, current
        self.current_level = 0 if profile.get("sel_inverted") else 1
        self.settling_ms = 0  # after SEL switched, CF1 still gives what it gave before
        self.cf_count = self.cf1_count = 0  # in 1/1,000,000
        self.sel = Pin()
        self.time_ms = 0
        self.switched_ms = 0
        inputs = [Pulses(wrapping(read, PERIOD)) for read in (self._cf, self._cf1)]
        self.driver = HLW8012((inputs[0], inputs[1], self.sel), profile)
        self.readings = []

    def _cf(self):
        return self.cf_count // 1000000 % PERIOD

    def _cf1(self):
        return self.cf1_count // 1000000 % PERIOD

    def now_ms(self):
        return ticks_add(BEFORE_WRAP, self.time_ms)

    def advance(self, ms):
        self.time_ms += ms
        self.cf_count += self.power * ms
        if self.sel.levels:
            shows_current = self.sel.levels[-1] == self.current_level
            if self.time_ms - self.switched_ms <= self.settling_ms:
                shows_current = not shows_current
            self.cf1_count += (self.current if shows_current else self.voltage) * ms

    def run(self, seconds, tick_ms=10, noise=0):
        """Sample each second; returns the last reading, None if that sample failed."""
        reading = None
        for _ in range(seconds):
            self.driver.start(self.now_ms())
            for _ in range(1000 // tick_ms):
                self.advance(tick_ms)
                self.cf_count += noise * 1000000
                switches = len(self.sel.levels)
                readings = self.driver.poll(self.now_ms())
                if len(self.sel.levels) != switches:
                    self.switched_ms = self.time_ms
                if readings is not None:
                    reading = readings[0]
                    self.readings.append(reading)
            if not self.driver.busy and self.driver.error and readings is None:
                reading = reading if self.readings and reading is self.readings[-1] else None
        return reading


SHELLY = {"chip": "bl0937", "divider": 1925, "shunt_mohm": 1, "sel_inverted": True}
POW = {"chip": "hlw8012"}


def near(value, expected, share=0.01):
    return abs(value - expected) <= abs(expected) * share


def loaded(profile=SHELLY, **scales):
    """230 V, 60 Hz of power pulses, and the current of a power factor near 0.8."""
    return Chip(dict(profile, **scales), power=60000, voltage=1510000, current=42000)


def test_the_published_vector_of_a_bl0937():
    reading = loaded().run(12)
    assert near(reading.voltage_v, 229.95, 0.002), reading.voltage_v
    assert near(reading.active_power_w, 99.5, 0.011), reading.active_power_w
    assert near(reading.current_a, 0.5405, 0.015), reading.current_a
    assert near(reading.power_factor, 0.8006, 0.02), reading.power_factor
    assert reading.frequency_hz is None


def test_the_published_vector_of_an_hlw8012():
    # 100 pulses in 10 s on CF of a Sonoff POW.
    reading = Chip(POW, power=10000, voltage=563000, current=31000).run(12)
    assert near(reading.active_power_w, 103.4, 0.011), reading.active_power_w
    assert near(reading.voltage_v, 230.05, 0.003), reading.voltage_v


def test_constants_of_every_board_in_the_reference():
    for chip, divider, w_per_hz, v_per_hz, a_per_hz in (
        ("hlw8012", 2821, 12.41, 0.4903, 0.014484),
        ("hlw8012", 2351, 10.34, 0.4086, 0.014484),
        ("bl0937", 1600, 1.379, 0.1266, 0.01287),
        ("bl0937", 2000, 1.724, 0.1582, 0.01287),
    ):
        profile = {"chip": chip, "divider": divider}
        reading = Chip(profile, 100000, round(230000 / v_per_hz), round(10000 / a_per_hz)).run(12)
        assert near(reading.active_power_w, 100 * w_per_hz, 0.003), (chip, divider)
        assert near(reading.voltage_v, 230, 0.004), (chip, divider)
        assert near(reading.current_a, 10, 0.004), (chip, divider)


def test_constants_per_hertz_go_before_divider_and_shunt():
    reading = loaded(w_per_hz=1.707, a_per_hz=0.01155, v_per_hz=0.1603).run(12)
    assert near(reading.active_power_w, 102.42, 0.011)
    assert near(reading.voltage_v, 242.05, 0.002)
    assert near(reading.current_a, 0.485, 0.015)


def test_factors_correct_each_quantity_and_power_the_energy_too():
    plain, corrected = loaded(), loaded(factors={"voltage": 1.1, "current": 0.9, "power": 1.25})
    one, other = plain.run(12), corrected.run(12)
    assert near(other.voltage_v, 1.1 * one.voltage_v, 0.0001)
    assert near(other.current_a, 0.9 * one.current_a, 0.0001)
    assert near(other.active_power_w, 1.25 * one.active_power_w, 0.0001)
    assert near(other.counted_dwms, 1.25 * one.counted_dwms, 0.0001)


def test_sel_polarity_and_turns():
    # Each turn: 600 ms of settling and 1 s of counting.
    for profile, expected in ((SHELLY, [1, 0, 1, 0]), (POW, [0, 1, 0, 1])):
        chip = loaded(profile)
        chip.run(6)
        assert chip.sel.levels == expected, profile["chip"]


def test_pulses_of_the_other_quantity_after_a_switch_are_dropped():
    chip = loaded()
    chip.settling_ms = 590
    reading = chip.run(12)
    assert near(reading.voltage_v, 229.95, 0.002), reading.voltage_v
    assert near(reading.current_a, 0.5405, 0.015), reading.current_a


def test_the_first_reading_waits_for_the_voltage_and_counts_nothing():
    chip = loaded()
    chip.run(1)
    assert chip.readings == [] and chip.driver.busy
    reading = chip.run(1)
    assert len(chip.readings) == 1
    assert near(reading.voltage_v, 229.95, 0.002)
    assert near(reading.active_power_w, 99.5, 0.02)
    assert reading.current_a is None and reading.power_factor is None
    assert reading.counted_dwms == 0


def test_counted_energy_is_exact_pulses():
    chip = loaded()
    chip.run(4)
    total = 0
    for _ in range(60):
        total += chip.run(1).counted_dwms
    # 1.658887 J each, rounded to 0.1 W ms. One pulse may wait for the next reading.
    assert total % 16589 == 0
    assert 3599 <= total // 16589 <= 3601, total


def test_no_load_is_zero_power_and_current_with_good_voltage():
    chip = Chip(SHELLY, 0, 1510000, 3000)  # the current channel is noisy: 39 mA
    reading = chip.run(4)
    assert reading.active_power_w is None  # in 4 s no pulse says little
    assert reading.current_a is None
    reading = chip.run(10)
    assert (reading.active_power_w, reading.current_a) == (0.0, 0.0)
    assert reading.power_factor is None
    assert reading.counted_dwms == 0
    assert near(reading.voltage_v, 229.95, 0.002)
    assert sum(chip.driver.errors.values()) == 0


def test_current_is_unknown_until_it_was_measured_with_the_load():
    chip = Chip(SHELLY, 0, 1510000, 3000)
    chip.run(14)
    chip.power, chip.current = 600000, 340000
    reading = chip.run(2)  # a reading is of the second before it was asked for
    assert near(reading.active_power_w, 995, 0.02)
    assert reading.current_a is None and reading.power_factor is None
    assert near(chip.run(6).current_a, 4.3758, 0.01)


def test_current_is_unknown_again_when_the_load_is_another():
    for power, current in ((250000, 140000), (1300000, 730000), (0, 3000)):
        chip = Chip(SHELLY, 600000, 1510000, 340000)
        assert near(chip.run(12).current_a, 4.3758)
        chip.power = 500000
        assert near(chip.run(2).current_a, 4.3758)  # a small change: the old value will do
        chip.power, chip.current = power, current
        reading = chip.run(2)
        assert reading.current_a is None and reading.power_factor is None, power
        if power:
            assert near(chip.run(2).current_a, 0.01287 * current / 1000, 0.02)


def test_one_pulse_per_12_s_shows_no_power_but_counts_its_energy():
    # A load of 0.86 W on an HLW8012: below what its pulses can show in 10 s.
    chip = Chip(POW, 83, 563000, 2000)
    chip.run(13)
    total = 0
    for second in range(120):
        reading = chip.run(1)
        assert reading.active_power_w == 0.0, second
        assert reading.current_a == 0.0
        total += reading.counted_dwms
    assert 9 <= total // 103436 <= 10 and total % 103436 == 0, total


def test_light_load_falls_with_the_gap_and_never_jumps():
    chip = Chip(SHELLY, 600, 1510000, 8000)  # 1 W: a pulse every 1.67 s
    chip.run(10)
    for _ in range(20):
        reading = chip.run(1)
        assert near(reading.active_power_w, 0.995, 0.02), reading.active_power_w
    chip.power = 0
    watts = [chip.run(1).active_power_w for _ in range(12)]
    assert watts == sorted(watts, reverse=True)
    assert watts[-1] == 0.0


def test_full_load():
    chip = Chip(SHELLY, 2200000, 1510000, 1240000)
    reading = chip.run(12)
    assert near(reading.active_power_w, 3649.6, 0.002)
    assert near(reading.current_a, 15.96, 0.002)
    assert near(reading.power_factor, 0.9944, 0.01)
    assert sum(chip.driver.errors.values()) == 0


def test_power_factor_never_exceeds_one():
    # The channels scatter on their own: P may be above V x I.
    chip = Chip(SHELLY, 600000, 1510000, 320000)
    assert chip.run(12).power_factor == 1.0
    assert chip.driver.errors["implausible"] == 0


def test_without_voltage_pulses_the_reading_fails():
    chip = Chip(SHELLY)
    chip.run(5)
    assert chip.readings == [] and not chip.driver.busy
    assert chip.driver.errors["timeout"] >= 3
    assert chip.driver.error == "timeout: no voltage pulses"


def test_a_chip_that_falls_silent_fails_and_comes_back_without_a_jump():
    chip = loaded()
    chip.run(12)
    before = chip.power, chip.voltage, chip.current
    chip.power = chip.voltage = chip.current = 0
    chip.run(5)
    failed = chip.driver.errors["timeout"]
    assert failed
    given = len(chip.readings)
    chip.run(5)
    assert len(chip.readings) == given
    chip.power, chip.voltage, chip.current = before
    reading = chip.run(5)
    assert near(reading.active_power_w, 99.5, 0.02)
    assert near(reading.voltage_v, 229.95, 0.002)
    assert all(r.counted_dwms <= 63 * 16589 for r in chip.readings)


def test_a_wrong_sel_flag_shows_itself():
    # Voltage pulses in the turn of the current, and no load.
    chip = Chip(dict(SHELLY, sel_inverted=False), 0, 1510000, 0)
    chip.current_level = 0
    chip.run(8)
    assert chip.readings == []
    assert chip.driver.error.endswith("current without power: sel_inverted?")
    # With a load: the "voltage" is the current, 51 V for 4.4 A.
    chip = Chip(dict(SHELLY, sel_inverted=False), 600000, 1510000, 340000)
    chip.current_level = 0
    chip.run(8)
    assert chip.readings == []
    assert chip.driver.error.startswith("implausible: voltage_v 51.")


def test_a_counter_that_starts_over_costs_one_sample_and_adds_no_energy():
    chip = loaded()
    chip.run(12)
    chip.cf_count = 0  # a 16-bit counter cannot tell this from a wrap: 31,000 pulses
    assert chip.cf_count == 0 and chip.run(1) is None
    assert chip.driver.errors["implausible"] == 1
    assert chip.run(1).counted_dwms <= 61 * 16589


def test_noise_on_cf_is_refused_and_adds_no_energy():
    chip = loaded()
    chip.run(12)
    good = len(chip.readings)
    chip.run(3, noise=50)  # 5 kHz: 8.3 kW
    assert len(chip.readings) <= good + 1
    assert chip.driver.errors["implausible"] >= 2
    chip.run(2)
    assert chip.run(1).counted_dwms <= 61 * 16589


def test_a_reading_given_before_holds_until_the_next_is_given():
    chip = loaded()
    first = chip.run(5)
    watts = first.active_power_w
    chip.power = 120000
    second = chip.run(1)
    assert second is not first
    assert first.active_power_w == watts
    assert chip.run(1) is first


def test_it_names_no_uart():
    assert HLW8012.SERIAL is None
    assert HLW8012.MAX_POWER_W == 4000
