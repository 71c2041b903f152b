# Changes of settings on real littlefs2, through power cuts. MicroPython only; started by pytest.
# config_on_flash.py cuts TEARS EVERY | seed NAME | seeds: prints its findings as JSON.
#
# The story: a hub sends one `command/config` after the other (PLAN), each until it has heard the
# last word on it; the real handlers, the real trial and the real outbox do the rest. A network
# stands by whose answer depends on the settings. The power is cut in every step of the plan; the
# story then goes on to the end of that step and of the next one.
import json
import os
import sys
from time import ticks_add

from ram_disk import RamDisk
from story import Off, Story, World, note

from firmware import ondemand, storage
from firmware.actions import ConfigActions
from firmware.config import TRIAL, change, pending, schema, store, trial
from firmware.mqtt.commands import Commands
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.topics import Topics

FIRST = {"home_id": "h", "node_id": "n", "wifi_ssid": "attic", "broker_port": 1884,
         "sample_ms": 900, "calibration": {"power": 1.1}, "interlock": [[0, 1]]}
NOWHERE = 666  # a broker port
CRASHES = 77  # keepalive_s that the node does not bear
ONCE = 13  # stable_s with which the broker is there for one message, then not for a while
# (what is sent, how it ends)
PLAN = (
    ({"sample_ms": 800, "heartbeat_s": 200}, "success"),
    ({"broker_port": 1885, "sample_ms": 850}, "success"),
    ({"broker_port": NOWHERE, "sample_ms": 700}, "reverted"),
    ({"base_topic": "house", "node_id": "m"}, "success"),
    ({"keepalive_s": CRASHES}, "reverted"),
    ({"stable_s": ONCE}, "success"),
    ({"base_topic": "villa"}, "success"),
    (None, "success"),  # reset
    ({"node_id": "lost", "broker_port": NOWHERE}, "reverted"),
    ({"broker_port": 1885}, "success"),  # nothing changes
    ({"wifi_ssid": "cellar", "wifi_password": "x" * 60}, "success"),
)
LIVES = 40  # far above what any story needs
ROUNDS = 40  # of a life: far more than a trial takes
STEP_MS = 7000

# Mistakes in the order of things, as (module, text of it, text in its place): each must be found.
_COUNT = "            storage.replace_json(TRIAL, record)\n            settings"
_MARK = '        storage.replace_json(TRIAL, dict(record, kept=True))\n'
_GOOD = "        storage.replace(store.GOOD_PATH, store.checked(store.standing()))\n"
SEEDS = {
    "tries_not_counted_in_flash": [(pending, _COUNT, "            settings")],
    "kept_without_a_mark": [(pending, _MARK, "")],
    "forgotten_when_kept": [(pending, _GOOD + "        _end(record)\n", _GOOD
                             + "        forget()\n        record['values'] = None\n")],
    "forgotten_when_reverted": [
        (pending, '    record["kept"] = False\n    try:\n        _end(record)',
         '    record["kept"] = False\n    forget()\n    try:\n        str()')],
    "forgotten_before_it_is_told": [
        (trial, "        elif self._outbox.answered():",
         "            pending.forget()\n        elif self._outbox.answered():")],
    "forgotten_before_the_other_tree": [
        (trial, "                self._do = self._leave\n",
         "                pending.forget()\n                self._do = self._leave\n")],
    "kept_before_it_is_acknowledged": [
        (trial, "        if session.online:\n            session.publish(session.prefix",
         "        if True:\n            session.online and session.publish(session.prefix")],
    "tried_in_place": [
        (change, "            ondemand.load(\"config.pending\")",
         "            store.change(values)\n            ondemand.load(\"config.pending\")")],
    "last_good_with_what_is_tried": [
        (pending, _COUNT, "            storage.replace_json(TRIAL, record)\n"
                          "            storage.replace_json('config.good.json', dict("
                          "storage.read_json('config.json'), **values))\n            settings")],
    "removed_before_renamed": [
        (storage, "    os.rename(new, path)\n",
         "    remove(path)\n    os.rename(new, path)\n")],
    "written_in_place": [
        (storage, '    new = path + ".new"\n', "    new = path\n")],
}


class Crash(Exception):
    """The application has ended."""


class Household(World):
    """The disk, the hub and the broker, and what is true."""

    def __init__(self, disk):
        super().__init__(disk)
        self.standing = FIRST
        self.verdict = None  # of the command under way: "success", "reverted", as far as known
        self.words = []  # last words on it that were heard
        self.sent = False  # in this life, or the one before its restart
        self.away = False  # the broker, for as long as there is something on trial
        self.retained = []  # trees with something retained
        self.sessions = {}  # client id: trees it has subscribed to

    def wanted(self):
        """What config.json holds if the step of the plan succeeds."""
        values = PLAN[self.step][0]
        if values is None:
            return {name: value for name, value in self.standing.items()
                    if name in schema.REACH or name == "calibration"}
        return dict(self.standing, **values)

    def allowed(self):
        """The contents of config.json that are right now."""
        if self.step == len(PLAN) or self.verdict == "reverted":
            return [self.standing]
        if self.verdict == "success":
            return [self.wanted()]
        return [self.standing, self.wanted()]

    def decide(self, verdict):
        """Nothing may change this any more."""
        if self.verdict not in (None, verdict):
            self.complain("%s after %s" % (verdict, self.verdict))
        self.verdict = verdict


