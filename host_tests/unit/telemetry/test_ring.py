"""The queue of records in flash: order, position, bounds, and what damage costs."""

import os

from firmware import storage
from firmware.telemetry import ring
from firmware.telemetry.ring import FILES, RECORD_BYTES, Ring
from host_tests.unit.fakes import Patched, in_scratch, raised, write


def record(number):
    return b"%016d" % number


def records(first, count):
    return memoryview(b"".join([record(number) for number in range(first, first + count)]))


def quiet(text):
    raise AssertionError(text)


def front(queue):
    found = queue.front()
    if found is None:
        return None
    buffer, at = found
    return int(bytes(buffer[at:at + RECORD_BYTES]))


def drain(queue, save=False):
    found = []
    while queue.front():
        found.append(front(queue))
        queue.pop(save)
    return found


def refuse(*_):
    raise OSError(28)


class Refusing:
    """Stands for `os` where nothing works."""

    listdir = rename = remove = stat = staticmethod(refuse)


@in_scratch
def test_an_empty_ring_touches_no_file():
    queue = Ring(quiet)
    assert front(queue) is None
    assert queue.count == 0
    assert os.listdir(".") == []


@in_scratch
def test_records_come_back_in_order_over_files_and_chunks():
    queue = Ring(quiet)
    for first, count in ((0, 60), (60, 1), (61, 16), (77, 17), (94, 240)):
        queue.append(records(first, count))
    assert queue.count == 334
    assert drain(queue) == list(range(334))
    assert (queue.count, queue.gone, queue.dropped) == (0, 334, 0)
    assert os.listdir(".") == []


@in_scratch
def test_the_front_stays_until_it_is_removed():
    queue = Ring(quiet)
    queue.append(records(0, 2))
    assert [front(queue), front(queue)] == [0, 0]
    queue.pop(False)
    assert [front(queue), front(queue)] == [1, 1]


@in_scratch
def test_a_restart_goes_on_where_it_stopped():
    Ring(quiet).append(records(0, 40))
    for expected in range(40):
        queue = Ring(quiet)
        assert queue.count == 40 - expected
        assert front(queue) == expected
        queue.pop(True)
    assert Ring(quiet).front() is None


@in_scratch
def test_a_restart_knows_that_half_of_a_record_is_sent():
    queue = Ring(quiet)
    queue.append(records(0, 3))
    queue.pop(True)
    queue.save(True)
    queue = Ring(quiet)
    assert queue.half
    assert front(queue) == 1
    queue.pop(True)
    assert not Ring(quiet).half


@in_scratch
def test_the_position_of_a_file_that_is_gone_says_nothing_about_the_next_one():
    queue = Ring(quiet)
    queue.append(records(0, 3))
    queue.pop(True)
    queue.save(True)
    drain(queue)
    queue = Ring(quiet)
    assert not queue.half
    queue.append(records(10, 3))
    queue = Ring(quiet)
    assert not queue.half
    assert drain(queue) == [10, 11, 12]


@in_scratch
def test_the_oldest_file_goes_when_there_is_one_too_many():
    queue = Ring(quiet)
    for file in range(FILES):
        queue.append(records(file * 3, 3))
    queue.pop(True)
    assert (queue.count, queue.dropped) == (3 * FILES - 1, 0)
    queue.append(records(FILES * 3, 3))
    assert (queue.count, queue.dropped, queue.gone) == (3 * FILES, 2, 3)
    assert len([name for name in os.listdir(".") if name != "backlog.state"]) == FILES
    assert drain(queue) == list(range(3, 3 * FILES + 3))


@in_scratch
def test_too_many_files_found_are_cut_down_to_the_newest():
    for number in range(FILES + 5):
        write("backlog.%d" % number, bytes(records(number, 1)))
    queue = Ring(quiet)
    assert queue.dropped == 5
    assert drain(queue) == list(range(5, FILES + 5))


@in_scratch
def test_files_are_sorted_by_number_not_by_name():
    for number in (9, 10, 100, 11):
        write("backlog.%d" % number, bytes(records(number, 1)))
    assert drain(Ring(quiet)) == [9, 10, 11, 100]


@in_scratch
def test_what_else_lies_there_is_left_alone_but_for_what_a_cut_left():
    for name in ("backlog", "backlog.txt", "config.json", "config.json.new", "backlog.7.new"):
        write(name, b"x")
    Ring(quiet)
    assert sorted(os.listdir(".")) == ["backlog", "backlog.txt", "config.json", "config.json.new"]


@in_scratch
def test_each_boot_that_has_written_is_told_apart():
    boots = []
    for first in range(3):
        queue = Ring(quiet)
        boots.append(queue.boot)
        queue.append(records(first, 1))
    assert len(set(boots)) == 3
    queue = Ring(quiet)
    drain(queue, True)
    assert queue.boot not in boots


@in_scratch
def test_the_number_of_a_file_that_is_gone_is_not_used_again():
    queue = Ring(quiet)
    queue.append(records(0, 2))
    boot = queue.boot
    queue.pop(True)
    queue.pop(True)
    queue = Ring(quiet)
    assert queue.boot == boot + 1
    queue.append(records(5, 1))
    assert sorted(os.listdir(".")) == ["backlog.%d" % (boot + 1), "backlog.state"]


