"""LED patterns: what the pin sees at which millisecond."""

from time import ticks_add

from firmware.control.led import (
    BAD_REQUEST,
    CONNECTION_PATTERNS,
    PRESS_PATTERNS,
    UNKNOWN_ACTION,
    Led,
)


class Pin:
    def __init__(self):
        self.writes = []

    def value(self, level):
        self.writes.append(level)


def lit_times(led, pin, start_ms, duration_ms, step_ms=10):
    """Tick every `step_ms`; list of (ms since the start, level) of the pin's writes."""
    times = []
    for at_ms in range(0, duration_ms, step_ms):
        before = len(pin.writes)
        led.tick(ticks_add(start_ms, at_ms))
        assert len(pin.writes) <= before + 1
        times.extend((at_ms, level) for level in pin.writes[before:])
    return times


def make(active_low=False, state=None):
    pin = Pin()
    led = Led(pin, active_low)
    if state:
        led.show_connection(state)
    return led, pin


def test_no_wifi_is_a_short_flash_every_two_seconds():
    led, pin = make()
    assert lit_times(led, pin, 0, 4200) == [
        (0, 1), (100, 0), (2000, 1), (2100, 0), (4000, 1), (4100, 0),
    ]  # fmt: skip


def test_connecting_blinks_twice_a_second():
    led, pin = make(state="connecting")
    assert lit_times(led, pin, 0, 1000) == [(0, 1), (250, 0), (500, 1), (750, 0)]


def test_online_is_lit_and_written_once():
    led, pin = make(state="online")
    assert lit_times(led, pin, 0, 60000) == [(0, 1)]


def test_error_flashes_three_times_every_two_seconds():
    led, pin = make(state="error")
    assert lit_times(led, pin, 0, 2100) == [
        (0, 1), (100, 0), (250, 1), (350, 0), (500, 1), (600, 0), (2000, 1),
    ]  # fmt: skip


def test_an_unknown_connection_state_is_a_mistake_of_the_caller():
    led, _ = make()
    try:
        led.show_connection("asleep")
    except KeyError:
        return
    raise AssertionError("accepted")


def test_active_low_turns_the_levels_round():
    led, pin = make(active_low=True, state="connecting")
    assert lit_times(led, pin, 0, 300) == [(0, 0), (250, 1)]


def test_a_new_state_starts_its_pattern_at_once():
    led, pin = make()
    lit_times(led, pin, 0, 1000)
    led.show_connection("connecting")
    assert lit_times(led, pin, 1000, 300) == [(0, 1), (250, 0)]


def test_the_same_state_again_does_not_restart_the_pattern():
    led, pin = make(state="connecting")
    lit_times(led, pin, 0, 200)
    led.show_connection("connecting")
    assert lit_times(led, pin, 200, 100) == [(50, 0)]


def test_on_and_off_hide_the_connection_until_auto():
    led, pin = make(state="connecting")
    led.tick(0)
    assert led.command("off", 0) is None
    assert lit_times(led, pin, 0, 2000) == [(0, 0)]
    assert led.command("on", 2000) is None
    led.show_connection("error")
    assert lit_times(led, pin, 2000, 2000) == [(0, 1)]
    assert led.command("auto", 4000) is None
    assert lit_times(led, pin, 4000, 200) == [(100, 0)]
    assert led.mode == "auto"


def test_blink_is_one_hertz_unless_told():
    led, pin = make(state="online")
    led.command("blink", 0)
    assert lit_times(led, pin, 0, 1600) == [(0, 1), (500, 0), (1000, 1), (1500, 0)]


def test_blink_with_a_period():
    led, pin = make(state="online")
    assert led.command("blink", 0, period_ms=200) is None
    assert lit_times(led, pin, 0, 400) == [(0, 1), (100, 0), (200, 1), (300, 0)]


def test_an_odd_period_is_kept():
    led, pin = make()
    led.command("blink", 0, period_ms=101)
    assert lit_times(led, pin, 0, 203, 1) == [(0, 1), (50, 0), (101, 1), (151, 0), (202, 1)]


