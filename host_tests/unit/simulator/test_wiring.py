# Tests of the simulator's wiring: which load hangs on which phase of which meter.
from host_tests.simulator.wiring import world

RELAYS = [
    {"pin": 26}, {"pin": 27, "active_low": True}, {"set_pin": 19, "reset_pin": 22}, {"pin": 4},
]
SDM = {"chip": "sdm630", "uart": 2, "tx": 17, "rx": 16, "de_pin": 5, "address": 3}


def board(meter, relays=2, **more):
    return dict(more, chip="esp32", relays=RELAYS[:relays], meter=meter)


def test_one_meter_measures_everything():
    meter = {"chip": "pzem004t", "uart": 2, "tx": 17, "rx": 16, "address": 7}
    made = world(board(meter), (1000, {"watts": 60, "power_factor": 0.5}), 5)
    assert made["loads"] == [
        {"watts": 1000, "relay": 0}, {"watts": 60, "power_factor": 0.5, "relay": 1}, {"watts": 5}]
    uart = made["uarts"]["2"]
    assert (uart["tx"], uart["rx"]) == (17, 16)
    assert "de_pin" not in uart
    (item,) = uart["meters"]
    assert (item["chip"], item["address"], item["loads"]) == ("pzem004t", 7, [[0, 1, 2]])
    assert made["pulse_meters"] == []


def test_three_phases_take_the_relays_in_turn_and_the_base_load_each():
    made = world(board(SDM, 4), (10, 20, 30, 40), 5)
    uart = made["uarts"]["2"]
    assert uart["de_pin"] == 5
    (item,) = uart["meters"]
    assert item["loads"] == [[0, 3, 4], [1, 5], [2, 6]]
    assert [load["watts"] for load in made["loads"]] == [10, 20, 30, 40, 5, 5, 5]


def test_a_base_load_can_be_given_for_each_phase():
    made = world(board(SDM), (10,), (0, 7, -800))
    assert made["uarts"]["2"]["meters"][0]["loads"] == [[0], [1], [2]]
    assert [load["watts"] for load in made["loads"]] == [10, 7, -800]


def test_protection_says_on_which_phase_a_relay_is():
    entries = [{"relay": 0, "phase": "c"}, {"relay": 1, "phase": ""}]
    made = world(board(SDM, protection=entries), (10, 20), 0)
    assert made["uarts"]["2"]["meters"][0]["loads"] == [[], [1], [0]]


def test_three_pzems_are_three_meters_on_one_line():
    meter = {"chip": "pzem004t", "uart": 2, "tx": 17, "rx": 16, "addresses": [1, 2, 9]}
    items = world(board(meter, 3), (10, 20, 30), 0)["uarts"]["2"]["meters"]
    assert [(item["address"], item["loads"]) for item in items] == [
        (1, [[0]]), (2, [[1]]), (9, [[2]])]


def test_a_pulse_meter_hangs_on_pins():
    meter = {"chip": "bl0937", "cf": 5, "cf1": 18, "sel": 23}
    made = world(board(meter), (10,), 0)
    assert made["uarts"] == {}
    assert made["pulse_meters"] == [dict(meter, loads=[[0]])]


def test_a_meter_that_only_sends_needs_no_tx():
    made = world(board({"chip": "cse7766", "uart": 2, "rx": 16}), (10,), 0)
    assert (made["uarts"]["2"]["tx"], made["uarts"]["2"]["rx"]) == (None, 16)


def test_a_board_without_a_meter():
    made = world({"chip": "esp32", "relays": RELAYS}, (10,), 0)
    assert (made["uarts"], made["pulse_meters"]) == ({}, [])
    assert [relay["index"] for relay in made["relays"]] == [0, 1, 2, 3]
    assert made["relays"][2]["set_pin"] == 19


def test_more_loads_than_relays_are_refused():
    try:
        world(board(SDM, 1), (1, 2), 0)
    except ValueError as error:
        assert "2 loads for 1 relays" in str(error)
    else:
        raise AssertionError("accepted")
