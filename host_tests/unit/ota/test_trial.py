"""A version on trial: what it takes to stay, and what ends it."""

import os

from firmware import VERSION
from firmware.mqtt.session import LinkDown
from firmware.ota import job as jobs
from firmware.ota import trial
from firmware.ota.ending import Ending
from firmware.ota.trial import CONFIRM_MS, DEADLINE_MS, Trial
from host_tests.unit.fakes import Log, Patched, Ticks, raised, write
from host_tests.unit.lib.test_slots import in_flash
from host_tests.unit.ota.update_bench import Host


class Bench:
    def __init__(self, meter=True, job=True):
        self.ticks = Ticks()
        self.host = Host(slot="a", state="trial", id="a1b2c3d4")
        write(jobs.STAGE, b"what it came from")
        self.job = None
        if job:
            self.job = {"request_id": "r", "id": "a1b2c3d4", "offer": {}, "meter": meter}
            jobs.keep(self.job)
        with Patched(trial, ticks_ms=self.ticks):
            self.trial = Trial(self.host, self.job)

    def after(self, ms):
        """What comes next so many ms later."""
        self.ticks.sleep(ms)
        with Patched(trial, ticks_ms=self.ticks):
            return self.trial.step()

    def result(self):
        with Patched(trial, ticks_ms=self.ticks):
            return self.trial.result()


@in_flash
def test_it_stays_after_5_minutes_online_with_its_meter():
    bench = Bench()
    assert bench.after(0) is bench.trial
    assert bench.after(CONFIRM_MS - 1) is bench.trial and not bench.host.confirmed
    ending = bench.after(1)
    assert bench.host.confirmed == 1 and isinstance(ending, Ending)
    assert ending.request_id == "r" and not bench.host.failed


@in_flash
def test_the_broker_must_have_acknowledged_a_status():
    bench = Bench()
    bench.after(0)
    topic, payload, retain, qos = bench.host.session.published[0]
    assert topic == b"homesync/h/nodes/n/response/ota" and qos == 1 and not retain
    assert payload == ("r", {"state": "trial", "percent": 0, "version": VERSION})
    bench.after(1000)
    assert len(bench.host.session.published) == 1


@in_flash
def test_without_that_acknowledgement_it_does_not_stay():
    bench = Bench()
    bench.host.session.fault = LinkDown()
    for _ in range(3):
        assert raised(LinkDown, bench.after, CONFIRM_MS // 2)
    assert not bench.host.confirmed
    bench.host.session.fault = None
    assert isinstance(bench.after(0), Ending) and bench.host.confirmed == 1


@in_flash
def test_it_does_not_stay_while_offline():
    bench = Bench()
    bench.after(0)
    bench.host.session.online = False
    assert bench.after(CONFIRM_MS) is bench.trial
    bench.host.session.online = True
    assert isinstance(bench.after(1), Ending)


@in_flash
def test_offline_for_10_minutes_has_failed():
    bench = Bench()
    bench.host.session.online = False
    assert bench.after(DEADLINE_MS - 1) is bench.trial and not bench.host.failed
    bench.after(1)
    bench.after(1)
    assert bench.host.failed == [("offline", False)]


@in_flash
def test_a_silent_meter_has_failed():
    bench = Bench()
    bench.host.node.meter_ok = False
    bench.after(DEADLINE_MS)
    assert bench.host.failed == [("the meter is silent", False)]
    assert not bench.host.session.published


@in_flash
def test_a_meter_that_was_silent_before_may_stay_so():
    bench = Bench(meter=False)
    bench.host.node.meter_ok = False
    assert isinstance(bench.after(CONFIRM_MS), Ending)


@in_flash
def test_what_has_failed_does_not_stay_in_the_seconds_before_the_restart():
    # A `rollback` was answered, and the version confirmed itself while that answer was leaving.
    bench = Bench()
    bench.after(CONFIRM_MS - 1)
    bench.trial.fail("command", True)
    assert bench.after(1) is bench.trial
    assert bench.host.failed == [("command", True)] and not bench.host.confirmed


@in_flash
def test_without_a_job_it_stays_and_tells_nobody():
    bench = Bench(job=False)
    bench.host.node.meter_ok = False
    assert bench.after(CONFIRM_MS) is bench.trial  # with a meter it must answer
    bench.host.node.meter_ok = True
    assert bench.after(1) is None and bench.host.confirmed == 1
    bench.trial.attach("s")
    assert bench.trial.request_id == "s" and jobs.load(Log()) is None


@in_flash
def test_its_stage_is_not_needed_any_more():
    Bench(job=False)
    assert os.listdir(".") == []


@in_flash
def test_whoever_offers_it_again_gets_the_answer():
    bench = Bench()
    bench.trial.attach("s")
    assert jobs.load(Log())["request_id"] == "s"
    assert bench.after(CONFIRM_MS).request_id == "s"


@in_flash
def test_how_far_it_is():
    bench = Bench()
    bench.ticks.sleep(CONFIRM_MS // 4)
    assert bench.result() == {"state": "trial", "percent": 25, "version": VERSION}
    bench.ticks.sleep(CONFIRM_MS)
    assert bench.result()["percent"] == 100
