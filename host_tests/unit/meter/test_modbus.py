"""Modbus RTU: exact bytes, and replies damaged in every way a wire can."""

from time import ticks_add

from firmware.meter import modbus

PERIOD = ticks_add(0, -1) + 1  # 2**30 on the chips
REQUEST = bytes.fromhex("01040000000a700d")
REPLY = bytes.fromhex("01041408d1006c000000f400000026000001f4006400005134")


class Wire:
    """A UART whose input the test fills; any() counts, or says 0 or 1 like an ESP8266's."""

    def __init__(self, counts=True):
        self.counts = counts
        self.waiting = b""
        self.sent = []

    def any(self):
        return len(self.waiting) if self.counts else min(1, len(self.waiting))

    def readinto(self, buffer):
        if not self.waiting:
            return None
        taken = min(len(buffer), len(self.waiting))
        buffer[:taken] = self.waiting[:taken]
        self.waiting = self.waiting[taken:]
        return taken

    def write(self, data):
        self.sent.append(bytes(data))


def request(address, function, register, count):
    buffer = bytearray(8)
    modbus.read_request(buffer, address, function, register, count)
    return bytes(buffer)


def started(capacity=64, now_ms=0, asked=REQUEST):
    wire = Wire()
    port = modbus.ModbusPort(wire, capacity)
    port.start(now_ms, asked)
    return wire, port


def outcome(received, capacity=64, asked=REQUEST):
    """Result of one transaction that gets `received` at once and nothing after."""
    wire, port = started(capacity, 0, asked)
    wire.waiting = bytes(received)
    for now_ms in range(10, 320, 10):
        result = port.poll(now_ms)
        if result is not None:
            return result
    return None


def test_crc_check_value():
    assert modbus.crc16(b"123456789", 0, 9) == 0x4B37


def test_crc_after_each_byte():
    for end, expected in enumerate((0x807E, 0xE301, 0xC022, 0x1940, 0xF018, 0x0D70)):
        assert modbus.crc16(REQUEST, 0, end + 1) == expected, end


def test_requests_are_exact():
    for arguments, expected in (
        ((1, 4, 0, 10), "01040000000a700d"),
        ((2, 4, 0, 10), "02040000000a703e"),
        ((3, 4, 0, 10), "03040000000a71ef"),
        ((0xF8, 4, 0, 10), "f8040000000a6464"),
        ((1, 3, 1, 2), "01030001000295cb"),
        ((1, 4, 0, 2), "01040000000271cb"),
        ((1, 4, 8, 2), "010400080002f009"),
        ((1, 3, 0x4A38, 2), "01034a38000253de"),
        ((1, 3, 0x23, 1), "01030023000175c0"),
        ((1, 4, 0, 80), "010400000050f036"),
        ((1, 4, 0x0156, 2), "0104015600029027"),
    ):
        assert request(*arguments) == bytes.fromhex(expected), arguments


def test_real_replies_are_good_and_their_data_found():
    for asked, reply, data in (
        ((1, 4, 0, 10), REPLY.hex(), REPLY[3:-2].hex()),
        ((1, 4, 0, 2), "01040443663334" + "1b38", "43663334"),
        ((1, 4, 0, 2), "0104044367af55" + "e210", "4367af55"),
        ((1, 4, 8, 2), "0104044088fa31" + "ed1a", "4088fa31"),
        ((1, 3, 0x4A38, 2), "01030400000000" + "fa33", "00000000"),
        ((1, 3, 0x23, 1), "0103020000" + "b844", "0000"),
        ((2, 3, 0x23, 1), "0203020000" + "fc44", "0000"),
        (
            (1, 4, 0, 8),
            "0104100540000a000d00000002000000000000" + "d629",
            "0540000a000d00000002000000000000",
        ),
        ((1, 4, 0, 6), "01040c436b5ab442dc672042480c63" + "af7c", "436b5ab442dc672042480c63"),
    ):
        wire, port = started(64, 0, request(*asked))
        wire.waiting = bytes.fromhex(reply)
        assert port.poll(80) == "ok", reply
        got = bytes(port.buffer[port.data : port.data + 2 * asked[3]])
        assert got == bytes.fromhex(data), reply


