"""Eastron meters: exact requests, captured values, energy without floats, and bad replies."""

from struct import pack

from firmware.meter import modbus, sdm
from host_tests.simulator.modules.virtual.load import Load
from host_tests.simulator.modules.virtual.sdm import Sdm

BLOCK = bytes.fromhex("010400000050f036")
ENERGY_BLOCK = bytes.fromhex("0104015a000cd1e0")
CAPTURED_V = bytes.fromhex("4367af55")  # 231.685 V (reference/meters.md 7.4)
CAPTURED_A = bytes.fromhex("4088fa31")  # 4.2805 A
NAN = b"\x7f\xc0\x00\x00"
INFINITE = b"\x7f\x80\x00\x00"


class Wire:
    """A UART on which `answer(request)` gives the bytes that come back, one at each any()."""

    def __init__(self, answer):
        self.answer = answer
        self.waiting = b""
        self.sent = []

    def any(self):
        return min(1, len(self.waiting))

    def readinto(self, buffer):
        buffer[0] = self.waiting[0]
        self.waiting = self.waiting[1:]
        return 1

    def write(self, data):
        self.sent.append(bytes(data))
        self.waiting += self.answer(bytes(data)) or b""


def answering(*replies):
    replies = list(replies)
    return Wire(lambda request: replies.pop(0) if replies else b"")


