"""What a board profile must keep to, so that the board boots and no relay moves by itself.

Pins by chip: reference/meters.md 10 and 12.
"""

CHIPS = {
    "esp32": {
        "pins": list(range(0, 20)) + [21, 22, 23, 25, 26, 27] + list(range(32, 40)),
        "flash": (6, 7, 8, 11),
        "input_only": (34, 35, 36, 37, 38, 39),
        "strapping": (0, 2, 5, 12, 15),
        "console": (1, 3),
        "analog": range(32, 40),  # ADC2 does not work beside Wi-Fi
    },
    "esp32c3": {
        "pins": list(range(0, 11)) + [18, 19, 20, 21],
        "flash": (),
        "input_only": (),
        "strapping": (2, 8, 9),
        "console": (18, 19, 20, 21),
        "analog": range(0, 5),
    },
    "esp8266": {
        "pins": [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16],
        "flash": (),
        "input_only": (),
        "strapping": (0, 2, 15),
        "console": (1, 3),
        "analog": (17,),  # A0 has no number of its own
    },
}
# High at boot until the firmware runs: a relay there closes for a moment.
HIGH_AT_BOOT = {"esp32": (14,), "esp32c3": (), "esp8266": (12, 13, 14, 16)}
NO_INTERRUPT = {"esp32": (), "esp32c3": (), "esp8266": (16,)}
FLASH_MB = 4  # MicroPython, two slots, and room for what an outage keeps

MOST_RELAY_PINS = 8  # the record in RTC memory that boot.py gives them back from

KEYS = ("name", "chip", "flash_mb", "relays", "meter", "led", "inputs", "temperature",
        "protection")
PIN_KEYS = {  # of the meter: key -> how the pin is used
    "tx": "output", "rx": "input", "de_pin": "output", "sel": "output", "cf": "pulses",
    "cf1": "pulses",
}


def problems(profile, meter_chips):
    """Everything that is wrong with a profile, as texts; meter_chips: names of the drivers."""
    found = ["unknown key %s" % key for key in profile if key not in KEYS]
    chip = CHIPS.get(profile.get("chip"))
    if chip is None:
        return found + ["chip must be one of %s" % ", ".join(sorted(CHIPS))]
    if profile.get("flash_mb", 0) < FLASH_MB:
        found.append("flash_mb: %d at least" % FLASH_MB)
    meter = profile.get("meter")
    if meter and meter["chip"] not in meter_chips:
        found.append("meter: there is no driver %s" % meter["chip"])
    found += _pins(profile, chip)
    relays = len(profile["relays"])
    if sum(["set_pin" in relay for relay in profile["relays"]]) + relays > MOST_RELAY_PINS:
        found.append("relays: %d pins at most" % MOST_RELAY_PINS)
    for part in ("inputs", "protection"):
        for item in profile.get(part, ()):
            if not 0 <= item.get("relay", 0) < relays:
                found.append("%s: there is no relay %d" % (part, item["relay"]))
    return found


def _uses(profile):
    # (where, pin, how) of every pin.
    for relay in profile["relays"]:
        for key in ("pin", "set_pin", "reset_pin"):
            if key in relay:
                yield "relay", relay[key], "relay low" if relay.get("active_low") else "relay"
    for key, how in PIN_KEYS.items():
        if key in (profile.get("meter") or ()):
            yield "meter " + key, profile["meter"][key], how
    if profile.get("led"):
        yield "led", profile["led"]["pin"], "output"
    for item in profile.get("inputs", ()):
        yield item["kind"], item["pin"], "input"
    sensor = profile.get("temperature")
    if sensor and "pin" in sensor:
        yield "temperature", sensor["pin"], "analog" if sensor["kind"] == "ntc" else "output"


def _pins(profile, chip):
    name = profile["chip"]
    taken = {}
    for where, pin, how in _uses(profile):
        said = "%s: GPIO %s " % (where, pin)
        if pin in taken:
            yield said + "is the %s's" % taken[pin]
        taken[pin] = where
        if how == "analog":
            if pin not in chip["analog"]:
                yield said + "cannot measure"
            continue
        if pin in chip["flash"]:
            yield said + "belongs to the flash"
        elif pin not in chip["pins"]:
            yield said + "does not exist"
        if pin in chip["input_only"] and how not in ("input", "pulses"):
            yield said + "is an input only"
        if how.startswith("relay"):
            if pin in chip["strapping"]:
                yield said + "decides how the chip boots"
            if pin in chip["console"]:
                yield said + "is the console's"
            if pin in HIGH_AT_BOOT[name] and how != "relay low":
                yield said + "is high at boot"
        if how == "pulses" and pin in NO_INTERRUPT[name]:
            yield said + "has no interrupt"
        if name == "esp32" and pin == 12:
            yield said + "chooses the flash voltage at boot"
