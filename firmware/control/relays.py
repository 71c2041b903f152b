"""Relays: what each one should be, the pulse that ends by itself, and the limit on clatter.

A level reaches the pin first and the retained record right after it. Times are ticks in ms.
"""

from time import ticks_add, ticks_diff

from micropython import const

PULSE_MIN_MS = const(50)
PULSE_MAX_MS = const(86400000)  # 24 h; ticks can tell before from after up to 6.2 days

# The flood guard: at most this many changes of one relay in the window.
FLOOD_CHANGES = const(5)
FLOOD_WINDOW_MS = const(3000)

# A state is worth a flash write when it has held this long.
LAST_REST_MS = const(10000)

# Refusals, which are also the error codes of the answer.
TOO_FAST = "too_fast"
BAD_REQUEST = "bad_request"


class Relay:
    """One relay on one pin, by number; the keywords are those of a board profile.

    `on` is the state of the contact. `Relays` alone calls the methods.
    """

    def __init__(self, pin, active_low=False):
        self.pin = pin
        self.active_low = active_low
        self.on = False
        # Two states: no pulse (None), or the ticks at which the pulse ends. `pulse` sets it;
        # the end, and any other command to this relay, clears it.
        self.pulse_end_ms = None
        self.changes_ms = []  # ticks of the changes in the flood window: 5, and an opening
        self._output = None

    def level(self, on):
        """The electrical level for a state: 0 or 1."""
        return 1 if on != self.active_low else 0

    def start(self, output, on):
        """Make the pin an output in this state."""
        self.on = on
        self._output = output(self.pin, self.level(on))

    def switch(self, on):
        self.on = on
        self._output.value(self.level(on))

    def lasting(self):
        """The state to come back to. A reset loses the end of a pulse, and a load meant to run
        for a minute must not run for ever: "on" by a pulse comes back as off."""
        return self.on and self.pulse_end_ms is None

    def forget_old_changes(self, now_ms):
        # Also what keeps them valid: ticks of 12 days ago would look like those of just now.
        changes_ms = self.changes_ms
        while changes_ms and ticks_diff(now_ms, changes_ms[0]) >= FLOOD_WINDOW_MS:
            changes_ms.pop(0)


class Relays:
    """All relays of a node.

    relays: list of `Relay`.
    output: `output(pin_number, level)` makes the pin an output that starts at that level (level
        before direction) and returns an object with `value(level)`.
    retained: `retained.Retained`; levels in it win over boot states, unless `power_on`.
    boot_states: "off", "on" or "last" per relay; "off" where the list is too short.
    power_on: `not retained.outputs()` where `boot.py` has run, which clears it at power-on.
    last: list of bools as `save` got them, or None.
    on_change: `on_change(index, source)` after each real change, not for the boot states.
    save: `save(list of bools)` when a state to come back to has held for 10 s. Called from
        `tick`, so it should leave the flash write to the foreground.

    `source` is one of command, button, timer, protection, boot. `index` is 0..len(relays) - 1,
    checked by the caller. The switching methods return None, or why they refused.
    """

    def __init__(
        self, relays, output, retained, boot_states, power_on, last=None, on_change=None, save=None
    ):
        self.relays = relays
        self.source = "boot"
        self._retained = retained
        self.on_change = on_change
        # Without a relay that boots to its last state there is nothing to save.
        self.save = save
        self._keeps_last = "last" in boot_states
        self._saved = last
        # Two states: saved, or unsaved since the ticks of the last change. Unsaved at the start
        # too (the first tick sets the ticks): a reset may have come before the save.
        self._unsaved = self._keeps_last
        self._changed_ms = None
        kept = {} if power_on else dict(retained.outputs())
        for index, relay in enumerate(relays):
            level = kept.get(relay.pin)
            if level is None:
                boot_state = boot_states[index] if index < len(boot_states) else "off"
                if boot_state == "last":
                    on = bool(last and index < len(last) and last[index])
                else:
                    on = boot_state == "on"
            else:
                on = level == relay.level(True)
            relay.start(output, on)
        self._retained.set_outputs(self._lasting_levels())

    def set(self, index, on, source, now_ms):
        """Switch to `on`, and end a pulse. Opening is never refused."""
        return self._switch(index, bool(on), None, source, now_ms)

    def toggle(self, index, source, now_ms):
        """Switch to the other state."""
        return self._switch(index, not self.relays[index].on, None, source, now_ms)

    def pulse(self, index, duration_ms, now_ms, source="command"):
        """On now, off `duration_ms` (an int) later. A new pulse replaces a running one."""
        if not PULSE_MIN_MS <= duration_ms <= PULSE_MAX_MS:
            return BAD_REQUEST
        end_ms = ticks_add(now_ms, duration_ms)
        return self._switch(index, True, end_ms, source, now_ms)

    def tick(self, now_ms):
        """End pulses that are due, forget old changes, save what has come to rest."""
        for relay in self.relays:
            relay.forget_old_changes(now_ms)
            end_ms = relay.pulse_end_ms
            if end_ms is not None and ticks_diff(now_ms, end_ms) >= 0:
                self.set(self.relays.index(relay), False, "timer", now_ms)
        if self._unsaved:
            if self._changed_ms is None:
                self._changed_ms = now_ms
            elif ticks_diff(now_ms, self._changed_ms) >= LAST_REST_MS:
                self._save_last()

    def status(self):
        """Payload of status/relay; `state` is that of relay 0, None without relays."""
        states = ["on" if relay.on else "off" for relay in self.relays]
        return {
            "state": states[0] if states else None,
            "relays": states,
            "source": self.source,
            "tripped": None,
        }

    def _switch(self, index, on, pulse_end_ms, source, now_ms):
        relay = self.relays[index]
        lasting = relay.lasting()
        changes = on != relay.on
        if changes:
            relay.forget_old_changes(now_ms)
            if on and len(relay.changes_ms) >= FLOOD_CHANGES:
                return TOO_FAST
            relay.changes_ms.append(now_ms)
            relay.switch(on)
        relay.pulse_end_ms = pulse_end_ms
        if lasting != relay.lasting():
            self._retained.set_outputs(self._lasting_levels())
            self._unsaved = self._keeps_last
            self._changed_ms = now_ms
        if changes:
            self.source = source
            if self.on_change:
                self.on_change(index, source)
        return None

    def _lasting_levels(self):
        return [(relay.pin, relay.level(relay.lasting())) for relay in self.relays]

    def _save_last(self):
        self._unsaved = False  # first, so that a failing save is not tried again every 10 ms
        states = [relay.lasting() for relay in self.relays]
        if states != self._saved:
            self.save(states)
            self._saved = states
