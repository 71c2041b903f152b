"""The foreground: what one round does, what a lost link costs, and how it ends."""

import json
import os
from time import ticks_diff

from firmware import device, node
from firmware.mqtt.session import LinkDown
from firmware.node import LAST_PATH
from firmware.telemetry import status
from host_tests.unit.fakes import Json, Patched, in_scratch
from host_tests.unit.node_bench import Bench

# Rounds


def test_without_a_network_it_waits_and_does_not_connect():
    bench = Bench()
    bench.wifi.joined = False
    bench.run(5)
    assert bench.session.attempts == 0
    assert bench.sntp.serviced == 0
    assert bench.rhythm.waits > 400
    assert bench.house.checkpoints > 400


def test_with_a_network_it_connects_when_the_back_off_is_over():
    bench = Bench()
    bench.session.is_due = False
    bench.run(5)
    assert bench.session.attempts == 0
    bench.session.is_due = True
    bench.run(0.1)
    assert bench.session.attempts == 1


def test_an_attempt_that_fails_ends_the_round_and_nothing_else():
    bench = Bench()

    def fails():
        bench.session.is_due = False
        raise LinkDown()

    bench.session.on_connect = fails
    bench.run(2)
    assert bench.session.attempts == 1
    assert bench.rhythm.waits > 100


def test_time_is_asked_for_while_there_is_a_network():
    bench = Bench()
    bench.session.is_due = False
    bench.run(10)
    assert 38 <= bench.sntp.serviced <= 40


def test_messages_leave_with_their_topic_quality_and_retain_flag():
    bench = Bench()
    bench.go_online()
    bench.outbox.put_telemetry(b"telemetry/power", b"1")
    bench.outbox.put_status(b"status/relay", b"2")
    bench.outbox.respond(b"response/command", b"3")
    bench.run(0.1)
    prefix = b"homesync/h/nodes/n/"
    assert bench.session.published == [
        (prefix + b"response/command", b"3", False, 1),
        (prefix + b"status/relay", b"2", True, 1),
        (prefix + b"telemetry/power", b"1", False, 0),
    ]
    assert bench.outbox.next() is None


def test_a_message_whose_publish_failed_is_sent_again():
    bench = Bench()
    bench.go_online()
    for i in range(4):
        bench.outbox.respond(b"response/command", b"%d" % i)
    bench.session.breaks_at = 2
    bench.session.is_due = False
    bench.run(0.5)
    assert len(bench.published()) == 2
    bench.session.breaks_at = None
    bench.session.online = True
    bench.run(0.5)
    assert [item[1] for item in bench.session.published] == [b"2", b"3"]


def test_every_round_keeps_alive_works_off_commands_and_tells_what_switched():
    bench = Bench()
    bench.go_online()
    rounds, beats = bench.house.checkpoints, bench.rhythm.beats
    trail = len([step for step in bench.session.trail if step == "keep_alive"])
    works, told = bench.commands.works, bench.house.told
    bench.run(1)
    rounds = bench.house.checkpoints - rounds
    assert rounds >= 50
    assert bench.rhythm.beats - beats == rounds
    assert bench.commands.works - works == rounds
    assert bench.house.told - told == rounds
    assert len([step for step in bench.session.trail if step == "keep_alive"]) - trail == rounds


def test_with_nothing_to_do_it_flushes_before_it_idles():
    bench = Bench()
    bench.go_online()
    bench.session.trail = []
    bench.run(0.1)
    assert bench.session.trail[:3] == ["keep_alive", "flush", "idle"]


def test_a_packet_is_looked_for_also_while_messages_are_waiting():
    bench = Bench()
    bench.go_online()
    checks = []
    bench.session.on_check = lambda: checks.append(None)
    for i in range(16):
        bench.outbox.respond(b"response/command", b"%d" % i)
    bench.run(0.1)
    assert len(bench.published()) == 16
    assert len(checks) >= 16


# A new session


