"""The board profiles: each one keeps to the rules, and each rule catches its mistake."""

import json
import os

from firmware import meter
from host_tests.unit import profile_rules

FOLDER = "firmware/boards/"
GOOD = {
    "name": "good", "chip": "esp32", "flash_mb": 4,
    "relays": [{"pin": 26}],
    "meter": {"chip": "bl0937", "cf": 34, "cf1": 18, "sel": 23},
    "led": {"pin": 2},
    "inputs": [{"pin": 0, "kind": "button", "relay": 0}],
    "temperature": {"kind": "ntc", "pin": 32},
    "protection": [{"relay": 0}],
}


def profiles():
    found = {}
    for name in os.listdir(FOLDER):
        with open(FOLDER + name) as f:
            found[name] = json.load(f)
    return found


def wrong(**changes):
    """What is wrong with GOOD after these changes: the texts in one."""
    profile = dict(GOOD)
    profile.update(changes)
    return "; ".join(profile_rules.problems(profile, meter.CHIPS))


def test_every_profile_keeps_to_the_rules():
    found = profiles()
    assert len(found) >= 8
    for name in found:
        assert profile_rules.problems(found[name], meter.CHIPS) == [], name


def test_a_profile_is_named_as_its_file():
    found = profiles()
    for name in found:
        assert name == found[name]["name"] + ".json"


def test_the_rules_take_what_is_good():
    assert wrong() == ""


def test_no_pin_serves_two():
    assert "GPIO 26" in wrong(led={"pin": 26})
    assert "is the relay's" in wrong(relays=[{"pin": 26}, {"pin": 26}])


def test_no_relay_on_a_pin_that_decides_how_the_chip_boots():
    for pin in (0, 2, 5, 12, 15):
        assert "decides how the chip boots" in wrong(relays=[{"pin": pin}], led=None), pin
        both = [{"set_pin": 19, "reset_pin": pin}]
        assert "decides how the chip boots" in wrong(relays=both, led=None), pin


def test_no_relay_where_the_console_talks():
    assert "console" in wrong(relays=[{"pin": 1}])


def test_no_active_high_relay_on_a_pin_that_is_high_at_boot():
    assert "high at boot" in wrong(relays=[{"pin": 14}])
    assert wrong(relays=[{"pin": 14, "active_low": True}]) == ""


def test_inputs_only_can_be_read_and_nothing_else():
    for part in ({"relays": [{"pin": 34}], "meter": None}, {"led": {"pin": 36}},
                 {"meter": {"chip": "bl0937", "cf": 35, "cf1": 18, "sel": 39}}):
        assert "input only" in wrong(**part), part


def test_pins_of_the_flash_and_pins_that_are_not_there():
    assert "belongs to the flash" in wrong(led={"pin": 6})
    assert "does not exist" in wrong(led={"pin": 24})


def test_gpio_12_of_an_esp32_stays_free():
    assert "flash voltage" in wrong(inputs=[{"pin": 12, "kind": "switch"}])


def test_a_sensor_that_is_measured_needs_a_pin_that_can():
    assert "cannot measure" in wrong(temperature={"kind": "ntc", "pin": 25})


def test_pulses_need_an_interrupt():
    pulses = {"chip": "bl0937", "cf": 16, "cf1": 5, "sel": 4}
    assert "no interrupt" in wrong(chip="esp8266", relays=[], meter=pulses, temperature=None)


def test_relays_that_are_named_exist():
    button = {"pin": 0, "kind": "button", "relay": 1}
    assert "inputs: there is no relay 1" in wrong(inputs=[button])
    assert "protection: there is no relay 2" in wrong(protection=[{"relay": 2}])


def test_more_relays_than_the_record_in_rtc_memory_holds():
    latching = [{"set_pin": pin, "reset_pin": pin + 1} for pin in (16, 21, 25, 32)]
    assert wrong(relays=latching, meter=None, temperature=None) == ""
    assert "8 pins" in wrong(relays=latching + [{"pin": 4}], meter=None, temperature=None)


def test_flash_must_hold_two_slots():
    assert "flash_mb" in wrong(flash_mb=2)


def test_chip_and_meter_must_be_known():
    assert "chip must be" in wrong(chip="avr")
    assert "there is no driver" in wrong(meter={"chip": "ferraris"})
    assert "unknown key" in wrong(colour="red")
