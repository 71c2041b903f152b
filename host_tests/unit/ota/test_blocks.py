"""Blocks: the one that was asked for is taken; the node asks again, for smaller ones, or gives
up."""

from hashlib import sha256

from firmware.mqtt.commands import Refused
from firmware.ota import blocks
from firmware.ota.blocks import Blocks
from host_tests.unit.fakes import Patched, Ticks
from host_tests.unit.ota.update_bench import Session, Stream

BUNDLE = bytes([n * 7 % 251 for n in range(10000)])
ID = b"\xa1\xb2\xc3\xd4"


def block(at, n, data=None, start=b"\xb1\x01\x00\x10", name=ID, length=None, tag=None):
    if data is None:
        data = BUNDLE[at:at + n]
    length = len(data) if length is None else length
    return start + name + at.to_bytes(4, "big") + length.to_bytes(2, "big") \
        + (sha256(data).digest()[:2] if tag is None else tag) + data


class Bench:
    """Drives `Blocks`; `asked` are its requests (ms since the start, offset, n)."""

    def __init__(self, size=10000, most=4096, have=0):
        self.ticks = Ticks()
        self.stream = Stream()
        self.session = Session()
        self.asked = []
        self.data = BUNDLE[:have]
        self.error = None
        self._since_ms = self.ticks.now_ms
        with Patched(blocks, ticks_ms=self.ticks):
            self.blocks = Blocks(ID + bytes(28), size, most, self.stream, self.session, self._ask)
        self.coming = self.blocks.pieces(lambda: len(self.data))
        self.step()

    def _ask(self, offset, n):
        past_ms = blocks.ticks_diff(self.ticks.now_ms, self._since_ms)
        self.asked.append((past_ms, offset, n))

    def step(self, ms=0):
        """Whether it still goes on."""
        self.ticks.sleep(ms)
        with Patched(blocks, ticks_ms=self.ticks):
            try:
                piece = next(self.coming)
            except StopIteration:
                return False
            except Refused as e:
                self.error = e.args[0]
                return False
        if piece is not None:
            self.data += bytes(piece)
        return True

    def wait(self, ms, step_ms=100):
        for _ in range(0, ms, step_ms):
            if not self.step(step_ms):
                break

    def receive(self, payload, size=None):
        with Patched(blocks, ticks_ms=self.ticks):
            return self.blocks.receive(payload, len(payload) if size is None else size)

    def answer(self):
        """Send what was asked for last."""
        assert self.receive(block(*self.asked[-1][1:]))
        self.step()  # takes it
        return self.step()  # asks for the next one

    @property
    def sizes(self):
        return [n for _, _, n in self.asked]


def test_one_block_after_the_other_until_all_is_there():
    bench = Bench()
    while bench.answer():
        pass
    assert bench.data == BUNDLE and bench.error is None
    assert [request[1:] for request in bench.asked] == [(0, 4096), (4096, 4096), (8192, 1808)]


def test_the_bytes_of_a_block():
    bench = Bench(3)
    # sha256(b"abc") begins with ba 78.
    assert bench.receive(b"\xb1\x01\x00\x10\xa1\xb2\xc3\xd4\x00\x00\x00\x00\x00\x03\xba\x78abc")
    bench.step()
    assert bench.data == b"abc"


def test_a_block_may_come_as_bytearray():
    bench = Bench()
    assert bench.receive(bytearray(block(0, 4096)))
    bench.step()
    assert bench.data == BUNDLE[:4096]


def test_nothing_else_is_taken():
    bench = Bench()
    good = block(0, 4096)
    wrong = [
        block(0, 4096, name=b"\xa1\xb2\xc3\xd5"), block(1, 4096), block(4096, 4096),
        block(0, 4096, length=4095), block(0, 4096, length=0), block(0, 4096, tag=b"\0\0"),
        block(0, 4096, start=b"\xb1\x02\x00\x10"), block(0, 4096, start=b"\xb1\x01\x01\x10"),
        block(0, 4096, start=b"\xb1\x01\x00\x11"), block(0, 4096, start=b"\xb2\x01\x00\x10"),
        block(0, 4095), block(0, 4097), block(0, 0), good[:-1], good + b"\0", good[:16], good[:3],
        good[:-1] + bytes([good[-1] ^ 1]),
        b'{"action": "status"' + b" " * (4096 + 16 - 20) + b"}",
    ]
    for payload in wrong:
        assert not bench.receive(payload), payload[:24]
    bench.step()
    assert bench.data == b"" and len(bench.asked) == 1
    assert bench.answer() and bench.data == BUNDLE[:4096]


