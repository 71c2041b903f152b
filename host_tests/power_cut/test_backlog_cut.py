# The backlog loses and repeats no more than it may, wherever the power goes (real littlefs2).
import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
INTERPRETERS = ("micropython64", "micropython32")


def found_by(micropython, *arguments):
    """What `backlog_on_flash.py` finds."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=64M", str(HERE / "backlog_on_flash.py")] + list(arguments),
        env=dict(os.environ, MICROPYPATH=f"{REPO}:{REPO}/lib:.frozen"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=900)
    # Before that line come complaints about files that were open when the power went.
    last = done.stdout.rstrip().splitlines()[-1]
    assert done.returncode == 0 and last.startswith("{"), done.stdout[-3000:]
    return json.loads(last)


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_power_may_go_at_every_operation(tools, request, interpreter):
    every = 1 if request.config.getoption("--full") else 17
    found = found_by(getattr(tools, interpreter), "cuts", str(every))
    assert found["complaints"] == []
    assert found["heard"] == 2 * found["safe"] == 28  # the story as it is without a cut
    assert found["operations"] > 90
    assert found["single"] == 4 * found["operations"]
    assert found["double"] > 10 * (found["operations"] // every)
    print("%d fault points" % (found["single"] + found["double"]))


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_day_offline_spares_the_flash(tools, interpreter):
    found = found_by(getattr(tools, interpreter), "day")
    assert found["complaint"] is None
    assert found["kept"] + found["dropped"] == 26 * 60 - 1
    assert found["heard"] == 2 * 24 * 60
    assert found["written"][1] <= 36  # erases: about one an hour
    assert found["drained"][1] <= 300  # about one for ten acknowledged messages
