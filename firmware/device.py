# What a node remembers of itself: how often it booted, the random end of its client id, and
# whether it was online when it was told to start again.
import os
from binascii import hexlify

from . import storage

PATH = "device.json"


class Device:
    """`boots` counts starts; `suffix` is made once, so that the broker knows the session again;
    `was_online`: the start before this one ended with a planned stop, with the session up.

    One small file, written once per start (inline in littlefs: no erase of its own).
    """

    def __init__(self, log):
        try:
            kept = storage.read_json(PATH)
        except ValueError as e:
            log("device: %s" % e)
            kept = None
        if not isinstance(kept, dict):
            kept = {}
        boots, suffix = kept.get("boots"), kept.get("suffix")
        self.boots = boots + 1 if isinstance(boots, int) else 1
        if not isinstance(suffix, str) or len(suffix) != 8:
            suffix = str(hexlify(os.urandom(4)), "ascii")
        self.suffix = suffix
        self.was_online = kept.get("stopped") == "online"
        _keep({"boots": self.boots, "suffix": suffix}, log)

    def client_id(self, home_id, node_id):
        """`homesync_{home_id}_{node_id}_{random}`, as ordered."""
        return "homesync_%s_%s_%s" % (home_id, node_id, self.suffix)


def stopped_online(log):
    """A planned stop, with the session up: the next start is told (`Device.was_online`)."""
    try:
        kept = storage.read_json(PATH)
    except ValueError:
        return  # the next start tells, and mends it
    if isinstance(kept, dict):
        kept["stopped"] = "online"
        _keep(kept, log)


def _keep(values, log):
    try:
        storage.replace_json(PATH, values)
    except OSError as e:
        log("device: cannot keep %s: %s" % (PATH, e))
