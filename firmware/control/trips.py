# Trips in flash: a relay that protection has opened stays open over a reboot and a power cut.
from .. import storage

PATH = "trips.json"
CAUSES = ("over_power", "over_current", "under_voltage", "over_voltage", "over_temperature",
          "meter_lost", "unknown")


def load(relay_count, log):
    """The trips kept: a list of (relay, cause, value, limit, tries left to close again).

    A file that cannot be understood unlocks nothing: every relay counts as tripped, "unknown".
    """
    try:
        kept = storage.read_json(PATH)
        if kept is None:
            return []
        trips = [_trip(*item) for item in kept]
    except (ValueError, TypeError) as e:
        log("protection: %s: %s" % (PATH, e))
        return [(index, "unknown", None, None, 0) for index in range(relay_count)]
    return [trip for trip in trips if trip[0] < relay_count]  # the board may have changed


def save(trips):
    """Put such a list into flash; once this returns no power cut brings the old one back.
    OSError."""
    storage.replace_json(PATH, trips)


def _trip(relay, cause, value, limit, tries):
    if type(relay) is not int or relay < 0 or cause not in CAUSES or type(tries) is not int:
        raise ValueError("not a trip")
    return relay, cause, value, limit, tries
