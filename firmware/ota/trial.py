# A version on trial: it stays if the node is well with it, else its reset is a failed try.
from time import ticks_diff, ticks_ms

from .. import VERSION
from . import job as jobs
from .ending import Ending

CONFIRM_MS = 300000
DEADLINE_MS = 600000  # not well by then: the next try, or the version before


class Trial:
    """Well means: 5 minutes without a reset, online, the meter answers as it did before, and the
    broker has acknowledged a status that was sent after that.

    host: `Updates`; job: as in job.py, None where somebody else has filled the slot.
    """

    def __init__(self, host, job):
        self.id = host.slot["id"]
        self.request_id = job and job["request_id"]
        self._host = host
        self._job = job
        self._needs_meter = job["meter"] if job else host.has_meter()
        self._began_ms = ticks_ms()
        self._acknowledged = False
        self._over = False  # it has failed; the restart is due
        jobs.unstage()

    def step(self):
        """Look how it is; also while offline. Returns what comes next: as a rule, itself."""
        if self._over:
            return self
        host = self._host
        age_ms = ticks_diff(ticks_ms(), self._began_ms)
        meter_ok = not self._needs_meter or host.meter_ok()
        online = host.session.online
        if online and meter_ok and not self._acknowledged:
            host.session.publish(host.session.prefix + b"response/ota",
                                 host.commands.progress(self.request_id, self.result()), False, 1)
            self._acknowledged = True
        if online and meter_ok and self._acknowledged and age_ms >= CONFIRM_MS:
            host.confirm()
            return self._job and Ending(host, self._job)
        if age_ms >= DEADLINE_MS:
            self.fail("the meter is silent" if online else "offline")
        return self

    def fail(self, reason, last=False):
        """This try is over. last: no more tries."""
        self._over = True
        self._host.fail(reason, last)

    def attach(self, request_id):
        """Whoever offers the same bundle again gets the answers from now on."""
        self.request_id = request_id
        if self._job:
            self._job["request_id"] = request_id
            jobs.keep(self._job)

    def result(self):
        age_ms = ticks_diff(ticks_ms(), self._began_ms)
        return {"state": "trial", "percent": min(age_ms * 100 // CONFIRM_MS, 100),
                "version": VERSION}
