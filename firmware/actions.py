# What `command/relay` and `command/led` do, and who does `command/config`.
from time import ticks_ms

from . import ondemand, storage
from .config import TRIAL
from .control.led import BLINK_MAX_MS, BLINK_MIN_MS, BLINK_PERIOD_MS
from .control.relays import PULSE_MAX_MS, PULSE_MIN_MS
from .mqtt.commands import Refused, Underway, integer

# Relays answer refusals by their code; this is the sentence to it.
_REFUSALS = {
    "too_fast": "more than 5 changes in 3 s",
    "bad_request": "duration_ms must be an integer from %d to %d" % (PULSE_MIN_MS, PULSE_MAX_MS),
}


class RelayActions:
    """`on off toggle pulse clear_trip` with optional `relay` (default 0).

    The result is the new state. It is "on" at once for a relay that still waits until those it is
    interlocked with have been open for long enough; status/relay tells when it has closed.
    """

    deferred = False

    def __init__(self, relays):
        self._relays = relays

    def prepare(self, action, command):
        relays = self._relays
        if not relays.relays:
            raise Refused("unsupported", "no relay here, or the node is in recovery")
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
            if relays.protection is None:
                raise Refused("unsupported", "this node has no protection that could trip")
            return lambda: self._clear(index)
        raise Refused("unknown_action", "action must be on, off, toggle, pulse or clear_trip")

    def state(self):
        return self._relays.status()["relays"]

    def _clear(self, index):
        self._relays.protection.clear(index, ticks_ms())
        return self._done(index, None)

    def _done(self, index, refusal):
        if refusal == "relay_locked":
            trip = self._relays.status()["tripped"]  # the first one, maybe of another relay
            cause = " (%s)" % trip["cause"] if trip and trip["relay"] == index else ""
            raise Refused(refusal, "the relay has tripped%s: send clear_trip" % cause)
        if refusal:
            raise Refused(refusal, _REFUSALS[refusal])
        return "on" if self._relays.relays[index].wanted() else "off"


class LedActions:
    """`on off blink identify auto`; blink takes an optional `period_ms`."""

    deferred = False

    def __init__(self, led):
        self._led = led

    def prepare(self, action, command):
        led = self._led
        if led is None:
            raise Refused("unsupported", "no LED here, or the node is in recovery")
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
    """`get set refresh log restart` and more: rare, so the code (config/actions.py, change.py)
    comes when it is needed.

    settings: the dict of the running configuration; log: `Log`; node: `Node`.
    """

    deferred = True

    def __init__(self, settings, log, node):
        self._settings = settings
        self._log = log
        self._node = node

    def prepare(self, action, command):
        name = "config.change" if action in ("set", "reset") else "config.actions"
        return ondemand.load(name).prepare(action, command, self._settings, self._log, self._node)

    def state(self):
        if storage.size(TRIAL) is not None:
            raise Underway({"state": "trial"})
        return None

    def done(self):
        ondemand.drop("config.actions", "config.change", "config.pending", "config.store",
                      "config.schema", "config.limits")
