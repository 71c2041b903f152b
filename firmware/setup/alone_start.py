# Puts together what alone.py runs. Dropped after the start, as assembly.py is by the node.
import sys

from .. import ondemand


def made(kind, asked):
    """An `Alone` (kind), ready to open. None: there was a power cut in between, since boot.py
    keeps the relays' pins over all else; only the node knows what to do with them then."""
    settings, problems = ondemand.load("config.store").load()
    ondemand.drop("config.store", "config.schema", "config.limits", "log", "timestamp")
    parts = ondemand.load("parts")
    try:
        profile = parts.load_profile(settings["board"])
    except (OSError, ValueError):
        profile = {"name": "", "chip": sys.platform, "relays": []}
    chip = ondemand.load("board")
    board = chip.Board(profile["name"], profile["chip"])
    if profile["relays"] and not board.retained.outputs():
        return None
    board_id = board.unique_id[-6:]
    settings["node_id"] = settings["node_id"] or "node-" + board_id
    one = kind(settings, board.chip, board_id, asked)
    for text in problems:
        one.log("config: " + text)
    _give_hands(one, profile, parts.Parts(profile, chip.machine, chip.esp32))
    chip = board = parts = None
    ondemand.drop("parts", "board", "timestamp")
    sys.modules.pop("retained", None)
    return one


def _give_hands(alone, profile, parts):
    # LED and inputs; not by hardware.py, of which little would be used.
    led = parts.led_pin()
    if led:
        led = ondemand.load("control.led").Led(*led)
        alone.background.append(led)
    for item in profile.get("inputs", ()):
        button = ondemand.load("control.button")
        pin, active_low = parts.input(item["pin"], item.get("pull")), item.get("active_low", False)
        if item["kind"] == "button":
            one = button.Button(pin, alone, 0, active_low, led)
            one.on_portal = alone.back
            one.on_erase = alone.erase
        else:
            one = button.Switch(pin, alone, 0, "edge", active_low)
        alone.background.append(one)
