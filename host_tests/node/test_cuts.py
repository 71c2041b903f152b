# A session cut anywhere: what it costs, at every byte of it with --full.
import threading

import pytest
from cuts import Session

from host_tests.support import proxy as faults
from host_tests.support.proxy import TO_BROKER, TO_NODE, packet_ends

WORKERS = 3  # nodes; they wait most of the time, for the back-off or for the next sample
WORKERS_FULL = 16
# What a node that the broker has just forgotten gets before it is online: CONNACK and SUBACK.
NEW_TO_NODE = 9


def enumerate_cuts(new_node, broker, workers, choose):
    """Cut at all points that `choose(recorded)` names; returns the sessions."""
    sessions = []
    try:
        for _ in range(workers):
            sessions.append(Session(new_node, broker).start())
        points = choose(sessions[0].record())
        remaining = iter(points)

        def work(session):
            try:
                for point in remaining:  # each is taken by one thread
                    session.cut(*point)
                session.finish()
            except Exception as error:  # in a thread: else nobody would see it
                session.violated(repr(error))

        # Daemons: at Ctrl-C nobody waits for the rest of the points.
        threads = [threading.Thread(target=work, args=(one,), daemon=True) for one in sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(session.cuts for session in sessions) == len(points)
    finally:
        for session in sessions:
            session.close()
    return sessions


def report(sessions, capsys):
    """Print the result, and fail if there was a violation."""
    violations = [text for session in sessions for text in session.violations]
    with capsys.disabled():
        print("\n%d fault points, %d violations (back after %.2f s at most, ticks %d ms apart)" % (
            sum(session.cuts for session in sessions), len(violations),
            max(session.longest_s for session in sessions),
            max(session.tick_gap_ms for session in sessions)))
    assert not violations, "\n".join(violations)


def around_packets(recorded):
    """Points inside every packet, just before its last byte, and at the end of every second."""
    points = []
    for direction in (TO_BROKER, TO_NODE):
        ends = packet_ends(recorded[direction])
        points += [(faults.FIN, direction, end - 1) for end in ends]
        points += [(faults.RST, direction, end) for end in ends[::2]]
    return points


def test_a_session_cut_around_its_packets(new_node, own_broker, capsys):
    broker = own_broker().start()
    report(enumerate_cuts(new_node, broker, WORKERS, around_packets), capsys)


def everywhere(recorded):
    """Every byte, both ways; what builds up a session also where the broker knows nothing yet."""
    new = {TO_BROKER: packet_ends(recorded[TO_BROKER])[1], TO_NODE: NEW_TO_NODE}
    points = []
    for direction in (TO_BROKER, TO_NODE):
        for kind in (faults.FIN, faults.RST):
            points += [(kind, direction, at) for at in range(len(recorded[direction]) + 1)]
        points += [(faults.FIN, direction, at, True) for at in range(new[direction] + 1)]
    return points


@pytest.mark.full
def test_a_session_cut_at_every_byte(new_node, own_broker, capsys):
    broker = own_broker().start()
    report(enumerate_cuts(new_node, broker, WORKERS_FULL, everywhere), capsys)
