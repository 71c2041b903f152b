"""A reading and the check that it is physically possible."""

from firmware.meter.reading import Reading, implausible

LIMITS = (
    ("voltage_v", 70, 270),
    ("current_a", 0, 110),
    ("active_power_w", 0, 26000),
    ("frequency_hz", 44, 66),
    ("power_factor", 0, 1),
)


def reading(voltage, current, power, frequency=50.0, power_factor=1.0):
    made = Reading()
    made.voltage_v = voltage
    made.current_a = current
    made.active_power_w = power
    made.frequency_hz = frequency
    made.power_factor = power_factor
    return made


def test_a_new_reading_knows_nothing_and_invents_no_zero():
    new = Reading()
    for name in (
        "voltage_v", "current_a", "active_power_w", "frequency_hz", "power_factor", "register_wh",
        "register_export_wh", "counted_dwms", "energy_wh", "export_wh", "today_wh", "yesterday_wh",
    ):  # fmt: skip
        assert getattr(new, name) is None, name
    assert implausible(new, LIMITS) is None


def test_values_of_real_meters_are_plausible():
    for values in (
        (225.7, 0.108, 24.4, 50.0, 1.0),
        (241.3, 29.037, 6892.3, 50.0, 0.98),
        (234.1, 0.090, 10.0, 50.0, 0.47),
        (233.6, 0.087, 9.8, 50.0, 0.48),
        (230.0, 0.0, 0.0, 50.0, 0.0),
    ):
        assert implausible(reading(*values), LIMITS) is None, values


def test_each_value_out_of_its_limits_is_named():
    for values, name in (
        ((69.9, 0, 0), "voltage_v"),
        ((900.0, 0, 0), "voltage_v"),
        ((230, -0.1, 0), "current_a"),
        ((230, 110.1, 0), "current_a"),
        ((230, 1, -1), "active_power_w"),
        ((270, 100, 26001), "active_power_w"),
        ((230, 1, 230, 43.9), "frequency_hz"),
        ((230, 1, 230, 66.1), "frequency_hz"),
        ((230, 1, 230, 50, 1.01), "power_factor"),
    ):
        assert implausible(reading(*values), LIMITS).split()[0] == name, values


def test_the_limits_themselves_are_allowed():
    assert implausible(reading(70, 0, 0, 44, 0), LIMITS) is None
    assert implausible(reading(270, 96.2, 26000, 66, 1), LIMITS) is None


def test_not_a_number_is_out_of_limits():
    assert implausible(reading(float("nan"), 0, 0), LIMITS).startswith("voltage_v")


def test_power_must_agree_with_voltage_current_and_power_factor():
    assert implausible(reading(230, 10, 2300), LIMITS) is None
    assert implausible(reading(230, 10, 2371), LIMITS) is None  # 2.995 %
    assert implausible(reading(230, 10, 2372), LIMITS).startswith("active_power_w 2372")
    assert implausible(reading(230, 10, 0), LIMITS).startswith("active_power_w 0")


def test_three_watts_of_difference_are_always_allowed():
    assert implausible(reading(230, 0.02, 7.5), LIMITS) is None
    assert implausible(reading(230, 0.02, 7.7), LIMITS) is not None


def test_a_low_power_factor_may_be_one_step_off():
    assert implausible(reading(230, 10, 245, 50, 0.10), LIMITS) is None  # 6 % of the power
    assert implausible(reading(230, 10, 260, 50, 0.10), LIMITS) is not None


def test_an_unknown_value_is_not_judged():
    partial = reading(230, 10, 9999)
    partial.power_factor = None
    assert implausible(partial, LIMITS) is None


def test_apparent_power_is_the_product_of_voltage_and_current():
    assert reading(230, 10, 1000).apparent_power_va == 2300
    assert reading(230, 0, 0).apparent_power_va == 0
    assert reading(None, 10, 1000).apparent_power_va is None
    assert reading(230, None, 1000).apparent_power_va is None
