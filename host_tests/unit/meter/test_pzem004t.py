"""PZEM-004T v3: real frames with exact values, and what the driver makes of bad ones."""

from firmware import meter
from firmware.meter import modbus
from firmware.meter.pzem004t import PZEM004T

REQUEST = bytes.fromhex("01040000000a700d")
REPLY = bytes.fromhex("01041408d1006c000000f400000026000001f4006400005134")


class Wire:
    """A UART that answers each request with the next of `replies`."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.waiting = b""
        self.sent = []

    def any(self):
        return min(1, len(self.waiting))

    def readinto(self, buffer):
        if not self.waiting:
            return None
        buffer[0] = self.waiting[0]
        self.waiting = self.waiting[1:]
        return 1

    def write(self, data):
        self.sent.append(bytes(data))
        if self.replies:
            self.waiting += self.replies.pop(0)


def frame(payload, address=1):
    """A reply frame around the hex of its 20 data bytes."""
    body = bytes((address, 4, 20)) + bytes.fromhex(payload)
    crc = modbus.crc16(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def sample(driver, now_ms=0):
    """What one sample gives: the tuple, or None. A poll comes every 40 ms."""
    driver.start(now_ms)
    while driver.busy:
        now_ms += 40
        readings = driver.poll(now_ms)
        if readings is not None:
            assert not driver.busy
            return readings
    return None


def read(driver, now_ms=0):
    """The reading of a driver with one channel."""
    readings = sample(driver, now_ms)
    if readings is None:
        return None
    assert isinstance(readings, tuple) and len(readings) == driver.channels == 1
    return readings[0]


def pzem(*replies, **profile):
    return PZEM004T(Wire(*replies), profile)


def values(reading):
    return (
        reading.voltage_v,
        reading.current_a,
        reading.active_power_w,
        reading.register_wh,
        reading.frequency_hz,
        reading.power_factor,
    )


def test_real_frames_decode_exactly():
    for reply, expected in (
        (
            "01041408d1006c000000f400000026000001f4006400005134",
            (225.7, 0.108, 24.4, 38, 50.0, 1.0),
        ),
        (
            "010414096d716d00000d3b00011ef4000001f4006200001a22",
            (241.3, 29.037, 6892.3, 7924, 50.0, 0.98),
        ),
        (
            "010414096d719100000d8800011ef8000001f40062000075e0",
            (241.3, 29.073, 6900.0, 7928, 50.0, 0.98),
        ),
        (
            "010414089803e800000898000000000000" + "01f40064000063ce",
            (220.0, 1.0, 220.0, 0, 50.0, 1.0),
        ),
    ):
        driver = pzem(bytes.fromhex(reply))
        assert values(read(driver)) == expected, reply
        assert sum(driver.errors.values()) == 0
        assert driver.error is None


def test_the_payload_captured_without_its_frame_decodes_exactly():
    reply = frame("0925005a000000640000001900000" + "1f4002f0000")
    assert values(read(pzem(reply))) == (234.1, 0.09, 10.0, 25, 50.0, 0.47)


def test_high_words_of_current_power_and_energy_count():
    # 230.0 V, 0x0001_1170 mA, 0x0002_6DE0 dW, 0x0098_967F Wh: each above 65535.
    reply = frame("08fc117000016de00002967f009801f400630000")
    assert values(read(pzem(reply))) == (230.0, 70.0, 15920.0, 9999999, 50.0, 0.99)


def test_energy_is_the_modules_register_an_int():
    assert isinstance(read(pzem(REPLY)).register_wh, int)


def test_the_alarm_flag_changes_no_value():
    reply = frame("08d1006c000000f400000026000001f40064ffff")
    assert read(pzem(reply)).active_power_w == 24.4


def test_the_request_is_exact_for_each_address():
    for address, expected in (
        (1, "01040000000a700d"),
        (2, "02040000000a703e"),
        (3, "03040000000a71ef"),
        (0xF8, "f8040000000a6464"),
    ):
        wire = Wire()
        PZEM004T(wire, {"address": address}).start(0)
        assert wire.sent == [bytes.fromhex(expected)], address


def test_a_module_with_another_address_is_not_taken_for_ours():
    driver = pzem(REPLY, address=2)
    assert read(driver) is None
    assert driver.errors["noise"] == 1


ONE = frame("08d1006c000000f400000026000001f400640000", 1)
TWO = frame("0898" + "03e80000089800000000000001f400640000", 2)
THREE = frame("0925005a0000006400000019000001f4002f0000", 3)


def powers(readings):
    return [reading and reading.active_power_w for reading in readings]


def test_three_modules_on_one_bus_are_asked_in_turn_for_one_sample():
    wire = Wire(ONE, TWO, THREE)
    driver = PZEM004T(wire, {"addresses": [1, 2, 3]})
    assert driver.channels == 3
    assert powers(sample(driver)) == [24.4, 220.0, 10.0]
    assert [sent[0] for sent in wire.sent] == [1, 2, 3]
    assert wire.sent[2] == bytes.fromhex("03040000000a71ef")


def test_a_silent_module_of_three_costs_its_time_and_its_channel_only():
    for silent in range(3):
        replies = [ONE, TWO, THREE]
        replies[silent] = b""
        expected = [24.4, 220.0, 10.0]
        expected[silent] = None
        driver = pzem(*replies, addresses=[1, 2, 3])
        assert powers(sample(driver)) == expected
        assert driver.errors["timeout"] == sum(driver.errors.values()) == 1
        assert driver.error == "timeout"


def test_three_silent_modules_are_a_failure():
    driver = pzem(addresses=[1, 2, 3])
    assert sample(driver) is None
    assert driver.errors["timeout"] == 3


def test_a_module_that_answers_implausibly_fails_alone():
    bad = frame("2328006c000000f400000026000001f400640000", 2)
    assert powers(sample(pzem(ONE, bad, THREE, addresses=[1, 2, 3]))) == [24.4, None, 10.0]


def test_a_late_answer_of_one_module_is_not_taken_for_the_next_one():
    # 1 answers only after its time; then both frames are on the wire.
    driver = pzem(b"", ONE + TWO, THREE, addresses=[1, 2, 3])
    assert powers(sample(driver)) == [None, 220.0, 10.0]


def test_a_sample_after_one_with_a_missed_module_is_whole_again():
    driver = pzem(ONE, b"", THREE, ONE, TWO, THREE, addresses=[1, 2, 3])
    assert powers(sample(driver)) == [24.4, None, 10.0]
    assert powers(sample(driver, 5000)) == [24.4, 220.0, 10.0]


def test_readings_of_three_hold_until_the_next_sample():
    other = frame("08d1006c000000f500000027000001f400640000", 1)
    driver = pzem(ONE, TWO, THREE, other, TWO, THREE, addresses=[1, 2, 3])
    first = sample(driver)
    assert powers(sample(driver, 5000)) == [24.5, 220.0, 10.0]
    assert powers(first) == [24.4, 220.0, 10.0]


def test_factors_correct_what_is_shown_but_not_the_register():
    factors = {"voltage": 1.02, "current": 0.5, "power": 2.0}
    reading = read(pzem(REPLY, factors=factors))
    assert abs(reading.voltage_v - 230.214) < 0.001
    assert abs(reading.current_a - 0.054) < 0.00001
    assert abs(reading.active_power_w - 48.8) < 0.001
    assert reading.register_wh == 38
    assert read(pzem(REPLY, factors={"current": 2})).active_power_w == 24.4


def test_each_of_three_modules_can_have_its_own_factors():
    factors = [{}, {"power": 0.5}, {"power": 2}]
    assert powers(sample(pzem(ONE, TWO, THREE, addresses=[1, 2, 3], factors=factors))) == [
        24.4, 110.0, 20.0]


def test_each_failure_is_counted_under_its_kind():
    for reply, kind in (
        (b"", "timeout"),
        (REQUEST, "echo"),
        (REPLY[:24] + b"\x35", "crc"),
        (REPLY[:12], "noise"),
        (b"\xa5\x5a\x00", "noise"),
        (bytes.fromhex("018402c2c1"), "exception"),
        (frame("2328006c000000f400000026000001f400640000"), "implausible"),
    ):
        driver = pzem(reply)
        assert read(driver) is None, kind
        assert driver.errors[kind] == 1, kind
        assert sum(driver.errors.values()) == 1, kind
        assert driver.error.startswith(kind), driver.error
        assert not driver.busy


def test_the_error_text_says_what_was_wrong():
    driver = pzem(bytes.fromhex("018402c2c1"))
    read(driver)
    assert driver.error == "exception 2"
    driver = pzem(frame("2328006c000000f400000026000001f400640000"))
    read(driver)
    assert driver.error == "implausible: voltage_v 900"


def test_no_load_is_a_reading_with_true_zeros_and_no_power_factor():
    reply = frame("08fc0000000000000000000a000001f400000000")
    assert values(read(pzem(reply))) == (230.0, 0.0, 0.0, 10, 50.0, None)


def test_values_a_module_cannot_measure_are_dropped_by_name():
    for payload, name in (
        ("02bb0000000000000000000a000001f400000000", "voltage_v 69.9"),
        ("08fcade2000100000000000a000001f400000000", "current_a 110.05"),
        ("0a8c938800" + "01f7ae0003000a000001f400640000", "active_power_w 26001.4"),
        ("08fc0000000000000000000a000001b700000000", "frequency_hz 43.9"),
        ("08fc0000000000000000000a000001f400650000", "power_factor 1.01"),
    ):
        driver = pzem(frame(payload))
        assert read(driver) is None, name
        assert driver.error == "implausible: " + name, driver.error


def test_a_wrong_word_order_would_not_pass_for_a_reading():
    # 6892.3 W with its words swapped is 88 MW.
    driver = pzem(frame("096d716d000000010d3b1ef4000001f400620000"))
    assert read(driver) is None
    assert driver.errors["implausible"] == 1


def test_an_implausible_frame_leaves_the_reading_given_before_as_it_was():
    wire = Wire(REPLY, frame("2328006c000000f400000026000001f400640000"))
    driver = PZEM004T(wire, {})
    first = read(driver)
    assert read(driver, 1000) is None
    assert values(first) == (225.7, 0.108, 24.4, 38, 50.0, 1.0)


def test_a_reading_given_before_holds_until_the_next_is_given():
    second = bytes.fromhex("010414096d716d00000d3b00011ef4000001f4006200001a22")
    driver = pzem(REPLY, second)
    first = read(driver)
    assert read(driver, 1000).register_wh == 7924
    assert first.register_wh == 38


def test_noise_before_the_frame_costs_nothing():
    driver = pzem(b"\x00\xfe\x01\x04\x14" + REPLY)
    assert read(driver).voltage_v == 225.7
    assert sum(driver.errors.values()) == 0


def test_an_echo_before_the_frame_costs_nothing():
    driver = pzem(REQUEST + REPLY)
    assert read(driver).voltage_v == 225.7
    assert sum(driver.errors.values()) == 0


def test_the_driver_recovers_after_any_failure():
    failures = (b"", REQUEST, REPLY[:7], bytes.fromhex("018402c2c1"), b"\xff" * 200)
    for failure in failures:
        driver = pzem(failure, REPLY)
        assert read(driver) is None, failure
        assert read(driver, 1000).register_wh == 38, failure


def test_busy_from_the_request_to_the_answer():
    driver = pzem(REPLY)
    assert not driver.busy
    driver.start(0)
    assert driver.busy
    assert driver.poll(80) is not None
    assert not driver.busy
    assert driver.poll(90) is None


def test_the_registry_gives_the_driver_by_name():
    assert meter.driver("pzem004t") is PZEM004T


def test_the_line_is_9600_8n1_with_room_for_a_reply_and_an_echo():
    line = dict(PZEM004T.SERIAL)
    assert line.pop("rxbuf") >= 25 + 8
    assert line == {"baudrate": 9600, "bits": 8, "parity": None, "stop": 1}


def test_the_registry_names_an_unknown_chip():
    for name in ("pzem", "", "modbus", None):
        try:
            meter.driver(name)
        except ValueError as error:
            assert str(name) in str(error)
        else:
            raise AssertionError(name)
