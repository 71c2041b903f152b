# Protection on the whole node: it opens in time whatever the link does, and stays open.
import time

import pytest
from rig import RELAY_PINS, patched_code

LIMIT_W = 1500
OVERLOAD_W = 2400
# Quick samples, of a meter that shows a change within 0.15 s.
QUICK = {"sample_ms": 200, "relay_boot_states": ["on"]}
OVER_POWER = dict(QUICK, protection=[{"relay": 0, "max_power": LIMIT_W}])
SPEED = 20
BUTTON_PIN = 0  # of the board esp32-pzem
# Each sample is printed with the level the relay's pin has once it has been judged.
PATCHES = {
    "firmware/metering.py": [(
        "        self.energy.update(now_ms, readings)\n",
        "        self.energy.update(now_ms, readings)\n"
        "        import machine\n"
        "        if readings[0]:\n"
        "            print('sample', readings[0].active_power_w,"
        " machine.Pin(%d).value())\n" % RELAY_PINS[0])],
    "firmware/board.py": [("WATCHDOG_MS = const(30000)", "WATCHDOG_MS = const(4000)")],
    "firmware/house.py": [("CHECKPOINT_MS = 2 * CONNECT_MS", "CHECKPOINT_MS = 3000")],
}


@pytest.fixture(scope="module")
def printing(tmp_path_factory):
    """Code that prints its samples, and whose watchdog bites after 4 s."""
    return patched_code(tmp_path_factory.mktemp("printing"), PATCHES)


def samples(node, after):
    """[(power in W, level of the relay's pin)] since line `after` of its log."""
    return [(float(power), int(level)) for _, power, level in
            [line.split() for line in node.board.log[after:] if line.startswith("sample ")]]


def overload(node):
    """Let the load grow, and wait until the relay is open; returns the samples since then."""
    line = len(node.board.log)
    node.board.fault(load={"index": 0, "watts": OVERLOAD_W})
    tripped = node.board.wait_for_line("protection: relay 0: over_power", 5, after=line)
    # It is logged within the sample, which is printed after it.
    node.board.wait_for_line("sample ", 5, after=node.board.log.index(tripped, line))
    return samples(node, line)


def opens_with_its_sample(shown):
    """The sample that showed too much, or at the latest the next one, found the relay open."""
    first = [at for at, (power_w, _) in enumerate(shown) if power_w > LIMIT_W][0]
    assert all(level for _, level in shown[:first])
    assert not shown[min(first + 1, len(shown) - 1)][1], shown
    return not shown[first][1]


