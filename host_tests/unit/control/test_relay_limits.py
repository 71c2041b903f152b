"""Auto-off, trips and the lock: what ends "on" whoever wanted it."""

from time import ticks_add

from firmware.control.relays import RELAY_LOCKED
from host_tests.unit.control.relay_board import Board, Protection

NOW = 1000
BEFORE_WRAP = ticks_add(0, -1000)  # one second before ticks start over, on any port


def auto_off_board(**more):
    """Relay 0 opens after 60 s."""
    return Board(auto_off_s=[60], **more)


def opens_at(board, after_ms, since_ms=NOW):
    board.relays.tick(ticks_add(since_ms, after_ms - 1))
    before = board.states()[0]
    board.relays.tick(ticks_add(since_ms, after_ms))
    return [before, board.states()[0]] == ["on", "off"]


def test_auto_off_whatever_closed_it():
    for source in ("command", "button"):
        board = auto_off_board()
        board.relays.set(0, True, source, NOW)
        assert opens_at(board, 60000)
        assert board.changes == [(0, source), (0, "timer")]
        board.relays.toggle(0, source, NOW + 70000)
        assert opens_at(board, 130000)


def test_auto_off_is_for_the_relays_that_have_one():
    for auto_off_s in ([60], [60, 0]):
        board = Board(auto_off_s=auto_off_s)
        board.relays.set(1, True, "command", NOW)
        board.relays.tick(NOW + 86400000)
        assert board.states()[1] == "on"


def test_more_times_than_relays_are_no_harm():
    assert Board(auto_off_s=[0, 0, 60, 60]).states() == ["off", "off"]


def test_every_order_to_close_starts_auto_off_anew():
    board = auto_off_board()
    board.relays.set(0, True, "command", NOW)
    board.relays.set(0, True, "command", NOW + 50000)
    assert opens_at(board, 110000)


def test_off_in_between_takes_auto_off_back():
    board = auto_off_board()
    board.relays.set(0, True, "command", NOW)
    board.relays.set(0, False, "command", NOW + 30000)
    board.relays.set(0, True, "command", NOW + 40000)
    assert opens_at(board, 100000)


def test_auto_off_limits_a_pulse_and_a_shorter_pulse_ends_first():
    board = auto_off_board()
    board.relays.pulse(0, 86400000, NOW)
    assert opens_at(board, 60000)
    board.relays.pulse(0, 500, NOW + 70000)
    assert opens_at(board, 70500)


def test_auto_off_counts_from_the_first_tick_for_what_started_closed():
    board = auto_off_board(boot_states=["on"])
    board.relays.tick(NOW)
    assert opens_at(board, 60000)
    board = auto_off_board(kept=[(26, 1), (27, 0)], power_on=False)
    board.relays.tick(BEFORE_WRAP)
    assert opens_at(board, 60000, BEFORE_WRAP)


def test_a_command_before_the_first_tick_keeps_its_pulse():
    board = auto_off_board(boot_states=["on"])
    board.relays.pulse(0, 500, NOW)
    board.relays.tick(NOW + 10)
    assert opens_at(board, 500)


def test_with_auto_off_a_reset_brings_it_back_on():
    # Unlike a pulse: the time is configured, so it starts anew.
    board = auto_off_board()
    board.relays.set(0, True, "command", NOW)
    assert board.record.kept == [(26, 1), (27, 0)]


def test_auto_off_is_never_refused_by_the_flood_guard():
    board = Board(auto_off_s=[1])
    for change in range(5):
        board.relays.toggle(0, "command", NOW + change)
    assert opens_at(board, 1004)


def test_a_trip_opens_at_once_and_locks():
    board = Board()
    board.relays.set(0, True, "command", NOW)
    board.relays.trip(0, NOW + 1)
    assert board.levels() == [0, 0]
    assert board.changes[-1] == (0, "protection")
    assert board.record.kept == [(26, 0), (27, 0)]
    assert board.relays.is_locked(0) and not board.relays.is_locked(1)


def test_a_tripped_relay_is_not_closed_by_anybody():
    board = Board(boot_states=["on"])
    board.relays.trip(0, NOW)
    assert board.relays.set(0, True, "button", NOW) == RELAY_LOCKED
    assert board.relays.toggle(0, "command", NOW) == RELAY_LOCKED
    assert board.relays.pulse(0, 100, NOW) == RELAY_LOCKED
    assert board.relays.set(0, False, "command", NOW) is None
    assert board.relays.set(1, True, "command", NOW) is None
    board.ticks(NOW, NOW + 1000)
    assert board.levels() == [0, 1]


def test_release_leaves_it_open_and_lets_it_be_closed():
    board = Board(boot_states=["on"])
    board.relays.trip(0, NOW)
    board.relays.release(0)
    board.relays.tick(NOW + 10)
    assert board.levels() == [0, 0] and not board.relays.is_locked(0)
    assert board.relays.set(0, True, "command", NOW + 20) is None
    assert board.levels() == [1, 0]


def test_a_trip_is_never_refused_by_the_flood_guard():
    board = Board()
    for change in range(5):
        board.relays.toggle(0, "command", NOW + change)
    board.relays.trip(0, NOW + 5)
    assert board.levels() == [0, 0]


def test_a_trip_ends_a_pulse_for_good():
    board = Board()
    board.relays.pulse(0, 500, NOW)
    board.relays.trip(0, NOW + 100)
    board.relays.release(0)
    board.relays.set(0, True, "command", NOW + 200)
    board.relays.tick(NOW + 500)
    assert board.levels() == [1, 0]


def test_the_trip_of_an_open_relay_is_no_change():
    board = Board()
    board.relays.trip(0, NOW)
    assert board.relays.is_locked(0)
    assert board.changes == [] and board.relays.status()["source"] == "boot"


def test_a_relay_that_starts_tripped_stays_open():
    board = Board(boot_states=["on", "on"], locked=[0])
    assert board.levels() == [0, 1]
    assert board.relays.set(0, True, "command", NOW) == RELAY_LOCKED
    board = Board(kept=[(26, 1), (27, 1)], power_on=False, locked=[0])
    assert board.levels() == [0, 1]


def test_a_trip_of_a_relay_that_the_board_has_no_more_is_no_harm():
    assert Board(boot_states=["on"], locked=[5]).levels() == [1, 0]


def test_a_relay_that_starts_tripped_leaves_the_place_to_its_group():
    assert Board(boot_states=["on", "on"], locked=[0], interlock=[[0, 1]]).levels() == [0, 1]


def test_off_tells_protection_that_a_tripped_relay_is_not_to_close_by_itself():
    board = Board(boot_states=["on", "on"])
    board.relays.protection = protection = Protection()
    board.relays.set(0, False, "command", NOW)
    assert protection.stays_open == []
    board.relays.trip(0, NOW)
    assert board.relays.set(0, False, "button", NOW) is None
    assert protection.stays_open == [0]


def test_status_says_what_protection_says():
    board = Board()
    trip = {"relay": 0, "cause": "over_power", "value": 4012.5, "limit": 3500}
    board.relays.protection = Protection(trip, [1])
    status = board.relays.status()
    assert status["tripped"] == trip
    assert status["welded"] == [1]


def test_status_names_welded_relays_only_if_there_are_any():
    board = Board()
    board.relays.protection = Protection()
    assert board.relays.status() == {
        "state": "off", "relays": ["off", "off"], "source": "boot", "tripped": None}
