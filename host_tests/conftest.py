# Shared by all tests under pytest: the option --full and the paths of the tools.
# Node tests take `tools` and ask `request.config.getoption("--full")`.
import pytest

from toolchain import setup


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run the long tests too")


@pytest.fixture(scope="session")
def tools():
    """Paths of interpreter, broker and the rest, as `setup.fetch` returns them."""
    return setup.fetch("test")
