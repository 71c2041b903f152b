# Rules between relays, over MQTT, watched at the pins: interlock, auto-off, latching coils.
import json
import threading
import time

import pytest
from rig import RELAY_PINS, patched_code

SET, RESET = 19, 22
PULSE_MS = 200
LATE_MS = 150  # a look at the pins, on a busy machine
LATCHING = {
    "name": "latching", "chip": "esp32", "flash_mb": 4,
    "relays": [{"set_pin": SET, "reset_pin": RESET, "pulse_ms": PULSE_MS}],
    "meter": {"chip": "pzem004t", "uart": 2, "tx": 17, "rx": 16, "address": 1},
}
# Code that fails in the middle of a coil's pulse, once a file in flash asks for it.
CRASH = {"firmware/node.py": [(
    "        self._house.checkpoint(now_ms)\n",
    "        self._house.checkpoint(now_ms)\n"
    "        relay = self._house.relays.relays[0]\n"
    "        if relay._coil and ticks_diff(relay._end_ms, now_ms) < %d"
    " and storage.read('crash') is not None:\n"
    "            storage.remove('crash')\n"
    "            raise RuntimeError('a test wants it')\n" % (PULSE_MS // 2))]}


class Watch:
    """Looks at pins each millisecond: `levels` are [(seconds, levels)] at the changes."""

    def __init__(self, node, pins):
        self.levels = []
        self._node = node
        self._pins = pins
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._take()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
        self._take()

    def _look(self):
        while not self._ending.wait(0.001):
            self._take()

    def _take(self):
        pins = self._node.board.pins()
        levels = tuple(pins.get(pin, (0, 0))[0] for pin in self._pins)
        if not self.levels or self.levels[-1][1] != levels:
            self.levels.append((time.monotonic(), levels))

    @property
    def sequence(self):
        return [levels for _, levels in self.levels]

    def spans_s(self, levels):
        """How long each stay at these levels took."""
        return [end - start for (start, now), (end, _) in zip(self.levels, self.levels[1:])
                if now == levels]


@pytest.fixture(scope="module")
def node(module_node):
    return module_node(settings={"interlock": [[0, 1]], "interlock_ms": 300,
                                 "auto_off_s": [0, 2]}).start()


def order(node, action, relay, relays):
    """Order it, and wait until the relays are told to be so."""
    after = node.hub.mark()
    answer = node.hub.ask("relay", action, relay=relay)
    assert answer["result"] == action  # even while it waits for the other one
    node.hub.wait("status/relay", lambda m: m.json["relays"] == relays, after)
    time.sleep(0.05)  # or it is too short to be seen


def test_interlocked_relays_are_never_closed_together(node):
    with Watch(node, RELAY_PINS) as watch:
        order(node, "on", 0, ["on", "off"])
        order(node, "on", 1, ["off", "on"])
        order(node, "on", 0, ["on", "off"])
        order(node, "off", 0, ["off", "off"])
    assert watch.sequence == [(0, 0), (1, 0), (0, 0), (0, 1), (0, 0), (1, 0), (0, 0)]
    for span_s in watch.spans_s((0, 0))[1:]:  # 0.3 s and a tick, as seen from a busy machine
        assert 0.25 < span_s < 0.6
    assert not any(m.json["relays"] == ["on", "on"] for m in node.hub.seen("status/relay"))


def test_a_relay_opens_by_itself_after_its_time(node):
    node.hub.ask("relay", "off", relay=0)
    time.sleep(0.3)
    after = node.hub.mark()
    with Watch(node, RELAY_PINS) as watch:
        node.hub.ask("relay", "on", relay=1)
        told = node.hub.wait("status/relay", lambda m: m.json["source"] == "timer", after)
    assert told.json["relays"] == ["off", "off"]
    (span_s,) = watch.spans_s((0, 1))
    assert 1.9 < span_s < 2.5


@pytest.fixture(scope="module")
def latching_code(tmp_path_factory):
    code = patched_code(tmp_path_factory.mktemp("latching"), CRASH)
    (code / "firmware" / "boards" / "latching.json").write_text(json.dumps(LATCHING))
    return code


@pytest.fixture
def latching(new_node, latching_code):
    return new_node(settings={"board": "latching"}, code=latching_code).start()


def pulsed_well(node, watch, pulses):
    """As many pulses, each for its time and no longer, never both coils, and none at the end."""
    assert node.board.coil_clashes == 0
    assert (1, 1) not in watch.sequence
    assert watch.sequence[-1] == (0, 0)
    spans_s = watch.spans_s((1, 0)) + watch.spans_s((0, 1))
    assert len(spans_s) == pulses
    assert all(PULSE_MS - 30 < span_s * 1000 < PULSE_MS + LATE_MS for span_s in spans_s), spans_s


def test_a_latching_relay_is_pulsed_and_stays(latching):
    node = latching
    with Watch(node, (SET, RESET)) as watch:
        for action, wanted in (("on", True), ("off", False), ("toggle", True)):
            assert node.hub.ask("relay", action)["result"] == ("on" if wanted else "off")
            time.sleep(0.4)
            assert node.board.relay(0) is wanted
        # A planned restart: one pulse to where it is already.
        after = node.hub.mark()
        node.hub.ask("config", "restart")
        node.online(after)
        time.sleep(0.4)
    assert node.board.relay(0)
    pulsed_well(node, watch, 4)


@pytest.mark.full
def test_orders_faster_than_the_coils_end_in_the_last_one(latching):
    node = latching
    with Watch(node, (SET, RESET)) as watch:
        for action in ("on", "off", "on"):
            node.hub.send("relay", {"action": action, "request_id": node.hub.new_id()})
        time.sleep(1.2)
    assert node.board.relay(0)
    assert node.board.coil_clashes == 0 and (1, 1) not in watch.sequence
    assert watch.sequence[-1] == (0, 0)


def test_no_coil_is_held_by_a_crash_in_its_pulse(latching):
    node = latching
    (node.flash / "crash").touch()
    after = node.hub.mark()
    with Watch(node, (SET, RESET)) as watch:
        node.hub.ask("relay", "on")
        node.online(after)
        time.sleep(0.4)
    assert "a test wants it" in node.health()["crash"]
    cut, after_restart = watch.spans_s((1, 0)) + watch.spans_s((0, 1))
    assert cut * 1000 < PULSE_MS and after_restart * 1000 < PULSE_MS + LATE_MS
    assert node.board.coil_clashes == 0 and watch.sequence[-1] == (0, 0)
    assert node.board.relay(0)  # as was asked for: the start has pulsed it again


@pytest.mark.full
def test_no_coil_is_held_by_the_reset_button(latching):
    node = latching
    after = node.hub.mark()
    with Watch(node, (SET, RESET)) as watch:
        node.hub.send("relay", {"action": "on", "request_id": "cut"})
        while (1, 0) not in watch.sequence:
            time.sleep(0.002)
        node.board.press_reset()
        node.online(after)
        time.sleep(0.4)
    cut, after_restart = watch.spans_s((1, 0)) + watch.spans_s((0, 1))
    assert cut * 1000 < PULSE_MS and after_restart * 1000 < PULSE_MS + LATE_MS
    assert node.board.coil_clashes == 0
    assert node.board.relay(0)
