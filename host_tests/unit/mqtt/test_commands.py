"""What a command must survive before it is executed, and the answer to every one."""

from firmware.mqtt import commands
from firmware.mqtt.commands import Refused
from host_tests.unit.fakes import Json, Patched
from host_tests.unit.mqtt.command_bench import LONG_IDS, PREFIX, STAMP, Bench, at, code

# Answers, byte by byte


def test_a_success():
    bench = Bench()
    assert bench.raw('{"action": "on", "request_id": "r-1"}') == (
        '{"request_id": "r-1", "status": "success", "result": "on", %s}' % STAMP).encode()
    assert bench.relay.done_actions == ["on"]


def test_an_error():
    assert Bench().raw('{"action": "fly", "request_id": "r-1"}') == (
        '{"request_id": "r-1", "status": "error", "result": null, "error": {"code": '
        '"unknown_action", "message": "action must be on or off"}, %s}' % STAMP).encode()


def test_a_repeated_answer():
    bench = Bench()
    first = bench.raw('{"action": "on", "request_id": "r-1"}')
    again = bench.raw('{"action": "on", "request_id": "r-1"}')
    assert again == first[:-1] + b', "duplicate": true}'


def test_without_a_request_id_it_is_null_and_without_a_time_there_is_no_timestamp():
    bench = Bench()
    bench.clock.unix_s = None
    assert bench.raw('{"action": "off"}') == (
        b'{"request_id": null, "status": "success", "result": "off"}')


def test_answers_to_updates_have_a_topic_of_their_own():
    bench = Bench()
    assert bench.send({"action": "on"})["topic"] == b"response/command"
    assert bench.send({"action": "get"}, "ota")["topic"] == b"response/ota"
    assert bench.send(b"{", "ota")["topic"] == b"response/ota"


def test_any_request_id_comes_back_as_it_was():
    for request_id in LONG_IDS + ("1", "req-uuid-123", " ", "\n", "null"):
        bench = Bench()
        with Patched(commands, json=Json):
            answer = bench.send({"action": "on", "request_id": request_id})
        assert answer["request_id"] == request_id


# Rule 1: what is no command


def test_an_empty_payload_and_foreign_topics_are_ignored():
    bench = Bench()
    bench.receive(b"")
    bench.receive(b"", retained=True)
    for topic in (PREFIX + b"status/relay", b"homesync/h/nodes/other/command/relay", b""):
        bench.commands.receive(topic, b'{"action": "on"}', False, False, 16)
    assert bench.answers() == []
    assert bench.relay.done_actions == []


def test_json_cut_short_anywhere_is_malformed():
    for whole in ('{"action": "on", "request_id": "r", "relay": 1}',
                  '{"action": "on", "x": [1, {"y": "}"}], "z": {"a": {}}}'):
        bench = Bench()
        for size in range(1, len(whole)):
            assert code(bench.send(whole[:size])) == "malformed_json", whole[:size]
        assert bench.relay.done_actions == []
        assert code(bench.send(whole)) == "done"


def test_what_is_no_json_object_is_malformed():
    bench = Bench()
    for payload in ("on", "[]", '["action", "on"]', '"on"', "1", "null", "true", "{}{}", " ", "\0",
                    '{"action": "on"} x', '{"action": "on"}{"action": "off"}', "<on/>",
                    "action=on", "{'action': 'on'}", '{"action": on}', "[" * 900, "{" * 900,
                    b"\xff\xfe", b'{"action": "on", "x": "\xc3"}', b"\x00\x01\x02",
                    b"\xb1binary"):
        answer = bench.send(payload)
        assert code(answer) == "malformed_json", payload
        assert answer["request_id"] is None
    assert bench.relay.done_actions == []


def test_a_payload_that_was_too_large_is_told_with_its_size():
    bench = Bench()
    bench.commands.receive(PREFIX + b"command/relay", None, False, False, 20480)
    answer = bench.answers()[0]
    assert code(answer) == "too_large"
    assert "20480" in answer["error"]["message"]


def test_the_action_must_be_a_text():
    bench = Bench()
    for payload in ({}, {"action": None}, {"action": 1}, {"action": ["on"]}, {"action": True},
                    {"action": {}}, {"Action": "on"}):
        answer = bench.send(payload)
        assert code(answer) == "bad_request", payload
        assert "action" in answer["error"]["message"]


def test_unknown_actions():
    bench = Bench()
    for action in ("", "ON", "on ", "fly", "\u20ac", "x" * 500):
        assert code(bench.send({"action": action})) == "unknown_action", action


def test_a_wrong_request_id_is_named_and_not_returned():
    bench = Bench()
    for request_id in (1, 0, True, [], {}, 1.5, "", "x" * 65, "\u20ac" * 65, "\x01" * 64):
        answer = bench.send({"action": "on", "request_id": request_id})
        assert code(answer) == "bad_request", request_id
        assert "request_id" in answer["error"]["message"]
        assert answer["request_id"] is None
    assert bench.relay.done_actions == []


