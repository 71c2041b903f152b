# `command/config` `set` and `reset`: all or nothing, for the next start; what could cut the node
# off is tried first (trial.py).
from .. import ondemand, storage
from ..mqtt.commands import RESULT_BYTES, Refused, Underway
from . import TRIAL, schema, store

_NAMES_BYTES = RESULT_BYTES - 100  # room for names beside the rest of the result


def prepare(action, command, settings, log, node):
    """A callable that carries the action out; Refused if an argument is wrong."""
    request_id = command.get("request_id")
    if action == "reset":
        energy = command.get("energy", False)
        if not isinstance(energy, bool):
            raise Refused("bad_request", "energy must be true or false")
        return lambda: _reset(request_id, energy, log, node)
    values = command.get("values")
    if not isinstance(values, dict) or not values:
        raise Refused("bad_request", "values must be an object of settings")
    for name in schema.unknown(values):
        raise Refused("bad_request", "values: there is no %s" % str(name)[:40])
    return lambda: _set(values, request_id, settings, log, node)


def _set(values, request_id, settings, log, node):
    _check_free(request_id, node)
    now = schema.defaults()
    kept = store.standing()
    now.update(kept)
    kept.update(values)
    changed = sorted([name for name in values if values[name] != now[name]])
    try:
        store.checked(kept)
        if "board" in changed:
            _check_board(values["board"], settings["board"])
    except ValueError as e:
        raise Refused("bad_request", str(e))
    result = _result(changed)
    result["trial"] = any(name in schema.REACH for name in changed)
    if not changed:
        return result
    try:
        if result["trial"]:
            old = [settings[name] for name in ("base_topic", "home_id", "node_id")]
            now.update(values)
            ondemand.load("config.pending").begin(
                request_id, {name: values[name] for name in changed}, _names(changed), old,
                [now[name] for name in ("base_topic", "home_id", "node_id")])
        else:
            store.change(values)
    except OSError as e:
        raise Refused("flash", "the settings cannot be written: %r" % e)
    _restart("set", changed, log, node)
    if result["trial"]:
        raise Underway(result)
    return result


def _reset(request_id, energy, log, node):
    _check_free(request_id, node)
    now = store.standing()
    defaults = schema.defaults()
    # Calibration belongs to the hardware, and what is unknown to another firmware.
    kept = {name: now[name] for name in now
            if name in schema.REACH or name == "calibration" or name not in defaults}
    changed = sorted([name for name in now if name not in kept and now[name] != defaults[name]])
    result = _result(changed)
    result["trial"] = False

    def write():
        if changed:
            storage.replace(store.PATH, store.checked(kept))

    cleared = []
    try:
        if energy:
            metering = node.metering
            cleared = ondemand.load("config.clear").clear(
                metering and metering.energy, node.protection, write)
        else:
            write()
    except OSError as e:
        raise Refused("flash", "the settings cannot be written: %r" % e)
    finally:
        ondemand.drop("config.clear")
    if cleared:
        result["cleared"] = cleared
        result["restarts"] = True
    if result["restarts"]:
        _restart("reset", changed + cleared, log, node)
    return result


def _check_free(request_id, node):
    if store.on_trial():
        try:
            if request_id is not None and \
                    storage.read_json(TRIAL)["request_id"] == request_id:
                raise Underway({"state": "trial"})
        except (KeyError, TypeError, ValueError):
            pass  # the next start removes it
        raise Refused("busy", "other settings are on trial: wait for what becomes of them")
    if node.updating:
        raise Refused("busy", "an update is under way")


def _check_board(name, present):
    # ValueError. What has the pins of another chip may hang in ways that no trial mends.
    load_profile = ondemand.load("parts").load_profile
    chip = load_profile(name)["chip"]
    try:
        fits = load_profile(present)["chip"] == chip
    except ValueError:
        fits = True  # there is no such board: any other is better
    load_profile = None
    ondemand.drop("parts")
    if not fits:
        raise ValueError("board: %s is for %s" % (name, chip))


def _restart(action, changed, log, node):
    log("config: %s changes %s" % (action, ", ".join(changed)))
    node.restart()


def _result(changed):
    result = _names(changed)
    result["restarts"] = bool(changed)
    return result


def _names(changed):
    # As many as there is room for, and how many more there are.
    room = _NAMES_BYTES
    for at, name in enumerate(changed):
        room -= len(name) + 4
        if room < 0:
            return {"changed": changed[:at], "more": len(changed) - at}
    return {"changed": changed}
