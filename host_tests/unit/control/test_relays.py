"""Relays: levels, boot states, pulses, the flood guard, what is retained and saved."""

from time import ticks_add

from firmware.control.relays import BAD_REQUEST, TOO_FAST, Relay, Relays
from host_tests.unit.control.relay_board import Board, Record

NOW = 1000
BEFORE_WRAP = ticks_add(0, -1000)  # one second before ticks start over, on any port


def flood(board, now_ms=NOW):
    """Five changes 100 ms apart from `now_ms`: relay 0 ends on."""
    for change in range(5):
        at_ms = ticks_add(now_ms, change * 100)
        assert board.relays.toggle(0, "command", at_ms) is None


def test_on_and_off_reach_an_active_high_pin():
    board = Board()
    assert board.relays.set(0, True, "command", NOW) is None
    assert board.levels() == [1, 0]
    assert board.relays.set(0, False, "command", NOW) is None
    assert board.levels() == [0, 0]


def test_on_and_off_reach_an_active_low_pin():
    board = Board(active_low=True)
    assert board.levels() == [1, 1]
    board.relays.set(1, True, "command", NOW)
    assert board.levels() == [1, 0]
    board.relays.set(1, False, "command", NOW)
    assert board.levels() == [1, 1]


def test_the_keys_of_a_board_profile_make_a_relay():
    relay = Relay(**{"pin": 5, "active_low": True})
    assert (relay.pin, relay.level(True), relay.level(False)) == (5, 0, 1)


def test_pins_start_at_their_boot_state_and_are_not_written_again():
    board = Board(boot_states=["on", "off"])
    assert board.levels() == [1, 0]
    assert board.pins[26].writes == [] and board.pins[27].writes == []
    assert board.changes == []


def test_active_low_pins_start_at_their_boot_state():
    assert Board(active_low=True, boot_states=["on", "off"]).levels() == [0, 1]


def test_a_missing_boot_state_is_off():
    assert Board(boot_states=["on"]).states() == ["on", "off"]


def test_last_comes_back_at_power_on():
    board = Board(boot_states=["last", "last"], last=[False, True])
    assert board.states() == ["off", "on"]


def test_last_without_a_saved_state_is_off():
    assert Board(boot_states=["last", "last"]).states() == ["off", "off"]
    assert Board(boot_states=["last", "last"], last=[True]).states() == ["on", "off"]


def test_the_saved_state_is_only_for_boot_state_last():
    assert Board(boot_states=["off", "last"], last=[True, True]).states() == ["off", "on"]


def test_after_a_reset_the_retained_level_wins_over_the_boot_state():
    board = Board(
        boot_states=["on", "last"], kept=[(26, 0), (27, 1)], power_on=False, last=[True, False]
    )
    assert board.states() == ["off", "on"]
    assert board.levels() == [0, 1]


def test_the_retained_level_is_electrical():
    board = Board(active_low=True, kept=[(26, 0), (27, 1)], power_on=False)
    assert board.states() == ["on", "off"]
    assert board.levels() == [0, 1]


def test_at_power_on_a_retained_level_counts_for_nothing():
    assert Board(boot_states=["off"], kept=[(26, 1)], power_on=True).states() == ["off", "off"]


def test_a_relay_missing_in_the_record_takes_its_boot_state():
    board = Board(boot_states=["off", "on"], kept=[(26, 1), (4, 1)], power_on=False)
    assert board.states() == ["on", "on"]


def test_the_record_holds_the_pins_from_the_start_and_after_each_change():
    board = Board(active_low=True, boot_states=["on", "off"])
    assert board.record.kept == [(26, 0), (27, 1)]
    board.relays.set(1, True, "command", NOW)
    assert board.record.kept == [(26, 0), (27, 0)]


def test_no_change_writes_nothing_and_tells_nobody():
    board = Board()
    writes = board.record.writes
    assert board.relays.set(0, False, "button", NOW) is None
    assert board.writes() == []
    assert board.record.writes == writes
    assert board.changes == []
    assert board.relays.status()["source"] == "boot"


