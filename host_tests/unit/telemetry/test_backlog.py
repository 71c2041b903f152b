"""The backlog: what an outage leaves, when it happened, and that it is told once."""

import json
import os
from struct import pack

from firmware import storage
from firmware.telemetry import backlog
from firmware.telemetry.backlog import FEWEST, Backlog
from firmware.telemetry.ring import FILES
from firmware.timestamp import format_timestamp
from host_tests.unit.fakes import NEW_YEAR_S, Patched, in_scratch, write


class Reading:
    def __init__(self, power, energy):
        self.active_power_w = power
        self.energy_wh = energy


class Clock:
    """Uptime and UTC, moved by hand. UTC is `offset_s` + uptime; None: unknown."""

    def __init__(self, offset_s):
        self.uptime_s = 5
        self.offset_s = offset_s

    def unix(self):
        return None if self.offset_s is None else self.offset_s + self.uptime_s


class Node:
    """A backlog with its clock and meter; `run` lets seconds pass, with a reading in each."""

    def __init__(self, offset_s=NEW_YEAR_S, suffixes=("",)):
        self.clock = Clock(offset_s)
        self.lines = []
        self.suffixes = suffixes
        self.backlog = Backlog(self.clock, self.lines.append, suffixes)
        self.good = self.polls = 0
        self.energy_wh = 1000

    def run(self, seconds, power=100.0, serve=True):
        for _ in range(seconds):
            self.clock.uptime_s += 1
            self.polls += 1
            self.good += 1
            for channel in range(len(self.suffixes)):
                self.backlog.sample(channel, Reading(power, self.energy_wh), self.good, self.polls)
            if serve:
                self.backlog.service()
        return self

    def miss(self, seconds):
        self.clock.uptime_s += seconds
        self.polls += seconds
        return self

    def drain(self):
        """All messages there are, in order, as (name, value, seconds since NEW_YEAR_S)."""
        found = []
        while self.backlog.next():
            found.append(parsed(*self.backlog.next()))
            self.backlog.done()
        return found


def parsed(topic, payload):
    message = json.loads(payload)
    assert topic.startswith(b"telemetry/")
    assert message["backfilled"] is True
    return str(topic[10:], "ascii"), message["value"], seconds(message["timestamp"])


def seconds(stamp):
    # Tests stay within some days of 2026-01-01.
    day, hour, minute, second = int(stamp[8:10]), stamp[11:13], stamp[14:16], stamp[17:19]
    assert stamp == format_timestamp(NEW_YEAR_S + (day - 1) * 86400 + int(hour) * 3600
                                     + int(minute) * 60 + int(second))
    return (day - 1) * 86400 + int(hour) * 3600 + int(minute) * 60 + int(second)


def times(messages):
    return [time_s for name, _, time_s in messages if name == "power"]


def refuse(*_):
    raise OSError(28)


class Refusing:
    """Stands for `os` where nothing works."""

    listdir = rename = remove = stat = staticmethod(refuse)


# What a record is


@in_scratch
def test_a_minute_byte_by_byte():
    node = Node()
    node.run(30, 1250.4).run(30, 1250.6)
    node.clock.uptime_s += 1
    node.backlog.online()
    assert node.backlog.next() == (
        b"telemetry/power",
        b'{"value": 1250.5, "unit": "W", "quality": 100, "timestamp": "2026-01-01T00:01:05Z", '
        b'"backfilled": true}')
    node.backlog.done()
    assert node.backlog.next() == (
        b"telemetry/energy",
        b'{"value": 1000, "unit": "Wh", "quality": 100, "timestamp": "2026-01-01T00:01:05Z", '
        b'"backfilled": true}')
    node.backlog.done()
    assert node.backlog.next() is None
    assert node.backlog.dropped == 0


