# The energy totals on real littlefs2, through power cuts. MicroPython only; started by pytest.
# energy_on_flash.py cuts EVERY | energy_on_flash.py day: prints its findings as JSON.
#
# The story: a pulse counter (channel 0) and a meter with a register (channel 1) under a varying
# load, over midnight; the meter is reset; a planned restart, with the meter going on meanwhile.
import json
import os
import sys

from ram_disk import TEARS, RamDisk

from firmware.meter import energy_store
from firmware.meter.energy import DWMS_PER_WH
from firmware.meter.energy_store import Energy
from firmware.meter.reading import Reading

BORN_S = 1767225600 - 200  # 200 s before midnight
REGISTER_WH = 500  # on the meter when the story begins
MOST_LOST_DWMS = 10 * DWMS_PER_WH
# The phases of the load: until which second, W of the counter, W of the meter.
LOADS = ((150, 3680, 600), (290, 200, 20), (330, 0, 0), (9999, 2500, 900))


class Off(Exception):
    """There is no power."""


class World:
    """What outlives a power cut: time, the disk, the meter, and what is true."""

    def __init__(self, disk):
        self.disk = disk
        self.second = 0
        self.true = [[0], [0]]  # energy of each channel in dW x ms, by the second
        self.base_wh = REGISTER_WH  # of the register: what it showed at `base_dwms`
        self.base_dwms = 0
        self.reset_second = None
        self.midnight_wh = None  # what the counter had measured then
        self.saved = None  # totals of the last save that has returned, in dW x ms
        self.shown_wh = 0  # total of the meter that was told last
        self.saves = 0
        self.complaints = []

    def unix(self):
        return BORN_S + self.second

    def pass_second(self):
        self.second += 1
        powers_w = [powers_w for until, *powers_w in LOADS if self.second <= until]
        for true, power_w in zip(self.true, powers_w[0]):
            power_w += self.second * 37 % 11 * power_w // 20
            true.append(true[-1] + power_w * 10 * 1000)

    def register_wh(self):
        return self.base_wh + (self.true[1][-1] - self.base_dwms) // DWMS_PER_WH

    def reset_meter(self):
        self.base_wh = 0
        self.base_dwms = self.true[1][-1]
        self.reset_second = self.second

    def complain(self, text):
        self.complaints.append("second %d: %s" % (self.second, text))


