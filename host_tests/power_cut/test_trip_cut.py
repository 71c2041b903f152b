# A trip that was kept is there after a power cut; one that is cleared is either there or not.
import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]


@pytest.mark.parametrize("interpreter", ("micropython64", "micropython32"))
def test_the_power_may_go_at_every_operation(tools, interpreter):
    done = subprocess.run(
        [getattr(tools, interpreter), "-X", "heapsize=64M", str(HERE / "trips_on_flash.py")],
        env=dict(os.environ, MICROPYPATH=f"{REPO}:{REPO}/lib:.frozen"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300)
    # Before that line come complaints about files that were open when the power went.
    last = done.stdout.rstrip().splitlines()[-1]
    assert done.returncode == 0 and last.startswith("{"), done.stdout[-3000:]
    found = json.loads(last)
    assert found["violations"] == []
    assert [trip[:3] for trip in found["kept"]] == [[1, "over_power", 2600.0]]
    assert found["operations"] > 20
    assert found["cuts"] == 4 * found["operations"]
    assert found["old"] and found["new"]
    print("%d cut points, %d violations" % (found["cuts"], len(found["violations"])))
