"""Counting energy: totals that never fall or jump, and lose nothing a good meter counted."""

from time import ticks_add

from firmware.meter.energy import DWMS_PER_WH, Channel, EnergyTotal
from firmware.meter.reading import Reading

MAX_POWER_W = 26000
PERIOD = ticks_add(0, -1) + 1  # 2**30 on the chips


def counted(*registers, saved=None, period_ms=1000):
    """A total that took these registers, one a second; saved: (total, register) before that."""
    total = EnergyTotal(MAX_POWER_W)
    if saved:
        total.total_wh, total.register_wh = saved
    for i, register_wh in enumerate(registers):
        total.update(i * period_ms, register_wh)
    return total


def test_nothing_is_known_before_the_meter_spoke():
    total = EnergyTotal(MAX_POWER_W)
    assert total.total_wh is None
    assert total.register_wh is None


def test_the_first_value_is_the_base_once_a_second_one_confirms_it():
    total = EnergyTotal(MAX_POWER_W)
    assert total.update(0, 38) is None
    assert total.update(1000, 38) == 38
    assert total.drops == 0


def test_a_bad_first_value_adds_nothing():
    total = counted(5000000, 38, 38, 39)
    assert total.total_wh == 39
    assert total.drops == 1


def test_the_total_follows_the_register():
    total = EnergyTotal(MAX_POWER_W)
    total.update(0, 100)
    for second in range(1, 3600):
        assert total.update(1000 * second, 100 + second // 2) == 100 + second // 2
    assert total.drops == 0


def test_a_reset_of_the_meter_keeps_the_total():
    total = counted(5000, 5000, 0, 0)
    assert total.total_wh == 5000
    assert total.update(4000, 1) == 5001


def test_a_replaced_meter_with_less_on_it_keeps_the_total():
    total = counted(5000, 5000, 1200, 1200, 1201)
    assert total.total_wh == 5001


def test_a_replaced_meter_with_more_on_it_keeps_the_total():
    total = counted(5000, 5000, 800000, 800000, 800001)
    assert total.total_wh == 5001


def test_the_register_running_over_its_top_is_a_reset():
    total = counted(9999989, 9999990, 0, 1)
    assert total.total_wh == 9999991


def test_a_single_high_value_is_dropped_and_counted():
    total = counted(100, 100, 70000, 100, 101)
    assert total.total_wh == 101
    assert total.drops == 1


def test_a_single_low_value_is_dropped_and_counted():
    total = counted(100, 100, 0, 100, 101)
    assert total.total_wh == 101
    assert total.drops == 1


def test_two_bad_values_that_do_not_agree_are_not_believed():
    total = counted(100, 100, 70000, 350, 100)
    assert total.total_wh == 100
    assert total.drops == 2


def test_while_a_value_waits_the_total_stands():
    total = counted(100, 100, 70000)
    assert total.total_wh == 100
    assert total.register_wh == 100


def test_a_bad_value_forgotten_by_a_good_one_cannot_be_confirmed_later():
    total = counted(100, 100, 70000, 100, 70000, 100)
    assert total.total_wh == 100
    assert total.drops == 2


def test_the_highest_possible_rise_is_taken_and_one_more_is_not():
    # 26 kW x 60 s x 1.2 = 520 Wh, and 10 Wh for the step of the register.
    assert counted(0, 0, 530, period_ms=60000).total_wh == 530
    assert counted(0, 0, 531, period_ms=60000).total_wh == 0


def test_registers_with_coarse_steps_lose_nothing():
    # Believed with 1 Wh of room only, each step was taken for a new meter, and lost.
    for start_wh, step_wh in ((500, 10), (16777216, 2), (131072000, 16), (500000000, 31),
                              (1048576000, 125)):
        total = EnergyTotal(2000)
        register_wh = start_wh
        for i in range(40):
            register_wh += step_wh * (i % 4 == 3)
            total.update(200 * i, register_wh)
        assert total.total_wh == start_wh + 10 * step_wh, step_wh
        assert total.drops == 0


def test_a_rise_over_a_gap_is_measured_against_the_whole_gap():
    total = counted(100, 100)
    assert total.update(1000 + 3600 * 1000, 100 + 20000) == 20100
    assert total.drops == 0


def test_the_gap_counts_from_the_last_believed_value():
    total = counted(100, 100, 70000)
    assert total.update(1000 + 60 * 1000, 100 + 500) == 600


def test_a_wrap_of_the_ticks_changes_nothing():
    total = EnergyTotal(MAX_POWER_W)
    total.update(PERIOD - 2000, 100)
    total.update(PERIOD - 500, 101)
    assert total.update(500, 102) == 102
    assert total.drops == 0


def test_a_gap_of_a_week_is_not_taken_for_a_short_one():
    total = counted(100, 100)
    now_ms = 1000 + 7 * 86400 * 1000
    assert total.update(now_ms % PERIOD, 100 + 60000) == 60100


def test_a_week_without_a_rise_is_no_fault():
    total = counted(100, 100)
    assert total.update((1000 + 7 * 86400 * 1000) % PERIOD, 100) == 100
    assert total.drops == 0


def test_a_suspect_value_must_be_continued_within_the_time_since_it_came():
    total = EnergyTotal(MAX_POWER_W)
    ten_hours_ms = 10 * 3600 * 1000
    total.update(ten_hours_ms, 100)
    assert total.update(ten_hours_ms + 1000, 5000) is None
    assert total.update(ten_hours_ms + 2000, 5000) == 5000


def test_a_restored_total_is_not_told_before_the_meter_is_believed():
    # It was: then the total fell after a power cut, by what the meter counted since the last save.
    total = counted(saved=(3500, 500))
    assert total.update(0, 510) is None
    assert total.total_wh == 3500
    assert total.update(1000, 510) == 3510


def test_what_the_meter_counted_while_the_node_was_off_is_added():
    assert counted(25500, 25500, saved=(3500, 500)).total_wh == 28500


def test_a_bad_first_value_after_a_restart_adds_nothing():
    total = counted(5000000, 501, 501, saved=(3500, 500))
    assert total.total_wh == 3501
    assert total.drops == 1


def test_a_meter_replaced_while_the_node_was_off_keeps_the_total():
    total = counted(20, 20, 21, saved=(3500, 500))
    assert total.total_wh == 3501
    assert total.drops == 0


def test_a_meter_with_a_register_goes_on_with_the_total_of_one_without():
    assert counted(800000, 800000, 800001, saved=(3500, None)).total_wh == 3501


def test_a_total_below_the_register_is_kept_as_well():
    before = counted(5000, 5000, 800000, 800000)
    assert (before.total_wh, before.register_wh) == (5000, 800000)
    assert counted(800002, 800002, saved=(5000, 800000)).total_wh == 5002


def test_everything_is_an_int():
    total = counted(5000, 5000, 0, 0)
    for value in (total.total_wh, total.rest_dwms, total.register_wh, total.drops):
        assert isinstance(value, int)


def test_a_total_that_is_set_goes_on_with_the_register():
    total = counted(5000, 5000)
    total.set(70)
    assert total.update(2000, 5001) == 71


def test_a_total_set_before_the_meter_spoke_has_all_that_the_meter_counted_until_then():
    total = EnergyTotal(MAX_POWER_W)
    total.total_wh, total.register_wh = 3500, 500
    total.set(9000)
    total.update(0, 700)
    assert total.update(1000, 700) == 9000
    assert total.update(2000, 701) == 9001


def test_the_total_never_falls_whatever_the_register_does():
    total = EnergyTotal(MAX_POWER_W)
    seed = 1
    highest = 0
    for second in range(3000):
        seed = (seed * 1103515245 + 12345) % 2**31
        register_wh = (0, 5, 6, 7, 9999990, 2**32 - 1, seed)[(seed >> 16) % 7]
        now = total.update(1000 * second, register_wh)
        if now is not None:
            assert now >= highest, second
            # The limit on each rise bounds the whole: 9 Wh a second at 26 kW, and a step.
            assert now <= 2**32 + 20 * second, second
            highest = now
    assert total.drops > 1000


def test_a_hundred_mwh_do_not_hide_a_watt_hour():
    total = EnergyTotal(MAX_POWER_W)
    total.set(100000000)
    for _ in range(3600):
        total.add(1000 * 1000)  # 100 W for a second
    assert (total.total_wh, total.rest_dwms) == (100000100, 0)


def channel(signed=False, max_power_w=4000, period_ms=1000):
    return Channel(max_power_w, period_ms, signed)


def take(channel, now_ms, power_w=None, counted_dwms=None, register_wh=None, export_wh=None):
    reading = Reading()
    reading.active_power_w = power_w
    reading.counted_dwms = counted_dwms
    reading.register_wh = register_wh
    reading.register_export_wh = export_wh
    channel.take(now_ms % PERIOD, reading)
    return reading


def imported(channel):
    return channel.imported.total_wh, channel.imported.rest_dwms


def exported(channel):
    return channel.exported.total_wh, channel.exported.rest_dwms


def test_registers_of_import_and_export_are_totals_of_their_own():
    c = channel()
    take(c, 0, register_wh=500, export_wh=70)
    reading = take(c, 1000, register_wh=501, export_wh=70)
    assert (reading.energy_wh, reading.export_wh) == (501, 70)


def test_a_meter_without_an_export_register_has_no_export():
    c = channel()
    take(c, 0, register_wh=500)
    assert take(c, 1000, register_wh=500).export_wh is None


def test_the_first_counted_energy_is_only_the_base():
    c = channel()
    reading = take(c, 0, 1000, DWMS_PER_WH)
    assert (reading.energy_wh, reading.export_wh) == (0, None)
    assert imported(c) == (0, 0)
    assert c.drops == 0


def test_counted_energy_is_added_to_the_last_dw_ms():
    c = channel()
    take(c, 0, 0, 0)
    for second in range(1, 4):
        take(c, 1000 * second, 0, 12345678)
    assert imported(c) == (1, 3 * 12345678 - DWMS_PER_WH)


def test_the_power_does_not_matter_where_the_chip_counts():
    c = channel()
    take(c, 0, 3000, 0)
    take(c, 1000, 3000, 5)
    take(c, 2000, None, 5)
    assert imported(c) == (0, 10)


def test_negative_energy_is_export():
    c = channel(signed=True)
    assert take(c, 0, 0, 0).export_wh == 0
    take(c, 1000, -2000, -20000000)
    reading = take(c, 2000, -2000, -20000000)
    assert (reading.energy_wh, reading.export_wh) == (0, 1)
    assert exported(c) == (1, 4000000)
    assert imported(c) == (0, 0)


def test_a_chip_that_is_not_signed_cannot_count_back():
    c = channel()
    take(c, 0, 0, 0)
    take(c, 1000, 0, 500)
    take(c, 2000, 0, -1)
    assert imported(c) == (0, 500)
    assert c.drops == 1


def test_more_than_the_chip_can_measure_is_dropped_and_counted():
    most = 4000 * 12 * 1000 + DWMS_PER_WH  # of a second
    for signed in (False, True):
        c = channel(signed)
        take(c, 0, 0, 0)
        take(c, 1000, 0, most + 1)
        assert imported(c) == (0, 0)
        assert c.drops == 1
        take(c, 2000, 0, most)
        assert imported(c) == divmod(most, DWMS_PER_WH)
    take(c, 3000, 0, -most - 1)
    assert exported(c) == (0, 0)
    assert c.drops == 2
    take(c, 4000, 0, -most)
    assert exported(c) == divmod(most, DWMS_PER_WH)


def test_a_chip_that_counted_through_a_gap_loses_nothing():
    c = channel()
    take(c, 0, 0, 0)
    take(c, 600 * 1000, 3000, 3000 * 10 * 600 * 1000)
    assert imported(c) == (500, 0)


def test_power_is_integrated_by_the_trapezoidal_rule():
    c = channel()
    take(c, 0, 100.0)
    take(c, 1000, 100.0)
    assert imported(c) == (0, 1000 * 1000)
    take(c, 1200, 300.5)
    assert imported(c) == (0, 1000 * 1000 + 4005 * 200 // 2)


def test_power_below_the_tenth_of_a_watt_counts():
    c = channel()
    for second in range(1001):
        take(c, 1000 * second, 0.04)
    assert imported(c) == (0, 400 * 1000)


def test_a_gap_is_not_integrated():
    c = channel(period_ms=1000)
    take(c, 0, 3600.0)
    take(c, 3400, 3600.0)  # two samples were missed
    assert imported(c) == (3, 3600 * 10 * 400)
    take(c, 7400, 3600.0)  # three
    assert imported(c) == (3, 3600 * 10 * 400)
    take(c, 8400, 3600.0)
    assert imported(c) == (4, 3600 * 10 * 400)


def test_unknown_power_is_not_integrated():
    c = channel()
    take(c, 0, 3600.0)
    take(c, 1000, None)
    take(c, 2000, 3600.0)
    assert imported(c) == (0, 0)
    take(c, 3000, 3600.0)
    assert imported(c) == (1, 0)


def test_impossible_power_is_not_integrated():
    c = channel()
    take(c, 0, -1.0)
    take(c, 1000, -1.0)
    take(c, 2000, 90000.0)
    assert imported(c) == (0, 0)
    assert c.drops == 2


def test_counting_goes_on_over_the_wrap_of_the_ticks():
    for counted_dwms in (None, 36000000):
        c = channel()
        take(c, PERIOD - 1500, 3600.0, counted_dwms and 0)
        take(c, PERIOD - 500, 3600.0, counted_dwms)
        take(c, PERIOD + 500, 3600.0, counted_dwms)
        assert imported(c) == (2, 0)


def test_a_gap_of_more_than_half_the_ticks_is_not_taken_for_a_short_one():
    for counted_dwms in (None, 36000000):
        c = channel()
        gap_ms = PERIOD // 5 * 3  # a week on the chips
        take(c, 0, 3600.0, counted_dwms and 0)
        take(c, gap_ms, 3600.0, counted_dwms)
        assert imported(c) == (0, 0)
        take(c, gap_ms + 1000, 3600.0, counted_dwms)
        assert imported(c) == (1, 0)