@in_scratch
def test_dates_of_the_last_four_boots_are_kept_below_128_bytes():
    for number in range(1, 7):
        queue = Ring(quiet)
        assert queue.boot == number - 1
        queue.append(records(number, 1))
        queue.dates.append((queue.boot, 1767225600 + number))
        queue.save(False)
    assert Ring(quiet).dates == [(n, 1767225601 + n) for n in range(2, 6)]
    assert os.stat("backlog.state")[6] <= 128


@in_scratch
def test_a_date_of_another_boot_with_our_number_is_forgotten():
    queue = Ring(quiet)
    queue.dates.append((1, 1767225600))
    queue.save(False)
    queue = Ring(quiet)
    assert queue.boot == 1
    assert queue.dates == []


@in_scratch
def test_any_state_file_is_survived():
    queue = Ring(quiet)
    queue.append(records(0, 5))
    queue.dates.append((0, 1767225600))
    queue.pop(True)
    whole = storage.read("backlog.state")
    for data in [whole[:size] for size in range(len(whole))] + [b"\xff" * 12, b"\0" * 128]:
        write("backlog.state", data)
        queue = Ring(quiet)
        found = drain(queue)
        assert found == list(range(5))[5 - len(found):], data
        write("backlog.0", bytes(records(0, 5)))


@in_scratch
def test_a_position_behind_the_end_of_the_file_is_the_end():
    write("backlog.0", bytes(records(0, 3)))
    write("backlog.1", bytes(records(3, 2)))
    write("backlog.state", b"\0\0\0\0\xff\xff")
    queue = Ring(quiet)
    assert queue.count == 2
    assert drain(queue) == [3, 4]
    assert queue.dropped == 0


@in_scratch
def test_a_state_file_that_is_too_long_is_told():
    lines = []
    write("backlog.state", bytes(9000))
    write("backlog.3", bytes(records(0, 2)))
    assert drain(Ring(lines.append)) == [0, 1]
    assert lines == ["backlog: flash: backlog.state is larger than 8192 bytes"]


@in_scratch
def test_half_a_record_at_the_end_of_a_file_is_none():
    write("backlog.0", bytes(records(0, 2)) + b"half")
    write("backlog.1", b"")
    write("backlog.2", bytes(records(2, 1)))
    assert drain(Ring(quiet)) == [0, 1, 2]


@in_scratch
def test_a_file_that_cannot_be_read_is_dropped_counted_and_told():
    lines = []
    queue = Ring(lines.append)
    queue.append(records(0, 3))
    queue.append(records(3, 2))
    os.remove("backlog.0")
    assert front(queue) == 3
    assert (queue.count, queue.dropped, queue.gone) == (2, 3, 3)
    assert len(lines) == 1


@in_scratch
def test_a_file_that_became_shorter_is_dropped():
    lines = []
    queue = Ring(lines.append)
    queue.append(records(0, 20))
    write("backlog.0", bytes(records(0, 18)))
    assert drain(queue) == list(range(16))
    assert queue.dropped == 4
    assert lines == ["backlog: flash: a file is too short"]


@in_scratch
def test_a_failed_write_changes_nothing_and_is_told_once_until_one_succeeds():
    lines = []
    queue = Ring(lines.append)
    queue.append(records(0, 1))
    for _ in range(2):
        with Patched(storage, open=refuse):
            for _ in range(3):
                assert raised(OSError, queue.append, records(1, 1))
        assert queue.count == 1
        assert len(lines) == 1
    queue.append(records(1, 1))
    with Patched(storage, open=refuse):
        assert raised(OSError, queue.append, records(2, 1))
    assert len(lines) == 2
    assert drain(queue) == [0, 1]


@in_scratch
def test_a_position_that_cannot_be_kept_stops_nothing():
    lines = []
    queue = Ring(lines.append)
    queue.append(records(0, 30))
    with Patched(storage, open=refuse):
        assert drain(queue, True) == list(range(30))
    assert len(lines) == 1


def test_without_a_file_system_there_is_nothing_and_it_is_told():
    lines = []
    with Patched(ring, os=Refusing, open=refuse), Patched(storage, os=Refusing, open=refuse):
        queue = Ring(lines.append)
        assert queue.front() is None
        assert queue.count == 0
    assert len(lines) == 1


@in_scratch
def test_a_file_whose_size_is_unknown_hides_no_number_that_is_in_use():
    for number in (3, 4):
        write("backlog.%d" % number, bytes(records(number, 1)))

    class Os(Refusing):
        listdir = staticmethod(lambda: ["backlog.4", "backlog.3"])
        stat = staticmethod(lambda name: os.stat(name) if name == "backlog.4" else refuse())

    with Patched(ring, os=Os):
        queue = Ring(lambda text: None)
    queue.append(records(5, 1))
    assert sorted(os.listdir(".")) == ["backlog.3", "backlog.4", "backlog.5"]
