# Energy meters: one file per chip, loaded only when it is configured.
_CHIPS = {  # chip and file name: class name
    "pzem004t": "PZEM004T",
}


def driver(chip):
    """Driver class of a configured chip name; ValueError names an unknown one.

    Every driver class has `SERIAL` (keyword arguments for its UART) and `MAX_POWER_W`. Its
    objects have `start(now_ms)`, `poll(now_ms)` (a Reading or None), `busy`, `errors` (a count
    per kind) and `error` (text of the latest failure).
    """
    if chip not in _CHIPS:
        raise ValueError("unknown meter chip: %s" % (chip,))
    module = __import__(__name__ + "." + chip, None, None, (_CHIPS[chip],))
    return getattr(module, _CHIPS[chip])
