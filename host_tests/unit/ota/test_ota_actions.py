"""The actions of command/ota, and what a start makes of a job that it finds."""

import os
import sys

import slots

from firmware import VERSION, storage
from firmware.mqtt.commands import Refused, Underway
from firmware.ota import actions
from firmware.ota import job as jobs
from firmware.ota.ending import Ending
from firmware.ota.trial import Trial
from firmware.ota.updater import Updater
from host_tests.unit.fakes import Log, Patched, write
from host_tests.unit.lib.test_slots import boot, in_flash, install
from host_tests.unit.ota.rsa_vectors import MODULUS, OFFER
from host_tests.unit.ota.update_bench import Host

ID = "00010203"  # of OFFER


class Sys:
    """Stands for `sys`: CPython has no `_mpy`."""

    path = sys.path

    class implementation:
        _mpy = 0x2B06


class Flash:
    """Stands for `os`, as far as it tells how much is free."""

    def __init__(self, free):
        self._free = free

    def statvfs(self, path):
        return (4096, 4096, 1000, self._free // 4096, self._free // 4096)


def do(host, action, command=None, request_id="r"):
    """(kind, result) of an action: "success", "progress", or "error" with code and message."""
    command = dict(command or {}, action=action, request_id=request_id)
    with Patched(actions, sys=Sys), Patched(slots, sys=Sys):
        try:
            return "success", actions.prepare(host, action, command)()
        except Underway as e:
            return "progress", e.args[0]
        except Refused as e:
            return "error", e.args[0], e.args[1]


def ready(**slot):
    """A host that takes OFFER."""
    write("keys.bin", MODULUS + MODULUS)
    return Host(**slot)


def code(host, action, command=None):
    answer = do(host, action, command)
    assert answer[0] == "error", answer
    return answer[1]


def files():
    return sorted(os.listdir("."))


class Work:
    """Something that is under way and cannot be given up."""

    id = "ffffffff"

    def __init__(self):
        self.failed = None

    def result(self):
        return {"state": "trial", "percent": 5, "version": "2.0.0"}

    def fail(self, reason, last=False):
        self.failed = reason, last


# offer


@in_flash
def test_an_offer_that_is_signed_begins_an_update():
    host = ready()
    assert do(host, "offer", dict(OFFER, timestamp="2026-01-01T00:00:00Z")) == (
        "progress", {"state": "downloading", "percent": 0, "version": "1.4.0"})
    assert isinstance(host.work, Updater) and host.work.id == ID
    job = jobs.load(Log())
    assert (job["request_id"], job["id"], job["meter"]) == ("r", ID, True)
    # What says who asked, and when, is not part of what is done.
    assert sorted(job["offer"]) == sorted(name for name in OFFER if name != "request_id")
    assert jobs.staged() == 0


@in_flash
def test_one_that_is_not_is_refused_before_anything_is_written():
    for fields, expected in (({"size": 61441}, "bad_signature"), ({"sig": "x"}, "bad_request"),
                             ({"key": "00000000"}, "unknown_key")):
        host = ready()
        assert code(host, "offer", dict(OFFER, **fields)) == expected
        assert host.work is None and files() == ["keys.bin"]


@in_flash
def test_without_keys_nobody_may_update():
    host = Host()
    assert code(host, "offer", OFFER) == "unknown_key" and host.log.has("keys.bin: ")
    write("keys.bin", MODULUS)
    assert code(host, "offer", OFFER) == "unknown_key"


@in_flash
def test_an_esp8266_that_runs_from_romfs_has_no_memory_for_a_slot():
    for slot, chip, expected in (("rom", "esp8266", "unsupported"),
                                 (None, "esp8266", "wrong_hardware"), ("rom", "esp32", None)):
        host = ready(slot=slot)
        host.chip = chip
        answer = do(host, "offer", OFFER)  # for an ESP32
        assert answer[1] == expected if expected else answer[0] == "progress", (slot, answer)
        assert (host.work is None) == (files() == ["keys.bin"]) == bool(expected)


@in_flash
def test_the_slots_tell_the_floor_and_what_has_failed():
    assert code(ready(floor=8), "offer", OFFER) == "below_floor"
    assert code(ready(bad=[ID]), "offer", OFFER) == "known_bad"


@in_flash
def test_the_room_is_for_the_bundle_and_twice_as_much_for_its_files():
    for free, expected in ((32768 + 2 * 61440 - 4096, "no_space"), (32768 + 2 * 61440, None),
                           (0, "no_space")):
        host = ready()
        with Patched(actions, os=Flash(free)), Patched(slots, os=_With(os, Flash(free))):
            answer = do(host, "offer", OFFER)
        assert answer[1] == expected if expected else answer[0] == "progress", (free, answer)


class _With:
    """The module `os` with another statvfs."""

    def __init__(self, module, flash):
        self.listdir = module.listdir
        self.stat = module.stat
        self.statvfs = flash.statvfs


@in_flash
def test_an_offer_that_cannot_be_kept_leaves_nothing():
    host = ready()

    def full(path, data):
        raise OSError(28, "")

    with Patched(storage, replace=full):
        assert code(host, "offer", OFFER) == "flash"
    assert host.work is None and files() == ["keys.bin"]


@in_flash
def test_the_same_bundle_again_joins_the_update():
    host = ready()
    do(host, "offer", OFFER)
    work = host.work
    again = do(host, "offer", OFFER, "s")
    assert again == ("progress", {"state": "downloading", "percent": 0, "version": "1.4.0"})
    assert host.work is work and work.request_id == "s"
    assert jobs.load(Log())["request_id"] == "s"


@in_flash
def test_another_one_meanwhile_is_told_what_goes_on():
    host = ready()
    host.work = Work()
    answer = do(host, "offer", OFFER)
    assert answer == ("error", "busy", "2.0.0 is trial")


@in_flash
def test_the_bundle_that_runs_is_confirmed_already():
    host = ready(slot="a", id=ID)
    assert do(host, "offer", OFFER) == ("success", {"state": "confirmed", "version": VERSION})
    assert files() == ["keys.bin"]


# status, abort, rollback


@in_flash
def test_the_status():
    host = Host(slot="b", state="rolled_back", reason="offline", floor=3, bad=["a1b2c3d4"])
    host.ignored = 9
    assert do(host, "status") == ("success", {
        "version": VERSION, "slot": "b", "state": "rolled_back", "reason": "offline", "floor": 3,
        "bad": ["a1b2c3d4"], "ignored_blocks": 9, "update": None})
    host.work = Work()
    assert do(host, "status")[1]["update"] == Work().result()


@in_flash
def test_abort_ends_a_download():
    host = ready()
    do(host, "offer", OFFER)
    assert do(host, "abort", None, "s") == ("success", {"state": "aborted"})
    host.work.step()
    assert host.concluded[0][0] == "r" and host.concluded[0][2][0] == "aborted"
    assert jobs.staged() is None


@in_flash
def test_abort_comes_too_late_for_a_restart():
    host = ready()
    do(host, "offer", OFFER)
    host.work.state = "restarting"
    assert code(host, "abort") == "busy" and isinstance(host.work, Updater)


@in_flash
def test_abort_without_a_download_is_refused():
    host = Host()
    assert code(host, "abort") == "bad_request"
    host.work = Work()
    assert code(host, "abort") == "bad_request"


@in_flash
def test_rollback_ends_a_trial():
    host = Host(slot="a", state="trial")
    host.work = Work()
    assert do(host, "rollback") == ("success", {"state": "restarting"})
    assert host.work.failed == ("command", True)


@in_flash
def test_rollback_starts_the_other_slot():
    install(7)
    boot()
    slots.confirm()
    host = Host(slot="b", state="confirmed", floor=7)
    slots._save("b", -1, "", 7, [], "")
    assert do(host, "rollback") == ("progress", {"state": "restarting", "version": "1.7"})
    assert host.node.restarts == ["update"]
    assert slots._load()[:3] == ["a", 3, "b"]
    assert jobs.load(Log()) == {"request_id": "r", "id": "00000007", "offer": None, "meter": True}


@in_flash
def test_rollback_needs_a_complete_version_that_may_run():
    host = Host(slot="b")
    slots._save("b", -1, "", 0, [], "")
    assert code(host, "rollback") == "unsupported"
    slots._save("", -1, "", 0, [], "")
    install(7)
    slots._save("b", -1, "", 0, [], "")
    assert code(Host(slot="b", floor=8), "rollback") == "below_floor"
    assert code(Host(slot="b", bad=["00000007"]), "rollback") == "known_bad"
    busy = Host(slot="b")
    busy.work = Work()
    assert code(busy, "rollback") == "busy"
    assert jobs.load(Log()) is None and not host.node.restarts


@in_flash
def test_an_action_that_is_none():
    for action in ("confirm", "", "Offer", "download"):
        assert code(Host(), action) == "unknown_action"


# What a start finds


def resumed(host):
    with Patched(actions, sys=Sys), Patched(slots, sys=Sys):
        return actions.resume(host)


def left(stage=b"12345", **more):
    """A job that a reset has left behind."""
    job = {"request_id": "r", "id": ID, "offer": OFFER, "meter": True}
    job.update(more)
    jobs.begin(job)
    if stage is None:
        jobs.unstage()
    elif job["offer"]:
        write(jobs.STAGE, stage)
    return job


def last_word(ending, host):
    assert isinstance(ending, Ending), ending
    ending.step()
    return host.concluded[-1][2]


@in_flash
def test_no_job_is_nothing():
    assert resumed(Host()) is None


@in_flash
def test_a_download_goes_on():
    host = ready()
    left()
    updater = resumed(host)
    assert isinstance(updater, Updater) and updater.request_id == "r"
    assert updater.result() == {"state": "downloading", "percent": 0, "version": "1.4.0"}
    assert jobs.staged() == 5


@in_flash
def test_a_download_goes_on_though_what_has_come_of_it_fills_the_flash():
    host = ready()
    left(bytes(61440))
    with Patched(actions, os=Flash(40960)):
        assert isinstance(resumed(host), Updater)


@in_flash
def test_a_download_ends_if_its_key_is_gone():
    host = Host()
    left()
    assert last_word(resumed(host), host)[0] == "unknown_key"


@in_flash
def test_a_failure_that_nobody_may_have_heard_of_is_told():
    host = ready()
    left(failed=["stalled", "nobody sends"])
    assert last_word(resumed(host), host) == ("stalled", "nobody sends")


@in_flash
def test_a_version_that_runs_and_is_confirmed_is_told():
    host = ready(slot="a", id=ID)
    left(None)
    assert last_word(resumed(host), host) is None


@in_flash
def test_a_version_that_is_gone_is_told_with_the_reason():
    for more, slot, reason in (
            ({"armed": 1}, {"reason": "the meter is silent"}, "the meter is silent"),
            ({"armed": 1}, {"reason": ""}, "power"),
            ({"offer": None}, {"reason": "offline"}, "offline")):
        host = ready(slot="b", state="rolled_back", id="ffffffff", **slot)
        left(None, **more)
        assert last_word(resumed(host), host) == ("rolled_back", reason)


@in_flash
def test_with_its_stage_there_it_may_be_tried_once_more():
    # The power failed between the switch and the removal of the stage, or in the first try.
    for armed, goes_on in ((1, True), (2, False)):
        host = ready(slot="b", id="ffffffff", reason="power")
        left(armed=armed)
        assert isinstance(resumed(host), Updater if goes_on else Ending), armed


@in_flash
def test_one_that_is_known_to_be_bad_is_not_tried_again():
    host = ready(slot="b", id="ffffffff", reason="crash", bad=[ID])
    left(armed=1)
    assert last_word(resumed(host), host) == ("rolled_back", "crash")


@in_flash
def test_a_trial_has_its_job():
    host = ready(slot="a", state="trial", id=ID)
    left(None)
    trial = resumed(host)
    assert isinstance(trial, Trial) and trial.request_id == "r"


@in_flash
def test_a_trial_without_a_job_of_its_own_answers_nobody():
    host = ready(slot="a", state="trial", id="ffffffff")
    assert resumed(host).request_id is None
    left()
    assert resumed(host).request_id is None
