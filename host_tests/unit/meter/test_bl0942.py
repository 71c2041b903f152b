"""BL0942: real packets, the ways its line spoils them, and a day of counted energy."""

from time import ticks_add

from firmware.meter.bl0942 import BL0942
from host_tests.simulator.modules.virtual.bl0942 import Bl0942
from host_tests.simulator.modules.virtual.load import Load
from host_tests.simulator.modules.virtual.serial_line import SerialLine
from host_tests.unit.fakes import BEFORE_WRAP

REQUEST = b"\x58\xaa"
LOADED = bytes.fromhex("55F4910086E433B57D00820600A41A00364E0000010033")
CREEP = bytes.fromhex("550000009CCA37374300000000A201005E4E00220100C9")
JUST_ON = bytes.fromhex("55000000000000000000000000000000204E00000300E1")
REVERSED = bytes.fromhex("55A3B9009E4C36934300F498FF990000164E0001010076")
PULSE_DWMS = 6728178  # 0.1869 Wh with the usual 1 mOhm and 5 x 390k : 510


class Wire:
    """The chip's UART: each request is answered with the next of `answers`."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.waiting = b""
        self.sent = []

    def any(self):
        return min(1, len(self.waiting))

    def readinto(self, buffer):
        taken = min(len(buffer), len(self.waiting))
        buffer[:taken] = self.waiting[:taken]
        self.waiting = self.waiting[taken:]
        return taken or None

    def write(self, data):
        self.sent.append(bytes(data))
        if self.answers:
            self.waiting += self.answers.pop(0)


class Bench:
    def __init__(self, *answers, profile=None):
        self.wire = Wire(*answers)
        self.driver = BL0942(self.wire, profile or {})
        self.now_ms = BEFORE_WRAP

    def reading(self, after_ms=1000):
        """The next reading, None if it failed."""
        self.now_ms = ticks_add(self.now_ms, after_ms)
        self.driver.start(self.now_ms)
        for _ in range(21):
            result = self.driver.poll(self.now_ms)
            if result is not None:
                assert not self.driver.busy
                return result[0]
            if not self.driver.busy:
                return None
            self.now_ms = ticks_add(self.now_ms, 10)
        raise AssertionError("still busy")


def reading(*answers, profile=None):
    return Bench(*answers, profile=profile).reading()


def changed(packet, address=0, **fields):
    """The packet with other fields and a right sum."""
    data = bytearray(packet)
    for name, at, size in (
        ("current", 1, 3), ("voltage", 4, 3), ("watt", 10, 3), ("count", 13, 3),
        ("period", 16, 2), ("status", 19, 2),
    ):  # fmt: skip
        if name in fields:
            mask = (1 << 8 * size) - 1
            data[at : at + size] = (fields[name] & mask).to_bytes(size, "little")
    data[22] = ~(0x58 + address + sum(data[:22])) & 0xFF
    return bytes(data)


def close(value, expected, step):
    return abs(value - expected) <= step / 2 + 0.000001


def test_real_packet_with_a_load():
    got = reading(LOADED)
    assert close(got.voltage_v, 3400838 / 15883.3, 0.02)
    assert close(got.current_a, 37364 / 251213, 0.0001)
    assert close(got.active_power_w, 1666 / 623.4, 0.002)
    assert close(got.frequency_hz, 49.945, 0.002)
    assert close(got.power_factor, 2.672 / 214.11 / 0.14873, 0.001)
    assert got.counted_dwms == 0


def test_real_packets_without_a_load():
    for packet, volts in (
        (CREEP.hex(), 3656348 / 15883.3),
        ("550000008FCE37A54200000000A201005E4E0002010085", 230.26),
        ("5500000069D837414400000000A201005E4E0002010003", 230.42),
    ):
        got = reading(bytes.fromhex(packet))
        assert close(got.voltage_v, volts, 0.03)
        assert got.current_a == 0 and got.active_power_w == 0
        assert got.power_factor is None
        assert close(got.frequency_hz, 49.845, 0.002)


def test_real_packet_just_above_creep():
    got = reading(bytes.fromhex("551900002ACF370C4400020000A201005E4E0022010045"))
    assert close(got.active_power_w, 0.0032, 0.0002)
    assert close(got.current_a, 0.0001, 0.00002)


def test_no_mains():
    got = reading(JUST_ON)
    assert (got.voltage_v, got.current_a, got.active_power_w) == (0, 0, 0)
    assert got.frequency_hz is None and got.power_factor is None


def test_no_voltage_without_its_flag_is_implausible():
    bench = Bench(changed(JUST_ON, status=0x100))
    assert bench.reading() is None
    assert bench.driver.error == "implausible: voltage_v 0"


def test_power_keeps_its_sign_unless_the_board_says_otherwise():
    for sign, watts in ((1, -42.317), (-1, 42.317), (0, 42.317)):
        got = reading(REVERSED, profile={"sign": sign})
        assert close(got.active_power_w, watts, 0.01), sign
        assert close(got.power_factor, watts / (3558558 / 15883.3) / (47523 / 251213), 0.002)


def test_lowest_and_highest_power():
    board = {"shunt_mohm": 2, "max_power_w": 9000}
    for watt, expected in ((0x7FFFFF, 6728.2), (-0x800000, -6728.2), (-1, -0.0008)):
        got = reading(changed(LOADED, watt=watt), profile=board)
        assert close(got.active_power_w, expected, 0.1), watt


def test_counted_energy_has_the_sign_of_the_power():
    for watt, status, sign, expected in (
        (1666, 0, 1, 2), (-1666, 1, 1, -2), (-1666, 1, -1, 2), (-1666, 1, 0, 2), (1666, 0, -1, -2),
        (0, 1, 1, -2), (0, 0, 1, 2),
    ):  # fmt: skip
        first = changed(LOADED, watt=watt, status=status, count=10)
        second = changed(LOADED, watt=watt, status=status, count=12)
        bench = Bench(first, second, profile={"sign": sign})
        assert bench.reading().counted_dwms == 0
        assert abs(bench.reading(60000).counted_dwms - expected * PULSE_DWMS) <= 4, (watt, sign)


def test_board_constants_scale_every_value():
    board = {"shunt_mohm": 0.5, "divider": 1.2 * 3824.53, "factors": {
        "voltage": 1.1, "current": 0.9, "power": 1.2}}
    plain, scaled = reading(LOADED), reading(LOADED, profile=board)
    assert close(scaled.voltage_v, plain.voltage_v * 1.32, 0.01)
    assert close(scaled.current_a, plain.current_a * 1.8, 0.0001)
    assert close(scaled.active_power_w, plain.active_power_w * 2.88, 0.001)
    bench = Bench(LOADED, changed(LOADED, count=6821), profile=board)
    bench.reading()
    assert abs(bench.reading(60000).counted_dwms - 2.88 * PULSE_DWMS) < 20


def test_the_request_and_the_sum_know_the_address():
    for address in range(4):
        bench = Bench(changed(LOADED, address), profile={"address": address})
        assert bench.reading() is not None
        assert bench.wire.sent == [bytes((0x58 | address, 0xAA))]
    assert reading(changed(LOADED, 1)) is None


def test_every_single_wrong_byte_is_rejected():
    for at in range(23):
        for value in range(256):
            if value != LOADED[at]:
                bad = LOADED[:at] + bytes((value,)) + LOADED[at + 1 :]
                driver = BL0942(Wire(bad), {})
                driver.start(0)
                assert driver.poll(10) is None, (at, value)


def test_what_comes_before_the_packet_is_skipped():
    for before in (b"\x00", b"\x00" * 3, REQUEST, b"\x55", b"\x55\x55\xaa", b"\xff" * 30):
        bench = Bench(before + LOADED)
        assert bench.reading() is not None, before
        assert len(bench.wire.sent) == 1
        assert sum(bench.driver.errors.values()) == 0


def test_what_came_before_the_request_is_thrown_away():
    bench = Bench(changed(LOADED, voltage=3600000))
    bench.wire.waiting = LOADED[:20]
    assert close(bench.reading().voltage_v, 226.65, 0.02)


def test_byte_by_byte():
    bench = Bench()
    driver, wire = bench.driver, bench.wire
    driver.start(0)
    for n, byte in enumerate(b"\x00" + LOADED):
        wire.waiting += bytes((byte,))
        result = driver.poll(2 * n)
        assert (result is not None) == (n == 23)
    assert driver.poll(50) is None


def test_a_second_try_costs_nothing():
    for answer in (b"", LOADED[:11], LOADED[:22] + b"\x00", b"\xaa" * 40):
        bench = Bench(answer, LOADED)
        assert bench.reading() is not None, answer
        assert bench.wire.sent == [REQUEST, REQUEST]
        assert sum(bench.driver.errors.values()) == 0


def test_failures_have_their_names():
    for answer, kind in (
        (b"", "timeout"), (LOADED[:11], "noise"), (b"\xaa" * 40, "noise"),
        (LOADED[:22] + b"\x00", "checksum"),
    ):  # fmt: skip
        bench = Bench(answer, answer, LOADED)
        assert bench.reading() is None
        assert bench.driver.error == kind
        assert bench.driver.errors[kind] == 1 and sum(bench.driver.errors.values()) == 1
        assert bench.reading() is not None


def test_two_tries_fit_into_a_fast_sample():
    bench = Bench()
    bench.driver.start(0)
    for now_ms in range(0, 200, 10):
        assert bench.driver.poll(now_ms) is None and bench.driver.busy
    assert bench.driver.poll(200) is None and not bench.driver.busy


def test_values_beyond_the_board_are_dropped():
    # Reported: spikes of 8 to 11 kW at 5 W (OpenBeken 336).
    for fields in ({"watt": 5000000}, {"watt": -5000000}, {"voltage": 9000000},
                   {"current": 0xFFFFFF}, {"period": 10000}, {"voltage": 400000}):
        bench = Bench(changed(LOADED, **fields), profile={"max_power_w": 5000})
        assert bench.reading() is None, fields
        assert bench.driver.errors["implausible"] == 1


def test_a_frequency_of_zero_is_unknown():
    assert reading(changed(LOADED, period=0)).frequency_hz is None


def test_the_counter_starts_anywhere_and_wraps():
    bench = Bench(changed(LOADED, count=0xFFFFFF), changed(LOADED, count=1))
    assert bench.reading().counted_dwms == 0
    assert abs(bench.reading(60000).counted_dwms - 2 * PULSE_DWMS) <= 4


def test_a_brown_out_is_no_wrap():
    # From 0x800000 to 0 would be a wrap over 8 million pulses: 1.5 MWh in a second.
    bench = Bench(*(changed(LOADED, count=c) for c in (0x800000, 0, 1, 2)))
    assert bench.reading().counted_dwms == 0
    assert bench.reading() is None
    assert bench.driver.error == "implausible: count 0"
    assert bench.reading().counted_dwms == 0
    assert abs(bench.reading(60000).counted_dwms - PULSE_DWMS) <= 2


def test_one_damaged_count_loses_no_energy():
    bench = Bench(*(changed(LOADED, count=c) for c in (1000, 900000, 1002)))
    bench.reading()
    assert bench.reading() is None
    assert abs(bench.reading(60000).counted_dwms - 2 * PULSE_DWMS) <= 4


def test_a_reading_holds_until_the_next_one():
    bench = Bench(LOADED, changed(CREEP, count=6820))
    first = bench.reading()
    volts = first.voltage_v
    second = bench.reading()
    assert second is not first and first.voltage_v == volts != second.voltage_v
    assert second.power_factor is None


def test_idle_it_is_silent():
    bench = Bench()
    assert not bench.driver.busy and bench.driver.poll(0) is None
    assert bench.wire.sent == []


class LineEnd:
    """The driver's end of a SerialLine, at a time set by hand."""

    def __init__(self, line, baudrate):
        self.line = line
        self.baudrate = baudrate
        self.now_ms = 0
        self.waiting = b""

    def any(self):
        self.waiting += self.line.receive(self.now_ms)
        return len(self.waiting)

    readinto = Wire.readinto

    def write(self, data):
        self.line.write(data, self.baudrate, self.now_ms)