def test_a_new_session_forgets_old_telemetry_and_tells_everything():
    bench = Bench()
    bench.outbox.put_telemetry(b"telemetry/power", b"an hour old")
    with bench.patched:
        bench.node.session_event("connected", None, "session resumed")
    bench.session.online = True
    bench.run(0.5)
    assert sorted(bench.published()) == [
        "status/firmware", "status/health", "status/online", "status/relay", "status/rssi"]
    assert bench.house.told_all == 1


def test_an_outage_is_recorded_from_its_first_moment_to_its_last():
    bench = Bench()
    bench.go_online()
    with bench.patched:
        bench.node.session_event("disconnected", "connection_lost", "gone")
        bench.node.session_event("error", "unreachable", "refused")
        bench.node.session_event("connected", None, "new session")
    assert bench.recorded == ["online", "offline", "online"]


def test_what_was_kept_of_an_outage_follows_5_a_second_after_what_is_live():
    bench = Bench()
    bench.go_online()
    bench.backlog.left = [(b"telemetry/power", b"%d" % i) for i in range(20)]
    bench.run(1)
    assert bench.published() == []  # the first live values may not be there yet
    bench.run(0.5)
    bench.outbox.put_telemetry(b"telemetry/voltage", b"live")
    bench.run(2)
    sent = bench.published()
    assert sent[0] == "telemetry/voltage"
    assert 9 <= len(sent) - 1 <= 11
    assert len(bench.backlog.left) == 21 - len(sent)


def test_what_is_not_acknowledged_stays_in_the_backlog():
    bench = Bench()
    bench.go_online()
    bench.run(2)
    bench.backlog.left = [(b"telemetry/power", b"1")]
    bench.session.breaks_at = 0
    bench.session.is_due = False
    bench.run(0.5)
    assert bench.backlog.left == [(b"telemetry/power", b"1")]


def test_answers_outlive_a_lost_link():
    bench = Bench()
    bench.outbox.respond(b"response/command", b"1")
    with bench.patched:
        bench.node.session_event("disconnected", "connection_lost", "closed by the broker")
        bench.node.session_event("connected", None, "session resumed")
    bench.session.online = True
    bench.run(0.1)
    assert bench.published()[0] == "response/command"


def test_refresh_tells_everything_once():
    bench = Bench()
    bench.go_online()
    told = bench.house.told_all
    with bench.patched:
        bench.node.refresh()
    bench.run(0.5)
    assert len(bench.published()) == 5
    assert bench.house.told_all == told + 1


def test_status_keeps_its_rhythm_while_online():
    bench = Bench()
    bench.go_online()
    bench.run(59)
    assert bench.published() == []
    bench.run(1.5)
    assert bench.published() == ["status/online"]


# Events


def test_events_are_logged_and_shown():
    bench = Bench()
    with bench.patched:
        for event, reason, detail in (
            ("connecting", None, None),
            ("error", "unreachable", "ECONNREFUSED"),
            ("connecting", None, None),
            ("connected", None, "new session"),
            ("disconnected", "connection_lost", "closed by the broker"),
            ("error", "bad_credentials", "CONNACK 4"),
            ("error", "not_authorized", "CONNACK 5"),
            ("disconnected", "no_wifi", "the access point is gone"),
        ):
            bench.node.session_event(event, reason, detail)
    assert bench.log.lines == [
        "link: connecting", "link: error: unreachable (ECONNREFUSED)", "link: connecting",
        "link: connected (new session)",
        "link: disconnected: connection_lost (closed by the broker)",
        "link: error: bad_credentials (CONNACK 4)", "link: error: not_authorized (CONNACK 5)",
        "link: disconnected: no_wifi (the access point is gone)"]
    assert bench.house.led.shown == [
        "connecting", "connecting", "connecting", "online", "connecting", "error", "error",
        "no_wifi"]


def test_a_board_without_led():
    bench = Bench()
    bench.house.led = None
    with bench.patched:
        bench.node.session_event("connecting", None, None)
    assert bench.log.lines == ["link: connecting"]


