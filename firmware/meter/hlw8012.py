"""HLW8012 (CSE7759, HJL-01) and BL0937: power as pulses on CF, voltage or current on CF1."""

from time import ticks_diff

from micropython import const

from .reading import Reading, implausible

# SEL has switched: CF1 needs this long, and then is counted this long (reference/meters.md 4.3).
_SETTLE_MS = const(600)
_WINDOW_MS = const(1000)

# What one hertz means with a divider of 1 and a shunt of 1 mOhm (W, A, V), and the divider of a
# usual board: Sonoff POW, Shelly Plus 1PM. Reference voltage and oscillator are nominal, +-15 %
# on the HLW8012 (reference/meters.md 4.1): calibrate.
_CHIPS = {
    "hlw8012": (0.004399665, 0.01448449, 0.0001738139, 2351),
    "bl0937": (0.0008617594, 0.01287009, 0.00007910632, 1925),
}
_SURELY_CURRENT_A = 1  # the channel shows up to 0.06 A of noise without a load (4.5)


class HLW8012:
    """One channel. Power each sample; voltage and current by turns, each every 3.2 s.

    bus: (CF, CF1, SEL) of `Board.pulse_inputs()`. The first two are `Pulses`, SEL an output.
    profile: "chip"; "sel_inverted": SEL low selects current (most BL0937 boards; else high does:
    Sonoff POW); "divider" and "shunt_mohm" of the board, or "w_per_hz", "a_per_hz", "v_per_hz".

    Voltage pulses never stop while there are mains: they vouch that the chip lives and that no
    power pulse means no power. Without them the reading fails, since no mains and a dead chip
    look alike. Current and power factor are those of the latest turn, None when the power has
    more than doubled or halved since. Source: reference/meters.md 4.
    """

    SERIAL = None  # it hangs on pins
    MAX_POWER_W = 4000  # 16 A plugs; at full scale a BL0937 gives 2.7 kHz
    _LIMITS = (("voltage_v", 70, 500), ("current_a", 0, 30), ("active_power_w", 0, MAX_POWER_W))

    def __init__(self, bus, profile):
        self._cf, self._cf1, self._sel = bus
        self._sel_inverted = profile.get("sel_inverted", False)
        watts, amperes, volts, divider = _CHIPS[profile["chip"]]
        divider = profile.get("divider", divider)
        shunt = profile.get("shunt_mohm", 1)
        factors = profile.get("factors", {})
        self._w_per_hz = profile.get("w_per_hz", watts * divider / shunt) * factors.get("power", 1)
        self._a_per_hz = profile.get("a_per_hz", amperes / shunt) * factors.get("current", 1)
        self._v_per_hz = profile.get("v_per_hz", volts * divider) * factors.get("voltage", 1)
        self._pulse_dwms = round(self._w_per_hz * 10000)  # in 0.1 W ms: a rounding of 0.004 %
        # What CF1 tells: voltage and current take turns. A turn begins settling, then a window
        # is counted, and without pulses in it one more; _turn_ms is when the present part began,
        # None before the first poll.
        self._turn_ms = None
        self._settling = self._again = False
        self._voltage_turn = False
        self._voltage_v = None  # of the latest turn; None before the first and without pulses
        self._current_a = self._power_factor = None  # of the latest turn; None: no load then
        self._load_w = None  # the power then
        self._silent = False  # the latest voltage turn saw no pulses
        self._swapped = False  # the latest current turn saw a current that carried no power
        self._power_w = None
        self._pulses = 0  # of CF, not in a reading yet
        self._next = (Reading(),)  # filled next; the other one is with the caller
        self._given = (Reading(),)
        self.channels = 1
        self.busy = False
        self.errors = {"timeout": 0, "implausible": 0}
        self.error = None  # text of the latest failure

    def start(self, now_ms):
        """A reading is wanted. The first one takes 1.6 s, until the voltage is known."""
        self.busy = True

    def poll(self, now_ms):
        """(Reading,), once, if one is wanted and good; else None. Call it at every tick."""
        if self._turn_ms is None:
            self._cf.restart(now_ms)
            self._begin_turn(now_ms, True)
        if not self._cf.poll(now_ms):
            self._cf1.poll(now_ms)
        age_ms = ticks_diff(now_ms, self._turn_ms)
        if self._settling:
            if age_ms >= _SETTLE_MS:
                self._settling = False
                self._turn_ms = now_ms
                self._cf1.restart(now_ms)
        elif age_ms >= _WINDOW_MS:
            hertz = self._cf1.hertz(now_ms)
            if hertz or self._again:
                self._end_turn(now_ms, hertz)
            else:  # slow, or the tick came late: the pulses until now may only have armed it
                self._again = True
                self._turn_ms = now_ms
        if not self.busy or (self._voltage_v is None and not self._silent):
            return None
        self.busy = False
        return self._settle(now_ms)

    def _begin_turn(self, now_ms, voltage):
        self._turn_ms = now_ms
        self._settling = True
        self._again = False
        self._voltage_turn = voltage
        self._sel.value(1 if voltage == self._sel_inverted else 0)

    def _end_turn(self, now_ms, hertz):
        if self._voltage_turn:
            if self._voltage_v is None:
                self._cf.take()  # nobody can say what these were: count from here
                self._pulses = 0
                if self._silent:
                    self._cf.restart(now_ms)
            self._voltage_v = hertz * self._v_per_hz if hertz else None
            self._silent = not hertz
        else:
            current_a = hertz * self._a_per_hz if hertz else None
            self._swapped = bool(current_a and not self._power_w
                                 and current_a > _SURELY_CURRENT_A)
            self._load_w = self._power_w
            self._current_a = current_a if self._power_w else None
            self._power_factor = None
            if self._current_a and self._voltage_v:
                self._power_factor = min(1.0, self._power_w / (self._voltage_v * current_a))
        self._begin_turn(now_ms, not self._voltage_turn)

    def _settle(self, now_ms):
        if self._silent:
            hint = ", but of a current without power: sel_inverted?" if self._swapped else ""
            return self._fail("timeout", "no voltage pulses" + hint)
        hertz = self._cf.hertz(now_ms)
        power_w = self._power_w = None if hertz is None else hertz * self._w_per_hz
        if self._current_a and not self._load_w <= 2 * (power_w or 0) <= 4 * self._load_w:
            self._current_a = self._power_factor = None
        reading = self._next[0]
        reading.voltage_v = self._voltage_v
        reading.active_power_w = power_w
        reading.current_a = self._current_a if power_w else power_w
        reading.power_factor = None  # checked without: the three scatter on their own
        wrong = implausible(reading, self._LIMITS)
        if self._cf.counts:
            pulses = self._cf.take()
            if power_w is None or power_w <= self.MAX_POWER_W:
                self._pulses += pulses  # else they were noise, or the counter's restart
        if wrong:
            return self._fail("implausible", wrong)
        reading.power_factor = self._power_factor
        reading.counted_dwms = None
        if self._cf.counts:
            reading.counted_dwms = self._pulses * self._pulse_dwms
            self._pulses = 0
        self._next, self._given = self._given, self._next
        return self._given

    def _fail(self, kind, detail):
        self.errors[kind] += 1
        self.error = kind + ": " + detail
