# What outlives a power cut, for update_on_flash.py: the disk, the hub, and what is true.
# MicroPython only. Takes the place of the module `time`, so it goes before all of the firmware.
import json
import os
import sys
import time
from binascii import hexlify, unhexlify
from hashlib import sha256

import micropython
from ram_disk import RamDisk
from story import Off

FOREIGN = {"energy.dat": b"\x5a" * 300, "config.json": b"{}" * 700}
KEYS = "keys.bin"
FILLER = "history"
# (number of a version, what it does, how its job ends: "success", or the code and the message).
# crash: once before it knows of updates, once after it was online; hang: the watchdog ends its
# import; brownout: it has no power for long; what is silent or offline is so for ever.
PLAN = (
    (1, "good", "success"),
    (2, "good", "success"),
    (3, "crash", "rolled_back: crash"),
    (4, "silent", "rolled_back: the meter is silent"),
    (4, "refused", "known_bad"),
    (5, "offline", "rolled_back: offline"),
    (5, "good", "success"),
    (6, "hang", "rolled_back: reset"),
    (7, "brownout", "rolled_back: power"),
    (3, "forced", "success"),
    (5, "rollback", "success"),
    (8, "aborted", "aborted"),
    (8, "good", "success"),
)
STAYS = ("good", "forced", "rollback")
_ENOSPC = 28


class _Time:
    """The module `time`, with a clock that the tests set."""

    def __init__(self):
        for name in dir(time):
            setattr(self, name, getattr(time, name))
        self.now_ms = 0
        self.ticks_ms = lambda: self.now_ms


clock = sys.modules["time"] = _Time()


class Disk(RamDisk):
    """Reads three times as fast: an update reads tens of thousands of times."""

    @micropython.viper
    def readblocks(self, block: int, buffer, offset: int):
        if self.dead:
            raise OSError(5)
        data = ptr32(self.data)  # noqa: F821
        into = ptr32(buffer)  # noqa: F821
        start = (block * 4096 + offset) >> 2  # whole words: multiples of 32 bytes
        for i in range(int(len(buffer)) >> 2):
            into[i] = data[start + i]


class Bundles:
    """What update_bundles.py has made."""

    def __init__(self, folder):
        with open(folder + "/about.json") as f:
            about = json.load(f)
        self.keys = {name: unhexlify(data) for name, data in about["keys"].items()}
        self.versions = {int(number): one for number, one in about["versions"].items()}
        for number, one in self.versions.items():
            with open("%s/%d.payload" % (folder, number), "rb") as f:
                one["payload"] = f.read()

    def version_in(self, slot):
        """The number of the version that lies in a slot, byte by byte; None if none is whole."""
        found = {}
        _hash_all(slot, "", found)
        found.pop("seal", None)
        for number, one in self.versions.items():
            if one["files"] == found:
                return number
        return None


def _hash_all(folder, prefix, found):
    for entry in os.ilistdir(folder):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            _hash_all(path, prefix + entry[0] + "/", found)
        else:
            with open(path, "rb") as f:
                found[prefix + entry[0]] = str(hexlify(sha256(f.read()).digest()), "ascii")


