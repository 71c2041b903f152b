# The backlog on real littlefs2, through power cuts. MicroPython only; started by pytest.
# backlog_on_flash.py cuts EVERY | backlog_on_flash.py day: prints its findings as JSON.
#
# The story: an outage without the time of day, which comes in the middle of it and lasts until
# flash is full; a planned restart; a link that breaks within a record; another restart; the rest.
# A minute's energy is the number of its last sample, so every message tells when it was measured.
import json
import os
import sys

from ram_disk import TEARS, RamDisk

from firmware.telemetry import backlog, ring
from firmware.timestamp import parse_timestamp

BORN_S = 1767225600  # when the first life begins
BOOT_S = 5  # from a start to the first sample
RUN_LIMIT = 2000  # messages of a run: far above what there can be


class Off(Exception):
    """There is no power."""


class Clock:
    """Uptime and UTC, moved by hand."""

    def __init__(self, world, knows):
        self._world = world
        self._born_s = world.now_s
        self.knows = knows

    @property
    def uptime_s(self):
        return self._world.now_s - self._born_s

    def unix(self):
        return self._world.now_s if self.knows else None


class Reading:
    active_power_w = 100.0
    energy_wh = None


class World:
    """What outlives a power cut: time, the disk, what was measured, and what the hub has heard."""

    def __init__(self, disk):
        self.disk = disk
        self.now_s = BORN_S
        self.measured = []  # when each sample was taken
        self.heard = []  # (topic, timestamp, value), as they came
        self.safe = set()  # numbers of samples whose record must arrive
        self.files = {}  # number of a file: its records, each by the number of its last sample

    def boot(self, knows):
        self.disk.mount()
        return Life(self, knows)


class Life:
    """One boot: measures, writes, sends, and notes what may not be lost any more."""

    def __init__(self, world, knows):
        self.world = world
        self.clock = Clock(world, knows)
        world.now_s += BOOT_S
        self.backlog = backlog.Backlog(self.clock, lambda text: None)
        self._check_power()
        self._reading = Reading()
        self._samples = 0  # since the minute began
        self._made = []  # records in RAM
        self._undated = []  # records in flash that have no date there

    def measure(self, seconds):
        world = self.world
        for _ in range(seconds):
            world.now_s += 1
            if self._samples == 60:
                self._made.append(len(world.measured) - 1)
                self._samples = 0
            self._reading.energy_wh = len(world.measured)
            world.measured.append(world.now_s)
            self._samples += 1
            self.backlog.sample(0, self._reading, 1, 1)
            full = len(self._made) == backlog.MINUTES
            if full:
                self._oldest_may_go()
            self.backlog.service()
            self._check_power()
            if full:
                self._written()
            if self.clock.knows and self._undated:
                world.safe.update(self._undated)
                self._undated = []

    def learn_time(self):
        self.clock.knows = True

    def online(self):
        self.world.now_s += 1
        self.backlog.online()
        self._end_minute()

    def offline(self):
        self.backlog.offline()
        self._samples = 0

    def send(self, limit=RUN_LIMIT):
        """Send up to `limit` messages; returns how many there were."""
        for sent in range(limit):
            # Records without a date are dropped a few at a time.
            for _ in range(10):
                message = self.backlog.next()
                if message:
                    break
            self._check_power()
            if not message:
                return sent
            topic, payload = message
            found = json.loads(payload)
            self.world.heard.append((topic, parse_timestamp(found["timestamp"]), found["value"]))
            self.backlog.done()
            self._check_power()
        return limit

    def restart(self):
        self.world.now_s += 1
        self._end_minute()
        self._oldest_may_go()
        self.backlog.flush()
        self._check_power()
        self._written()

    def _end_minute(self):
        if self._samples:
            self._made.append(len(self.world.measured) - 1)
        self._samples = 0

    def _oldest_may_go(self):
        files = self.world.files
        there = numbers()
        for number in list(files):
            if number not in there:
                del files[number]
        if len(files) == ring.FILES:
            self.world.safe -= set(files.pop(min(files)))

    def _written(self):
        self.world.files[max(numbers())] = self._made
        if self.clock.knows:
            self.world.safe.update(self._made)
        else:
            self._undated += self._made
        self._made = []

    def _check_power(self):
        if self.world.disk.dead:
            raise Off()


def numbers():
    """Of the files there are."""
    return [int(name[8:]) for name in os.listdir() if name[8:].isdigit()]


