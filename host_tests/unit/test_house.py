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
    def __init__(self):
        self.fed = []

    def feed_watchdog(self):
        self.fed.append(None)


class Relays(Part):
    def __init__(self):
        Part.__init__(self)
        self.protection = None


class Thermometer:
    """Measures every 10 s."""

    value_c = 41.5

    def __init__(self):
        self.polls = 0

    def poll(self, now_ms):
        self.polls += 1
        return self.polls % 1000 == 1


class Warmth:
    """Stands for the reporter of temperature."""

    def __init__(self):
        self.values = []
        self.forced = 0

    def value(self, value_c, now_ms):
        self.values.append(value_c)

    def force(self):
        self.forced += 1


class Protection(Part):
    def __init__(self):
        Part.__init__(self)
        self.temperatures = []

    def temperature(self, value_c, now_ms):
        self.temperatures.append(value_c)


class Energy:
    drops = 2

    def __init__(self):
        self.services = 0

    def service(self, now_ms):
        self.services += 1


class Sampler:
    errors = 1


class Metering(Part):
    ok = True

    def __init__(self):
        Part.__init__(self)
        self.sampler = Sampler()
        self.energy = Energy()
        self.forced = 0

    def force(self):
        self.forced += 1


class Status:
    def __init__(self):
        self.relays = 0

    def relay(self):
        self.relays += 1


class Bench:
    def __init__(self, full=True):
        self.now_ms = BEFORE_WRAP
        self.board = Board()
        self.clock = Part()
        self.relays = Relays()
        self.log = Log()
        self.status = Status()
        self.thermometer = Thermometer()
        self.warmth = Warmth()
        self.led = self.metering = self.protection = None
        self.inputs = []
        if full:
            self.led = Part()
            self.metering = Metering()
            self.protection = Protection()
            self.inputs = [Part(), Part()]
        with Patched(house, ticks_ms=Ticks(self.now_ms)):
            self.house = House(self.board, self.clock, self.log, self.status, self.relays,
                               self.inputs, self.led, self.metering, self.protection,
                               self.thermometer, self.warmth)

    def parts(self):
        return [self.clock, self.relays, self.led, self.metering, self.protection] + self.inputs

    def run(self, seconds, checkpoints=True):
        for _ in range(round(100 * seconds)):
            if checkpoints:
                self.house.checkpoint(self.now_ms)
            self.house.tick(self.now_ms)
            self.now_ms = ticks_add(self.now_ms, 10)


def test_a_tick_gives_every_part_its_turn():
    bench = Bench()
    bench.run(0.03)
    assert [part.ticks for part in bench.parts()] == [3] * 7
    assert bench.thermometer.polls == 3


def test_a_board_with_nothing_but_relays():
    bench = Bench(full=False)
    bench.run(1)
    assert bench.relays.ticks == 100
    assert bench.house.meter_ok is False
    assert bench.house.meter_errors == 0
    assert bench.warmth.values == [41.5]
    bench.house.relay_changed(0, "button")
    bench.house.tell_all()
    assert bench.log.lines == []


def test_a_fault_in_one_part_stops_no_other_and_does_not_leave_the_tick():
    for fault in (RuntimeError("bug"), MemoryError(), OSError(5)):
        for at in range(7):
            bench = Bench()
            bench.parts()[at].fails = fault
            bench.run(1)
            assert [part.ticks for part in bench.parts()] == [100] * 7, at
            assert len(bench.board.fed) == 1


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


def test_a_temperature_is_judged_and_told():
    bench = Bench()
    bench.run(60)
    assert bench.warmth.values == [41.5] * 6
    assert bench.protection.temperatures == [41.5] * 6


def test_a_sensor_that_fails_is_for_protection_only():
    bench = Bench()
    bench.thermometer.value_c = None
    bench.run(20)
    assert bench.warmth.values == []
    assert bench.protection.temperatures == [None, None]


def test_energy_is_saved_from_here_only_while_the_foreground_is_kept():
    # A connect may take 10 s: at 3.7 kW more than the 10 Wh that a power cut may cost.
    bench = Bench()
    bench.run(60)
    assert bench.metering.energy.services == 0
    bench.run(10, checkpoints=False)
    assert bench.metering.energy.services == 700


def test_a_relay_that_switched_is_told_and_so_is_what_the_meter_shows_next():
    bench = Bench()
    bench.house.relay_changed(0, "command")
    assert bench.metering.forced == 1
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


def test_an_alarm_is_told():
    bench = Bench()
    bench.house.alarm_changed()
    bench.house.tell()
    assert bench.status.relays == 1
    assert bench.metering.forced == 0


def test_tell_all_reports_every_metric_and_the_temperature():
    bench = Bench()
    bench.house.tell_all()
    assert bench.metering.forced == bench.warmth.forced == 1


def test_the_state_of_the_meter():
    bench = Bench()
    assert bench.house.meter_ok is True
    assert bench.house.meter_errors == 3
    bench.metering.ok = False
    assert bench.house.meter_ok is False
