# One start of a node that takes updates, up to the next; for update_on_flash.py. MicroPython only.
import json
import sys

import slots
from retained import Retained
from update_world import FILLER, FOREIGN, STAYS, clock, empty, exists, fill, read

from firmware import ondemand
from firmware.mqtt.commands import Commands
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.topics import Topics
from firmware.ota import JOB, actions, ending, trial, updates
from firmware.ota.job import STAGE

PATH = sys.path[:]
ROUNDS = 300  # of the foreground in a life; far above what any needs
FULL_ROUNDS = 50  # then there is room again
# How a life ends, as what the next one asks: had it no power; was it a crash.
POWER, RESTART, CRASH = (True, False), (False, False), (False, True)

# What is loaded on demand is loaded once, `slots` too: compiling it again for each of thousands of
# updates shows nothing.
_loaded = {}


def _load(name):
    if name not in _loaded:
        _loaded[name] = __import__("firmware." + name, None, None, ("*",))
    return _loaded[name]


ondemand.load = _load
ondemand.drop = lambda *names: None


class _Kept:
    modules = {}


updates.sys = _Kept


class Parts:
    """What `Updates` asks of the node's other parts, for which there is none here."""

    limit = 1024
    secure = resolver = None
    settled = True
    connects = 1
    prefix = b"homesync/h/nodes/n/"

    def __init__(self, life):
        self._life = life
        self.metering = self
        self.online = True
        self.meter_works = True  # None: the version fails when it looks
        self.stopping = False

    @property
    def meter_ok(self):
        if self.meter_works is None:
            raise RuntimeError("of this version")
        return self.meter_works

    def beat(self):
        pass

    def timestamp(self):
        return None

    unix = timestamp

    def refresh(self):
        pass

    def restart(self, reason="restart"):
        self.stopping = True

    def publish(self, topic, payload, retain, qos):
        self._life.published(payload)


