"""The job of an update on flash: what a reset or a full flash leaves of it, in which order."""

import os

from firmware import storage
from firmware.ota import job as jobs
from host_tests.unit.fakes import Log, Patched, in_scratch, raised, write

OFFERED = {"request_id": "r", "id": "a1b2c3d4", "offer": {"size": 5}, "meter": True}
WAY_BACK = {"request_id": None, "id": "a1b2c3d4", "offer": None, "meter": False}


def files():
    return sorted(os.listdir("."))


def full(path, data):
    raise OSError(28, "")


@in_scratch
def test_a_job_comes_back_as_it_was_kept():
    for job in (OFFERED, WAY_BACK):
        jobs.begin(dict(job))
        log = Log()
        assert jobs.load(log) == job and not log.lines
    assert jobs.load(Log()) is not None
    jobs.forget()
    assert jobs.load(Log()) is None and files() == []


@in_scratch
def test_a_changed_job_is_kept():
    jobs.begin(dict(OFFERED))
    jobs.keep(dict(OFFERED, armed=1, failed=["stalled", "nobody"]))
    job = jobs.load(Log())
    assert job["armed"] == 1 and job["failed"] == ["stalled", "nobody"]


@in_scratch
def test_a_new_job_begins_with_an_empty_stage():
    write(jobs.STAGE, b"of another bundle")
    jobs.begin(dict(OFFERED))
    assert jobs.staged() == 0
    assert files() == ["update.json", "update.stage"]


@in_scratch
def test_the_way_back_has_no_stage():
    write(jobs.STAGE, b"of another bundle")
    jobs.begin(dict(WAY_BACK))
    assert jobs.staged() is None


@in_scratch
def test_a_job_that_finds_no_room_is_none():
    # Neither may the one before come back with the stage of this one.
    jobs.begin(dict(OFFERED))
    write(jobs.STAGE, b"12345")
    with Patched(storage, replace=full):
        assert raised(OSError, jobs.begin, dict(OFFERED, id="00000000"))
    assert jobs.load(Log()) is None


@in_scratch
def test_the_stage_is_there_before_the_job_and_gone_after_it():
    # A job without a stage would mean that the bundle is installed already.
    seen = []

    def replace(path, data):
        seen.append(files())

    with Patched(storage, replace=replace):
        jobs.begin(dict(OFFERED))
    assert seen == [["update.stage"]]

    def remove(path):
        seen.append(path)

    with Patched(storage, remove=remove):
        jobs.forget()
    assert seen[1:] == ["update.json", "update.stage"]


@in_scratch
def test_the_size_of_the_stage_is_what_has_come():
    assert jobs.staged() is None
    write(jobs.STAGE, bytes(4097))
    assert jobs.staged() == 4097
    jobs.unstage()
    assert jobs.staged() is None
    jobs.unstage()


@in_scratch
def test_what_is_no_job_is_forgotten():
    for data in (b"", b"{", b"[]", b"5", b'"id"', b"{}", b'{"id": 5}', b'{"id": null}', b"\xff",
                 b'{"id": "a1b2c3d4"', b" " * 9000):
        write("update.json", data)
        write(jobs.STAGE, b"12345")
        assert jobs.load(Log()) is None, data
        assert files() == [], data


@in_scratch
def test_a_broken_job_is_logged():
    write("update.json", b'{"id": "a1b2c3d4"')
    log = Log()
    jobs.load(log)
    assert len(log.lines) == 1 and log.has("update.json is not JSON")
