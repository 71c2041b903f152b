"""Trips in flash: what comes back, and that no broken file unlocks a relay."""

from firmware.control import trips
from host_tests.unit.fakes import Log, in_scratch, write

TRIPS = [(0, "under_voltage", 181.5, 190, 2), (1, "meter_lost", None, 10, 0)]


def loaded(data):
    log = Log()
    write(trips.PATH, data)
    return trips.load(2, log), log.lines


@in_scratch
def test_what_was_saved_comes_back():
    assert trips.load(2, Log()) == []
    trips.save(TRIPS)
    assert trips.load(2, Log()) == TRIPS
    trips.save([])
    assert trips.load(2, Log()) == []


@in_scratch
def test_a_broken_file_leaves_every_relay_tripped():
    locked = [(0, "unknown", None, None, 0), (1, "unknown", None, None, 0)]
    for data in (b"", b"[", b'[[0,"over_power",1,1,0]', b"{}x", b"7", b"[7]", b"[[]]", b"\xff",
                 b'[["0","over_power",1,1,0]]', b'[[true,"over_power",1,1,0]]',
                 b'[[-1,"over_power",1,1,0]]', b'[[0,"bored",1,1,0]]',
                 b'[[0,"over_power",1,1,null]]', b'[[0,"over_power",1,1]]', b"x" * 9000):
        found, lines = loaded(data)
        assert found == locked, data
        assert len(lines) == 1, data


@in_scratch
def test_a_relay_that_is_gone_has_no_trip():
    assert loaded(b'[[2,"over_power",1,1,0],[1,"over_power",1,1,0]]') == (
        [(1, "over_power", 1, 1, 0)], [])
