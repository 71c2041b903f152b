"""The energy total: never falls, never jumps, loses nothing a good meter counted."""

from time import ticks_add

from firmware.meter.energy import EnergyTotal

MAX_POWER_W = 26000
PERIOD = ticks_add(0, -1) + 1  # 2**30 on the chips


def counted(*registers, state=None, period_ms=1000):
    """A total that took these registers, one a second."""
    total = EnergyTotal(MAX_POWER_W)
    total.restore(state)
    for i, register_wh in enumerate(registers):
        total.update(i * period_ms, register_wh)
    return total


def test_nothing_is_known_before_the_meter_spoke():
    total = EnergyTotal(MAX_POWER_W)
    assert total.total_wh is None
    assert total.state() is None


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
    assert total.state() == (0, 100)


def test_a_bad_value_forgotten_by_a_good_one_cannot_be_confirmed_later():
    total = counted(100, 100, 70000, 100, 70000, 100)
    assert total.total_wh == 100
    assert total.drops == 2


def test_the_highest_possible_rise_is_taken_and_one_more_is_not():
    # 26 kW x 60 s x 1.2 = 520 Wh, and 1 Wh for the step of the register.
    assert counted(0, 0, 521, period_ms=60000).total_wh == 521
    assert counted(0, 0, 522, period_ms=60000).total_wh == 0


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


def test_a_restored_total_is_known_at_once():
    total = counted(state=(3000, 500))
    assert total.total_wh == 3500
    assert total.state() == (3000, 500)


def test_what_the_meter_counted_while_the_node_was_off_is_added():
    assert counted(25500, 25500, state=(3000, 500)).total_wh == 28500


def test_a_bad_first_value_after_a_restart_adds_nothing():
    total = counted(5000000, 501, 501, state=(3000, 500))
    assert total.total_wh == 3501
    assert total.drops == 1


def test_a_meter_replaced_while_the_node_was_off_keeps_the_total():
    total = counted(20, 20, 21, state=(3000, 500))
    assert total.total_wh == 3501
    assert total.drops == 0


def test_state_and_restore_are_inverse_also_with_a_negative_offset():
    before = counted(5000, 5000, 800000, 800000)
    assert before.state() == (-795000, 800000)
    after = counted(800002, 800002, state=before.state())
    assert after.total_wh == 5002


def test_everything_is_an_int():
    total = counted(5000, 5000, 0, 0)
    for value in total.state() + (total.total_wh, total.drops):
        assert isinstance(value, int)


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
            # The limit on each rise bounds the whole: 9 Wh a second at 26 kW.
            assert now <= 2**32 + 9 * second, second
            highest = now
    assert total.drops > 1000
