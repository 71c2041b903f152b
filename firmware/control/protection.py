"""Protection: opens a relay whose load, mains or temperature is beyond its limits, and keeps it
open until a person clears the trip.

An entry of the setting `protection`, and of the board profile's, is about one relay:

    {"relay": 0, "phase": "a", "max_power": [3500, 2000], "max_current": 16,
     "min_voltage": [190, 3000], "max_voltage": [260, 500], "max_temperature": 80,
     "reclose_s": 60, "on_meter_lost": "open", "lost_hold_s": 30, "welded_w": 10}

Only `relay` is required. A limit is a number, or [number, hold_ms]: it trips once every sample
since `hold_ms` was beyond the number; without hold, on the first. Units: W, A, V, degrees C.
`phase` is what the relay switches: a, b, c, or "" for all there are; then the power is their sum,
and each phase has the limits of current and voltage. Power counts in both directions.
A `min_voltage` should have a hold: a sample taken while the mains fails is kept as a trip.

`reclose_s`: close again when the voltage that tripped has been good for so long; 0 (default):
never. `on_meter_lost` "open" (default "keep"): trip when the meter has been unknown for
`lost_hold_s` (default 10). `welded_w`: power above which an open relay counts as welded, where
this relay and all others on its phase are open (default 10; 0: never, for a meter that sees other
loads too).
"""

from time import ticks_diff

from micropython import const

_LIMITS = (
    ("max_power", "over_power"),
    ("max_current", "over_current"),
    ("min_voltage", "under_voltage"),
    ("max_voltage", "over_voltage"),
)
_VOLTAGE = const(2)  # from here on in _LIMITS: not the load's doing

_TRIES = const(3)  # to close again, in a row
_CALM_MS = const(600000)  # closed again for so long: the next fault has all tries
_OPEN_MS = const(3000)  # what the meter shows earlier may be from before the relay opened
_WELDED_SAMPLES = const(2)
_KEEP_AGAIN_MS = const(60000)


class _Limit:
    """One limit, and for how long the values have been beyond it."""

    def __init__(self, cause, value):
        self.cause = cause
        self.limit, self.hold_ms = value if isinstance(value, (list, tuple)) else (value, 0)
        # Within; beyond since these ticks; and with `held`, beyond for the hold time. Each sample
        # moves it, but for one without the value: unknown is neither good nor bad.
        self.since_ms = None
        self.held = False

    def check(self, value, whole, now_ms):
        """Whether it trips. whole: nothing is missing in `value` (a sum, or the worst of some)."""
        if value is None:
            return False
        if not (value < self.limit if self.cause == "under_voltage" else value > self.limit):
            if whole:
                self.reset()
            return False
        if self.since_ms is None:
            self.since_ms = now_ms
        # Remembered, and below 0 too: ticks of 6 days ago seem yet to come.
        self.held = self.held or not 0 <= ticks_diff(now_ms, self.since_ms) < self.hold_ms
        return self.held

    def reset(self):
        self.since_ms = None
        self.held = False


class _Guard:
    """What protection knows of one relay."""

    def __init__(self, index, entry, channels):
        self.index = index
        phase = entry.get("phase", "")
        self.channels = ("abc".index(phase),) if phase else tuple(range(channels))
        self.limits = [  # (place in _LIMITS, limit)
            (kind, _Limit(cause, entry[key]))
            for kind, (key, cause) in enumerate(_LIMITS) if key in entry]
        self.temperature = None
        if "max_temperature" in entry:
            self.temperature = _Limit("over_temperature", entry["max_temperature"])
        self.lost = None
        if entry.get("on_meter_lost") == "open":
            lost_hold_s = entry.get("lost_hold_s", 10)
            self.lost = _Limit("meter_lost", (0, lost_hold_s * 1000))
        self.reclose_ms = entry.get("reclose_s", 0) * 1000
        self.tries = _TRIES if self.reclose_ms else 0
        self.good_ms = None  # tripped, but the voltage is good since
        self.reclosed_ms = None  # closed again, and not yet for long enough
        self.welded_w = entry.get("welded_w", 10)
        self.welded = False
        self.samples = 0  # in a row that show a welded contact
        # Closed (None, False); open since these ticks; open for so long that no power may flow.
        self.opened_ms = None
        self.settled = False


