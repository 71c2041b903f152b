# Erases the configuration, as a button held for 20 s asks for.
from .. import storage
from ..config import TRIAL

_PATH = "config.json"
_GOOD_PATH = "config.good.json"
_KEPT = ("board", "calibration")  # what the hardware is, not whose


def erase(log):
    """Leave nothing in the configuration but what describes the hardware.

    A power cut leaves the old configuration or the new one. What is no configuration stays:
    energy, trips, keys of updates, slots, the portal's password.
    """
    for path in (TRIAL, TRIAL + ".new", _PATH + ".new", _GOOD_PATH + ".new"):
        storage.remove(path)
    kept = {}
    for path in (_PATH, _GOOD_PATH):
        try:
            values = storage.read_json(path)
        except ValueError:
            continue
        if isinstance(values, dict):
            kept = {name: values[name] for name in _KEPT if name in values}
            break
    try:
        storage.replace_json(_PATH, kept)
    except OSError as e:
        log("config: cannot be erased: %s" % e)
        return
    storage.remove(_GOOD_PATH)
    log("config: erased")