class World:
    """The node's flash and RTC memory, the hub's memory, and the truth about the versions."""

    def __init__(self, bundles, disk):
        self.bundles = bundles
        self.disk = disk
        self.rtc = b""
        self.done = 0  # operations of the lives before this one
        self.cut = None, "none"  # the next one
        self.cuts = 0
        self.step = 0  # of the plan
        self.impatient = False  # the hub offers again, once, when the node is back
        self.fill_at = None  # number of the round after which the disk is full
        self.attached = 0  # offers of what was under way
        self.rounds = 0
        self.refused = 0  # since the disk was full
        # The hub. Its offer of what is under way counts when it is told progress.
        self.request = None  # id of the one that counts
        self.latest = None  # and of the latest
        self.requests = 0
        self.taken = []  # ids that were told progress
        self.finals = []  # (id, how it ended)
        # The truth
        self.may = [0]  # versions that may run without being on trial; 0: no slot
        self.keys = "old"
        self.floor = 0
        self.bad = []
        self.starts = 0  # of the trial of this step
        self.installs = 0  # that have begun
        self.complaints = []

    def copy(self):
        """Another one that goes its own way from here."""
        other = World(self.bundles, None)
        for name, value in self.__dict__.items():
            setattr(other, name, value[:] if isinstance(value, list) else value)
        other.cut_at(None, "none")
        return other

    @property
    def plan(self):
        """(version, behaviour, end) of this step."""
        return PLAN[self.step]

    @property
    def operations(self):
        """Progs and erases since the copy, or the cut before."""
        return self.done + self.disk.operations

    def cut_at(self, operation, tear):
        """The power goes at this operation, from now on counted from 0; None: it stays."""
        self.cut = operation, tear
        self.done = 0
        self.disk = Disk(copy_of=self.disk)

    def mount(self):
        """The disk as a start finds it: whatever was open and not written yet is lost."""
        self.disk.dead = True  # for the garbage of the life before
        operation, tear = self.cut
        if operation is not None:
            operation -= self.operations
        self.done, before = self.operations, self.disk
        self.disk = Disk(copy_of=before, cut=operation, tear=tear)
        self.disk.mount()

    def alive(self):
        """Raises Off when there is no power."""
        if self.disk.dead:
            raise Off()

    def memory(self, data=None):
        """machine.RTC().memory"""
        if data is None:
            return self.rtc
        self.rtc = bytes(data)

    def keys_in_flash(self):
        """The name of the key file that the node has."""
        data = read(KEYS)
        for name, wanted in self.bundles.keys.items():
            if data == wanted:
                return name
        return None

    def complain(self, text):
        self.complaints.append("step %d: %s" % (self.step, text))

    # The hub

    def next_request(self):
        self.requests += 1
        self.latest = "r%d.%d" % (self.step, self.requests)
        return self.latest

    def final(self):
        """How the request has ended, None if it has not yet. The power may have failed between
        the take-over by the latest one and the word of it."""
        for request, state in self.finals:
            if request == self.request or request == self.latest:
                return state
        return None

    def hear(self, payload):
        """What the node answers; returns the block that it needs, or None."""
        self.alive()
        answer = json.loads(payload)
        request, status, result = answer["request_id"], answer["status"], answer["result"]
        if status == "progress":
            if request and request not in self.taken:
                self.taken.append(request)
                self.request = request
            return result.get("need")
        state = status
        if status == "error":
            state = answer["error"]["code"]
            if state == "rolled_back":
                state += ": " + answer["error"]["message"]
            elif state == "internal_error":
                self.complain(answer["error"]["message"])
        for other, before in self.finals:
            if request is None or other == request and state != before:
                self.complain("%s ends as %s, and as %s" % (request, before, state))
        if (request, state) not in self.finals:
            self.finals.append((request, state))
        return None

    def block(self, need):
        """The payload of the block that the node has asked for."""
        payload = self.bundles.versions[self.plan[0]]["payload"]
        offset, n = need["offset"], need["bytes"]
        data = payload[offset:offset + n]
        if len(data) != n or need["bundle"] != self.offer()["bundle"][:8]:
            self.complain("needs %s" % need)
        return b"\xb1\x01\x00\x10" + unhexlify(need["bundle"]) + offset.to_bytes(4, "big") \
            + n.to_bytes(2, "big") + sha256(data).digest()[:2] + data

    def offer(self):
        """The signed offer of this step."""
        number, behaviour, _ = self.plan
        return self.bundles.versions[number]["forced" if behaviour == "forced" else "offer"]


def exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return None


def fill(leave=0):
    """Leave so many blocks of the disk free."""
    os.mkdir(FILLER)
    number = 0
    try:
        while True:
            with open("%s/%d" % (FILLER, number), "wb") as f:
                f.write(b"\0" * 2000)
            number += 1
    except OSError as e:
        if e.errno != _ENOSPC:
            raise
    for one in range(max(number - leave, 0), number):
        os.remove("%s/%d" % (FILLER, one))


def empty():
    """There is room again."""
    if exists(FILLER):
        for name in os.listdir(FILLER):
            os.remove(FILLER + "/" + name)
        os.rmdir(FILLER)
