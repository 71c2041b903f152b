"""The part of updating that is always there: blocks and commands come in, work goes on, a trial
is looked after, and no error of an update stops the node."""

import json
import os

from firmware import VERSION
from firmware.mqtt.commands import Commands, Refused, Underway
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.session import LinkDown
from firmware.ota import JOB, updates
from firmware.ota.updates import Updates
from host_tests.unit.fakes import Clock, Log, OnDemand, Patched, Ticks, in_scratch, raised, write
from host_tests.unit.ota.update_bench import Node, Session, Stream

BLOCK = b"\xb1\x01\x00\x10\xa1\xb2\xc3\xd4" + bytes(24)


class Slots:
    """Stands for the module `slots`, as far as `Updates` uses it."""

    def __init__(self):
        self.did = []

    def settled(self):
        self.did.append("settled")

    def confirm(self):
        self.did.append("confirm")

    def current(self):
        return {"slot": "a", "state": "confirmed"}

    def fail(self, reason, last):
        self.did.append((reason, last))


class Actions:
    """Stands for actions.py: `resume` gives `work`, or raises it."""

    def __init__(self):
        self.work = None
        self.calls = []

    def resume(self, host):
        self.calls.append("resume")
        if isinstance(self.work, Exception):
            raise self.work
        return self.work

    def prepare(self, host, action, command):
        self.calls.append(action)
        return None


class Work:
    """Work that takes blocks; each step gives the next of `following` (an exception is raised)."""

    def __init__(self, *following):
        self.following = list(following)
        self.blocks = self
        self.taken = []
        self.steps = 0
        self.wants = None
        self.given_up = None

    def step(self):
        self.steps += 1
        following = self.following.pop(0) if self.following else self
        if isinstance(following, Exception):
            raise following
        return following

    def receive(self, payload, size):
        if payload != self.wants:
            return False
        self.taken.append(payload)
        return True

    def result(self):
        return {"state": "downloading", "percent": 5}


class Fetching(Work):
    def give_up(self, code, message):
        self.given_up = code, message
        return None


class Rhythm:
    def beat(self):
        pass


class Bench:
    def __init__(self, **slot):
        about = {"slot": None, "state": "confirmed"}
        about.update(slot)
        self.ticks = Ticks()
        self.log = Log()
        self.outbox = Outbox()
        self.session = Session()
        self.actions = Actions()
        self.ondemand = OnDemand(self.actions)
        self.slots = Slots()
        commands = Commands(None, self.outbox, Clock(), None, {}, self.session, self.log)
        with Patched(updates, ticks_ms=self.ticks):
            self.updates = Updates(about, "esp32", {"tls_ca": ""}, None, self.log, Rhythm(),
                                   Stream(), self.session, commands, self.outbox)
        self.node = self.updates.node = Node()

    def __call__(self, function, *args):
        """Call it with the stand-ins."""
        with Patched(updates, ticks_ms=self.ticks, ondemand=self.ondemand,
                     with_slots=lambda do: do(self.slots)):
            return function(*args)

    def service(self, after_ms=0):
        self.ticks.sleep(after_ms)
        self(self.updates.service)

    def begin(self, work):
        self.updates.begin(work)
        return work

    def block(self, payload, retained=False, size=None):
        return self.updates.block(payload, retained, len(payload) if size is None else size)

    def answers(self):
        found = []
        while self.outbox.next():
            message = self.outbox.next()
            assert message.topic == b"response/ota"
            found.append(json.loads(str(message.payload, "utf-8")))
            self.outbox.sent(message)
        return found


def test_the_block_that_was_asked_for_is_taken():
    bench = Bench()
    work = bench.begin(Work())
    work.wants = BLOCK
    assert bench.block(BLOCK)
    assert work.taken == [BLOCK] and bench.updates.ignored == 0 and not bench.answers()


def test_others_are_counted_and_answered_once():
    bench = Bench()
    work = bench.begin(Work())
    for _ in range(1000):
        assert bench.block(BLOCK)
    assert bench.updates.ignored == 1000 and work.taken == []
    answers = bench.answers()
    assert len(answers) == 1 and answers[0]["error"]["code"] == "unexpected_block"
    assert answers[0]["request_id"] is None and answers[0]["status"] == "error"


