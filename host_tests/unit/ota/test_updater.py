"""An update from its offer to the restart: each state, each way out, what is written and kept."""

import os
import sys
from binascii import hexlify
from hashlib import sha256

import slots

from firmware.mqtt.commands import Refused
from firmware.ota import job as jobs
from firmware.ota import updater
from firmware.ota.ending import Ending
from firmware.ota.updater import Updater
from host_tests.unit.fakes import Log, OnDemand, Patched, write
from host_tests.unit.lib.test_slots import in_flash
from host_tests.unit.ota.test_bundle import bundle, record
from host_tests.unit.ota.update_bench import Host

APP = bytes([n * 31 % 256 for n in range(9000)])
BUNDLE = bundle(record(b"firmware/app.bin", APP), record(b"firmware/z.json", b"{}"))


class Sys:
    """Stands for `sys`: CPython has no `_mpy`."""

    path = sys.path

    class implementation:
        _mpy = 0x2B06


class Offer:
    def __init__(self, data, **more):
        self.bundle = sha256(data).digest()
        self.id = str(hexlify(self.bundle[:4]), "ascii")
        self.size = len(data)
        self.version = "1.4.0"
        self.floor = 7
        self.force = False
        self.url = None
        for name in more:
            setattr(self, name, more[name])


class Pieces:
    """Stands for a module that fetches: gives `data` in pieces of `most` bytes, with waits
    between, and keeps what it was asked for."""

    def __init__(self, data, most=1000):
        self.data = data
        self.most = most
        self.closed = False
        self.asked_again = 0

    def Blocks(self, digest, size, most, stream, session, ask):
        self.arguments = digest, size, most
        self.ask = ask
        return self

    def again(self):
        self.asked_again += 1

    def pieces(self, *arguments):
        self.arguments_of_pieces = arguments
        have = arguments[0] if callable(arguments[0]) else arguments[2]
        try:
            while have() < len(self.data):
                yield None
                yield self.data[have():have() + self.most]
        finally:
            self.closed = True


class Bench:
    def __init__(self, data=BUNDLE, host=None, stage=None, sent=None, **offer):
        self.host = host or Host()
        self.offer = Offer(data, **offer)
        self.source = Pieces(data if sent is None else sent)
        self.ondemand = OnDemand(self.source)
        self.job = {"request_id": "r", "id": self.offer.id, "offer": {"size": 5}, "meter": True}
        jobs.begin(self.job)
        if stage is not None:
            write(jobs.STAGE, stage)
        self.updater = Updater(self.host, self.job, self.offer)

    def step(self):
        with Patched(updater, sys=Sys, ondemand=self.ondemand), Patched(slots, sys=Sys):
            return self.updater.step()

    def run(self, until=None):
        """Go on until this state, or until something else comes next, which is returned."""
        for _ in range(1000):
            if self.updater.state == until or self.host.node.restarts:
                return self.updater
            following = self.step()
            if following is not self.updater:
                return following
        raise AssertionError("no end")

    def refused(self):
        """(code, message) that it ends with."""
        ending = self.run()
        assert isinstance(ending, Ending), ending
        ending.step()
        return self.host.concluded[0][2]

    @property
    def states(self):
        found = []
        for _, result in self.host.told:
            if result["state"] not in found:
                found.append(result["state"])
        return found


def content(path):
    f = open(path, "rb")
    try:
        return f.read()
    finally:
        f.close()


def clean():
    """Whether all that is left is the slot, and nothing in it."""
    return all(name in ("a", "slots.state", jobs.JOB) for name in os.listdir(".")) and (
        "a" not in os.listdir(".") or os.listdir("a") == [])


@in_flash
def test_from_the_first_block_to_the_restart():
    bench = Bench()
    assert bench.run() is bench.updater
    assert bench.host.node.restarts == ["update"]
    assert bench.states == ["verifying", "installing", "restarting"]
    assert content("a/firmware/app.bin") == APP and content("a/firmware/z.json") == b"{}"
    with Patched(slots, sys=Sys):
        head = slots.Folder("a").check()
    assert head == {"id": bench.offer.id, "version": "1.4.0", "floor": 7, "mpy": 0x2B06}
    assert jobs.staged() is None
    assert jobs.load(Log())["armed"] == 1
    assert bench.host.beats > 9000 // 512


@in_flash
def test_after_that_it_waits_for_the_restart():
    bench = Bench()
    bench.run()
    for _ in range(3):
        assert bench.step() is bench.updater
    assert bench.host.node.restarts == ["update"] and bench.updater.state == "restarting"


@in_flash
def test_what_the_blocks_are_asked_for():
    for chip, most in (("esp32", 4096), ("esp8266", 2048)):
        host = Host()
        host.chip = chip
        bench = Bench(host=host)
        bench.step()
        assert bench.source.arguments == (bench.offer.bundle, len(BUNDLE), most)
        assert bench.updater.blocks is bench.source
        bench.source.ask(4096, most)
        assert host.told[-1] == ("r", {
            "state": "downloading", "percent": 0, "version": "1.4.0",
            "need": {"bundle": bench.offer.id, "offset": 4096, "bytes": most}})
        bench.updater.give_up("aborted", "")


@in_flash
def test_no_blocks_are_taken_once_all_are_there():
    bench = Bench()
    bench.run("verifying")
    assert bench.updater.blocks is None and bench.source.closed


