"""Relays: what each one should be, who may not be closed together, and what holds a relay back.

A level reaches the pin first and the retained record right after it. Times are ticks in ms.
"""

from time import ticks_add, ticks_diff

from micropython import const

from .relay import Relay  # noqa: F401  # for those who make the list

PULSE_MIN_MS = const(50)
PULSE_MAX_MS = const(86400000)  # 24 h; ticks can tell before from after up to 6.2 days

_FLOOD_CHANGES = const(5)  # of one relay, in 3 s

# A state is worth a flash write when it has held this long.
_LAST_REST_MS = const(10000)

# Refusals, which are also the error codes of the answer.
TOO_FAST = "too_fast"
BAD_REQUEST = "bad_request"
RELAY_LOCKED = "relay_locked"


class Relays:
    """All relays of a node.

    relays: list of `Relay` and `LatchingRelay`; 8 pins in all.
    output: `output(pin_number, level)` makes the pin an output that starts at that level (level
        before direction) and returns an object with `value(level)`.
    retained: `retained.Retained`; states in it win over boot states, unless `power_on`.
    boot_states: "off", "on" or "last" per relay; "off" where the list is too short.
    power_on: `not retained.outputs()` where `boot.py` has run, which clears it at power-on.
    last: list of bools as `save` got them, or None.
    on_change: `on_change(index, source)` after each real change, not for the boot states.
    save: `save(list of bools)` when a state to come back to has held for 10 s. Called from
        `tick`, so it should leave the flash write to the foreground.
    interlock: list of groups, each a list of indices; of a group at most one relay is closed.
        Closing one opens the others at once, and closes `interlock_ms` after the last of them
        has opened; until then its state is "off". Of two that would start closed, the first does.
    auto_off_s: list of whole seconds per relay (at most 86400) after which it opens, counted from
        the last order to close, and after a reset from the start; 0 or missing: never. It limits
        pulses too.
    locked: indices of relays that start open and tripped.

    `source` is one of command, button, timer, protection, boot. `index` is 0..len(relays) - 1,
    checked by the caller. The switching methods return None (an order to close may still wait for
    its dead time then: `relays[index].wanted()`), or why they refused.
    """

    def __init__(
        self, relays, output, retained, boot_states, power_on, last=None, on_change=None,
        save=None, interlock=(), interlock_ms=500, auto_off_s=(), locked=()
    ):
        self.relays = relays
        self.source = "boot"
        # None, or the `Protection` that trips them, to be set by the owner.
        self.protection = None
        self._retained = retained
        self._interlock_ms = interlock_ms
        self.on_change = on_change
        # Without a relay that boots to its last state there is nothing to save.
        self.save = save
        self._keeps_last = bool(relays) and "last" in boot_states
        self._saved = last
        # Two states: saved, or unsaved since the ticks of the last change. Unsaved at the start
        # too (the first tick sets the ticks): a reset may have come before the save.
        self._unsaved = self._keeps_last
        self._changed_ms = None
        self._begun = False  # the first tick, or an order before it, starts what counts time
        for index, seconds in enumerate(auto_off_s[: len(relays)]):
            relays[index].auto_off_ms = seconds * 1000
        for group in interlock:
            group = [index for index in group if index < len(relays)]
            for index in group:
                relays[index].partners += tuple(i for i in group if i != index)
        kept = () if power_on else retained.outputs()
        for index, relay in enumerate(relays):
            boot_state = boot_states[index] if index < len(boot_states) else "off"
            if boot_state == "last":
                boot_state = "on" if last and index < len(last) and last[index] else "off"
            relay.locked = index in locked
            self._decide(relay, relay.kept(kept), boot_state == "on")
        # The open ones first, should a pin have come out of the reset in another state.
        for on in (False, True):
            for relay in relays:
                if relay.on == on:
                    relay.start(output)
        # What a change leaves for `_settle`, which the public methods call at their end: a command
        # comes from deep within a publish, so nothing here nests what can be done one by one.
        # The record is not what it must be; without relays (recovery) it is for those of the next
        # start.
        self._moved = bool(relays)
        self._switched = []  # (index, source)
        self._settle(None)

    def set(self, index, on, source, now_ms):
        """Switch to `on`, and end a pulse. Opening is never refused."""
        refusal = None
        if on:
            refusal = self._close(index, None, source, now_ms)
        else:
            self._open(index, source, now_ms)
        self._settle(now_ms)
        if not on and self.protection and self.relays[index].locked:
            self.protection.stay_open(index, now_ms)  # if it was to close again by itself
        return refusal

    def toggle(self, index, source, now_ms):
        """Switch to the other state."""
        refusal = None
        if self.relays[index].wanted():
            self._open(index, source, now_ms)
        else:
            refusal = self._close(index, None, source, now_ms)
        self._settle(now_ms)
        return refusal

    def pulse(self, index, duration_ms, now_ms, source="command"):
        """On now, off `duration_ms` (an int) later. A new pulse replaces a running one."""
        if not PULSE_MIN_MS <= duration_ms <= PULSE_MAX_MS:
            return BAD_REQUEST
        refusal = self._close(index, duration_ms, source, now_ms)
        self._settle(now_ms)
        return refusal

    def trip(self, index, now_ms):
        """Open at once, and stay open until `release`."""
        relay = self.relays[index]
        relay.locked = True
        self._open(index, "protection", now_ms)
        # Even if it was open: a latching one may have missed its pulse.
        relay.switch(False, now_ms)
        self._settle(now_ms)

    def release(self, index):
        """Let a tripped relay be closed again; it stays open."""
        self.relays[index].locked = False

    def is_locked(self, index):
        return self.relays[index].locked

    def rest(self):
        """Take the current from all coils: nobody is going to call `tick` any more."""
        for relay in self.relays:
            relay.rest()

    def tick(self, now_ms):
        """End pulses that are due, close after the dead time, save what has come to rest."""
        if not self._begun:
            self._begin(now_ms)
        for relay in self.relays:  # all of them first: nothing may keep a coil under current
            relay.tick(now_ms)
        for index in range(len(self.relays)):
            relay = self.relays[index]
            if relay.off_ms is not None:
                if ticks_diff(now_ms, relay.off_ms) >= 0:
                    self._open(index, "timer", now_ms)
            elif relay.closing is not None:
                self._close_if_free(index, now_ms)
            elif relay.opened_ms is not None and self._dead_time_over(relay, now_ms):
                relay.opened_ms = None
        if self._moved:
            self._settle(now_ms)
        if self._unsaved:
            if self._changed_ms is None:
                self._changed_ms = now_ms
            elif ticks_diff(now_ms, self._changed_ms) >= _LAST_REST_MS:
                self._save_last()

    def status(self):
        """Payload of status/relay; `state` is that of relay 0, None without relays. `welded` is
        there only if there is one."""
        states = ["on" if relay.on else "off" for relay in self.relays]
        protection = self.protection
        status = {
            "state": states[0] if states else None,
            "relays": states,
            "source": self.source,
            "tripped": protection.tripped() if protection else None,
        }
        welded = protection.welded() if protection else None
        if welded:
            status["welded"] = welded
        return status

    def _decide(self, relay, kept, boot_on):
        # The state a relay starts in.
        on = (boot_on if kept is None else kept) and not relay.locked
        latching = relay.latching
        for partner in relay.partners:
            partner = self.relays[partner]
            on = on and not partner.wanted()
            latching = latching or partner.latching
        if on and kept is None and relay.partners and latching:
            # Any contact of the group may have stayed closed: they are opened by the first tick.
            relay.closing = ("boot", None)
            on = False
        relay.on = on

    def _begin(self, now_ms):
        self._begun = True
        for relay in self.relays:
            if relay.on:
                self._set_timer(relay, None, now_ms)
            elif relay.latching:
                relay.opened_ms = now_ms
                relay.tick(now_ms)  # the pulse that opens it

    def _open(self, index, source, now_ms):
        relay = self.relays[index]
        relay.closing = None
        relay.off_ms = None
        relay.pulsed = False
        if relay.on:
            relay.opened_ms = now_ms
            relay.switch(False, now_ms)
            relay.changes_ms.append(now_ms)
            self._switched.append((index, source))
            self._moved = True

    def _close(self, index, duration_ms, source, now_ms):
        relay = self.relays[index]
        if not self._begun:
            self._begin(now_ms)
        if relay.locked:
            return RELAY_LOCKED
        if not relay.on:
            relay.tick(now_ms)
            if len(relay.changes_ms) >= _FLOOD_CHANGES:
                return TOO_FAST
        for partner in relay.partners:
            self._open(partner, source, now_ms)
        relay.closing = (source, duration_ms)
        self._close_if_free(index, now_ms)
        return None

    def _close_if_free(self, index, now_ms):
        relay = self.relays[index]
        for partner in relay.partners:
            if not self._dead_time_over(self.relays[partner], now_ms):
                return
        source, duration_ms = relay.closing
        relay.closing = None
        pulsed = relay.pulsed
        if not relay.on:
            relay.switch(True, now_ms)
            relay.changes_ms.append(now_ms)
            self._switched.append((index, source))
            self._moved = True
        self._set_timer(relay, duration_ms, now_ms)
        self._moved = self._moved or pulsed != relay.pulsed

    def _dead_time_over(self, relay, now_ms):
        opened_ms = relay.opened_ms
        return opened_ms is None or (
            ticks_diff(now_ms, opened_ms) >= relay.settle_ms + self._interlock_ms)

    def _set_timer(self, relay, duration_ms, now_ms):
        relay.pulsed = duration_ms is not None
        limit_ms = relay.auto_off_ms
        if limit_ms and (duration_ms is None or limit_ms < duration_ms):
            duration_ms = limit_ms
        relay.off_ms = None if duration_ms is None else ticks_add(now_ms, duration_ms)

    def _settle(self, now_ms):
        # After the pins: the record, and those who want to know.
        if not self._moved:
            return
        self._moved = False
        outputs = []
        for relay in self.relays:
            outputs.extend(relay.outputs())
        self._retained.set_outputs(outputs)
        self._unsaved = self._keeps_last
        self._changed_ms = now_ms
        while self._switched:
            index, self.source = self._switched.pop(0)
            if self.on_change:
                self.on_change(index, self.source)

    def _save_last(self):
        self._unsaved = False  # first, so that a failing save is not tried again every 10 ms
        states = [relay.lasting() for relay in self.relays]
        if states != self._saved:
            self.save(states)
            self._saved = states
