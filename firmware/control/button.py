# Buttons and wall switches: what they do to the relays, with no network at all.
from time import ticks_diff

from micropython import const

# Contacts bounce for up to 6 ms, old switches for much longer (reference: meters 10).
_DEBOUNCE_MS = const(50)

# (held for less than this many ms, what letting go does); "" is the gap in which a person who has
# counted wrong changes nothing. Whatever is held for longer than the last is stuck.
_PRESSES = (
    (1000, "toggle"),
    (3000, ""),
    (8000, "clear_trip"),
    (10000, ""),
    (15000, "portal"),
    (20000, ""),
    (60000, "erase"),
)


class Input:
    """A contact, polled at every tick. `pin` is an input pin object with `value()`.

    The position it is found in at the start counts as no change.
    """

    def __init__(self, pin, active_low):
        self._pin = pin
        self._active_low = active_low
        # Unknown (None), or the last position that has held for 50 ms; `_raw` has been what the
        # pin says since `_since_ms`.
        self.closed = None
        self._raw = None
        self._since_ms = 0

    def _changed(self, now_ms):
        """True once for each change of `closed`, 50 ms after `_since_ms`."""
        raw = bool(self._pin.value()) != self._active_low
        if raw != self._raw:
            self._raw = raw
            self._since_ms = now_ms
        elif raw != self.closed and ticks_diff(now_ms, self._since_ms) >= _DEBOUNCE_MS:
            known = self.closed is not None
            self.closed = raw
            return known
        return False


class Button(Input):
    """A push button: what it does depends on how long it was held, and is done on release.

    relay: index of the relay it toggles, None for none; a held button is shown on `led`, if any.
    on_portal, on_erase: called without arguments, to be set by the owner; None does nothing.
    """

    def __init__(self, pin, relays, relay=0, active_low=True, led=None):
        Input.__init__(self, pin, active_low)
        self._relays = relays
        self._relay = relay
        self._led = led
        self.on_portal = None
        self.on_erase = None
        # Up (None), or what letting go would do by now. A press starts with "toggle" and goes
        # through _PRESSES; a button held since the start or stuck is None until its next press.
        self._reached = None
        self._down_ms = 0

    def tick(self, now_ms):
        if self._changed(now_ms):
            if self.closed:
                self._reached = "toggle"
                self._down_ms = self._since_ms
            elif self._reached is not None:
                # As it was when it was let go, which is 50 ms ago.
                action = self._action(self._since_ms)
                self._show(None)
                if action:
                    self._act(action, now_ms)
        elif self._raw and self.closed and self._reached is not None:
            reached = self._action(now_ms)
            if reached != self._reached:
                self._show(reached)

    def _action(self, at_ms):
        held_ms = ticks_diff(at_ms, self._down_ms)
        for limit_ms, action in _PRESSES:
            if held_ms < limit_ms:
                return action
        return None

    def _show(self, reached):
        self._reached = reached
        if self._led:
            self._led.show_press(reached)

    def _act(self, action, now_ms):
        if action == "toggle":
            if self._relay is not None:
                self._relays.toggle(self._relay, "button", now_ms)
        elif action == "clear_trip":
            if self._relays.protection:
                self._relays.protection.clear(None, now_ms)
        elif action == "portal":
            if self.on_portal:
                self.on_portal()
        elif self.on_erase:
            self.on_erase()


class Switch(Input):
    """A wall switch. relay: index of the relay it works on.

    mode: "momentary" toggles when it is pressed, "edge" whenever it is moved; "follow" gives the
    relay its position when it is moved, while at the start the boot state decides.
    """

    def __init__(self, pin, relays, relay, mode, active_low=True):
        if mode not in ("momentary", "edge", "follow"):
            raise ValueError("switch mode")
        Input.__init__(self, pin, active_low)
        self._relays = relays
        self._relay = relay
        self._mode = mode

    def tick(self, now_ms):
        if self._changed(now_ms):
            if self._mode == "follow":
                self._relays.set(self._relay, self.closed, "button", now_ms)
            elif self.closed or self._mode == "edge":
                self._relays.toggle(self._relay, "button", now_ms)
