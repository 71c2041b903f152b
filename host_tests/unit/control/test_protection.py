"""Protection: what trips, when, and what a trip holds."""

from time import ticks_add

from host_tests.unit.control.protection_bench import Bench, reading

MAX_POWER = {"relay": 0, "max_power": 3500}


def test_a_limit_without_hold_trips_on_the_sample_that_shows_it():
    bench = Bench(MAX_POWER).on()
    bench.power(3500.0)
    assert bench.states() == ["on", "off"]
    bench.power(3500.5)
    assert bench.states() == ["off", "off"]
    assert bench.board.pins[26].level == 0
    assert bench.relays.source == "protection"
    assert bench.protection.tripped() == {
        "relay": 0, "cause": "over_power", "value": 3500.5, "limit": 3500}


def test_a_trip_is_kept_at_once_after_the_relay_is_open():
    bench = Bench(MAX_POWER).on()
    bench.power(4000.0)
    assert bench.kept == [[(0, "over_power", 4000.0, 3500, 0)]]
    assert bench.told == 1


def test_a_trip_is_told_without_needless_digits():
    bench = Bench(MAX_POWER).on()
    bench.power(4000.0078125)
    assert bench.protection.tripped()["value"] == round(4000.01, 2)
    assert bench.log.has("relay 0: over_power: 4000.01, limit 3500")


def test_a_tripped_relay_stays_open_until_it_is_cleared():
    bench = Bench(MAX_POWER).on()
    bench.power(4000.0, 0.0, 0.0)
    assert bench.relays.set(0, True, "command", bench.now_ms) == "relay_locked"
    assert bench.relays.toggle(0, "button", bench.now_ms) == "relay_locked"
    bench.protection.clear(0, bench.now_ms)
    assert bench.protection.tripped() is None
    assert bench.kept[-1] == []
    assert bench.told == 2
    assert bench.states() == ["off", "off"]
    bench.on()
    assert bench.states() == ["on", "off"]


def test_the_hold_time_must_pass_beyond_the_limit_in_one_piece():
    bench = Bench({"relay": 0, "max_power": [3500, 3000]}).on()
    bench.power(4000.0, 4000.0, 4000.0, 3400.0)
    bench.power(4000.0, 4000.0, 4000.0)
    assert bench.states()[0] == "on"
    bench.power(4000.0)
    assert bench.states()[0] == "off"


def test_a_missed_sample_neither_ends_the_hold_nor_trips():
    bench = Bench({"relay": 0, "max_power": [3500, 3000]}).on()
    bench.power(4000.0, 4000.0)
    bench.sample(None)
    bench.sample(None)
    bench.sample(reading())  # the power alone is unknown
    assert bench.states()[0] == "on"
    bench.power(4000.0)
    assert bench.states()[0] == "off"


def test_only_the_closed_relay_trips_and_the_other_goes_on():
    bench = Bench(MAX_POWER, {"relay": 1, "max_power": 3500}).on(1)
    bench.power(4000.0)
    assert bench.states() == ["off", "off"]
    assert bench.protection.tripped()["relay"] == 1
    bench.on(0)  # it was open all the time


def test_what_flowed_before_it_closed_is_not_its_own():
    bench = Bench({"relay": 0, "max_power": [3500, 2000]}).on(1)
    bench.power(4000.0, 4000.0, 4000.0)
    bench.on(0)
    bench.power(4000.0, 4000.0)
    assert bench.states()[0] == "on"
    bench.power(4000.0)
    assert bench.states()[0] == "off"


def test_power_that_flows_back_counts_too():
    bench = Bench(MAX_POWER).on()
    bench.power(-3600.0)
    assert bench.cause() == "over_power"
    assert bench.protection.tripped()["value"] == 3600


def test_current_has_its_own_limit():
    bench = Bench({"relay": 0, "max_current": 16}).on()
    bench.sample(reading(1000.0, 16.0))
    assert bench.cause() is None
    bench.sample(reading(1000.0, 16.25))
    assert bench.protection.tripped() == {
        "relay": 0, "cause": "over_current", "value": 16.25, "limit": 16}


