# The last word on an update: told until the broker has it, over resets.
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from .. import VERSION, storage
from . import KEYS
from . import job as jobs

_AGAIN_MS = const(60000)


class Ending:
    """Answers the request that began a job, and forgets the job.

    host: `Updates`; job: as in job.py; refused: (code, message), None if the new version runs and
    stays; only then its keys are taken.
    """

    def __init__(self, host, job, refused=None):
        self.id = job["id"]
        self.request_id = job["request_id"]
        self._host = host
        self._job = job
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
        """Whoever offers the same bundle again gets the answer, too."""
        self._job["request_id"] = self.request_id = request_id
        jobs.keep(self._job)

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
            while not self._has_keys(host.slot["slot"]):
                due_ms = ticks_add(ticks_ms(), _AGAIN_MS)
                while ticks_diff(due_ms, ticks_ms()) > 0:
                    yield
        told = self
        while told != self.request_id:  # another one may come while the first is told
            told = self.request_id
            yield from self._tell(told)
        jobs.forget()

    def _tell(self, request_id):
        host = self._host
        while host.outbox.full:
            yield
        host.conclude(request_id, {"state": "confirmed", "version": VERSION}, self._refused)
        while not host.outbox.answered():
            yield

    def _has_keys(self, slot):
        # Not before: a way back must not bring old keys back. False: the flash is full, and once
        # the job is forgotten nobody would take them.
        keys = storage.read(slot + "/" + KEYS)
        if keys and keys != storage.read(KEYS):
            try:
                storage.replace(KEYS, keys)
            except OSError as e:
                self._host.log("update: %s: %r" % (KEYS, e))
                return False
            self._host.log("update: new keys")
        return True
