"""What a node remembers of itself, and what it does when the memory is broken."""

import os

from firmware import device, storage
from firmware.device import PATH, Device
from host_tests.unit.fakes import Log, Patched, in_scratch, write


def fails(*_):
    raise OSError(28)


@in_scratch
def test_starts_are_counted():
    assert [Device(Log()).boots for _ in range(3)] == [1, 2, 3]


@in_scratch
def test_the_random_end_of_the_client_id_is_made_once():
    first = Device(Log())
    assert Device(Log()).suffix == first.suffix
    assert len(first.suffix) == 8
    assert all(c in "0123456789abcdef" for c in first.suffix)


@in_scratch
def test_each_node_gets_a_random_end_of_its_own():
    first = Device(Log()).suffix
    storage.remove(PATH)
    assert Device(Log()).suffix != first


@in_scratch
def test_client_id():
    d = Device(Log())
    assert d.client_id("abc123", "node-001") == "homesync_abc123_node-001_" + d.suffix


@in_scratch
def test_a_planned_stop_is_told_to_the_next_start_only():
    first = Device(Log())
    device.stopped_online(Log())
    second = Device(Log())
    assert second.was_online and not first.was_online
    assert (second.boots, second.suffix) == (2, first.suffix)
    assert not Device(Log()).was_online


@in_scratch
def test_a_planned_stop_beside_a_broken_file_changes_nothing():
    write(PATH, b"{")
    device.stopped_online(Log())
    assert not Device(Log()).was_online


@in_scratch
def test_a_broken_file_is_told_and_replaced():
    for data in (b"", b'{"boots": 5, "suffix": "0123abcd"', b"\xff\xff", bytes(9000)):
        write(PATH, data)
        log = Log()
        d = Device(log)
        assert d.boots == 1, data
        assert len(d.suffix) == 8
        assert log.has(PATH), data
        assert Device(Log()).suffix == d.suffix


@in_scratch
def test_wrong_values_are_replaced():
    for data in (b"[]", b'"x"', b"{}", b'{"boots": "5", "suffix": 7}', b'{"boots": null}',
                 b'{"boots": 1.5, "suffix": "short"}',
                 b'{"boots": [], "suffix": [1, 2, 3, 4, 5, 6, 7, 8]}'):
        write(PATH, data)
        d = Device(Log())
        assert d.boots == 1, data
        assert len(d.suffix) == 8 and isinstance(d.suffix, str), data


@in_scratch
def test_one_wrong_value_leaves_the_other():
    write(PATH, b'{"boots": "?", "suffix": "0123abcd"}')
    assert Device(Log()).suffix == "0123abcd"
    write(PATH, b'{"boots": 7, "suffix": ""}')
    assert Device(Log()).boots == 8


@in_scratch
def test_a_disk_that_cannot_be_written_is_told_and_stops_nothing():
    log = Log()
    with Patched(device.storage, replace=fails):
        d = Device(log)
    assert d.boots == 1
    assert len(d.suffix) == 8
    assert log.has("cannot keep " + PATH)
    assert os.listdir(".") == []
