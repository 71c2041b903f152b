# Shared by all tests under pytest: the option --full, the marker for tests that run with it only,
# and the paths of the tools.
import pytest

from toolchain import setup


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run the long tests too")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes long, runs with --full only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full"):
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="only with --full"))


@pytest.fixture(scope="session")
def tools():
    """Paths of interpreter, broker and the rest, as `setup.fetch` returns them."""
    return setup.fetch("test")
