"""How fast a pin pulses, and how often it did: by a hardware counter."""

from time import ticks_add, ticks_diff

from micropython import const

# HLW8012: one pulse is 10 to 12 J, so its pulses of a 1 W load are this far apart; all of these
# chips' readings below 5 W are doubtful anyway (reference/meters.md 4.3, 4.5).
_SILENT_MS = const(10000)


def wrapping(value, period):
    """The `fresh` of a counter whose `value()` goes from `period` - 1 back to 0."""
    last = value()

    def fresh():
        nonlocal last
        now = value()
        pulses = (now - last) % period
        last = now
        return pulses

    return fresh


def emptying(value):
    """The `fresh` of a counter that `value(0)` reads and sets to 0."""
    return lambda: value(0)


def take_flags(counter):
    """Read the flags of a PCNT: its interrupt would repeat for ever else."""
    return counter.irq().flags()


class Pulses:
    """One pin. `fresh()` gives the pulses since its last call.

    A window goes from pulse to pulse, not from sample to sample: no pulse falls between two
    windows, and slow ones are timed to a tick instead of counted to one.
    """

    counts = True  # whether take() knows every pulse

    def __init__(self, fresh):
        self._fresh = fresh
        self._untaken = 0  # pulses since take()
        self.restart(0)

    def restart(self, now_ms):
        """Begin a new window: what was before is forgotten."""
        # The pulse that the window begins with; None = it is awaited, and when it comes it only
        # says that the next one has a distance. Set by _seen(), None again after silence.
        self._from_ms = None
        self._edge_ms = now_ms  # the latest pulse; when waiting began if there was none
        self._count = 0  # pulses after the one at _from_ms
        self._hertz = None

    def poll(self, now_ms):
        """Call it at every tick. True: it took its time, nothing else should in this tick."""
        pulses = self._fresh()
        if pulses > 0:
            self._untaken += pulses
            self._seen(pulses, now_ms)
        return False

    def take(self):
        """Pulses since the last call, int."""
        pulses = self._untaken
        self._untaken = 0
        return pulses

    def hertz(self, now_ms):
        """Frequency since the last call or restart(); then a new window begins.

        Without a pulse in it, the last frequency or the highest that such a gap allows, and 0.0
        after 10 s. None: unknown, two pulses were not seen yet.
        """
        count = self._count
        edge_ms = self._edge_ms
        if count:
            span_ms = ticks_diff(edge_ms, self._from_ms)
            if span_ms > 0:
                self._count -= count  # an interrupt may have counted meanwhile
                self._from_ms = edge_ms
                self._hertz = 1000 * count / span_ms
                return self._hertz
        silent_ms = ticks_diff(now_ms, edge_ms)
        if silent_ms >= _SILENT_MS:
            self._from_ms = None
            self._edge_ms = ticks_add(now_ms, -_SILENT_MS)  # or ticks wrap in a long night
            self._hertz = 0.0
        elif self._hertz and self._hertz * silent_ms > 1000:
            self._hertz = 1000 / silent_ms
        return self._hertz

    def _seen(self, pulses, now_ms):
        if self._from_ms is None:
            self._from_ms = now_ms
        else:
            self._count += pulses
        self._edge_ms = now_ms