def test_every_beginning_of_a_reply_asks_for_more():
    for end in range(len(REPLY)):
        assert modbus.check_reply(REPLY, 0, end, REQUEST) == "more", end
    assert modbus.check_reply(REPLY, 0, len(REPLY), REQUEST) == "ok"


def test_every_beginning_of_an_echo_asks_for_more():
    for end in range(len(REQUEST)):
        assert modbus.check_reply(REQUEST, 0, end, REQUEST) == "more", end
    assert modbus.check_reply(REQUEST, 0, len(REQUEST), REQUEST) == "echo"


def test_another_address_function_or_length_is_no_reply():
    for start in ("020414", "010314", "010404", "810414", "014414"):
        frame = bytes.fromhex(start) + REPLY[3:]
        assert modbus.check_reply(frame, 0, len(frame), REQUEST) == "noise", start


def test_the_general_address_takes_any_module():
    asked = request(0xF8, 4, 0, 10)
    assert outcome(REPLY, 64, asked) == "ok"
    assert outcome(asked, 64, asked) == "echo"


def test_the_request_goes_out_once_and_the_reply_is_reported_once():
    wire, port = started()
    assert wire.sent == [REQUEST]
    assert port.busy
    assert port.poll(10) is None
    wire.waiting = REPLY
    assert port.poll(80) == "ok"
    assert not port.busy
    assert port.poll(90) is None
    assert wire.sent == [REQUEST]


def test_one_byte_at_a_time_with_any_0_or_1():
    wire = Wire(counts=False)
    port = modbus.ModbusPort(wire, 64)
    port.start(0, REQUEST)
    for i in range(len(REPLY)):
        assert port.poll(70 + i) is None, i
        wire.waiting = REPLY[i : i + 1]
    assert port.poll(100) == "ok"


def test_all_bytes_at_once_with_any_0_or_1():
    wire = Wire(counts=False)
    port = modbus.ModbusPort(wire, 64)
    port.start(0, REQUEST)
    wire.waiting = REPLY
    assert port.poll(80) == "ok"


def test_any_that_promises_a_byte_which_does_not_come():
    wire, port = started()
    wire.any = lambda: 1
    assert port.poll(70) is None
    wire.waiting = REPLY
    assert port.poll(80) == "ok"


def test_silence_times_out_at_the_limit_and_not_before():
    _, port = started()
    assert port.poll(299) is None
    assert port.poll(300) == "timeout"
    assert not port.busy


def test_a_wrap_of_the_ticks_changes_nothing():
    before = PERIOD - 100
    wire, port = started(64, before)
    assert port.poll(PERIOD - 1) is None
    assert port.poll(0) is None
    assert port.poll(199) is None
    assert port.poll(200) == "timeout"
    port.start(before, REQUEST)
    wire.waiting = REPLY
    assert port.poll(20) == "ok"


def test_a_reply_waiting_since_before_a_late_tick_counts():
    wire, port = started()
    wire.waiting = REPLY
    assert port.poll(5000) == "ok"


def test_a_flipped_bit_anywhere_is_never_good():
    for position in range(len(REPLY)):
        for bit in range(8):
            damaged = bytearray(REPLY)
            damaged[position] ^= 1 << bit
            result = outcome(damaged)
            assert result in ("crc", "noise"), (position, bit, result)
            if position > 2:
                assert result == "crc", (position, bit, result)


def test_a_cut_reply_is_noise_at_every_length():
    for end in range(1, len(REPLY)):
        assert outcome(REPLY[:end]) == "noise", end


def test_a_cut_reply_waits_for_its_rest_until_the_limit():
    wire, port = started()
    wire.waiting = REPLY[:20]
    assert port.poll(290) is None
    wire.waiting = REPLY[20:]
    assert port.poll(299) == "ok"


def test_the_echo_alone_is_an_error():
    assert outcome(REQUEST) == "echo"


