"""Latching relays: which coil has current when, and that none ever keeps it."""

from time import ticks_add

from firmware.control.latching import LatchingRelay
from firmware.control.relays import Relay
from host_tests.unit.control.relay_board import Board
from host_tests.unit.fakes import raised

NOW = 1000
BEFORE_WRAP = ticks_add(0, -1000)  # one second before ticks start over, on any port


def latching(active_low=False, **more):
    """Relay 0 is closed by pin 19 and opened by pin 22, 100 ms each; relay 1 is a plain one."""
    return Board(relays=[LatchingRelay(19, 22, active_low=active_low), Relay(27)], **more)


def at_rest(**more):
    """Open, with the pulse of the start over, at NOW."""
    board = latching(**more)
    board.relays.tick(NOW - 900)
    board.relays.tick(NOW - 800)
    assert coils(board) == [0, 0]
    for pin in board.pins.values():
        pin.writes.clear()
    return board


def coils(board):
    """Levels of the coils that close and open relay 0."""
    return [board.pins[19].level, board.pins[22].level]


def test_the_keys_of_a_board_profile_make_a_relay():
    relay = LatchingRelay(**{"set_pin": 19, "reset_pin": 22, "pulse_ms": 30, "active_low": True})
    assert (relay.pin, relay.reset_pin, relay.settle_ms, relay.level(True)) == (19, 22, 30, 0)


def test_the_pulse_is_100_ms_unless_told_and_has_limits():
    assert LatchingRelay(19, 22).settle_ms == 100
    for pulse_ms in (30, 500):
        assert LatchingRelay(19, 22, pulse_ms).settle_ms == pulse_ms
    for pulse_ms in (0, 29, 501):
        assert raised(ValueError, LatchingRelay, 19, 22, pulse_ms), pulse_ms


def test_both_coils_on_one_pin_are_refused():
    assert raised(ValueError, LatchingRelay, 19, 19)


def test_closing_and_opening_pulse_one_coil_each():
    board = at_rest()
    board.relays.set(0, True, "command", NOW)
    assert coils(board) == [1, 0]
    board.relays.tick(NOW + 99)
    assert coils(board) == [1, 0]
    board.relays.tick(NOW + 100)
    assert coils(board) == [0, 0]
    assert board.states()[0] == "on"
    board.relays.set(0, False, "command", NOW + 1000)
    assert coils(board) == [0, 1]
    board.relays.tick(NOW + 1100)
    assert coils(board) == [0, 0]
    assert board.states()[0] == "off"
    board.ticks(NOW + 1110, NOW + 5000)
    assert board.pins[19].writes == [1, 0] and board.pins[22].writes == [1, 0]


def test_active_low_coils():
    board = latching(active_low=True)
    assert coils(board) == [1, 1]
    board.relays.tick(NOW)
    assert coils(board) == [1, 0]
    board.relays.tick(NOW + 100)
    assert coils(board) == [1, 1]
    board.relays.set(0, True, "command", NOW + 200)
    assert coils(board) == [0, 1]
    assert board.record.kept == [(19, 1), (22, 1), (27, 0)]


def test_the_start_drives_no_coil_and_the_first_tick_pulses_to_the_state():
    # Minutes may lie between the two, and nobody would end the pulse.
    for boot_state, pulsed in (("off", [0, 1]), ("on", [1, 0])):
        board = latching(boot_states=[boot_state])
        assert coils(board) == [0, 0]
        assert board.states()[0] == boot_state
        board.relays.tick(NOW)
        assert coils(board) == pulsed
        board.relays.tick(NOW + 100)
        assert coils(board) == [0, 0]
        assert board.changes == []


def test_opening_cuts_a_closing_pulse_short():
    for opens in (lambda relays: relays.set(0, False, "command", NOW + 40),
                  lambda relays: relays.trip(0, NOW + 40)):
        board = at_rest()
        board.relays.set(0, True, "command", NOW)
        opens(board.relays)
        assert coils(board) == [0, 1]
        board.relays.tick(NOW + 139)
        assert coils(board) == [0, 1]
        board.relays.tick(NOW + 140)
        assert coils(board) == [0, 0]
        assert board.pins[19].writes == [1, 0]


def test_closing_waits_for_the_end_of_an_opening_pulse():
    board = at_rest(boot_states=["on"])
    board.relays.set(0, False, "command", NOW)
    board.relays.set(0, True, "command", NOW + 40)
    assert coils(board) == [0, 1] and board.states()[0] == "on"
    board.relays.tick(NOW + 100)
    assert coils(board) == [1, 0]
    board.relays.tick(NOW + 200)
    assert coils(board) == [0, 0]


def test_the_last_of_many_commands_in_a_pulse_counts():
    board = at_rest(boot_states=["on"])
    board.relays.set(0, False, "command", NOW)
    board.relays.set(0, True, "command", NOW + 20)
    board.relays.set(0, False, "command", NOW + 40)
    board.ticks(NOW + 50, NOW + 1000)
    assert board.pins[22].writes == [1, 0] and board.pins[19].writes == []


