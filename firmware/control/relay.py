# One relay: its contact, and what it is waiting for. The rules are in relays.py.
from time import ticks_diff

from micropython import const

# The flood guard looks this far back.
_FLOOD_WINDOW_MS = const(3000)


class Relay:
    """One relay that holds while its pin is at a level; the keywords are those of a board profile.

    `on` is the state of the contact. `Relays` alone calls the methods and sets the attributes.
    """

    latching = False
    settle_ms = 0  # from the order to open until the contact is open for sure

    def __init__(self, pin, active_low=False):
        self.pin = pin
        self.active_low = active_low
        # Open; about to close (still open, `closing` is set, the dead time of its group runs);
        # closed; closed until `off_ms`. Closing is an order to close, or the end of the dead
        # time; opening is an order, `off_ms`, a trip, or the closing of a partner, and every one
        # of them takes back what the relay was waiting for.
        self.on = False
        self.closing = None  # (source, duration_ms or None)
        self.off_ms = None  # ticks; None: stays
        self.pulsed = False  # `off_ms` was asked for by the command, it is not the auto-off
        self.locked = False  # tripped: does not close before `release`
        self.opened_ms = None  # ticks of the last opening; None: longer ago than any dead time
        self.changes_ms = []  # ticks of the changes in the flood window: 5, and an opening
        self.partners = ()  # indices of those that must be open while this one is closed
        self.auto_off_ms = 0  # 0: never
        self._output = None

    def level(self, on):
        """The electrical level for a state: 0 or 1."""
        return 1 if on != self.active_low else 0

    def start(self, output):
        """Make the pin an output in the state `on`."""
        self._output = output(self.pin, self.level(self.on))

    def switch(self, on, now_ms):
        self.on = on
        self._output.value(self.level(on))

    def tick(self, now_ms):
        # Forgetting is also what keeps them valid: ticks of 12 days ago look like those of now.
        changes_ms = self.changes_ms
        while changes_ms and ticks_diff(now_ms, changes_ms[0]) >= _FLOOD_WINDOW_MS:
            changes_ms.pop(0)

    def rest(self):
        """Take the current from coils that must not keep it: none here."""

    def wanted(self):
        """The state once the dead time has passed."""
        return self.on or self.closing is not None

    def lasting(self):
        """The state to come back to. A reset loses the end of a pulse, and a load meant to run
        for a minute must not run for ever: "on" by a pulse comes back as off, and so does one
        that waits for its dead time, which a reset loses as well."""
        return self.on and not self.pulsed

    def outputs(self):
        """(pin number, level) pairs for `boot.py` to give back after a reset."""
        return ((self.pin, self.level(self.lasting())),)

    def kept(self, outputs):
        """The state in such pairs; None if they do not tell."""
        for pin, level in outputs:
            if pin == self.pin:
                return level == self.level(True)
        return None
