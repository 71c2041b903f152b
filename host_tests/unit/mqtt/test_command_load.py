"""Commands that fail, that are long, that wait for the foreground, and that are too many."""

from firmware.mqtt import commands
from firmware.mqtt.commands import Refused, Underway, integer
from host_tests.unit.fakes import Json, Patched, Ticks, raised
from host_tests.unit.mqtt.command_bench import LONG_IDS, Bench, code

# Faults of our own


def test_a_fault_in_an_action_is_answered_and_the_command_counts_as_executed():
    for fault in (RuntimeError("bug"), MemoryError(), OSError(5), KeyError("x")):
        bench = Bench()
        bench.relay.fails = fault
        assert code(bench.send({"action": "on", "request_id": "r"})) == "internal_error"
        assert bench.log.has("internal error")
        bench.relay.fails = None
        # It may have acted in part: it is not tried again.
        again = bench.send({"action": "on", "request_id": "r"})
        assert again["duplicate"] is True
        again.pop("duplicate")
        assert code(again) == "internal_error"
        assert bench.relay.done_actions == []


def test_a_fault_before_the_action_is_answered_too():
    for fault in (RuntimeError("bug"), MemoryError(), TypeError("x"), OSError(5)):
        bench = Bench()
        bench.relay.fails_to_prepare = fault
        answer = bench.send({"action": "on", "request_id": "r"})
        assert code(answer) == "internal_error"
        assert answer["request_id"] == "r"
        bench.relay.fails_to_prepare = None
        assert code(bench.send({"action": "on", "request_id": "r"})) == "done"


def test_a_result_that_is_too_long_is_an_error_not_silence():
    bench = Bench()
    bench.relay.result = "x" * 1000
    answer = bench.send({"action": "on", "request_id": "r"})
    assert code(answer) == "internal_error"
    assert bench.relay.done_actions == ["on"]


# Nothing above 1,000 bytes (`Bench.answers` looks at every one)


def test_the_longest_result_fits_beside_the_longest_request_id_also_when_repeated():
    for request_id in LONG_IDS:
        bench = Bench()
        bench.relay.result = "x" * (commands.RESULT_BYTES - 2)
        with Patched(commands, json=Json):
            answer = bench.send({"action": "on", "request_id": request_id})
            assert answer["result"] == bench.relay.result
            assert code(bench.send({"action": "on", "request_id": request_id})) == "duplicate"


def test_errors_keep_their_code_whatever_they_quote():
    for text in ("\x01" * 400, '"' * 400, "\\" * 400, "\U0001f600" * 400, "\u20ac" * 400):
        for request_id in LONG_IDS:
            bench = Bench()
            bench.relay.fails_to_prepare = Refused("bad_request", text)
            with Patched(commands, json=Json):
                answer = bench.send({"action": "on", "request_id": request_id})
            assert code(answer) == "bad_request", text
            assert answer["request_id"] == request_id


def test_a_surrogate_that_an_error_quotes_does_not_spoil_the_answer():
    bench = Bench()
    bench.relay.fails_to_prepare = Refused("bad_request", "there is no \ud83d")
    assert bench.send({"action": "on"})["error"]["message"] == "there is no ?"


# Commands for the foreground


def test_a_deferred_command_waits_for_the_foreground():
    bench = Bench()
    bench.receive({"action": "on", "request_id": "r"}, "config")
    assert bench.config.done_actions == []
    assert bench.answers() == []
    bench.commands.work()
    assert bench.config.done_actions == ["on"]
    assert bench.config.dones == 1
    assert code(bench.answers()[0]) == "done"
    bench.commands.work()
    assert bench.config.dones == 1


def test_a_second_one_is_refused_while_the_first_waits():
    bench = Bench()
    bench.receive({"action": "on", "request_id": "r1"}, "config")
    bench.receive({"action": "off", "request_id": "r2"}, "config")
    assert code(bench.answers()[0]) == "busy"
    bench.commands.work()
    bench.answers()
    assert code(bench.send({"action": "off", "request_id": "r2"}, "config")) == "done"
    assert bench.config.done_actions == ["on", "off"]


