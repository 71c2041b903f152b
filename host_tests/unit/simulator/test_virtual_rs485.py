# Tests of the simulator's RS485 transceiver: only what its direction pin lets through passes.
from host_tests.simulator.modules.virtual.rs485 import Transceiver
from host_tests.simulator.modules.virtual.serial_line import SerialLine

REQUEST = bytes.fromhex("01040000000a700d")


class Device:
    baudrate = 9600

    def __init__(self):
        self.frames = []

    def answer(self, frame):
        self.frames.append(frame)
        return b"abc"


class Bus:
    """A transceiver with its pin."""

    def __init__(self):
        self.device = Device()
        self.level = 0
        self.line = Transceiver(SerialLine([self.device]), lambda: self.level)

    def set(self, level, now_ms):
        self.line.pin_changes(now_ms)
        self.level = level

    def heard(self, begin_ms, end_ms):
        return b"".join([self.line.receive(now_ms) for now_ms in range(begin_ms, end_ms)])


def test_a_request_inside_the_drive_time_is_answered():
    bus = Bus()
    bus.set(1, 0)
    assert bus.line.write(REQUEST, 9600, 2) == 11
    bus.set(0, 11)
    assert bus.heard(11, 300) == b"abc"
    assert bus.device.frames == [REQUEST]
    assert bus.line.baudrate == 9600


def test_a_request_without_drive_is_lost():
    bus = Bus()
    bus.line.write(REQUEST, 9600, 2)
    assert bus.heard(2, 300) == b""
    assert bus.device.frames == []


def test_a_request_cut_at_its_end_is_lost():
    bus = Bus()
    bus.set(1, 0)
    bus.line.write(REQUEST, 9600, 2)
    bus.set(0, 10)
    assert bus.heard(10, 300) == b""
    assert bus.device.frames == []


def test_an_answer_is_not_heard_while_the_pin_is_held():
    bus = Bus()
    bus.set(1, 0)
    bus.line.write(REQUEST, 9600, 2)
    assert bus.heard(2, 300) == b""
    assert bus.device.frames == [REQUEST]