def test_an_echo_before_the_reply_is_skipped():
    assert outcome(REQUEST + REPLY) == "ok"


def test_a_damaged_echo_before_the_reply_is_skipped():
    assert outcome(REQUEST[:7] + b"\xff" + REPLY) == "ok"


def test_noise_before_the_reply_is_skipped():
    for noise in (b"\x00", b"\xff\xff\x01", b"\x01\x04", b"\x01\x04\x14", b"\x01\x84", REPLY[:24]):
        assert outcome(noise + REPLY) == "ok", noise


def test_a_damaged_reply_before_the_reply_is_skipped():
    damaged = REPLY[:10] + b"\x55" + REPLY[11:]
    assert outcome(damaged + REPLY) == "ok"


def test_noise_longer_than_the_buffer_slides_through():
    assert outcome(bytes(i & 0xFF for i in range(1000)) + REPLY, 40) == "ok"


def test_endless_noise_ends_at_the_limit_and_each_poll_is_bounded():
    wire, port = started()
    taken = [0]

    def readinto(buffer):
        taken[0] += 1
        buffer[0] = 0x55
        return 1

    wire.any = lambda: 1
    wire.readinto = readinto
    assert port.poll(10) is None
    assert taken[0] <= 64
    assert port.poll(300) == "noise"
    port.start(1000, REQUEST)
    assert taken[0] <= 3 * 64


def test_exception_replies_give_their_code():
    for code in (1, 2, 3, 4):
        frame = bytearray((1, 0x84, code, 0, 0))
        crc = modbus.crc16(frame, 0, 3)
        frame[3] = crc & 0xFF
        frame[4] = crc >> 8
        wire, port = started()
        wire.waiting = bytes(frame)
        assert port.poll(10) == "exception", code
        assert port.exception_code == code
        assert not port.busy


def test_the_exception_of_the_data_sheet_is_exact():
    assert outcome(bytes.fromhex("018402c2c1")) == "exception"


def test_an_exception_with_a_bad_crc_is_not_believed():
    assert outcome(bytes.fromhex("018402c2c0")) == "crc"


def test_a_reply_left_from_an_earlier_request_is_not_taken():
    wire = Wire()
    port = modbus.ModbusPort(wire, 64)
    wire.waiting = REPLY
    port.start(0, REQUEST)
    assert port.poll(300) == "timeout"


def test_a_late_answer_that_ends_before_the_new_one_could_is_not_taken():
    wire, port = started()
    assert port.poll(300) == "timeout"
    port.start(310, REQUEST)
    wire.waiting = REPLY
    assert port.poll(344) is None  # the request and 25 bytes take 34.4 ms
    wire.waiting = REPLY
    assert port.poll(345) == "ok"  # its own


def test_the_rest_of_a_late_answer_is_skipped():
    wire, port = started()
    wire.waiting = REPLY[:9]
    assert port.poll(300) == "noise"
    wire.waiting = REPLY[9:12]
    port.start(310, REQUEST)
    wire.waiting = REPLY[12:] + REPLY
    assert port.poll(400) == "ok"
    assert bytes(port.buffer[port.data : port.data + 20]) == REPLY[3:-2]


def test_a_late_answer_of_another_shape_is_skipped():
    asked = request(1, 4, 0x15A, 12)
    body = b"\x01\x04\x18" + bytes(range(24))
    crc = modbus.crc16(body, 0, len(body))
    own = body + bytes((crc & 0xFF, crc >> 8))
    wire, port = started(64, 0, asked)
    wire.waiting = REPLY
    assert port.poll(90) is None
    wire.waiting = own
    assert port.poll(120) == "ok"
    assert bytes(port.buffer[port.data : port.data + 24]) == bytes(range(24))


def test_a_late_answer_of_another_address_is_skipped():
    asked = request(2, 4, 0, 10)
    assert outcome(REPLY, 64, asked) == "noise"


def test_input_left_after_a_noisy_transaction_is_thrown_away():
    wire, port = started()
    wire.waiting = b"\x01" * 63
    assert port.poll(300) == "noise"
    wire.waiting = REPLY
    port.start(1000, REQUEST)
    assert port.poll(1300) == "timeout"