class Life:
    """One boot: counts, saves, and checks what was restored."""

    def __init__(self, world):
        self.world = world
        world.disk.mount()
        self._energy = Energy(2, 4000, world, self._log)
        self._readings = (Reading(), Reading())
        self._measured_dwms = None  # up to here
        self._check_restored()

    def run(self, seconds):
        world = self.world
        for _ in range(seconds):
            world.pass_second()
            if self._measured_dwms is None:  # a driver's base
                self._measured_dwms = world.true[0][-1] = world.true[0][-2]
            counter, meter = self._readings
            counter.counted_dwms = world.true[0][-1] - self._measured_dwms
            self._measured_dwms = world.true[0][-1]
            meter.register_wh = world.register_wh()
            self._energy.update(world.second * 1000, self._readings)
            if world.second == 200:
                world.midnight_wh = counter.energy_wh
            self._check_shown()
            written = world.disk.progs
            self._energy.service(world.second * 1000)
            self._saved(written)

    def restart(self):
        written = self.world.disk.progs
        self._energy.flush()
        self._saved(written)

    def _log(self, text):
        if not self.world.disk.dead:
            self.world.complain(text)

    def _saved(self, written):
        world = self.world
        if world.disk.dead:
            raise Off()
        if world.disk.progs != written:
            world.saves += 1
            world.saved = self._totals()

    def _totals(self):
        return [(channel.imported.total_wh or 0) * DWMS_PER_WH + channel.imported.rest_dwms
                for channel in self._energy.channels]

    def _check_restored(self):
        world = self.world
        restored = self._totals()
        for channel, name in ((0, "counter"), (1, "meter")):
            if world.saved and restored[channel] < world.saved[channel]:
                world.complain("the %s fell below what was saved" % name)
        true = world.true[0]
        lost = true[-1] - restored[0]
        if lost < 0:
            world.complain("the counter jumped by %d" % -lost)
        if lost >= MOST_LOST_DWMS:
            world.complain("the counter lost %d" % lost)
        if lost >= DWMS_PER_WH and restored[0] < true[max(len(true) - 61, 0)]:
            world.complain("the counter lost more than 60 s")
        world.lost_dwms = max(lost, 0)
        # Gone for good: from here on the counter must be exact again.
        world.true[0] = [value - lost for value in true]
        if world.midnight_wh is not None:
            world.midnight_wh = min(world.midnight_wh, restored[0] // DWMS_PER_WH)

    def _check_shown(self):
        world = self.world
        counter, meter = self._readings
        if counter.energy_wh != world.true[0][-1] // DWMS_PER_WH:
            world.complain("the counter shows %d" % counter.energy_wh)
        if meter.energy_wh is not None:
            self._check_meter(meter.energy_wh)
        yesterday_wh = counter.yesterday_wh
        if world.second < 200:
            if counter.today_wh != counter.energy_wh or yesterday_wh is not None:
                world.complain("today %d of %d" % (counter.today_wh, counter.energy_wh))
        elif world.saved:
            if counter.today_wh + yesterday_wh != counter.energy_wh:
                world.complain("today %d + %d" % (counter.today_wh, yesterday_wh))
            # The second before midnight, and the one that ends with it.
            if world.midnight_wh is not None and abs(yesterday_wh - world.midnight_wh) > 2:
                world.complain("yesterday %d, not %d" % (yesterday_wh, world.midnight_wh))

    def _check_meter(self, shown_wh):
        # The meter itself remembers, so nothing is lost, unless it is reset.
        world = self.world
        true_wh = REGISTER_WH + world.true[1][-1] // DWMS_PER_WH
        if shown_wh > true_wh:
            world.complain("the meter shows %d of %d" % (shown_wh, true_wh))
        if world.reset_second is None:
            if shown_wh < world.shown_wh:
                world.complain("the meter fell from %d to %d" % (world.shown_wh, shown_wh))
            if self._settled and shown_wh != true_wh:
                world.complain("the meter lost %d" % (true_wh - shown_wh))
        elif true_wh - shown_wh > 10:
            world.complain("the meter lost %d in its reset" % (true_wh - shown_wh))
        world.shown_wh = shown_wh

    @property
    def _settled(self):
        # Whether the register has been believed since the start.
        return self._energy.channels[1].imported.register_wh == self.world.register_wh()


def story(world):
    life = Life(world)
    life.run(280)
    world.reset_meter()
    life.run(100)
    life.restart()
    for _ in range(30):  # off, but the counter's load is off as well
        world.pass_second()
        world.true[0][-1] = world.true[0][-2]
    Life(world).run(90)
    if world.lost_dwms:
        world.complain("a planned restart lost %d" % world.lost_dwms)


def run(image, cuts):
    """The story, with the power going at each of `cuts`: (operation, tear), as often as it gets
    that far. Returns (world, how often it went)."""
    world = World(RamDisk(copy_of=image, cut=cuts[0][0], tear=cuts[0][1]))
    try:
        story(world)
        return world, 0
    except Off:
        happened = 1
    for cut, tear in cuts[1:] + [(None, "none")]:
        world.disk = RamDisk(copy_of=world.disk, cut=cut, tear=tear)
        try:
            Life(world).run(100)
            break
        except Off:
            happened += 1
    if energy_store.PATH + ".bad" in os.listdir():
        world.complain("a broken file")
    return world, happened


def cut_everywhere(every):
    """Each operation, torn in each way; at every `every`-th also a second cut, at each operation
    of what follows."""
    image = RamDisk()
    image.format()
    whole, _ = run(image, [(None, "none")])
    found = {"operations": whole.disk.operations, "erases": whole.disk.erases,
             "saves": whole.saves, "complaints": whole.complaints, "single": 0, "double": 0}
    most_lost_dwms = 0
    for first in range(whole.disk.operations):
        for tear in TEARS:
            world, happened = run(image, [(first, tear)])
            found["single"] += happened
            most_lost_dwms = max(most_lost_dwms, world.lost_dwms)
            note(found, (first, tear), world)
        if first % every == 0:
            second = 0
            happened = 2
            while happened == 2:
                cuts = [(first, TEARS[first % 4]), (second, TEARS[second % 4])]
                world, happened = run(image, cuts)
                found["double"] += happened == 2
                note(found, cuts, world)
                second += 1
    found["most_lost_wh"] = most_lost_dwms // DWMS_PER_WH
    return found


def note(found, cuts, world):
    found["complaints"] += ["%s: %s" % (cuts, text) for text in world.complaints[:3]]


def day():
    """What a day of 2 kW costs the flash, by pulse counter and by register."""
    found = {}
    for kind in ("counter", "register"):
        disk = RamDisk(blocks=64)
        disk.format()
        disk.mount()
        world = World(disk)
        energy = Energy(1, 4000, world, world.complain)
        reading = Reading()
        for second in range(86400):
            world.second = second
            if kind == "counter":
                reading.counted_dwms = 2000 * 10 * 1000
            else:
                reading.register_wh = second * 2000 // 3600
            energy.update(second * 1000, (reading,))
            written = disk.progs
            energy.service(second * 1000)
            world.saves += disk.progs != written
        found[kind] = {"saves": world.saves, "erases": disk.erases}
        found[kind]["wh"] = reading.energy_wh
    return found


def main(arguments):
    if arguments[0] == "day":
        return day()
    return cut_everywhere(int(arguments[1]))


print(json.dumps(main(sys.argv[1:])))