@in_flash
def test_it_goes_on_where_it_was():
    bench = Bench(stage=BUNDLE[:5000])
    assert bench.updater.result() == {"state": "downloading", "version": "1.4.0",
                                      "percent": 5000 * 100 // len(BUNDLE)}
    bench.run("verifying")
    assert content(jobs.STAGE) == BUNDLE


@in_flash
def test_with_all_of_it_there_it_asks_for_nothing():
    bench = Bench(stage=BUNDLE)
    bench.run("verifying")
    assert bench.host.told[0][1]["state"] == "verifying"


@in_flash
def test_a_stage_that_is_too_long_is_begun_again():
    bench = Bench(stage=BUNDLE + b"x")
    bench.step()
    assert jobs.staged() == 0
    bench.run("verifying")
    assert content(jobs.STAGE) == BUNDLE


@in_flash
def test_another_hash_is_the_end():
    wrong = BUNDLE[:-1] + b"\1"
    bench = Bench(sent=wrong)
    assert bench.refused()[0] == "bad_hash"
    assert clean() and not bench.host.node.restarts


@in_flash
def test_a_part_that_was_damaged_on_flash_is_the_end():
    bench = Bench(stage=b"\0" * 4096)
    assert bench.refused()[0] == "bad_hash"
    assert clean()


@in_flash
def test_what_is_no_bundle_writes_nothing_to_the_slot():
    for data in (b"x" * 3000, bundle(record(b"boot.py", b"")),
                 bundle(record(b"firmware/a.py", b"x" * 900, b"\0" * 32))):
        bench = Bench(data)
        assert bench.refused()[0] == "bad_bundle", data[:40]
        assert clean() and "a" not in os.listdir(".")


@in_flash
def test_files_that_take_more_than_there_is_are_refused_before_the_first_is_written():
    with Patched(slots.Folder, room=lambda self: 32768 + 8192):
        bench = Bench()
        assert bench.refused()[0] == "no_space"
    assert clean() and "a" not in os.listdir(".")


@in_flash
def test_for_want_of_room_the_application_beside_goes():
    # Three versions and a bundle would fill 2 MB: the second update was refused.
    rooms = [32768 + 8192]

    def drop_beside(beat):
        rooms.append(1 << 20)
        return True

    with Patched(slots.Folder, room=lambda self: rooms[-1]), \
            Patched(slots, drop_beside=drop_beside):
        bench = Bench()
        assert bench.run() is bench.updater
    assert bench.updater.state == "restarting" and len(rooms) == 2


@in_flash
def test_a_flash_that_is_full_all_the_same_leaves_an_empty_slot():
    def create(self, name):
        raise OSError(28, "")

    with Patched(slots.Folder, create=create):
        bench = Bench()
        assert bench.refused()[0] == "no_space"
    assert clean()


@in_flash
def test_a_flash_that_fails_is_told():
    def create(self, name):
        raise OSError(5, "")

    with Patched(slots.Folder, create=create):
        assert Bench().refused()[0] == "flash"


@in_flash
def test_a_file_that_is_not_what_was_written_is_told():
    check = slots.Folder.check

    def damaged(self, seal="/seal", whole=True):
        return None if seal == "/seal.new" else check(self, seal, whole)

    with Patched(slots.Folder, check=damaged):
        bench = Bench()
        assert bench.refused()[0] == "flash"
    assert clean() and not bench.host.node.restarts


@in_flash
def test_a_version_below_the_floor_of_the_slots_is_not_switched_to():
    slots._save("", -1, "", 8, [], "")
    bench = Bench()
    assert bench.refused()[0] == "flash" and not bench.host.node.restarts


@in_flash
def test_a_sender_that_is_gone_ends_it():
    bench = Bench()

    def stalled(have):
        yield None
        raise Refused("stalled", "nobody sends")

    bench.source.pieces = stalled
    assert bench.refused() == ("stalled", "nobody sends")
    assert clean()


@in_flash
def test_giving_up_in_the_download_closes_what_is_open():
    bench = Bench()
    bench.step()
    bench.step()
    ending = bench.updater.give_up("aborted", "by command")
    assert bench.source.closed
    ending.step()
    assert bench.host.concluded[0][2] == ("aborted", "by command") and clean()


@in_flash
def test_a_url_is_fetched_from():
    bench = Bench(url="https://host.example/b")
    bench.step()
    assert bench.ondemand.loaded == ["ota.http"] and bench.updater.blocks is None
    url, size, have, resolver = bench.source.arguments_of_pieces[:4]
    assert (url, size, have(), resolver) == ("https://host.example/b", len(BUNDLE), 0, "resolver")
    bench.run("verifying")
    assert content(jobs.STAGE) == BUNDLE
    # Nobody asks for blocks, so it tells by itself, at each tenth.
    percents = [result["percent"] for _, result in bench.host.told
                if result["state"] == "downloading"]
    assert percents == sorted(percents) and 8 <= len(percents) <= 10


@in_flash
def test_without_room_for_the_code_it_can_be_ended():
    bench = Bench()
    bench.ondemand.module = None
    try:
        bench.step()
        raise AssertionError("it went on")
    except MemoryError:
        pass
    bench.updater.give_up("internal_error", "MemoryError").step()
    assert clean()


@in_flash
def test_whoever_offers_it_again_gets_the_answers():
    bench = Bench()
    bench.step()
    bench.updater.attach("s")
    assert bench.updater.request_id == "s" and jobs.load(Log())["request_id"] == "s"
    assert bench.source.asked_again == 1  # the request before had another id
    bench.source.ask(0, 5)
    assert bench.host.told[-1][0] == "s"


@in_flash
def test_one_that_has_failed_is_tried_again_with_force_only():
    for force in (False, True):
        offer = Offer(BUNDLE)
        slots._save("", -1, "", 0, [offer.id], "")
        bench = Bench(force=force)
        following = bench.run()
        assert (following is bench.updater) == force
        assert bench.host.node.restarts == (["update"] if force else [])