def loaded(node, timeout_s=10):
    """Wait until the meter shows a load that is allowed."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        seen = samples(node, 0)
        if seen and 900 < seen[-1][0] < 1100 and seen[-1][1]:
            return
        time.sleep(0.05)
    raise AssertionError("no load: %s" % samples(node, 0)[-3:])


def kept_open(node, after):
    """It is back, its relay still open, and why is told."""
    node.online(after)
    told = node.hub.wait("status/relay", None, after).json
    assert told["state"] == "off" and told["tripped"]["cause"] == "over_power"
    assert not node.board.relay(0)
    answer = node.hub.ask("relay", "on")
    assert answer["status"] == "error" and answer["error"]["code"] == "relay_locked"
    assert not node.board.relay(0)


def test_a_trip_is_told_and_kept_over_every_reset(new_node, printing):
    node = new_node(settings=OVER_POWER, code=printing, speed=SPEED)
    node.start()
    loaded(node)
    after = node.hub.mark()
    assert opens_with_its_sample(overload(node))  # here with the very sample
    told = node.hub.wait("status/relay", lambda m: m.json["tripped"], after).json
    assert told["state"] == "off" and told["source"] == "protection"
    tripped = told["tripped"]
    assert (tripped["relay"], tripped["cause"], tripped["limit"]) == (0, "over_power", LIMIT_W)
    assert LIMIT_W < tripped["value"] < OVERLOAD_W * 1.05
    answer = node.hub.ask("relay", "on")
    assert answer["error"]["code"] == "relay_locked" and "over_power" in answer["error"]["message"]
    assert node.hub.ask("relay", "off")["status"] == "success"  # opening is never refused
    transitions = node.transitions()

    after = node.hub.mark()
    node.hub.ask("config", "restart")
    node.hub.wait("status/online", lambda m: not m.json["online"], after)
    kept_open(node, node.hub.mark())
    after = node.hub.mark()
    node.board.fault(hang=True)
    kept_open(node, after)
    assert node.board.causes[-1] == "watchdog"
    node.board.power_cut()
    after = node.hub.mark()
    node.board.power_on()
    kept_open(node, after)
    assert node.transitions() == transitions  # not even for a moment, though it boots to "on"

    node.board.fault(load={"index": 0, "watts": 1000})
    after = node.hub.mark()
    assert node.hub.ask("relay", "clear_trip")["result"] == "off"  # it may close, and stays open
    assert node.hub.wait("status/relay", None, after).json["tripped"] is None
    assert not node.board.relay(0)
    assert node.hub.ask("relay", "on")["result"] == "on"
    assert node.board.relay(0)


def test_a_trip_in_time_while_the_broker_is_dead(new_node, printing, dead_port):
    node = new_node(settings=dict(OVER_POWER, broker_port=dead_port), code=printing, speed=SPEED)
    node.board.power_on()
    node.board.wait_for_line("link: error: unreachable", 10)
    loaded(node)
    assert opens_with_its_sample(overload(node))
    assert not node.board.relay(0)


def test_a_trip_in_time_while_a_tls_handshake_stalls(new_node, printing, scripted):
    node = new_node(settings=dict(OVER_POWER, broker_tls=True, broker_port=scripted.port),
                    code=printing, speed=SPEED)
    node.board.power_on()
    peer = scripted.accept()
    line = len(node.board.log)
    loaded(node)
    assert opens_with_its_sample(overload(node))
    assert not node.board.relay(0)
    # All in the one attempt, whose ClientHello nobody has answered.
    assert peer.segment()[:1] == b"\x16"
    assert not [text for text in node.board.log[line:] if "link: error" in text]


@pytest.mark.full
def test_a_hold_time_is_waited_for_and_an_inrush_is_not_a_trip(new_node, printing):
    protection = [{"relay": 0, "max_power": [LIMIT_W, 2000]}]
    node = new_node(settings=dict(OVER_POWER, protection=protection), code=printing, speed=SPEED)
    node.start()
    loaded(node)
    node.board.fault(load={"index": 0, "watts": OVERLOAD_W})
    time.sleep(1)
    node.board.fault(load={"index": 0, "watts": 1000})
    time.sleep(1.5)
    assert node.board.relay(0)
    shown = overload(node)
    beyond = [level for power_w, level in shown if power_w > LIMIT_W]
    # The sample that comes 2 s after the first: one of 200 ms may be missing, or come late.
    assert 9 <= beyond.index(0) <= 12
    assert not beyond[beyond.index(0):].count(1)


@pytest.mark.full
def test_with_no_network_at_all_a_button_held_for_3_s_clears_a_trip(new_node, printing):
    node = new_node(settings=OVER_POWER, code=printing, speed=SPEED)
    node.board.fault(wifi="down")
    node.board.power_on()
    loaded(node)
    assert opens_with_its_sample(overload(node))
    node.board.fault(load={"index": 0, "watts": 1000})

    def press(seconds):
        node.board.fault(pin={"id": BUTTON_PIN, "level": 0})
        time.sleep(seconds)
        node.board.fault(pin={"id": BUTTON_PIN, "level": None})
        time.sleep(0.3)

    press(0.3)
    assert not node.board.relay(0)
    press(2)
    press(0.3)
    assert not node.board.relay(0)
    press(4)
    node.board.wait_for_line("protection: trip cleared", 2)
    assert not node.board.relay(0)
    press(0.3)
    assert node.board.relay(0)


@pytest.mark.full
def test_a_relay_that_draws_power_when_open_is_told_as_welded(new_node):
    protection = [{"relay": 0, "welded_w": 20}, {"relay": 1, "welded_w": 0}]
    node = new_node(settings={"sample_ms": 200, "protection": protection}, speed=SPEED,
                    base_load=5)
    node.start()
    assert "welded" not in node.hub.wait("status/relay").json
    always = 1  # number of the load that no relay switches
    time.sleep(3)  # of which the first 3 s open say nothing
    after = node.hub.mark()
    node.board.fault(load={"index": always, "watts": 300})
    told = node.hub.wait("status/relay", None, after).json
    assert told["welded"] == [0] and told["relays"] == ["off", "off"]
    assert told["tripped"] is None
    after = node.hub.mark()
    node.board.fault(load={"index": always, "watts": 5})
    assert "welded" not in node.hub.wait("status/relay", None, after).json


@pytest.mark.full
def test_a_lost_meter_opens_the_relay_where_it_is_to(new_node):
    protection = [{"relay": 0, "on_meter_lost": "open", "lost_hold_s": 1}]
    node = new_node(settings=dict(QUICK, protection=protection), speed=SPEED)
    node.start()
    assert node.board.relay(0)
    after = node.hub.mark()
    node.board.fault(meter={"fault": "silent"})
    told = node.hub.wait("status/relay", lambda m: m.json["tripped"], after).json
    assert told["tripped"] == {"relay": 0, "cause": "meter_lost", "value": None, "limit": 1}
    assert not node.board.relay(0)
    node.board.fault(meter={"fault": None})
    node.board.wait_for_line("meter answers", 5, after=len(node.board.log))
    time.sleep(0.5)
    assert not node.board.relay(0)  # it does not close by itself


@pytest.mark.full
def test_heat_at_the_boards_own_thermistor_opens_the_relay(new_node):
    node = new_node(settings={"board": "shelly-plus-1pm", "relay_boot_states": ["on"]})
    node.start()
    assert node.board.relay(0)
    after = node.hub.mark()
    node.board.fault(temperature=95)
    hot = node.hub.wait("telemetry/temperature", lambda m: m.json["value"] > 90, after)
    told = node.hub.wait("status/relay", lambda m: m.json["tripped"], after)
    tripped = told.json["tripped"]
    assert (tripped["cause"], tripped["limit"]) == ("over_temperature", 80)
    assert tripped["value"] == pytest.approx(95, abs=1.5)
    assert 4 < told.at_s - hot.at_s < 7  # the profile says 5 s
    assert not node.board.relay(0)


@pytest.mark.full
def test_only_the_relay_of_the_phase_that_is_beyond_its_limit_opens(new_node):
    protection = [{"relay": at, "phase": phase, "max_power": 1200}
                  for at, phase in enumerate("abc")]
    node = new_node(settings={"board": "esp32-3pzem", "protection": protection,
                              "relay_boot_states": ["on"] * 3},
                    loads=(1000, 1000, 1000), speed=SPEED)
    node.start()
    after = node.hub.mark()
    node.board.fault(load={"index": 1, "watts": 2000})
    told = node.hub.wait("status/relay", lambda m: m.json["tripped"], after).json
    assert told["tripped"]["relay"] == 1 and told["relays"] == ["on", "off", "on"]
    assert [node.board.relay(at) for at in range(3)] == [True, False, True]


@pytest.mark.full
def test_after_a_voltage_fault_the_relay_closes_by_itself_where_it_is_to(new_node):
    protection = [{"relay": 0, "phase": "a", "min_voltage": [180, 500], "reclose_s": 1}]
    node = new_node(settings={"board": "sdm630", "protection": protection,
                              "relay_boot_states": ["on"]}, base_load=50)
    node.start()
    node.board.wait_for_line("meter a answers", 5)
    after = node.hub.mark()
    node.board.fault(meter={"fault": "no_mains", "phase": 0})
    told = node.hub.wait("status/relay", lambda m: m.json["tripped"], after)
    assert told.json["tripped"]["cause"] == "under_voltage" and told.json["state"] == "off"
    assert not node.board.relay(0)
    node.board.fault(meter={"fault": None})
    again = node.hub.wait("status/relay", lambda m: m.json["state"] == "on", told.number)
    assert again.json["source"] == "protection" and again.json["tripped"] is None
    assert node.board.relay(0)
