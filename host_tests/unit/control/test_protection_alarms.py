"""Protection: closing again after a voltage fault, and contacts that have welded."""

from host_tests.unit.control.protection_bench import Bench, reading

VOLTAGE = {"relay": 0, "min_voltage": 190, "max_voltage": 260, "max_power": 3500, "reclose_s": 10}
GOOD_10_S = (230.0,) * 11


def test_closes_again_when_the_voltage_was_good_for_long_enough():
    bench = Bench(VOLTAGE).on()
    bench.volts(100.0)
    assert bench.kept[-1] == [(0, "under_voltage", 100.0, 190, 3)]
    bench.volts(100.0, 230.0, 230.0, 100.0)  # good, but not for long
    bench.volts(*GOOD_10_S[:10])
    assert bench.states()[0] == "off"
    bench.volts(230.0)
    assert bench.states()[0] == "on"
    assert bench.relays.source == "protection"
    assert bench.protection.tripped() is None
    assert bench.kept[-1] == []


def test_unknown_voltage_is_not_good():
    bench = Bench(VOLTAGE).on()
    bench.volts(100.0)
    for _ in range(30):
        bench.volts(230.0)
        bench.sample(None)
    assert bench.states()[0] == "off"


def test_three_tries_and_then_a_person_must_come():
    bench = Bench(VOLTAGE).on()
    for _ in range(3):
        bench.volts(100.0, *GOOD_10_S)
        assert bench.states()[0] == "on"
    bench.volts(100.0)
    assert bench.kept[-1] == [(0, "under_voltage", 100.0, 190, 0)]
    bench.volts(*GOOD_10_S * 3)
    assert bench.states()[0] == "off"
    bench.protection.clear(0, bench.now_ms)
    bench.on()
    bench.volts(100.0)
    assert bench.kept[-1][0][4] == 3


def test_ten_good_minutes_bring_the_tries_back():
    bench = Bench(VOLTAGE).on()
    bench.volts(100.0, *GOOD_10_S)
    bench.run(598000)
    bench.volts(100.0)
    assert bench.kept[-1][0][4] == 2
    bench.volts(*GOOD_10_S)
    bench.run(600000)
    bench.volts(100.0)
    assert bench.kept[-1][0][4] == 3


def test_the_tries_outlive_a_reboot():
    bench = Bench(VOLTAGE, trips=[(0, "under_voltage", 100.0, 190, 1)])
    bench.volts(*GOOD_10_S)
    assert bench.states()[0] == "on"
    bench.volts(100.0)
    assert bench.kept[-1][0][4] == 0


def test_a_relay_that_may_not_close_again_any_more_does_not():
    bench = Bench({"relay": 0}, trips=[(0, "under_voltage", 100.0, 190, 1)])
    bench.volts(*GOOD_10_S * 2)
    assert bench.cause() == "under_voltage"


def test_all_phases_must_be_good():
    good = reading(0.0)
    for again in (True, False):
        bench = Bench(VOLTAGE, channels=3).on()
        bench.sample(good, good, reading(0.0, 0.0, 100.0))
        for _ in range(15):
            bench.sample(good, good, good if again else None, ok=[True, True, again])
        assert (bench.cause() is None) == again


def test_nothing_else_closes_by_itself():
    bench = Bench(VOLTAGE).on()
    bench.power(4000.0)
    bench.volts(*GOOD_10_S * 3)
    assert bench.states()[0] == "off"
    assert bench.cause() == "over_power"


def test_a_relay_that_was_closed_for_a_moment_does_not_come_back_for_good():
    bench = Bench(VOLTAGE)
    bench.relays.pulse(0, 60000, bench.now_ms)
    bench.volts(100.0, *GOOD_10_S)
    assert bench.cause() == "under_voltage"
    assert bench.states()[0] == "off"


def test_who_switches_off_in_the_meantime_finds_it_off():
    bench = Bench(VOLTAGE).on()
    bench.volts(100.0)
    bench.protection.stay_open(0, bench.now_ms)
    assert bench.kept[-1] == [(0, "under_voltage", 100.0, 190, 0)]
    bench.volts(*GOOD_10_S * 2)
    assert bench.states()[0] == "off"
    assert bench.relays.is_locked(0)


def test_an_interlocked_partner_in_use_is_not_thrown_out():
    bench = Bench(VOLTAGE, interlock=[[0, 1]]).on(0)
    bench.volts(100.0)
    bench.run(1000)
    bench.on(1)
    bench.volts(*GOOD_10_S * 2)
    assert bench.states() == ["off", "on"]


def test_a_welded_contact_is_told_and_clears_itself():
    bench = Bench({"relay": 0}, {"relay": 1}).on(0)
    bench.power(500.0)
    bench.relays.set(0, False, "command", bench.now_ms)
    bench.power(500.0, 500.0, 500.0)  # what a slow meter may still show
    bench.power(500.0)  # and what may be noise
    assert bench.protection.welded() == []
    bench.power(500.0)
    assert bench.protection.welded() == [0, 1]  # on one phase nobody knows which
    assert bench.told == 2
    assert bench.relays.status()["welded"] == [0, 1]
    bench.power(500.0)
    assert bench.told == 2
    bench.power(10.0)
    assert bench.protection.welded() == []
    assert bench.told == 4


def test_the_power_of_another_relay_is_no_alarm():
    bench = Bench({"relay": 0}, {"relay": 1}).on(1)
    bench.power(*[500.0] * 8)
    assert bench.protection.welded() == []


def test_the_two_samples_of_an_alarm_follow_each_other():
    bench = Bench({"relay": 0})
    bench.power(0.0, 0.0, 0.0, 500.0)
    bench.on(1)
    bench.power(500.0)
    bench.relays.set(1, False, "command", bench.now_ms)
    bench.power(0.0, 0.0, 500.0, 500.0)
    assert bench.protection.welded() == []
    bench.power(500.0)
    assert bench.protection.welded() == [0, 1]


def test_other_phases_are_no_alarm_either():
    bench = Bench({"relay": 0, "phase": "a"}, {"relay": 1, "phase": "b"}, channels=3).on(1)
    for _ in range(8):
        bench.sample(reading(20.0), reading(500.0), reading(500.0))
    assert bench.protection.welded() == [0]


def test_closing_the_welded_relay_ends_the_alarm():
    bench = Bench({"relay": 0, "phase": "a"}, {"relay": 1, "phase": "b"}, channels=3)
    for _ in range(6):
        bench.sample(reading(20.0), reading(0.0), reading(0.0))
    assert bench.protection.welded() == [0]
    bench.on(0)
    bench.run(10)
    assert bench.protection.welded() == []


def test_without_an_entry_a_relay_is_watched_and_welded_w_0_ends_that():
    bench = Bench({"relay": 0, "welded_w": 0})
    bench.power(*[500.0] * 6)
    assert bench.protection.welded() == [1]


def test_a_tripped_relay_that_does_not_open_is_both():
    bench = Bench({"relay": 0, "max_power": 3500}, {"relay": 1, "welded_w": 0}).on()
    bench.power(*[4000.0] * 6)
    status = bench.relays.status()
    assert status["tripped"]["cause"] == "over_power"
    assert status["welded"] == [0]