def test_a_period_outside_the_limits_changes_nothing():
    led, _ = make()
    for period_ms in (-5, 0, 99, 60001):
        assert led.command("blink", 0, period_ms=period_ms) == BAD_REQUEST
    assert led.mode == "auto"


def test_an_unknown_action_changes_nothing():
    led, _ = make()
    led.command("on", 0)
    assert led.command("disco", 0) == UNKNOWN_ACTION
    assert led.mode == "on"


def test_identify_is_fast_for_ten_seconds_then_the_connection_comes_back():
    led, pin = make(state="online")
    led.tick(0)
    led.command("identify", 0)
    assert lit_times(led, pin, 0, 240, 1) == [(60, 0), (120, 1), (180, 0)]
    led.tick(9999)
    assert led.mode == "identify"
    led.tick(10000)
    assert led.mode == "auto"
    writes = len(pin.writes)
    led.tick(20000)
    assert pin.writes[-1] == 1 and len(pin.writes) == writes


def test_identify_goes_back_to_the_command_before_it():
    led, pin = make(state="online")
    led.command("off", 0)
    led.command("identify", 0)
    led.command("identify", 5000)  # again: ten more seconds, and still back to off
    lit_times(led, pin, 5000, 10000)
    assert led.mode == "identify"
    led.tick(15000)
    assert led.mode == "off"
    assert pin.writes[-1] == 0


def test_identify_goes_back_to_a_blink_with_its_period():
    led, pin = make()
    led.command("blink", 0, period_ms=400)
    led.command("identify", 0)
    led.tick(10000)
    assert lit_times(led, pin, 10000, 500)[-2:] == [(200, 0), (400, 1)]


def test_a_command_ends_identify():
    led, pin = make()
    led.command("identify", 0)
    led.command("on", 100)
    led.tick(100)
    led.tick(20000)
    assert led.mode == "on"
    assert pin.writes[-1] == 1


def test_identify_over_the_wrap_of_ticks():
    led, _ = make()
    start = ticks_add(0, -5000)
    led.command("identify", start)
    led.tick(start)
    led.tick(0)
    led.tick(4999)
    assert led.mode == "identify"
    led.tick(5000)
    assert led.mode == "auto"


def test_a_pattern_over_the_wrap_of_ticks():
    led, pin = make(state="connecting")
    start = ticks_add(0, -300)
    assert lit_times(led, pin, start, 800) == [(0, 1), (250, 0), (500, 1), (750, 0)]


def test_late_ticks_do_not_shift_the_beat():
    led, pin = make(state="connecting")
    assert lit_times(led, pin, 0, 2000, 30)[-1] == (1770, 0)  # due at 1750


def test_after_a_long_wait_the_pattern_goes_on_from_now():
    led, pin = make(state="connecting")
    led.tick(0)
    assert lit_times(led, pin, 100000, 600) == [(0, 0), (250, 1), (500, 0)]


def test_a_held_button_hides_everything_else_until_it_is_let_go():
    led, pin = make(state="online")
    led.command("on", 0)
    led.tick(0)
    led.show_press("")
    assert lit_times(led, pin, 0, 1000) == [(0, 0)]
    led.show_press("clear_trip")
    assert lit_times(led, pin, 1000, 1200) == [(0, 1), (100, 0), (1000, 1), (1100, 0)]
    led.show_press("portal")
    assert lit_times(led, pin, 3000, 1100) == [
        (0, 1), (100, 0), (250, 1), (350, 0), (1000, 1)]
    led.show_press("erase")
    led.tick(5000)
    assert lit_times(led, pin, 5000, 130) == [(40, 0), (80, 1), (120, 0)]
    led.show_press(None)
    assert lit_times(led, pin, 6000, 1000) == [(0, 1)]
    assert led.mode == "on"


def test_each_press_length_has_its_own_pattern():
    patterns = list(PRESS_PATTERNS.values()) + list(CONNECTION_PATTERNS.values())
    assert len(set(patterns)) == len(patterns)
