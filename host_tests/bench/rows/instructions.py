"""Machine instructions of the node's work beside those of loop.py, counted by callgrind."""

import os
import re
import shutil
import tempfile

from ..measure import BenchError, at_most

_LIMIT = 2
_RESULT_LIMIT_S = 120
_COLLECTED = re.compile(r"Collected : (\d+)")
_WORK = (
    # name, what is counted, options, (fewer, more) of it
    ("telemetry cycle, nothing to send", "--cycles", (), (500, 1500)),
    ("telemetry cycle, 7 metrics sent", "--cycles", ("--busy",), (100, 300)),
    ("command", "--commands", (), (50, 150)),
)


def instructions(bench):
    """No rows where valgrind is not installed: it is no part of what setup fetches."""
    valgrind = shutil.which("valgrind")
    if not valgrind:
        return []
    rows = []
    for name, counted, options, (fewer, more) in _WORK:
        costs = []
        for program, base in (("cycles.py", "homesync/home/nodes/bench-count"),
                              ("loop.py", "bench-count")):
            words = list(options)
            if program == "loop.py":
                # With a period it sleeps 10 ms a round, as the node waits; without, not at all.
                words += ["--period", 0] if counted == "--cycles" else ["--cycles", 1]
            # The difference of two runs: the start and the end do not count.
            few, many = (_count(bench, valgrind, program, base, counted, n, words)
                         for n in (fewer, more))
            costs.append((many - few) / (more - fewer))
        rows.append(at_most(_LIMIT, "instructions per %s" % name, costs[0], "", costs[1]))
    return rows


def _count(bench, valgrind, program, base, counted, number, words):
    """Instructions of one run with this number of cycles or commands."""
    with tempfile.TemporaryDirectory(prefix="callgrind-") as folder:
        log = os.path.join(folder, "log")
        before = [valgrind, "--tool=callgrind", "--trace-children=yes", "--log-file=" + log,
                  "--callgrind-out-file=" + os.path.join(folder, "out")]
        name = base.rsplit("/", 1)[-1] if program == "cycles.py" else base
        command = (program, *bench.address, name, counted, number, *words)
        with bench.start(*command, before=before) as run:
            run.wait_until_ready()
            if counted == "--commands":
                with bench.commander(base) as hub:
                    for _ in range(number):
                        hub.command(base)
            run.result(_RESULT_LIMIT_S)
            run.wait(_RESULT_LIMIT_S)
        with open(log) as file:
            found = _COLLECTED.findall(file.read())
        if not found:
            raise BenchError("callgrind did not say what %s took" % program)
        return int(found[-1])
