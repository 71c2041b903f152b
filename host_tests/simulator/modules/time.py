# The chip's `time`: 2**30 ticks period, near its wrap from power-on; clock and dates from 2000.
# The unix port's own module, reached as `utime`, counts other periods and from 1970.
import utime as _utime
from virtual import layout as _layout
from virtual import memory as _memory

sleep = _utime.sleep
sleep_ms = _utime.sleep_ms
sleep_us = _utime.sleep_us
ticks_cpu = _utime.ticks_cpu

_EPOCH_2000_S = 946684800
_CYCLE_YEARS = 28
_CYCLE_S = 10227 * 86400
_MASK = _layout.TICKS_PERIOD - 1
_OFFSET_MS = _memory.read(_layout.TICKS_OFFSET, "<i")

# i386 counts with the chips' period already, and there the C functions do all without objects
# on the heap; a 64-bit build has a period of 2**62, which must be folded.
if _utime.ticks_add(0, -1) == _MASK:
    ticks_us = _utime.ticks_us
    ticks_add = _utime.ticks_add
    ticks_diff = _utime.ticks_diff

    def ticks_ms(_ticks=_utime.ticks_ms, _add=_utime.ticks_add, _offset=_OFFSET_MS):
        return _add(_ticks(), _offset)

else:

    def ticks_ms(_ticks=_utime.ticks_ms, _offset=_OFFSET_MS):
        return _ticks() + _offset & 0x3FFFFFFF

    def ticks_us(_ticks=_utime.ticks_us):
        return _ticks() & 0x3FFFFFFF

    def ticks_add(ticks, delta):
        if not -0x20000000 <= delta < 0x20000000:
            raise OverflowError("ticks interval overflow")
        return ticks + delta & 0x3FFFFFFF

    def ticks_diff(end, start):
        return (end - start + 0x20000000 & 0x3FFFFFFF) - 0x20000000


def time_ns():
    """Nanoseconds since 2000 by the board's clock (microsecond steps)."""
    return (_utime.time_ns() // 1000 + _memory.read(_layout.CLOCK_OFFSET, "<q")) * 1000


def time():
    """Whole seconds since 2000 by the board's clock."""
    return time_ns() // 1000000000


def gmtime(seconds=None):
    """(year, month, day, hour, minute, second, weekday, day of the year)"""
    if seconds is None:
        seconds = time()
    unix_s = int(seconds) + _EPOCH_2000_S
    years = 0
    while unix_s > 0x7FFFFFFF:  # i386 counts to 2038 only, but the calendar repeats until 2099
        unix_s -= _CYCLE_S
        years += _CYCLE_YEARS
    moment = _utime.gmtime(unix_s)
    return (moment[0] + years,) + moment[1:8]


localtime = gmtime  # the chips know no time zones


def mktime(moment):
    """Seconds since 2000 of a gmtime() tuple."""
    if len(moment) not in (8, 9):
        raise TypeError("mktime needs a tuple of length 8 or 9 (%d given)" % len(moment))
    year, month, day, hour, minute, second = moment[:6]
    # Count from 1 March, so that the leap day ends a year.
    shifted = year - (month <= 2)
    years = shifted - 2000
    leap_days = shifted // 4 - shifted // 100 + shifted // 400 - 485
    days = years * 365 + leap_days + (153 * ((month - 3) % 12) + 2) // 5 + day - 1 + 60
    return ((days * 24 + hour) * 60 + minute) * 60 + second