def test_the_trip_of_one_that_seems_open_pulses_all_the_same():
    board = at_rest()
    board.relays.trip(0, NOW)
    assert coils(board) == [0, 1]
    board.relays.tick(NOW + 100)
    assert coils(board) == [0, 0]


def test_a_pulse_over_the_wrap_of_ticks():
    board = at_rest()
    start = ticks_add(0, -50)
    board.relays.tick(BEFORE_WRAP)
    board.relays.set(0, True, "command", start)
    board.relays.tick(ticks_add(start, 99))
    assert coils(board) == [1, 0]
    board.relays.tick(ticks_add(start, 100))
    assert coils(board) == [0, 0]


def test_rest_takes_the_current_from_the_coils():
    board = at_rest()
    board.relays.set(0, True, "command", NOW)
    board.relays.set(1, True, "command", NOW)
    board.relays.rest()
    assert coils(board) == [0, 0]
    assert board.pins[27].level == 1  # no coil that could burn


def test_one_that_fails_leaves_no_coil_under_current():
    # A full flash, on the very tick at which the pulse is over.
    def save(states):
        raise OSError(28)

    board = latching(boot_states=["off", "last"], last=[False, False], save=save)
    board.relays.tick(NOW)
    board.relays.set(1, True, "command", NOW)
    board.relays.set(0, True, "command", NOW + 9900)
    board.relays.set(0, False, "command", NOW + 9900)
    try:
        board.relays.tick(NOW + 20000)
    except OSError:
        pass
    assert coils(board) == [0, 0]


def test_the_record_has_coils_without_current_and_the_state_in_their_order():
    board = at_rest()
    assert board.record.kept == [(22, 0), (19, 0), (27, 0)]
    board.relays.set(0, True, "command", NOW)
    assert coils(board) == [1, 0]
    assert board.record.kept == [(19, 0), (22, 0), (27, 0)]
    board.relays.pulse(0, 1000, NOW + 500)
    assert board.record.kept == [(22, 0), (19, 0), (27, 0)]


def test_the_state_comes_back_after_a_reset():
    for kept, state in (([(19, 0), (22, 0), (27, 1)], "on"), ([(22, 0), (19, 0), (27, 1)], "off")):
        for boot_state in ("off", "on"):
            board = latching(boot_states=[boot_state], kept=kept, power_on=False)
            assert board.states() == [state, "on"]
            assert coils(board) == [0, 0]
            board.relays.tick(NOW)
            assert coils(board) == ([1, 0] if state == "on" else [0, 1])


def test_one_that_is_not_in_the_record_takes_its_boot_state():
    assert latching(boot_states=["on"], kept=[(27, 0)], power_on=False).states()[0] == "on"


def two_in_a_group(**more):
    return Board(relays=[LatchingRelay(19, 22), LatchingRelay(16, 14)], interlock=[[0, 1]], **more)


def test_the_dead_time_starts_when_the_opening_pulse_is_over():
    board = two_in_a_group()
    board.ticks(NOW, NOW + 2000)
    board.relays.set(1, True, "command", NOW + 2000)
    board.ticks(NOW + 2000, NOW + 3000)
    board.relays.set(0, True, "command", NOW + 3000)
    board.ticks(NOW + 3000, NOW + 3600)
    assert coils(board) == [0, 0] and board.states() == ["off", "off"]
    board.relays.tick(NOW + 3600)
    assert coils(board) == [1, 0] and board.states() == ["on", "off"]


def test_at_power_on_a_group_is_opened_before_one_is_closed():
    # The contact of the other may have been closed since before the power cut.
    board = two_in_a_group(boot_states=["on", "off"])
    assert board.states() == ["off", "off"]
    board.relays.tick(NOW)
    assert [board.pins[pin].level for pin in (19, 22, 16, 14)] == [0, 1, 0, 1]
    board.ticks(NOW + 10, NOW + 600)
    assert board.states() == ["off", "off"]
    board.relays.tick(NOW + 600)
    assert [board.pins[pin].level for pin in (19, 22, 16, 14)] == [1, 0, 0, 0]
    assert board.states() == ["on", "off"] and board.changes == [(0, "boot")]


def test_a_command_before_the_first_tick_waits_for_the_group_too():
    board = two_in_a_group()
    board.relays.set(0, True, "command", NOW)
    assert coils(board)[0] == 0
    board.ticks(NOW, NOW + 600)
    assert coils(board) == [0, 0]
    board.relays.tick(NOW + 600)
    assert coils(board) == [1, 0]


def test_after_a_reset_the_record_knows_where_the_group_is():
    kept = [(19, 0), (22, 0), (14, 0), (16, 0)]
    board = two_in_a_group(kept=kept, power_on=False)
    assert board.states() == ["on", "off"] and board.record.kept == kept
