"""Energy totals set to zero and trips cleared: all of it or nothing, and what a restart finds."""

from firmware import storage
from firmware.config import clear
from firmware.meter.energy_store import Energy
from firmware.meter.reading import Reading
from host_tests.unit.fakes import Clock, Log, Patched, in_scratch, raised, write


def energy(channels=1, signed=False):
    return Energy(channels, 3680, Clock(), Log(), signed=signed)


def count(one):
    """Let the channels count some Wh, and parts of one."""
    for at in range(4):
        readings = []
        for channel in range(len(one.channels)):
            reading = Reading()
            reading.active_power_w = 3600
            reading.counted_dwms = (channel + 1) * 36000000 // 2 + 7
            readings.append(reading)
        one.update(at * 1000, readings)


def registers(one, begin_ms, *values_wh):
    """Two readings of a meter with a register, and what they then show."""
    for at in range(2):
        readings = []
        for value_wh in values_wh:
            reading = Reading()
            reading.register_wh = value_wh
            readings.append(reading)
        one.update(begin_ms + at * 1000, readings)
    return [reading.energy_wh for reading in readings]


def state(one):
    return [(total.total_wh, total.rest_dwms, total.register_wh, channel.boot_wh,
             channel.day_start_wh)
            for channel in one.channels for total in (channel.imported, channel.exported)]


def nothing():
    pass


def full(path, data):
    raise OSError(28)


@in_scratch
def test_all_channels_are_zero_at_once_and_after_a_restart():
    one = energy(3)
    for channel in range(3):
        assert one.set_total(channel, 1000 * (channel + 1))
    saves = []
    real = storage.replace

    def replace(path, data):
        saves.append(path)
        real(path, data)

    with Patched(storage, replace=replace):
        assert clear.clear(one, None, nothing) == ["energy", "trips"]
    assert saves == ["energy.state"]  # no power cut leaves some of them
    for each in (one, energy(3)):
        assert [channel.imported.total_wh for channel in each.channels] == [0, 0, 0]


@in_scratch
def test_what_is_exported_is_zero_too_where_there_is_any():
    one = energy(signed=True)
    count(one)
    one.channels[0].exported.set(55)
    clear.clear(one, None, nothing)
    assert energy(signed=True).channels[0].exported.total_wh == 0
    other = energy()
    other.channels[0].exported.total_wh = None
    clear.clear(other, None, nothing)
    assert energy().channels[0].exported.total_wh is None


@in_scratch
def test_the_last_save_before_the_restart_does_not_bring_the_totals_back():
    one = energy()
    one.set_total(0, 5000)
    assert registers(one, 0, 700) == [5000]
    clear.clear(one, None, nothing)
    assert registers(one, 5000, 702) == [2]  # it goes on until the restart
    assert one.flush()
    assert registers(energy(), 0, 703) == [3]


@in_scratch
def test_a_meter_with_a_register_begins_at_zero():
    for confirmed in (True, False):
        storage.remove("energy.state")
        one = energy()
        registers(one, 0, 70000)
        assert one.flush()
        one = energy()
        if confirmed:
            assert registers(one, 0, 70001) == [70001]
        clear.clear(one, None, nothing)
        assert one.flush()
        assert registers(energy(), 0, 70002) == [1 if confirmed else 0]


@in_scratch
def test_if_nothing_was_counted_yet_the_register_is_not_the_total():
    one = energy()
    clear.clear(one, None, nothing)
    assert registers(one, 0, 70000) == [0]
    assert one.flush()
    assert registers(energy(), 0, 70001) == [1]


@in_scratch
def test_where_flash_refuses_the_totals_nothing_else_is_done():
    one = energy(2)
    count(one)
    assert one.flush()
    before, file = state(one), storage.read("energy.state")
    write("trips.json", b"[]")
    written = []
    with Patched(storage, replace=full):
        e = raised(OSError, clear.clear, one, None, lambda: written.append(1))
    assert "cannot be saved" in str(e) and written == []
    assert state(one) == before and storage.read("energy.state") == file
    assert storage.read("trips.json") == b"[]"


@in_scratch
def test_where_the_rest_cannot_be_written_the_totals_are_back():
    def refuse():
        assert energy(2).channels[1].imported.total_wh == 0  # it was on flash by then
        raise error

    for error in (OSError(28), ValueError("wrong")):
        one = energy(2)
        count(one)
        assert one.flush()
        before, file = state(one), storage.read("energy.state")
        write("trips.json", b"[]")
        assert raised(type(error), clear.clear, one, None, refuse) is error
        assert state(one) == before
        assert len(file) == len(storage.read("energy.state"))
        assert [c.imported.total_wh for c in energy(2).channels] == [before[0][0], before[2][0]]
        assert storage.read("trips.json") == b"[]"


@in_scratch
def test_without_a_meter_there_are_only_trips():
    write("trips.json", b"[]")
    done = []
    assert clear.clear(None, None, lambda: done.append(1)) == ["trips"]
    assert done == [1] and storage.read("trips.json") is None
    assert storage.read("energy.state") is None


@in_scratch
def test_the_trips_of_a_node_that_runs_do_not_come_back_before_the_restart():
    class Protection:
        def clear(self, index, now_ms):
            assert index is None
            write("trips.json", b"[]")  # as it keeps what is left

    clear.clear(None, Protection(), nothing)
    assert storage.read("trips.json") is None


@in_scratch
def test_the_energy_of_a_node_that_does_not_run():
    assert clear.of_flash(Log()) is None
    one = energy(3)
    for channel in range(3):
        one.set_total(channel, 1000)
    registers(one, 0, 7, 8, 9)
    assert one.flush()
    stored = clear.of_flash(Log())
    assert [channel.imported.total_wh for channel in stored.channels] == [1000] * 3
    clear.clear(stored, None, nothing)
    assert registers(energy(3), 0, 17, 18, 19) == [0, 0, 0]


@in_scratch
def test_a_file_that_is_no_energy_is_left_to_the_next_start():
    for data in (b"", b"\1", b"\1\0", b"\1\xff" + b"x" * 50):
        write("energy.state", data)
        assert clear.of_flash(Log()) is None, data
        assert storage.read("energy.state") == data
