"""The driver in firmware/meter/README.md: it is short, and it works."""

from struct import pack
from time import ticks_add

from host_tests.unit.fakes import BEFORE_WRAP

CODE_LINES = 50  # fewer than that


def code():
    with open("firmware/meter/README.md") as f:
        text = f.read()
    begin = text.index("```python\n") + 10
    return text[begin:text.index("```", begin)]


def example():
    names = {"__name__": "firmware.meter.example", "__package__": "firmware.meter"}
    exec(code(), names)
    return names["Example"]


def frame(decivolts, milliamperes, deciwatts):
    body = b"\xa5" + pack(">HHH", decivolts, milliamperes, deciwatts)
    return body + bytes((sum(body) & 0xFF,))


class Wire:
    def __init__(self):
        self.waiting = b""
        self.sent = b""

    def any(self):
        return min(1, len(self.waiting))

    def readinto(self, buffer):
        buffer[0] = self.waiting[0]
        self.waiting = self.waiting[1:]
        return 1

    def write(self, data):
        self.sent += data


class Bench:
    def __init__(self, **profile):
        self.wire = Wire()
        self.driver = example()(self.wire, profile)

    def reading(self, answer):
        """What it makes of an answer that comes in two pieces; None if it failed."""
        driver = self.driver
        driver.start(BEFORE_WRAP)
        assert self.wire.sent[-1:] == b"\x5a" and driver.busy
        assert driver.poll(BEFORE_WRAP) is None and driver.busy
        result = None
        for after_ms, part in ((10, answer[:3]), (20, answer[3:]), (99, b""), (1001, b"")):
            self.wire.waiting += part
            result = result or driver.poll(ticks_add(BEFORE_WRAP, after_ms))
        assert not driver.busy
        return result and result[0]


def test_it_is_short():
    assert 20 < len([line for line in code().split("\n") if line.strip()]) < CODE_LINES


def test_a_frame_becomes_a_reading():
    reading = Bench().reading(frame(2305, 4348, 10021))
    assert abs(reading.voltage_v - 230.5) < 0.001
    assert abs(reading.current_a - 4.348) < 0.00001
    assert abs(reading.active_power_w - 1002.1) < 0.001
    assert reading.power_factor is None and reading.frequency_hz is None
    assert reading.register_wh is None and reading.counted_dwms is None


def test_factors_apply():
    reading = Bench(factors={"voltage": 2, "current": 3, "power": 0.5}).reading(
        frame(1000, 1000, 1000))
    assert (reading.voltage_v, reading.current_a, reading.active_power_w) == (200, 3, 50)


def test_no_load_is_zero_and_a_reading_holds_until_the_next():
    bench = Bench()
    first = bench.reading(frame(2300, 1000, 2300))
    second = bench.reading(frame(2310, 0, 0))
    assert (second.current_a, second.active_power_w) == (0, 0)
    assert first.active_power_w == 230 and first is not second
    assert bench.reading(frame(2300, 0, 0)) is first


def test_a_frame_is_found_behind_noise():
    assert Bench().reading(b"\xa5\x01" + frame(2300, 0, 0)).voltage_v == 230


def test_silence_and_damage_are_failures():
    whole = frame(2300, 1000, 2300)
    for answer in (b"", whole[:7], whole[:7] + bytes((whole[7] ^ 1,))):
        bench = Bench()
        assert bench.reading(answer) is None
        assert bench.driver.errors == {"timeout": 1, "implausible": 0}
        assert bench.driver.error == "timeout"


def test_the_impossible_is_a_failure_and_the_next_frame_none():
    bench = Bench()
    assert bench.reading(frame(9000, 1000, 2300)) is None
    assert bench.driver.errors["implausible"] == 1 and "voltage_v" in bench.driver.error
    assert bench.reading(frame(2300, 1000, 2300)).voltage_v == 230
