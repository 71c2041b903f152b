# Runs a program of this folder under MicroPython, where the real littlefs2 is.
import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
INTERPRETERS = ("micropython64", "micropython32")


def found_by(program, micropython, *arguments):
    """The JSON object that the program prints as its last line."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=64M", str(HERE / program), *arguments],
        env=dict(os.environ, MICROPYPATH=f"{REPO}:{REPO}/lib:.frozen"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=1800)
    # Before that line come complaints about files that were open when the power went.
    last = done.stdout.rstrip().splitlines()[-1]
    assert done.returncode == 0 and last.startswith("{"), done.stdout[-3000:]
    return json.loads(last)