def test_relays_are_switched_while_a_deferred_command_waits():
    bench = Bench()
    bench.receive({"action": "on"}, "config")
    bench.receive({"action": "off"}, "relay")
    assert bench.relay.done_actions == ["off"]
    assert code(bench.answers()[0]) == "done"


def test_a_deferred_command_delivered_twice_is_worked_off_once():
    bench = Bench()
    for _ in range(2):
        bench.receive({"action": "on", "request_id": "r"}, "config")
    bench.commands.work()
    bench.commands.work()
    assert bench.config.done_actions == ["on"]


def test_after_a_reset_a_deferred_command_that_was_not_worked_off_may_come_again():
    bench = Bench()
    bench.receive({"action": "on", "request_id": "r"}, "config")
    bench.reset()
    assert code(bench.send({"action": "on", "request_id": "r"}, "config")) == "done"
    assert bench.config.done_actions == ["on"]


def test_a_deferred_command_is_judged_by_the_moment_it_came():
    # A queue of the broker may be through by the time the foreground comes round.
    bench = Bench()
    bench.session.settled = False
    bench.receive({"action": "on"}, "config")
    bench.session.settled = True
    bench.commands.work()
    assert code(bench.answers()[0]) == "expired"


# Commands that take longer


def test_a_command_underway_answers_with_its_progress_and_then_with_its_end():
    bench = Bench()
    bench.config.fails = Underway({"state": "downloading"})
    answer = bench.send({"action": "on", "request_id": "r"}, "config")
    assert answer["status"] == "progress" and answer["result"] == {"state": "downloading"}
    bench.commands.conclude(b"response/command", "r", {"state": "confirmed"})
    answer = bench.answers()[0]
    assert answer["status"] == "success" and answer["result"] == {"state": "confirmed"}
    assert answer["request_id"] == "r"


def test_a_repeat_of_a_command_underway_is_told_how_far_it_is():
    bench = Bench()
    bench.config.fails = Underway({"state": "downloading"})
    bench.send({"action": "on", "request_id": "r"}, "config")
    bench.config.state = lambda: throw(Underway({"state": "installing"}))
    answer = bench.send({"action": "on", "request_id": "r"}, "config")
    assert answer["status"] == "progress" and answer["duplicate"] is True
    assert answer["result"] == {"state": "installing"}
    bench.commands.conclude(b"response/command", "r", None, ("aborted", "by command"))
    assert code(bench.answers()[0]) == "aborted"
    answer = bench.send({"action": "on", "request_id": "r"}, "config")
    assert answer["error"]["code"] == "aborted" and answer["duplicate"] is True


def test_after_a_reset_a_command_that_failed_underway_may_come_again():
    # It was answered `success` with the present state: its id was known, and nothing else.
    bench = Bench()
    bench.config.fails = Underway({"state": "downloading"})
    bench.send({"action": "on", "request_id": "r"}, "config")
    bench.commands.conclude(b"response/command", "r", None, ("stalled", "nobody sends"))
    bench.answers()
    bench.reset()
    bench.config.fails = None
    assert code(bench.send({"action": "on", "request_id": "r"}, "config")) == "done"


def test_blocks_of_an_update_are_no_commands():
    bench = Bench()
    bench.commands.handlers["ota"] = bench.config
    bench.config.block = lambda payload, retained, size: payload[:1] == b"\xb1"
    bench.receive(b"\xb1\x01", "ota")
    bench.commands.work()
    assert bench.answers() == []
    assert code(bench.send(b"{", "ota")) == "malformed_json"


def throw(error):
    raise error