def test_each_update_answers_them_once():
    bench = Bench()
    for _ in range(3):
        bench.begin(Work())
        bench.block(BLOCK)
        bench.block(BLOCK)
    assert len(bench.answers()) == 3 and bench.updates.ignored == 6


def test_without_an_update_nobody_asked_for_one():
    bench = Bench()
    assert bench.block(BLOCK) and bench.block(b"\xb1")
    assert bench.updates.ignored == 2 and len(bench.answers()) == 1


def test_work_that_takes_no_blocks_takes_none():
    bench = Bench()
    bench.begin(Work()).blocks = None
    assert bench.block(BLOCK) and bench.updates.ignored == 1


def test_a_retained_block_is_not_taken():
    bench = Bench()
    work = bench.begin(Work())
    work.wants = BLOCK
    assert bench.block(BLOCK, retained=True)
    assert work.taken == [] and bench.updates.ignored == 1


def test_with_too_many_answers_waiting_it_is_said_later():
    bench = Bench()
    while not bench.outbox.full:
        bench.outbox.respond(b"response/ota", b"{}")
    bench.block(BLOCK)
    bench.answers()
    bench.block(BLOCK)
    assert len(bench.answers()) == 1 and bench.updates.ignored == 2


def test_commands_are_no_blocks():
    bench = Bench()
    bench.begin(Work())
    for payload in (b'{"action": "status"}', b"{", b"x", bytearray(b"{}"), b"\0"):
        assert not bench.block(payload)
    assert bench.updates.ignored == 0 and not bench.answers()


def test_a_block_that_found_no_room_is_one_but_an_offer_is_not():
    # Blocks of 4,096 bytes that came when the update was over were each answered `too_large`.
    bench = Bench()
    assert bench.block(None, size=4096 + 16) and bench.block(None, size=2048 + 16)
    assert bench.updates.ignored == 2 and len(bench.answers()) == 1
    assert not bench.block(None, size=1300)
    assert bench.updates.ignored == 2


@in_scratch
def test_a_job_from_before_the_reset_is_taken_up_when_online():
    write(JOB, b"{}")
    bench = Bench()
    bench.actions.work = Work()
    bench.session.online = False
    bench.service()
    assert bench.actions.calls == []
    bench.session.online = True
    bench.service()
    bench.service()
    assert bench.actions.calls == ["resume"] and bench.actions.work.steps == 2


@in_scratch
def test_a_command_finds_that_job_taken_up():
    # An offer that had waited at the broker took its place, and began at 0 again.
    write(JOB, b"{}")
    bench = Bench()
    bench.actions.work = Work()
    bench(bench.updates.prepare, "offer", {})
    assert bench.actions.calls == ["resume", "offer"]
    assert bench.updates.work is bench.actions.work
    bench(bench.updates.prepare, "abort", {})
    assert bench.actions.calls == ["resume", "offer", "abort"]


@in_scratch
def test_without_a_job_nothing_is_loaded():
    bench = Bench()
    bench.service()
    assert bench.ondemand.loaded == [] and bench.updates.work is None


@in_scratch
def test_a_trial_is_looked_after_offline_too():
    bench = Bench(slot="a", state="trial")
    bench.actions.work = Work()
    bench.session.online = False
    bench.service()
    bench.service()
    assert bench.actions.work.steps == 2


@in_scratch
def test_an_error_of_an_update_is_its_end_but_not_that_of_the_node():
    bench = Bench()
    work = bench.begin(Fetching(MemoryError()))
    bench.service()
    assert work.given_up[0] == "internal_error" and bench.updates.work is None
    assert bench.log.has("internal error: MemoryError")
    bench.begin(Work(OSError(5, "")))
    bench.service()
    assert bench.updates.work is None


@in_scratch
def test_a_job_that_cannot_be_taken_up_is_not_the_end_of_the_node():
    write(JOB, b"{}")
    bench = Bench()
    bench.actions.work = MemoryError()
    bench.service()
    assert bench.updates.work is None and bench.log.has("MemoryError")
    assert JOB in os.listdir(".")  # the next start tries again


