# The last word on an update: told until the broker has it, over resets.
from .. import VERSION, storage
from . import KEYS
from . import job as jobs


class Ending:
    """Answers the request that began a job, and forgets the job.

    host: `Updates`; job: as in job.py; refused: (code, message), None if the new version runs and
    stays; only then its keys are taken.
    """

    def __init__(self, host, job, refused=None):
        self.id = job["id"]
        self.request_id = job["request_id"]
        self._host = host
        self._refused = refused
        self._steps = self._run(job)

    def step(self):
        """Go on; returns itself as long as there is more to do, then None."""
        try:
            next(self._steps)
            return self
        except StopIteration:
            return None

    def attach(self, request_id):
        """Too late for another one: it gets the answer when it asks again."""

    def result(self):
        return {"state": "failed" if self._refused else "confirmed", "percent": 100,
                "version": VERSION}

    def _run(self, job):
        host = self._host
        if self._refused:
            host.log("update: %s: %s" % self._refused)
            job["failed"] = self._refused
            job["offer"] = None
            try:
                jobs.keep(job)
            except OSError:
                pass  # a full flash, maybe because of the stage
            jobs.unstage()
        elif job["offer"]:
            self._take_keys(host.slot["slot"])
        while host.outbox.full:
            yield
        host.conclude(self.request_id, {"state": "confirmed", "version": VERSION}, self._refused)
        while not host.outbox.answered():
            yield
        jobs.forget()

    def _take_keys(self, slot):
        # Not before: a way back must not bring old keys back.
        keys = storage.read(slot + "/" + KEYS)
        if keys and keys != storage.read(KEYS):
            storage.replace(KEYS, keys)
            self._host.log("update: new keys")
