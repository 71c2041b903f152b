# An update through a line that breaks, at any byte of it: it goes on where it was, and arrives.
# Also behind a broker that drops large messages without a word.
import threading
import time

import pytest
from rig import patched_code
from update_under_test import UpdateUnderTest, bundle_of
from updating import keys, push

from host_tests.support import proxy as faults
from host_tests.support.compiled import compiled_tree
from host_tests.support.proxy import TO_BROKER, TO_NODE, FaultProxy, Plan, packet_ends

WORKERS, WORKERS_FULL = 3, 8
BACK_S = 10.0
TICK_GAP_MS = 1000
# The small bundle goes in blocks of 600 bytes, above the 512 of the receive buffer, and the last
# one below; the large one in blocks of 4,096. Three each.
SMALL, LARGE = 1400, 9000
UPDATER, BLOCKS = "firmware/ota/updater.py", "firmware/ota/blocks.py"
SMALL_BLOCKS = {UPDATER: [("_SMALL_BLOCK_BYTES = const(2048)", "_SMALL_BLOCK_BYTES = const(600)")]}
IMPATIENT = {BLOCKS: [("_WAIT_MS = const(5000)", "_WAIT_MS = const(500)")]}


class Made:
    """What is sent in these tests, and the code that takes it."""

    def __init__(self, tools, folder):
        self._tools = tools
        self._folder = folder
        keys.generate(folder / "keys")
        self.key_file = folder / "keys" / "keys.bin"
        self.small = bundle_of(SMALL, folder / "keys")
        self.large = bundle_of(LARGE, folder / "keys")

    def code(self, name, patches):
        """The code with these changes."""
        folder = self._folder / name
        folder.mkdir()
        return patched_code(folder, patches)

    def compiled(self, name, patches):
        """The same as .mpy: it is loaded again for each update."""
        return compiled_tree(self._tools.mpy_cross, self._folder / (name + "-mpy"),
                             self.code(name, patches))


@pytest.fixture(scope="module")
def made(tools, tmp_path_factory):
    return Made(tools, tmp_path_factory.mktemp("updates"))


@pytest.fixture(scope="module")
def code(made):
    return made.compiled("small-blocks", SMALL_BLOCKS)


class Line:
    """A node behind a fault proxy; each `cut` adds what went wrong to `violations`."""

    def __init__(self, tools, broker, made, code, bundle, keepalive_s=60):
        self.proxy = FaultProxy(broker.host, broker.port)
        self.bundle = bundle
        self.node = UpdateUnderTest(
            tools.micropython32, broker, code, made.key_file, self.proxy.port,
            chip="esp8266" if bundle is made.small else "esp32", keepalive_s=keepalive_s)
        self.violations = []
        self.points = 0
        self._updates = 0

    def close(self):
        self.proxy.close()
        self.node.close()

    def record(self):
        """The bytes of a whole update, {direction: bytes}, until all blocks are there. What the
        node tells after that depends on time: news replace what has not left yet."""
        before = self.quiet()
        self.update()
        self.quiet()
        recorded = {direction: bytes(data[before[direction]:])
                    for direction, data in self.proxy.last.passed.items()}
        said = recorded[TO_BROKER]
        last_request = said.rindex(b'"need"')
        end = next(end for end in packet_ends(said) if end > last_request)
        return dict(recorded, **{TO_BROKER: said[:end]})

    def cut(self, kind, direction, at_byte, again=None, **options):
        """An update with that fault after `at_byte` bytes of it; again: the session after it meets
        the same fault after so many bytes."""
        self.points += 1
        where = "%s %s at byte %d%s" % (kind, direction, at_byte,
                                        "" if again is None else ", then at %d" % again)
        try:
            at = self.quiet()[direction] + at_byte
            connection = self.proxy.last
            if again is not None:
                self.proxy.plans.append(Plan(kind, direction, again))
            connection.plan = Plan(kind, direction, at, **options)
            self.update()
            self.proxy.wait("the fault", lambda: connection.fault_s)
            assert not self.proxy.plans, "there was no second session"
            if kind == faults.STALL:
                connection.fault_s = None  # the session goes on, and may stall again
        except (AssertionError, TimeoutError) as error:
            self.violations.append("%s: %s\n    %s" % (
                where, error, "\n    ".join(self.node.log[-4:])))
            self.proxy.plans.clear()

    def update(self):
        """Offer the bundle, serve its blocks, and wait until the node has it."""
        hub = self.node.hub
        after = hub.mark()
        self._updates += 1
        push(self.node, self.bundle, "u%05d" % self._updates)  # all of the same length
        version = self.node.wait("restart", 20)["version"]
        assert version and version["id"] == self.bundle[1]["bundle"][:8], version
        answers = [m.json for m in hub.seen("response/ota", after)]
        # A block that was asked for before the fault may come after it, and then twice, since it
        # is asked for again. There is no other answer before the restart.
        ended = [answer for answer in answers if answer["status"] != "progress"
                 and answer["error"]["code"] != "unexpected_block"]
        assert not ended, ended
        # A fault costs the block that was under way, not those before.
        asked = [answer["result"]["need"]["offset"] for answer in answers
                 if "need" in (answer["result"] or ())]
        assert asked == sorted(asked), asked

    def quiet(self):
        """Wait until all that the node has sent is through; {direction: bytes of this session}."""
        deadline = time.monotonic() + BACK_S
        while True:
            event, session = self.node.events[-1], self.proxy.last
            if event["event"] in ("connected", "restart") and session.fault_s is None \
                    and event["sent"] <= len(session.passed[TO_BROKER]):  # more are pings
                return {direction: len(data) for direction, data in session.passed.items()}
            assert time.monotonic() < deadline, "%s, %d bytes of it have passed" % (
                event, len(session.passed[TO_BROKER]))
            time.sleep(0.002)


