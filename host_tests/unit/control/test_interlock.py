"""Interlock: of a group one relay at the most, and a dead time between two of them."""

from time import ticks_add

from firmware.control.relays import RELAY_LOCKED, TOO_FAST, Relay
from host_tests.unit.control.relay_board import Board

NOW = 1000
BEFORE_WRAP = ticks_add(0, -1000)  # one second before ticks start over, on any port


def pair(**more):
    return Board(interlock=[[0, 1]], **more)


def three(interlock, **more):
    return Board(relays=[Relay(26), Relay(27), Relay(25)], interlock=interlock, **more)


def second_is_on(board, now_ms=NOW):
    assert board.relays.set(1, True, "command", now_ms) is None
    assert board.states() == ["off", "on"]


def test_closing_one_opens_the_other_at_once_and_closes_after_the_dead_time():
    board = pair()
    second_is_on(board)
    assert board.relays.set(0, True, "button", NOW + 5000) is None
    assert board.levels() == [0, 0]
    board.relays.tick(NOW + 5499)
    assert board.states() == ["off", "off"]
    board.relays.tick(NOW + 5500)
    assert board.states() == ["on", "off"]
    assert board.changes == [(1, "command"), (1, "button"), (0, "button")]


def test_the_dead_time_is_configured():
    board = pair(interlock_ms=1200)
    second_is_on(board)
    board.relays.set(0, True, "command", NOW)
    board.relays.tick(NOW + 1199)
    assert board.levels() == [0, 0]
    board.relays.tick(NOW + 1200)
    assert board.levels() == [1, 0]


def test_without_dead_time_the_other_still_opens_first():
    board = pair(interlock_ms=0)
    second_is_on(board)
    written = []
    for relay in board.relays.relays:
        relay._output.value = lambda level, pin=relay.pin: written.append((pin, level))
    board.relays.set(0, True, "command", NOW)
    assert written == [(27, 0), (26, 1)]


def test_with_the_others_long_open_it_closes_at_once():
    board = pair()
    board.relays.set(0, True, "command", NOW)
    assert board.levels() == [1, 0]


def test_the_dead_time_counts_from_every_opening():
    def by_command(board):
        board.relays.set(1, False, "command", NOW + 300)

    def by_timer(board):
        board.relays.pulse(1, 300, NOW)
        board.relays.tick(NOW + 300)

    def by_trip(board):
        board.relays.trip(1, NOW + 300)

    for opens in (by_command, by_timer, by_trip):
        board = pair()
        second_is_on(board)
        opens(board)
        assert board.levels() == [0, 0]
        board.relays.set(0, True, "command", NOW + 400)
        board.relays.tick(NOW + 799)
        assert board.levels() == [0, 0]
        board.relays.tick(NOW + 800)
        assert board.levels() == [1, 0]


def test_a_relay_waits_for_its_partners_not_for_itself():
    board = pair()
    board.relays.set(0, True, "command", NOW)
    board.relays.set(0, False, "command", NOW + 100)
    board.relays.set(0, True, "command", NOW + 200)
    assert board.levels() == [1, 0]


def test_one_that_waits_is_off_and_wanted():
    board = pair()
    second_is_on(board)
    board.relays.set(0, True, "command", NOW)
    waiting = board.relays.relays[0]
    assert not waiting.on and waiting.wanted()
    assert board.relays.status()["state"] == "off"
    board.relays.tick(NOW + 500)
    assert waiting.on and waiting.wanted()


def test_every_later_command_takes_the_waiting_one_back():
    commands = (
        lambda relays: relays.set(0, False, "command", NOW + 100),
        lambda relays: relays.toggle(0, "command", NOW + 100),
        lambda relays: relays.trip(0, NOW + 100),
        lambda relays: relays.set(1, True, "command", NOW + 100),
    )
    for command in commands:
        board = pair()
        second_is_on(board)
        board.relays.set(0, True, "command", NOW)
        command(board.relays)
        board.ticks(NOW + 100, NOW + 2000)
        assert board.levels()[0] == 0
        assert board.pins[26].writes in ([], [0])  # a trip writes the level once more


def test_the_partner_comes_back_when_it_is_wanted_instead():
    board = pair()
    second_is_on(board)
    board.relays.set(0, True, "command", NOW)
    board.relays.set(1, True, "command", NOW + 100)  # relay 0 never closed
    assert board.levels() == [0, 1]


def test_a_new_command_to_the_waiting_one_replaces_the_old_one():
    board = pair()
    second_is_on(board)
    board.relays.pulse(0, 100, NOW)
    board.relays.set(0, True, "command", NOW + 400)
    board.relays.tick(NOW + 500)  # the dead time did not start anew
    assert board.levels() == [1, 0]
    board.ticks(NOW + 510, NOW + 1000)
    assert board.levels() == [1, 0]


