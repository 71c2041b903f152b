"""Buttons and wall switches: bounce, press lengths, what is done and what the LED shows."""

from time import ticks_add

from firmware.control.button import Button, Switch
from firmware.control.led import PRESS_PATTERNS
from host_tests.unit.control.relay_board import Board, Protection
from host_tests.unit.fakes import raised

BEFORE_WRAP = ticks_add(0, -1000)  # one second before ticks start over, on any port
MODES = ("momentary", "edge", "follow")


class Contact:
    """An input pin; pressed means low."""

    def __init__(self):
        self.level = 1

    def value(self):
        return self.level


class Led:
    def __init__(self):
        self.shown = []

    def show_press(self, action):
        assert action is None or action in PRESS_PATTERNS
        self.shown.append(action)


class House:
    """A board with one input, polled every 10 ms; `now_ms` runs over the wrap of ticks."""

    def __init__(self, make=Button, pressed=False, **more):
        self.now_ms = BEFORE_WRAP
        self.board = Board()
        self.relays = self.board.relays
        self.relays.protection = Protection()
        self.contact = Contact()
        self.led = Led()
        self.done = []
        if make is Button:
            more["led"] = self.led
        self.input = make(self.contact, self.relays, **more)
        if make is Button:
            self.input.on_portal = lambda: self.done.append("portal")
            self.input.on_erase = lambda: self.done.append("erase")
        self.hold(pressed, 200)

    def hold(self, pressed, ms):
        """The contact in this position for so long."""
        self.contact.level = 0 if pressed else 1
        for _ in range(ms // 10):
            self.input.tick(self.now_ms)
            self.now_ms = ticks_add(self.now_ms, 10)

    def press(self, ms):
        """Press for so long, and wait till the release is certain; what has been done then."""
        self.hold(True, ms)
        self.hold(False, 200)
        return self.what()

    def what(self):
        done = self.done + ["clear %s" % index for index in self.relays.protection.cleared]
        done += ["%s %d" % (source, index) for index, source in self.board.changes]
        self.done = []
        self.relays.protection.cleared = []
        self.board.changes = []
        return done


def test_a_short_press_toggles_on_release():
    house = House()
    house.hold(True, 500)
    assert house.what() == []
    house.hold(False, 100)
    assert house.what() == ["button 0"]
    assert house.board.states() == ["on", "off"]
    assert house.press(100) == ["button 0"]
    assert house.board.states() == ["off", "off"]


def test_every_press_length_does_its_one_thing():
    lengths = (
        (60, ["button 0"]), (990, ["button 0"]),
        (1000, []), (2990, []),
        (3000, ["clear None"]), (7990, ["clear None"]),
        (8000, []), (9990, []),
        (10000, ["portal"]), (14990, ["portal"]),
        (15000, []), (19990, []),
        (20000, ["erase"]), (59990, ["erase"]),
        (60000, []), (120000, []),
    )
    house = House()
    for ms, done in lengths:
        assert house.press(ms) == done, ms


def test_nothing_is_done_before_the_release():
    house = House()
    house.hold(True, 59990)
    assert house.what() == []


def test_the_led_shows_what_is_reached_and_goes_back():
    house = House()
    house.press(21000)
    assert house.led.shown == ["", "clear_trip", "", "portal", "", "erase", None]
    house.led.shown.clear()
    house.hold(True, 61000)  # stuck
    assert house.led.shown[-2:] == ["erase", None]
    house.led.shown.clear()
    house.hold(False, 1000)
    assert house.led.shown == []


def test_the_led_shows_nothing_in_a_short_press():
    house = House()
    house.press(500)
    assert house.led.shown == [None]


def test_the_led_shows_each_length_when_it_is_reached():
    for reached_ms, action in ((1000, ""), (3000, "clear_trip"), (20000, "erase")):
        house = House()
        house.hold(True, reached_ms)
        assert house.led.shown[-1:] != [action]
        house.hold(True, 10)
        assert house.led.shown[-1] == action


def test_a_button_works_without_led_hooks_and_protection():
    board = Board()
    contact = Contact()
    button = Button(contact, board.relays)
    now_ms = 0
    for ms in (100, 4000, 11000, 21000):
        for level, until_ms in ((1, now_ms + 100), (0, now_ms + 100 + ms), (1, now_ms + 200 + ms)):
            contact.level = level
            while now_ms < until_ms:
                button.tick(now_ms)
                now_ms += 10
    assert board.changes == [(0, "button")]


def test_a_button_for_another_relay_or_none():
    assert House(relay=1).press(100) == ["button 1"]
    house = House(relay=None)
    assert house.press(100) == []
    assert house.press(4000) == ["clear None"]


def test_a_button_held_at_the_start_does_nothing_until_it_was_let_go():
    for ms in (100, 5000, 12000, 30000):
        house = House(pressed=True)
        house.hold(True, ms)
        house.hold(False, 200)
        assert house.what() == []
        assert house.led.shown == []
        assert house.press(100) == ["button 0"]


def test_a_button_that_was_stuck_works_again():
    house = House()
    assert house.press(600000) == []
    assert house.press(100) == ["button 0"]


def test_bounce_at_both_ends_is_one_press():
    house = House()
    for pressed in (True, False, True, False, True, True, False):
        house.hold(pressed, 20)
    house.hold(True, 300)
    for pressed in (False, True, False, True, False, True):
        house.hold(pressed, 20)
    house.hold(False, 200)
    assert house.what() == ["button 0"]


def test_a_contact_shorter_than_50_ms_is_no_press():
    house = House()
    for _ in range(20):
        house.hold(True, 50)  # five ticks span 40 ms
        house.hold(False, 50)
    assert house.what() == []
    assert house.press(60) == ["button 0"]


def test_a_gap_in_a_long_press_does_not_end_it():
    house = House()
    house.hold(True, 2000)
    house.hold(False, 30)
    house.hold(True, 2000)
    house.hold(False, 100)
    assert house.what() == ["clear None"]


def test_an_active_high_button():
    house = House(active_low=False, pressed=True)  # its level is 0: let go
    house.hold(False, 100)
    house.hold(True, 100)
    assert house.what() == ["button 0"]


def test_late_ticks_do_not_lose_a_press():
    house = House()
    contact, button = house.contact, house.input
    for level, at_ms in ((0, 0), (0, 60), (1, 400), (1, 460)):
        contact.level = level
        button.tick(ticks_add(house.now_ms, at_ms))
    assert house.what() == ["button 0"]


def test_a_switch_of_another_mode_is_refused():
    assert raised(ValueError, Switch, Contact(), None, 0, "flip")


def test_a_momentary_switch_acts_on_press_only():
    house = House(Switch, relay=1, mode="momentary")
    house.hold(True, 100)
    assert house.what() == ["button 1"]
    house.hold(True, 30000)
    house.hold(False, 1000)
    assert house.what() == []
    assert house.press(100) == ["button 1"]


def test_an_edge_switch_toggles_with_every_move():
    house = House(Switch, relay=0, mode="edge")
    house.hold(True, 100)
    assert house.board.states()[0] == "on"
    house.hold(False, 100)
    assert house.board.states()[0] == "off"
    assert house.what() == ["button 0", "button 0"]


def test_a_follow_switch_gives_its_position():
    house = House(Switch, relay=0, mode="follow")
    house.relays.set(0, True, "command", house.now_ms)
    house.hold(True, 100)  # is on already
    assert house.board.states()[0] == "on"
    house.hold(False, 100)
    assert house.board.states()[0] == "off"
    house.hold(True, 100)
    assert house.board.states()[0] == "on"


def test_no_switch_acts_at_the_start():
    for mode in MODES:
        for pressed in (True, False):
            house = House(Switch, pressed=pressed, relay=0, mode=mode)
            house.hold(pressed, 10000)
            assert house.what() == [], mode


def test_a_switch_that_bounces_at_the_start_is_not_moved():
    for mode in MODES:
        house = House(Switch, relay=0, mode=mode)
        house.input = Switch(house.contact, house.relays, 0, mode)
        for pressed in (True, False, True, False, True):
            house.hold(pressed, 20)
        house.hold(True, 1000)
        assert house.what() == [], mode


def test_a_switch_that_bounces_moves_once():
    for mode in MODES:
        house = House(Switch, relay=0, mode=mode)
        for pressed in (True, False, True, False, True, False):
            house.hold(pressed, 20)
        house.hold(True, 1000)
        assert house.what() == ["button 0"], mode


def test_an_active_high_switch():
    house = House(Switch, pressed=True, relay=0, mode="follow", active_low=False)
    house.hold(False, 100)
    assert house.board.states()[0] == "on"
