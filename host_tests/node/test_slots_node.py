# A node that runs from a slot: a version put into the other one stays, or is gone again by itself.
import hashlib
import json
import shutil

import pytest
from rig import REPO, patched_code

CONFIRMED = -1
# What the node will do itself when it finds itself well, and a line that tells what slots say.
TELLS = ("    board.start_watchdog()\n",
         "    board.start_watchdog()\n"
         "    import json, slots\n"
         "    print('slots: ' + json.dumps(slots.current()))\n")
CONFIRMS = (TELLS[0], "    import slots\n    slots.confirm()\n" + TELLS[1])


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The code beside the slots, less patient; its own application must never start."""
    return patched_code(tmp_path_factory.mktemp("quick"), {
        "boot.py": [("TRIAL_WATCHDOG_MS = 60000", "TRIAL_WATCHDOG_MS = 1500")],
        "main.py": [("GRACE_MS = 2000", "GRACE_MS = 200")],
        "firmware/app.py": [("def build(", "raise RuntimeError('beside the slots')\n\n\n"
                                           "def build(")]})


def install(node, slot, version, floor, start=TELLS, top=""):
    """Fill and seal a slot as an updater would; `start` changes app.py, `top` is run at import."""
    folder = node.flash / slot
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(REPO / "firmware", folder / "firmware",
                    ignore=shutil.ignore_patterns("__pycache__", "*.mpy", "README.md"))
    init, app = folder / "firmware" / "__init__.py", folder / "firmware" / "app.py"
    init.write_text('VERSION = "%s"\nRELEASED = "2026-11-21T00:00:00Z"\n%s' % (version, top))
    assert app.read_text().count(start[0]) == 1
    app.write_text(app.read_text().replace(*start))
    seal = json.dumps({"id": "%08x" % floor, "version": version, "floor": floor}) + "\n"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            seal += "%s %s\n" % (path.relative_to(folder).as_posix(), digest)
    (folder / "seal").write_text(seal + hashlib.sha256(seal.encode()).hexdigest())


def switch(node, active, tries, previous, floor):
    state = json.dumps([active, tries, previous, floor, [], ""])
    tag = hashlib.sha256(state.encode()).hexdigest()[:8]
    (node.flash / "slots.state").write_text(state + tag)


def told(node, after):
    """What slots say at the next start."""
    line = node.board.wait_for_line("slots: ", 25, after=after)
    return json.loads(line[len("slots: "):])


def version(node, after):
    return node.hub.wait("status/firmware", None, after).json["version"]


@pytest.fixture
def node(new_node, quick):
    """Version 1.0.0 runs from slot a, with relay 0 on; version 1.1.0 may come into slot b."""
    one = new_node(code=quick)
    install(one, "a", "1.0.0", 1)
    switch(one, "a", CONFIRMED, "", 1)
    one.start()
    assert told(one, 0) == {"slot": "a", "state": "confirmed", "version": "1.0.0",
                            "id": "00000001", "reason": "", "tries": 0, "floor": 1, "bad": []}
    one.hub.ask("relay", "on")
    return one


def restart_into_b(node):
    """Returns (marks of hub and log, transitions of the relay before)."""
    switch(node, "b", 3, "a", 1)
    after, line, transitions = node.hub.mark(), len(node.board.log), node.transitions()
    node.hub.ask("config", "restart")
    return after, line, transitions


def test_a_version_that_confirms_itself_stays(node):
    install(node, "b", "1.1.0", 2, start=CONFIRMS)
    after, line, transitions = restart_into_b(node)
    node.online(after)
    assert version(node, after) == "1.1.0"
    says = told(node, line)
    assert says["slot"] == "b" and says["state"] == "confirmed" and says["floor"] == 2
    after, line = node.hub.mark(), len(node.board.log)
    node.hub.ask("config", "restart")
    node.online(after)
    assert told(node, line)["version"] == "1.1.0"
    assert node.board.relay(0) and node.transitions() == transitions
    node.board.power_cut()
    after, line = node.hub.mark(), len(node.board.log)
    node.board.power_on()
    node.online(after)
    assert told(node, line)["version"] == "1.1.0"


def test_a_version_that_crashes_at_import_is_gone_after_three_tries(node):
    install(node, "b", "1.1.0", 2, top="raise RuntimeError('not today')\n")
    after, line, transitions = restart_into_b(node)
    boots = node.board.boots
    assert told(node, line) == {
        "slot": "a", "state": "rolled_back", "version": "1.0.0", "id": "00000001", "floor": 1,
        "tries": 0,
        "reason": "RuntimeError: not today", "bad": ["00000002"]}
    node.online(after)
    assert version(node, after) == "1.0.0"
    assert node.board.boots == boots + 4
    assert node.board.relay(0) and node.transitions() == transitions
    assert "RuntimeError: not today" in node.health()["crash"]


def test_a_version_that_hangs_at_import_is_gone_after_three_watchdog_resets(node):
    install(node, "b", "1.1.0", 2, top="while True:\n    pass\n")
    after, line, transitions = restart_into_b(node)
    says = told(node, line)
    assert says["state"] == "rolled_back" and says["reason"] == "reset"
    node.online(after)
    assert node.board.causes[-3:] == ["watchdog"] * 3
    assert node.board.relay(0)
    assert node.transitions() == transitions + 3 * 2  # the chip drops its pins, boot.py acts


def test_a_version_that_nobody_confirms_is_gone_after_three_restarts(node):
    install(node, "b", "1.1.0", 2)
    after, line, transitions = restart_into_b(node)
    for left in (2, 1, 0):
        says = told(node, line)
        assert (says["slot"], says["state"], says["tries"]) == ("b", "trial", left)
        node.online(after)
        after, line = node.hub.mark(), len(node.board.log)
        node.hub.ask("config", "restart")
    says = told(node, line)
    assert (says["slot"], says["state"], says["reason"]) == ("a", "rolled_back", "reset")
    node.online(after)
    assert node.transitions() == transitions