def test_a_pulse_counts_from_its_closing():
    board = pair()
    second_is_on(board)
    assert board.relays.pulse(0, 200, NOW) is None
    board.relays.tick(NOW + 500)
    board.relays.tick(NOW + 699)
    assert board.levels() == [1, 0]
    board.relays.tick(NOW + 700)
    assert board.levels() == [0, 0]


def test_a_partner_with_a_pulse_loses_it():
    board = pair()
    board.relays.pulse(1, 1000, NOW)
    board.relays.set(0, True, "command", NOW)
    board.relays.tick(NOW + 500)
    board.relays.set(1, True, "command", NOW + 600)
    board.relays.tick(NOW + 1100)
    assert board.levels() == [0, 1]
    board.relays.tick(NOW + 2000)
    assert board.levels() == [0, 1]


def test_a_refused_command_opens_nothing():
    board = pair()
    second_is_on(board)
    board.relays.trip(0, NOW)
    assert board.relays.set(0, True, "command", NOW) == RELAY_LOCKED
    assert board.relays.pulse(0, 100, NOW) == RELAY_LOCKED
    assert board.levels() == [0, 1]
    board = pair(interlock_ms=0)
    for change in range(5):
        board.relays.toggle(0, "command", NOW + change)
    board.relays.set(1, True, "command", NOW + 5)  # opens relay 0: its sixth change
    assert board.relays.set(0, True, "command", NOW + 6) == TOO_FAST
    assert board.levels() == [0, 1]


def test_a_reset_in_the_dead_time_closes_nothing():
    # boot.py would close it before the time was over.
    board = pair()
    second_is_on(board)
    board.relays.set(0, True, "command", NOW)
    assert board.record.kept == [(26, 0), (27, 0)]
    board.relays.tick(NOW + 500)
    assert board.record.kept == [(26, 1), (27, 0)]


def test_three_in_a_group():
    board = three([[0, 1, 2]])
    board.relays.set(2, True, "command", NOW)
    board.relays.set(0, True, "command", NOW)
    board.relays.set(1, True, "command", NOW + 100)
    assert board.states() == ["off", "off", "off"]
    board.ticks(NOW + 110, NOW + 2000)
    assert board.states() == ["off", "on", "off"]


def test_groups_that_share_a_relay():
    board = three([[0, 1], [1, 2]])
    board.relays.set(0, True, "command", NOW)
    board.relays.set(2, True, "command", NOW)
    assert board.states() == ["on", "off", "on"]
    board.relays.set(1, True, "command", NOW)
    assert board.states() == ["off", "off", "off"]
    board.relays.tick(NOW + 500)
    assert board.states() == ["off", "on", "off"]


def test_relays_in_no_group_are_free():
    board = three([[0, 1]])
    board.relays.set(2, True, "command", NOW)
    board.relays.set(1, True, "command", NOW)
    assert board.states() == ["off", "on", "on"]


def test_a_group_may_name_relays_that_the_board_does_not_have():
    board = Board(interlock=[[0, 1, 5], [7, 8]])
    second_is_on(board)
    board.relays.set(0, True, "command", NOW)
    board.relays.tick(NOW + 500)
    assert board.levels() == [1, 0]


def test_never_two_of_a_group_at_the_start():
    assert pair(boot_states=["on", "on"]).levels() == [1, 0]
    assert pair(boot_states=["last", "last"], last=[False, True]).levels() == [0, 1]
    assert pair(boot_states=["last", "last"], last=[True, True]).levels() == [1, 0]
    # Closed before the group was configured.
    assert pair(kept=[(26, 1), (27, 1)], power_on=False).levels() == [1, 0]
    assert pair(active_low=True, boot_states=["on", "on"]).levels() == [0, 1]


def test_at_the_start_the_open_ones_are_driven_first():
    # boot.py gave both their level back, and the group is new: the other must not close first.
    order = []

    class Ordered(Board):
        def output(self, number, level):
            order.append((number, level))
            return Board.output(self, number, level)

    Ordered(interlock=[[0, 1]], kept=[(26, 1), (27, 1)], power_on=False)
    assert order == [(27, 0), (26, 1)]


def test_the_dead_time_over_the_wrap_of_ticks():
    board = pair()
    second_is_on(board, BEFORE_WRAP)
    start = ticks_add(0, -250)
    board.relays.set(0, True, "command", start)
    board.relays.tick(ticks_add(start, 499))
    assert board.levels() == [0, 0]
    board.relays.tick(ticks_add(start, 500))
    assert board.levels() == [1, 0]


def test_an_opening_of_a_whole_turn_of_ticks_ago_is_forgotten():
    board = pair()
    second_is_on(board)
    board.relays.set(1, False, "command", NOW)
    board.relays.tick(NOW + 500)
    assert board.relays.set(0, True, "command", NOW + 100) is None  # 12 days later
    assert board.levels() == [1, 0]