def enumerate_faults(new_line, workers, choose, capsys):
    """Fail at all points that `choose(recorded)` names, (kind, direction, at_byte, options of
    `cut`) each, and print the result."""
    lines = []
    try:
        for _ in range(workers):
            lines.append(new_line())
        points = choose(lines[0].record())
        remaining = iter(points)

        def work(line):
            for kind, direction, at, options in remaining:  # each is taken by one thread
                line.cut(kind, direction, at, **options)

        threads = [threading.Thread(target=work, args=(line,)) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for line in lines:
            line.close()
    violations = [text for line in lines for text in line.violations]
    gap_ms = max(event["longest_gap_ms"] for line in lines for event in line.node.events)
    with capsys.disabled():
        print("\n%d fault points, %d violations (of an update; ticks %d ms apart)" % (
            len(points), len(violations), gap_ms))
    assert sum(line.points for line in lines) == len(points)
    assert not violations, "\n".join(violations)
    assert gap_ms < TICK_GAP_MS


@pytest.fixture
def new_line(tools, broker, made, code):
    return lambda bundle=None, **options: Line(tools, broker, made, code, bundle or made.small,
                                               **options)


def at_packets(recorded):
    """Just before the end of each packet, and at it: block boundaries are among them."""
    points = []
    for direction in (TO_BROKER, TO_NODE):
        for end in packet_ends(recorded[direction]):
            points += [(faults.FIN, direction, end - 1, {}), (faults.RST, direction, end, {})]
    return points


def every(step, recorded, kinds=(faults.FIN, faults.RST), **options):
    """Every `step` bytes, both ways."""
    return [(kind, direction, at, options) for direction in (TO_BROKER, TO_NODE)
            for kind in kinds for at in range(0, len(recorded[direction]) + 1, step)]


def test_an_update_cut_at_its_packets_and_between(new_line, capsys):
    enumerate_faults(new_line, WORKERS,
                     lambda recorded: at_packets(recorded) + every(149, recorded), capsys)


def test_an_update_in_large_blocks_cut_at_its_packets(new_line, made, capsys):
    enumerate_faults(lambda: new_line(made.large), WORKERS, at_packets, capsys)


def test_an_update_that_stalls(new_line, capsys):
    def stalls(recorded):
        return every(211, recorded, [faults.STALL], stall_s=0.3)
    enumerate_faults(new_line, WORKERS, stalls, capsys)


def test_an_update_a_byte_at_a_time(new_line, made):
    line = new_line(made.large)
    try:
        line.proxy.plan = Plan(slice_bytes=1)
        line.proxy.last.cut()
        line.node.wait("disconnected")
        line.node.wait("connected")
        line.update()
        assert len(line.proxy.connections) == 2
    finally:
        line.close()


@pytest.mark.full
def test_an_update_cut_at_every_byte(new_line, capsys):
    enumerate_faults(new_line, WORKERS_FULL, lambda recorded: every(1, recorded), capsys)


@pytest.mark.full
def test_an_update_in_large_blocks_cut_at_many_bytes(new_line, made, capsys):
    enumerate_faults(lambda: new_line(made.large), WORKERS_FULL,
                     lambda recorded: every(37, recorded), capsys)


@pytest.mark.full
def test_an_update_cut_twice(new_line, capsys):
    def twice(recorded):
        # The second time from the CONNECT on, up to the middle of a block.
        return [(kind, direction, at, {"again": again}) for direction in (TO_BROKER, TO_NODE)
                for kind in (faults.FIN, faults.RST)
                for at in range(len(recorded[direction]) // 2, 0, -97)
                for again in (1, 30, 70, 180, 260)]
    enumerate_faults(new_line, WORKERS_FULL, twice, capsys)


@pytest.mark.full
def test_an_update_through_half_open_connections(new_line, capsys):
    # Noticed after 1.5 x 2 s without a word, or 10 s without an acknowledgement.
    enumerate_faults(lambda: new_line(keepalive_s=2), WORKERS_FULL,
                     lambda recorded: every(401, recorded, [faults.HALF_OPEN]), capsys)


# Brokers may be set up to drop what is larger than 1,024 bytes, and tell nobody.


def through_a_narrow_broker(tools, own_broker, made, code, timeout_s):
    broker = own_broker(config_lines=["message_size_limit 1024"]).start()
    node = UpdateUnderTest(tools.micropython32, broker, code, made.key_file)
    try:
        push(node, made.large)
        version = node.wait("restart", timeout_s)["version"]
        assert version["id"] == made.large[1]["bundle"][:8]
        asked = [m.json["result"]["need"] for m in node.hub.seen("response/ota")
                 if "need" in m.json["result"]]
    finally:
        node.close()
    size = made.large[1]["size"]
    assert [need["bytes"] for need in asked] == \
        [4096, 4096, 2048, 2048, 1024, 1024] + [960] * (size // 960) + [size % 960]
    assert [need["offset"] for need in asked] == [0] * 6 + list(range(0, size, 960))


def test_a_broker_that_drops_what_is_above_1024_bytes(tools, own_broker, made):
    through_a_narrow_broker(tools, own_broker, made, made.code("impatient", IMPATIENT), 20)


@pytest.mark.full
def test_a_broker_that_drops_with_the_waits_as_they_are(tools, own_broker, made):
    through_a_narrow_broker(tools, own_broker, made, made.code("plain", {}), 60)
