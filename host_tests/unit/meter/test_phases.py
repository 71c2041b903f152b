"""The total of several channels."""

from firmware.meter.phases import Total
from firmware.meter.reading import Reading


def phase(voltage=230.0, current=2.0, power=460.0, frequency=50.0, energy=1000):
    made = Reading()
    made.voltage_v = voltage
    made.current_a = current
    made.active_power_w = power
    made.frequency_hz = frequency
    made.energy_wh = energy
    made.export_wh = 10
    made.today_wh = 7
    made.yesterday_wh = 20
    return made


def of(*readings):
    return Total()(readings)


def near(a, b):
    return abs(a - b) < 0.001


def test_power_current_and_energies_are_sums():
    both = of(phase(), phase(current=1.0, power=230.0, energy=5))
    assert near(both.active_power_w, 690)
    assert near(both.current_a, 3)
    assert (both.energy_wh, both.export_wh) == (1005, 20)
    assert (both.today_wh, both.yesterday_wh) == (14, 40)


def test_the_sum_of_energies_is_exact():
    both = of(phase(energy=100000001), phase(energy=100000002), phase(energy=3))
    assert both.energy_wh == 200000006
    assert isinstance(both.energy_wh, int)


def test_voltage_is_the_mean():
    assert near(of(phase(229.0), phase(230.0), phase(234.0)).voltage_v, 231)


def test_frequency_is_that_of_the_first_that_knows_it():
    assert of(None, phase(frequency=None), phase(frequency=49.9), phase()).frequency_hz == 49.9
    assert of(phase(frequency=None), None).frequency_hz is None


def test_power_factor_is_that_of_all_the_apparent_power():
    # 460 W of 460 VA and 115 W of 230 VA.
    assert near(of(phase(), phase(current=1.0, power=115.0)).power_factor, 575 / 690)


def test_power_factor_has_the_sign_of_the_power():
    assert near(of(phase(power=-230.0), phase(power=-230.0)).power_factor, -0.5)


def test_power_factor_stays_within_one():
    assert of(phase(power=461.0), phase(power=461.0)).power_factor == 1.0
    assert of(phase(power=-461.0), phase(power=-461.0)).power_factor == -1.0


def test_without_load_there_is_no_power_factor():
    idle = phase(current=0.0, power=0.0)
    both = of(idle, idle)
    assert both.power_factor is None
    assert both.active_power_w == 0


def test_a_failed_channel_makes_all_unknown_but_the_frequency():
    both = of(phase(), None)
    for name in ("voltage_v", "current_a", "active_power_w", "power_factor", "energy_wh",
                 "export_wh", "today_wh", "yesterday_wh"):
        assert getattr(both, name) is None, name
    assert both.frequency_hz == 50.0


def test_an_unknown_part_makes_only_its_own_total_unknown():
    both = of(phase(), phase(energy=None))
    assert both.energy_wh is None
    assert near(both.active_power_w, 920)
    both = of(phase(), phase(current=None))
    assert both.current_a is None
    assert both.power_factor is None
    assert near(both.active_power_w, 920)


def test_apparent_power_is_the_sum_of_the_phases():
    both = of(phase(200.0, 1.0), phase(240.0, 3.0))
    assert near(both.apparent_power_va, 920)  # and not 220 V x 4 A
    assert of(phase(), phase(voltage=None)).apparent_power_va is None


def test_all_channels_failed_is_no_reading():
    assert of(None, None, None) is None


def test_nothing_is_left_of_the_last_sample():
    total = Total()
    total((phase(), phase()))
    total((None, phase(frequency=None)))
    for name in ("voltage_v", "current_a", "active_power_w", "apparent_power_va", "power_factor",
                 "frequency_hz", "energy_wh"):
        assert getattr(total, name) is None, name