class Device:
    def client_id(self, home_id, node_id):
        return "homesync_%s_%s" % (home_id, node_id)


class Life:
    """One boot, up to the next. It stands for `Node`, session, stream, clock, and more."""

    updating = False
    last_error = "unreachable: ECONNREFUSED"
    settled = True
    server, port, user, pswd = "broker.example", 1883, None, None

    def __init__(self, world):
        self.world = world
        self._ticks = 0
        trial.ticks_ms = lambda: self._ticks
        trial.simple = self
        world.disk.mount()
        self._check_files()
        self.settings, problems = store.load()
        record = store.pending(self.settings, problems)
        self._power()
        if problems:
            world.complain("problems: %s" % problems)
        self._check_settings(record)
        self._record = record
        if self.settings["keepalive_s"] == CRASHES:
            raise Crash()
        ids = [self.settings[name] for name in ("base_topic", "home_id", "node_id")]
        self.topics = Topics(*ids)
        self.prefix = self.topics.prefix
        self.client_id = Device().client_id(*ids[1:]).encode()
        self.online = False
        self.restarts = 0
        self._outbox = Outbox()
        self._commands = Commands(self.topics, self._outbox, self, self, {}, self, self._log)
        self._commands.handlers["config"] = ConfigActions(self.settings, self._log, self)
        self.trial = record and trial.Trial(record, Device(), self, self, self,
                                            self._commands, self._outbox, self._log)

    def run(self):
        """Work until a restart, or until the plan says so; returns whether to go on."""
        world = self.world
        for _ in range(ROUNDS):
            self._ticks = ticks_add(self._ticks, STEP_MS)
            self.online = self.settings["broker_port"] != NOWHERE and not (
                world.away and self._record and self._record["values"])
            if self.online:
                self._connected()
            if self.trial:
                self.trial = self.trial.step()
                self._power()
            if self.online:
                self._hub()
                self._commands.work()
                self._power()
                self._send()
            if self.restarts:
                return True
            if world.words and not self.trial:
                self._end_of_step()
                return False
        world.complain("nothing happens any more")
        return False

    # As `Node`, `Session`, `Stream`, `umqtt.simple` and one of its clients

    def restart(self):
        self.restarts += 1

    def session_event(self, event, reason, detail):
        pass

    def publish(self, topic, payload, retain, qos):
        world = self.world
        if retain:
            if not payload and topic.endswith(b"/health"):
                world.retained = [tree for tree in world.retained if not topic.startswith(tree)]
        elif b'"progress"' not in payload:
            self._hear(payload)
        elif self.settings["stable_s"] == ONCE:
            world.away = True

    def unsubscribe(self, topic):
        trees = self.world.sessions[str(self.client_id, "ascii")]
        self.world.sessions[str(self.client_id, "ascii")] = [
            tree for tree in trees if not topic.startswith(tree)]

    def stop(self, payload, leave):
        self.online = False

    def begin(self, timeout_ms):
        pass

    def close(self):
        pass

    def MQTTClient(self, client_id, *_):  # noqa: N802
        self._other_id = str(client_id, "ascii")
        return self

    def connect(self, clean):
        self.world.sessions.pop(self._other_id, None)

    def disconnect(self):
        pass

    # As clock and RTC memory (of a node that always loses it)

    def unix(self):
        return None

    def timestamp(self):
        return None

    def seen(self, digest):
        return False

    def add_id(self, digest):
        pass

    def forget_id(self, digest):
        pass

    # Inside

    def _log(self, text):
        world = self.world
        if world.disk.dead:
            return
        if "internal error" in text or "Error(" in text:
            world.complain(text)
        elif "stay" in text or "changes" in text and not self._needs_trial():
            world.decide("success")
        elif "back to" in text:
            world.decide("reverted")

    def _power(self):
        if self.world.disk.dead:
            raise Off()

    def _connected(self):
        world = self.world
        if self.prefix not in world.retained:
            world.retained.append(self.prefix)
        trees = world.sessions.setdefault(str(self.client_id, "ascii"), [])
        if self.prefix not in trees:
            world.sessions[str(self.client_id, "ascii")] = trees + [self.prefix]

    def _hub(self):
        world = self.world
        if world.sent or world.words or world.step == len(PLAN):
            return
        world.sent = True
        values = PLAN[world.step][0]
        command = {"action": "reset" if values is None else "set",
                   "request_id": "r%d" % world.step}
        if values:
            command["values"] = values
        payload = json.dumps(command).encode()
        self._commands.receive(self.prefix + b"command/config", payload, False, False,
                               len(payload))

    def _send(self):
        while self._outbox.next():
            message = self._outbox.next()
            if b'"progress"' not in message.payload:
                self._hear(message.payload)
            self._outbox.sent(message)

    def _hear(self, payload):
        world = self.world
        word = json.loads(payload)
        if word["request_id"] != "r%d" % world.step:
            world.complain("an answer to %s" % word["request_id"])
            return
        verdict = "success" if word["status"] == "success" else word["error"]["code"]
        world.decide(verdict)
        world.words.append(verdict)
        expected = PLAN[world.step][1]
        # With two cuts a good trial may be over.
        enough = 1 if world.away else 2
        if verdict != expected and (verdict != "reverted" or world.cuts < enough):
            world.complain("%s, not %s" % (verdict, expected))
        # Else it is the answer to a repeat, and the last word was lost.
        elif verdict == "success" and self._needs_trial() and "state" not in word["result"]:
            world.complain("success, but nobody said that they stay")

    def _needs_trial(self):
        values = PLAN[self.world.step][0] or {}
        return any(name in schema.REACH and self.world.standing.get(name) != values[name]
                   for name in values)

    def _check_files(self):
        # What is there is whole, and one of what it may be.
        world = self.world
        for path in (store.PATH, store.GOOD_PATH):
            try:
                values = storage.read_json(path)
            except ValueError as e:
                values = str(e)
            behind = path == store.GOOD_PATH and values == world.standing  # until the next start
            if not behind and values not in world.allowed():
                world.complain("%s has %s" % (path, values))

    def _check_settings(self, record):
        world = self.world
        if record and record["refused"]:
            world.decide("reverted")
        settings = self.settings
        for values in world.allowed():
            if settings == dict(schema.defaults(), **values):
                break
        else:
            world.complain("%s are in use" % {
                name: settings[name] for name in settings
                if settings[name] != schema.defaults()[name]})
        if world.verdict is None and not record and store.standing() == world.wanted():
            world.decide("success")

    def _end_of_step(self):
        world = self.world
        if world.verdict == "success":
            world.standing = world.wanted()
        for path in (store.PATH, store.GOOD_PATH):
            if storage.read_json(path) != world.standing:
                world.complain("it ended with another %s" % path)
        if storage.size(TRIAL) is not None:
            world.complain("something is left of the trial")
        if world.retained != [self.prefix]:
            world.complain("retained: %s" % world.retained)
        if world.sessions != {str(self.client_id, "ascii"): [self.prefix]}:
            world.complain("sessions: %s" % world.sessions)
        world.step += 1
        world.verdict, world.words, world.sent, world.away = None, [], False, False


