# What a reset keeps and what it takes: relays, executed commands, the reason, the last crash.
import json
import time

import pytest
from rig import patched_code

# A board that can be broken at will by files in its flash; the real figures would take minutes.
PATCHES = {
    "firmware/board.py": [("WATCHDOG_MS = const(30000)", "WATCHDOG_MS = const(4000)")],
    "firmware/house.py": [("CHECKPOINT_MS = 2 * CONNECT_MS", "CHECKPOINT_MS = 3000")],
    "firmware/node.py": [(
        "    def _chores(self, now_ms):\n",
        "    def _chores(self, now_ms):\n"
        "        if storage.read('hang') is not None:\n"
        "            storage.remove('hang')\n"
        "            self._rhythm.wait(60000)\n"
        "        if storage.read('crash') is not None:\n"
        "            storage.remove('crash')\n"
        "            raise RuntimeError('a test wants it')\n")],
}


@pytest.fixture(scope="module")
def breakable(tmp_path_factory):
    return patched_code(tmp_path_factory.mktemp("breakable"), PATCHES)


def back(node, cause, after):
    """Wait until it is online again; returns a health that names this cause."""
    node.online(after)
    health = node.health()
    assert node.board.causes[-1] == cause
    assert health["boots"] == node.board.boots
    return health


def test_the_reset_button_keeps_the_relays(new_node):
    node = new_node()
    node.start()
    node.hub.ask("relay", "on", relay=1)
    before = node.transitions(1)
    after = node.hub.mark()
    node.board.press_reset()
    assert back(node, "button", after)["reset_cause"] == "hard"
    assert node.board.relay(1) and not node.board.relay(0)
    assert node.transitions(1) == before + 2  # the chip drops its pins; boot.py sets them again
    assert node.transitions(0) == 0
    told = node.hub.wait("status/relay", lambda m: m.json["source"] == "boot", after)
    assert told.json["relays"] == ["off", "on"]


def test_a_relay_is_back_before_the_application_is_imported(new_node, tmp_path):
    code = patched_code(tmp_path, {"main.py": [("    try:\n        from firmware import app",
                                                "    import sys\n    sys.exit(9)\n"
                                                "    try:\n        from firmware import app")]})
    node = new_node()
    node.start()
    node.hub.ask("relay", "on")
    node.board._settings["code"] = str(code)  # from the next start on there is only boot.py
    node.board.press_reset()
    deadline = time.monotonic() + 5
    while node.board.running and time.monotonic() < deadline:
        time.sleep(0.02)
    assert node.board.exit_code == 9
    assert node.board.relay(0)


def test_power_on_takes_the_boot_states(new_node):
    node = new_node(settings={"relay_boot_states": ["off", "on"]})
    node.start()
    assert not node.board.relay(0) and node.board.relay(1)
    node.hub.ask("relay", "on", relay=0)
    node.hub.ask("relay", "off", relay=1)
    node.board.power_cut()
    assert not node.board.relay(0) and not node.board.relay(1)
    after = node.hub.mark()
    node.board.power_on()
    assert back(node, "power_on", after)["reset_cause"] == "power_on"
    assert not node.board.relay(0) and node.board.relay(1)


@pytest.mark.full
def test_boot_state_last_survives_a_power_cut(new_node):
    node = new_node(settings={"relay_boot_states": ["last"]})
    node.start()
    node.hub.ask("relay", "on")
    time.sleep(12)  # it is written once it has held for 10 s
    node.board.power_cut()
    after = node.hub.mark()
    node.board.power_on()
    node.online(after)
    assert node.board.relay(0)


def test_a_pulse_does_not_outlive_a_reset(new_node):
    node = new_node()
    node.start()
    assert node.hub.ask("relay", "pulse", duration_ms=60000)["result"] == "on"
    after = node.hub.mark()
    node.board.press_reset()
    node.online(after)
    assert not node.board.relay(0)


