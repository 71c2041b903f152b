# What a node remembers of itself: how often it booted, and the random end of its client id.
import os
from binascii import hexlify

from . import storage

PATH = "device.json"


class Device:
    """`boots` counts starts; `suffix` is made once, so that the broker knows the session again.

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
        try:
            storage.replace_json(PATH, {"boots": self.boots, "suffix": self.suffix})
        except OSError as e:
            log("device: cannot keep %s: %s" % (PATH, e))

    def client_id(self, home_id, node_id):
        """`homesync_{home_id}_{node_id}_{random}`, as ordered."""
        return "homesync_%s_%s_%s" % (home_id, node_id, self.suffix)