def test_each_real_change_is_told_with_its_source():
    board = Board()
    board.relays.set(1, True, "command", NOW)
    board.relays.toggle(0, "button", NOW)
    board.relays.set(1, False, "protection", NOW)
    assert board.changes == [(1, "command"), (0, "button"), (1, "protection")]


def test_whoever_is_told_sees_the_new_state_and_record():
    board = Board()
    seen = []
    board.relays.on_change = lambda index, source: seen.append(
        (board.states(), board.relays.status()["source"], board.record.kept)
    )
    board.relays.set(0, True, "button", NOW)
    assert seen == [(["on", "off"], "button", [(26, 1), (27, 0)])]


def test_status():
    board = Board(boot_states=["on", "off"])
    assert board.relays.status() == {
        "state": "on",
        "relays": ["on", "off"],
        "source": "boot",
        "tripped": None,
    }
    board.relays.toggle(0, "command", NOW)
    assert board.relays.status() == {
        "state": "off",
        "relays": ["off", "off"],
        "source": "command",
        "tripped": None,
    }


def test_a_board_without_relays():
    record = Record()
    relays = Relays([], None, record, [], True)
    relays.tick(NOW)
    assert relays.status() == {"state": None, "relays": [], "source": "boot", "tripped": None}


def test_toggle():
    board = Board()
    board.relays.toggle(0, "button", NOW)
    board.relays.toggle(0, "button", NOW)
    assert board.writes() == [1, 0]


def test_a_pulse_ends_to_the_millisecond():
    board = Board()
    assert board.relays.pulse(0, 500, NOW) is None
    assert board.states() == ["on", "off"]
    board.relays.tick(NOW + 499)
    assert board.states() == ["on", "off"]
    board.relays.tick(NOW + 500)
    assert board.states() == ["off", "off"]
    assert board.writes() == [1, 0]
    assert board.changes == [(0, "command"), (0, "timer")]


def test_a_pulse_over_the_wrap_of_ticks():
    board = Board()
    board.relays.pulse(0, 2000, BEFORE_WRAP)
    board.relays.tick(ticks_add(BEFORE_WRAP, 999))
    assert board.states()[0] == "on"
    board.relays.tick(0)  # just wrapped
    assert board.states()[0] == "on"
    board.relays.tick(999)
    assert board.states()[0] == "on"
    board.relays.tick(1000)
    assert board.states()[0] == "off"


def test_the_longest_pulse_over_the_wrap_of_ticks():
    board = Board()
    assert board.relays.pulse(0, 86400000, BEFORE_WRAP) is None
    board.relays.tick(ticks_add(BEFORE_WRAP, 86399999))
    assert board.states()[0] == "on"
    board.relays.tick(ticks_add(BEFORE_WRAP, 86400000))
    assert board.states()[0] == "off"


def test_pulses_outside_the_limits_are_refused():
    board = Board()
    for duration_ms in (-1, 0, 49, 86400001, 1 << 40):
        assert board.relays.pulse(0, duration_ms, NOW) == BAD_REQUEST
    assert board.states() == ["off", "off"]
    assert board.relays.pulse(0, 50, NOW) is None


def test_on_during_a_pulse_makes_it_stay_on():
    board = Board()
    board.relays.pulse(0, 500, NOW)
    board.relays.set(0, True, "button", NOW + 100)
    board.relays.tick(NOW + 600)
    assert board.states()[0] == "on"
    assert board.writes() == [1]


def test_off_during_a_pulse_ends_it_for_good():
    board = Board()
    board.relays.pulse(0, 500, NOW)
    board.relays.set(0, False, "command", NOW + 100)
    board.relays.set(0, True, "command", NOW + 200)
    board.relays.tick(NOW + 600)
    assert board.states()[0] == "on"


def test_a_new_pulse_replaces_the_running_one():
    board = Board()
    board.relays.pulse(0, 500, NOW)
    board.relays.pulse(0, 500, NOW + 400)
    board.relays.tick(NOW + 899)
    assert board.states()[0] == "on"
    board.relays.tick(NOW + 900)
    assert board.states()[0] == "off"