@in_scratch
def test_one_record_a_minute():
    node = Node()
    node.run(600)
    assert node.backlog.count == 9  # the tenth is still being measured
    node.clock.uptime_s += 1
    node.backlog.online()
    assert times(node.drain()) == [5 + 60 * minute for minute in range(1, 11)]


@in_scratch
def test_power_is_the_mean_of_the_minute_also_when_it_is_negative_or_high():
    for powers, mean in (((100, 200), 150), ((0.1, 0.2, 0.2), 0.2), ((-0.5, -0.5), -0.5),
                         ((-100, 100), 0), ((-12.3, -12.4), -12.3), ((25000.1,) * 59, 25000.1)):
        node = Node()
        for power in powers * (1 if len(powers) >= FEWEST else FEWEST):
            node.run(1, power)
        node.clock.uptime_s += 1
        node.backlog.online()
        assert node.drain()[0][1] == mean, powers


@in_scratch
def test_energy_is_that_at_the_end_of_the_minute_in_whole_wh():
    node = Node()
    for energy_wh in (16777217, 16777218, 16777219):  # beyond what a float of the chips can tell
        node.energy_wh = energy_wh
        node.run(20)
    node.run(1)
    assert parsed(*node.backlog.next())[0] == "power"
    node.backlog.done()
    assert b'"value": 16777219,' in node.backlog.next()[1]


@in_scratch
def test_a_meter_without_energy_has_only_power():
    node = Node()
    node.energy_wh = None
    node.run(121)
    assert [name for name, _, _ in node.drain()] == ["power", "power"]


@in_scratch
def test_quality_is_the_share_of_good_reads_of_the_minute():
    node = Node()
    node.run(45).miss(14).run(1).run(60)
    node.run(1)
    assert b'"quality": 76,' in node.backlog.next()[1]  # 46 of 60
    for _ in range(2):
        node.backlog.done()
        node.backlog.next()
    assert b'"quality": 100,' in node.backlog.next()[1]


@in_scratch
def test_reads_missed_before_the_outage_do_not_count():
    node = Node()
    node.backlog.online()
    node.run(10).miss(50).run(1)
    node.backlog.offline()
    node.run(61)
    assert b'"quality": 100,' in node.backlog.next()[1]


@in_scratch
def test_a_silent_meter_leaves_a_gap_and_no_zero():
    node = Node()
    node.run(60).miss(600).run(61)
    messages = node.drain()
    assert times(messages) == [65, 725]
    assert [value for name, value, _ in messages if name == "power"] == [100, 100]


@in_scratch
def test_each_channel_has_its_own_topic_and_sums():
    node = Node(suffixes=("", "_a"))
    for _ in range(61):
        node.clock.uptime_s += 1
        node.backlog.sample(0, Reading(300.0, 30), 1, 1)
        node.backlog.sample(1, Reading(100.0, 10), 1, 1)
    assert node.drain() == [("power", 300, 65), ("energy", 30, 65),
                            ("power_a", 100, 65), ("energy_a", 10, 65)]


# Where it begins and ends


@in_scratch
def test_online_nothing_is_recorded():
    node = Node()
    node.backlog.online()
    node.run(600)
    assert node.backlog.count == 0


@in_scratch
def test_an_outage_of_seconds_is_a_record_too():
    node = Node()
    node.backlog.online()
    node.run(100)
    node.backlog.offline()
    node.run(7, 50.0).run(3, 60.0)
    node.clock.uptime_s += 2
    node.backlog.online()
    assert node.drain() == [("power", 53, 115), ("energy", 1000, 115)]


@in_scratch
def test_no_record_is_of_a_second_with_live_values():
    # Live values may be of any second up to `offline` and from `online` on.
    for length in range(200):
        node = Node()
        node.backlog.online()
        node.run(1)
        node.backlog.offline()
        start_s = node.clock.unix() - NEW_YEAR_S
        node.backlog.sample(0, Reading(1.0, 1), 1, 1)  # still in that second
        node.run(length)
        node.backlog.online()
        end_s = node.clock.unix() - NEW_YEAR_S
        found = times(node.drain())
        assert all(start_s < time_s < end_s for time_s in found), (length, found)
        # Its readings: one a second, and the one in the second that it began with.
        begun = length % 60 + 1 >= FEWEST
        assert len(found) == length // 60 + begun, (length, found)