def live(world, end):
    """Lives until step `end` of the plan, from power-on."""
    world.sent = False
    for _ in range(LIVES):
        if world.step == end:
            return
        try:
            life = Life(world)
            while not life.run() and world.step != end and not world.complaints:
                pass
        except Crash:
            pass
        except Exception:
            if not world.disk.dead:
                raise
        if world.disk.dead:
            raise Off()
        if world.complaints:
            return
    world.complain("it never ends")


story = Story(live, len(PLAN))


def beginning(seed=None):
    """The world before the story: a node that has run once, and code with these mistakes."""
    disk = RamDisk(blocks=24)
    disk.format()
    disk.mount()
    storage.replace_json(store.PATH, FIRST)
    store.load()
    for module, old, new in SEEDS[seed] if seed else ():
        text = source(module)
        if text.count(old) != 1:
            raise ValueError("%s: %r is there %d times" % (seed, old, text.count(old)))
        exec(compile(text.replace(old, new), module.__name__, "exec"), module.__dict__)
    world = Household(RamDisk(copy_of=disk))
    world.retained = [b"homesync/h/nodes/n/"]
    world.sessions = {"homesync_h_n": world.retained}
    return world


def source(module):
    path = "/" + module.__name__.replace(".", "/") + ".py"
    for folder in sys.path:
        try:
            with open(folder + path) as f:
                return f.read()
        except OSError:
            pass
    raise ValueError(path)


def first_complaint(seed):
    """What is found first about a mistake, and in how many runs."""
    found = {"complaints": [], "runs": 0}
    for before, operations in story.steps(beginning(seed)):
        note(found, None, before)
        for first in range(operations):
            for tear in ("all", "none"):
                if found["complaints"]:
                    return found
                note(found, (first, tear), story.run(before, [(first, tear)]))
                found["runs"] += 1
    return found


def main(arguments):
    os.chdir("/")
    ondemand.drop = lambda *names: None  # to load it all again takes long, and no flash
    if arguments[0] == "seed":
        return first_complaint(arguments[1])
    if arguments[0] == "seeds":
        return {"seeds": sorted(SEEDS)}
    found, world = story.cut_everywhere(story.steps(beginning()), int(arguments[1]),
                                        int(arguments[2]))
    found["steps"] = world.step
    return found


print(json.dumps(main(sys.argv[1:])))
