"""Energy by days and over restarts: what is kept, when it is written, what a broken file does."""

import os
from time import ticks_add

from firmware import storage
from firmware.meter.energy import DWMS_PER_WH
from firmware.meter.energy_store import PATH, Energy
from firmware.meter.reading import Reading
from host_tests.unit.fakes import (
    BEFORE_WRAP,
    NEW_YEAR_S,
    Clock,
    Log,
    Patched,
    in_scratch,
    raised,
    write,
)

DAY_S = 86400
PERIOD = ticks_add(0, -1) + 1  # 2**30 on the chips


class Bench:
    """A node's energy, its clock, its meter, and restarts in the current folder."""

    def __init__(self, channels=1, unix_s=NEW_YEAR_S, signed=False, utc_offset_min=0):
        self.channels = channels
        self.signed = signed
        self.utc_offset_min = utc_offset_min
        self.clock = Clock(unix_s)
        self.log = Log()
        self.writes = 0
        self.refuse = False
        self.boot()

    def boot(self):
        self.now_ms = BEFORE_WRAP
        self.readings = [Reading() for _ in range(self.channels)]
        self.energy = Energy(self.channels, 4000, self.clock, self.log, 1000,
                             self.utc_offset_min, self.signed)
        return self

    def sample(self, registers=None, counted=None, exports=None, after_ms=1000):
        """One sample a second later; a list has one value per channel."""
        self.now_ms = ticks_add(self.now_ms, after_ms)
        for i, reading in enumerate(self.readings):
            reading.register_wh = registers[i] if registers else None
            reading.register_export_wh = exports[i] if exports else None
            reading.counted_dwms = counted[i] if counted else None
        self.energy.update(self.now_ms, self.readings)
        return self.readings[0]

    def base(self, *registers):
        """Registers that are believed at once."""
        self.sample(registers)
        return self.sample(registers)

    def count(self, wh, after_ms=None):
        """Energy from the pulse counter of channel 0, in as long as it takes at 3.6 kW."""
        return self.sample(counted=[wh * DWMS_PER_WH] + [0] * (self.channels - 1),
                           after_ms=abs(wh) * 1000 if after_ms is None else after_ms)

    def service(self, after_ms=0):
        """Whether the foreground wrote."""
        self.now_ms = ticks_add(self.now_ms, after_ms)
        before = self.writes
        with Patched(storage, replace=self._replace):
            self.energy.service(self.now_ms)
        return self.writes > before

    def flush(self):
        with Patched(storage, replace=self._replace):
            return self.energy.flush()

    def _replace(self, path, data, replace=storage.replace):
        self.writes += 1
        if self.refuse:
            raise OSError(28)
        replace(path, data)


def days(reading):
    return reading.today_wh, reading.yesterday_wh


# Kept over restarts


@in_scratch
def test_all_is_kept_to_the_last_dw_ms():
    bench = Bench(signed=True)
    bench.sample(counted=[0])
    bench.count(5)
    bench.sample(counted=[35999999])
    bench.sample(counted=[-DWMS_PER_WH - 7])
    assert bench.flush()
    channel = bench.boot().energy.channels[0]
    assert (channel.imported.total_wh, channel.imported.rest_dwms) == (5, 35999999)
    assert (channel.exported.total_wh, channel.exported.rest_dwms) == (1, 7)
    reading = bench.sample(counted=[0])
    assert (reading.energy_wh, reading.export_wh) == (5, 1)


@in_scratch
def test_each_of_three_channels_is_kept():
    bench = Bench(channels=3)
    bench.base(100, 200, 300)
    bench.base(5, 201, 300)  # the first was replaced
    bench.flush()
    bench.boot()
    assert bench.energy.channels[0].imported.total_wh == 100
    bench.base(6, 202, 300)
    assert [reading.energy_wh for reading in bench.readings] == [101, 202, 300]


@in_scratch
def test_the_file_is_small_enough_to_be_inline_in_littlefs():
    bench = Bench(channels=3)
    bench.base(100, 200, 300)
    bench.flush()
    assert os.stat(PATH)[6] == 104


@in_scratch
def test_a_channel_that_failed_keeps_its_total_and_stops_no_other():
    bench = Bench(channels=2)
    bench.base(100, 200)
    bench.now_ms = ticks_add(bench.now_ms, 1000)
    bench.readings[1].register_wh = 201
    bench.energy.update(bench.now_ms, (None, bench.readings[1]))
    assert bench.readings[1].energy_wh == 201
    bench.flush()
    assert bench.boot().energy.channels[0].imported.total_wh == 100