@in_scratch
def test_an_outage_of_a_few_seconds_leaves_no_record():
    # The live values that follow tell as much, and each start of a node would leave one.
    node = Node()
    node.run(FEWEST - 1)
    node.clock.uptime_s += 1
    node.backlog.online()
    assert (node.backlog.count, node.backlog.dropped) == (0, 0)


@in_scratch
def test_what_is_too_short_for_a_second_of_its_own_is_not_called_lost():
    node = Node()
    node.backlog.online()
    node.backlog.offline()
    node.run(1)
    node.backlog.online()
    assert (node.backlog.count, node.backlog.dropped) == (0, 0)


@in_scratch
def test_several_outages_follow_each_other():
    node = Node()
    for _ in range(4):
        node.backlog.online()
        node.run(30)
        node.backlog.offline()
        node.run(90)
    node.backlog.online()
    found = times(node.drain())
    assert len(found) == 8
    assert found == sorted(set(found))


@in_scratch
def test_a_clock_set_back_by_seconds_changes_the_times_only():
    node = Node()
    node.run(65)
    node.clock.offset_s -= 30
    node.run(65)
    found = times(node.drain())
    assert found == [65, 95]
    assert node.backlog.dropped == 0


@in_scratch
def test_times_never_go_backwards_even_if_the_clock_does():
    node = Node()
    node.run(301)
    node.clock.offset_s -= 200
    node.run(600)
    found = times(node.drain())
    assert found == sorted(set(found))
    assert len(found) + node.backlog.dropped == 15
    assert 3 <= node.backlog.dropped <= 4


@in_scratch
def test_nor_do_they_when_it_is_set_back_as_soon_as_it_is_known():
    node = Node(offset_s=None)
    node.run(301)
    node.clock.offset_s = NEW_YEAR_S
    node.run(1)
    node.clock.offset_s -= 200
    node.run(600)
    found = times(node.drain())
    assert len(found) > 10 and found == sorted(set(found))


# Times without a clock


@in_scratch
def test_without_the_time_nothing_is_sent_yet():
    node = Node(offset_s=None)
    node.run(300)
    assert node.backlog.next() is None
    assert node.backlog.count == 4


@in_scratch
def test_the_time_dates_what_was_measured_before():
    node = Node(offset_s=None)
    node.run(301)
    node.clock.offset_s = NEW_YEAR_S
    node.run(60)
    assert times(node.drain()) == [64, 124, 184, 244, 304, 365]


@in_scratch
def test_the_minute_in_which_the_time_comes_is_no_exception():
    for known_at in range(1, 180):
        node = Node(offset_s=None)
        node.run(known_at)
        node.clock.offset_s = NEW_YEAR_S
        node.run(181 - known_at)
        node.backlog.online()
        end_s = node.clock.unix() - NEW_YEAR_S
        found = times(node.drain())
        assert len(found) == 3 and found == sorted(set(found)), (known_at, found)
        assert found[-1] < end_s, (known_at, found)


@in_scratch
def test_what_was_sent_before_the_time_came_is_not_followed_by_its_own_second():
    # Live values of the second in which the time came have it; a record must be before.
    for length in range(2, 70):
        node = Node(offset_s=None)
        node.run(length)
        node.clock.offset_s = NEW_YEAR_S
        node.backlog.online()
        now_s = node.clock.unix() - NEW_YEAR_S
        assert all(time_s < now_s for time_s in times(node.drain())), length


