"""The energy of all channels: by local days, and kept in flash over restarts and power cuts."""

import os
from hashlib import sha256
from struct import pack_into, unpack_from
from time import ticks_diff

from micropython import const

from .. import storage
from .energy import DWMS_PER_WH, Channel

PATH = "energy.state"
_MOST_WH = const(4000000000)  # that a total can be set to
# At most 60 s or 10 Wh may be lost. The foreground can be kept for 10 s by a connect, and the
# last sample may bring some Wh at once.
_SAVE_MS = const(45000)
_SAVE_WH = const(7)
# Version, channels, local day since 1970 (0: unknown); then of each channel import, its rest and
# register, the same of export, today, yesterday; then the start of the SHA-256 of all that. In Wh
# but for the rests, and 1 more than the value: 0 is None. 104 bytes for three channels, and thus
# inline in littlefs: hardly ever an erase.
_VERSION = const(1)
_HEADER = const("<BBH")
_CHANNEL = const("<8I")
_HEADER_BYTES = const(4)
_CHANNEL_BYTES = const(32)
_SUM_BYTES = const(4)
_MAX_BYTES = const(128)


class Energy:
    """Counts the readings of `channels` channels from what was saved.

    clock: `clock.Clock`; utc_offset_min: local time minus UTC; period_ms: of the sampler;
    max_power_w, signed: as in `Channel`.

    Days begin at midnight of local time, also after a restart. What this start has counted before
    the time of day was known belongs to the day on which it became known, and so does what a meter
    counted while the node was off. After more than one midnight without power, yesterday is
    unknown. A clock set back over midnight goes on with the same day; set back further, it was
    wrong, and a new day begins.

    A broken file is logged, counted in `broken`, and kept as `energy.state.bad`; the totals then
    start from the meter's register, or from 0.
    """

    def __init__(self, channels, max_power_w, clock, log, period_ms=1000, utc_offset_min=0,
                 signed=False):
        self._clock = clock
        self._log = log
        self._offset_s = utc_offset_min * 60
        self._day = None  # local day since 1970; None: never known
        self._dated = False  # this start has known the time
        self._new_day = False  # and it is not saved yet
        self._changed = False  # there was a reading since the last save
        self._refused = False  # flash did not take the last save
        self._tried_ms = None  # the last time at which there was nothing to save, or it was tried
        self.broken = 0
        self.channels = [Channel(max_power_w, period_ms, signed) for _ in range(channels)]
        self._restore()
        self._saved = self._sums()

    @property
    def drops(self):
        """Energy values that were not believed since the start."""
        return sum([channel.drops for channel in self.channels])

    def update(self, now_ms, readings):
        """Count one reading per channel (None: it failed), and put the totals into each."""
        self._look_at_clock()
        for channel, reading in zip(self.channels, readings):
            if reading is not None:
                channel.take(now_ms, reading)
                if self._dated:
                    reading.today_wh = channel.today_wh(reading.energy_wh)
                    reading.yesterday_wh = channel.yesterday_wh
        self._changed = True

    # From the foreground

    def service(self, now_ms):
        """Save what is due; call it every second or so."""
        if self._tried_ms is None or not self._changed:
            self._tried_ms = now_ms
            return
        alone_wh, all_wh, rest_dwms = self._sums()
        # What a register holds is safe in the meter: only the rest must not wait.
        urgent = self._new_day or abs(alone_wh - self._saved[0]) >= _SAVE_WH
        due = ticks_diff(now_ms, self._tried_ms) >= _SAVE_MS
        if not due and (self._refused or not urgent):
            return
        self._tried_ms = now_ms
        grown_dwms = (all_wh - self._saved[1]) * DWMS_PER_WH + rest_dwms - self._saved[2]
        if urgent or grown_dwms >= DWMS_PER_WH:
            self._save()

    def flush(self):
        """Before a planned restart: save what has changed. False if flash refuses it."""
        return not self._changed or self._save()

    def set_total(self, channel, total_wh):
        """Set the imported total of a channel, an int from 0 to 4,000,000,000, and save it.

        For a new meter, or to agree with another one. ValueError if an argument is wrong; False
        if flash refuses it.
        """
        if not (type(channel) is int and 0 <= channel < len(self.channels)):
            raise ValueError("there is no channel %s" % channel)
        if not (type(total_wh) is int and 0 <= total_wh <= _MOST_WH):
            raise ValueError("a total is an integer from 0 to %d Wh" % _MOST_WH)
        self.channels[channel].set_total(total_wh)
        self._changed = True
        return self._save()

    # Inside

    def _look_at_clock(self):
        unix_s = self._clock.unix()
        if unix_s is None:
            return
        day = (unix_s + self._offset_s) // 86400
        passed = None if self._day is None else day - self._day
        if passed not in (0, -1):
            for channel in self.channels:
                channel.next_day(not self._dated, passed == 1)
            self._day = day
            self._new_day = True
        self._dated = True

    def _sums(self):
        # Wh that only this file knows; Wh in all; and the rests.
        alone_wh = all_wh = rest_dwms = 0
        for channel in self.channels:
            for total in (channel.imported, channel.exported):
                if total.total_wh is not None:
                    all_wh += total.total_wh
                    alone_wh += total.total_wh - (total.register_wh or 0)
                    rest_dwms += total.rest_dwms
        return alone_wh, all_wh, rest_dwms

    def _save(self):
        size = _HEADER_BYTES + len(self.channels) * _CHANNEL_BYTES
        data = bytearray(size + _SUM_BYTES)
        pack_into(_HEADER, data, 0, _VERSION, len(self.channels), self._day or 0)
        at = _HEADER_BYTES
        for channel in self.channels:
            imported, exported = channel.imported, channel.exported
            pack_into(_CHANNEL, data, at, _packed(imported.total_wh), imported.rest_dwms,
                      _packed(imported.register_wh), _packed(exported.total_wh),
                      exported.rest_dwms, _packed(exported.register_wh),
                      _packed(channel.today_wh(imported.total_wh)),
                      _packed(channel.yesterday_wh))
            at += _CHANNEL_BYTES
        data[size:] = _checksum(data, size)
        try:
            storage.replace(PATH, data)
        except OSError as e:
            if not self._refused:
                self._log("energy: cannot save: %s" % e)
            self._refused = True
            return False
        self._saved = self._sums()
        self._refused = self._changed = self._new_day = False
        return True

    def _restore(self):
        try:
            data = storage.read(PATH, _MAX_BYTES)
            if data is None:
                return
            self._unpack(data)
        except (OSError, ValueError) as e:
            self.broken += 1
            self._log("energy: saved totals are lost: %s" % e)
            try:
                os.rename(PATH, PATH + ".bad")
            except OSError as e:
                self._log("energy: cannot keep %s: %s" % (PATH, e))

    def _unpack(self, data):
        size = len(data) - _SUM_BYTES
        if size < _HEADER_BYTES or _checksum(data, size) != data[size:]:
            raise ValueError("wrong checksum")
        version, channels, day = unpack_from(_HEADER, data)
        if version != _VERSION or size != _HEADER_BYTES + channels * _CHANNEL_BYTES:
            raise ValueError("version %d of %d bytes" % (version, len(data)))
        self._day = day or None
        at = _HEADER_BYTES
        for channel in self.channels[:channels]:
            values = unpack_from(_CHANNEL, data, at)
            for total, first in ((channel.imported, 0), (channel.exported, 3)):
                total.total_wh = _unpacked(values[first])
                total.rest_dwms = values[first + 1]
                total.register_wh = _unpacked(values[first + 2])
            channel.restored(_unpacked(values[6]))
            channel.yesterday_wh = _unpacked(values[7])
            at += _CHANNEL_BYTES


def _packed(value):
    return 0 if value is None else (value + 1) & 0xFFFFFFFF


def _unpacked(value):
    return value - 1 if value else None


def _checksum(data, size):
    return sha256(memoryview(data)[:size]).digest()[:_SUM_BYTES]
