# Trips on real littlefs2, through power cuts. MicroPython only; started by pytest.
# Prints its findings as JSON.
#
# The story, told as often as there are operations on flash: relays trip, one is cleared, another
# one trips, all are cleared. At every operation the power goes, torn in each way; then the node
# starts again, and what it finds is compared with what protection had promised by then.
import json

from ram_disk import TEARS, RamDisk

from firmware import storage
from firmware.control import trips
from firmware.control.protection import Protection

RELAYS = 4


class Contact:
    """What protection needs of a relay."""

    partners = ()

    def __init__(self):
        self.on = True

    def lasting(self):
        return self.on


class Relays:
    def __init__(self, locked):
        self.relays = [Contact() for _ in range(RELAYS)]
        for index in locked:
            self.relays[index].on = False

    def trip(self, index, now_ms):
        self.relays[index].on = False

    def release(self, index):
        self.relays[index].on = True  # somebody closes it, so that it can trip again


class Reading:
    current_a = None
    voltage_v = 230.0
    active_power_w = 0.0


class Off(Exception):
    """There is no power."""


class Node:
    """One boot. `promised` is what flash must have, `doing` what it may have as well."""

    def __init__(self, disk, log):
        disk.mount()
        self._disk = disk
        self.found = trips.load(RELAYS, log)
        self.relays = Relays([trip[0] for trip in self.found])
        entries = [{"relay": index, "phase": "abc"[index % 3], "max_power": 1000 * (1 + index)}
                   for index in range(RELAYS)]
        self.protection = Protection(
            entries, self.relays, log, self._keep, self.found, channels=3)
        self.promised = self.doing = self.found

    def _keep(self, kept):
        assert all(not self.relays.relays[trip[0]].on for trip in kept)
        self.doing = list(kept)
        try:
            trips.save(kept)
        finally:
            if self._disk.dead:
                raise Off()
        self.promised = self.doing

    def overload(self, phase, watts):
        readings = [Reading(), Reading(), Reading()]
        readings[phase].active_power_w = watts
        self.protection.sample(readings, (True, True, True), 0)


def story(node):
    for _ in range(3):  # until littlefs has to tidy up
        chapter(node)
    node.overload(1, 2600.0)


def chapter(node):
    node.overload(1, 2500.5)
    node.overload(0, 1100.25)
    node.protection.clear(1, 0)
    node.overload(2, 3333.0)
    node.protection.clear(0, 0)
    node.overload(1, 9000.75)
    node.overload(0, 99999.125)
    node.protection.clear(None, 0)


def quiet(text):
    """Takes what would be logged."""


def cut_everywhere():
    image = RamDisk()
    image.format()
    image.mount()
    # Files of others, as a node has them.
    storage.replace_json("config.json", {"home_id": "home", "protection": [1] * 400})
    whole = RamDisk(copy_of=image)
    node = Node(whole, quiet)
    story(node)
    found = {"operations": whole.operations, "erases": whole.erases, "cuts": 0, "violations": [],
             "kept": node.promised, "old": 0, "new": 0}
    for cut in range(whole.operations):
        for tear in TEARS:
            disk = RamDisk(copy_of=image, cut=cut, tear=tear)
            node = None
            try:
                node = Node(disk, quiet)
                story(node)
                found["violations"].append("no cut at %d" % cut)
            except Off:
                found["cuts"] += 1
            lines = []
            again = Node(RamDisk(copy_of=disk), lines.append)
            if lines or again.found not in (node.promised, node.doing):
                found["violations"].append("%d %s: %s instead of %s or %s: %s" % (
                    cut, tear, again.found, node.promised, node.doing, lines))
            found["old" if again.found == node.promised else "new"] += 1
            # And it goes on: the next trip is kept as well.
            again.protection.clear(None, 0)
            again.overload(1, 2700.0)
            last = Node(RamDisk(copy_of=again._disk), lines.append)
            if [trip[:3] for trip in last.found] != [(1, "over_power", 2700.0)]:
                found["violations"].append("%d %s: then %s" % (cut, tear, last.found))
    return found


print(json.dumps(cut_everywhere()))
