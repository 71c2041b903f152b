# What could not be sent: during an outage one record a minute and channel, sent when it is over.
# Up to an hour is in RAM, what is older in flash (ring.py); when both are full the oldest go.
from struct import pack_into, unpack_from

from micropython import const

from ..clock import LATEST_S
from ..timestamp import format_timestamp
from .ring import RECORD_BYTES, Ring

MINUTES = 60  # kept in RAM
_MINUTE_S = const(60)
FEWEST = 5  # readings that make the last, unfinished minute of an outage worth a record
_RETRY_S = const(3600)  # after flash has refused
# Time in s (uptime below _DATED_S, else Unix), energy in Wh, mean power in 0.1 W, number of the
# boot, channel, quality in %. RECORD_BYTES in all.
_RECORD = const("<IIiHBB")
_DATED_S = const(1 << 30)
_NO_ENERGY = const(0xFFFFFFFF)
_LOOKS = const(16)  # records that one `next` may drop: it must not take long
_PAYLOAD = const(
    '{"value": %s, "unit": "%s", "quality": %d, "timestamp": "%s", "backfilled": true}')


class _Minute:
    """What one channel has measured since the minute began."""

    def __init__(self):
        self._good = self._polls = 0  # the sampler's counts at the last sample
        self.begin()

    def begin(self):
        self.readings = 0
        self.sum_dw = 0  # in 0.1 W: floats of the chips would lose some
        self.energy_wh = _NO_ENERGY
        self._good_before = self._good
        self._polls_before = self._polls

    def take(self, reading, good, polls):
        if reading.active_power_w is not None:
            self.readings += 1
            self.sum_dw += round(reading.active_power_w * 10)
        if reading.energy_wh is not None:
            self.energy_wh = reading.energy_wh
        self.pass_by(good, polls)

    def pass_by(self, good, polls):
        self._good = good
        self._polls = polls

    def quality_percent(self):
        polls = self._polls - self._polls_before
        return 100 * (self._good - self._good_before) // polls if polls else 100


