"""A day of a varying load, counted in each of the three ways, against the simulated truth.

The truth and the expected sums are integers, and so equality means: to the last dW x ms, and the
same on every interpreter.
"""

from time import ticks_add

from firmware.meter.energy import DWMS_PER_WH, Channel
from firmware.meter.reading import Reading

START_WH = 100000000  # 100 MWh: where floats on the chips have lost the Wh
DAY_MS = 86400000
PERIOD = ticks_add(0, -1) + 1
PULSE_DWMS = 21337  # 2.1 J: about what a CSE7766 counts


class Load:
    """A house: every 2 to 65 s the power becomes another one, at any ms. All in dW and ms."""

    def __init__(self):
        self.power_dw = 1000
        self.energy_dwms = 0
        self.now_ms = 0
        self._seed = 7
        self._until_ms = 0

    def run(self, to_ms):
        while self._until_ms <= to_ms:
            self._pass(self._until_ms)
            self._seed = (self._seed * 1021 + 29) % 65536
            # Idle for a third of the time, a heater for a sixth.
            kind = self._seed // 8 % 6
            self.power_dw = (0, 35, 600 + self._seed % 900, 3000, self._seed % 8000, 23000)[kind]
            self._until_ms += 2000 + self._seed % 63000
        self._pass(to_ms)

    def _pass(self, to_ms):
        self.energy_dwms += self.power_dw * (to_ms - self.now_ms)
        self.now_ms = to_ms


def channel(period_ms):
    made = Channel(4000, period_ms, False)
    made.set_total(START_WH)
    return made


def counted_dwms(channel):
    imported = channel.imported
    return (imported.total_wh - START_WH) * DWMS_PER_WH + imported.rest_dwms


def check(period_ms):
    load = Load()
    reading = Reading()
    register, counter, integral = [channel(period_ms) for _ in range(3)]
    pulses = trapezoids_dwms = before_dw = 0
    for now_ms in range(0, DAY_MS + 1, period_ms):
        load.run(now_ms)
        ticks = now_ms % PERIOD
        reading.active_power_w = load.power_dw / 10
        reading.register_wh = 500 + load.energy_dwms // DWMS_PER_WH
        register.take(ticks, reading)
        reading.register_wh = None
        new = load.energy_dwms // PULSE_DWMS - pulses
        pulses += new
        reading.counted_dwms = new * PULSE_DWMS
        counter.take(ticks, reading)
        reading.counted_dwms = None
        integral.take(ticks, reading)
        if now_ms:
            trapezoids_dwms += (before_dw + load.power_dw) * period_ms // 2
        before_dw = load.power_dw
    truth_dwms = load.energy_dwms
    assert register.imported.total_wh - START_WH == truth_dwms // DWMS_PER_WH
    assert counted_dwms(counter) == pulses * PULSE_DWMS
    assert counted_dwms(integral) == trapezoids_dwms
    for each in (counter, integral):
        assert abs(counted_dwms(each) - truth_dwms) * 1000 < truth_dwms
        assert each.drops == 0
    assert truth_dwms > 10000 * DWMS_PER_WH  # there was something to count
    assert register.drops == 0


def test_a_day_of_a_sample_each_second():
    check(1000)


def test_a_day_of_five_samples_each_second():
    check(200)
