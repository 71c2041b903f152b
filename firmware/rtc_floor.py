# The least that the chip's clock may say, kept over a power cut. Loaded for it, then dropped.
from time import gmtime

from . import RELEASED, storage
from .clock import EARLIEST_S, LATEST_S
from .timestamp import calendar, format_timestamp, parse_timestamp

PATH = "time.json"


def raise_rtc(board, log):
    """Set an RTC that is behind to the floor; returns the time saved last, 0 if there is none.

    The floor is good enough for the dates of certificates, and for nothing else.
    """
    saved_s = _saved(log)
    floor_s = max(parse_timestamp(RELEASED), saved_s)
    if gmtime()[:6] < calendar(floor_s)[:6]:
        board.set_rtc(floor_s)
        log("time: unknown; for certificates it is %s" % format_timestamp(floor_s))
    return saved_s


def save(unix_s, log):
    """Write a time that was told by a time server or the broker."""
    try:
        storage.replace_json(PATH, unix_s)
    except OSError as e:
        log("time: cannot keep %s: %s" % (PATH, e))


def _saved(log):
    try:
        saved_s = storage.read_json(PATH)
        if saved_s is None:
            return 0
        if isinstance(saved_s, int) and EARLIEST_S <= saved_s < LATEST_S:
            return saved_s
        raise ValueError("%s has no time in it" % PATH)
    except ValueError as e:
        log("time: %s" % e)
        return 0