def test_a_block_is_taken_once():
    bench = Bench()
    assert bench.receive(block(0, 4096))
    assert not bench.receive(block(0, 4096))
    bench.step()
    bench.step()
    assert not bench.receive(block(0, 4096))
    assert bench.data == BUNDLE[:4096] and bench.asked[-1][1] == 4096


def test_it_goes_on_where_it_was():
    bench = Bench(have=5000)
    assert bench.asked[-1][1:] == (5000, 4096)
    while bench.answer():
        pass
    assert bench.data == BUNDLE


def test_the_limit_of_the_stream_has_room_for_the_header_as_long_as_blocks_come():
    for end in ("all there", "closed", "stalled"):
        bench = Bench(900)
        assert bench.stream.limit == 4096 + 16
        if end == "all there":
            assert not bench.answer()
        elif end == "closed":
            bench.coming.close()
        else:
            bench.wait(2000000, 5000)
            assert bench.error == "stalled"
        assert bench.stream.limit == 4096
        assert not bench.receive(block(0, 900))


def test_after_5_s_it_asks_again_and_after_the_second_time_for_half():
    bench = Bench()
    bench.wait(26000)
    assert bench.asked == [(0, 0, 4096), (5000, 0, 4096), (10000, 0, 2048), (15000, 0, 2048),
                           (20000, 0, 1024), (25000, 0, 1024)]
    bench.wait(10000)
    assert bench.sizes[6:] == [960, 960]
    while bench.answer():
        pass
    assert bench.data == BUNDLE
    assert bench.sizes[8:] == [960] * 9 + [10000 - 10 * 960]


def test_an_answer_in_between_starts_the_count_again():
    bench = Bench()
    for _ in range(2):
        bench.wait(5000)
        bench.answer()
    assert bench.sizes == [4096, 4096, 4096, 4096, 1808]


def test_a_block_of_the_size_before_is_not_taken_any_more():
    bench = Bench()
    bench.wait(10000)
    assert bench.asked[-1][2] == 2048
    assert not bench.receive(block(0, 4096))
    assert bench.answer()


def test_the_waits_grow_to_a_minute_and_after_32_it_gives_up():
    bench = Bench(3000, 960)
    bench.wait(2000000, 1000)
    times_s = [ms // 1000 for ms, _, _ in bench.asked]
    assert times_s[:9] == [0, 5, 10, 15, 25, 45, 85, 145, 205]
    assert len(times_s) == 32 and bench.error == "stalled"
    assert {after - before for before, after in zip(times_s[7:], times_s[8:])} == {60}


def test_a_new_session_asks_at_once_and_does_not_count():
    bench = Bench(3000, 960)
    for _ in range(50):
        bench.session.connects += 1
        bench.step(4000)
    assert len(bench.asked) == 51 and bench.error is None
    assert bench.receive(block(0, 960))


def test_a_new_sender_is_asked_at_once():
    bench = Bench()
    bench.wait(9900)
    with Patched(blocks, ticks_ms=bench.ticks):
        bench.blocks.again()
    bench.wait(9900)
    assert bench.asked == [(0, 0, 4096), (5000, 0, 4096), (9900, 0, 4096), (14900, 0, 4096)]
    bench.answer()
    bench.receive(block(4096, 4096))
    with Patched(blocks, ticks_ms=bench.ticks):
        bench.blocks.again()  # nothing is awaited now
    assert len(bench.asked) == 5


def test_without_memory_for_a_block_it_asks_for_half_at_once():
    bench = Bench()
    assert bench.receive(None, 4096 + 16)
    bench.step()
    assert bench.asked == [(0, 0, 4096), (0, 0, 2048)]
    assert bench.answer()


def test_what_found_no_memory_was_no_block_if_it_has_another_size():
    bench = Bench()
    for size in (4096, 4096 + 17, 20480, 0):
        assert not bench.receive(None, size)
    bench.step()
    assert len(bench.asked) == 1


def test_without_memory_for_the_smallest_block_it_waits():
    bench = Bench(5000, 960)
    assert bench.receive(None, 960 + 16)
    bench.wait(4900)
    assert len(bench.asked) == 1
    bench.wait(100)
    assert bench.sizes == [960, 960]
