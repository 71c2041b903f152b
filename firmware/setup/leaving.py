# The way to the portal where it does not fit beside the node (ESP8266): a restart into alone.py.
from .. import ondemand, storage
from . import MARK

_LIMITS = ("max_power", "max_current", "min_voltage", "max_voltage", "max_temperature")


class Leaving:
    """When the node may leave for the portal. There nobody measures, and nobody watches a relay.

    So it never opens by itself while a relay is closed that has limits, or a timer: a router that
    fails must not take the protection of a heater with it, nor, by opening it, the power of a
    freezer. Whoever holds the button is there to see to it; relays stay as they are then, too.

    settings: those that run; pending: the trial of settings, as in config/pending.py, or None;
    patient: a node without a network does not leave at once.
    """

    def __init__(self, settings, node, relays, pending, log, patient):
        self.patient = patient
        self._settings = settings
        self._node = node
        self._relays = relays
        self._pending = pending
        self._log = log
        self._asked = False
        self._told = None  # what is in the way

    def go(self, asked):
        """Leave, unless there is something in the way. asked: by the button."""
        why = self._trial()
        risk = None if why else self._risk()
        if not asked:
            why = why or risk
        if why:
            if why != self._told:
                self._log("setup: the portal has to wait: " + why)
            self._told = why
            return
        self._told = None
        self._asked = asked
        if self._node.open_portal():
            self._log("setup: restarts with the portal, without metering, MQTT and protection")
            if risk:
                self._log("setup: take care: " + risk)

    def mark(self):
        """Tell the next start; the last thing before it."""
        try:
            storage.replace(MARK, b"asked" if self._asked else b"lost")
        except OSError as e:
            self._log("setup: the portal cannot be opened: %s" % e)

    def _trial(self):
        # A restart would cost it one of its tries.
        if self._node.slot["state"] == "trial":
            return "a version is on trial"
        pending = self._pending
        if pending and pending["values"] and not pending["kept"]:
            return "settings are on trial"
        return None

    def _risk(self):
        closed = [(at, relay) for at, relay in enumerate(self._relays.relays) if relay.on]
        for at, relay in closed:
            if relay.off_ms is not None:
                return "the timer of relay %d would not open it" % at
        if closed and self._relays.protection:
            guarded = self._guarded()
            for at, _ in closed:
                if at in guarded:
                    return "nothing would protect relay %d, which is closed" % at
        return None

    def _guarded(self):
        # Indices of the relays that protection may open.
        try:
            profile = ondemand.load("parts").load_profile(self._settings["board"])
            entries = ondemand.load("config.limits").merged(
                profile.get("protection", []), self._settings["protection"])
        finally:
            ondemand.drop("parts", "config.limits")
        return [entry["relay"] for entry in entries if entry.get("on_meter_lost") == "open"
                or any(name in entry for name in _LIMITS)]
