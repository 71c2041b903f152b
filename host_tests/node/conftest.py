# What the node tests share: tools, brokers, nodes, and the node's log beside every failure.
# Everything here is real: MicroPython (i386, with the chips' word size), Mosquitto, sockets.
import contextlib

import pytest
from link_under_test import LinkUnderTest
from rig import Rig

from host_tests.support.broker import Broker, held_port
from host_tests.support.scripted_broker import ScriptedBroker
from host_tests.support.sntp_server import SntpServer

_LOG_LINES = 60
_LOG_CHARS = 240
_speakers = []  # (name, object with `log`): what to show when a test fails


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for name, speaker in _speakers:
            lines = [line[:_LOG_CHARS] for line in speaker.log[-_LOG_LINES:]]
            report.sections.append((f"log of the {name}", "\n".join(lines)))


@contextlib.contextmanager
def shown(name, speaker):
    """While this lasts, a failing test shows the log of `speaker`."""
    _speakers.append((name, speaker))
    try:
        yield speaker
    finally:
        _speakers.remove((name, speaker))


@pytest.fixture(scope="session")
def broker(tools):
    """The Mosquitto of all tests that need no broker of their own."""
    with Broker(tools.mosquitto) as one:
        yield one


@pytest.fixture
def dead_port():
    """A port where nobody listens."""
    with held_port() as held:
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def sntp():
    with SntpServer() as server:
        yield server


@pytest.fixture
def own_broker(tools):
    """own_broker(**options) makes a Mosquitto that a test may kill; it is not started."""
    with contextlib.ExitStack() as stack:

        def make(**options):
            one = Broker(tools.mosquitto, **options)
            stack.callback(one.close)
            return stack.enter_context(shown("broker", one))

        yield make


def _rigs(tools, broker, sntp):
    """Makes nodes, and closes them when the fixture ends."""
    with contextlib.ExitStack() as stack:

        def make(broker=broker, settings=None, **board_options):
            rig = Rig(tools.micropython32, broker, sntp, settings or {}, **board_options)
            stack.callback(rig.close)
            stack.enter_context(shown("node " + rig.prefix, rig.board))
            return rig

        yield make


@pytest.fixture
def new_node(tools, broker, own_broker, sntp):
    """new_node(broker=, settings=, **board options): a Rig for this test alone, still off."""
    # It ends before the brokers do: a hub whose broker has gone takes a second to leave.
    yield from _rigs(tools, broker, sntp)


@pytest.fixture(scope="module")
def module_node(tools, broker, sntp):
    """As new_node, for a node that lives as long as its test file."""
    yield from _rigs(tools, broker, sntp)


@pytest.fixture(scope="module")
def bundles(tools):
    """Makes signed updates of this tree, with keys of its own."""
    from updating import Bundles

    made = Bundles(tools)
    yield made
    made.close()


@pytest.fixture(scope="session")
def hasty(tmp_path_factory):
    """Code of a node that updates with short times."""
    from rig import patched_code
    from updating import HASTY

    return patched_code(tmp_path_factory.mktemp("hasty"), HASTY)


@pytest.fixture
def scripted():
    """A broker that says what the test tells it to."""
    with ScriptedBroker() as one:
        yield one


@pytest.fixture
def link(tools, scripted):
    """link(**options) starts the firmware's link against the scripted broker."""
    with contextlib.ExitStack() as stack:

        def start(port=scripted.port, **options):
            one = LinkUnderTest(tools.micropython32, port, **options)
            stack.callback(one.close)
            return stack.enter_context(shown("link", one))

        yield start
