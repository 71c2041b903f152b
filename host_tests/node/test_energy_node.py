# Energy on the whole node: it goes on over restarts, power cuts and another meter, can be set and
# calibrated, and knows when a day begins.
import time

import pytest
from rig import RELAY_PINS

from host_tests.support.sntp_server import SntpServer

DWMS_PER_WH = 36000000
# Every change of a Wh is told.
TOLD = {"sample_ms": 200, "energy_deadband_wh": 1, "heartbeat_s": 1}


def energy_wh(node, suffix=""):
    """The total of the next sample."""
    after = node.hub.mark()
    node.hub.ask("config", "refresh")
    return node.hub.wait("telemetry/energy" + suffix, None, after).json["value"]


def totals(node, after=0):
    return [message.json["value"] for message in node.hub.seen("telemetry/energy", after)]


def reach(node, wh):
    """Wait until a total of so many Wh has been told."""
    node.hub.wait("telemetry/energy", lambda m: m.json["value"] >= wh, timeout_s=15)


def restarted(node, after):
    """Wait until it has gone and is back; returns the number of the message that says so."""
    gone = node.hub.wait("status/online", lambda m: not m.json["online"], after)
    return node.online(gone.number).number


def test_what_a_counting_chip_has_counted_survives_restart_and_power_cut(new_node):
    # 360 W at 20 times the speed: 2 Wh each second, close to what the chip can measure.
    node = new_node(settings=dict(TOLD, board="shelly-1pm-mini-gen3",
                                  relay_boot_states=["on"]), loads=(360,), speed=20)
    node.start()
    pulse_dwms = 6728178  # of its chip, whose own counter starts at 0x800000

    def lost_wh():
        true_wh = (node.board.energy_wh() - 0x800000) * pulse_dwms / DWMS_PER_WH
        return true_wh - energy_wh(node)

    at_start_wh = lost_wh()
    assert -1 < at_start_wh < 2  # until the first reading
    reach(node, 4)
    after = node.hub.mark()
    assert node.hub.ask("config", "restart")["result"] == "restarting"
    restarted(node, after)
    after_restart_wh = lost_wh()
    assert after_restart_wh - at_start_wh < 5  # what flowed while it was not looking
    reach(node, 20)
    assert totals(node) == sorted(totals(node))
    told_wh = totals(node)[-1]
    node.board.power_cut()
    after = node.hub.mark()
    node.board.power_on()
    node.online(after)
    assert told_wh - 10 <= totals(node, after)[0]
    assert lost_wh() - after_restart_wh < 10 + 4  # the start takes its time as well


@pytest.mark.full
def test_another_meter_never_makes_the_total_fall_or_jump(new_node):
    # 1.1 kW at 20 times the speed: 6 Wh each second.
    node = new_node(settings=dict(TOLD, relay_boot_states=["on"]), loads=(1000,), base_load=100,
                    speed=20)
    node.start()
    reach(node, 5)
    for fault in ("reset", "wrap"):
        before_wh, begin_s = energy_wh(node), time.monotonic()
        node.board.fault(meter={"fault": fault})
        time.sleep(2)
        spent_wh = energy_wh(node) - before_wh
        could_be_wh = 1100 * 20 * (time.monotonic() - begin_s) / 3600
        assert could_be_wh * 0.5 < spent_wh < could_be_wh * 1.1 + 2, fault
    assert totals(node) == sorted(totals(node))
    assert node.health()["meter_errors"] <= 4  # the values not believed

    # The total can be made to agree with another meter's, and that is kept.
    for arguments, field in (({"wh": "x"}, "wh"), ({"wh": -1}, "wh"), ({}, "wh"),
                             ({"wh": 1.5}, "wh"), ({"wh": 5, "channel": "a"}, "channel")):
        answer = node.hub.ask("config", "energy_set", **arguments)
        assert answer["error"]["code"] == "bad_request", arguments
        assert field in answer["error"]["message"]
    answer = node.hub.ask("config", "energy_set", wh=123456)
    assert answer["result"] == {"wh": 123456}
    now_wh = energy_wh(node)
    assert 123456 <= now_wh < 123456 + 40
    node.board.power_cut()
    after = node.hub.mark()
    node.board.power_on()
    node.online(after)
    assert now_wh - 10 <= energy_wh(node) < now_wh + 120


