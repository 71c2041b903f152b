"""Which thermometer a board gets, its pace, and what is logged of its health."""

from time import ticks_add

from firmware.sensor import Thermometer, thermometer
from firmware.sensor.ds18b20 import Ds18b20
from host_tests.unit.fakes import BEFORE_WRAP, Log


class Adc:
    def read_u16(self):
        return 36000

    def read_uv(self):
        return 1650000


class Board:
    def __init__(self, **profile):
        self.profile = profile

    def chip_temperature_c(self):
        return 53.0

    def adc(self, pin):
        assert pin == 32
        return Adc()

    def onewire(self, pin):
        return "bus on %d" % pin


def test_the_profile_chooses():
    ntc = {"kind": "ntc", "pin": 32, "series_ohm": 10000, "r25_ohm": 10000, "beta": 3350}
    for board, value_c in ((Board(), 53.0), (Board(temperature={"kind": "chip"}), 53.0),
                           (Board(temperature=ntc), 25.0)):
        sensor = thermometer(board, board, Log())
        assert sensor.value_c is None
        assert sensor.poll(BEFORE_WRAP)
        assert abs(sensor.value_c - value_c) < 0.01
    board = Board(temperature={"kind": "ds18b20", "pin": 4})
    assert isinstance(thermometer(board, board, Log()), Ds18b20)


def test_it_measures_once_a_second():
    reads = []

    def read():
        reads.append(1)
        return 20.0, None

    sensor = Thermometer(read, Log())
    told = [sensor.poll(ticks_add(BEFORE_WRAP, ms)) for ms in range(0, 3000, 10)]
    assert len(reads) == told.count(True) == 3


def test_a_fault_is_logged_once_and_its_end_too():
    log = Log()
    found = [(20.0, None), (None, "short"), (None, "short"), (21.0, None), (22.0, None)]
    sensor = Thermometer(lambda: found.pop(0), log)
    values = []
    for second in range(5):
        sensor.poll(ticks_add(BEFORE_WRAP, 1000 * second))
        values.append(sensor.value_c)
    assert values == [20.0, None, None, 21.0, 22.0]
    assert log.lines == ["temperature: short", "temperature: sensor is well"]
