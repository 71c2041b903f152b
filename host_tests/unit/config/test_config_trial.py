"""The node with settings on trial: when they stay, when they go, and who hears of it."""

import json
import sys
from time import ticks_add

from firmware import storage
from firmware.config import TRIAL, pending, store, trial
from firmware.config.trial import STATUS, TRIAL_MS, Trial
from firmware.mqtt import commands as commands_module
from firmware.mqtt.commands import Commands
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.session import LinkDown
from firmware.mqtt.topics import Topics
from host_tests.unit.config.test_pending import Flash
from host_tests.unit.fakes import Clock, Json, Log, Patched, Ticks, in_scratch, raised, write
from host_tests.unit.node_bench import Bench as NodeBench

OLD, NEW = ["homesync", "h", "n"], ["house", "h", "m"]


class Record:
    def add_id(self, digest):
        pass

    def forget_id(self, digest):
        pass


class Device:
    def client_id(self, home_id, node_id):
        return "homesync_%s_%s_0123abcd" % (home_id, node_id)


class Node:
    last_error = None

    def __init__(self, trail):
        self._trail = trail
        self.restarts = 0

    def restart(self):
        self.restarts += 1

    def session_event(self, *event):
        self._trail.append(event)


class Session:
    """Keeps what it publishes in `trail`; `fails`: the call of it that breaks the link."""

    server, port, user, pswd = "broker.example", 8883, b"u", b"p"

    def __init__(self, tree, trail):
        self.topics = Topics(*tree)
        self.prefix = self.topics.prefix
        self.client_id = Device().client_id(*tree[1:]).encode()
        self.online = False
        self.trail = trail
        self.fails = None

    def publish(self, topic, payload, retain, qos):
        self._do((topic, payload, retain, qos))

    def unsubscribe(self, topic):
        self._do(("unsubscribe", topic))

    def stop(self, payload, leave):
        assert payload is None and not leave
        self.online = False
        self.trail.append("stop")

    def _do(self, item):
        assert self.online
        if self.fails and self.fails in item[0]:
            self.online = False
            raise LinkDown()
        self.trail.append(item)


class Stream:
    def __init__(self, trail):
        self._trail = trail

    def begin(self, timeout_ms):
        assert timeout_ms == 10000

    def close(self):
        self._trail.append("close")

    def abandon(self):
        self._trail.append("abandon")


class Simple:
    """Stands for `umqtt.simple`: its clients keep their calls in `trail`."""

    def __init__(self, trail, fails=False):
        self._trail = trail
        self._fails = fails

    def MQTTClient(self, *arguments):  # noqa: N802
        self._trail.append(arguments)
        return self

    def connect(self, clean):
        if self._fails:
            raise OSError(104)
        self._trail.append(("connect", clean))

    def disconnect(self):
        self._trail.append("disconnect")


class Bench:
    """A start that finds a trial of `values` between two trees, on the tree it has then."""

    def __init__(self, values=None, new=OLD, request_id="r1"):
        write("config.json", b'{"home_id": "h"}')
        pending.begin(request_id, values or {"stable_s": 5}, {"changed": ["stable_s"]}, OLD, new)
        self.start()

    def start(self):
        self.settings, problems = store.load()
        self.record = store.pending(self.settings, problems)
        self.trail = []
        self.ticks = Ticks()
        self.log = Log()
        self.node = Node(self.trail)
        self.outbox = Outbox()
        tree = self.record["old" if self.record["refused"] else "new"]
        self.session = Session(tree, self.trail)
        commands = Commands(self.session.topics, self.outbox, Clock(), Record(), {}, self.session,
                            self.log)
        with Patched(trial, ticks_ms=self.ticks):
            self.trial = Trial(self.record, Device(), self.node, self.session,
                               Stream(self.trail), commands, self.outbox, self.log)

    def step(self, times=1, simple=None):
        """Whether there is more to do after so many steps."""
        for _ in range(times):
            assert self.trial
            with Patched(trial, ticks_ms=self.ticks, simple=simple or Simple(self.trail)), \
                    Patched(commands_module, json=Json):
                self.trial = self.trial.step()
        return self.trial is not None

    def word(self):
        """The response that waits, as an object; it is sent."""
        message = self.outbox.next()
        assert message.topic == b"response/command" and message.qos == 1
        self.outbox.sent(message)
        return json.loads(str(message.payload, "utf-8"))


