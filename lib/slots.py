"""Two slots for the application: a new version goes into the spare one, is tried, and stays only
if it confirms itself. An update never replaces this file.

A slot is a folder, `a` or `b`. Its last file, `seal`, names all others with their hashes: without
it, or with one wrong byte, the slot is not good. `slots.state` says which one runs; its rename is
the moment of every change, so a power cut leaves the state before it or the state after it.

    confirmed --switch--> trial, 3 tries --confirm--> confirmed, and the floor may rise
                            | boot counts a try down before it imports anything
                            | none left, or damaged
                            +--> the slot of before, with the reason: rolled_back

A confirmed slot that is damaged gives way to the other one. Where that is none either, or after
10 crashes of a confirmed slot, each within the first minute, the node starts in recovery: the
link and updates only. The start after that tries again.

With neither slots nor state, what runs is the application beside `boot.py` (slot None).
"""

import json
import os
import sys
from binascii import hexlify
from hashlib import sha256

from micropython import const

STATE = "slots.state"
CRASHES = "slots.crashes"
# Reasons for a return that do not speak against the version: it may be offered again.
INNOCENT = ("offline", "power", "damaged", "command")

_BESIDE = "firmware"
_IN_ROM = "/rom/firmware"
_OURS = ("boot", "main", "slots", "retained", "seal")
_TRIES = const(3)
_CONFIRMED = const(-1)  # in place of the tries left
_RECOVERY = const(-1)  # in place of the number of crashes
_MOST_CRASHES = const(10)
_BAD = const(3)
_REASON = const(40)  # with all else below 128 bytes, which cost littlefs no block
_TAG = const(8)


