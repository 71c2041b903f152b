"""A day of a varying load through the meters that count by themselves: what is billed is what was
drawn. (The chips that leave counting to us: the day tests beside their drivers.)"""

from time import ticks_add

from firmware.meter.energy import DWMS_PER_WH, Channel
from firmware.meter.pzem004t import PZEM004T
from firmware.meter.sdm import SDM630
from host_tests.simulator.modules.virtual.load import Load
from host_tests.simulator.modules.virtual.pzem import Pzem
from host_tests.simulator.modules.virtual.sdm import Sdm

SAMPLES = 8640  # one every 10 s: it is the meter that counts in between


class Wire:
    """A UART whose meter answers at once."""

    def __init__(self, model):
        self._model = model
        self._coming = b""

    def any(self):
        return len(self._coming)

    def readinto(self, buffer, count=None):
        count = min(len(buffer) if count is None else count, len(self._coming))
        buffer[:count] = self._coming[:count]
        self._coming = self._coming[count:]
        return count or None

    def write(self, data):
        self._coming += self._model.answer(bytes(data)) or b""
        return len(data)


def sample(driver, now_ms):
    """(readings, ticks) of one sample."""
    driver.start(now_ms)
    while driver.busy:
        now_ms = ticks_add(now_ms, 10)
        readings = driver.poll(now_ms)
        if readings:
            return readings, now_ms
    raise AssertionError(driver.error)


def day(model, driver, loads):
    """(Wh billed, Wh drawn) of each phase."""
    channels = [Channel(driver.MAX_POWER_W, 10000, False) for _ in loads]
    drawn_dwms = [0] * len(loads)
    before_wh = None
    now_ms = 0
    for number in range(SAMPLES):
        for phase, load in enumerate(loads):
            watts = number * (2654435 + 977 * phase) % 3500 if (number + phase) % 7 else 0
            load.set(watts)
            if number > 1:  # two samples make the base
                drawn_dwms[phase] += watts * 100000
        model.run(10000, 2300, 500)
        now_ms = ticks_add(now_ms, 10000)
        readings, _ = sample(driver, now_ms)
        for channel, reading in zip(channels, readings):
            channel.take(now_ms, reading)
        if number == 1:
            before_wh = [channel.imported.total_wh for channel in channels]
    return [(channel.imported.total_wh - before, drawn // DWMS_PER_WH)
            for channel, before, drawn in zip(channels, before_wh, drawn_dwms)]


def check(found):
    for billed_wh, drawn_wh in found:
        assert drawn_wh > 30000
        assert abs(billed_wh - drawn_wh) <= 2, (billed_wh, drawn_wh)


def test_pzem():
    load = Load(0, None, 0.9)  # constant power: what is drawn does not hang on the voltage
    model = Pzem(bytearray(64), {"address": 1}, [[load]])
    check(day(model, PZEM004T(Wire(model), {"address": 1}), [load]))


def test_sdm630_with_each_phase_by_itself():
    loads = [Load(0, None, 0.9) for _ in range(3)]
    model = Sdm(bytearray(64), {"chip": "sdm630", "address": 1}, [[load] for load in loads])
    check(day(model, SDM630(Wire(model), {"address": 1}), loads))