def test_an_idle_port_reports_nothing():
    wire = Wire()
    port = modbus.ModbusPort(wire, 64)
    wire.waiting = REPLY
    assert port.poll(0) is None
    assert not port.busy


def test_a_failure_leaves_no_trace_in_the_next_transaction():
    wire, port = started()
    wire.waiting = REPLY[:24] + b"\x00"
    assert port.poll(300) == "crc"
    port.start(1000, REQUEST)
    assert port.poll(1300) == "timeout"
    port.start(2000, REQUEST)
    wire.waiting = REPLY
    assert port.poll(2080) == "ok"


def test_the_longest_sdm_reply_fits_a_port_of_its_size():
    asked = request(1, 4, 0, 80)
    assert modbus.reply_size(asked) == 165
    reply = bytearray(165)
    reply[:3] = b"\x01\x04\xa0"
    crc = modbus.crc16(reply, 0, 163)
    reply[163] = crc & 0xFF
    reply[164] = crc >> 8
    assert outcome(reply, 165, asked) == "ok"


class Rs485:
    """A UART that counts what leaves it, and the pin beside it, in one history."""

    def __init__(self, done=None):
        self.history = []
        self.waiting = b""
        self.done = done
        if done is not None:
            self.txdone = lambda: self.done

    def any(self):
        return len(self.waiting)

    def readinto(self, buffer):
        buffer[0] = self.waiting[0]
        self.waiting = self.waiting[1:]
        return 1

    def write(self, data):
        self.history.append(bytes(data))

    def direction(self, level):
        self.history.append(level)


def test_the_direction_pin_is_high_2_ms_before_the_request_and_until_its_air_time_is_over():
    wire = Rs485()
    port = modbus.ModbusPort(wire, 64, 300, 9600, wire.direction)
    before = PERIOD - 3
    port.start(before, REQUEST)
    assert wire.history == [1]
    assert port.poll(PERIOD - 2) is None
    assert wire.history == [1]
    assert port.poll(PERIOD - 1) is None
    assert wire.history == [1, REQUEST]
    assert port.poll(7) is None  # 8 ms on the air: the last stop bit is not out
    assert wire.history == [1, REQUEST]
    assert port.poll(8) is None
    assert wire.history == [1, REQUEST, 0]
    wire.waiting = REPLY
    assert port.poll(80) == "ok"
    assert wire.history == [1, REQUEST, 0]


def test_the_direction_pin_waits_for_a_uart_that_knows_when_it_is_done():
    wire = Rs485(done=False)
    port = modbus.ModbusPort(wire, 64, 300, 9600, wire.direction)
    port.start(0, REQUEST)
    port.poll(10)
    port.poll(30)
    assert wire.history == [1, REQUEST]
    wire.done = True
    port.poll(40)
    assert wire.history == [1, REQUEST, 0]


def test_a_uart_that_is_done_too_early_does_not_cut_the_last_byte():
    wire = Rs485(done=True)
    port = modbus.ModbusPort(wire, 64, 300, 2400, wire.direction)
    port.start(0, REQUEST)
    port.poll(10)
    port.poll(43)
    assert wire.history == [1, REQUEST]
    port.poll(44)
    assert wire.history == [1, REQUEST, 0]


def test_the_time_limit_counts_from_the_request_not_from_the_pin():
    wire = Rs485()
    port = modbus.ModbusPort(wire, 64, 300, 9600, wire.direction)
    port.start(0, REQUEST)
    port.poll(50)
    port.poll(60)
    assert port.poll(349) is None
    assert port.poll(350) == "timeout"


def test_the_echo_of_a_module_that_hears_itself_is_skipped():
    wire = Rs485()
    port = modbus.ModbusPort(wire, 64, 300, 9600, wire.direction)
    port.start(0, REQUEST)
    port.poll(10)
    wire.waiting = REQUEST
    assert port.poll(20) is None
    wire.waiting = REPLY
    assert port.poll(90) == "ok"
