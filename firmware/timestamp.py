# The one way in which times are written and read.
from time import gmtime

# Seconds between 1970 and the port's own epoch: 2000 on the chips, 1970 on unix.
_EPOCH_OFFSET_S = 946684800 if gmtime(0)[0] == 2000 else 0
_MONTHS = b"\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"  # days; 1970 to 2099: 2000 is leap


def format_timestamp(unix_s):
    """Seconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`."""
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % calendar(unix_s)[:6]


def calendar(unix_s):
    """Seconds since 1970 as (year, month, day, hour, minute, second, weekday, day of the year)."""
    return gmtime(unix_s - _EPOCH_OFFSET_S)


def parse_timestamp(text):
    """Seconds since 1970 of an RFC 3339 time; fractions are cut, `Z` or an offset is needed.

    Raises ValueError for anything else.
    """
    data = text.encode()  # slices of a str are looked up among all names: four times the work
    digits = data[:4] + data[5:7] + data[8:10] + data[11:13] + data[14:16] + data[17:19]
    if len(digits) != 14 or not digits.isdigit() or len(data) != len(text) or len(data) < 20:
        raise ValueError("not a time: " + text[:40])
    if data[4] != data[7] or data[4] != 45 or data[10] not in b"Tt " \
            or data[13] != data[16] or data[13] != 58:  # - and :
        raise ValueError("not a time: " + text[:40])
    day = int(digits[:8])
    year, month, day = day // 10000, day // 100 % 100, day % 100
    second = int(digits[8:])
    hour, minute, second = second // 10000, second // 100 % 100, second % 100
    if not (1970 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= _MONTHS[month - 1]) \
            or day == 29 and month == 2 and year % 4:
        raise ValueError("no such date: " + text[:40])
    if not (hour <= 23 and minute <= 59 and second <= 60):
        raise ValueError("no such time: " + text[:40])
    unix_s = ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    at = 19
    if data[at] == 46:  # a fraction
        at += 1
        start = at
        while at < len(data) and 48 <= data[at] <= 57:
            at += 1
        if at == start:
            raise ValueError("not a time: " + text[:40])
    return unix_s - parse_offset(text, at)


def _digits(text, start, end):
    part = text[start:end]
    if not part.isdigit():  # int() would take "+1", " 1" and "1_0" too
        raise ValueError("not a time: " + text[:40])
    return int(part)


def parse_offset(text, at=0):
    """Local time less UTC in s, of `Z` or an offset like `+01:00`. Raises ValueError."""
    zone = text[at:]
    if zone in ("Z", "z"):
        return 0
    if len(zone) != 6 or zone[0] not in "+-" or zone[3] != ":":
        raise ValueError("a time needs Z or an offset like +01:00: " + text[:40])
    hours, minutes = _digits(zone, 1, 3), _digits(zone, 4, 6)
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset: " + text[:40])
    offset_s = (hours * 60 + minutes) * 60
    return -offset_s if zone[0] == "-" else offset_s


def _days(year, month, day):
    # Days since 1970-01-01, with years that begin in March so that leap days come last.
    # (mktime is not used: its epoch and its range differ between the ports.)
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 \
        + day - 719469