def test_no_network_for_10_seconds_is_told_once_with_the_reason():
    bench = Bench()
    bench.wifi.joined = False
    bench.run(9.5)
    assert bench.log.lines == []
    bench.run(60)
    assert bench.log.lines == ["link: error: no_wifi (home: wrong password)"]
    assert bench.house.led.shown == ["no_wifi"]


def test_no_network_is_told_again_when_it_was_there_in_between():
    bench = Bench()
    bench.session.is_due = False
    for joined, lines in ((False, 1), (True, 1), (False, 2)):
        bench.wifi.joined = joined
        bench.run(9)
        assert len(bench.log.lines) < max(lines, 2)  # not before 10 seconds
        bench.run(3)
        assert len(bench.log.lines) == lines


def test_a_session_ends_when_the_network_is_gone():
    bench = Bench()
    bench.go_online()
    bench.wifi.joined = False
    bench.run(1)
    assert ("lost", "no_wifi") in bench.session.trail
    assert bench.session.attempts == 0
    bench.run(60)
    # The session has told it: not a second time.
    assert not bench.log.has("link: error: no_wifi")


# Health


def test_health():
    bench = Bench(crash="Traceback: ValueError: boom")
    with bench.patched:
        bench.node.session_event("error", "timeout", "no answer (tcp)")
    found = bench.health()
    assert found.pop("heap_free") > 0
    assert found == {
        "tick_max_ms": 12, "reconnects": 2, "link_errors": 1,
        "last_error": "timeout: no answer (tcp)", "boots": 17,
        "reset_cause": "watchdog", "crash": "Traceback: ValueError: boom", "meter_ok": True,
        "meter_errors": 3, "dropped": 0, "backlog": 0, "bytes_sent": 4711,
        "timestamp": "2026-01-01T00:00:00Z"}


def test_health_of_a_node_that_has_nothing_to_complain_about():
    bench = Bench()
    bench.session.connects = 0
    found = bench.health()
    assert (found["reconnects"], found["last_error"], found["crash"]) == (0, None, None)


def test_health_keeps_the_end_of_a_crash_where_the_reason_is():
    bench = Bench(crash="Traceback\n" * 80 + "ValueError: boom")
    assert bench.health()["crash"].endswith("ValueError: boom")


def test_health_is_never_too_long_whatever_it_quotes():
    for text in ("\x01" * 800, "\n" * 800, '"' * 800, "\\" * 800, "\u00e4" * 800,
                 "\U0001f600" * 800, "\ud800" * 800, "x" * 800):
        bench = Bench(crash=text)
        with bench.patched, Patched(status, json=Json):
            bench.node.session_event("error", "dns_failed", text)
            assert bench.health()["boots"] == 17
            assert bench.outbox.dropped == 0


# The relays' last states


@in_scratch
def test_last_states_are_written_by_the_foreground():
    bench = Bench()
    bench.session.is_due = False
    bench.node.keep_last([True, False])
    assert os.listdir(".") == []
    bench.run(0.5)
    f = open(LAST_PATH)
    assert json.load(f) == [True, False]
    f.close()


def test_last_states_are_written_once_and_the_newest():
    bench = Bench()
    bench.session.is_due = False
    written = []

    class Storage:
        @staticmethod
        def replace_json(path, value):
            written.append((path, value))

    with Patched(node, storage=Storage):
        bench.node.keep_last([True])
        bench.node.keep_last([False])
        bench.run(5)
    assert written == [("relays.json", [False])]


def test_a_disk_that_cannot_be_written_is_told_and_stops_nothing():
    bench = Bench()

    class Storage:
        @staticmethod
        def replace_json(path, value):
            raise OSError(28)

    with Patched(node, storage=Storage):
        bench.node.keep_last([True])
        bench.run(2)
    assert bench.session.attempts == 1
    assert bench.log.has("cannot keep relays.json")


# The end