@in_scratch
def test_a_later_correction_of_the_clock_leaves_the_dates_as_they_were():
    node = Node(offset_s=None)
    node.run(121)
    node.clock.offset_s = NEW_YEAR_S
    first = node.backlog.next()
    node.clock.offset_s += 7
    assert node.backlog.next() == first


@in_scratch
def test_records_of_a_boot_that_learned_the_time_are_dated_after_a_restart():
    node = Node(offset_s=None)
    node.run(3700)
    node.clock.offset_s = NEW_YEAR_S
    node.backlog.service()
    node.run(60)
    node.backlog.flush()
    later = Node(offset_s=None)  # it does not know the time and needs not
    found = times(later.drain())
    assert found[:2] == [64, 124]
    assert len(found) == 63 and found == sorted(set(found))


@in_scratch
def test_a_time_learned_just_before_the_flush_is_enough():
    node = Node(offset_s=None)
    node.run(130)
    node.clock.offset_s = NEW_YEAR_S
    node.backlog.flush()
    assert times(Node().drain()) == [64, 124, 134]


@in_scratch
def test_records_of_a_boot_that_never_learned_the_time_are_dropped_and_counted():
    node = Node(offset_s=None)
    node.run(1801)
    node.backlog.flush()
    later = Node()
    assert later.backlog.count == 30
    later.run(61)
    assert later.backlog.next() is None  # not all at once: it would take long
    assert later.backlog.dropped == 16
    assert later.backlog.next() is not None
    assert times(later.drain()) == [65]
    assert later.backlog.dropped == 30
    assert os.listdir(".") == []


# What is removed, and when


@in_scratch
def test_a_message_stays_until_it_is_done():
    node = Node()
    node.run(61)
    first = node.backlog.next()
    assert node.backlog.next() == first
    node.backlog.done()
    second = node.backlog.next()
    assert (first[0], second[0]) == (b"telemetry/power", b"telemetry/energy")
    assert node.backlog.next() == second
    assert node.backlog.count == 1
    node.backlog.done()
    assert node.backlog.count == 0


@in_scratch
def test_done_without_a_message_given_removes_nothing():
    node = Node()
    node.run(121)
    node.backlog.done()
    node.backlog.next()
    node.backlog.done()
    node.backlog.done()
    assert len(node.drain()) == 3


@in_scratch
def test_an_outage_between_the_two_messages_of_a_record_repeats_none():
    node = Node()
    node.run(61)
    node.backlog.online()
    node.backlog.next()
    node.backlog.done()
    node.backlog.offline()
    node.run(61)
    node.backlog.online()
    assert [message[0] for message in node.drain()] == ["energy", "power", "energy"]


@in_scratch
def test_a_planned_restart_loses_and_repeats_nothing_wherever_it_comes():
    messages = []
    node = Node()
    node.run(151)
    node.clock.uptime_s += 2
    uptime_s = node.clock.uptime_s
    for _ in range(50):
        node.backlog.online()
        if not node.backlog.next():
            break
        messages.append(parsed(*node.backlog.next()))
        node.backlog.done()
        node.backlog.flush()
        node = Node()
        node.clock.uptime_s = uptime_s
    assert [message[0] for message in messages] == ["power", "energy"] * 3
    assert times(messages) == [65, 125, 156]
    assert os.listdir(".") == ["backlog.state"]


@in_scratch
def test_a_crash_after_the_acknowledgement_repeats_that_message_only():
    node = Node()
    node.run(181)
    node.backlog.flush()
    all_of_them = Node().drain()
    assert len(all_of_them) == 6

    for sent in range(6):
        node = Node()
        node.run(181)
        node.backlog.flush()
        node = Node()
        found = []
        for _ in range(sent):
            found.append(parsed(*node.backlog.next()))
            node.backlog.done()
        node.backlog.next()
        assert found + Node().drain() == all_of_them


# Bounds