def stored():
    return storage.read_json("config.json")


def kept():
    """A bench whose settings are kept, with the last word sent."""
    bench = Bench({"base_topic": "house", "node_id": "m"}, NEW)
    bench.session.online = True
    bench.step(2)
    assert bench.word()["status"] == "success"
    del bench.trail[:]
    return bench


@in_scratch
def test_offline_it_waits():
    bench = Bench()
    bench.ticks.sleep(TRIAL_MS - 1)
    assert bench.step(3)
    assert bench.trail == [] and bench.node.restarts == 0 and "stable_s" not in stored()


@in_scratch
def test_an_acknowledged_message_keeps_them():
    bench = Bench()
    bench.session.online = True
    assert bench.step()
    topic, payload, retain, qos = bench.trail[0]
    assert (topic, retain, qos) == (b"homesync/h/nodes/n/response/command", False, 1)
    assert json.loads(str(payload, "utf-8"))["result"] == {"state": "trial"}
    assert stored()["stable_s"] == 5
    assert bench.step()
    word = bench.word()
    assert (word["request_id"], word["status"]) == ("r1", "success")
    assert word["result"] == {"state": "kept", "changed": ["stable_s"]}
    assert storage.size(TRIAL) is not None
    assert not bench.step()
    assert storage.size(TRIAL) is None and bench.node.restarts == 0
    for name in ("config.trial", "config.pending", "config.store", "config.schema"):
        assert "firmware." + name not in sys.modules


@in_scratch
def test_without_an_acknowledgement_they_are_not_kept():
    bench = Bench()
    bench.session.fails = b"response"
    for _ in range(3):
        bench.session.online = True
        assert raised(LinkDown, bench.trial.step)
    assert "stable_s" not in stored() and bench.record["values"]
    bench.ticks.sleep(TRIAL_MS)
    assert not bench.step()
    assert bench.node.restarts == 1


@in_scratch
def test_after_its_time_the_old_ones_come_back_and_the_next_start_tells():
    bench = Bench()
    bench.node.last_error = "unreachable: ECONNREFUSED"
    bench.ticks.sleep(TRIAL_MS)
    assert not bench.step()
    assert bench.node.restarts == 1 and bench.log.has("unreachable")
    bench.start()
    assert bench.settings["stable_s"] == 30
    assert bench.step(5) and bench.outbox.next() is None  # not while offline
    bench.session.online = True
    bench.step()
    word = bench.word()
    assert (word["request_id"], word["status"]) == ("r1", "error")
    assert word["error"] == {"code": "reverted", "message": "unreachable: ECONNREFUSED"}
    assert not bench.step()
    assert storage.size(TRIAL) is None and bench.trail == []


@in_scratch
def test_the_last_word_survives_resets_until_it_is_acknowledged():
    bench = Bench()
    bench.session.online = True
    bench.step(2)
    assert bench.step(10)  # it has not left
    bench.start()
    bench.session.online = True
    assert bench.step()
    assert bench.word()["result"]["state"] == "kept"
    assert not bench.step()


@in_scratch
def test_with_no_room_for_an_answer_it_waits():
    bench = Bench()
    bench.session.online = True
    bench.step()
    for _ in range(16):
        bench.outbox.respond(b"x", b"x")
    assert bench.step(3)
    while bench.outbox.next():
        bench.outbox.sent(bench.outbox.next())
    bench.step()
    assert bench.word()["status"] == "success"


@in_scratch
def test_a_command_without_an_id_gets_its_answer_too():
    bench = Bench(request_id=None)
    bench.session.online = True
    bench.step(2)
    assert bench.word()["request_id"] is None


@in_scratch
def test_the_other_tree_hears_it_is_cleared_and_its_session_ended():
    bench = kept()
    bench.step(1 + len(STATUS) + 1)
    payload = bench.trail[0][1]
    old = b"homesync/h/nodes/n/"
    assert bench.trail[0] == (old + b"response/command", payload, False, 1)
    assert json.loads(str(payload, "utf-8"))["result"]["state"] == "kept"
    assert bench.trail[1:6] == [(old + b"status/" + name, b"", True, 1) for name in STATUS]
    assert storage.size(TRIAL) is not None
    bench.session.online = True
    assert not bench.step()
    assert bench.trail[6:] == [
        "stop", ("disconnected", None, "to end the session of the other id"),
        (b"homesync_h_n_0123abcd", "broker.example", 8883, b"u", b"p"),
        ("connect", True), "disconnect", "close"]
    assert storage.size(TRIAL) is None


