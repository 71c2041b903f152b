# What each command does: `command/relay`, `command/led`, `command/config`.
from time import ticks_ms

from .config import schema
from .control.led import BLINK_MAX_MS, BLINK_MIN_MS, BLINK_PERIOD_MS
from .control.relays import PULSE_MAX_MS, PULSE_MIN_MS
from .log import json_bytes
from .mqtt.commands import RESULT_BYTES, Refused, integer

# Relays answer refusals by their code; this is the sentence to it.
_REFUSALS = {
    "too_fast": "more than 5 changes in 3 s",
    "bad_request": "duration_ms must be an integer from %d to %d" % (PULSE_MIN_MS, PULSE_MAX_MS),
}


class RelayActions:
    """`on off toggle pulse` with optional `relay` (default 0); the result is the new state."""

    deferred = False

    def __init__(self, relays):
        self._relays = relays

    def prepare(self, action, command):
        relays = self._relays
        if not relays.relays:
            raise Refused("unsupported", "this board has no relay")
        index = integer(command, "relay", 0, len(relays.relays) - 1, 0)
        if action == "on" or action == "off":
            return lambda: self._done(
                index, relays.set(index, action == "on", "command", ticks_ms()))
        if action == "toggle":
            return lambda: self._done(index, relays.toggle(index, "command", ticks_ms()))
        if action == "pulse":
            duration_ms = integer(command, "duration_ms", PULSE_MIN_MS, PULSE_MAX_MS)
            return lambda: self._done(index, relays.pulse(index, duration_ms, ticks_ms()))
        if action == "clear_trip":
            raise Refused("unsupported", "this firmware has no protection that could trip")
        raise Refused("unknown_action", "action must be on, off, toggle or pulse")

    def state(self):
        return self._relays.status()["relays"]

    def _done(self, index, refusal):
        if refusal:
            raise Refused(refusal, _REFUSALS[refusal])
        return "on" if self._relays.relays[index].on else "off"


class LedActions:
    """`on off blink identify auto`; blink takes an optional `period_ms`."""

    deferred = False

    def __init__(self, led):
        self._led = led

    def prepare(self, action, command):
        led = self._led
        if led is None:
            raise Refused("unsupported", "this board has no LED")
        if action not in ("on", "off", "blink", "identify", "auto"):
            raise Refused("unknown_action", "action must be on, off, blink, identify or auto")
        period_ms = BLINK_PERIOD_MS
        if action == "blink":
            period_ms = integer(command, "period_ms", BLINK_MIN_MS, BLINK_MAX_MS, period_ms)
        return lambda: self._show(action, period_ms)

    def state(self):
        return self._led.mode if self._led else None

    def _show(self, action, period_ms):
        self._led.command(action, ticks_ms(), period_ms)
        return action


class ConfigActions:
    """`get refresh log restart`. Worked off by the foreground, one at a time.

    settings: the dict of the running configuration; log: `Log`; refresh(): send everything once;
    restart(): stop and start again once the answer is out.
    """

    deferred = True

    def __init__(self, settings, log, refresh, restart):
        self._settings = settings
        self._log = log
        self._refresh = refresh
        self._restart = restart

    def prepare(self, action, command):
        if action == "get":
            keys = command.get("keys")
            if keys is not None and not (isinstance(keys, list)
                                         and all(isinstance(key, str) for key in keys)):
                raise Refused("bad_request", "keys must be a list of texts")
            names = schema.NAMES if keys is None else keys
            for name in names:
                if name not in self._settings:
                    raise Refused("bad_request", "there is no key %s" % name[:40])
            offset = integer(command, "offset", 0, 1 << 20, 0)
            return lambda: self._get(names, offset)
        if action == "log":
            offset = integer(command, "offset", 0, 1 << 29, 0)
            return lambda: self._page(offset)
        if action == "refresh":
            return self._refreshed
        if action == "restart":
            return self._restarting
        if action in ("set", "reset", "calibrate", "energy_set"):
            raise Refused("unsupported", "%s is not in this firmware yet" % action)
        raise Refused("unknown_action", "action must be get, log, refresh or restart")

    def state(self):
        return None

    def _get(self, names, offset):
        values = {}
        room = RESULT_BYTES
        for at in range(offset, len(names)):
            name = names[at]
            value = schema.shown(name, self._settings[name])
            room -= len(name) + _json_size(value) + 6
            if room < 0 and values:
                return {"values": values, "next": at}
            values[name] = value
        return {"values": values, "next": None}

    def _page(self, offset):
        lines, following = self._log.page(offset, RESULT_BYTES - 40)
        return {"lines": lines, "next": following}

    def _refreshed(self):
        self._refresh()
        return "refreshed"

    def _restarting(self):
        self._restart()
        return "restarting"


def _json_size(value):
    if isinstance(value, str):
        return json_bytes(value)
    if isinstance(value, list):
        return 2 + sum(_json_size(item) + 2 for item in value)
    return len(str(value)) + 1
