# The power fails at any step of the switch: a node goes on with what it had or has the new one,
# whole; and the next scripts/flash finishes.
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from flashing import onboard, plan

HERE = Path(__file__).resolve().parent
OLD = {"boot.py": b"# old", "main.py": b"# old", "lib/slots.mpy": b"", "config.json": b"{}",
       "firmware/app.mpy": b"old", "firmware/deep/same.mpy": b"same", "firmware/gone.mpy": b"gone"}
NEW = {"boot.py": b"# new", "main.py": b"# new", "lib/slots.mpy": b"", "config.json": b"{}",
       "firmware/app.mpy": b"new", "firmware/deep/same.mpy": b"same", "firmware/more.mpy": b"more"}


class Flash:
    """A folder as a board's flash, and MicroPython to run on it what the host sends."""

    def __init__(self, folder, tools, source):
        self.folder = folder
        self._micropython = tools.micropython32
        self._library = source / "lib"

    def write(self, files):
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def run(self, code, cut_at=-1):
        """What it prints; None if the power failed."""
        (self.folder.parent / "code.py").write_text(code)
        done = subprocess.run([self._micropython, "../code.py"], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, timeout=20,
                              env=dict(os.environ, CUT_AT=str(cut_at), MICROPYPATH=":".join(
                                  (str(HERE / "counted"), str(self._library), ".frozen"))))
        assert done.returncode in (0, 9), done.stdout
        return done.stdout if done.returncode == 0 else None

    def flash(self, want, cut_at=-1, image=None, image_due=False):
        """As scripts/flash does; the power may fail in the switch. Returns whether it ended."""
        assert self.run(onboard.REPAIR) is not None
        have = plan.told(self.run(onboard.hashes(plan.ROOTS)))
        work = plan.Plan(want, have, image, image_due)
        self.run(onboard.make_room(work.drop, work.folders))
        self.run(onboard.duplicate(work.duplicates))
        for path, content in work.send.items():
            (self.folder / path).write_bytes(content)
        assert not work.missing(plan.told(self.run(onboard.hashes(plan.ROOTS))))
        if image_due:
            self.run(onboard.HOLD)
        return self.run(onboard.switch(work.files, work.stale, work.application,
                                       image is not None), cut_at) is not None

    def tree(self, name):
        """{path: content} of a folder."""
        top = self.folder / name
        return {path.relative_to(top).as_posix(): path.read_bytes()
                for path in top.rglob("*") if path.is_file()}

    def application(self):
        """What an import of `firmware` finds: "old", "new", None for nothing, else a fault."""
        state = self.folder / "slots.state"
        places = ["", "lib"]
        if state.exists() and json.loads(state.read_bytes()[:-8])[0] == "a":
            places.insert(0, "a")
            assert (self.folder / "a/seal").exists()
        for place in places:
            found = self.tree(os.path.join(place, "firmware"))
            if found:
                return {_tree_of(OLD): "old", _tree_of(NEW): "new"}.get(
                    tuple(sorted(found.items())), "neither: %s" % sorted(found))
        return None


def _tree_of(files):
    return tuple(sorted((name[len("firmware/"):], content) for name, content in files.items()
                        if name.startswith("firmware/")))


@pytest.fixture
def new_flash(tools, source, tmp_path):
    def make(number, files):
        folder = tmp_path / str(number) / "flash"
        folder.mkdir(parents=True)
        one = Flash(folder, tools, source)
        one.write(files)
        return one
    return make


def cut_everywhere(new_flash, files, allowed, prepare=lambda flash: None):
    """Returns the number of cut points."""
    number = 0
    while True:
        flash = new_flash(number, files)
        prepare(flash)
        ended = flash.flash(NEW, number)
        assert flash.application() in allowed, "cut %d" % number
        if ended:
            assert flash.application() == "new"
        # A second attempt, cut too at one place; then the last one.
        flash.flash(NEW, number // 2)
        assert flash.application() in allowed, "cut %d and again" % number
        assert flash.flash(NEW)
        assert flash.application() == "new"
        left = {name: content for name, content in flash.tree("").items()
                if name != "slots.state"}
        assert left == NEW, "cut %d" % number
        if ended:
            return number
        number += 1


def test_the_power_may_fail_at_each_step_of_a_switch(new_flash):
    assert cut_everywhere(new_flash, OLD, ("old", "new")) >= 10


def test_the_power_may_fail_at_each_step_of_the_first_switch(new_flash):
    assert cut_everywhere(new_flash, {}, (None, "new")) >= 3


def test_the_power_may_fail_at_each_step_of_a_switch_away_from_a_slot(new_flash):
    def into_slot(flash):
        flash.write({"a/" + name: content for name, content in OLD.items()
                     if name.startswith("firmware/")})
        flash.write({"a/seal": b"x"})
        state = json.dumps(["a", -1, "", 3, [], ""])
        flash.write({"slots.state": (state + hashlib.sha256(state.encode()).hexdigest()[:8])
                     .encode()})

    files = {name: content for name, content in OLD.items() if name != "firmware/gone.mpy"}
    assert cut_everywhere(new_flash, files, ("old", "new"), into_slot) >= 15


@pytest.mark.parametrize("image_due", (False, True))
def test_the_power_may_fail_at_each_step_of_a_switch_to_romfs(new_flash, image_due):
    want = {path: content for path, content in NEW.items() if not path.startswith("firmware/")}
    number = 0
    ended = False
    while not ended:
        flash = new_flash(number, OLD)
        ended = flash.flash(want, number, b"image", image_due)
        # An application in the file system hides the one in ROMFS; half of one would, too.
        assert flash.application() in ("old", None), "cut %d" % number
        runs = (flash.folder / "main.py").exists()
        assert runs or image_due, "cut %d" % number
        if image_due and runs:  # main.py comes when all is as it should be
            assert flash.application() is None and ended
        flash.flash(want, number // 2, b"image")
        assert flash.flash(want, -1, b"image")
        assert flash.tree("") == want, "cut %d" % number
        number += 1
    assert number >= 8


def test_what_an_update_left_of_its_switch_is_finished(new_flash):
    # The moment in which the new application runs from lib/.
    flash = new_flash(0, NEW)
    (flash.folder / "firmware").rename(flash.folder / "lib/firmware")
    flash.write({"firmware.old/app.mpy": b"old"})
    assert flash.application() == "new"
    assert flash.flash(NEW)
    assert flash.tree("") == NEW


def test_a_node_starts_in_the_middle_of_a_switch(bench):
    bench.board.power_cut()
    (bench.flash / "firmware").rename(bench.flash / "lib/firmware")
    bench.restarted()
    assert bench.run() == 0
    assert bench.copied == (0, 0)
    assert not (bench.flash / "lib/firmware").exists()
