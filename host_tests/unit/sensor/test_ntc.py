"""The thermistor: measured vectors of reference/meters.md 10a, and the faults of its wire."""

from firmware.sensor.ntc import OPEN, SHORT, Ntc, celsius

PLUS = {"series_ohm": 10000, "r25_ohm": 10000, "beta": 3350}
PLUG_S = {"series_ohm": 32000, "r25_ohm": 10000, "beta": 3350}


def near(value, expected, by):
    return abs(value - expected) <= by


def measured(profile, *volts):
    queue = list(volts) * (4 // len(volts))
    return Ntc(lambda: queue.pop(0), profile)()


def test_shelly_plus_1pm():
    for volts, value_c in ((1.65, 25), (1.10, 44.6), (0.66, 67)):
        found, fault = measured(PLUS, volts)
        assert fault is None
        assert near(found, value_c, 0.6), found


def test_shelly_plug_s_with_a_converter_of_1_volt():
    for volts, value_c in ((0.786, 25), (0.446, 44.6), (0.239, 67), (0.119, 94)):
        found, fault = measured(PLUG_S, volts)
        assert fault is None
        assert near(found, value_c, 0.6), found


def test_25_degrees_are_the_resistance_of_25_degrees():
    assert near(celsius(0.5, 10000, 10000, 3350), 25, 0.001)
    assert near(celsius(0.2, 40000, 10000, 3950), 25, 0.001)


def test_the_mean_of_four_is_taken():
    found, _ = measured(PLUS, 1.60, 1.70, 1.64, 1.66)
    assert near(found, 25, 0.01)


def test_a_broken_wire_is_no_cold_day():
    assert measured(PLUS, None) == (None, OPEN)
    assert measured(PLUS, 3.3) == (None, OPEN)
    assert measured(PLUS, 3.25) == (None, OPEN)
    found, fault = measured(PLUS, 2.9)  # about -20 degrees
    assert fault is None and -25 < found < -15


def test_touching_contacts_are_no_fire():
    assert measured(PLUS, 0.0) == (None, SHORT)
    assert measured(PLUS, 0.1) == (None, SHORT)
    found, fault = measured(PLUS, 0.2)
    assert fault is None and 115 < found < 125
