"""The last word on an update: said until it is heard, also by a node whose flash is full."""

import os

from firmware import VERSION, storage
from firmware.ota import ending as endings
from firmware.ota import job as jobs
from firmware.ota.ending import Ending
from host_tests.unit.fakes import Log, Patched, Ticks, write
from host_tests.unit.lib.test_slots import in_flash
from host_tests.unit.ota.update_bench import Host

STALLED = ("stalled", "nobody sends")


def begun(**more):
    job = {"request_id": "r", "id": "a1b2c3d4", "offer": {"size": 5}, "meter": True}
    job.update(more)
    jobs.begin(job)
    return job


def keys_in_slot(data):
    os.mkdir("a")
    write("a/keys.bin", data)


@in_flash
def test_a_failure_is_told_once_and_forgotten_when_it_is_heard():
    host = Host()
    ending = Ending(host, begun(), STALLED)
    for _ in range(3):
        assert ending.step() is ending
        assert jobs.load(Log())["failed"] == ["stalled", "nobody sends"]
        assert jobs.staged() is None
    assert host.concluded == [("r", {"state": "confirmed", "version": VERSION}, STALLED)]
    assert host.log.has("stalled: nobody sends")
    host.answered()
    assert ending.step() is None
    assert os.listdir(".") == []


@in_flash
def test_a_version_that_stays_is_told():
    host = Host(slot="a")
    ending = Ending(host, begun())
    assert ending.result() == {"state": "confirmed", "percent": 100, "version": VERSION}
    ending.step()
    assert host.concluded == [("r", {"state": "confirmed", "version": VERSION}, None)]
    host.answered()
    assert ending.step() is None
    assert os.listdir(".") == []


@in_flash
def test_it_waits_for_room_among_the_answers():
    host = Host()
    while not host.outbox.full:
        host.outbox.respond(b"t", b"p")
    ending = Ending(host, begun(), STALLED)
    ending.step()
    ending.step()
    assert not host.concluded
    host.answered()
    ending.step()
    assert len(host.concluded) == 1


@in_flash
def test_new_keys_are_taken_when_the_version_stays():
    write("keys.bin", b"old")
    keys_in_slot(b"new")
    host = Host(slot="a")
    Ending(host, begun()).step()
    assert storage.read("keys.bin") == b"new" and host.log.has("new keys")


@in_flash
def test_keys_that_find_no_room_are_tried_again_before_the_job_is_over():
    keys_in_slot(b"new")
    host = Host(slot="a")
    job = begun()
    ticks = Ticks()

    def full(path, data):
        raise OSError(28, "")

    with Patched(endings, ticks_ms=ticks):
        ending = Ending(host, job)
        with Patched(storage, replace=full):
            ending.step()
        ticks.sleep(59000)
        ending.step()
        assert not host.concluded and jobs.load(Log())
        ticks.sleep(1000)
        ending.step()
    assert len(host.concluded) == 1 and storage.read("keys.bin") == b"new"


@in_flash
def test_keys_stay_after_a_failure_and_on_the_way_back():
    write("keys.bin", b"old")
    keys_in_slot(b"new")
    host = Host(slot="a")
    Ending(host, begun(), STALLED).step()
    Ending(host, begun(offer=None)).step()
    assert storage.read("keys.bin") == b"old"


@in_flash
def test_the_same_keys_are_not_written_again():
    write("keys.bin", b"old")
    keys_in_slot(b"old")
    host = Host(slot="a")
    Ending(host, begun()).step()
    assert not host.log.has("new keys")


@in_flash
def test_a_full_flash_does_not_keep_it_from_being_told():
    host = Host()
    ending = Ending(host, begun(), ("no_space", "it is full"))

    def full(path, data):
        raise OSError(28, "")

    with Patched(storage, replace=full):
        ending.step()
    assert len(host.concluded) == 1
    # Without its stage the job cannot begin again, whatever is still written in it.
    assert jobs.staged() is None
    host.answered()
    assert ending.step() is None and os.listdir(".") == []


@in_flash
def test_how_far_it_is():
    ending = Ending(Host(), begun(), STALLED)
    assert ending.id == "a1b2c3d4" and ending.request_id == "r"
    assert ending.result()["state"] == "failed"


@in_flash
def test_who_asks_while_it_is_told_is_told_as_well():
    # The offer was answered with progress, and never again.
    host = Host()
    ending = Ending(host, begun(), STALLED)
    ending.step()
    ending.attach("another")
    assert jobs.load(Log())["request_id"] == "another"
    host.answered()
    assert ending.step() is ending
    assert [concluded[0] for concluded in host.concluded] == ["r", "another"]
    assert host.concluded[1][2] == STALLED
    host.answered()
    assert ending.step() is None and os.listdir(".") == []
