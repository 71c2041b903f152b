# Tests of the simulator's mains and loads: what flows, in which units, at which voltage.
from host_tests.simulator.modules.virtual.load import (
    Load,
    mains_frequency_dhz,
    mains_voltage_dv,
)


def test_resistive_load_follows_the_square_of_the_voltage():
    load = Load(1000)
    assert load.power_dw(2300) == 10000
    assert abs(load.power_dw(2070) - 8100) <= 2
    assert load.reactive_dvar(10000) == 0


def test_load_behind_an_open_contact_draws_nothing():
    closed = [False]
    load = Load(60, lambda: closed[0])
    assert load.power_dw(2300) == 0
    closed[0] = True
    assert load.power_dw(2300) == 600


def test_load_with_power_factor_draws_constant_power_and_lags():
    load = Load(300, power_factor=0.6)
    assert load.power_dw(2000) == load.power_dw(2300) == 3000
    assert abs(load.reactive_dvar(3000) - 4000) <= 3


def test_set_changes_watts_and_keeps_the_power_factor():
    load = Load(300, power_factor=0.6)
    load.set(150)
    assert load.power_dw(2000) == 1500
    assert load.reactive_dvar(1500) > 0


def test_impossible_power_factor_is_refused():
    try:
        Load(1, power_factor=1.2)
    except ValueError:
        return
    raise AssertionError("accepted")


def test_mains_wobble_stays_within_a_volt_and_a_tenth_of_a_hertz():
    volts = [mains_voltage_dv(second) for second in range(600)]
    assert 2290 <= min(volts) < 2300 < max(volts) <= 2310
    assert {mains_frequency_dhz(second) for second in range(600)} == {499, 500, 501}
