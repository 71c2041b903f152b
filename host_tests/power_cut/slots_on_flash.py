# Slots on real littlefs2, through power cuts. MicroPython only; started by pytest.
# slots_on_flash.py cuts TEARS EVERY | seed NAME | seeds: prints its findings as JSON.
#
# The story: a node without slots gets one version after the other. Each of them behaves in its
# own way (PLAN); the hub offers the next one when the one before has been confirmed or is on the
# list of bad ones. Whatever the node says, what lies in flash is compared with what was offered.
# The power is cut in every step of the plan; the story then goes on to the end of that step and
# of the next one.
import json
import os
import sys

from ram_disk import RamDisk
from story import Off, Story, World

FILES = (("firmware/app.mpy", 300), ("firmware/boards/one.json", 90), ("top.mpy", 2000))
# (number of a version, which is its floor too; how it behaves)
PLAN = ((1, "crash"), (2, "good"), (3, "good"), (3, "decay"), (4, "hang"), (5, "spoilt"))
LIVES = 60  # far above what any story needs
MPY = sys.implementation._mpy

# Mistakes in the order of things, as (text of slots.py, text in its place): each must be found.
_COUNT_DOWN = " and _saved(active, tries - 1, previous, floor, bad, reason)"
_ARM = '    _save(folder.name, _TRIES, active, floor, bad, "")\n'
_MAY_NOT = "    if tries != _CONFIRMED or not head "
_SPARE = "    folder.begin()\n    return folder\n"
_UNSEAL = '            os.remove(self.name + "/seal")\n'
_RETURN = '        _saved(active, _CONFIRMED, "", floor, bad, reason)\n'
_ON_TRIAL = '    if tries != _CONFIRMED:\n        raise ValueError("on trial")\n'
SEEDS = {
    "armed_before_the_files": [
        (_SPARE, "    state = _load()\n"
                 "    _save(folder.name, _TRIES, state[0], state[3], state[4], '')\n" + _SPARE),
        (_MAY_NOT, "    if tries != _CONFIRMED:\n        return\n" + _MAY_NOT)],
    "tries_not_counted_in_flash": [(_COUNT_DOWN, "")],
    "removed_before_renamed": [
        ('    os.rename(path + ".new", path)\n',
         '    if path in os.listdir():\n        os.remove(path)\n'
         '    os.rename(path + ".new", path)\n')],
    "not_unsealed_first": [(_UNSEAL, "            pass\n")],
    "not_checked_at_boot": [
        ("        head = Folder(active).check()\n",
         "        head = Folder(active).check(whole=False)\n"),
        ("    if not Folder(active).check():\n",
         "    if not Folder(active).check(whole=False):\n")],
    "begun_during_a_trial": [(_ON_TRIAL, "")],
    "switched_in_two_steps": [
        (_ARM, '    _save(folder.name, _CONFIRMED, "", floor, bad, "")\n' + _ARM)],
    "returned_before_it_is_listed": [
        (_RETURN, '        _saved(active, _CONFIRMED, "", floor, bad[:-1], reason)\n' + _RETURN)],
}


