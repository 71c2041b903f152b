# Whole updates on real littlefs2, through power cuts: the real firmware/ota, lib/slots.py and
# commands, against a hub that answers each block request at once. MicroPython only; started by
# pytest.
# update_on_flash.py BUNDLES CODE cuts TEARS PARTS EVERY | full | seed STEP: prints its findings as
# JSON. BUNDLES: folder of update_bundles.py; CODE: what goes before the repository in the path.
#
# The story: a node without slots is offered one version after the other (PLAN); each does
# something else. The power is cut in every step of the plan; the story then goes on to the end of
# that step, and of the next one.
import json
import sys

sys.path.insert(0, sys.argv[2])
from ram_disk import TEARS
from story import Story, note
from update_life import POWER, Life
from update_world import FOREIGN, KEYS, PLAN, Bundles, Disk, World, fill

from firmware.ota import actions, updater

LIVES = 40  # far above what any story needs


def beginning(folder):
    """The world before the story: no slot, and what else is in a node's flash."""
    disk = Disk(blocks=80)
    disk.format()
    world = World(Bundles(folder), disk)
    world.mount()
    for name, data in list(FOREIGN.items()) + [(KEYS, world.bundles.keys["old"])]:
        with open(name, "wb") as f:
            f.write(data)
    return world


def live(world, end):
    """Lives until step `end` of the plan, from power-on."""
    start = POWER
    for _ in range(LIVES):
        if world.step >= end:
            return
        try:
            start = Life(world, *start).run() or POWER
        except Exception:
            if not world.disk.dead:
                raise
        world.alive()
    world.complain("it never ends")


story = Story(live, len(PLAN))


def steps(world):
    """Yields for each step of the plan the world before it, and its number of operations."""
    while world.step < len(PLAN):
        after = story.run(world, [], 1)
        yield world, after.operations
        if after.complaints:
            world.complaints = after.complaints
            return
        world = after


def cut_everywhere(tears, parts, every):
    """Every `parts`-th operation, torn in one of the 4 ways, or (2) in the last and one of the
    others; after every `every`-th cut also a second one, at every 7th operation of what
    follows."""
    found = {"operations": 0, "complaints": [], "single": 0, "double": 0, "attached": 0,
             "steps": 0}
    for before, operations in steps(beginning(sys.argv[1])):
        found["operations"] += operations
        found["steps"] += 1
        note(found, None, before)
        for first in range(before.step % parts, operations, parts):
            before.impatient = first % 3 == 1
            ways = (TEARS[first % 4],) if tears == 1 else (TEARS[first % 3], TEARS[3])
            for i, tear in enumerate(ways):
                world = story.run(before, [(first, tear)], 2 - i)
                found["single"] += world.cuts
                found["attached"] += world.attached
                note(found, (first, tear), world)
            if found["single"] % every == 0:
                cut_twice(before, first, found)
    return found


def cut_twice(before, first, found):
    second = first % 7
    while True:
        cuts = [(first, TEARS[first % 4]), (second, TEARS[second % 4])]
        world = story.run(before, cuts, 1)
        note(found, cuts, world)
        if world.cuts < 2:
            return
        found["double"] += 1
        second += 7


def full_everywhere():
    """An update with each number of free blocks, and a disk that is full from each round on;
    both with a reserve and without."""
    found = {"points": 0, "refused": 0, "complaints": []}
    for before, _ in steps(beginning(sys.argv[1])):
        if before.step == 2:
            break
        start = before
    rounds = story.run(start, [], 1).rounds - start.rounds
    reserve = updater.RESERVE_BYTES
    for bytes in (reserve, -(1 << 20)):
        updater.RESERVE_BYTES = actions.RESERVE_BYTES = bytes
        for leave in range(1, 50):
            world = start.copy()
            world.mount()
            fill(leave)
            world.fill_at = start.rounds
            note_full(found, "%d blocks" % leave, world)
        for fill_at in range(1, rounds):
            world = start.copy()
            world.fill_at = start.rounds + fill_at
            note_full(found, "after round %d" % fill_at, world)
    return found


def note_full(found, text, world):
    world = story.run(world, [], 1)
    found["points"] += 1
    found["refused"] += world.refused
    note(found, text, world)


def first_complaint(step):
    """What is found first in a step about a seeded mistake, and in how many runs: before and
    after each operation, from both ends on, since most mistakes are there."""
    runs = 0
    for before, operations in steps(beginning(sys.argv[1])):
        if before.complaints:
            return {"complaints": before.complaints, "runs": runs}
        if before.step != step:
            continue
        for i in range(2 * operations):
            cut = operations - 1 - i // 4 if i & 2 else i // 4
            before.impatient = i % 3 == 1
            world = story.run(before, [(cut, TEARS[i % 2 * 3])], 1)
            runs += 1
            if world.complaints:
                return {"complaints": world.complaints, "runs": runs}
        return {"complaints": [], "runs": runs}


def main(arguments):
    mode, numbers = arguments[0], [int(number) for number in arguments[1:]]
    if mode == "cuts":
        return cut_everywhere(*numbers)
    if mode == "full":
        return full_everywhere()
    return first_complaint(*numbers)


print(json.dumps(main(sys.argv[3:])))