@in_scratch
def test_with_the_same_client_id_the_other_commands_are_unsubscribed():
    bench = Bench({"base_topic": "house"}, ["house", "h", "n"])
    bench.session.online = True
    bench.step(2)
    bench.word()
    while bench.step():
        pass
    assert bench.trail[-1] == ("unsubscribe", b"homesync/h/nodes/n/command/+")
    assert "stop" not in bench.trail and storage.size(TRIAL) is None


@in_scratch
def test_reverted_the_tree_that_was_tried_is_left():
    bench = Bench({"base_topic": "house", "node_id": "m"}, NEW)
    bench.ticks.sleep(TRIAL_MS)
    bench.step()
    bench.start()
    bench.session.online = True
    bench.step()
    assert bench.word()["error"]["code"] == "reverted"
    bench.step(3)
    assert [item[0] for item in bench.trail] == [
        b"house/h/nodes/m/response/command", b"house/h/nodes/m/status/online"]


@in_scratch
def test_a_broker_that_forbids_the_other_tree_is_not_asked_for_ever():
    bench = kept()
    bench.session.fails = b"homesync/h/nodes/n/response"
    bench.step()
    for _ in range(3):
        bench.session.online = True
        assert raised(LinkDown, bench.step)
        assert bench.step(4)  # nothing while offline
    bench.session.online = True
    assert not bench.step()
    assert bench.log.has("cannot clear homesync/h/nodes/n/")
    assert storage.size(TRIAL) is None


@in_scratch
def test_a_session_that_cannot_be_ended_is_tried_three_times():
    bench = kept()
    bench.step(1 + 1 + len(STATUS))
    for _ in range(3):
        bench.session.online = True
        assert raised(LinkDown, lambda: bench.step(1, Simple(bench.trail, True)))
        assert bench.trail[-1] == "abandon"
    bench.session.online = True
    assert not bench.step()
    assert storage.size(TRIAL) is None


@in_scratch
def test_what_is_cleared_is_what_the_node_retains():
    bench = NodeBench()
    bench.go_online()
    bench.status.connected(bench.ticks())
    names = set()
    while bench.outbox.next():
        message = bench.outbox.next()
        if message.retain:
            names.add(message.topic)
        bench.outbox.sent(message)
    assert names == {b"status/" + name for name in STATUS}


@in_scratch
def test_a_fault_while_they_are_tried_reverts_them():
    def fails(record):
        raise MemoryError()

    bench = Bench()
    bench.session.online = True
    with Patched(pending, keep=fails):
        assert not bench.step()
    assert bench.node.restarts == 1
    bench.start()
    assert bench.record["refused"][0] == "reverted" and "stable_s" not in stored()


@in_scratch
def test_a_full_flash_when_they_are_to_be_kept_reverts_or_waits_for_the_next_start():
    for writes in range(2):
        bench = Bench()
        bench.session.online = True
        with Patched(storage, replace=Flash(writes, 28).replace):
            assert not bench.step()
        if writes:
            assert bench.node.restarts == 0
            bench.start()
            assert stored()["stable_s"] == 5 and bench.record["refused"] is None
        else:
            assert bench.node.restarts == 1
            assert "stable_s" not in stored() and storage.size(TRIAL) is None
        storage.remove(TRIAL)


@in_scratch
def test_a_fault_while_it_is_told_ends_it():
    bench = Bench()
    bench.session.online = True
    bench.step()

    def fails(*_):
        raise ValueError("x")

    bench.outbox.respond = fails
    assert not bench.step()
    assert storage.size(TRIAL) is None and stored()["stable_s"] == 5


@in_scratch
def test_its_time_is_right_while_ticks_start_over():
    bench = Bench()
    bench.ticks.now_ms = ticks_add(bench.ticks.now_ms, TRIAL_MS - 1)
    assert bench.step()
    bench.ticks.sleep(1)
    assert not bench.step() and bench.node.restarts == 1