def content(version, name, size):
    return ("%d %s " % (version, name) * (size // len(name) + 1)).encode()[:size]


def id_of(version):
    return "%08x" % (version * 0x1234567)


def version_in(slot):
    """The number of the version that lies in a slot, byte by byte; None if none is whole."""
    try:
        with open(slot + "/" + FILES[0][0]) as f:
            version = int(f.read(1))
        for name, size in FILES:
            with open(slot + "/" + name, "rb") as f:
                if f.read() != content(version, name, size):
                    return None
        return version
    except (OSError, ValueError):
        return None


class Truth(World):
    """The disk, the hub, and what is true; code: of slots.py."""

    def __init__(self, disk, code=None):
        super().__init__(disk)
        self.code = code
        self.may = [0]  # versions that may run without being on trial; 0: no slot
        self.floor = 0
        self.bad = []
        self.starts = {}  # how often each version was tried
        self.spoilt = []  # slots this test has damaged
        self.damages = 0  # that no boot has met yet
        self.was_spoilt = False


class Life:
    """One boot, up to the next."""

    def __init__(self, world, power_on, crashed):
        self.world = world
        world.disk.mount()
        self._slots = {}
        exec(world.code, self._slots)
        sys.path[:] = [""]
        self._check_flash()
        trial = self._do("boot", power_on, crashed)
        slot = self._do("running")
        self._version = version_in(slot) if slot else 0
        self._slot = slot
        self._trial = trial
        self._told = self._do("current")
        self._check_boot()

    def run(self):
        """Do what is next; returns whether the reset at the end was a crash, None at the end."""
        if self._trial:
            return self._try()
        version, behaviour = PLAN[self.world.step]
        if behaviour == "decay":
            if self._version == version:
                self._spoil(self._slot)
            else:
                self.world.step += 1
        elif self._version == version:
            self.world.step += 1
        elif id_of(version) in self._told["bad"]:
            self._check_return(version, behaviour)
            self.world.step += 1
        else:
            self._install(version, behaviour)
        return False

    def _do(self, name, *arguments):
        result = self._slots[name](*arguments)
        if self.world.disk.dead:
            raise Off()
        return result

    def _try(self):
        world, version = self.world, self._version
        behaviour = PLAN[world.step][1]
        world.starts[version] = world.starts.get(version, 0) + 1
        if world.starts[version] > 3:
            world.complain("version %s was tried %d times" % (version, world.starts[version]))
        try:
            self._do("begin")
            world.complain("an update began during a trial")
        except ValueError:
            pass
        if behaviour in ("good", "spoilt"):
            world.may.append(version)
            if not self._do("confirm"):
                world.complain("version %s is not confirmed" % version)
            world.may = [version]
            if self._do("current")["floor"] != version:
                world.complain("the floor has not risen")
            world.floor = version
        elif behaviour == "crash":
            self._do("fail", "crash")
        return behaviour == "hang"

    def _install(self, version, behaviour):
        world = self.world
        folder = self._do("begin")
        world.spoilt = [slot for slot in world.spoilt if slot != folder.name]
        for name, size in FILES:
            f = folder.create(name)
            f.write(content(version, name, size))
            f.close()
        from binascii import hexlify
        from hashlib import sha256
        for _ in folder.seal(
                {"id": id_of(version), "version": str(version), "floor": version, "mpy": MPY},
                ((name, str(hexlify(sha256(content(version, name, size)).digest()), "ascii"))
                 for name, size in FILES)):
            pass
        self._do("switch", folder)
        if behaviour == "spoilt" and not world.was_spoilt:
            self._spoil(folder.name)
            world.was_spoilt = True

    def _spoil(self, slot):
        if slot not in self.world.spoilt:
            self.world.spoilt.append(slot)
        self.world.damages += 1
        if slot == self._slot:
            older = version_in("b" if slot == "a" else "a")
            self.world.may = [self._version, older]
        path = slot + "/" + FILES[2][0]
        f = open(path, "r+b")
        f.seek(1500)
        f.write(b"\xa5")
        f.close()

    def _check_flash(self):
        # What has a seal is whole, and so is what the state names.
        active = self._slots["_load"]()[0]
        for slot in ("a", "b"):
            try:
                os.stat(slot + "/seal")
                sealed = True
            except OSError:
                sealed = False
            if (sealed or slot == active) and slot not in self.world.spoilt \
                    and version_in(slot) is None:
                self.world.complain("slot %s is %s and not whole" % (
                    slot, "sealed" if sealed else "switched to"))

    def _check_boot(self):
        world, version, told = self.world, self._version, self._told
        if version is None:
            world.complain("what runs in slot %s is not whole" % self._slot)
        elif self._trial:
            if told["state"] != "trial" or version != PLAN[world.step][0]:
                world.complain("version %d is on trial: %s" % (version, told))
        elif version not in world.may:
            world.complain("version %d runs, not %s" % (version, world.may))
        if version and told["version"] != str(version):
            world.complain("version %s says it is %s" % (version, told["version"]))
        if told["floor"] < world.floor:
            world.complain("the floor fell from %d to %d" % (world.floor, told["floor"]))
        world.floor = told["floor"]
        if told["state"] in ("recovery", "armed"):
            world.complain(told["state"])
        if told["reason"] == "damaged" and not world.damages:
            world.complain("damaged without damage")
        if any(one not in told["bad"] for one in world.bad):
            world.complain("a bad version is forgotten")
        world.bad = told["bad"]

    def _check_return(self, version, behaviour):
        world, told = self.world, self._told
        tried = world.starts.get(version, 0)
        if tried < 3 - world.cuts:
            world.complain("version %d was tried %d times" % (version, tried))
        if told["state"] != "rolled_back" or told["reason"] != {
                "crash": "crash", "hang": "reset"}[behaviour]:
            world.complain("version %d is gone: %s" % (version, told))


def live(world, end):
    """Lives until step `end` of the plan, from power-on."""
    power_on, crashed = True, False
    for _ in range(LIVES):
        if world.step == end:
            return
        try:
            crashed = Life(world, power_on, crashed).run()
        except Exception:
            if not world.disk.dead:
                raise
        if world.disk.dead:
            raise Off()
        power_on = False
    world.complain("it never ends")


story = Story(live, len(PLAN))


def beginning(seed=None):
    """The world before the story: an empty disk, and slots.py with these mistakes."""
    disk = RamDisk(blocks=40)
    disk.format()
    for folder in sys.path:
        try:
            with open(folder + "/slots.py") as f:
                text = f.read()
            break
        except OSError:
            pass
    for old, new in SEEDS[seed] if seed else ():
        if text.count(old) != 1:
            raise ValueError("%s: %r is there %d times" % (seed, old, text.count(old)))
        text = text.replace(old, new)
    return Truth(disk, compile(text, "slots.py", "exec"))


def steps(world):
    """As those of the story; at the end the floor has risen."""
    for before, operations in story.steps(world):
        if before.step == len(PLAN) and before.floor != 5:
            before.complain("it ended at floor %d" % before.floor)
        yield before, operations


def first_complaint(seed):
    """What is found first about a mistake, and in how many runs."""
    runs = 0
    for before, operations in steps(beginning(seed)):
        world = before
        for first in range(operations):
            if world.complaints:
                break
            world = story.run(before, [(first, "none")])
            runs += 1
        if world.complaints:
            return {"complaints": world.complaints, "runs": runs}
    return {"complaints": [], "runs": runs}


def main(arguments):
    if arguments[0] == "seed":
        return first_complaint(arguments[1])
    if arguments[0] == "seeds":
        return {"seeds": sorted(SEEDS)}
    found, world = story.cut_everywhere(steps(beginning()), int(arguments[1]), int(arguments[2]))
    found["starts"] = sorted(world.starts.items())
    return found


print(json.dumps(main(sys.argv[1:])))