@in_scratch
def test_the_first_hour_stays_off_the_flash():
    node = Node()
    node.run(3600)
    assert os.listdir(".") == []
    assert node.backlog.count == 59
    node.run(1)
    assert os.listdir(".") == ["backlog.0"]
    assert os.stat("backlog.0")[6] == 960
    assert node.backlog.count == 60


@in_scratch
def test_a_tick_touches_no_file():
    node = Node()
    with Patched(storage, os=Refusing, open=refuse):
        node.run(3 * 3600, serve=False)
    assert node.lines == []
    assert node.backlog.count == 60
    assert node.backlog.dropped == 119


@in_scratch
def test_a_day_is_kept_and_what_is_older_goes_and_is_counted():
    with Patched(backlog, MINUTES=4):
        node = Node()
        node.run((4 * FILES + 4) * 60 + 1)
        assert node.backlog.count == 4 * FILES
        assert node.backlog.dropped == 4
        node.run(180)
        assert node.backlog.count == 4 * FILES + 3
        found = times(node.drain())
    assert found == [65 + 60 * minute for minute in range(4, 4 * FILES + 7)]


@in_scratch
def test_a_full_file_system_leaves_the_newest_hour_in_ram():
    node = Node()
    with Patched(storage, open=refuse):
        node.run(3 * 3600 + 1)
    assert node.backlog.count == 60
    assert node.backlog.dropped == 120
    assert node.lines == ["backlog: flash: %s" % OSError(28)]
    found = times(node.drain())
    assert found == [65 + 60 * minute for minute in range(120, 180)]


@in_scratch
def test_flash_that_refused_is_asked_again_an_hour_later():
    asked = []

    def count(*_):
        asked.append(1)
        raise OSError(28)

    node = Node()
    with Patched(storage, open=count):
        node.run(4 * 3600)
    assert len(asked) == 3
    node.run(3600)
    assert os.listdir(".") == ["backlog.0"]


@in_scratch
def test_a_message_whose_record_was_dropped_meanwhile_removes_no_other():
    node = Node()
    with Patched(storage, open=refuse):
        node.run(3601)
        node.backlog.next()
        node.run(60)  # RAM is full and flash refuses: the first minute is gone
        node.backlog.done()
        found = node.drain()
    assert found[0] == ("power", 100, 125)
    assert len(found) == 120


@in_scratch
def test_what_is_dropped_behind_the_front_does_not_have_the_front_sent_again():
    node = Node()
    node.run(3601)  # an hour in flash, which is the front
    with Patched(storage, open=refuse):
        node.run(3600)
        node.backlog.next()
        node.backlog.done()
        node.backlog.next()
        node.run(60)  # a minute in RAM goes
        assert parsed(*node.backlog.next())[0] == "energy"
        node.backlog.done()
        assert parsed(*node.backlog.next()) == ("power", 100, 125)
    assert node.backlog.dropped == 1


@in_scratch
def test_energy_owed_for_a_dropped_record_is_not_sent_in_place_of_power():
    node = Node()
    with Patched(storage, open=refuse):
        node.run(3601)
        node.backlog.next()
        node.backlog.done()
        node.run(60)
        assert parsed(*node.backlog.next())[0] == "power"


@in_scratch
def test_records_that_cannot_be_are_dropped():
    good = pack("<IIiHBB", NEW_YEAR_S, 5, 1000, 0, 0, 100)
    for bad in (pack("<IIiHBB", NEW_YEAR_S, 5, 1000, 0, 1, 100),
                pack("<IIiHBB", NEW_YEAR_S, 5, 1000, 0, 0, 101),
                pack("<IIiHBB", 3500000000, 5, 1000, 0, 0, 100), b"\0" * 16, b"\xff" * 16):
        storage.remove("backlog.state")
        write("backlog.0", bad + good)
        node = Node()
        assert node.drain() == [("power", 100, 0), ("energy", 5, 0)], bad
        assert node.backlog.dropped == 1