@in_scratch
def test_energy_that_the_meter_counted_while_the_node_was_off_counts():
    bench = Bench()
    bench.base(100)
    bench.flush()
    assert bench.boot().base(5000).energy_wh == 5000


@in_scratch
def test_largest_values_are_kept():
    bench = Bench()
    bench.base(0xFFFFFFFE)
    bench.energy.set_total(0, 4000000000)
    channel = bench.boot().energy.channels[0]
    assert channel.imported.total_wh == 4000000000
    assert channel.imported.register_wh == 0xFFFFFFFE


@in_scratch
def test_a_file_of_fewer_channels_gives_what_it_has():
    bench = Bench()
    bench.base(100)
    bench.flush()
    bench = Bench(channels=3)
    assert [channel.imported.total_wh for channel in bench.energy.channels] == [100, None, None]


# When it is written


@in_scratch
def test_nothing_is_written_before_a_watt_hour_has_come_together():
    bench = Bench()
    bench.sample(counted=[0])
    bench.service()
    bench.service(45000)  # the day is new
    bench.sample(counted=[DWMS_PER_WH // 2])
    bench.service(45000)
    writes = bench.writes
    for _ in range(4):
        bench.sample(counted=[DWMS_PER_WH // 10])
        assert not bench.service(45000)
    bench.sample(counted=[DWMS_PER_WH // 10])
    assert bench.service(45000)
    assert bench.writes == writes + 1


@in_scratch
def test_a_watt_hour_is_measured_from_what_was_saved_not_from_the_whole_ones():
    bench = Bench()
    bench.sample(counted=[0])
    bench.sample(counted=[DWMS_PER_WH - 1])
    bench.flush()
    bench.service()
    bench.sample(counted=[1])
    assert bench.energy.channels[0].imported.total_wh == 1
    assert not bench.service(60000)


@in_scratch
def test_a_small_load_is_saved_within_a_minute():
    bench = Bench()
    bench.sample(counted=[0])
    bench.flush()
    bench.service()
    bench.count(1)
    assert not bench.service(40000)
    assert bench.service(5000)
    assert not bench.service(60000)


@in_scratch
def test_a_large_load_is_saved_before_ten_watt_hours():
    bench = Bench()
    bench.sample(counted=[0])
    bench.flush()
    bench.service()
    bench.count(6)
    assert not bench.service(250)
    bench.count(1)
    assert bench.service(250)
    bench.count(6)
    assert not bench.service(250)


@in_scratch
def test_what_is_safe_in_a_register_waits_for_the_minute():
    bench = Bench()
    bench.base(100)
    bench.flush()
    bench.service()
    bench.sample([140], after_ms=40000)
    assert not bench.service()
    assert bench.service(5000)


@in_scratch
def test_a_new_base_of_the_register_does_not_wait():
    # Cut now, the register of the replaced meter would count as energy drawn while off.
    bench = Bench()
    bench.base(100)
    bench.flush()
    bench.service()
    bench.base(800000)
    assert bench.service(250)
    assert bench.boot().base(800001).energy_wh == 101


@in_scratch
def test_a_new_day_does_not_wait():
    bench = Bench()
    bench.base(100)
    bench.flush()
    bench.service()
    bench.clock.unix_s += DAY_S
    bench.sample([100])
    assert bench.service(250)
    assert not bench.service(60000)


@in_scratch
def test_nothing_is_written_while_the_meter_is_silent():
    bench = Bench()
    for _ in range(5):
        assert not bench.service(60000)
    assert bench.flush()
    assert bench.writes == 0


@in_scratch
def test_a_refusal_is_logged_once_and_tried_again_after_the_minute():
    bench = Bench()
    bench.sample(counted=[0])
    bench.flush()
    bench.refuse = True
    bench.service()
    bench.count(9)
    assert bench.service(250)
    for _ in range(10):
        assert not bench.service(250)
    assert bench.service(45000)
    assert not bench.flush()
    assert len(bench.log.lines) == 1
    bench.refuse = False
    assert bench.service(45000)
    assert bench.boot().energy.channels[0].imported.total_wh == 9


@in_scratch
def test_idle_for_a_week_and_then_a_load():
    bench = Bench()
    bench.sample(counted=[0])
    bench.flush()
    for _ in range(7 * 24):
        bench.sample(counted=[0], after_ms=3600000)
        assert not bench.service()
    bench.count(1)
    assert bench.service(45000)


@in_scratch
def test_silent_for_more_than_half_the_ticks_and_then_a_load():
    bench = Bench()
    bench.sample(counted=[0])
    bench.flush()
    bench.service()
    for _ in range(5):
        bench.service(PERIOD // 8)
    bench.sample(counted=[0])
    bench.count(1)
    assert bench.service(45000)


# A broken file


@in_scratch
def test_a_broken_file_is_told_kept_aside_and_costs_the_totals_only():
    bench = Bench()
    bench.base(100)
    bench.energy.set_total(0, 7000)
    good = storage.read(PATH)
    for at in range(len(good)):
        broken = bytearray(good)
        broken[at] ^= 4
        write(PATH, broken)
        bench.log.lines.clear()
        bench.boot()
        assert bench.energy.broken == 1, at
        assert bench.log.has("energy: saved totals are lost"), at
        assert bench.energy.channels[0].imported.total_wh is None, at
        assert storage.read(PATH + ".bad") == broken, at
        assert storage.read(PATH) is None, at
    assert bench.base(100).energy_wh == 100


@in_scratch
def test_a_file_of_any_other_size_is_broken():
    bench = Bench()
    bench.base(100)
    bench.flush()
    good = storage.read(PATH)
    for size in list(range(len(good))) + [len(good) + 1, 128, 129, 500]:
        write(PATH, (good + bytes(500))[:size])
        assert bench.boot().energy.broken == 1, size


@in_scratch
def test_no_file_is_no_fault():
    bench = Bench()
    assert bench.energy.broken == 0
    assert bench.log.lines == []


# Setting a total


@in_scratch
def test_a_total_that_was_set_goes_on_and_leaves_the_days_alone():
    bench = Bench()
    bench.base(100)
    bench.clock.unix_s += DAY_S
    bench.sample([105], after_ms=9000)
    bench.sample([106])
    for total_wh in (50000, 0):
        assert bench.energy.set_total(0, total_wh)
        reading = bench.sample([106])
        assert (reading.energy_wh, days(reading)) == (total_wh, (6, 0))
    bench.clock.unix_s += DAY_S
    assert days(bench.sample([107])) == (1, 6)
    bench.boot()
    assert bench.base(108).energy_wh == 2


@in_scratch
def test_a_total_that_was_set_before_the_time_was_known_is_not_of_today():
    bench = Bench(unix_s=None)
    bench.base(100)
    bench.sample([102])
    bench.energy.set_total(0, 50000)
    bench.clock.unix_s = NEW_YEAR_S
    assert days(bench.sample([103])) == (3, None)


@in_scratch
def test_a_total_that_was_set_is_saved_at_once():
    bench = Bench(channels=2)
    bench.base(100, 200)
    bench.energy.set_total(1, 5)
    bench.boot().base(100, 201)
    assert [reading.energy_wh for reading in bench.readings] == [100, 6]


@in_scratch
def test_a_total_can_be_set_before_the_meter_has_ever_spoken():
    bench = Bench()
    bench.energy.set_total(0, 777)
    reading = bench.base(100)
    assert (reading.energy_wh, days(reading)) == (777, (0, None))
    assert bench.sample([101]).energy_wh == 778


@in_scratch
def test_a_total_set_without_room_in_flash_counts_and_is_saved_later():
    bench = Bench()
    bench.base(100)
    bench.service()
    bench.refuse = True
    with Patched(storage, replace=bench._replace):
        assert not bench.energy.set_total(0, 7000)
    bench.refuse = False
    assert bench.service(45000)
    assert bench.boot().energy.channels[0].imported.total_wh == 7000


@in_scratch
def test_only_a_channel_and_a_total_that_can_be_are_taken():
    bench = Bench()
    bench.base(100)
    for channel, total_wh in ((1, 5), (-1, 5), (None, 5), (True, 5), (0, -1), (0, 4000000001),
                              (0, 5.0), (0, "5"), (0, None), (0, True)):
        assert raised(ValueError, bench.energy.set_total, channel, total_wh), (channel, total_wh)
    assert bench.sample([100]).energy_wh == 100


# Days


@in_scratch
def test_days_are_unknown_until_the_time_is():
    bench = Bench(unix_s=None)
    assert days(bench.base(100)) == (None, None)
    assert days(bench.sample([101])) == (None, None)


@in_scratch
def test_what_was_counted_before_the_time_was_known_belongs_to_today():
    bench = Bench(unix_s=None)
    bench.base(100)
    bench.sample([101])
    bench.clock.unix_s = NEW_YEAR_S
    assert days(bench.sample([102])) == (2, None)


@in_scratch
def test_midnight_is_that_of_local_time():
    for offset_min, midnight_s in ((0, DAY_S), (60, DAY_S - 3600), (-210, DAY_S + 12600),
                                   (840, DAY_S - 50400), (-720, DAY_S + 43200)):
        storage.remove(PATH)
        bench = Bench(unix_s=NEW_YEAR_S + midnight_s - 1, utc_offset_min=offset_min)
        bench.base(100)
        assert days(bench.sample([103], after_ms=9000)) == (3, None), offset_min
        bench.clock.unix_s += 1
        assert days(bench.sample([104])) == (1, 3), offset_min


@in_scratch
def test_a_day_changes_once():
    bench = Bench(unix_s=NEW_YEAR_S - 2)
    bench.base(100)
    found = []
    for second in range(4):
        bench.clock.unix_s += 1
        found.append(days(bench.sample([101 + second])))
    assert found == [(1, None), (1, 1), (2, 1), (3, 1)]


@in_scratch
def test_a_clock_set_back_over_midnight_makes_no_second_yesterday():
    bench = Bench(unix_s=NEW_YEAR_S - 1)
    bench.base(100)
    bench.sample([105], after_ms=9000)
    bench.clock.unix_s = NEW_YEAR_S
    assert days(bench.sample([106])) == (1, 5)
    bench.clock.unix_s = NEW_YEAR_S - 1
    assert days(bench.sample([107])) == (2, 5)
    bench.clock.unix_s = NEW_YEAR_S
    assert days(bench.sample([108])) == (3, 5)
    bench.clock.unix_s = NEW_YEAR_S + DAY_S
    assert days(bench.sample([109])) == (1, 3)


@in_scratch
def test_a_clock_that_was_years_ahead_does_not_stop_the_days():
    bench = Bench(unix_s=NEW_YEAR_S + 9000 * DAY_S)
    bench.base(100)
    bench.sample([101])
    bench.clock.unix_s = NEW_YEAR_S
    assert days(bench.sample([102])) == (1, None)
    bench.clock.unix_s = NEW_YEAR_S + DAY_S
    assert days(bench.sample([103])) == (1, 1)


@in_scratch
def test_a_restart_on_the_same_day_goes_on_with_it():
    bench = Bench()
    bench.base(100)
    bench.clock.unix_s += DAY_S
    bench.sample([103], after_ms=9000)
    bench.flush()
    bench.clock.unix_s = None
    assert days(bench.boot().base(110)) == (None, None)
    bench.clock.unix_s = NEW_YEAR_S + DAY_S + 3600
    assert days(bench.sample([111])) == (11, 0)


@in_scratch
def test_off_over_midnight_what_the_meter_counted_belongs_to_the_new_day():
    bench = Bench()
    bench.base(100)
    bench.sample([103], after_ms=9000)
    bench.flush()
    bench.clock.unix_s = None
    bench.boot().base(110)
    bench.sample([111])
    bench.clock.unix_s = NEW_YEAR_S + DAY_S
    assert days(bench.sample([112])) == (9, 3)


@in_scratch
def test_after_days_without_power_yesterday_is_unknown():
    bench = Bench()
    bench.base(100)
    bench.sample([103], after_ms=9000)
    bench.flush()
    bench.clock.unix_s += 2 * DAY_S
    assert days(bench.boot().base(104)) == (1, None)


@in_scratch
def test_a_start_that_never_knew_the_time_does_not_lose_the_saved_day():
    bench = Bench()
    bench.base(100)
    bench.sample([103], after_ms=9000)
    bench.flush()
    bench.clock.unix_s = None
    bench.boot().base(104)
    bench.flush()
    bench.clock.unix_s = NEW_YEAR_S + DAY_S
    assert days(bench.boot().base(105)) == (1, 4)


@in_scratch
def test_a_channel_that_speaks_late_begins_its_day_then():
    bench = Bench(channels=2)
    readings = bench.readings
    readings[0].register_wh = readings[1].register_wh = 100
    for now_ms in (0, 1000):
        bench.energy.update(now_ms, (readings[0], None))
    bench.clock.unix_s += DAY_S
    for now_ms in (2000, 3000):
        bench.energy.update(now_ms, readings)
    assert days(readings[0]) == (0, 0)
    assert days(readings[1]) == (0, None)
