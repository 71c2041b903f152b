# What `command/ota` does: `offer status abort rollback`. Loaded for it.
import os
import sys

from .. import VERSION, storage
from ..mqtt.commands import Refused, Underway
from . import KEYS, signature
from . import job as jobs
from .ending import Ending
from .offer import Offer
from .trial import Trial
from .updater import RESERVE_BYTES, Updater


def prepare(host, action, command):
    """A callable that carries the action out; Refused if an argument is wrong. host: `Updates`."""
    if action == "offer":
        offer = Offer(command)
        return lambda: _take(host, offer, command)
    if action == "status":
        return lambda: _status(host)
    if action == "abort":
        return lambda: _abort(host)
    if action == "rollback":
        return lambda: _roll_back(host, command)
    raise Refused("unknown_action", "action must be offer, status, abort or rollback")


def resume(host):
    """What is left of a job after a start: `Updater`, `Ending`, or None."""
    job = jobs.load(host.log)
    slot = host.slot
    if slot["state"] == "trial":
        return Trial(host, job if job and job["id"] == slot["id"] else None)
    if job is None:
        return None
    if job.get("failed"):
        return Ending(host, job, tuple(job["failed"]))
    if slot["id"] == job["id"]:
        return Ending(host, job)
    armed = job.get("armed", 0)
    command = job["offer"]
    # A stage left after the switch: the new version never came so far as to remove it, or the
    # power failed in between. It may be tried once more, unless it is known to be bad.
    if not command or jobs.staged() is None or armed > 1 \
            or job["id"] in slot["bad"] and not command.get("force"):
        return Ending(host, job, ("rolled_back", slot["reason"] or "power"))
    try:
        offer = Offer(command)
        facts = _Facts(host)
        facts.max_bytes = offer.size  # what has come of it takes some of the room it had
        offer.check(facts, host.beat)
    except Refused as e:
        return Ending(host, job, e.args)
    return Updater(host, job, offer)


class _Facts:
    """What `Offer.check` asks of this node."""

    def __init__(self, host):
        import slots
        slot = host.slot
        self.hardware = host.chip
        self.mpy = sys.implementation._mpy
        self.version = VERSION
        self.floor = slot["floor"]
        self.bad = slot["bad"]
        stat = os.statvfs(".")
        free = stat[0] * stat[4] + (jobs.staged() or 0) - RESERVE_BYTES
        # Unpacked it is larger than the bundle, so there must be twice of it at the least; how
        # much it is will be seen in the bundle itself, before anything is written to the slot.
        self.max_bytes = max(min(free, (slots.spare().room() - RESERVE_BYTES) // 2), 0)
        self.keys = {}
        try:
            self.keys = signature.read_keys(storage.read(KEYS) or b"")
        except ValueError as e:
            host.log("update: %s: %s" % (KEYS, e))


def _take(host, offer, command):
    work = host.work
    if work and work.id == offer.id:
        work.attach(command.get("request_id"))
        raise Underway(work.result())
    if work:
        raise Refused("busy", "%(version)s is %(state)s" % work.result())
    if host.slot["id"] == offer.id:
        return {"state": "confirmed", "version": VERSION}
    if host.slot["slot"] == "rom" and host.chip == "esp8266":
        # A slot would run from the heap, which is too small for it.
        raise Refused("unsupported", "it runs from ROMFS: use scripts/flash")
    offer.check(_Facts(host), host.beat)
    kept = dict(command)
    for name in ("request_id", "timestamp"):
        kept.pop(name, None)
    job = {"request_id": command.get("request_id"), "id": offer.id, "offer": kept,
           "meter": host.meter_ok()}
    _begin(job)
    work = Updater(host, job, offer)
    host.begin(work)
    raise Underway(work.result())


def _status(host):
    slot = host.slot
    result = {"version": VERSION}
    for name in ("slot", "state", "reason", "floor", "bad"):
        result[name] = slot[name]
    result["ignored_blocks"] = host.ignored
    result["update"] = host.work and host.work.result()
    return result


def _abort(host):
    give_up = getattr(host.work, "give_up", None)
    if not give_up:
        raise Refused("bad_request", "no update is being fetched")
    if host.work.state == "restarting":
        raise Refused("busy", "too late: send rollback after the restart")
    host.work = give_up("aborted", "by command")
    return {"state": "aborted"}


def _roll_back(host, command):
    if host.slot["state"] == "trial":
        host.work.fail("command", True)
        return {"state": "restarting"}
    if host.work:
        raise Refused("busy", "an update is under way: send abort")
    import slots
    folder = slots.spare(host.beat)
    head = folder.check()
    if not head:
        raise Refused("unsupported", "there is no complete version in the other slot")
    if head["floor"] < host.slot["floor"]:
        raise Refused("below_floor", "%s has floor %d, here it is %d" % (
            head["version"], head["floor"], host.slot["floor"]))
    if head["id"] in host.slot["bad"]:
        raise Refused("known_bad", "%s has failed here" % head["version"])
    _begin({"request_id": command.get("request_id"), "id": head["id"], "offer": None,
            "meter": host.meter_ok()})
    slots.switch(folder)
    host.node.restart("update")
    raise Underway({"state": "restarting", "version": head["version"]})


def _begin(job):
    try:
        jobs.begin(job)
    except OSError as e:
        jobs.unstage()
        raise Refused("flash", "the offer cannot be kept: %r" % e)
