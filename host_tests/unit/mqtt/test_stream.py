"""The socket as umqtt sees it, over a line that gives and takes what the test says."""

import select

from firmware.mqtt.line import ProtocolError
from firmware.mqtt.stream import OVERSIZE, PUBACK, SUBACK, Stream
from firmware.rhythm import Rhythm
from host_tests.unit.fakes import raised


class Scripted(Stream):
    """`comes`: what each look at the socket finds, None for nothing; `left`: what was sent."""

    def __init__(self, *comes, payload_limit=4096):
        super().__init__(Rhythm(lambda now_ms: None), None, payload_limit)
        self.comes = list(comes)
        self.left = []
        self.waits = []

    def _receive(self, into):
        data = self.comes.pop(0)
        if data is None:
            return None
        n = min(len(data), len(into))
        into[:n] = data[:n]
        if n < len(data):
            self.comes.insert(0, data[n:])
        return n

    def _send(self, view, n):
        self.left.append(bytes(view[:n]))

    def _wait(self, flags):
        self.waits.append(flags)


def header_of(stream, first):
    """What umqtt does with the first byte of a packet."""
    assert stream.read(1) == first
    stream.setblocking(True)


def test_writes_leave_together_before_the_read_and_the_answer_is_waited_for():
    stream = Scripted(b"\x40\x02\x00\x07")
    stream.write(bytearray(b"\x32\x05\x00\x00"), 2)
    stream.write(b"\x00\x01t")
    stream.write(b"\x00\x07")
    assert stream.left == []
    assert stream.read(4) == b"\x40\x02\x00\x07"
    assert stream.left == [b"\x32\x05\x00\x01t\x00\x07"]
    assert stream.waits == [select.POLLIN]


def test_what_does_not_fit_beside_the_rest_leaves_after_it():
    stream = Scripted()
    for size in (700, 700, 1300, 3):
        assert stream.write(b"%d" % (size % 7) * size) == size
    stream.flush()
    assert stream.left == [b"0" * 700, b"0" * 700, b"5" * 1300, b"3" * 3]


def test_the_first_bytes_only_of_more_than_the_buffer_takes():
    stream = Scripted()
    stream.write(b"ab" + bytes(1400), 2)
    stream.write(b"c" * 2000, 1300)
    stream.flush()
    assert stream.left == [b"ab", b"c" * 1300]


def test_a_look_takes_in_what_is_there_and_nothing_else():
    stream = Scripted(None, b"\xd0", b"\x00")
    assert not stream.look()
    assert stream.look()
    assert stream.look() and len(stream.comes) == 1  # it is still there
    header_of(stream, b"\xd0")
    assert stream.pongs == 1
    assert stream.read(1) == b"\x00"


def test_a_look_that_finds_a_packet_leaves_the_acknowledgements_to_be_joined():
    stream = Scripted(b"\x30\x30", None)
    assert stream.look()
    assert stream.read(1) == b"\x30"
    stream.write(b"\x40\x02\x00\x01")
    assert stream.look() and stream.left == []
    stream.read(1)
    assert not stream.look() and stream.left == [b"\x40\x02\x00\x01"]


def test_an_acknowledgement_is_left_to_umqtt_only_while_it_waits_for_it():
    stream = Scripted(b"\x40\x02\x00\x01", b"\x40\x02\x00\x02\x30")
    stream.begin(1000, PUBACK)
    header_of(stream, b"\x40")
    assert stream.read(3) == b"\x02\x00\x01"
    stream.begin(1000, SUBACK)
    header_of(stream, b"\x40")
    header_of(stream, b"\x30")
    assert stream.header == 0x30


def test_packets_that_a_broker_does_not_send_are_refused():
    for first in (b"\x00", b"\x10", b"\x82", b"\xc0", b"\xf0"):
        stream = Scripted(first)
        stream.begin(1000)
        assert stream.read(1) == first
        assert raised(ProtocolError, stream.setblocking, True) is not None, first


def test_the_limit_may_be_raised_and_set_back():
    big = b"x" * 600
    stream = Scripted(big, big, big, payload_limit=599)
    assert stream.read(600) is OVERSIZE and stream.oversize == 600
    stream.limit = 600
    assert stream.read(600) == big
    stream.limit = 599
    assert stream.read(600) is OVERSIZE
