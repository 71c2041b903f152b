# What outlives a reset of an update that is under way: the job, and the bundle as far as it came.
from .. import storage
from . import JOB

STAGE = "update.stage"


def load(log):
    """The job as a dict, None if there is none.

    request_id  of the command that began it: the last word answers it
    id          of the bundle: the first 8 hex digits of its SHA-256
    offer       the command as it came; None when the way back was commanded
    meter       whether the meter answered then
    armed       how often it was switched to
    failed      [code, message] where it is over, and nobody may have heard of it
    """
    try:
        job = storage.read_json(JOB)
        if job is None or isinstance(job, dict) and isinstance(job["id"], str):
            return job
    except (KeyError, ValueError) as e:
        log("update: %r" % e)
    forget()
    return None


def begin(job):
    """Keep a new job. Its stage is there before it: no stage means that it is past that."""
    storage.remove(JOB)
    if job["offer"]:
        open(STAGE, "wb").close()
    else:
        storage.remove(STAGE)
    keep(job)


def keep(job):
    """Write a job that has changed."""
    storage.replace_json(JOB, job)


def staged():
    """Bytes of the stage, None if there is none."""
    return storage.size(STAGE)


def unstage():
    storage.remove(STAGE)


def forget():
    """There is no job any more. The stage goes last: alone it means nothing."""
    storage.remove(JOB)
    storage.remove(STAGE)
