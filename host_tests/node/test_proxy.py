# The fault proxy itself: it breaks what it is told to break, there and in that way, else nothing.
# What these do not catch would make the tests of test_faults.py pass for the wrong reason.
import socket
import time

import pytest

from host_tests.support import proxy as faults
from host_tests.support.proxy import TO_BROKER, TO_NODE, FaultProxy, Plan
from host_tests.support.scripted_broker import PINGRESP, publish

DATA = bytes(range(200))


@pytest.fixture
def ends(scripted):
    """ends(plan) → (proxy, node's socket, broker's Peer) of a new connection with this plan."""
    with FaultProxy(scripted.host, scripted.port) as proxy:
        sockets = []

        def connect(plan):
            proxy.plan = plan
            node = socket.create_connection((proxy.host, proxy.port), 5)
            sockets.append(node)
            return proxy, node, scripted.accept()

        yield connect
        for one in sockets:
            one.close()


def received(peer, size):
    """What comes until it is `size` bytes, the end, or a second of silence."""
    data = b""
    peer.settimeout(1)
    while len(data) < size:
        try:
            more = peer.recv(size - len(data))
        except socket.timeout:
            break
        if not more:
            break
        data += more
    return data


def ending(peer):
    """How this side learns of the end: "FIN", "RST" or, within 0.3 s, not at all."""
    peer.settimeout(0.3)
    try:
        return "FIN" if peer.recv(1) == b"" else "data"
    except ConnectionResetError:
        return "RST"
    except socket.timeout:
        return None


def test_without_a_fault_everything_passes_and_is_recorded(ends):
    proxy, node, broker = ends(Plan())
    node.sendall(DATA)
    assert received(broker._socket, 200) == DATA
    broker.send(DATA[::-1])
    assert received(node, 200) == DATA[::-1]
    assert proxy.last.passed == {TO_BROKER: DATA, TO_NODE: DATA[::-1]}
    assert proxy.last.fault_s is None and proxy.last.ended_s is None
    node.close()
    assert ending(broker._socket) == "FIN"
    broker.close()
    proxy.wait("its end", lambda: proxy.last.ended_s)


@pytest.mark.parametrize("direction", [TO_BROKER, TO_NODE])
@pytest.mark.parametrize("kind", [faults.FIN, faults.RST])
@pytest.mark.parametrize("at_byte", [0, 1, 120, 200])
def test_a_cut_lets_n_bytes_pass_and_both_sides_learn_of_it(ends, direction, kind, at_byte):
    proxy, node, broker = ends(Plan(kind, direction, at_byte))
    source, sink = (node, broker._socket) if direction == TO_BROKER else (broker._socket, node)
    source.sendall(DATA)
    assert received(sink, at_byte) == DATA[:at_byte]
    assert ending(sink) == kind
    assert ending(source) == kind
    assert proxy.last.passed[direction] == DATA[:at_byte]
    assert proxy.last.fault_s


def test_a_stall_holds_the_rest_back_for_its_time_and_loses_nothing(ends):
    proxy, node, broker = ends(Plan(faults.STALL, TO_BROKER, 50, stall_s=0.5))
    start_s = time.monotonic()
    node.sendall(DATA)
    assert received(broker._socket, 50) == DATA[:50]
    assert time.monotonic() - start_s < 0.5
    broker.send(b"the other direction")
    assert received(node, 19) == b"the other direction"
    assert received(broker._socket, 150) == DATA[50:]
    assert time.monotonic() - start_s >= 0.5


def test_half_open_passes_nothing_more_and_tells_nobody(ends):
    proxy, node, broker = ends(Plan(faults.HALF_OPEN, TO_BROKER, 50))
    node.sendall(DATA)
    assert received(broker._socket, 50) == DATA[:50]
    broker.send(DATA)
    assert ending(broker._socket) is None
    assert ending(node) is None
    node.close()
    assert ending(broker._socket) is None
    assert proxy.last.passed == {TO_BROKER: DATA[:50], TO_NODE: b""}


def test_slices_are_single_bytes(ends):
    proxy, node, broker = ends(Plan(slice_bytes=1, slice_pause_s=0.005))
    node.sendall(DATA[:20])
    sizes = []
    broker._socket.settimeout(1)
    while sum(sizes) < 20:
        sizes.append(len(broker._socket.recv(100)))
    assert sizes.count(1) > 10, sizes


def test_bandwidth_and_latency_take_their_time(ends):
    proxy, node, broker = ends(Plan(bytes_per_s=1000, latency_s=0.3))
    start_s = time.monotonic()
    node.sendall(DATA)
    assert received(broker._socket, 1) == DATA[:1]
    assert time.monotonic() - start_s >= 0.3
    assert received(broker._socket, 199) == DATA[1:]
    assert 0.5 <= time.monotonic() - start_s < 1.5


def test_only_messages_of_qos_1_are_delivered_twice_the_second_time_with_dup(ends):
    proxy, node, broker = ends(Plan(duplicate=True))
    live, acknowledged = publish("t", "0", qos=0), publish("t", "x" * 150, pid=7)
    broker.send_slices(PINGRESP + live + acknowledged + live, 50)
    repeated = bytes((acknowledged[0] | 8,)) + acknowledged[1:]
    expected = PINGRESP + live + acknowledged + repeated + live
    assert received(node, len(expected)) == expected
    assert proxy.last.duplicated == 1
    assert ending(node) is None


def test_a_broker_that_is_away_ends_the_connection(scripted):
    scripted.close()
    with FaultProxy(scripted.host, scripted.port) as proxy:
        with pytest.raises(ConnectionResetError):  # from connect(), if it comes that early
            with socket.create_connection((proxy.host, proxy.port), 5) as node:
                node.recv(1)
        assert proxy.connections == []