def test_calibration_shows_the_true_value_and_moves_no_relay(new_node):
    node = new_node(settings=dict(TOLD, relay_boot_states=["on", "off"]), speed=20)
    node.start()

    def shown_v():
        after = node.hub.mark()
        node.hub.ask("config", "refresh")
        return node.hub.wait("telemetry/voltage", None, after).json["value"]

    for arguments, field in (
            ({"metric": "frequency", "true": 50}, "metric"), ({"true": 230}, "metric"),
            ({"metric": "voltage"}, "true"), ({"metric": "voltage", "true": "230"}, "true"),
            ({"metric": "voltage", "true": 230, "channel": "b"}, "channel"),
            ({"metric": "voltage", "true": 23}, "factor")):
        answer = node.hub.ask("config", "calibrate", **arguments)
        assert answer["error"]["code"] == "bad_request", arguments
        assert field in answer["error"]["message"], answer
    assert 225 < shown_v() < 235
    before = {pin: node.board.pins()[pin] for pin in RELAY_PINS}
    after = node.hub.mark()
    answer = node.hub.ask("config", "calibrate", metric="voltage", true=240)
    factor = answer["result"]["factor"]
    assert answer["result"]["restarts"] is True and 1.02 < factor < 1.07
    restarted(node, after)
    assert node.board.boots == 2 and node.board.causes[-1] == "soft"
    assert shown_v() == pytest.approx(240, abs=3)  # the mains wobble by 1 V
    assert {pin: node.board.pins()[pin] for pin in RELAY_PINS} == before
    values = node.hub.ask("config", "get", keys=["calibration"])["result"]["values"]
    assert values["calibration"] == {"voltage": factor}


@pytest.mark.full
def test_one_of_three_phases_is_calibrated_and_set_alone(new_node):
    node = new_node(settings={"board": "esp32-3pzem", "sample_ms": 500}, speed=20,
                    base_load=(1000, 1000, 1000))
    node.start()
    node.board.wait_for_line("meter c answers")
    answer = node.hub.ask("config", "calibrate", metric="power", true=900)
    assert "channel" in answer["error"]["message"]
    after = node.hub.mark()
    answer = node.hub.ask("config", "calibrate", metric="power", channel="b", true=900)
    assert answer["result"]["factor"] == pytest.approx(0.9, abs=0.02)
    back = restarted(node, after)
    for channel, wanted_w in (("a", 1000), ("b", 900), ("c", 1000)):
        message = node.hub.wait("telemetry/power_" + channel, None, back)
        assert message.json["value"] == pytest.approx(wanted_w, rel=0.03)
    assert node.hub.ask("config", "energy_set", channel="c", wh=50000)["status"] == "success"
    assert 50000 <= energy_wh(node, "_c") < 50100
    assert energy_wh(node, "_a") < 1000


@pytest.mark.full
def test_at_local_midnight_today_becomes_yesterday(new_node):
    with SntpServer() as server:
        # An hour east of UTC, 12 s before midnight.
        server.offset_s = 86400 - 12 - (time.time() + 3600) % 86400
        node = new_node(settings=dict(
            TOLD, extra_metrics=["energy_today", "energy_yesterday"], utc_offset="+01:00",
            relay_boot_states=["on"], ntp_servers=[server.address]), speed=20)
        node.start()
        reach(node, 5)
        today = node.hub.wait("telemetry/energy_today", lambda m: m.json["value"] >= 5)
        assert today.json["timestamp"] < "%sT23:00:00Z" % today.json["timestamp"][:10]
        assert not node.hub.seen("telemetry/energy_yesterday")  # nobody knows
        yesterday = node.hub.wait("telemetry/energy_yesterday", None, today.number, 20)
        assert yesterday.json["timestamp"][11:19] in ("23:00:00", "23:00:01")
        assert yesterday.json["value"] >= 20
        after = node.hub.mark()
        node.hub.ask("config", "refresh")
        total_wh, today_wh, yesterday_wh = [
            node.hub.wait("telemetry/" + metric, None, after).json["value"]
            for metric in ("energy", "energy_today", "energy_yesterday")]
        assert 0 < today_wh < 40 and yesterday_wh == yesterday.json["value"]
        assert yesterday_wh + today_wh == pytest.approx(total_wh, abs=3)  # maybe of two samples
        assert totals(node) == sorted(totals(node))