def test_half_a_surrogate_pair_cannot_be_sent_back_as_utf_8():
    bench = Bench()
    for escape in ("\\ud800", "\\ud83d", "\\udfff", "\\ud83dx"):
        answer = bench.send('{"action": "on", "request_id": "%s"}' % escape)
        assert code(answer) == "bad_request", escape
        assert "request_id" in answer["error"]["message"]


def test_a_surrogate_pair_is_one_character_or_refused():
    # MicroPython leaves the halves apart; what must not happen is an answer that is not UTF-8.
    answer = Bench().send('{"action": "on", "request_id": "\\ud83d\\ude00"}')
    assert (code(answer), answer["request_id"]) in (("done", "\U0001f600"), ("bad_request", None))


def test_a_request_id_of_null_is_none():
    bench = Bench()
    for _ in range(2):
        assert code(bench.send({"action": "on", "request_id": None})) == "done"


def test_a_wrong_argument_is_named():
    answer = Bench().send({"action": "on", "relay": 2})
    assert code(answer) == "bad_request"
    assert "relay" in answer["error"]["message"]


def test_unknown_keys_are_ignored():
    command = {"action": "on", "colour": "red", "x": [1, {"y": None}], "result": "?", "": 0}
    assert code(Bench().send(command)) == "done"


def test_an_unknown_kind_of_command_is_a_bad_request():
    bench = Bench()
    for kind in ("dance", "relay2", "Relay", ""):
        assert code(bench.send({"action": "on"}, kind)) == "bad_request", kind


def test_without_an_id_only_the_brokers_own_repetition_is_a_repetition():
    # Its PUBACK was lost, so the broker sends it again, with DUP set.
    bench = Bench()
    switch = {"action": "on"}
    assert code(bench.send(switch)) == "done"
    answer = bench.send(switch, again=True)
    assert answer["duplicate"] is True
    assert len(bench.relay.done_actions) == 1
    assert code(bench.send(switch)) == "done"
    assert len(bench.relay.done_actions) == 2


def test_a_repetition_of_what_never_arrived_is_executed():
    bench = Bench()
    assert code(bench.send({"action": "on"}, again=True)) == "done"
    assert code(bench.send({"action": "on", "request_id": "r1"}, again=True)) == "done"


def test_what_has_no_handler_is_refused():
    answer = Bench().send({"action": "on"}, "led")
    assert code(answer) == "bad_request"
    assert "command/led" in answer["error"]["message"]


def test_a_wrong_timestamp_is_named():
    bench = Bench()
    for stamp in (1767225600, "", "now", "2026-01-01", "2026-02-30T00:00:00Z", [], True, {},
                  "2026-01-01T00:00:00", "\u20ac" * 30):
        answer = bench.send({"action": "on", "timestamp": stamp})
        assert code(answer) == "bad_request", stamp
        assert "timestamp" in answer["error"]["message"]
    assert bench.relay.done_actions == []


def test_a_timestamp_in_the_future_is_refused_from_31_seconds_on():
    bench = Bench()
    assert code(bench.send({"action": "on", "timestamp": at(30)})) == "done"
    answer = bench.send({"action": "on", "timestamp": at(31)})
    assert code(answer) == "bad_request"
    assert "timestamp" in answer["error"]["message"]


def test_a_refused_command_is_logged_with_its_topic_and_a_short_piece_of_it():
    bench = Bench()
    bench.send("{garbage " + "x" * 4000)
    assert len(bench.log.lines) == 1
    assert bench.log.lines[0].startswith("command/relay: malformed_json")
    assert "{garbage xxx" in bench.log.lines[0]
    assert len(bench.log.lines[0]) < 300


def test_after_anything_wrong_the_next_command_is_executed():
    bench = Bench()
    for payload in (b"{", b"\xff", "[]", {"action": "fly"}, {"action": "on", "relay": []}):
        bench.send(payload)
        assert code(bench.send({"action": "on"})) == "done"


def test_receive_never_raises():
    bench = Bench()
    bench.commands.receive(PREFIX + b"command/\xff\xfe", b'{"action": "on"}', False, False, 16)
    bench.commands.receive(PREFIX + b"command/relay", None, True, False, 1 << 28)
    assert bench.relay.done_actions == []


# Rule 2: retained


def test_a_retained_command_is_never_executed():
    bench = Bench()
    for command in ({"action": "on"}, {"action": "on", "timestamp": at(0), "request_id": "r"}):
        assert code(bench.send(command, retained=True)) == "retained"
    assert bench.relay.done_actions == []
    # Its id is not used up.
    assert code(bench.send({"action": "on", "request_id": "r"})) == "done"


# Rule 3: repeated


