"""main.py of the board whose heap is measured during an update: runs the node, and notes what is
in use each time the updater or a block could have taken something more.

Ends, instead of the restart into the new version, with one JSON line: bytes in use before the
offer, at the most while it is checked, with the updater's code and its job, and at the most.
"""

import gc
import json

from firmware import app

node, board = app.build()
board.start_watchdog()
updates = node._updates
session = node._session
found = {"before": 0, "check": 0, "loaded": 0, "most": 0, "where": ""}


def in_use():
    gc.collect()
    return gc.mem_alloc()


def note(where):
    work = updates.work
    if work is None:
        if where == "between steps":
            found["before"] = in_use()
        elif where == "in a step":
            found["check"] = max(found["check"], in_use())
    elif not found["loaded"]:
        found["loaded"] = found["most"] = in_use()
    else:
        used = in_use()
        if used > found["most"]:
            found["most"] = used
            found["where"] = getattr(work, "state", "") + ", " + where


def beat():
    note("in a step")
    return plain_beat()


def receive(*message):
    note("a block has come")
    plain_receive(*message)


plain_beat, updates.beat = updates.beat, beat
plain_receive, session.on_command = session.on_command, receive
while node._stopping is None:
    node.step()
    note("between steps")
print(json.dumps(found))
