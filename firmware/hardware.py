# Makes what the board profile names: relays, inputs, LED, meter, sensor. Part of the assembly, and
# dropped with it.
import gc

from . import storage
from .timestamp import parse_offset

_METRICS = ("voltage", "current", "power")


def relays(board, parts, settings, log):
    """(Relays, Protection or None)."""
    from .control import trips
    from .control.relay import Relay
    from .control.relays import Relays
    from .node import LAST_PATH
    gc.collect()
    kind = Relay
    if any("set_pin" in item for item in parts.profile["relays"]):
        from .control.latching import LatchingRelay
        kind = LatchingRelay
    found = [(kind if "set_pin" in item else Relay)(**item) for item in parts.profile["relays"]]
    boot_states = settings["relay_boot_states"]
    last = None
    if "last" in boot_states:
        try:
            last = storage.read_json(LAST_PATH)
        except ValueError as e:
            log("relays: %s" % e)
    kept = trips.load(len(found), log)
    power_on = not board.retained.outputs()  # boot.py has cleared them then
    made = Relays(found, parts.output, board.retained, boot_states, power_on,
                  last if isinstance(last, list) else None, interlock=settings["interlock"],
                  interlock_ms=settings["interlock_ms"], auto_off_s=settings["auto_off_s"],
                  locked=[trip[0] for trip in kept])
    made.protection = _protection(parts, settings, made, kept, log)
    return made, made.protection


def _protection(parts, settings, relays, kept, log):
    from .config.limits import merged
    from .control import trips
    entries = merged(parts.profile.get("protection", []), settings["protection"])
    # An entry that only tells the phase protects from nothing.
    if not kept and not any(set(entry) - {"relay", "phase"} for entry in entries):
        return None
    from .control.protection import Protection
    gc.collect()
    return Protection(entries, relays, log, trips.save, kept, _channels(parts.profile))


def _channels(profile):
    meter = profile.get("meter") or {}
    return len(meter["addresses"]) if "addresses" in meter else \
        3 if meter.get("chip") == "sdm630" else 1


def led(parts):
    """Led, or None."""
    pin = parts.led_pin()
    if not pin:
        return None
    from .control.led import Led
    gc.collect()
    return Led(*pin)


def inputs(parts, settings, relays, led, log):
    """List of Button and Switch."""
    items = parts.profile.get("inputs", ())
    if not items:
        return []
    from .control.button import Button, Switch
    gc.collect()
    modes = settings["input_modes"]

    def made(at, item):
        pin = parts.input(item["pin"], item.get("pull"))
        active_low = item.get("active_low", False)
        if item["kind"] == "button":
            return Button(pin, relays, item.get("relay"), active_low, led)
        mode = modes[at] if at < len(modes) and modes[at] else item.get("mode", "edge")
        return Switch(pin, relays, item["relay"], mode, active_low)

    return [made(at, item) for at, item in enumerate(items)]


def meter(parts, settings, clock, log):
    """(Sampler, Energy), or (None, None): the board has no meter, or cannot read it."""
    profile = parts.profile.get("meter")
    if not profile:
        return None, None
    from . import meter
    from .meter.energy_store import Energy
    from .meter.sampler import Sampler
    gc.collect()
    try:
        driver = meter.driver(profile["chip"])
        gc.collect()
        profile = dict(profile)
        profile["factors"] = _factors(profile.get("factors", {}), settings["calibration"])
        bus = parts.meter_uart(driver.SERIAL) if driver.SERIAL else parts.pulse_inputs()
    except ValueError as e:
        log("meter: %s" % e)
        return None, None
    if "de_pin" in profile:
        chip = driver(bus, profile, parts.output(profile["de_pin"], 0))
    else:
        chip = driver(bus, profile)
    names = ("a", "b", "c")[:chip.channels] if chip.channels > 1 else ("",)
    energy = Energy(chip.channels, profile.get("max_power_w", driver.MAX_POWER_W), clock, log,
                    settings["sample_ms"], parse_offset(settings["utc_offset"]) // 60,
                    getattr(driver, "SIGNED", False))
    return Sampler(chip, settings["sample_ms"], log, names), energy


def _factors(board, calibration):
    # The board's own, and what `calibrate` has found; a list where the phases have their own.
    if isinstance(board, list) or any("_" in name for name in calibration):
        return [_product(board[at] if isinstance(board, list) else board, calibration,
                         "_" + "abc"[at]) for at in range(3)]
    return _product(board, calibration, "")


def _product(board, calibration, suffix):
    return {name: board.get(name, 1) * calibration.get(name + suffix, 1) for name in _METRICS}


def thermometer(board, parts, log):
    from .sensor import thermometer
    gc.collect()
    return thermometer(board, parts, log)
