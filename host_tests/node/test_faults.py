# Broken lines between node and broker, one fault at a time.
# No command here may be answered `expired`: those for a relay have a timestamp and wait for less
# than 30 s, and no session is resumed after more than that.
import time

import pytest
from cuts import Session, two_values
from hub import stamp

from host_tests.support import proxy as faults
from host_tests.support.proxy import TO_BROKER, TO_NODE, Plan

SETTINGS = dict(Session.SETTINGS, keepalive_s=5)


@pytest.fixture
def proxy(broker):
    with faults.FaultProxy(broker.host, broker.port) as one:
        yield one


@pytest.fixture
def node(new_node, proxy):
    """A node behind the proxy, still off."""
    return new_node(settings=dict(SETTINGS, broker_port=proxy.port), loads=(1000, 60))


def break_now(proxy, kind, direction, **options):
    """Let the fault happen with the next byte in that direction."""
    connection = proxy.last
    connection.plan = Plan(kind, direction, len(connection.passed[direction]), **options)
    return connection


def toggle(node, relay=0):
    """Command a toggle with a timestamp; returns its id."""
    request_id = node.hub.new_id()
    node.hub.send("relay", {"action": "toggle", "relay": relay, "request_id": request_id,
                            "timestamp": stamp()})
    return request_id


def answered(node, request_id, timeout_s=20.0):
    """The first answer to this id, which must be a success and the first of its kind."""
    answer = node.hub.answer(request_id, timeout_s=timeout_s)
    assert answer["status"] == "success" and "duplicate" not in answer, answer
    return answer


def switched_once(node, before, relay=0):
    """Whether the relay's pin changed, and in half a second more not again."""
    deadline = time.monotonic() + 5
    while node.transitions(relay) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    return node.transitions(relay) == before + 1


def healthy(node):
    """status/health, when it and the telemetry so far are as they must be after every fault."""
    health = node.health()
    assert health["tick_max_ms"] < 1000
    assert health["meter_ok"] is True
    assert node.board.boots == 1
    assert not two_values(node.hub.seen("telemetry/"))
    return health


@pytest.mark.parametrize("direction", [TO_BROKER, TO_NODE])
def test_a_stall_inside_a_packet_is_waited_out(node, proxy, direction):
    # 30 bytes into a command on its way to the node, or into the node's answer to it.
    node.start()
    connection = proxy.last
    before = node.transitions()
    at_byte = len(connection.passed[direction]) + 30
    connection.plan = Plan(faults.STALL, direction, at_byte, stall_s=2)
    answered(node, toggle(node))
    assert time.monotonic() - connection.fault_s >= 2
    assert switched_once(node, before)
    assert healthy(node)["reconnects"] == 0


@pytest.mark.full
def test_a_stall_beyond_the_deadline_ends_the_session(node, proxy):
    node.configure(keepalive_s=60)
    node.start()
    before = node.transitions()
    connection = break_now(proxy, faults.STALL, TO_NODE, stall_s=30)
    first = toggle(node)
    proxy.wait("the stall", lambda: connection.fault_s)
    node.board.fault(rssi=-80)  # a status with QoS 1, for which no PUBACK comes within 10 s
    node.board.wait_for_line("link: disconnected: timeout", 25)
    answered(node, first)
    assert switched_once(node, before)
    assert healthy(node)["reconnects"] == 1


def test_one_byte_at_a_time(node, proxy):
    proxy.plan = Plan(slice_bytes=1)
    node.start()
    before = node.transitions()
    for _ in range(4):
        answered(node, toggle(node))
    assert node.transitions() == before + 4
    assert healthy(node)["reconnects"] == 0


def test_a_reset_connection(node, proxy):
    node.start()
    before = node.transitions()
    line = len(node.board.log)
    break_now(proxy, faults.RST, TO_NODE)
    first = toggle(node)  # its first byte is the one
    node.board.wait_for_line("link: disconnected: connection_lost", 5, after=line)
    answered(node, first)
    assert switched_once(node, before)
    assert healthy(node)["reconnects"] == 1