def run_to_the_end(bench):
    with bench.patched:
        return bench.node.run()


def test_a_restart_waits_until_the_answers_are_out():
    bench = Bench()
    bench.go_online()
    for i in range(5):
        bench.outbox.respond(b"response/command", b"%d" % i)
    with bench.patched:
        bench.node.restart()
    assert run_to_the_end(bench) == "restart"
    assert bench.published() == ["response/command"] * 5
    # It stays subscribed: the broker keeps what comes meanwhile.
    assert bench.session.trail[-1] == ("stop", "restart", False)
    assert bench.log.lines[-1] == "node: stops (restart)"


def stopped_online(online):
    told = []
    bench = Bench()
    if online:
        bench.go_online()
    with bench.patched, Patched(device, stopped_online=told.append):
        bench.node.restart()
        bench.node.run()
    return bool(told)


@in_scratch
def test_a_restart_with_a_session_is_remembered_for_the_next_start():
    assert stopped_online(True)
    assert not stopped_online(False)


def test_who_wants_to_know_is_told_of_the_stop():
    bench = Bench()
    told = []
    bench.node.on_stop = lambda: told.append(bench.session.trail[-1:])
    with bench.patched:
        bench.node.restart()
    run_to_the_end(bench)
    assert told == [[]]


def test_totals_are_saved_by_the_foreground_and_at_the_end():
    bench = Bench()
    bench.run(5)
    energy = bench.house.metering.energy
    assert energy.services >= 4
    assert energy.flushes == 0
    with bench.patched:
        bench.node.restart()
    run_to_the_end(bench)
    assert energy.flushes == 1


class Leaving:
    def __init__(self, session):
        self._session = session
        self.said = None

    def mark(self):
        self.said = self._session.trail[-1]


@in_scratch
def test_for_the_portal_it_says_good_bye_and_marks_the_next_start_last():
    bench = Bench()
    bench.go_online()
    leaving = bench.entry.leaving = Leaving(bench.session)
    flushes = bench.house.metering.energy.flushes
    with bench.patched:
        assert bench.node.open_portal()
        assert bench.node.run() == "portal"
    assert leaving.said == ("stop", "restart", False)
    assert bench.house.metering.energy.flushes == flushes + 1
    # What comes after the portal is no short while: commands may be stale by then.
    assert device.PATH not in os.listdir(".")


def test_the_portal_comes_after_whatever_else_ends_the_run():
    for stop in ("restart", "update", "erase"):
        bench = Bench()
        bench.node.restart(stop)
        assert not bench.node.open_portal()
        assert bench.node._stopping == stop
    bench = Bench()
    assert bench.node.open_portal()
    bench.node.restart("update")
    assert bench.node._stopping == "update"


def test_a_restart_does_not_wait_for_a_link_that_is_gone():
    bench = Bench()
    bench.outbox.respond(b"response/command", b"1")
    with bench.patched:
        bench.node.restart()
    start_ms = bench.ticks()
    assert run_to_the_end(bench) == "restart"
    assert ticks_diff(bench.ticks(), start_ms) < 1000


def test_a_restart_waits_3_seconds_at_the_most():
    bench = Bench()
    bench.go_online()
    # New answers without end.
    bench.session.on_check = lambda: bench.outbox.respond(b"response/command", b"1")
    bench.outbox.respond(b"response/command", b"1")
    with bench.patched:
        bench.node.restart()
    start_ms = bench.ticks()
    assert run_to_the_end(bench) == "restart"
    assert 2900 <= ticks_diff(bench.ticks(), start_ms) <= 3500


def test_ctrl_c_shuts_down_and_leaves_for_good():
    bench = Bench()
    bench.go_online()

    def interrupt():
        raise KeyboardInterrupt()

    bench.session.on_check = interrupt
    assert run_to_the_end(bench) == "shutdown"
    assert bench.session.trail[-2:] == ["interrupted", ("stop", "shutdown", True)]
    assert bench.log.lines[-1] == "node: stops (shutdown)"
