# What the portal tests share: a portal on real MicroPython, a real browser, a real broker.
import contextlib

import pytest
from browser import Browser
from portal_node import PortalNode

from host_tests.support.broker import Broker
from toolchain import setup

_running = []  # the portals of the test


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for portal in _running:
            report.sections.append(("log of the portal", "\n".join(portal.log[-60:])))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    with contextlib.closing(Browser(*setup.browser(), tmp_path_factory.mktemp("profile"))) as one:
        yield one


@pytest.fixture
def browser(chromium):
    """The browser, on an empty page as wide as a phone; complaints of its own fail the test."""
    chromium.look(390, 844)
    chromium.open("about:blank")
    chromium.problems()
    return chromium


@pytest.fixture
def portal(tools, tmp_path):
    """portal(**options) starts a `PortalNode`."""
    with contextlib.ExitStack() as stack:

        def start(**options):
            one = PortalNode(tools.micropython32, tmp_path, **options)
            stack.callback(one.close)
            _running.append(one)
            return one

        yield start
        _running.clear()


@pytest.fixture(scope="session")
def broker(tools):
    """A broker that only lets Ann in."""
    with Broker(tools.mosquitto, users={"ann": "secret one"}) as one:
        yield one
