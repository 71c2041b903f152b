# What `command/config` does: `get refresh log restart`.
from collections import OrderedDict

from ..log import json_bytes
from ..mqtt.commands import RESULT_BYTES, Refused, integer
from . import schema

_PAGE_BYTES = RESULT_BYTES - 40  # room beside `values` or `lines` and `next`


def prepare(action, command, settings, log, node):
    """A callable that carries the action out; Refused if an argument is wrong."""
    if action == "get":
        names = _names(command, settings)
        offset = integer(command, "offset", 0, len(schema.NAMES), 0)
        return lambda: _values(names, offset, settings)
    if action == "log":
        offset = integer(command, "offset", 0, 1 << 29, 0)
        return lambda: _lines(log, offset)
    if action == "refresh":
        return lambda: _told(node.refresh, "refreshed")
    if action == "restart":
        return lambda: _told(node.restart, "restarting")
    if action in ("set", "reset", "calibrate", "energy_set"):
        raise Refused("unsupported", "%s is not in this firmware yet" % action)
    raise Refused("unknown_action", "action must be get, log, refresh or restart")


def _names(command, settings):
    names = command.get("keys")
    if names is None:
        return schema.NAMES
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
        value = schema.shown(name, settings[name])
        room -= len(name) + _json_size(value) + 6
        if room < 0 and values:
            return {"values": values, "next": at}
        values[name] = value
    return {"values": values, "next": None}


def _lines(log, offset):
    lines, following = log.page(offset, _PAGE_BYTES)
    return {"lines": lines, "next": following}


def _told(do, result):
    do()
    return result


def _json_size(value):
    if isinstance(value, str):
        return json_bytes(value)
    if isinstance(value, list):
        return 2 + sum(_json_size(item) + 2 for item in value)
    return len(str(value)) + 1
