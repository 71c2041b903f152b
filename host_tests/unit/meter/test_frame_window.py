"""The window that slides over a UART's bytes."""

from firmware.meter.frame_window import FrameWindow


class Wire:
    def __init__(self, waiting):
        self.waiting = waiting

    def any(self):
        return len(self.waiting)

    def readinto(self, buffer):
        buffer[0] = self.waiting[0]
        self.waiting = self.waiting[1:]
        return 1


def test_it_fills_with_what_there_is_and_no_more():
    wire = Wire(b"ab")
    window = FrameWindow(wire, 4, b"a")
    assert not window.fill() and window.end == 2
    wire.waiting = b"cde"
    assert window.fill() and bytes(window.buffer) == b"abcd"
    assert window.fill() and wire.waiting == b"e"


def test_it_slides_to_the_next_possible_beginning():
    window = FrameWindow(Wire(b"axbya12345"), 5, b"ab")
    for expected in (b"axbya", b"bya12", b"a1234"):
        assert window.fill() and bytes(window.buffer) == expected
        window.slide()
    assert window.end == 0
    assert not window.fill() and window.buffer[:1] == b"5"


def test_it_keeps_no_byte_that_cannot_begin_a_frame():
    window = FrameWindow(Wire(b"axx"), 3, b"a")
    window.fill()
    window.slide()
    assert window.end == 0


def test_flushing_empties_line_and_window():
    wire = Wire(b"abcdefghi")
    window = FrameWindow(wire, 4, b"a")
    window.flush()
    assert wire.waiting == b"" and window.end == 0


def test_a_line_that_says_there_is_something_and_gives_nothing_ends_it():
    wire = Wire(b"a")
    wire.readinto = lambda buffer: None
    assert not FrameWindow(wire, 4, b"a").fill()
