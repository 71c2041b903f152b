"""Frequencies without a counter: interrupts for slow pulses, short sampling for fast ones."""

from time import ticks_add

from firmware.meter import pulse_sampling
from firmware.meter.hlw8012 import HLW8012
from firmware.meter.pulse_sampling import SampledPulses
from host_tests.unit.fakes import BEFORE_WRAP, Patched

RISING = 1
QUEUE = 4  # interrupts that an ESP8266 remembers
CALL_US = 35  # what a call of Python code takes there


class Chip:
    """A virtual clock in microseconds, and pins that pulse by it."""

    def __init__(self):
        self.time_us = 0
        self._told_ms = 0
        self._ticks_ms = BEFORE_WRAP
        self.pins = []
        self.blocked_us = 0  # the longest tick

    def ticks_us(self):
        self.time_us += CALL_US
        return self.time_us % (1 << 30)

    def ticks_ms(self):
        past_ms = self.time_us // 1000 - self._told_ms
        self._told_ms += past_ms
        self._ticks_ms = ticks_add(self._ticks_ms, past_ms)
        return self._ticks_ms

    def time_pulse_us(self, pin, level, timeout_us):
        self.time_us += CALL_US
        begin_us = self.time_us
        while pin.level() != level:
            self.time_us = min(pin.next_edge_us(), begin_us + timeout_us)
            if self.time_us >= begin_us + timeout_us:
                return -2
        begin_us = self.time_us
        while pin.level() == level:
            self.time_us = min(pin.next_edge_us(), begin_us + timeout_us)
            if self.time_us >= begin_us + timeout_us:
                return -1
        return self.time_us - begin_us

    def run(self, inputs, ms, tick_ms=10):
        """Ticks for so long; interrupts run between them, as many as the queue holds."""
        end_us = self.time_us + ms * 1000
        tick_us = self.time_us
        while self.time_us < end_us:
            tick_us += tick_ms * 1000
            while self.time_us < tick_us:
                self.time_us = min(self.time_us + 1000, tick_us)
                for pin in self.pins:
                    pin.interrupt()
            begin_us = self.time_us
            for one in inputs:
                if one.poll(self.ticks_ms()):
                    break
            self.blocked_us = max(self.blocked_us, self.time_us - begin_us)


class Pin:
    """High in the first half of each period; `half_us` None: it stands still."""

    def __init__(self, chip):
        self.chip = chip
        self.half_us = None
        self.since_us = 0
        self.handler = None
        self.switches = 0
        self.seen = 0
        chip.pins.append(self)

    def pulse(self, hertz):
        self.half_us = round(500000 / hertz) if hertz else None
        self.since_us = self.chip.time_us
        self.seen = 0

    def level(self):
        if not self.half_us:
            return 0
        return 1 - (self.chip.time_us - self.since_us) // self.half_us % 2

    def next_edge_us(self):
        if not self.half_us:
            return self.chip.time_us + 1000000000
        past_us = self.chip.time_us - self.since_us
        return self.chip.time_us + self.half_us - past_us % self.half_us

    def value(self):
        self.chip.time_us += CALL_US
        return self.level()

    def irq(self, handler, trigger):
        assert trigger == RISING
        self.handler = handler
        self.switches += 1
        if self.half_us:
            self.seen = (self.chip.time_us - self.since_us) // (2 * self.half_us)

    def interrupt(self):
        if not self.half_us:
            return
        edges = (self.chip.time_us - self.since_us) // (2 * self.half_us)
        for _ in range(min(edges - self.seen, QUEUE)):
            if self.handler:
                self.handler(self)
        self.seen = edges


def bench():
    chip = Chip()
    pin = Pin(chip)
    return chip, pin, SampledPulses(pin, RISING, chip.time_pulse_us)


def patched(chip):
    return Patched(pulse_sampling, ticks_us=chip.ticks_us, ticks_ms=chip.ticks_ms)


def near(value, expected, share=0.01):
    return abs(value - expected) <= expected * share


def measure(chip, one, ms=1000):
    chip.run((one,), ms)
    return one.hertz(chip.ticks_ms())


def test_frequency_from_slow_to_the_fastest():
    for hertz in (2, 7, 60, 99, 150, 210, 250, 333, 563, 1000, 1510, 2700):
        chip, pin, one = bench()
        with patched(chip):
            one.restart(chip.ticks_ms())
            pin.pulse(hertz)
            measure(chip, one, 2000)
            for _ in range(3):
                measured = measure(chip, one)
                assert near(measured, hertz, 0.02), (hertz, measured)


def test_an_edge_between_looking_and_waiting_does_not_shorten_the_pulse():
    chip, pin, one = bench()
    with patched(chip):
        one.restart(chip.ticks_ms())
        pin.pulse(2700)
        measure(chip, one)
        for late_us in range(370):  # each moment of a period
            chip.time_us += 500 + late_us
            chip.run((one,), 100)
            assert near(one.hertz(chip.ticks_ms()), 2702.7, 0.001), late_us  # 185 us


def test_no_tick_blocks_longer_than_5_ms():
    for hertz in (0, 1, 150, 194, 200, 205, 208, 215, 240, 260, 500, 2700):
        chip, pin, one = bench()
        with patched(chip):
            one.restart(chip.ticks_ms())
            pin.pulse(2700)  # sampling first, so that it meets the slow one unprepared
            measure(chip, one, 500)
            chip.blocked_us = 0
            pin.pulse(hertz)
            measure(chip, one, 3000)
            assert chip.blocked_us <= 5000, (hertz, chip.blocked_us)
            assert chip.blocked_us or hertz < 215, hertz


