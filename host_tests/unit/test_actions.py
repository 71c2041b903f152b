"""What the commands to relays and LED do, and which arguments they take."""

from firmware import actions
from firmware.actions import LedActions, RelayActions
from firmware.control.led import Led
from firmware.control.relays import Relay, Relays
from firmware.mqtt.commands import Refused
from host_tests.unit.fakes import Patched, Ticks, raised

WRONG_INDEXES = (-1, 2, 1.0, "0", True, [], 1 << 70)


class Pin:
    def __init__(self, level=0):
        self.level = level

    def value(self, level):
        self.level = level


class Record:
    """Stands for `retained.Retained`."""

    def set_outputs(self, outputs):
        pass

    def outputs(self):
        return []


class Protection:
    """Stands for `protection.Protection` of a node whose relay `tripped` has tripped."""

    def __init__(self, relays, tripped):
        self.relays = relays
        self.index = tripped
        relays.trip(tripped, 0)

    def tripped(self):
        return {"relay": self.index, "cause": "over_power", "value": 4012.5, "limit": 3500}

    def welded(self):
        return []

    def clear(self, index, now_ms):
        self.relays.release(index)
        return "whatever it likes to say"

    def stay_open(self, index, now_ms):
        pass


def make_relays(count=2, **rules):
    relays = [Relay(26 + i) for i in range(count)]
    return Relays(relays, lambda pin, level: Pin(level), Record(), [], True, **rules)


def relay_actions(count=2):
    return RelayActions(make_relays(count))


def run(handler, action, **arguments):
    """The result of a command, or its error code."""
    try:
        return handler.prepare(action, arguments)()
    except Refused as e:
        assert isinstance(e.args[1], str) and e.args[1]
        return e.args[0]


def message(handler, action, **arguments):
    return raised(Refused, handler.prepare, action, arguments).args[1]


def test_relays_and_led_are_switched_at_once_not_by_the_foreground():
    assert RelayActions.deferred is False
    assert LedActions.deferred is False


# relay


def test_relay_on_off_toggle():
    relay = relay_actions()
    for action, wanted in (("on", "on"), ("on", "on"), ("toggle", "off"), ("toggle", "on"),
                           ("off", "off"), ("off", "off")):
        assert run(relay, action) == wanted
        assert relay.state() == [wanted, "off"]


def test_relay_by_index():
    relay = relay_actions()
    assert run(relay, "on", relay=1) == "on"
    assert relay.state() == ["off", "on"]
    assert run(relay, "on", relay=0) == "on"
    assert run(relay, "toggle", relay=1) == "off"
    assert relay.state() == ["on", "off"]


def test_relay_of_null_is_the_first():
    relay = relay_actions()
    assert run(relay, "on", relay=None) == "on"
    assert relay.state() == ["on", "off"]


def test_relay_index_is_checked_before_anything_is_switched():
    relay = relay_actions()
    for index in WRONG_INDEXES:
        for action in ("on", "toggle", "off"):
            assert run(relay, action, relay=index) == "bad_request", index
        assert run(relay, "pulse", relay=index, duration_ms=1000) == "bad_request"
    assert relay.state() == ["off", "off"]
    assert "relay" in message(relay, "on", relay=2)


def test_relay_checks_all_before_it_acts():
    relay = relay_actions()
    relay.prepare("on", {})
    assert relay.state() == ["off", "off"]


def test_relay_pulse():
    relay = relay_actions()
    assert run(relay, "pulse", relay=1, duration_ms=60000) == "on"
    assert relay.state() == ["off", "on"]


def test_relay_pulse_needs_a_duration():
    relay = relay_actions()
    for wrong in ({}, {"duration_ms": None}, {"duration_ms": 49}, {"duration_ms": 86400001},
                  {"duration_ms": "1000"}, {"duration_ms": 1000.0}, {"duration_ms": True},
                  {"duration_ms": -1000}, {"duration": 1000}):
        assert run(relay, "pulse", **wrong) == "bad_request", wrong
        assert "duration_ms" in message(relay, "pulse", **wrong)
    for duration_ms in (50, 86400000):
        assert run(relay, "pulse", duration_ms=duration_ms) == "on"


def test_relay_sixth_change_in_3_seconds_is_too_fast_but_opening_never_is():
    relay = relay_actions()
    ticks = Ticks()
    with Patched(actions, ticks_ms=ticks):
        results = []
        for _ in range(6):
            results.append(run(relay, "toggle"))
            ticks.sleep(100)
        # Five changes, the last of them to on: opening is the sixth, closing again too fast.
        assert results == ["on", "off", "on", "off", "on", "off"]
        assert run(relay, "on") == "too_fast"
        assert run(relay, "toggle") == "too_fast"
        assert run(relay, "pulse", duration_ms=100) == "too_fast"
        assert run(relay, "off") == "off"
        assert run(relay, "on", relay=1) == "on"
        ticks.sleep(3000)
        assert run(relay, "on") == "on"