@pytest.mark.parametrize("direction", [pytest.param(TO_BROKER, marks=pytest.mark.full), TO_NODE])
def test_a_half_open_connection_is_given_up_after_one_and_a_half_keepalives(
        node, proxy, direction):
    node.start()
    before = node.transitions()
    line = len(node.board.log)
    connection = break_now(proxy, faults.HALF_OPEN, direction)
    # To the node: it never hears of this one. To the broker: it does, and its answer is lost.
    first = toggle(node)
    proxy.wait("the fault", lambda: connection.fault_s)
    node.board.wait_for_line("link: disconnected: timeout", 12, after=line)
    noticed_s = time.monotonic() - connection.fault_s
    assert 4 < noticed_s < 11  # 1.5 x 5 s, or the 10 s of a call; a ping's answer came before
    answered(node, first)
    assert switched_once(node, before)
    assert healthy(node)["reconnects"] == 1


def test_a_command_delivered_twice_is_executed_once(node, proxy):
    proxy.plan = Plan(duplicate=True)
    node.start()
    for relay in (0, 1, 0):
        before = node.transitions(relay)
        after = node.hub.mark()
        request_id = toggle(node, relay)
        first = answered(node, request_id)
        second = node.hub.wait("response/command", lambda m: m.json.get("duplicate"), after).json
        assert second["request_id"] == request_id
        assert second["result"] == first["result"]
        assert switched_once(node, before, relay)
    assert proxy.last.duplicated == 3
    assert healthy(node)["reconnects"] == 0


def test_a_line_of_1_kb_per_second(node, proxy):
    proxy.plan = Plan(bytes_per_s=1000)
    node.start()
    before = node.transitions()
    start_s = time.monotonic()
    for _ in range(3):
        answered(node, toggle(node))
    assert time.monotonic() - start_s < 15
    assert node.transitions() == before + 3
    assert healthy(node)["reconnects"] == 0


def test_a_latency_of_300_ms(node, proxy):
    proxy.plan = Plan(latency_s=0.3)
    node.start()
    before = node.transitions()
    start_s = time.monotonic()
    ids = [toggle(node) for _ in range(3)]
    for request_id in ids:
        answered(node, request_id)
    assert 0.6 < time.monotonic() - start_s < 10
    assert node.transitions() == before + 3
    assert healthy(node)["reconnects"] == 0


# The broker's own end. Its crash may lose a command that the node has not acknowledged; none may
# be executed twice, and an answered one was executed.


@pytest.mark.parametrize("end, persistence", [
    ("kill9", True),
    pytest.param("kill9", False, marks=pytest.mark.full),
    pytest.param("stop", True, marks=pytest.mark.full),
    pytest.param("stop", False, marks=pytest.mark.full),
])
def test_a_broker_that_ends_while_a_command_is_under_way(new_node, own_broker, end, persistence):
    broker = own_broker(persistence=persistence).start()
    node = new_node(broker, SETTINGS, loads=(1000, 60))
    node.start()
    for turn, pause_s in enumerate((0, 0.0005, 0.001, 0.002, 0.005, 0.02)):
        before = node.transitions(turn % 2)
        request_id = toggle(node, turn % 2)
        time.sleep(pause_s)
        getattr(broker, end)()
        after = node.hub.mark()
        broker.start()
        node.online(after)
        # The hub reconnects too, and sends again what was not acknowledged to it.
        last = node.hub.ask("led", "identify", timeout_s=15)
        assert last["status"] == "success"
        changes = node.transitions(turn % 2) - before
        answers = [m.json for m in node.hub.seen("response/command")
                   if m.json["request_id"] == request_id]
        assert changes == 1 or changes == 0 and not answers
        relay = node.hub.retained()["status/relay"].json
        assert relay["relays"] == ["on" if node.board.relay(i) else "off" for i in (0, 1)]
    healthy(node)


@pytest.mark.parametrize("frozen_s", [2, pytest.param(9, marks=pytest.mark.full)])
def test_a_broker_that_freezes_with_commands_in_hand(new_node, own_broker, frozen_s):
    # At 9 s the node has given up (1.5 x 5 s) and knocks again; the broker, thawed, finds its
    # old connections, dead ones among them, and the commands.
    broker = own_broker().start()
    node = new_node(broker, SETTINGS, loads=(1000, 60))
    node.start()
    before = node.transitions(), node.transitions(1)
    broker.suspend()
    try:
        ids = [toggle(node, relay) for relay in (0, 1)]
        time.sleep(frozen_s)
        assert (node.transitions(), node.transitions(1)) == before
    finally:
        broker.resume()
    for request_id in ids:
        answered(node, request_id)
    assert switched_once(node, before[0]) and switched_once(node, before[1], 1)
    health = healthy(node)
    assert (health["reconnects"] == 0) == (frozen_s == 2)