class Backlog:
    """Records of an outage, and the messages they become.

    clock: `clock.Clock`; suffixes: what each channel adds to the metric's name in the topic, as
    ("", "_a"). A node starts without a link, so it records.

    A record has the plain mean of the power of its minute's good readings (they come at a steady
    pace), the energy at the last of them, whose second is its time, and the quality. Its time is
    UTC, or the uptime while UTC is unknown. Then it is dated once UTC is known: also after a
    restart, if this boot has come to know it; else it is dropped. Within an outage times only
    rise, and none is of a second in which live values may have been sent.

    dropped: records lost because there was no room, no time of day, or no readable file.
    """

    def __init__(self, clock, log, suffixes=("",)):
        self._clock = clock
        self._suffixes = suffixes
        self._minutes = [_Minute() for _ in suffixes]
        self._view = memoryview(bytearray(MINUTES * len(suffixes) * RECORD_BYTES))
        self._used = 0  # bytes of it, the oldest record first
        self._ring = Ring(log)
        self._dropped = 0  # from RAM
        self._gone = 0  # from RAM while it was the front; with the ring's: number of the front
        self._half_of = 0 if self._ring.half else -1  # number of the record whose power is sent
        self._given = None  # what `next` gave: 2 x number of the record, + 1 for its energy
        self._more = False  # whether energy follows on that
        # True until `online`: samples go into the minutes; False until `offline`: they do not
        self._recording = True
        self._end_s = None  # uptime at which the minute ends; None: it has no sample yet
        self._last_s = 0  # uptime of the last sample
        self._after_s = self._clock.uptime_s  # the next record must be later; uptime or UTC
        self._offset_s = None  # UTC at uptime 0, for the records without a date; None: unknown
        self._undated = False  # there may be such records of this boot
        self._unsaved = False  # and flash does not know their date yet
        self._retry_s = 0  # uptime before which flash is left alone

    @property
    def count(self):
        """Records that wait."""
        return self._ring.count + self._used // RECORD_BYTES

    @property
    def dropped(self):
        """Records that were lost."""
        return self._dropped + self._ring.dropped

    # From the tick: no files

    def sample(self, channel, reading, good, polls):
        """Take a reading, online or not; before it is reported live, since it looks for UTC.

        good, polls: the sampler's running counts.
        """
        self._look_at_clock()
        minute = self._minutes[channel]
        if not self._recording:
            minute.pass_by(good, polls)
            return
        uptime_s = self._clock.uptime_s
        if self._end_s is None:
            self._end_s = uptime_s + _MINUTE_S
        elif uptime_s >= self._end_s:
            self._close()
            self._end_s = uptime_s + _MINUTE_S
        minute.take(reading, good, polls)
        self._last_s = uptime_s

    # From the foreground

    def offline(self):
        """The link is lost: record from now on."""
        self._look_at_clock()
        self._recording = True
        self._after_s = self._now_s()
        self._begin()

    def online(self):
        """The link is back: what has begun of a minute becomes a record."""
        self._look_at_clock()
        if self._recording:
            self._close(FEWEST)
            self._recording = False

    def service(self):
        """Write to flash what has to be there; call it every second or so."""
        if self._unsaved:
            self._save_date()
        full = self._used + len(self._minutes) * RECORD_BYTES > len(self._view)
        if full and self._clock.uptime_s >= self._retry_s:
            self._spill()

    def flush(self):
        """Before a planned restart: everything into flash."""
        self._look_at_clock()
        if self._recording:
            self._close()
        if self._used:
            self._spill()

    def next(self):
        """(topic below the prefix, payload) of the oldest message, both bytes, or None.

        It is the same until `done()`, also after a restart. None may also mean: not yet.
        """
        self._look_at_clock()
        for _ in range(_LOOKS):
            front = self._ring.front() or (self._view, 0)
            if not self.count:
                return None
            time_s, energy_wh, power_dw, boot, channel, percent = unpack_from(_RECORD, *front)
            if time_s < _DATED_S:
                own = boot == self._ring.boot
                if own and self._offset_s is None:
                    return None
                time_s += self._offset_s if own else self._offset_of(boot)
            if _DATED_S <= time_s < LATEST_S and channel < len(self._suffixes) and percent <= 100:
                break
            self._dropped += 1
            self._pop(False)
        else:
            return None
        number = self._number()
        second = number == self._half_of
        self._given = 2 * number + second
        self._more = not second and energy_wh != _NO_ENERGY
        if second:
            metric, value, unit = "energy", energy_wh, "Wh"
        else:
            metric, value, unit = "power", _tenths(power_dw), "W"
        topic = "telemetry/" + metric + self._suffixes[channel]
        return topic.encode(), (_PAYLOAD % (value, unit, percent,
                                            format_timestamp(time_s))).encode()

    def done(self):
        """What `next` gave is acknowledged: remove it, unless it was dropped meanwhile."""
        number = self._number()
        if self._given != 2 * number + (number == self._half_of):
            return
        self._given = None
        if not self._more:
            self._pop(True)
            return
        self._half_of = number
        if self._ring.count:
            self._ring.save(True)

    # Inside

    def _now_s(self):
        return self._clock.uptime_s if self._offset_s is None else self._clock.unix()

    def _look_at_clock(self):
        if self._offset_s is not None:
            return
        unix_s = self._clock.unix()
        if unix_s is None:
            return
        # One second early, so that none is in a second that is still to come.
        self._offset_s = unix_s - self._clock.uptime_s - 1
        self._after_s += self._offset_s
        self._unsaved = self._undated

    def _offset_of(self, boot):
        for kept, offset_s in self._ring.dates:
            if kept == boot:
                return offset_s
        return 0

    def _begin(self):
        self._end_s = None
        for minute in self._minutes:
            minute.begin()

    def _close(self, fewest=1):
        # The minute becomes a record of each channel that was read in it at least so often.
        now_s = self._now_s()
        time_s = min(self._last_s + now_s - self._clock.uptime_s, now_s - 1)
        for channel, minute in enumerate(self._minutes):
            if minute.readings >= fewest and time_s > self._after_s:
                self._store(time_s, channel, minute)
            elif minute.readings and now_s < self._after_s:  # the clock was set back
                self._dropped += 1
        self._after_s = max(self._after_s, time_s)
        self._begin()

    def _store(self, time_s, channel, minute):
        if self._used == len(self._view):
            self._shift()
            self._dropped += 1
        pack_into(_RECORD, self._view, self._used, time_s, minute.energy_wh,
                  (minute.sum_dw + minute.readings // 2) // minute.readings, self._ring.boot,
                  channel, minute.quality_percent())
        self._used += RECORD_BYTES
        if time_s < _DATED_S:
            self._undated = True

    def _spill(self):
        if self._unsaved:
            self._save_date()
        half = self._half_of == self._number() and not self._ring.count
        try:
            self._ring.append(self._view[:self._used])
        except OSError:
            self._retry_s = self._clock.uptime_s + _RETRY_S
            return
        self._used = 0
        if half:
            self._ring.save(True)

    def _save_date(self):
        self._unsaved = False
        self._ring.dates.append((self._ring.boot, self._offset_s))
        self._ring.save(self._half_of == self._number())

    def _number(self):
        return self._ring.gone + self._gone

    def _pop(self, save):
        if self._ring.count:
            self._ring.pop(save)
        else:
            self._shift()

    def _shift(self):
        # The oldest record leaves RAM. Moving a few KB takes less than an index would cost.
        if not self._ring.count:
            self._gone += 1
        self._used -= RECORD_BYTES
        self._view[:self._used] = self._view[RECORD_BYTES:self._used + RECORD_BYTES]


def _tenths(number):
    sign = "-" if number < 0 else ""
    return "%s%d.%d" % (sign, abs(number) // 10, abs(number) % 10)
