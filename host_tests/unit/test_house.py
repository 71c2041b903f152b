"""The tick: everything has its turn, no fault stops another part, and who is fed when."""

from time import ticks_add

from firmware import house
from firmware.house import CHECKPOINT_MS, House
from host_tests.unit.fakes import BEFORE_WRAP, Log, Patched, Ticks


class Part:
    """Stands for clock, relays or LED: counts its ticks, or fails."""

    def __init__(self):
        self.ticks = 0
        self.fails = None

    def tick(self, now_ms):
        self.ticks += 1
        if self.fails:
            raise self.fails

    update = tick


class Board:
    temperature = 41.5

    def __init__(self):
        self.fed = []
        self.asked = 0

    def chip_temperature_c(self):
        self.asked += 1
        return self.temperature

    def feed_watchdog(self):
        self.fed.append(None)


class Reporter:
    def __init__(self):
        self.readings = []
        self.temperatures = []
        self.forced = 0

    def reading(self, reading, now_ms, good, polls):
        self.readings.append((reading.energy_wh, good, polls))

    def temperature(self, value_c, now_ms):
        self.temperatures.append(value_c)

    def force(self):
        self.forced += 1


class Status:
    def __init__(self):
        self.relays = 0

    def relay(self):
        self.relays += 1


class Reading:
    def __init__(self, energy_wh):
        self.energy_wh = energy_wh


class Sampler:
    """Gives the readings of a list, then none."""

    ok = True
    good = 4
    polls = 5
    errors = 1

    def __init__(self, *readings):
        self.readings = list(readings)

    def poll(self, now_ms):
        reading = self.readings.pop(0) if self.readings else None
        if isinstance(reading, Exception):
            raise reading
        return reading


class Energy:
    def update(self, now_ms, register_wh):
        return register_wh + 1000


class Backlog:
    def __init__(self):
        self.samples = []

    def sample(self, channel, reading, good, polls):
        self.samples.append((channel, reading.energy_wh, good, polls))


class Bench:
    def __init__(self, sampler=None, led=True):
        self.now_ms = BEFORE_WRAP
        self.board = Board()
        self.clock = Part()
        self.relays = Part()
        self.led = Part() if led else None
        self.log = Log()
        self.reporter = Reporter()
        self.backlog = Backlog()
        self.status = Status()
        with Patched(house, ticks_ms=Ticks(self.now_ms)):
            self.house = House(self.board, self.clock, self.log, self.reporter, self.backlog,
                               self.status, self.relays, self.led, sampler,
                               Energy() if sampler else None)

    def run(self, seconds, checkpoints=True):
        for _ in range(round(100 * seconds)):
            if checkpoints:
                self.house.checkpoint(self.now_ms)
            self.house.tick(self.now_ms)
            self.now_ms = ticks_add(self.now_ms, 10)


def test_a_tick_gives_every_part_its_turn():
    bench = Bench(Sampler(Reading(5)))
    bench.run(0.03)
    assert bench.clock.ticks == bench.relays.ticks == bench.led.ticks == 3
    assert bench.reporter.readings == [(1005, 4, 5)]
    assert bench.reporter.temperatures == [41.5]


def test_a_board_without_led_and_meter():
    bench = Bench(led=False)
    bench.run(1)
    assert bench.relays.ticks == 100
    assert bench.house.meter_ok is False
    assert bench.house.meter_errors == 0
    assert bench.log.lines == []


def test_a_fault_in_one_part_stops_no_other_and_does_not_leave_the_tick():
    for fault in (RuntimeError("bug"), MemoryError(), OSError(5)):
        for name in ("clock", "relays", "led"):
            bench = Bench(Sampler(Reading(5)))
            getattr(bench, name).fails = fault
            bench.run(1)
            assert bench.clock.ticks == bench.relays.ticks == bench.led.ticks == 100
            assert len(bench.reporter.readings) == 1
            assert len(bench.board.fed) == 1


def test_a_fault_in_the_meter_stops_no_other_part():
    bench = Bench(Sampler(RuntimeError("bug"), Reading(5)))
    bench.run(0.02)
    assert bench.relays.ticks == bench.led.ticks == 2
    assert bench.reporter.readings == [(1005, 4, 5)]


def test_a_fault_is_logged_once():
    bench = Bench()
    bench.relays.fails = RuntimeError("bug")
    bench.run(5)
    assert len(bench.log.lines) == 1
    assert "RuntimeError" in bench.log.lines[0] and "bug" in bench.log.lines[0]


def test_faults_that_are_always_different_fill_neither_log_nor_memory():
    bench = Bench()
    for i in range(50):
        bench.relays.fails = RuntimeError("bug %d" % i)
        bench.run(0.01)
    assert len(bench.log.lines) == 8
    assert len(bench.house._faults) == 8


def test_a_log_that_fails_does_not_make_the_tick_fail():
    bench = Bench()

    def fails(text):
        raise MemoryError()

    bench.house._log = fails
    bench.relays.fails = RuntimeError("bug")
    bench.run(0.01)
    assert bench.led.ticks == 1


def test_the_watchdog_is_fed_once_a_second_also_when_ticks_start_over():
    bench = Bench()
    bench.run(10)
    assert len(bench.board.fed) == 10


def test_the_watchdog_starves_when_the_foreground_hangs_longer_than_two_deadlines():
    assert CHECKPOINT_MS == 20000
    bench = Bench()
    bench.run(1)
    bench.run(60, checkpoints=False)
    assert 20 <= len(bench.board.fed) <= 21
    assert bench.relays.ticks == 6100  # the house goes on


def test_a_foreground_that_comes_round_in_time_keeps_it_fed():
    bench = Bench()
    for _ in range(6):
        bench.run(19, checkpoints=False)
        bench.house.checkpoint(bench.now_ms)
    assert 113 <= len(bench.board.fed) <= 114


def test_the_chips_temperature_is_read_every_10_seconds():
    bench = Bench()
    bench.run(60)
    assert bench.board.asked == 6
    assert len(bench.reporter.temperatures) == 6


def test_a_chip_without_a_sensor_reports_none():
    bench = Bench()
    bench.board.temperature = None
    bench.run(20)
    assert bench.reporter.temperatures == []


def test_a_relay_that_switched_is_told_and_so_is_what_the_meter_shows_next():
    bench = Bench()
    bench.house.relay_changed(0, "command")
    assert bench.reporter.forced == 1
    bench.house.tell()
    assert bench.status.relays == 1


def test_what_switched_is_told_once_however_often_the_foreground_comes_round():
    bench = Bench()
    bench.house.tell()
    assert bench.status.relays == 0
    bench.house.relay_changed(0, "command")
    bench.house.relay_changed(1, "timer")
    bench.house.tell()
    bench.house.tell()
    assert bench.status.relays == 1
    bench.house.relay_changed(0, "button")
    bench.house.tell()
    assert bench.status.relays == 2


def test_tell_all_reports_every_metric_and_the_temperature_at_once():
    bench = Bench()
    bench.run(1)
    bench.house.tell_all()
    bench.run(0.01)
    assert bench.reporter.forced == 1
    assert len(bench.reporter.temperatures) == 2


def test_the_state_of_the_meter_is_the_samplers():
    sampler = Sampler()
    bench = Bench(sampler)
    assert bench.house.meter_ok is True
    assert bench.house.meter_errors == 1
    sampler.ok = False
    assert bench.house.meter_ok is False