def framed(body):
    crc = modbus.crc16(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def block(values, first=0, count=80):
    """The reply to a read of `count` registers; values: {register: number or 4 bytes}."""
    data = b""
    for register in range(first, first + count, 2):
        value = values.get(register, 0.0)
        data += value if isinstance(value, bytes) else pack(">f", value)
    return framed(bytes((1, 4, 2 * count)) + data)


ONE_PHASE = {
    0x00: CAPTURED_V, 0x06: CAPTURED_A, 0x0C: 900.0, 0x1E: 0.9075, 0x46: 50.0,
    0x48: 12345.678, 0x4A: 0.25,
}  # fmt: skip
THREE_PHASES = {
    0x00: CAPTURED_V, 0x02: 230.0, 0x04: 229.0, 0x06: CAPTURED_A, 0x08: 2.0, 0x0A: 0.0,
    0x0C: 900.0, 0x0E: -460.0, 0x10: 0.0, 0x1E: 0.9075, 0x20: -1.0, 0x22: 1.0, 0x46: 50.0,
}  # fmt: skip
PHASE_ENERGIES = {0x15A: 1.0, 0x15C: 2.0, 0x15E: 3.0, 0x160: 0.1, 0x162: 0.2, 0x164: 0.3}


def changed(values, **registers):
    """`values` with others: r0x0C=-900.0."""
    made = dict(values)
    for name, value in registers.items():
        made[int(name[1:], 16)] = value
    return made


def sample(driver, now_ms=0, step_ms=10):
    driver.start(now_ms)
    while driver.busy:
        now_ms += step_ms
        readings = driver.poll(now_ms)
        if readings is not None:
            assert not driver.busy and len(readings) == driver.channels
            return readings
    return None


def one(values, **profile):
    """(driver, what one sample of an SDM120 gives)"""
    driver = sdm.SDM120(answering(block(values)), profile)
    readings = sample(driver)
    return driver, readings and readings[0]


def three(values=THREE_PHASES, energies=PHASE_ENERGIES, **profile):
    driver = sdm.SDM630(answering(block(values), block(energies, 0x15A, 12)), profile)
    return driver, sample(driver)


def near(value, expected):
    return abs(value - expected) <= 0.0001 * abs(expected)


def test_energy_of_exact_bytes():
    for bits, expected_wh in (
        ("00000000", 0),
        ("80000000", 0),
        ("00000001", 0),
        ("3a83126f", 1),  # 0.001 kWh
        ("3f800000", 1000),
        ("4640e6b6", 12345678),
        ("4640e6b7", 12345679),
        ("467fffff", 16383999),  # the last with steps below 1 Wh
        ("46800001", 16384002),
        ("47c35001", 100000008),
        ("4a7fffff", 4194303750),
    ):
        assert sdm.energy_wh(bytes.fromhex("ff" + bits), 1) == expected_wh, bits


def test_every_wh_below_16384_kwh_is_told_apart():
    for begin_wh in (0, 4095900, 8191900, 16383800):
        for wh in range(begin_wh, begin_wh + 200):
            # The nearest float32, in integers: 24 bits of wh / 1000.
            shift = 0
            while (wh << shift) < 1000 << 23 and wh:
                shift += 1
            mantissa = ((wh << shift + 1) // 1000 + 1) >> 1
            if mantissa >> 24:
                mantissa >>= 1
                shift -= 1
            bits = (150 - shift) << 23 | mantissa & 0x7FFFFF if wh else 0
            assert sdm.energy_wh(pack(">I", bits), 0) == wh


def test_what_is_no_energy():
    for bits in ("7fc00000", "7f800000", "ff800000", "ffc00000", "bf800000", "80000001",
                 "4a800000", "7f7fffff"):  # fmt: skip
        assert sdm.energy_wh(bytes.fromhex(bits), 0) is None, bits


def test_requests_are_exact_for_each_model():
    for chip, expected in (
        (sdm.SDM120, ["010400000050f036"]),
        (sdm.SDM230, ["010400000050f036"]),
        (sdm.SDM630, ["010400000050f036", "0104015a000cd1e0"]),
        (sdm.SDM72, ["0104003400023005", "01040048000471df"]),
    ):
        model = Sdm(bytearray(64), {"chip": "sdm630"}, [[], [], []])
        wire = Wire(model.answer)
        sample(chip(wire, {}))
        assert wire.sent == [bytes.fromhex(request) for request in expected]


def test_one_phase_has_all_values():
    driver, reading = one(ONE_PHASE)
    assert driver.channels == 1
    assert near(reading.voltage_v, 231.685)
    assert near(reading.current_a, 4.2805)
    assert near(reading.active_power_w, 900)
    assert near(reading.power_factor, 0.9075)
    assert near(reading.frequency_hz, 50)
    assert (reading.register_wh, reading.register_export_wh) == (12345678, 250)
    assert reading.counted_dwms is None
    assert driver.error is None


def test_three_phases_are_three_channels_with_energy_of_their_own():
    driver, (a, b, c) = three()
    assert driver.channels == 3
    assert near(a.voltage_v, 231.685) and near(b.voltage_v, 230) and near(c.voltage_v, 229)
    assert near(a.current_a, 4.2805) and near(b.current_a, 2) and c.current_a == 0
    assert near(a.active_power_w, 900) and b.active_power_w == -460 and c.active_power_w == 0
    assert [r.register_wh for r in (a, b, c)] == [1000, 2000, 3000]
    assert [r.register_export_wh for r in (a, b, c)] == [100, 200, 300]
    assert near(a.frequency_hz, 50) and near(c.frequency_hz, 50)


def test_export_is_negative_power_with_a_positive_factor_and_current():
    _, reading = one(changed(ONE_PHASE, r0C=-900.0, r1E=-0.9075, r06=-4.2805))
    assert reading.active_power_w == -900
    assert near(reading.power_factor, 0.9075)
    assert near(reading.current_a, 4.2805)


def test_no_load_has_no_power_factor():
    _, (a, _, c) = three()
    assert a.power_factor is not None
    assert c.power_factor is None and c.voltage_v > 228


def test_a_phase_without_mains_shows_zeros_and_leaves_the_others_alone():
    values = changed(THREE_PHASES, r00=1.5, r06=0.01, r0C=0.3, r1E=0.5)
    _, (a, b, _) = three(values)
    assert near(a.voltage_v, 1.5)
    assert (a.current_a, a.active_power_w, a.frequency_hz, a.power_factor) == (0, 0, None, None)
    assert a.register_wh == 1000
    assert b.active_power_w == -460


def test_a_frequency_of_zero_is_unknown():
    _, (a, _, _) = three(changed(THREE_PHASES, r46=0.0))
    assert a.frequency_hz is None and a.voltage_v > 231


def test_a_value_that_cannot_be_fails_its_phase_by_name():
    for register, value, name in (
        (0x00, NAN, "voltage_v"),
        (0x00, INFINITE, "voltage_v"),
        (0x00, 501.0, "voltage_v"),
        (0x06, NAN, "current_a"),
        (0x06, 121.0, "current_a"),
        (0x0C, NAN, "active_power_w"),
        (0x0C, -30001.0, "active_power_w"),
        (0x46, NAN, "frequency_hz"),
        (0x46, 66.0, "frequency_hz"),
        (0x1E, NAN, "power_factor"),
        (0x1E, 1.5, "power_factor"),
        (0x48, NAN, "energy"),
        (0x4A, -1.0, "energy"),
    ):
        values = dict(ONE_PHASE)
        values[register] = value
        driver, reading = one(values)
        assert reading is None, name
        assert driver.error.startswith("implausible: " + name), driver.error
        assert driver.errors["implausible"] == 1


def test_one_bad_phase_of_three_fails_alone():
    driver, (a, b, c) = three(changed(THREE_PHASES, r02=NAN))
    assert b is None and a.register_wh == 1000 and c.register_wh == 3000
    driver, (a, b, c) = three(energies=changed(PHASE_ENERGIES, r164=NAN))
    assert c is None and a is not None and b is not None
    assert driver.errors["implausible"] == 1


def test_each_failure_is_counted_and_ends_the_sample():
    good = block(THREE_PHASES)
    for reply, kind in (
        (b"", "timeout"),
        (BLOCK, "echo"),
        (good[:-1] + b"\x00", "crc"),
        (good[:100], "noise"),
        (bytes.fromhex("018402c2c1"), "exception"),
        (block(THREE_PHASES, 0, 78), "noise"),
        (framed(b"\x02" + good[1:-2]), "noise"),
    ):
        wire = answering(reply)
        driver = sdm.SDM630(wire, {})
        assert sample(driver) is None, kind
        assert driver.errors[kind] == sum(driver.errors.values()) == 1, (kind, driver.errors)
        assert len(wire.sent) == 1, kind
    assert driver.error == "noise"


def test_without_its_energies_a_sample_fails():
    wire = answering(block(THREE_PHASES))
    driver = sdm.SDM630(wire, {})
    assert sample(driver) is None
    assert driver.error == "timeout"
    assert wire.sent == [BLOCK, ENERGY_BLOCK]


def test_the_exception_is_named():
    driver = sdm.SDM630(answering(bytes.fromhex("018402c2c1")), {})
    sample(driver)
    assert driver.error == "exception 2"


def test_noise_and_an_echo_before_each_reply_cost_nothing():
    for before in (b"\x00\xff\x01\x04", BLOCK, BLOCK[:5], b"\x01\x04\xa0\x11"):
        energies = block(PHASE_ENERGIES, 0x15A, 12)
        driver = sdm.SDM630(answering(before + block(THREE_PHASES), before + energies), {})
        assert sample(driver) is not None, before
        assert sum(driver.errors.values()) == 0


def test_a_late_block_is_not_taken_for_the_energies_nor_for_the_next_block():
    late = block(changed(THREE_PHASES, r00=200.0))
    wire = answering(b"", b"", block(PHASE_ENERGIES, 0x15A, 12))
    driver = sdm.SDM630(wire, {})
    assert sample(driver) is None
    wire.waiting = late  # before the next request
    driver.start(1000)
    assert wire.waiting == b""
    wire.waiting = late[30:] + block(THREE_PHASES)
    now_ms = 1000
    while driver.busy:
        now_ms += 200
        readings = driver.poll(now_ms)
    assert near(readings[0].voltage_v, 231.685)


def test_requests_keep_their_distance():
    for chip, name, pause_ms in ((sdm.SDM630, "sdm630", 100), (sdm.SDM72, "sdm72", 500)):
        model = Sdm(bytearray(64), {"chip": name}, [[], [], []])
        times_ms = []
        wire = Wire(lambda request: times_ms.append(now_ms) or model.answer(request))  # noqa: B023
        driver = chip(wire, {})
        for now_ms in range(0, 3000, 10):
            if not driver.busy:
                driver.start(now_ms)
            driver.poll(now_ms)
        gaps_ms = [b - a for a, b in zip(times_ms, times_ms[1:])]
        assert len(times_ms) >= 5 and min(gaps_ms) >= pause_ms, gaps_ms


def test_a_pause_does_not_last_over_a_wrap_of_the_ticks():
    driver = sdm.SDM120(answering(block(ONE_PHASE), block(ONE_PHASE)), {})
    assert sample(driver, 1000)
    period = 1 << 30
    assert sample(driver, period // 2 + 2000)


def test_the_slow_line_gets_more_time():
    for chip, profile, limit_ms in (
        (sdm.SDM120, {}, 1070),
        (sdm.SDM120, {"baudrate": 9600}, 530),
        (sdm.SDM630, {}, 530),
    ):
        driver = chip(answering(), profile)
        driver.start(0)
        driver.poll(limit_ms - 20)
        assert driver.busy, limit_ms
        driver.poll(limit_ms)
        assert not driver.busy and driver.error == "timeout", limit_ms


def test_lines_as_delivered():
    for chip, baudrate in ((sdm.SDM120, 2400), (sdm.SDM230, 2400), (sdm.SDM72, 9600),
                           (sdm.SDM630, 9600)):  # fmt: skip
        line = dict(chip.SERIAL)
        assert line.pop("rxbuf") >= 165 + 8
        assert line == {"baudrate": baudrate, "bits": 8, "parity": None, "stop": 1}


def test_the_direction_pin_goes_around_each_request():
    history = []
    wire = answering(block(THREE_PHASES), block(PHASE_ENERGIES, 0x15A, 12))
    write = wire.write
    wire.write = lambda data: history.append(len(data)) or write(data)
    driver = sdm.SDM630(wire, {}, history.append)
    assert sample(driver) is not None
    assert history == [1, 8, 0, 1, 8, 0]


def test_factors_per_phase():
    factors = [{}, {"voltage": 1.01, "power": 0.5}, {}]
    _, (a, b, c) = three(factors=factors)
    assert near(a.voltage_v, 231.685)
    assert near(b.voltage_v, 232.3) and near(b.active_power_w, -230)
    assert b.register_wh == 2000


def test_readings_hold_until_the_next_sample():
    replies = (block(THREE_PHASES), block(PHASE_ENERGIES, 0x15A, 12))
    driver = sdm.SDM630(answering(*replies * 2), {})
    first = sample(driver)
    second = sample(driver, 1000)
    assert first[0] is not second[0]
    assert first[0].register_wh == second[0].register_wh == 1000


def test_each_driver_understands_its_simulated_meter():
    for chip, name in ((sdm.SDM120, "sdm120"), (sdm.SDM230, "sdm230"), (sdm.SDM630, "sdm630")):
        loads = [[Load(100 + 50 * i, power_factor=0.5)] for i in range(chip.CHANNELS)]
        model = Sdm(bytearray(64), {"chip": name, "address": 5}, loads)
        driver = chip(Wire(model.answer), {"address": 5})
        model.skip(36000000, 2300)
        model.run(1000, 2300, 500)
        for i, reading in enumerate(sample(driver)):
            assert near(reading.active_power_w, 100 + 50 * i)
            assert near(reading.power_factor, 0.5)
            assert near(reading.voltage_v, 230) and near(reading.frequency_hz, 50)
            assert reading.register_wh == 1000 + 500 * i
            assert reading.register_export_wh == 0


def test_the_sdm72_tells_power_and_energy_of_all_phases_and_nothing_else():
    model = Sdm(bytearray(64), {"chip": "sdm72"}, [[Load(-30000)], [Load(-30000)], [Load(-100)]])
    model.skip(36000, 2300)
    model.run(1000, 2300, 500)
    driver = sdm.SDM72(Wire(model.answer), {})
    assert driver.channels == 1
    (reading,) = sample(driver)
    assert near(reading.active_power_w, -60100)
    assert reading.register_wh == 0
    assert abs(reading.register_export_wh - 617) <= 1
    unknown = (reading.voltage_v, reading.current_a, reading.frequency_hz, reading.power_factor)
    assert unknown == (None, None, None, None)
    assert sum(driver.errors.values()) == 0