def test_a_pulse_on_a_relay_that_is_on_switches_it_off_later():
    board = Board(boot_states=["on"])
    board.relays.pulse(0, 500, NOW)
    assert board.changes == []
    board.relays.tick(NOW + 500)
    assert board.changes == [(0, "timer")]


def test_pulses_of_two_relays_are_their_own():
    board = Board()
    board.relays.pulse(0, 500, NOW)
    board.relays.pulse(1, 300, NOW)
    board.relays.tick(NOW + 300)
    assert board.states() == ["on", "off"]
    board.relays.tick(NOW + 500)
    assert board.states() == ["off", "off"]


def test_a_reset_in_a_pulse_does_not_leave_the_load_on():
    # The end of the pulse is lost with the RAM: a record of "on" would hold the load for ever.
    board = Board()
    board.relays.pulse(0, 500, NOW)
    assert board.levels() == [1, 0]
    assert board.record.kept == [(26, 0), (27, 0)]
    board.relays.set(0, True, "command", NOW + 100)
    assert board.record.kept == [(26, 1), (27, 0)]
    board.relays.pulse(0, 500, NOW + 200)
    assert board.record.kept == [(26, 0), (27, 0)]


def test_the_sixth_change_in_the_window_is_refused_when_it_closes():
    board = Board()
    flood(board)
    board.relays.set(0, False, "command", NOW + 500)
    changes = len(board.changes)
    assert board.relays.set(0, True, "command", NOW + 600) == TOO_FAST
    assert board.relays.toggle(0, "button", NOW + 600) == TOO_FAST
    assert board.relays.pulse(0, 100, NOW + 600) == TOO_FAST
    assert board.states()[0] == "off"
    assert board.record.kept == [(26, 0), (27, 0)]
    assert len(board.changes) == changes


def test_opening_is_never_refused():
    for source in ("command", "button", "timer", "protection"):
        board = Board()
        flood(board)
        assert board.relays.set(0, False, source, NOW + 500) is None
        assert board.states()[0] == "off"
    board = Board()
    flood(board)
    assert board.relays.toggle(0, "command", NOW + 500) is None
    assert board.states()[0] == "off"


def test_auto_off_is_never_refused():
    board = Board()
    for change in range(4):
        board.relays.toggle(0, "command", NOW + change)
    board.relays.pulse(0, 50, NOW + 4)
    board.relays.tick(NOW + 54)
    assert board.states()[0] == "off"


def test_switching_on_is_allowed_again_when_the_window_has_passed():
    board = Board()
    for change in range(4):
        board.relays.toggle(0, "command", NOW + change * 100)
    board.relays.set(0, True, "command", NOW + 400)
    board.relays.set(0, False, "command", NOW + 500)
    # The last five changes are those at 100 to 500.
    assert board.relays.set(0, True, "command", NOW + 3099) == TOO_FAST
    assert board.relays.set(0, True, "command", NOW + 3100) is None


def test_a_refusal_does_not_prolong_the_window():
    board = Board()
    flood(board)
    board.relays.set(0, False, "command", NOW + 500)
    for at_ms in range(600, 3100, 100):
        assert board.relays.set(0, True, "command", NOW + at_ms) == TOO_FAST
    assert board.relays.set(0, True, "command", NOW + 3100) is None


def test_the_flood_guard_over_the_wrap_of_ticks():
    board = Board()
    start = ticks_add(0, -250)
    flood(board, start)
    board.relays.set(0, False, "command", ticks_add(start, 500))
    assert board.relays.set(0, True, "command", ticks_add(start, 3099)) == TOO_FAST
    assert board.relays.set(0, True, "command", ticks_add(start, 3100)) is None


def test_changes_of_a_whole_turn_of_ticks_ago_are_forgotten():
    # After a full turn the same ticks come round again: old changes looked like new ones.
    board = Board()
    flood(board)
    board.relays.set(0, False, "command", NOW + 500)
    board.relays.tick(NOW + 4000)
    assert board.relays.set(0, True, "command", NOW + 600) is None