@in_scratch
def test_a_version_on_trial_that_fails_in_this_is_not_well():
    # It would have run on without anybody to confirm it, or to end its trial.
    bench = Bench(slot="a", state="trial")
    bench.actions.work = Work(ValueError("x"))
    assert raised(ValueError, bench.service)


def test_a_lost_session_is_no_error_of_an_update():
    bench = Bench()
    work = bench.begin(Fetching(LinkDown()))
    assert raised(LinkDown, bench.service)
    assert bench.updates.work is work and work.given_up is None


def test_while_offline_an_update_waits():
    bench = Bench()
    work = bench.begin(Work())
    bench.session.online = False
    bench.service()
    assert work.steps == 0


def test_work_is_replaced_by_what_follows_it():
    bench = Bench()
    last = Work(None)
    bench.begin(Work(last))
    bench.service()
    assert bench.updates.work is last
    bench.service()
    assert bench.updates.work is None


def test_the_code_of_an_update_is_dropped_when_it_is_over():
    bench = Bench()
    loaded = ["ota.actions", "ota.updater", "ota.blocks", "ota.ending", "ota.bundle", "mqtt.x"]
    bench.ondemand.loaded = list(loaded)
    bench.begin(Work())
    bench(bench.updates.done)
    assert bench.ondemand.loaded == loaded[1:]
    bench.updates.work = None
    bench(bench.updates.done)
    assert bench.ondemand.loaded == ["mqtt.x"]


def test_what_runs_beside_the_slots_has_no_crashes_to_forget():
    for slot in (None, "rom"):
        bench = Bench(slot=slot)
        bench.service(60001)
        assert bench.slots.did == [], slot


def test_a_slot_has_settled_after_a_minute():
    bench = Bench(slot="a")
    bench.service(59999)
    assert bench.slots.did == []
    bench.service(1)
    bench.service(60000)
    assert bench.slots.did == ["settled"]


def test_without_slots_nothing_settles():
    bench = Bench()
    bench.service(100000)
    assert bench.slots.did == []


def test_recovery_ends_with_a_restart_after_5_minutes_unless_an_update_comes():
    bench = Bench(slot="a", state="recovery")
    bench.begin(Work(None))
    bench.session.online = False
    bench.service(299999)
    bench.service(1)
    assert bench.node.restarts == []
    bench.session.online = True
    bench.service()
    bench.service()
    bench.service(300000)
    assert bench.node.restarts == ["restart"]


def test_confirming_is_told_to_everybody():
    bench = Bench(slot="a", state="trial")
    bench(bench.updates.confirm)
    assert bench.updates.slot == {"slot": "a", "state": "confirmed"}
    assert bench.node.refreshed == 1 and bench.log.has("version %s stays" % VERSION)


def test_a_failed_trial_restarts():
    bench = Bench(slot="a", state="trial")
    bench(bench.updates.fail, "offline")
    bench(bench.updates.fail, "command", True)
    assert bench.slots.did == [("offline", False), ("command", True)]
    assert bench.node.restarts == ["update", "update"]


def test_progress_replaces_progress_that_has_not_left():
    bench = Bench()
    bench.updates.tell("r", {"state": "downloading"})
    bench.updates.tell("r", {"state": "verifying"})
    answers = bench.answers()
    assert len(answers) == 1 and answers[0]["status"] == "progress"
    assert answers[0]["result"] == {"state": "verifying"} and answers[0]["request_id"] == "r"


def test_the_state_tells_a_repeated_offer_how_far_it_is():
    bench = Bench()
    assert bench.updates.state() == {"state": "confirmed", "version": VERSION}
    bench.begin(Work())
    assert raised(Underway, bench.updates.state).args[0] == {"state": "downloading", "percent": 5}


def test_tls_of_the_broker_serves_for_http_too():
    bench = Bench()
    bench.updates.stream.secure = "tls"
    assert bench.updates.secure() == "tls"
    bench.updates.chip = "esp8266"
    assert raised(Refused, bench.updates.secure).args[0] == "http"
