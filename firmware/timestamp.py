# The one way in which times are written and read.
from time import gmtime

# Seconds between 1970 and the port's own epoch: 2000 on the chips, 1970 on unix.
_EPOCH_OFFSET_S = 946684800 if gmtime(0)[0] == 2000 else 0


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
    if len(text) < 20 or len(text.encode()) != len(text):  # isdigit takes other digits too
        raise ValueError("not a time: " + text[:40])
    if text[4] != "-" or text[7] != "-" or text[10] not in "Tt ":
        raise ValueError("not a time: " + text[:40])
    if text[13] != ":" or text[16] != ":":
        raise ValueError("not a time: " + text[:40])
    year, month, day = _digits(text, 0, 4), _digits(text, 5, 7), _digits(text, 8, 10)
    hour, minute, second = _digits(text, 11, 13), _digits(text, 14, 16), _digits(text, 17, 19)
    if not (1970 <= year <= 2099 and 1 <= month <= 12
            and 1 <= day <= _days(year, month + 1, 1) - _days(year, month, 1)):
        raise ValueError("no such date: " + text[:40])
    if not (hour <= 23 and minute <= 59 and second <= 60):
        raise ValueError("no such time: " + text[:40])
    at = 19
    if text[at] == ".":
        at += 1
        start = at
        while at < len(text) and "0" <= text[at] <= "9":
            at += 1
        if at == start:
            raise ValueError("not a time: " + text[:40])
    unix_s = ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
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