def test_each_relay_has_its_own_flood_guard():
    board = Board()
    flood(board)
    board.relays.set(0, False, "command", NOW + 500)
    assert board.relays.set(1, True, "command", NOW + 600) is None


def test_a_command_without_effect_is_no_change_for_the_flood_guard():
    board = Board()
    for _ in range(20):
        assert board.relays.set(0, True, "command", NOW) is None
    assert board.relays.set(0, False, "command", NOW) is None
    assert board.relays.set(0, True, "command", NOW) is None


def last_board(**more):
    board = Board(boot_states=["last", "off"], last=[False, False], **more)
    board.relays.tick(0)
    board.relays.tick(10000)
    return board


def test_last_is_saved_after_ten_seconds_of_rest():
    board = last_board()
    board.relays.set(0, True, "command", 20000)
    board.relays.tick(29999)
    assert board.saves == []
    board.relays.tick(30000)
    assert board.saves == [[True, False]]
    board.relays.tick(50000)
    assert board.saves == [[True, False]]


def test_each_change_starts_the_rest_anew_and_no_command_without_effect():
    board = last_board()
    board.relays.set(0, True, "command", 20000)
    board.relays.set(1, True, "command", 25000)
    board.relays.set(0, True, "command", 29000)
    board.relays.tick(34999)
    assert board.saves == []
    board.relays.tick(35000)
    assert board.saves == [[True, True]]


def test_switching_back_after_a_save_is_saved_too():
    board = last_board()
    board.relays.set(0, True, "command", 20000)
    board.relays.tick(30000)
    board.relays.set(0, False, "command", 40000)
    board.relays.tick(50000)
    assert board.saves == [[True, False], [False, False]]


def test_a_state_that_came_back_is_not_written_again():
    board = last_board()
    board.relays.set(0, True, "command", 20000)
    board.relays.set(0, False, "command", 25000)
    board.relays.tick(40000)
    assert board.saves == []


def test_the_rest_over_the_wrap_of_ticks():
    board = last_board()
    board.relays.set(0, True, "command", BEFORE_WRAP)
    board.relays.tick(8999)
    assert board.saves == []
    board.relays.tick(9000)
    assert board.saves == [[True, False]]


def test_without_boot_state_last_nothing_is_saved():
    board = Board(boot_states=["on", "off"])
    board.relays.set(0, False, "command", NOW)
    board.relays.tick(NOW)
    board.relays.tick(NOW + 60000)
    assert board.saves == []


def test_in_recovery_without_relays_what_was_saved_stays():
    # It was replaced by an empty list: after a power cut the relays were off.
    record, saves = Record([(26, 1)]), []
    relays = Relays([], None, record, ["last"], False, last=[True], save=saves.append)
    relays.tick(NOW)
    relays.tick(NOW + 60000)
    assert saves == [] and record.kept == [(26, 1)]


def test_a_pulse_is_not_saved_as_on():
    board = last_board()
    board.relays.pulse(0, 60000, 20000)
    board.relays.tick(35000)
    assert board.saves == []


def test_a_state_that_a_reset_kept_from_being_saved_is_saved_later():
    # Switched on, reset within 10 s, then a power cut: it came back off.
    board = Board(boot_states=["last"], kept=[(26, 1)], power_on=False, last=[False, False])
    board.relays.tick(NOW)
    board.relays.tick(NOW + 9999)
    assert board.saves == []
    board.relays.tick(NOW + 10000)
    assert board.saves == [[True, False]]


def test_a_failing_save_is_tried_again_only_after_the_next_change():
    tries = []

    def save(states):
        tries.append(states)
        raise OSError(28)

    def tick_fails(now_ms):
        try:
            board.relays.tick(now_ms)
        except OSError:
            return True
        return False

    board = last_board(save=save)
    board.relays.set(0, True, "command", 20000)
    assert tick_fails(30000)
    assert not tick_fails(30010) and not tick_fails(60000)
    board.relays.set(1, True, "command", 60000)
    assert tick_fails(70000)
    assert tries == [[True, False], [True, True]]
