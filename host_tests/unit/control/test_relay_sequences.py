"""Every sequence of up to six events on a group of two relays: never both closed, never both
coils of one under current, never a coil held.

States that differ in nothing but the time of day are followed up once. The contacts are judged
by the pins alone, at their worst: closed as soon as the closing coil has current, open only when
the opening coil had it for its full time.
"""

from hashlib import sha256
from time import ticks_add, ticks_diff

from firmware.control.latching import LatchingRelay
from firmware.control.relays import Relay, Relays
from host_tests.unit.control.relay_board import Record
from host_tests.unit.fakes import raised

DEAD_MS = 120
PULSE_MS = 80
TICK_MS = 40
START_MS = ticks_add(0, -250)  # ticks start over on the way
LONG_AGO_MS = 1000  # older than this is all the same to the rules, but for the flood guard


class Contact:
    """The contact of one relay, as its pins tell. `clock` has the time, `partner` is the other."""

    def __init__(self, clock, latching):
        self.clock = clock
        self.partner = None
        self.latching = latching
        self.closed = latching  # for all we know
        self.opened_ms = None
        self.coils = [0, 0]  # the one that opens, the one that closes
        self.driven_ms = None

    def write(self, coil, level):
        now_ms = self.clock.now_ms
        if not self.latching:
            if level:
                self.close()
            elif self.closed:
                self.closed = False
                self.opened_ms = now_ms
            return
        self.look()
        self.coils[coil] = level
        assert self.coils != [1, 1], "both coils"
        if level:
            self.driven_ms = now_ms
            if coil:
                self.close()

    def close(self):
        other = self.partner
        other.look()
        assert not other.closed, "both closed"
        assert other.opened_ms is None or \
            ticks_diff(self.clock.now_ms, other.opened_ms) >= DEAD_MS, "dead time"
        self.closed = True

    def look(self):
        """What time has done to it."""
        if 1 in self.coils:
            held_ms = ticks_diff(self.clock.now_ms, self.driven_ms)
            assert held_ms <= PULSE_MS + TICK_MS, "a coil is held"
            if self.coils[0] and held_ms >= PULSE_MS and self.closed:
                self.closed = False
                self.opened_ms = ticks_add(self.driven_ms, PULSE_MS)


class CoilPin:
    def __init__(self, contact, coil):
        self.contact = contact
        self.coil = coil
        self.level = 0

    def value(self, level):
        if level != self.level:
            self.level = level
            self.contact.write(self.coil, level)


class World:
    def __init__(self, first, second, boot_states):
        self.now_ms = START_MS
        self.contacts = [Contact(self, relay.latching) for relay in (first, second)]
        self.contacts[0].partner, self.contacts[1].partner = self.contacts[1], self.contacts[0]
        self.relays = Relays(
            [first, second], self.output, Record(), boot_states, True, interlock=[[0, 1]],
            interlock_ms=DEAD_MS)
        self.parts = self.contacts + self.relays.relays + [self.relays]

    def output(self, number, level):
        # Pins 1 and 2 close; 11 and 12 open.
        pin = CoilPin(self.contacts[number % 10 - 1], 0 if number > 10 else 1)
        pin.value(level)
        return pin

    def wait(self, ms):
        for _ in range(ms // TICK_MS):
            self.now_ms = ticks_add(self.now_ms, TICK_MS)
            self.relays.tick(self.now_ms)
            for contact in self.contacts:
                contact.look()

    def save(self):
        pins = [pin.level for pin in self.pins()]
        return self.now_ms, pins, [copied(part.__dict__) for part in self.parts]

    def load(self, saved):
        self.now_ms, pins, parts = saved
        for pin, level in zip(self.pins(), pins):
            pin.level = level
        for part, attributes in zip(self.parts, parts):
            for name, value in copied(attributes).items():
                setattr(part, name, value)

    def pins(self):
        found = []
        for relay in self.relays.relays:
            found.extend(relay._coils if relay.latching else [relay._output])
        return found

    def key(self):
        """The same for states that go on in the same way."""
        key = [pin.level for pin in self.pins()]
        for part in self.parts:
            attributes = part.__dict__
            for name in sorted(attributes):
                value = attributes[name]
                if name in ("off_ms", "opened_ms", "driven_ms", "_end_ms"):
                    value = None if value is None else ticks_diff(value, self.now_ms)
                    if value is not None and value < -LONG_AGO_MS:
                        value = -LONG_AGO_MS
                elif name == "changes_ms":
                    value = [ticks_diff(at_ms, self.now_ms) for at_ms in value]
                if isinstance(value, (int, list)) or name == "closing":
                    key.append(value)
        digest = sha256(repr(key).encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 2


def copied(attributes):
    return {name: list(value) if isinstance(value, list) else value
            for name, value in attributes.items()}


EVENTS = (
    ("on 0", lambda world: world.relays.set(0, True, "command", world.now_ms)),
    ("on 1", lambda world: world.relays.set(1, True, "command", world.now_ms)),
    ("off 0", lambda world: world.relays.set(0, False, "command", world.now_ms)),
    ("toggle 1", lambda world: world.relays.toggle(1, "button", world.now_ms)),
    ("pulse 0", lambda world: world.relays.pulse(0, 100, world.now_ms)),
    ("trip 0", lambda world: world.relays.trip(0, world.now_ms)),
    ("release 0", lambda world: world.relays.release(0)),
    ("40 ms", lambda world: world.wait(40)),
    ("200 ms", lambda world: world.wait(PULSE_MS + DEAD_MS)),
)


def steps_of(path):
    """Indices of events; a path is the number that has them as its digits, with a 1 before."""
    steps = []
    while path > 1:
        steps.insert(0, path % len(EVENTS))
        path //= len(EVENTS)
    return steps


def happens(world, step):
    EVENTS[step][1](world)
    assert world.relays.status()["relays"] != ["on", "on"], "both on"


def explore(world, depth):
    """Number of different states that were reached.

    Of each only the way there is kept and a hash, both as small ints: thousands of states must
    fit into the heap of a MicroPython.
    """
    start = world.save()
    paths = [1]
    known = {world.key()}
    for _ in range(depth):
        new = []
        for path in paths:
            world.load(start)
            for step in steps_of(path):
                EVENTS[step][1](world)
            here = world.save()
            for step in range(len(EVENTS)):
                world.load(here)
                longer = path * len(EVENTS) + step
                wrong = raised(AssertionError, happens, world, step)
                assert wrong is None, "%s after %s" % (
                    wrong, ", ".join(EVENTS[i][0] for i in steps_of(longer)))
                key = world.key()
                if key not in known:
                    known.add(key)
                    new.append(longer)
        paths = new
    return len(known)


def test_two_plain_relays():
    assert explore(World(Relay(1), Relay(2), []), 6) > 1000


def test_two_latching_relays():
    world = World(LatchingRelay(1, 11, PULSE_MS), LatchingRelay(2, 12, PULSE_MS), [])
    assert explore(world, 6) > 1000


def test_a_plain_and_a_latching_relay():
    assert explore(World(Relay(1), LatchingRelay(2, 12, PULSE_MS), []), 6) > 1000


def test_latching_relays_of_which_one_boots_closed():
    for boot_states in (["on", "on"], ["off", "on"]):
        world = World(LatchingRelay(1, 11, PULSE_MS), LatchingRelay(2, 12, PULSE_MS), boot_states)
        assert explore(world, 4) > 100
