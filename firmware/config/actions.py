# What `command/config` does: `get log calibrate energy_set refresh restart`; the rest: change.py.
from collections import OrderedDict

from .. import ondemand
from ..log import json_bytes
from ..mqtt.commands import RESULT_BYTES, Refused, integer

_PAGE_BYTES = RESULT_BYTES - 40  # room beside `values` or `lines` and `next`
# Secrets, and one that is too long to be shown; whether they are set can be seen.
_HIDDEN = ("broker_password", "wifi_password", "wifi_password_2", "wifi_password_3", "tls_ca")
_CALIBRATED = {"voltage": "voltage_v", "current": "current_a", "power": "active_power_w"}


def prepare(action, command, settings, log, node):
    """A callable that carries the action out; Refused if an argument is wrong."""
    if action == "get":
        names = _names(command, settings)
        offset = integer(command, "offset", 0, len(settings), 0)
        return lambda: _values(names, offset, settings)
    if action == "log":
        offset = integer(command, "offset", 0, 1 << 29, 0)
        return lambda: _lines(log, offset)
    if action == "refresh":
        return lambda: _told(node.refresh, "refreshed")
    if action == "restart":
        return lambda: _told(node.restart, "restarting")
    if action in ("calibrate", "energy_set"):
        metering = node.metering
        if metering is None:
            raise Refused("unsupported", "this board has no meter")
        if action == "calibrate":
            return _calibrate(command, settings, metering, node)
        return _energy_set(command, metering)
    raise Refused("unknown_action", "action must be get, set, reset, log, calibrate, energy_set, "
                                    "refresh or restart")


def _names(command, settings):
    names = command.get("keys")
    if names is None:
        return sorted(settings)
    if not isinstance(names, list):
        raise Refused("bad_request", "keys must be a list of texts")
    for name in names:
        if not isinstance(name, str) or name not in settings:
            raise Refused("bad_request", "keys: there is no %s" % str(name)[:40])
    return names


def _values(names, offset, settings):
    values = OrderedDict()
    room = _PAGE_BYTES
    for at in range(offset, len(names)):
        name = names[at]
        value = settings[name]
        if value and name in _HIDDEN:
            value = "***"
        size = len(name) + _json_size(value) + 6
        if size > _PAGE_BYTES:
            value = "(%d bytes, too long to be shown)" % size
            size = len(name) + len(value) + 8
        room -= size
        if room < 0 and values:
            return {"values": values, "next": at}
        values[name] = value
    return {"values": values, "next": None}


def _lines(log, offset):
    lines, following = log.page(offset, _PAGE_BYTES)
    return {"lines": lines, "next": following}


def _channel(command, metering):
    # (index, what it adds to a setting's name) of the argument `channel`.
    channels = len(metering.sampler.ok)
    name = command.get("channel")
    if channels == 1:
        if name not in (None, ""):
            raise Refused("bad_request", "channel: this meter has no phases, leave it out")
        return 0, ""
    names = "abc"[:channels]
    if not isinstance(name, str) or len(name) != 1 or name not in names:
        raise Refused("bad_request", "channel must be one of %s" % " ".join(names))
    return names.index(name), "_" + name


def _calibrate(command, settings, metering, node):
    metric = command.get("metric")
    if metric not in _CALIBRATED:
        raise Refused("bad_request", "metric must be voltage, current or power")
    index, suffix = _channel(command, metering)
    true = command.get("true")
    if not isinstance(true, (int, float)) or isinstance(true, bool) or not 0 < true < 100000:
        raise Refused("bad_request", "true must be a number above 0: what the load really has")

    def calibrate():
        reading = metering.readings and metering.readings[index]
        shown = getattr(reading, _CALIBRATED[metric]) if reading else None
        if not shown:
            raise Refused("bad_request", "the meter shows no %s to compare with" % metric)
        calibration = dict(settings["calibration"])
        factor = round(calibration.get(metric + suffix, 1) * true / shown, 5)
        if not 0.5 <= factor <= 2:
            raise Refused("bad_request", "the factor would be %s, not 0.5 to 2: shown is %s" % (
                factor, round(shown, 3)))
        calibration[metric + suffix] = factor
        store = ondemand.load("config.store")
        if store.on_trial():  # what goes by it may be gone in a minute
            raise Refused("busy", "settings are on trial")
        store.change({"calibration": calibration})
        settings["calibration"] = calibration
        node.restart()  # the driver takes its factors when it is made; relays do not move
        return {"factor": factor, "restarts": True}
    return calibrate


def _energy_set(command, metering):
    index, _ = _channel(command, metering)
    wh = integer(command, "wh", 0, 4000000000)

    def energy_set():
        if not metering.energy.set_total(index, wh):
            raise Refused("internal_error", "flash refused the new total")
        return {"wh": wh}
    return energy_set


def _told(do, result):
    do()
    return result


def _json_size(value):
    if isinstance(value, str):
        return json_bytes(value)
    if isinstance(value, list):
        return 2 + sum(_json_size(item) + 2 for item in value)
    if isinstance(value, dict):
        return 2 + sum(json_bytes(key) + _json_size(value[key]) + 4 for key in value)
    return len(str(value)) + 1