def test_relay_unknown_actions():
    relay = relay_actions()
    for action in ("ON", "", "blink", "open"):
        assert run(relay, action) == "unknown_action", action


def test_relay_of_an_interlock_group_answers_what_it_will_be():
    relays = make_relays(interlock=[[0, 1]], interlock_ms=500)
    relay = RelayActions(relays)
    ticks = Ticks()
    with Patched(actions, ticks_ms=ticks):
        assert run(relay, "on", relay=1) == "on"
        assert run(relay, "on") == "on"  # accepted: it waits for the dead time
        assert relay.state() == ["off", "off"]  # and this is what is
        ticks.sleep(500)
        relays.tick(ticks())
        assert relay.state() == ["on", "off"]
        assert run(relay, "on", relay=1) == "on"
        assert run(relay, "toggle", relay=1) == "off"  # taken back while it waited
        assert relay.state() == ["off", "off"]


def test_relay_clear_trip_without_protection():
    assert run(relay_actions(), "clear_trip") == "unsupported"


def test_relay_that_has_tripped_is_locked_until_clear_trip():
    relays = make_relays()
    relay = RelayActions(relays)
    relays.protection = Protection(relays, 1)
    assert run(relay, "on") == "on"
    for action in ("on", "toggle"):
        assert run(relay, action, relay=1) == "relay_locked"
    assert run(relay, "pulse", relay=1, duration_ms=1000) == "relay_locked"
    assert run(relay, "off", relay=1) == "off"
    assert run(relay, "clear_trip", relay=1) == "off"
    assert run(relay, "on", relay=1) == "on"


def test_relay_clear_trip_is_for_the_first_relay_unless_told():
    relays = make_relays()
    relay = RelayActions(relays)
    relays.protection = Protection(relays, 0)
    relays.trip(1, 0)
    assert run(relay, "clear_trip") == "off"
    assert not relays.is_locked(0) and relays.is_locked(1)
    assert run(relay, "clear_trip", relay=2) == "bad_request"


def test_relay_clear_trip_of_one_that_has_not_tripped_says_its_state():
    relays = make_relays()
    relay = RelayActions(relays)
    relays.protection = Protection(relays, 1)
    run(relay, "on")
    assert run(relay, "clear_trip") == "on"


def test_relay_locked_says_why_and_what_to_do():
    relays = make_relays()
    relay = RelayActions(relays)
    relays.protection = Protection(relays, 1)
    text = raised(Refused, relay.prepare("on", {"relay": 1})).args[1]
    assert text == "the relay has tripped (over_power): send clear_trip"
    # Only the first trip is told with its cause: relay 0 has tripped later.
    relays.trip(0, 0)
    text = raised(Refused, relay.prepare("on", {})).args[1]
    assert text == "the relay has tripped: send clear_trip"


def test_relay_on_a_board_without_one():
    relay = relay_actions(0)
    assert run(relay, "on") == "unsupported"
    assert relay.state() == []


# led


def test_led_actions():
    led = Led(Pin())
    handler = LedActions(led)
    for action in ("on", "off", "blink", "identify", "auto"):
        assert run(handler, action) == action
        assert handler.state() == action == led.mode


def test_led_blink_period():
    handler = LedActions(Led(Pin()))
    for period_ms in (100, 60000, None):
        assert run(handler, "blink", period_ms=period_ms) == "blink"
    for period_ms in (99, 60001, "1000", 500.0, True):
        assert run(handler, "blink", period_ms=period_ms) == "bad_request", period_ms
    assert "period_ms" in message(handler, "blink", period_ms=0)


def test_led_blinks_as_it_was_told():
    pin = Pin()
    led = Led(pin)
    ticks = Ticks()
    with Patched(actions, ticks_ms=ticks):
        run(LedActions(led), "blink", period_ms=400)
        levels = []
        for _ in range(40):
            led.tick(ticks())
            levels.append(pin.level)
            ticks.sleep(20)
    assert levels == (10 * [1] + 10 * [0]) * 2


def test_led_unknown_actions():
    assert run(LedActions(Led(Pin())), "dance") == "unknown_action"


def test_led_on_a_board_without_one():
    handler = LedActions(None)
    assert run(handler, "on") == "unsupported"
    assert handler.state() is None