def on_a_line(samples, fault=None, baudrate=9600):
    """(readings, driver) of a load of 1000 W, polled each 10 ms over a line with its timing."""
    model = Bl0942(bytearray(16), {"baudrate": baudrate, "address": 2}, [[Load(1000)]])
    model.run(0, 2300, 500)
    model.fault = fault
    end = LineEnd(SerialLine([model]), baudrate)
    driver = BL0942(end, {"address": 2})
    readings = []
    for now_ms in range(0, 1000 * samples, 10):
        end.now_ms = now_ms
        model.run(10, 2300, 500)
        if now_ms % 1000 == 0:
            driver.start(now_ms)
        result = driver.poll(now_ms)
        if result is not None:
            readings.append((result[0].voltage_v, result[0].active_power_w))
    return readings, driver


def test_the_model_and_the_driver_agree_over_a_line():
    for baudrate in (4800, 9600):
        for fault in (None, "stray", "noise"):
            readings, driver = on_a_line(5, fault, baudrate)
            assert len(readings) == 5, (baudrate, fault)
            for volts, watts in readings:
                assert close(volts, 230, 0.02) and close(watts, 1000, 0.1)
            assert sum(driver.errors.values()) == 0


def test_faults_of_the_model_fail_by_name():
    for fault, kind in (
        ("silent", "timeout"), ("half", "noise"), ("bad_checksum", "checksum"),
    ):
        readings, driver = on_a_line(3, fault)
        assert readings == []
        assert driver.errors[kind] == 3, fault


def test_a_day_of_a_varying_load_is_counted_in_full():
    # Every ten seconds: a pulse is 0.19 Wh, and each is counted whenever it is looked at.
    load = Load(0, None, 0.9)
    model = Bl0942(bytearray(16), {}, [[load]])
    model.fault = "wrap"  # two pulses before the top
    bench = Bench()
    total_dwms = drawn_dwms = 0
    for period in range(8640):
        watts = period * 2654435 % 3500 if period % 7 else 0
        load.set(watts)
        model.run(10000, 2300 - period % 100, 500)
        bench.wire.answers.append(model.packet())
        total_dwms += bench.reading(10000).counted_dwms
        if period:
            drawn_dwms += watts * 100000
    assert drawn_dwms > 30000 * 36000000
    assert abs(total_dwms - drawn_dwms) < drawn_dwms // 1000
    assert sum(bench.driver.errors.values()) == 0
