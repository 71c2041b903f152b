# Tests of the simulator's serial line: when bytes arrive, and what reaches a device.
from host_tests.simulator.modules.virtual.serial_line import SerialLine

REQUEST = b"\x01\x04\x00\x00\x00\x0a\x70\x0d"
ANSWER = bytes(range(25))


class Device:
    baudrate = 9600

    def __init__(self, answer=ANSWER):
        self.frames = []
        self._answer = answer

    def answer(self, frame):
        self.frames.append(frame)
        return self._answer


def receive_all(line, start_ms, end_ms):
    """[(ms, bytes)] of everything that arrives in this time, looked at each millisecond."""
    arrived = []
    for now_ms in range(start_ms, end_ms):
        data = line.receive(now_ms)
        if data:
            arrived.append((now_ms, data))
    return arrived


def test_answer_comes_byte_by_byte_within_a_real_round_trip():
    for _ in range(50):
        line = SerialLine([Device()])
        line.write(REQUEST, 9600, 1000)
        arrived = receive_all(line, 1000, 1300)
        assert b"".join(data for _, data in arrived) == ANSWER
        assert max(len(data) for _, data in arrived) == 1
        last_ms = arrived[-1][0] - 1000
        assert 70 <= last_ms <= 126
        assert 24 <= arrived[-1][0] - arrived[0][0] <= 26


def test_request_in_pieces_is_one_frame_while_no_silence_separates_them():
    device = Device()
    line = SerialLine([device])
    line.write(REQUEST[:3], 9600, 0)
    line.write(REQUEST[3:], 9600, 2)
    receive_all(line, 2, 200)
    assert device.frames == [REQUEST]


def test_silence_ends_a_frame():
    device = Device()
    line = SerialLine([device])
    line.write(REQUEST[:3], 9600, 0)
    receive_all(line, 0, 20)
    line.write(REQUEST[3:], 9600, 20)
    receive_all(line, 20, 200)
    assert device.frames == [REQUEST[:3], REQUEST[3:]]


def test_wrong_baud_rate_reaches_nobody():
    device = Device()
    line = SerialLine([device])
    line.write(REQUEST, 4800, 0)
    assert receive_all(line, 0, 300) == []
    assert device.frames == []


def test_no_answer_gives_empty_bytes():
    line = SerialLine([Device(None)])
    line.write(REQUEST, 9600, 0)
    assert receive_all(line, 0, 300) == []
    assert line.receive(300) == b""


def test_echo_follows_the_request_at_once():
    line = SerialLine([Device(REQUEST)])
    line.write(REQUEST, 9600, 0)
    arrived = receive_all(line, 0, 300)
    assert arrived[-1][0] <= 20


def test_two_answers_at_once_garble_each_other():
    line = SerialLine([Device(b"\x0f\xff"), Device(b"\xf1\x55\x07")])
    line.write(REQUEST, 9600, 0)
    arrived = receive_all(line, 0, 300)
    assert b"".join(data for _, data in arrived) == b"\x01\x55\x07"


def test_bytes_left_in_the_line_come_in_one_piece_later():
    line = SerialLine([Device()])
    line.write(REQUEST, 9600, 0)
    line.receive(20)
    assert line.receive(1000) == ANSWER


class Pusher:
    """A device that says ANSWER every 100 ms."""

    baudrate = 4800
    parity = 0

    def push(self, now_ms):
        return ANSWER if now_ms % 100 == 0 else None


def test_a_parity_bit_takes_its_time():
    line = SerialLine([Pusher()])
    arrived = receive_all(line, 1000, 1100)
    assert b"".join(data for _, data in arrived) == ANSWER
    assert arrived[0][0] in (1002, 1003)  # 11 bits at 4800 baud take 2.3 ms
    assert arrived[-1][0] == 1000 + 25 * 11000 // 4800 + 1


def test_frames_that_were_pushed_meanwhile_all_arrive():
    line = SerialLine([Pusher()])
    assert line.receive(950) == b""
    assert line.receive(1470) == 5 * ANSWER
    assert line.receive(1490) == b""
    assert line.receive(60000)[-25:] != ANSWER  # long ago: nothing holds so much
    assert line.receive(60099) == ANSWER


def test_what_is_sent_to_a_pusher_is_lost():
    line = SerialLine([Pusher()])
    line.write(REQUEST, 4800, 1000)
    assert b"".join(data for _, data in receive_all(line, 1000, 1100)) == ANSWER


def test_a_device_may_answer_at_once():
    device = Device()
    device.think_ms = (0, 1)
    line = SerialLine([device])
    line.write(REQUEST, 9600, 0)
    arrived = receive_all(line, 0, 100)
    assert b"".join(data for _, data in arrived) == ANSWER
    assert arrived[-1][0] in (35, 36)  # 8 and 25 characters
