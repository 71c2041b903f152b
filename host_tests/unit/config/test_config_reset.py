"""`command/config` `reset` with `energy`: totals and trips are kept unless it is true."""

import json
import sys

from firmware import storage
from firmware.config import change, schema
from firmware.control import trips
from firmware.meter.energy_store import Energy
from firmware.mqtt.commands import RESULT_BYTES, Refused
from host_tests.unit.config.change_bench import Bench, files, stored
from host_tests.unit.fakes import Clock, Log, Patched, in_scratch, raised, write


class Metering:
    def __init__(self):
        self.energy = Energy(1, 3680, Clock(), Log())
        assert self.energy.set_total(0, 1234)


def total(energy=None):
    """The total in RAM, or else the one in flash."""
    energy = energy or Energy(1, 3680, Clock(), Log())
    return energy.channels[0].imported.total_wh


def with_energy():
    bench = Bench()
    bench.node.metering = Metering()
    write("trips.json", b'[[0, "over_power", 2400, 1500, 0]]')
    return bench


@in_scratch
def test_reset_keeps_energy_and_trips_unless_asked_for():
    for arguments in ({}, {"energy": False}):
        bench = with_energy()
        result = bench.send("reset", **arguments)
        assert result == {"changed": ["sample_ms"], "restarts": True, "trial": False}
        assert total() == total(bench.node.metering.energy) == 1234
        assert trips.load(1, bench.log) == [(0, "over_power", 2400, 1500, 0)]


@in_scratch
def test_reset_with_energy_sets_it_to_zero_and_clears_trips_and_says_so():
    bench = with_energy()
    assert bench.reset(True) == {
        "changed": ["sample_ms"], "restarts": True, "trial": False, "cleared": ["energy", "trips"]}
    assert "sample_ms" not in stored()
    assert total() == total(bench.node.metering.energy) == 0
    assert trips.load(1, bench.log) == []
    assert bench.node.restarts == 1
    assert bench.log.lines == ["config: reset changes sample_ms, energy, trips"]
    # Also where no setting differs.
    assert bench.reset(True) == {
        "changed": [], "restarts": True, "trial": False, "cleared": ["energy", "trips"]}
    assert bench.node.restarts == 2
    assert "firmware.config.clear" not in sys.modules


@in_scratch
def test_without_a_meter_only_trips_are_cleared():
    bench = with_energy()
    bench.node.metering = None
    assert bench.reset(True)["cleared"] == ["trips"]
    assert trips.load(1, bench.log) == [] and total() == 1234
    assert bench.node.restarts == 1


@in_scratch
def test_energy_is_a_boolean():
    bench = with_energy()
    before = files()
    for value in (1, 0, "true", None, [], {}, 1.0):
        e = raised(Refused, bench.reset, value)
        assert e.args == ("bad_request", "energy must be true or false"), value
    assert files() == before and bench.node.restarts == 0


@in_scratch
def test_while_it_is_busy_energy_stays():
    bench = with_energy()
    bench.node.updating = True
    before = files()
    assert raised(Refused, bench.reset, True).args[0] == "busy"
    assert files() == before


def full_for(refused):
    real = storage.replace

    def replace(path, data):
        if path == refused:
            raise OSError(28)
        real(path, data)

    return replace


@in_scratch
def test_a_flash_that_refuses_leaves_settings_energy_and_trips():
    for refused in ("energy.state", "config.json"):
        bench = with_energy()
        before = files()
        with Patched(storage, replace=full_for(refused)):
            e = raised(Refused, bench.reset, True)
        assert e.args[0] == "flash", refused
        assert files() == before and bench.node.restarts == 0, refused
        assert total(bench.node.metering.energy) == 1234, refused


class PowerCut(Exception):
    pass


def cut_after(steps):
    """`Patched` for a flash that is written to so many times."""
    replace, remove = storage.replace, storage.remove
    left = [steps]

    def then(do, *args):
        if not left[0]:
            raise PowerCut()
        left[0] -= 1
        do(*args)

    return Patched(storage, replace=lambda path, data: then(replace, path, data),
                   remove=lambda path: then(remove, path))


@in_scratch
def test_a_power_cut_comes_between_whole_steps():
    seen = []
    for steps in range(4):
        bench = with_energy()
        with cut_after(steps):
            e = raised(PowerCut, bench.reset, True)
        assert bool(e) == (steps < 3) and bench.node.restarts == (steps == 3)
        seen.append((total(), "sample_ms" in stored(), len(trips.load(1, bench.log))))
    assert seen == [(1234, True, 1), (0, True, 1), (0, False, 1), (0, False, 0)]


@in_scratch
def test_the_longest_result_of_a_reset_fits():
    result = dict(change._result(sorted(schema.NAMES)), trial=False, cleared=["energy", "trips"])
    assert "more" in result
    assert len(json.dumps(result)) <= RESULT_BYTES