def test_voltage_trips_in_both_directions():
    for volts, cause in (
            (189.5, "under_voltage"), (260.5, "over_voltage"), (0.0, "under_voltage")):
        bench = Bench({"relay": 0, "min_voltage": 190, "max_voltage": 260}).on()
        bench.volts(190.0, 260.0)
        assert bench.cause() is None
        bench.volts(volts)
        assert bench.cause() == cause
        assert bench.protection.tripped()["value"] == volts


def test_closing_into_a_lasting_voltage_fault_trips_at_the_next_sample():
    bench = Bench({"relay": 0, "max_voltage": [260, 2000]})
    bench.volts(270.0, 270.0, 270.0)
    assert bench.cause() is None  # open: nothing to protect
    bench.on()
    bench.volts(270.0)
    assert bench.cause() == "over_voltage"


def test_a_voltage_that_was_good_in_between_has_its_hold_again():
    bench = Bench({"relay": 0, "max_voltage": [260, 2000]})
    bench.volts(270.0, 270.0, 270.0, 230.0)
    bench.on()
    bench.volts(270.0, 270.0)
    assert bench.cause() is None


def test_a_fault_of_days_is_not_forgotten_when_ticks_wrap():
    # Ticks tell before from after up to 6.2 days, and are the same again after 12.4.
    for days_ms in (7 * 86400000, (1 << 30) - 2500):
        bench = Bench({"relay": 0, "min_voltage": [190, 2000]})
        bench.volts(100.0, 100.0, 100.0)
        bench.now_ms = ticks_add(ticks_add(bench.now_ms, days_ms // 2), days_ms - days_ms // 2)
        bench.on()
        bench.volts(100.0)
        assert bench.cause() == "under_voltage"


def test_two_limits_at_once_make_one_trip():
    bench = Bench({"relay": 0, "max_power": 3500, "max_current": 16}).on()
    bench.power(8000.0, 8000.0)
    assert len(bench.kept) == 1
    assert bench.cause() == "over_power"


def test_temperature_trips_with_its_hold():
    bench = Bench({"relay": 0, "max_temperature": [80, 5000]}, {"relay": 1}).on(0, 1)
    protection = bench.protection
    protection.temperature(80.5, bench.now_ms)
    bench.run(4000)
    protection.temperature(None, bench.now_ms)  # an unknown one says nothing
    bench.run(1000)
    assert bench.states() == ["on", "on"]
    protection.temperature(81.25, bench.now_ms)
    assert bench.states() == ["off", "on"]
    assert protection.tripped() == {
        "relay": 0, "cause": "over_temperature", "value": 81.25, "limit": 80}


def test_a_lost_meter_opens_only_where_it_is_told_to():
    bench = Bench({"relay": 0, "on_meter_lost": "open", "lost_hold_s": 3},
                  {"relay": 1, "on_meter_lost": "keep"}).on(0, 1)
    for _ in range(3):
        bench.sample(None, ok=[False])
    assert bench.states() == ["on", "on"]
    bench.sample(None, ok=[False])
    assert bench.states() == ["off", "on"]
    assert bench.protection.tripped() == {
        "relay": 0, "cause": "meter_lost", "value": None, "limit": 3}


def test_a_meter_that_comes_back_in_time_has_lost_nothing():
    bench = Bench({"relay": 0, "on_meter_lost": "open", "lost_hold_s": 3}).on()
    for _ in range(4):
        bench.sample(None, ok=[False])
        bench.sample(None, ok=[False])
        bench.power(100.0)
    assert bench.cause() is None


def test_each_phase_has_its_own_relay():
    bench = Bench({"relay": 0, "phase": "a", "max_power": 1000},
                  {"relay": 1, "phase": "c", "max_power": 1000}, channels=3).on(0, 1)
    bench.sample(reading(900.0), reading(5000.0), reading(1100.0))
    assert bench.states() == ["on", "off"]


def test_a_relay_of_all_phases_counts_the_sum_and_the_worst():
    entry = {"relay": 0, "max_power": 3000, "max_current": 10, "min_voltage": 200,
             "max_voltage": 250}
    good = reading(900.0, 4.0, 230.0)
    for bad, cause in ((reading(1300.0, 4.0), "over_power"), (reading(0.0, 11.0), "over_current"),
                       (reading(0.0, 0.0, 199.0), "under_voltage"),
                       (reading(0.0, 0.0, 251.0), "over_voltage")):
        bench = Bench(entry, channels=3).on()
        bench.sample(good, good, good)
        assert bench.cause() is None
        bench.sample(good, bad, good)
        assert bench.cause() == cause


def test_a_silent_phase_hides_no_overload_of_the_others():
    bench = Bench({"relay": 0, "max_power": [3000, 2000]}, channels=3).on()
    heavy = reading(1600.0)
    bench.sample(heavy, heavy, heavy)
    bench.sample(heavy, None, reading(100.0))  # below the limit, as far as is known
    assert bench.cause() is None
    bench.sample(heavy, None, heavy)
    assert bench.cause() == "over_power"


def test_a_lost_phase_does_not_keep_the_hold_of_the_others_alive():
    bench = Bench({"relay": 0, "max_power": [3000, 5000]}, channels=3).on()
    heavy = reading(1600.0)
    light = reading(100.0)
    ok = [True, False, True]
    for _ in range(5):
        bench.sample(heavy, None, heavy, ok=ok)
        bench.sample(light, None, light, ok=ok)
    assert bench.cause() is None


def test_the_hold_starts_anew_after_the_meter_was_lost():
    bench = Bench({"relay": 0, "max_power": [3500, 3000]}).on()
    bench.power(4000.0, 4000.0)
    bench.sample(None, ok=[False])
    bench.power(4000.0, 4000.0, 4000.0)
    assert bench.cause() is None
    bench.power(4000.0)
    assert bench.cause() == "over_power"


def test_an_entry_that_does_not_fit_the_board_is_told():
    bench = Bench({"relay": 4, "max_power": 1}, {"relay": 0, "phase": "b", "max_power": 100}).on()
    assert bench.log.has("there is no relay 4")
    assert bench.log.has("relay 0: there is no phase b")
    bench.power(101.0)
    assert bench.cause() == "over_power"  # rather all phases than none
    bench = Bench({"relay": 0, "phase": "c", "max_power": 100}, channels=2).on()
    bench.sample(reading(60.0), reading(60.0))
    assert bench.cause() == "over_power"


def test_trips_found_at_the_start_hold_their_relays():
    bench = Bench(MAX_POWER, trips=[(1, "over_power", 4000.0, 3500, 0)], boot_states=["on", "on"])
    assert bench.states() == ["on", "off"]
    assert bench.protection.tripped() == {
        "relay": 1, "cause": "over_power", "value": 4000.0, "limit": 3500}
    assert bench.relays.set(1, True, "command", bench.now_ms) == "relay_locked"
    assert bench.kept == []


def test_the_oldest_trip_is_shown_and_clear_takes_one_or_all():
    bench = Bench({"relay": 0, "max_current": 10}, {"relay": 1, "max_power": 1000}).on(0, 1)
    bench.power(1100.0)
    bench.power(2600.0)
    assert bench.protection.tripped()["relay"] == 1
    bench.protection.clear(1, bench.now_ms)
    assert bench.protection.tripped()["relay"] == 0
    assert bench.relays.is_locked(0) and not bench.relays.is_locked(1)
    bench.on(1)
    bench.power(2600.0)
    bench.protection.clear(None, bench.now_ms)
    assert bench.protection.tripped() is None
    assert bench.kept[-1] == []
    bench.on(0, 1)


def test_clearing_nothing_writes_nothing():
    bench = Bench(MAX_POWER)
    bench.protection.clear(None, bench.now_ms)
    bench.protection.clear(1, bench.now_ms)
    assert (bench.kept, bench.told) == ([], 0)


def test_a_full_flash_does_not_keep_the_relay_closed_and_is_tried_again():
    bench = Bench(MAX_POWER).on()
    bench.flash_full = True
    bench.power(4000.0)
    assert bench.states()[0] == "off"
    assert bench.log.has("not kept")
    bench.flash_full = False
    bench.run(59000)
    assert bench.kept == []
    bench.run(1000)
    assert len(bench.kept) == 1
    bench.run(120000)
    assert len(bench.kept) == 1