def test_a_repeated_command_is_answered_again_but_not_executed():
    bench = Bench()
    first = bench.send({"action": "on", "request_id": "r"})
    bench.send({"action": "off", "request_id": "other"})
    for _ in range(3):
        again = bench.send({"action": "on", "request_id": "r"})
        assert again.pop("duplicate") is True
        assert again == first
    assert bench.relay.done_actions == ["on", "off"]


def test_commands_without_an_id_are_never_repeated():
    bench = Bench()
    for _ in range(20):
        assert code(bench.send({"action": "on"})) == "done"
    assert len(bench.relay.done_actions) == 20


def test_the_last_16_ids_are_remembered():
    bench = Bench()
    for i in range(40):
        assert code(bench.send({"action": "on", "request_id": "r%d" % i})) == "done"
    for i in range(24, 40):
        answer = bench.send({"action": "on", "request_id": "r%d" % i})
        assert (code(answer), answer["result"]) == ("duplicate", "on"), i
    assert len(bench.relay.done_actions) == 40
    assert code(bench.send({"action": "on", "request_id": "r23"})) == "done"


def test_ids_outlive_a_reset_and_are_answered_with_the_present_state():
    bench = Bench()
    for i in range(16):
        bench.send({"action": "on", "request_id": "r%d" % i})
    bench.reset()
    for i in range(16):
        answer = bench.send({"action": "off", "request_id": "r%d" % i})
        assert code(answer) == "duplicate", i
        assert answer["result"] == ["now", "on"]
        assert answer["request_id"] == "r%d" % i
    assert bench.relay.done_actions == ["on"] * 16


def test_ids_outlive_two_resets_and_mix_with_new_ones():
    bench = Bench()
    bench.send({"action": "on", "request_id": "first"})
    bench.reset()
    bench.send({"action": "on", "request_id": "second"})
    bench.reset()
    for request_id in ("first", "second"):
        assert code(bench.send({"action": "on", "request_id": request_id})) == "duplicate"
    assert code(bench.send({"action": "on", "request_id": "third"})) == "done"


def test_a_power_cut_forgets_the_ids():
    bench = Bench()
    bench.send({"action": "on", "request_id": "r"})
    bench.memory.content = b""
    bench.reset()
    assert code(bench.send({"action": "on", "request_id": "r"})) == "done"


def test_the_id_is_kept_before_the_command_acts():
    # A reset in the middle of it must not let it act again.
    bench = Bench()
    kept = []
    bench.relay._act = lambda action: kept.append(bench.memory.content)
    bench.send({"action": "on", "request_id": "r"})
    bench.memory.content = kept[0]
    bench.reset()
    assert code(bench.send({"action": "on", "request_id": "r"})) == "duplicate"
    assert len(kept) == 1


def test_a_refused_command_may_come_again():
    bench = Bench()
    for flaw in ({"relay": 7}, {"timestamp": at(-31)}, {"action": "fly"}):
        command = {"action": "on", "request_id": "r"}
        command.update(flaw)
        assert code(bench.send(command)) in ("bad_request", "expired", "unknown_action")
    assert code(bench.send({"action": "on", "request_id": "r"})) == "done"


def test_what_the_handler_refuses_may_come_again_also_after_a_reset():
    bench = Bench()
    bench.send({"action": "off", "request_id": "before"})
    bench.relay.fails = Refused("too_fast", "more than 5 changes in 3 s")
    assert code(bench.send({"action": "on", "request_id": "r"})) == "too_fast"
    assert code(bench.send({"action": "on", "request_id": "r"})) == "too_fast"
    bench.reset()
    bench.relay.fails = None
    assert code(bench.send({"action": "on", "request_id": "r"})) == "done"
    assert code(bench.send({"action": "off", "request_id": "before"})) == "duplicate"


def test_what_was_refused_is_not_executed_when_the_broker_delivers_it_again():
    # The PUBACK of a relay command refused `too_fast` was lost: its redelivery after the
    # reconnect switched the relay, although "no" had been answered.
    for named in ({"request_id": "r"}, {}):
        command = {"action": "on"}
        command.update(named)
        bench = Bench()
        bench.relay.fails = Refused("too_fast", "more than 5 changes in 3 s")
        first = bench.send(command)
        bench.relay.fails = None
        again = bench.send(command, again=True)
        assert again.pop("duplicate") is True
        assert again == first and code(again) == "too_fast"
        assert bench.relay.done_actions == []
        assert code(bench.send(command)) == "done"  # sent anew


def test_a_refusal_too_long_to_be_kept_stands_all_the_same():
    bench = Bench()
    bench.relay.fails = Refused("too_fast", "more than 5 changes in 3 s")
    command = {"action": "on", "request_id": '"' * 64}
    assert code(bench.send(command)) == "too_fast"
    bench.relay.fails = None
    again = bench.send(command, again=True)
    assert (code(again), again["duplicate"]) == ("expired", True)
    assert bench.relay.done_actions == []
    assert code(bench.send(command)) == "done"


