# The setting `protection`: checks it, and lays it over what the board profile says.
# What its fields mean is told in control/protection.py.

# Lowest and highest.
_LIMITS = {
    "max_power": (1, 100000),
    "max_current": (0.1, 200),
    "min_voltage": (20, 500),
    "max_voltage": (20, 500),
    "max_temperature": (20, 120),
}
_MAX_HOLD_MS = 600000
_OTHERS = {"reclose_s": (0, 86400), "lost_hold_s": (0, 3600), "welded_w": (0, 1000)}


def check(value, low, high):
    """What is wrong with a list of `low` to `high` entries, as a text; None if nothing is."""
    if not isinstance(value, list) or not low <= len(value) <= high:
        return "must be a list of %d to %d objects, one for each relay" % (low, high)
    relays = []
    for at, entry in enumerate(value):
        wrong = _wrong(entry)
        if wrong:
            return "[%d]: %s" % (at, wrong)
        if entry["relay"] in relays:
            return "[%d]: relay %d has an entry already" % (at, entry["relay"])
        relays.append(entry["relay"])


def merged(defaults, own):
    """The entries of `own`, and those of `defaults` for relays that are not in it."""
    relays = [entry["relay"] for entry in own]
    return own + [entry for entry in defaults if entry["relay"] not in relays]


def _wrong(entry):
    if not isinstance(entry, dict):
        return "must be an object"
    if _no_number(entry.get("relay"), 0, 7, int):
        return "relay must be an integer from 0 to 7"
    for name in entry:
        value = entry[name]
        if name in _LIMITS:
            wrong = _wrong_limit(value, *_LIMITS[name])
        elif name in _OTHERS:
            low, high = _OTHERS[name]
            wrong = _no_number(value, low, high, int) and "an integer from %d to %d" % (low, high)
        elif name == "phase":
            wrong = value not in ("", "a", "b", "c") and 'a, b, c or ""'
        elif name == "on_meter_lost":
            wrong = value not in ("keep", "open") and "keep or open"
        elif name != "relay":
            return "there is no %s" % str(name)[:40]  # a limit misspelt would be no limit
        else:
            wrong = None
        if wrong:
            return "%s must be %s" % (name, wrong)
    lowest = entry.get("min_voltage", 0)
    highest = entry.get("max_voltage", 1000)
    if _number_of(lowest) >= _number_of(highest):
        return "min_voltage must be below max_voltage"


def _wrong_limit(value, low, high):
    hold_ms = 0
    if isinstance(value, list) and len(value) == 2:
        value, hold_ms = value
    if _no_number(value, low, high, (int, float)) or _no_number(
            hold_ms, 0, _MAX_HOLD_MS, int):
        return "a number from %s to %s, or [number, hold in ms up to %d]" % (
            low, high, _MAX_HOLD_MS)


def _number_of(limit):
    return limit[0] if isinstance(limit, list) else limit


def _no_number(value, low, high, kinds):
    return not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high