def test_a_request_id_repeated_after_a_reset_is_not_executed_again(new_node):
    node = new_node()
    node.start()
    assert node.hub.ask("relay", "toggle", request_id="once")["result"] == "on"
    after = node.hub.mark()
    node.board.press_reset()
    node.online(after)
    before = node.transitions()
    node.board.wait_for_line(" time: ", 10, after=len(node.board.log) - 3)
    answer = node.hub.ask("relay", "toggle", request_id="once")
    assert answer["status"] == "success" and answer["duplicate"] is True
    assert node.board.relay(0)
    assert node.transitions() == before
    assert node.hub.ask("relay", "toggle", request_id="twice")["result"] == "off"


def test_a_chip_that_hangs_is_reset_by_its_watchdog(new_node, breakable):
    node = new_node(code=breakable)
    node.start()
    node.hub.ask("relay", "on")
    after = node.hub.mark()
    node.board.fault(hang=True)
    hung_s = time.monotonic()
    node.online(after)
    assert 3 < time.monotonic() - hung_s < 15
    assert back(node, "watchdog", after)["reset_cause"] == "watchdog"
    assert node.board.relay(0)
    # Nobody said goodbye: the broker did, when the connection broke.
    first = node.hub.seen("status/online", after)[0]
    assert first.payload == b'{"online": false, "reason": "unexpected_disconnect"}'


def test_a_foreground_that_hangs_is_reset_though_the_house_ticks_on(new_node, breakable):
    node = new_node(code=breakable)
    node.start()
    time.sleep(5)
    assert node.board.boots == 1  # a foreground that comes round is left alone
    node.hub.ask("relay", "pulse", duration_ms=1500)
    after = node.hub.mark()
    (node.flash / "hang").touch()
    start_s = time.monotonic()
    while node.board.relay(0) and time.monotonic() - start_s < 10:
        time.sleep(0.02)
    assert node.board.boots == 1  # it was the tick that ended the pulse, not the reset
    assert back(node, "watchdog", after)["reset_cause"] == "watchdog"
    assert time.monotonic() - start_s < 20


@pytest.mark.full
def test_the_watchdog_of_30_s(new_node):
    node = new_node()
    node.start()
    after = node.hub.mark()
    node.board.fault(hang=True)
    hung_s = time.monotonic()
    node.online(after, 45)
    assert 20 < time.monotonic() - hung_s < 40
    assert node.health()["reset_cause"] == "watchdog"


def test_a_crash_is_kept_and_told_once(new_node, breakable):
    node = new_node(code=breakable)
    node.start()
    node.hub.ask("relay", "on")
    before = node.transitions()
    after = node.hub.mark()
    (node.flash / "crash").touch()
    crash = back(node, "soft", after)["crash"]
    assert "RuntimeError: a test wants it" in crash
    assert len(crash) <= 200
    assert node.board.relay(0) and node.transitions() == before
    assert not (node.flash / "crash.txt").exists()
    after = node.hub.mark()
    node.hub.ask("config", "restart")
    assert back(node, "soft", after)["crash"] is None


@pytest.mark.parametrize("broken, says", [
    ('{"home_id": "home", "no', "config.json is not JSON"),
    ("[]", "must be a JSON object"),
    ('{"broker_port": "1883"}', "config.json: broker_port: must be an integer"),
])
def test_a_broken_configuration_gives_way_to_the_last_good_one(new_node, broken, says):
    node = new_node()
    node.start()
    (node.flash / "config.json").write_text(broken)
    after, line = node.hub.mark(), len(node.board.log)
    node.hub.ask("config", "restart")
    node.online(after)
    assert says in node.board.wait_for_line(says, after=line)
    node.board.wait_for_line("config: the last good configuration is in use", after=line)
    told = node.hub.ask("config", "log", offset=0)["result"]["lines"]
    assert any(says in text for text in told)
    values = node.hub.ask("config", "get", keys=["node_id"])["result"]["values"]
    assert values["node_id"] == node.settings["node_id"]


def test_broken_files_beside_the_configuration_do_not_stop_the_start(new_node):
    node = new_node(settings={"relay_boot_states": ["last"]})
    for name in ("device.json", "relays.json", "config.good.json", "crash.txt"):
        (node.flash / name).write_bytes(b"\xff{[")
    node.start()
    assert node.health()["boots"] == 1
    assert json.loads((node.flash / "device.json").read_text())["boots"] == 1