def test_ticks_in_step_with_the_pulses_sample_all_the_same_and_keep_to_5_ms():
    # 500 Hz: every tick meets the same moment of a period, which may be an edge.
    for hertz, must in ((1000, True), (500, True), (400, False), (300, False)):
        chip, pin, one = bench()
        with patched(chip):
            one.restart(chip.ticks_ms())
            pin.pulse(hertz)
            measure(chip, one)
            for phase_us in range(0, 1000000 // hertz, 20):
                one.restart(chip.ticks_ms())
                pin.since_us = chip.time_us - phase_us
                chip.run((one,), 150)
                measured = one.hertz(chip.ticks_ms())
                assert measured or not must, (hertz, phase_us)
                assert measured is None or near(measured, hertz, 0.06), (hertz, phase_us)
            assert chip.blocked_us <= 5000, (hertz, chip.blocked_us)


def test_fast_pulses_stop_interrupting():
    chip, pin, one = bench()
    with patched(chip):
        one.restart(chip.ticks_ms())
        pin.pulse(1510)
        chip.run((one,), 30)
        assert pin.handler is None
        pin.pulse(50)
        chip.run((one,), 100)
        assert pin.handler is not None
        assert near(measure(chip, one), 50, 0.02)


def test_interrupts_that_waited_are_not_taken_for_fast_pulses():
    chip, pin, one = bench()
    with patched(chip):
        one.restart(chip.ticks_ms())
        pin.pulse(90)
        for _ in range(20):
            chip.run((one,), 100)
            chip.time_us += 45000  # flash is erased; four pulses are in the queue
        assert pin.handler is not None
        assert pin.switches == 1


def test_a_stopped_signal_falls_to_zero_after_10_s():
    for hertz in (1510, 20):
        chip, pin, one = bench()
        with patched(chip):
            one.restart(chip.ticks_ms())
            pin.pulse(hertz)
            measure(chip, one)
            pin.pulse(0)
            values = [measure(chip, one) for _ in range(12)]
        assert values == sorted(values, reverse=True)
        assert values[1] <= 1.0
        assert values[-1] == 0.0


def test_it_counts_nothing():
    assert SampledPulses.counts is False
    assert bench()[2].take() is None


def test_sampling_begins_again_after_many_quiet_days():
    # Its next time is kept in ticks, which turn negative after 6 days.
    chip, pin, one = bench()
    with patched(chip):
        one.restart(chip.ticks_ms())
        pin.pulse(1000)
        measure(chip, one)
        pin.pulse(0)
        measure(chip, one, 11000)
        for _ in range(18):
            chip.time_us += 43200 * 1000000
            assert one.hertz(chip.ticks_ms()) == 0.0
        pin.pulse(1000)
        measure(chip, one)
        assert near(measure(chip, one), 1000)


class Sel:
    """SEL, which puts CF1 to the frequency of the chosen quantity."""

    def __init__(self, cf1, voltage_hz, current_hz):
        self.cf1 = cf1
        self.hertz = (current_hz, voltage_hz)

    def value(self, level):
        self.cf1.pulse(self.hertz[level])


def driver(chip, cf_hz, voltage_hz, current_hz):
    cf, cf1 = Pin(chip), Pin(chip)
    inputs = [SampledPulses(pin, RISING, chip.time_pulse_us) for pin in (cf, cf1)]
    cf.pulse(cf_hz)
    bus = (inputs[0], inputs[1], Sel(cf1, voltage_hz, current_hz))
    return cf, HLW8012(bus, {"chip": "bl0937", "sel_inverted": True})


def seconds(chip, chip_driver, count):
    reading = None
    for _ in range(count):
        chip_driver.start(chip.ticks_ms())
        given = []

        class Ticked:
            def poll(self, now_ms, given=given):
                readings = chip_driver.poll(now_ms)
                given.extend(readings or ())

        chip.run((Ticked(),), 1000)
        reading = given[0] if given else None
    return reading


def test_the_driver_reads_all_values_and_never_blocks_longer_than_5_ms():
    for cf_hz, current_hz in ((1200, 700), (150, 90), (60, 42), (3, 7)):
        chip = Chip()
        with patched(chip):
            _, chip_driver = driver(chip, cf_hz, 1510, current_hz)
            reading = seconds(chip, chip_driver, 10)
        assert near(reading.voltage_v, 229.95, 0.01), cf_hz
        assert near(reading.active_power_w, 1.658887 * cf_hz, 0.02), cf_hz
        assert near(reading.current_a, 0.01287 * current_hz, 0.02), cf_hz
        assert reading.counted_dwms is None
        assert chip.blocked_us <= 5000, chip.blocked_us
        assert chip_driver.errors == {"timeout": 0, "implausible": 0}


def test_a_load_that_is_switched_shows_in_the_next_full_sample():
    chip = Chip()
    with patched(chip):
        cf, chip_driver = driver(chip, 0, 1510, 3)
        reading = seconds(chip, chip_driver, 14)
        assert (reading.active_power_w, reading.current_a) == (0.0, 0.0)
        cf.pulse(1200)
        assert near(seconds(chip, chip_driver, 2).active_power_w, 1990.7, 0.02)
        cf.pulse(0)
        assert seconds(chip, chip_driver, 3).active_power_w <= 1.7
