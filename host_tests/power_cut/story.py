# A story of a node, told over and over with the power cut at each of its operations. MicroPython
# only.
from ram_disk import TEARS, RamDisk


class Off(Exception):
    """There is no power."""


class World:
    """What outlives a power cut. Lists and dicts among its attributes are copied with it."""

    def __init__(self, disk):
        self.disk = disk
        self.cuts = 0
        self.step = 0  # of the story's plan
        self.complaints = []

    def complain(self, text):
        self.complaints.append("step %d: %s" % (self.step, text))

    def copy(self):
        """Another one that goes its own way from here."""
        other = type(self)(RamDisk(copy_of=self.disk))
        for name, value in self.__dict__.items():
            if name != "disk":
                setattr(other, name, value.copy() if isinstance(value, (list, dict)) else value)
        return other

    def cut_at(self, operation, tear):
        """The power goes at this operation, from now on counted from 0; None: it stays."""
        self.disk = RamDisk(copy_of=self.disk, cut=operation, tear=tear)


class Story:
    """live(world, end): lives, from power-on until step `end` of a plan that has so many `steps`;
    it raises `Off` when the power has gone."""

    def __init__(self, live, steps):
        self._live = live
        self._steps = steps

    def run(self, start, cuts, steps=2):
        """The story from the world `start` on to the end of its step and of those after it, so
        many in all. The power goes at each of `cuts`: (operation, tear), as often as it gets that
        far. Returns the world at the end."""
        world = start.copy()
        end = min(start.step + steps, self._steps)
        for cut, tear in cuts + [(None, "none")]:
            world.cut_at(cut, tear)
            try:
                self._live(world, end)
                break
            except Off:
                world.cuts += 1
            except Exception as e:  # where a seeded mistake leads
                world.complain(repr(e))
                break
        return world

    def steps(self, world):
        """Yields for each step of the plan the world before it, and its number of operations; at
        last the world at the end and 0. A complaint is the end."""
        while world.step < self._steps and not world.complaints:
            after = self.run(world, [], 1)
            if not after.complaints:
                yield world, after.disk.operations
            world = after
        yield world, 0

    def cut_everywhere(self, steps, tears, every):
        """Each operation of `steps`, torn in so many of the 4 ways; at every `every`-th also a
        second cut, at every third operation of what follows. Returns (what was found, the world
        at the end)."""
        found = {"operations": 0, "complaints": [], "single": 0, "double": 0}
        for before, operations in steps:
            found["operations"] += operations
            note(found, None, before)
            for first in range(operations):
                for i in range(tears):
                    cut = first, TEARS[(first + i) % 4]
                    world = self.run(before, [cut])
                    found["single"] += world.cuts
                    note(found, cut, world)
                if first % every == every // 2:
                    self._cut_twice(before, first, found)
        return found, before

    def _cut_twice(self, before, first, found):
        second = first // 5 % 3
        while True:
            cuts = [(first, TEARS[first % 4]), (second, TEARS[second % 4])]
            world = self.run(before, cuts)
            note(found, cuts, world)
            if world.cuts < 2:
                return
            found["double"] += 1
            second += 3


def note(found, cuts, world):
    """Put what is wrong with a world into found["complaints"]."""
    found["complaints"] += ["%s: %s" % (cuts, text) for text in world.complaints[:3]]
