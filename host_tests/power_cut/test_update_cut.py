# Whole updates, over answers and restarts, leave a complete old or new version, the right keys and
# one last word, wherever the power goes (real littlefs2, real firmware/ota).
import shutil

import pytest
import update_bundles
from on_flash import INTERPRETERS, REPO, found_by

PROGRAM = "update_on_flash.py"
JOB_OF_A_WAY_BACK = (
    '    _begin({"request_id": command.get("request_id"), "id": head["id"], "offer": None,\n'
    '            "meter": host.meter_ok()})\n')

# Mistakes in the order of things: name: (step of the plan whose cuts find it, what is found,
# (file of firmware/, text in it, text in its place), ...).
SEEDS = {
    "job_before_its_stage": (1, "ended as rolled_back: power", (
        "ota/job.py", '    if job["offer"]:\n', '    keep(job)\n    if job["offer"]:\n')),
    "told_before_the_job_is_kept": (1, "is forgotten", (
        "ota/actions.py", "    _begin(job)\n    work", "    work"), (
        "ota/updater.py", "        yield from self._download()\n",
        "        yield\n        jobs.begin(self._job)\n        yield from self._download()\n")),
    "unstaged_before_the_switch": (1, "ended as rolled_back: power", (
        "ota/updater.py", "        slots.switch(",
        "        jobs.unstage()\n        slots.switch(")),
    "keys_with_the_files": (1, "the keys are new", (
        "ota/updater.py", '        self._enter("restarting")\n',
        '        self._enter("restarting")\n'
        "        Ending(self._host, self._job)._has_keys(folder.name)\n")),
    "keys_before_it_stays": (1, "the keys are new", (
        "ota/trial.py", "            host.confirm()\n",
        '            Ending(host, self._job)._has_keys(host.slot["slot"])\n'
        "            host.confirm()\n")),
    "keys_after_the_job": (1, "the keys are old", (
        "ota/ending.py", "            while not self._has_keys",
        "            jobs.forget()\n            while not self._has_keys")),
    "keys_of_a_way_back": (10, "the keys are new", (
        "ota/ending.py", '        elif job["offer"]:\n', "        else:\n")),
    "keys_removed_before_renamed": (1, "the keys are None", (
        "storage.py", "    os.rename(new, path)\n",
        "    remove(path)\n    os.rename(new, path)\n")),
    "forgotten_before_it_is_told": (1, "is forgotten", (
        "ota/ending.py", "        host.conclude(",
        "        jobs.forget()\n        host.conclude(")),
    "told_before_the_failure_is_kept": (11, "ends as aborted, and as", (
        "ota/ending.py", "                jobs.keep(job)\n", "                pass\n")),
    "unstaged_before_the_failure_is_kept": (11, "ended as rolled_back: power", (
        "ota/ending.py", "                jobs.keep(job)\n",
        "                jobs.unstage()\n                jobs.keep(job)\n")),
    "attached_but_not_kept": (3, "is forgotten", (
        "ota/trial.py", "            jobs.keep(self._job)\n", "")),
    "way_back_before_its_job": (10, "is on trial", (
        "ota/actions.py", JOB_OF_A_WAY_BACK + "    slots.switch(folder)\n",
        "    slots.switch(folder)\n" + JOB_OF_A_WAY_BACK)),
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    update_bundles.make(folder)
    return str(folder)


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_power_may_go_at_every_operation(tools, bundles, request, capsys, interpreter):
    # Ways to tear; every so many-th operation is cut; after so many cuts one is cut twice.
    full = request.config.getoption("--full")
    if interpreter == "micropython64":
        tears, parts, every = (2, 1, 78) if full else (1, 13, 51)
    else:
        tears, parts, every = (1, 2, 201) if full else (1, 37, 51)
    found = found_by(PROGRAM, getattr(tools, interpreter), bundles, str(REPO), "cuts",
                     str(tears), str(parts), str(every))
    with capsys.disabled():
        print("\n%d cut points, %d violations (updates, %s)" % (
            found["single"] + found["double"], len(found["complaints"]), interpreter))
    assert found["complaints"] == []
    assert found["steps"] == 13 and found["operations"] > 2500
    assert found["single"] >= tears * (found["operations"] // parts - found["steps"])
    assert found["double"] > 20
    assert found["attached"] > found["single"] // 10


def test_the_flash_may_be_full_at_any_time(tools, bundles, capsys):
    found = found_by(PROGRAM, tools.micropython64, bundles, str(REPO), "full")
    with capsys.disabled():
        print("\n%d fault points, %d violations (updates, full flash)" % (
            found["points"], len(found["complaints"])))
    assert found["complaints"] == []
    assert 50 < found["refused"] < found["points"] - 20


@pytest.mark.parametrize("seed", sorted(SEEDS))
def test_a_seeded_mistake_is_found(tools, bundles, tmp_path, seed):
    shutil.copytree(REPO / "firmware", tmp_path / "firmware")
    step, complaint, *changes = SEEDS[seed]
    for name, old, new in changes:
        path = tmp_path / "firmware" / name
        text = path.read_text()
        assert text.count(old) == 1, "%s has %r %d times" % (name, old, text.count(old))
        path.write_text(text.replace(old, new))
    found = found_by(PROGRAM, tools.micropython64, bundles, str(tmp_path), "seed", str(step))
    assert any(complaint in one for one in found["complaints"]), found