class Protection:
    """Judges every sample, inside the tick that brought it.

    entries: list of dicts as above; one that fits neither relays nor phases is logged: it counts
        as one without limits, or for all phases.
    relays: `Relays`, made with `locked=` the relays in `trips`.
    keep: `keep(trips)` puts the list into flash (`trips.save`). It is called inside the tick, the
        one file that is: the fault that trips a relay is often the one that takes the power, and
        a relay that closes by itself afterwards is what a trip must never be. It is rare, and
        one small file.
    trips: what `trips.load` found at the start.
    channels: how many the meter has, up to 3.

    `on_change()` is called when `tripped()` or `welded()` changes.
    """

    def __init__(self, entries, relays, log, keep, trips=(), channels=1):
        self._relays = relays
        self._log = log
        self._keep = keep
        self._trips = list(trips)  # oldest first, one of a relay
        self._unkept_ms = None  # flash refused them, at these ticks
        self.on_change = None
        phases = ("", "a", "b", "c")[:channels + 1 if channels > 1 else 1]
        by_relay = {}
        for entry in entries:
            index = entry["relay"]
            if index >= len(relays.relays):
                log("protection: there is no relay %d" % index)
            if entry.get("phase", "") not in phases:
                log("protection: relay %d: there is no phase %s" % (index, entry["phase"]))
                entry = dict(entry, phase="")
            by_relay[index] = entry
        self._guards = [
            _Guard(i, by_relay.get(i, {}), channels) for i in range(len(relays.relays))]

    def tripped(self):
        """{relay, cause, value, limit} of the oldest trip, None if there is none.

        cause: over_power, over_current, under_voltage, over_voltage, over_temperature; meter_lost
        (value None, limit in s); unknown (both None), when the record in flash was broken.
        """
        if not self._trips:
            return None
        index, cause, value, limit, _ = self._trips[0]
        return {"relay": index, "cause": cause, "value": value, "limit": limit}

    def welded(self):
        """Indices of the relays that are open and yet draw power."""
        return [guard.index for guard in self._guards if guard.welded]

    def sample(self, readings, ok, now_ms):
        """Judge a sample: of each channel a Reading, or None if it failed; ok[channel]: False
        when it is lost."""
        for guard in self._guards:
            power_w = current_a = low_v = high_v = None
            whole = known = True
            for channel in guard.channels:
                known = known and ok[channel]
                reading = readings[channel]
                if reading is None:
                    whole = whole and not ok[channel]  # what is lost is not waited for
                    continue
                if reading.active_power_w is not None:
                    power_w = abs(reading.active_power_w) + (power_w or 0)
                if reading.current_a is not None:
                    current_a = max(abs(reading.current_a), current_a or 0)
                volts = reading.voltage_v
                if volts is not None:
                    low_v = volts if low_v is None else min(volts, low_v)
                    high_v = volts if high_v is None else max(volts, high_v)
            closed = self._relays.relays[guard.index].on
            values = power_w, current_a, low_v, high_v
            for kind, limit in guard.limits:
                # What flows elsewhere is not its own, and an inrush has the whole hold.
                if kind < _VOLTAGE and not closed or values[kind] is None and not known:
                    limit.reset()
                else:
                    self._judge(guard, limit, values[kind], whole, now_ms)
            if guard.lost:
                self._judge(guard, guard.lost, 0 if known else 1, True, now_ms)
            good = whole and known and low_v is not None
            for kind, limit in guard.limits:
                good = good and (kind < _VOLTAGE or limit.since_ms is None)
            if guard.reclose_ms:
                self._reclose(guard, good, now_ms)
            self._weld(guard, power_w, whole)

    def temperature(self, value_c, now_ms):
        """Judge a temperature; None (the sensor fails) says nothing."""
        for guard in self._guards:
            if guard.temperature:
                self._judge(guard, guard.temperature, value_c, True, now_ms)

    def tick(self, now_ms):
        """Watch how long relays are open, and keep what flash refused."""
        for guard in self._guards:
            if self._relays.relays[guard.index].on:
                guard.opened_ms = None
                guard.settled = False
                if guard.welded:
                    self._set_welded(guard, False)
            elif not guard.settled:
                if guard.opened_ms is None:
                    guard.opened_ms = now_ms
                guard.settled = ticks_diff(now_ms, guard.opened_ms) >= _OPEN_MS
            if guard.reclosed_ms is not None:
                if ticks_diff(now_ms, guard.reclosed_ms) >= _CALM_MS:
                    guard.reclosed_ms = None
                    guard.tries = _TRIES
        if self._unkept_ms is not None:
            if ticks_diff(now_ms, self._unkept_ms) >= _KEEP_AGAIN_MS:
                self._save(now_ms)

    def clear(self, index, now_ms):
        """A person has cleared the trip of a relay, None: of all. It may be closed then."""
        for guard in self._guards:
            if index is None or index == guard.index:
                # A fault within `_trip` may have left it locked without a record.
                self._relays.release(guard.index)
                guard.tries = _TRIES if guard.reclose_ms else 0
                guard.reclosed_ms = None
        trips = [trip for trip in self._trips if index is not None and trip[0] != index]
        if len(trips) != len(self._trips):
            self._log("protection: trip cleared")
            self._replace(trips, now_ms)

    def stay_open(self, index, now_ms):
        """Somebody has told a tripped relay to be off: it does not close by itself any more."""
        for at, trip in enumerate(self._trips):
            if trip[0] == index and trip[4]:
                self._trips[at] = trip[:4] + (0,)
                self._save(now_ms)

    def _judge(self, guard, limit, value, whole, now_ms):
        if limit.check(value, whole, now_ms) and self._relays.relays[guard.index].on:
            self._trip(guard, limit, value, now_ms)

    def _trip(self, guard, limit, value, now_ms):
        index = guard.index
        # A pulse must not come back as a relay that stays closed.
        again = limit.cause.endswith("voltage") and self._relays.relays[index].lasting()
        self._relays.trip(index, now_ms)
        shown = limit.limit
        if limit is guard.lost:
            value = None
            shown = limit.hold_ms // 1000
        else:
            value = round(value, 2)
        self._log("protection: relay %d: %s: %s, limit %s" % (index, limit.cause, value, shown))
        trip = (index, limit.cause, value, shown, guard.tries if again else 0)
        self._replace(self._trips + [trip], now_ms)

    def _reclose(self, guard, good, now_ms):
        index = guard.index
        for at, trip in enumerate(self._trips):
            if trip[0] != index or not trip[4]:
                continue
            if not good:
                guard.good_ms = None
            elif guard.good_ms is None:
                guard.good_ms = now_ms
            elif ticks_diff(now_ms, guard.good_ms) >= guard.reclose_ms:
                relays = self._relays.relays
                for partner in relays[index].partners:
                    if relays[partner].wanted():  # would open it: somebody has other plans
                        self.stay_open(index, now_ms)
                        return
                guard.tries = trip[4] - 1
                guard.reclosed_ms = now_ms
                self._relays.release(index)
                self._log("protection: relay %d closes again" % index)
                self._replace(self._trips[:at] + self._trips[at + 1:], now_ms)
                self._relays.set(index, True, "protection", now_ms)
            return

    def _weld(self, guard, power_w, whole):
        if not guard.welded_w or power_w is None:
            return
        for other in self._guards:
            if not other.settled and set(other.channels) & set(guard.channels):
                guard.samples = 0
                return  # the power may be that of another relay
        if power_w > guard.welded_w:
            guard.samples += 1
            if guard.samples >= _WELDED_SAMPLES and not guard.welded:
                self._set_welded(guard, True)
        elif whole:
            guard.samples = 0
            if guard.welded:
                self._set_welded(guard, False)

    def _set_welded(self, guard, welded):
        guard.welded = welded
        self._log("protection: relay %d %s" % (
            guard.index, "is open and draws power" if welded else "draws no power when open"))
        self._changed()

    def _replace(self, trips, now_ms):
        self._trips = trips
        self._save(now_ms)
        self._changed()

    def _changed(self):
        if self.on_change:
            self.on_change()

    def _save(self, now_ms):
        self._unkept_ms = now_ms
        try:
            self._keep(self._trips)
            self._unkept_ms = None
        except (OSError, MemoryError) as e:
            self._log("protection: trips not kept: %r" % e)