class Folder:
    """A slot as a folder of the file system.

    Another kind of storage has to have these methods, and `name`, which goes into `sys.path`.
    beat: called every few milliseconds of what takes long.
    """

    def __init__(self, name, beat=None):
        self.name = name
        self._beat = beat or (lambda: None)

    def begin(self):
        """Make it empty; first of all it loses its seal."""
        try:
            os.remove(self.name + "/seal")
        except OSError:
            pass
        try:
            names = os.listdir(self.name)
        except OSError:
            os.mkdir(self.name)
            return
        for name in names:
            self._remove(self.name + "/" + name)

    def create(self, name):
        """A new file to write and close, with its folders. ValueError: not a name for a slot."""
        parts = name.split("/")
        # A module of the slot would be found before the one of the same name beside boot.py.
        if parts[0].split(".")[0] in _OURS or ".." in parts or "" in parts:
            raise ValueError(name)
        path = self.name
        for part in parts[:-1]:
            path += "/" + part
            try:
                os.mkdir(path)
            except OSError:
                pass  # it is there, or opening the file fails
        return open(path + "/" + parts[-1], "wb")

    def room(self):
        """Bytes that its files may take in whole blocks: what is free, and what it holds now."""
        block, _, _, _, free = os.statvfs(".")[:5]
        return block * (free + self._blocks(self.name, block))

    def seal(self, head, files):
        """Read everything back, and seal the slot if all is as it should be; else ValueError.

        A generator, so that the house's foreground goes on: yields after each file.
        head: dict with `id` (the first 8 hex digits of the bundle's SHA-256), `version`, `floor`
        and, where there is byte code, `mpy` (`sys.implementation._mpy`); files: an iterable of
        (name, SHA-256 as 64 hex digits), every file there is.
        """
        new = self.name + "/seal.new"
        digest = sha256()
        f = open(new, "wb")
        try:
            line = json.dumps(head).encode() + b"\n"
            f.write(line)
            digest.update(line)
            for name, expected in files:
                line = ("%s %s\n" % (name, expected)).encode()
                f.write(line)
                digest.update(line)
                yield
            f.write(hexlify(digest.digest()))
        finally:
            f.close()
        if not self.check("/seal.new"):
            raise ValueError("a file is not what was written")
        os.rename(new, self.name + "/seal")

    def check(self, seal="/seal", whole=True):
        """The head of the seal if every file is as it was sealed (not `whole`: if there is a
        seal), else None."""
        try:
            f = open(self.name + seal, "rb")
        except OSError:
            return None
        buffer = memoryview(bytearray(512))
        try:
            line = f.readline()
            head = json.loads(line)
            if not whole:
                return head
            digest = sha256(line)
            while True:
                line = f.readline()
                parts = str(line, "ascii").split()
                if len(parts) != 2:
                    break
                digest.update(line)
                if self._hash(parts[0], buffer) != parts[1]:
                    return None
            mpy = getattr(sys.implementation, "_mpy", None)
            if line != hexlify(digest.digest()) or head.get("mpy", mpy) != mpy:
                return None
            return head
        except (OSError, ValueError):
            return None
        finally:
            f.close()

    def _hash(self, name, buffer):
        f = open(self.name + "/" + name, "rb")
        try:
            digest = sha256()
            while True:
                self._beat()
                size = f.readinto(buffer)
                if not size:
                    return str(hexlify(digest.digest()), "ascii")
                digest.update(buffer[:size])
        finally:
            f.close()

    def _blocks(self, path, block):
        # Of the files in a folder; 0 where there is none.
        try:
            names = os.listdir(path)
        except OSError:
            return 0
        found = 0
        for name in names:
            name = path + "/" + name
            stat = os.stat(name)
            found += self._blocks(name, block) if stat[0] & 0x4000 else -(-stat[6] // block)
        return found

    def _remove(self, path):
        self._beat()
        try:
            os.remove(path)
        except OSError:  # a folder
            for name in os.listdir(path):
                self._remove(path + "/" + name)
            os.rmdir(path)


def boot(power_on, crashed):
    """Choose the slot that runs and put it into `sys.path`; True if it is on trial.

    power_on: the node had no power; crashed: it was reset, but not by `main.py`.
    """
    active, tries, previous, floor, bad, reason = _load()
    if tries != _CONFIRMED:
        head = Folder(active).check()
        if tries < _TRIES and not power_on:
            reason = reason or "reset"  # that ended the try before
        # A try that cannot be counted is none: there would be no end to them.
        if head and tries > 0 and _saved(active, tries - 1, previous, floor, bad, reason):
            sys.path.insert(0, active)
            return True
        reason = reason or "power" if head else "damaged"
        if reason not in INNOCENT:
            bad = bad[1 - _BAD:] + [head["id"]]
        active = previous
        _saved(active, _CONFIRMED, "", floor, bad, reason)
    if not active:
        return False
    crashes = _crashes()
    if not Folder(active).check():
        other = _other(active)
        head = Folder(other).check()
        if not head or head["id"] in bad:
            _count(_RECOVERY)
            sys.path.append(active)  # a complete application beside boot.py goes first
            return False
        active = other
        _saved(active, _CONFIRMED, "", floor, bad, "damaged")
    now = max(crashes, 0) + (1 if crashed else 0)
    if now >= _MOST_CRASHES:
        now = _RECOVERY
    if now != crashes:
        _count(now)
    sys.path.insert(0, active)
    return False


def current():
    """What runs, as a dict.

    slot        "a", "b", "rom" for the application in ROMFS, or None for that beside `boot.py`
    state       "confirmed", "trial", "rolled_back", "recovery", or "armed": another slot starts
                its trial with the next boot
    version, id of the slot (id: the first 8 hex digits of its bundle's SHA-256); None without one
    reason      why the version before this one is gone, or the latest failure of the trial; or ""
    tries, floor, bad   tries left (0 when none goes on), lowest version number that may be
                installed, and the ids of versions that have failed
    """
    active, tries, _, floor, bad, reason = _load()
    slot = running()
    if tries != _CONFIRMED:
        state = "trial" if slot == active else "armed"
    elif _crashes() == _RECOVERY:
        state = "recovery"
    else:
        state = "rolled_back" if reason else "confirmed"
    head = slot and Folder(slot).check(whole=False)
    if not slot and getattr(sys.modules.get("firmware"), "__path__", None) == _IN_ROM:
        slot = "rom"
    return {"slot": slot, "state": state, "version": head and head["version"],
            "id": head and head["id"], "reason": reason, "tries": max(tries, 0), "floor": floor,
            "bad": bad}


def running():
    """The slot that runs: "a", "b", or None."""
    return sys.path[0] if sys.path[0] in ("a", "b") else None


def spare(beat=None):
    """The `Folder` of the slot that is not in use. ValueError: there is none during a trial, when
    it holds the way back."""
    active, tries = _load()[:2]
    if tries != _CONFIRMED:
        raise ValueError("on trial")
    return Folder(_other(active), beat)


def begin(beat=None):
    """`spare`, emptied for a new version."""
    folder = spare(beat)
    # Else a slot that is sealed, but not switched to, could be all there is to go by.
    _save(*_load())
    folder.begin()
    return folder


def drop_beside(beat=None):
    """Where a slot runs, remove the application beside `boot.py`; False if there is none.

    It is what a node with two damaged slots falls back to, so it goes only for want of room: of
    4 MB of flash three versions and a bundle would take all.
    """
    if not running():
        return False
    try:
        # First another name: half of it would hide what is in a slot, when no slot is good.
        os.rename(_BESIDE, _BESIDE + ".old")
    except OSError:
        pass  # it is gone, or half gone
    folder = Folder(_BESIDE + ".old", beat)
    try:
        os.stat(folder.name)
    except OSError:
        return False
    folder.begin()
    os.rmdir(folder.name)
    return True


def switch(folder, force=False):
    """From the next boot on, what `spare` gave is on trial. ValueError: it may not be; with
    `force`, one that has failed may, and is off the list of bad ones."""
    active, tries, _, floor, bad, _ = _load()
    head = folder.check()
    if tries != _CONFIRMED or not head or head["floor"] < floor:
        raise ValueError("it may not run")
    if head["id"] in bad:
        if not force:
            raise ValueError("it has failed")
        bad.remove(head["id"])
    _count(0)  # what crashed is not what comes now
    _save(folder.name, _TRIES, active, floor, bad, "")


def confirm():
    """The running version is well: it stays. False if there was nothing to confirm."""
    active, tries, _, floor, bad, _ = _load()
    if tries == _CONFIRMED or active != running():
        return False
    floor = max(floor, Folder(active).check(whole=False)["floor"])
    _save(active, _CONFIRMED, "", floor, bad, "")
    return True


def fail(reason, last=False):
    """The running version has failed; call it before the reset. last: no more tries."""
    active, tries, previous, floor, bad, _ = _load()
    slot = running()
    if slot and tries != _CONFIRMED and slot == active:
        # Plain, since a longer or an unreadable state would be the end of the trial.
        reason = "".join([c if " " <= c <= "~" else "?" for c in reason[:_REASON]])
        _save(active, 0 if last else tries, previous, floor, bad, reason)
    elif slot:
        _count(max(_crashes(), 0) + 1)


def leave():
    """From the next boot on, the application beside `boot.py` runs: somebody has put it there.
    What lies in the slots is theirs to remove, or a lost state would bring it back."""
    active, tries, _, floor, bad, _ = _load()
    if active or tries != _CONFIRMED:
        _save("", _CONFIRMED, "", floor, bad, "")
    _count(0)


def settled():
    """The node has run for a minute: crashes before this are forgotten."""
    if _crashes() > 0:
        _count(0)


def _other(name):
    return "b" if name == "a" else "a"


def _load():
    # [active, tries, previous, floor, bad, reason]; `active` and `previous` are "" for no slot.
    try:
        data = _read(STATE)
        if data[-_TAG:] == _tag(data[:-_TAG]):
            return json.loads(data[:-_TAG])
    except (OSError, ValueError):
        pass
    # None was ever written, or flash has lost it: what is good may run.
    active, floor = "", -1
    for name in ("a", "b"):
        head = Folder(name).check()
        if head and head["floor"] > floor:
            active, floor = name, head["floor"]
    return [active, _CONFIRMED, "", max(floor, 0), [], ""]


def _save(*state):
    data = json.dumps(state).encode()
    _replace(STATE, data + _tag(data))


def _saved(*state):
    try:
        _save(*state)
        return True
    except OSError:
        return False


def _crashes():
    try:
        return int(_read(CRASHES))
    except (OSError, ValueError):
        return 0


def _count(crashes):
    try:
        if crashes:
            _replace(CRASHES, b"%d" % crashes)
        else:
            os.remove(CRASHES)
    except OSError:
        pass  # it only costs some crashes more


def _read(path):
    f = open(path, "rb")
    try:
        return f.read()
    finally:
        f.close()


def _replace(path, data):
    f = open(path + ".new", "wb")
    try:
        f.write(data)
    finally:
        f.close()
    os.rename(path + ".new", path)


def _tag(data):
    return hexlify(sha256(data).digest()[:_TAG // 2])
