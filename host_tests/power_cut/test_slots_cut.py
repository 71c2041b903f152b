# An update leaves a complete old or new version, wherever the power goes (real littlefs2).
import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]


def found_by(micropython, *arguments):
    """What `slots_on_flash.py` finds."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=64M", str(HERE / "slots_on_flash.py")] + list(arguments),
        env=dict(os.environ, MICROPYPATH=f"{REPO}:{REPO}/lib:.frozen"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=1200)
    # Before that line come complaints about files that were open when the power went.
    last = done.stdout.rstrip().splitlines()[-1]
    assert done.returncode == 0 and last[:1] in "{[", done.stdout[-3000:]
    return json.loads(last)


@pytest.mark.parametrize("interpreter", ("micropython64", "micropython32"))
def test_the_power_may_go_at_every_operation(tools, request, capsys, interpreter):
    tears, every = (4, 13) if request.config.getoption("--full") else (1, 83)
    found = found_by(getattr(tools, interpreter), "cuts", str(tears), str(every))
    with capsys.disabled():
        print("\n%d cut points, %d violations (slots, %s)" % (
            found["single"] + found["double"], len(found["complaints"]), interpreter))
    assert found["complaints"] == []
    assert found["operations"] > 300
    assert found["single"] == tears * found["operations"]
    assert found["double"] > 50
    # Those that fail got three tries, the good ones needed one.
    assert found["starts"] == [[1, 3], [2, 1], [3, 1], [4, 3]]


def test_every_seeded_mistake_is_found(tools, capsys):
    seeds = found_by(tools.micropython64, "seeds")
    assert len(seeds) >= 6
    for seed in seeds:
        assert found_by(tools.micropython64, "seed", seed)["complaints"], seed
    with capsys.disabled():
        print("\n%d seeded mistakes in lib/slots.py, all found" % len(seeds))