class Life:
    """One start, up to the next."""

    def __init__(self, world, power_on, crashed):
        self.world = world
        world.mount()
        if power_on:
            world.rtc = b""
        sys.path[:] = PATH
        self._check_flash()
        self._trial = slots.boot(power_on, crashed)
        world.alive()
        self._told = slots.current()
        self._slot = slots.running()
        self._version = self._versions.get(self._slot) if self._slot else 0
        self._check_start()
        self._needs = []  # blocks that the hub has been asked for
        self._offered = self._aborts = False

    def run(self):
        """Until the next start; returns how it comes to that, None at the end of the step."""
        world = self.world
        behaviour = world.plan[1] if self._trial else None
        if self._trial:
            world.starts += 1
        if behaviour == "hang":
            return CRASH
        if behaviour == "crash" and world.starts == 1:
            return self._crash()
        self._begin(behaviour)
        for _ in range(ROUNDS):
            fetching = getattr(self._updates.work, "blocks", None)
            clock.now_ms += 100 if fetching else 40000
            try:
                self._round()
            except RuntimeError:  # of `meter_ok`
                return self._crash()
            world.alive()
            self._hub()
            if self._parts.stopping and self._outbox.answered():
                return RESTART
            if self._over():
                return None
            if self._trial and clock.now_ms > 200000:
                if behaviour == "brownout":
                    return POWER
                if behaviour == "crash":
                    return self._crash()
        world.complain("a life without end, with %r" % self._updates.work)
        return CRASH

    def _crash(self):
        slots.fail("crash")  # as main.py does
        self.world.alive()
        return RESTART

    def _begin(self, behaviour):
        version = "%d.0.0" % self._version
        for module in (actions, ending, trial, updates):
            module.VERSION = version
        clock.now_ms = 0
        self._parts = parts = Parts(self)
        parts.online = behaviour != "offline"
        parts.meter_works = behaviour != "silent"
        if behaviour == "crash" and self.world.starts == 2:
            parts.meter_works = None
        self._outbox = Outbox()
        self._commands = Commands(Topics("homesync", "h", "n"), self._outbox, parts,
                                  Retained(self.world.memory), {}, parts, self._log)
        self._updates = updates.Updates(self._told, "esp32", {}, parts, self._log, parts, parts,
                                        parts, self._commands, self._outbox)
        self._updates.node = parts
        self._commands.handlers["ota"] = self._updates

    def _log(self, text):
        if not self.world.disk.dead and "internal error" in text:
            self.world.complain(text)

    def _round(self):
        # As node.py does it.
        world, parts = self.world, self._parts
        if parts.online:
            self._commands.work()
        self._updates.service()
        world.alive()
        while parts.online:
            message = self._outbox.next()
            if not message:
                break
            self.published(message.payload)
            self._outbox.sent(message)
        world.rounds += 1
        if world.rounds == world.fill_at:
            fill()
        if world.fill_at is not None and world.rounds == world.fill_at + FULL_ROUNDS:
            empty()

    # The hub

    def published(self, payload):
        need = self.world.hear(payload)
        if need:
            self._needs.append(need)

    def _hub(self):
        world = self.world
        if not self._parts.online:
            return
        for need in self._needs:
            self._receive(world.block(need))
            if world.plan[1] == "aborted" and need["offset"] and not self._aborts:
                self._aborts = True
                self._command({"action": "abort", "request_id": "a%d" % world.cuts})
        self._needs = []
        if world.final() or self._offered or self._parts.stopping:
            return
        if self._idle():
            if world.request in world.taken:
                world.complain("%s is forgotten" % world.request)
            self._offer(not world.request or world.cuts)
            world.request = world.latest
        elif world.impatient and world.cuts and world.plan[1] not in ("rollback", "aborted") \
                and not world.attached:
            world.attached += 1
            self._offer(True)

    def _offer(self, anew):
        world = self.world
        self._offered = True
        if anew:
            world.next_request()
        if world.plan[1] == "rollback":
            command = {"action": "rollback"}
        else:
            command = dict(world.offer())
            command["action"] = "offer"
        command["request_id"] = world.latest
        self._command(command)

    def _command(self, command):
        self._receive(json.dumps(command).encode())

    def _receive(self, payload):
        self._commands.receive(self._parts.prefix + b"command/ota", payload, False, False,
                               len(payload))

    def _idle(self):
        return self._updates.work is None and not exists(JOB)

    # What must be true

    def _over(self):
        # Whether the step is: it was told how it ended, and nothing of it is left to do.
        world = self.world
        number, behaviour, end = world.plan
        final = world.final()
        if not final or not self._idle() or not self._outbox.answered():
            return False
        for name in (JOB, STAGE):
            if exists(name):
                world.complain("%s is left" % name)
        if self._may_be_refused(final):
            world.refused += 1
            empty()
            world.request = world.latest = None  # it is offered again, and works
            self._offered = False
            return False
        if final != end:
            world.complain("%s ended as %s, not %s" % (world.request, final, end))
        stays = behaviour in STAYS
        brings = world.bundles.versions[number]["brings"]
        if stays:
            world.may = [number]
            world.floor = max(world.floor, world.bundles.versions[number]["offer"]["floor"])
            if brings and behaviour != "rollback":
                world.keys = brings
        told = self._updates.slot
        if self._version != world.may[0]:
            world.complain("at the end %s runs" % self._version)
        if told["floor"] != world.floor:
            world.complain("at the end the floor is %d" % told["floor"])
        if world.keys_in_flash() != world.keys:
            world.complain("at the end the keys are %s" % world.keys_in_flash())
        if behaviour in ("crash", "silent", "hang") and \
                world.offer()["bundle"][:8] not in told["bad"]:
            world.complain("it is not bad")
        tried = world.starts
        least = 0 if behaviour in ("refused", "aborted") else 1 if stays else 3 - world.cuts
        if tried < least:
            world.complain("%d tries" % tried)
        self._next_step()
        return True

    def _may_be_refused(self, final):
        world = self.world
        if exists(FILLER):
            return final in ("no_space", "flash")
        # The power failed between the job's last word and the switch: of a way back nobody had
        # been told that it would begin, and else it was the second time.
        return final == "rolled_back: power" and not world.starts and \
            world.cuts >= (1 if world.plan[1] == "rollback" else 2)

    def _next_step(self):
        world = self.world
        world.step += 1
        world.starts = world.requests = 0
        world.request = world.latest = None
        world.taken = []
        world.finals = []

    def _check_flash(self):
        # What has a seal is whole, and so is what the state names.
        world = self.world
        active = slots._load()[0]
        self._versions = {}
        for slot in ("a", "b"):
            if exists(slot + "/seal") or slot == active:
                self._versions[slot] = world.bundles.version_in(slot)
                if self._versions[slot] is None:
                    world.complain("slot %s is not whole" % slot)
        for name, data in FOREIGN.items():
            if read(name) != data:
                world.complain("%s has changed" % name)

    def _check_start(self):
        world, told, version = self.world, self._told, self._version
        number, behaviour, _ = world.plan
        brings = world.bundles.versions[number]["brings"]
        stays = behaviour in STAYS
        if self._trial:
            if version != number or told["state"] != "trial":
                world.complain("%s is on trial: %s" % (version, told))
            # Once more if the power failed between the switch and what comes behind it, and all
            # tries had no power.
            most = 6 if behaviour == "brownout" and world.cuts else 3
            if world.starts >= most:
                world.complain("%d starts of a trial before this one" % world.starts)
        elif version == number and stays and world.starts:
            world.may = [version]  # there is no way back from here
        elif version not in world.may:
            world.complain("version %s runs, not %s" % (version, world.may))
        confirmed = stays and version == world.may[0] == number
        keys = world.keys_in_flash()
        if keys != world.keys and not (confirmed and keys == brings):
            world.complain("the keys are %s" % keys)
        floors = [world.floor]
        if confirmed:
            floors.append(world.bundles.versions[number]["offer"]["floor"])
        if told["floor"] != max(floors):
            world.complain("the floor is %d" % told["floor"])
        if told["state"] in ("recovery", "armed") or told["reason"] == "damaged":
            world.complain("%s %s" % (told["state"], told["reason"]))
        if behaviour != "forced" and any(one not in told["bad"] for one in world.bad):
            world.complain("a bad version is forgotten")
        world.bad = told["bad"]