def test_what_had_expired_has_not_become_fresh_when_it_is_delivered_again():
    bench = Bench()
    bench.session.settled = False
    assert code(bench.send({"action": "on"})) == "expired"
    bench.session.settled = True
    assert code(bench.send({"action": "on"}, again=True)) == "expired"
    assert bench.relay.done_actions == []


def test_similar_ids_are_different():
    bench = Bench()
    for request_id in ("r", "R", "r ", " r", "r\n", "r\u0301", "\u20ac", "r" * 63, "r" * 64):
        assert code(bench.send({"action": "on", "request_id": request_id})) == "done", request_id


# Rule 4: stale


def test_a_command_older_than_30_seconds_has_expired():
    bench = Bench()
    assert code(bench.send({"action": "on", "timestamp": at(-30)})) == "done"
    answer = bench.send({"action": "on", "timestamp": at(-31)})
    assert code(answer) == "expired"
    assert "31 s" in answer["error"]["message"]
    assert bench.relay.done_actions == ["on"]


def test_age_counts_with_offset_and_fraction():
    bench = Bench()
    for stamp, wanted in (("2026-01-01T01:00:00.999+01:00", "done"),
                          ("2026-01-01T00:00:00+01:00", "expired"),
                          ("2025-12-31T23:00:00-01:00", "done"),
                          ("2025-12-31T23:59:29.9Z", "expired")):
        assert code(bench.send({"action": "on", "timestamp": stamp})) == wanted, stamp


def test_without_a_timestamp_it_is_refused_until_the_queue_is_known_to_be_empty():
    bench = Bench()
    bench.session.settled = False
    for command in ({"action": "on"}, {"action": "on", "request_id": "r"},
                    {"action": "on", "timestamp": None}):
        assert code(bench.send(command)) == "expired"
    bench.session.settled = True
    assert code(bench.send({"action": "on", "request_id": "r"})) == "done"
    assert bench.relay.done_actions == ["on"]


def test_a_fresh_timestamp_is_proof_enough():
    bench = Bench()
    bench.session.settled = False
    assert code(bench.send({"action": "on", "timestamp": at(-5)})) == "done"


def test_while_the_node_has_no_time_a_timestamp_proves_nothing():
    bench = Bench()
    bench.clock.unix_s = None
    assert code(bench.send({"action": "on", "timestamp": at(-5000)})) == "done"
    bench.session.settled = False
    assert code(bench.send({"action": "on", "timestamp": at(0)})) == "expired"


# The order of the rules


def test_the_first_rule_that_applies_is_the_one_that_answers():
    wrong, kept, repeated = "unknown_action", "retained", "duplicate"
    stale, busy = "expired", "busy"
    for flaws, wanted in (
        ((wrong, kept), wrong), ((wrong, repeated), wrong), ((wrong, stale), wrong),
        ((wrong, busy), busy), ((kept, repeated), kept), ((kept, stale), kept),
        ((kept, busy), kept), ((repeated, stale), repeated), ((repeated, busy), repeated),
        ((stale, busy), stale), ((wrong, kept, repeated, stale), wrong),
        ((kept, repeated, stale, busy), kept), ((repeated, stale, busy), repeated),
        ((busy,), busy), ((), "done"),
    ):
        for with_timestamp in (True, False):
            bench = Bench()
            if repeated in flaws:
                bench.send({"action": "on", "request_id": "r"}, "config")
            if busy in flaws:
                bench.receive({"action": "on", "request_id": "other"}, "config")
            if stale in flaws:
                bench.session.settled = False
            command = {"action": "fly" if wrong in flaws else "on", "request_id": "r"}
            if with_timestamp:
                command["timestamp"] = at(-31 if stale in flaws else 0)
            bench.receive(command, "config", retained=kept in flaws)
            if busy not in flaws:
                bench.commands.work()
            answer = bench.answers()[0]
            assert (code(answer), answer["request_id"]) == (wanted, "r"), (flaws, with_timestamp)


def test_a_timestamp_in_the_future_comes_before_retained_and_repeated():
    bench = Bench()
    bench.send({"action": "on", "request_id": "r"})
    command = {"action": "on", "request_id": "r", "timestamp": at(31)}
    assert code(bench.send(command, retained=True)) == "bad_request"


def test_what_the_handler_refuses_comes_last():
    bench = Bench()
    bench.relay.fails = Refused("too_fast", "more than 5 changes in 3 s")
    assert code(bench.send({"action": "on"}, retained=True)) == "retained"
    assert code(bench.send({"action": "on", "timestamp": at(-31)})) == "expired"
    assert code(bench.send({"action": "on"})) == "too_fast"