def story(world):
    life = world.boot(knows=False)
    life.measure(9 * 60 + 30)  # two files without a date
    life.learn_time()
    life.measure(8 * 60)  # the fourth file drives out the first
    life.restart()
    life = world.boot(knows=True)
    life.measure(70)
    life.online()
    life.send(13)  # the first file, and of the second up to the power of the third record
    life.offline()
    life.measure(100)
    life.restart()
    life = world.boot(knows=True)
    life.online()
    life.send()


def ending(world):
    """What comes after a cut: the node starts again, knows the time, is online, and sends."""
    life = world.boot(knows=True)
    life.online()
    if life.send() == RUN_LIMIT:
        return "no end"
    if life.backlog.count:
        return "%d records do not leave" % life.backlog.count
    left = [name for name in os.listdir() if name != "backlog.state"]
    return "left behind: %s" % left if left else None


def wrong(world, cuts):
    """What the hub has to complain about, or None."""
    values = {}
    arrived = set()
    last_s = 0
    for topic, time_s, value in world.heard:
        if time_s < last_s:
            return "time goes back at %d" % time_s
        last_s = time_s
        if values.setdefault((topic, time_s), value) != value:
            return "two values at %d" % time_s
        if topic == b"telemetry/energy":
            if abs(time_s - world.measured[value]) > 1:
                return "sample %d is dated %d s wrong" % (value, time_s - world.measured[value])
            arrived.add(value)
    repeated = len(world.heard) - len(values)
    if repeated > cuts:
        return "%d duplicates" % repeated
    powers = [time_s for topic, time_s in values if topic == b"telemetry/power"]
    if len(powers) != len(arrived):
        return "%d power, %d energy" % (len(powers), len(arrived))
    lost = world.safe - arrived
    return "lost: %s" % sorted(lost) if lost else None


def run(image, cuts):
    """The story, with the power going at each of `cuts`: (operation, tear), as often as it gets
    that far. Returns (world, how often it went, complaint or None)."""
    world = World(RamDisk(copy_of=image, cut=cuts[0][0], tear=cuts[0][1]))
    happened = 0
    told = None
    try:
        story(world)
    except Off:
        happened = 1
        for cut, tear in cuts[1:] + [(None, "none")]:
            world.disk = RamDisk(copy_of=world.disk, cut=cut, tear=tear)
            try:
                told = ending(world)
                break
            except Off:
                happened += 1
    return world, happened, told or wrong(world, happened)


def cut_everywhere(every):
    """Each operation, torn in each way; at every `every`-th (0: none) also a second cut, at each
    operation of what follows."""
    # A ring of three files of four records, read two at a time.
    backlog.MINUTES = 4
    ring.FILES = 3
    ring._CHUNK = 2
    image = RamDisk()
    image.format()
    whole, _, complaint = run(image, [(None, "none")])
    found = {"operations": whole.disk.operations, "heard": len(whole.heard),
             "safe": len(whole.safe), "complaints": [], "single": 0, "double": 0}
    if complaint:
        found["complaints"].append("no cut: " + complaint)
    for first in range(whole.disk.operations):
        for tear in TEARS:
            cuts = [(first, tear)]
            _, happened, complaint = run(image, cuts)
            found["single"] += happened
            if complaint:
                found["complaints"].append("%s: %s" % (cuts, complaint))
        if every and first % every == 0:
            second = 0
            happened = 2
            while happened == 2:
                cuts = [(first, TEARS[first % 4]), (second, TEARS[second % 4])]
                _, happened, complaint = run(image, cuts)
                found["double"] += happened == 2
                if complaint:
                    found["complaints"].append("%s: %s" % (cuts, complaint))
                second += 1
    return found


def day():
    """An outage of 26 hours in the size it has on the chips, and what it costs the flash."""
    disk = RamDisk(blocks=64)
    disk.format()
    disk.mount()
    world = World(disk)
    life = world.boot(knows=True)
    reading = Reading()
    for _ in range(26 * 60):  # three samples a minute will do
        for _ in range(3):
            world.now_s += 20
            reading.energy_wh = len(world.measured)
            world.measured.append(world.now_s)
            life.backlog.sample(0, reading, 1, 1)
        life.backlog.service()
    found = {"written": [disk.progs, disk.erases], "kept": life.backlog.count,
             "dropped": life.backlog.dropped}
    life.backlog.flush()
    life = world.boot(knows=True)
    life.backlog.online()
    disk.progs = disk.erases = 0
    found["heard"] = life.send(10000)
    found["drained"] = [disk.progs, disk.erases]
    found["complaint"] = wrong(world, 0)
    return found


def main(arguments):
    if arguments[0] == "day":
        return day()
    return cut_everywhere(int(arguments[1]))


print(json.dumps(main(sys.argv[1:])))
