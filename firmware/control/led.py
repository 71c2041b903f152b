"""The LED: it shows the state of the connection, what a command asked for instead, or what a
held button has reached.

A pattern is a tuple of ms, lit and dark in turn, over and over; an empty one is dark for ever
and a single duration lit for ever.
"""

from time import ticks_add, ticks_diff

from micropython import const

CONNECTION_PATTERNS = {
    "no_wifi": (100, 1900),
    "connecting": (250, 250),
    "online": (1,),
    "error": (100, 150, 100, 150, 100, 1400),  # needs a person: bad credentials and the like
}
_ON = const((1,))
_OFF = const(())
_IDENTIFY = const((60, 60))
# What a button does when it is let go now: "" for nothing.
PRESS_PATTERNS = {
    "": _OFF,
    "clear_trip": (100, 900),
    "portal": (100, 150, 100, 650),
    "erase": (40, 40),
}

_IDENTIFY_MS = const(10000)
BLINK_PERIOD_MS = const(1000)
BLINK_MIN_MS = const(100)
BLINK_MAX_MS = const(60000)

# Refusals, which are also the error codes of the answer.
UNKNOWN_ACTION = "unknown_action"
BAD_REQUEST = "bad_request"


class Led:
    """One LED. `pin` is an output pin object with `value(level)`.

    `mode` is what it is told to show: auto (the connection), on, off, blink, identify.
    """

    def __init__(self, pin, active_low=False):
        self._pin = pin
        self._active_low = active_low
        self._connection = CONNECTION_PATTERNS["no_wifi"]
        # auto, on, off and blink follow from the command of that name and last. identify is
        # left by `tick` after 10 s, for the mode before it, or by any other command.
        self.mode = "auto"
        self._mode_before = "auto"
        self._identify_end_ms = 0
        self._blink = (BLINK_PERIOD_MS // 2, BLINK_PERIOD_MS // 2)
        self._press = None  # pattern for a button that is held; it hides all others
        self._pattern = None  # what `tick` is playing: None before the first tick
        self._step = 0  # place in the pattern; even is lit
        self._step_end_ms = 0
        self._lit = None

    def show_connection(self, state):
        """The state of the connection: no_wifi, connecting, online or error."""
        self._connection = CONNECTION_PATTERNS[state]

    def show_press(self, action):
        """What letting the button go would do, a key of PRESS_PATTERNS; None: nothing to show."""
        self._press = None if action is None else PRESS_PATTERNS[action]

    def command(self, action, now_ms, period_ms=BLINK_PERIOD_MS):
        """Carry out on, off, blink (`period_ms` an int, half of it lit), identify or auto.

        Returns None, or why it refused.
        """
        if action == "blink":
            if not BLINK_MIN_MS <= period_ms <= BLINK_MAX_MS:
                return BAD_REQUEST
            self._blink = (period_ms // 2, period_ms - period_ms // 2)
        elif action == "identify":
            self._identify_end_ms = ticks_add(now_ms, _IDENTIFY_MS)
            if self.mode != "identify":
                self._mode_before = self.mode
        elif action not in ("on", "off", "auto"):
            return UNKNOWN_ACTION
        self.mode = action
        return None

    def tick(self, now_ms):
        """Play the pattern; the pin is written only on a change."""
        if self.mode == "identify" and ticks_diff(now_ms, self._identify_end_ms) >= 0:
            self.mode = self._mode_before
        pattern = self._wanted()
        if pattern != self._pattern:
            self._pattern = pattern
            self._start_step(0, now_ms)
        elif len(pattern) > 1:
            late_ms = ticks_diff(now_ms, self._step_end_ms)
            if late_ms >= 0:
                # From the planned time, so that it keeps its beat; from now after a long wait.
                start_ms = self._step_end_ms if late_ms < pattern[self._step] else now_ms
                self._start_step((self._step + 1) % len(pattern), start_ms)

    def _wanted(self):
        if self._press is not None:
            return self._press
        mode = self.mode
        if mode == "auto":
            return self._connection
        if mode == "blink":
            return self._blink
        if mode == "identify":
            return _IDENTIFY
        return _ON if mode == "on" else _OFF

    def _start_step(self, step, start_ms):
        self._step = step
        pattern = self._pattern
        if pattern:
            self._step_end_ms = ticks_add(start_ms, pattern[step])
        lit = bool(pattern) and step % 2 == 0
        if lit != self._lit:
            self._lit = lit
            self._pin.value(1 if lit != self._active_low else 0)