def test_a_fault_in_a_deferred_command_frees_the_slot():
    bench = Bench()
    bench.config.fails = RuntimeError("bug")
    assert code(bench.send({"action": "on"}, "config")) == "internal_error"
    bench.config.fails = None
    assert code(bench.send({"action": "on"}, "config")) == "done"
    assert bench.config.dones == 2


def test_the_answer_of_a_deferred_command_waits_for_room():
    # Sixteen answers and the one that says so were waiting: its own was lost.
    bench = Bench()
    bench.receive({"action": "on", "request_id": "slow"}, "config")
    for _ in range(20):
        bench.receive({"action": "on"})
    bench.commands.work()
    first = bench.answers()
    bench.commands.work()
    found = [a for a in first + bench.answers() if a["request_id"] == "slow"]
    assert len(found) == 1
    assert bench.config.done_actions == ["on"]


# Too many


def test_a_command_that_could_not_be_answered_is_not_executed():
    bench = Bench()
    for i in range(20):
        bench.receive({"action": "on", "request_id": "r%d" % i})
    assert len(bench.relay.done_actions) == 16
    answers = bench.answers()
    assert [a["request_id"] for a in answers] == ["r%d" % i for i in range(16)] + [None]
    assert code(answers[16]) == "overloaded"
    assert bench.log.has("overloaded")
    # It was not taken for executed: sent again, it is.
    assert code(bench.send({"action": "on", "request_id": "r16"})) == "done"
    assert code(bench.send({"action": "on", "request_id": "r15"})) == "duplicate"


def test_overloaded_is_told_at_most_once_a_second():
    bench = Bench()
    ticks = Ticks()
    told = 0
    with Patched(commands, ticks_ms=ticks):
        for _ in range(16):
            bench.receive({"action": "on"})
        for _ in range(300):  # 3 seconds, over the wrap of ticks
            bench.receive({"action": "on"})
            message = bench.outbox._responses[-1]
            if b"overloaded" in message.payload:
                told += 1
                bench.outbox.sent(message)
            ticks.sleep(10)
    assert told == 3
    assert len(bench.relay.done_actions) == 16


def test_garbage_is_not_answered_either_when_there_are_too_many():
    bench = Bench()
    for _ in range(16):
        bench.receive(b"{")
    bench.receive(b"{")
    bench.receive(b"[")
    answers = bench.answers()
    assert [code(a) for a in answers] == ["malformed_json"] * 16 + ["overloaded"]


def test_a_burst_of_1000_is_answered_or_refused_and_none_is_executed_twice():
    bench = Bench()
    executed = []
    bench.relay._act = lambda action: executed.append(action)
    answered = []
    for i in range(1000):
        request_id = "r%d" % (i // 2)  # each one is delivered twice
        bench.receive({"action": "on", "request_id": request_id})
        assert len(bench.outbox._responses) <= 17
        if i % 50 == 49:
            answered += bench.answers()
    done = [a["request_id"] for a in answered if code(a) == "done"]
    assert len(done) == len(set(done)) == len(executed)
    assert len(executed) == 20 * 8  # 16 answers to 8 ids, then no room
    assert all(code(a) in ("done", "duplicate", "overloaded") for a in answered)


# The helper of the handlers


def test_integer():
    assert integer({"n": 3}, "n", 0, 5) == 3
    assert integer({"n": 0}, "n", 0, 5) == 0
    assert integer({"n": 5}, "n", 0, 5) == 5
    assert integer({}, "n", 0, 5, 4) == 4
    assert integer({"n": None}, "n", 0, 5, 4) == 4
    assert integer({}, "n", 0, 5, 0) == 0


def test_integer_refuses_what_is_none():
    for value in (-1, 6, 1.0, "3", True, False, [], {}, float("inf"), 1 << 80):
        e = raised(Refused, integer, {"n": value}, "n", 0, 5, 0)
        assert e.args[0] == "bad_request", value
        assert "n must be" in e.args[1]
    assert raised(Refused, integer, {}, "n", 0, 5).args[0] == "bad_request"
