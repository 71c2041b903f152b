# A broker, a signed bundle, scripts/nodectl as a process, and nodes that do as the test says.
import itertools
import os
import random
import subprocess
import time

import pytest
from process import Process, own
from scripted_node import ScriptedNode

from bundling import chip
from host_tests.support.broker import Broker
from toolchain import setup

chip.install()

HOMES = itertools.count()


@pytest.fixture(scope="session")
def broker(tools):
    with Broker(tools.mosquitto) as broker:
        yield broker


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """(path, payload, offer) of a bundle of 10,000 bytes, with a signature of nobody."""
    from bundling import container

    payload = random.Random(5).randbytes(10000)
    offer = container.offer(payload, "1.4.0", 7, ("esp32", "esp8266"), 6)
    offer.update(key="0123456789abcdef", sig="A" * 512)
    path = tmp_path_factory.mktemp("bundle") / "new.bundle"
    container.write(path, payload, offer)
    return path, payload, offer


@pytest.fixture
def home():
    """A home of its own for each test, so that retained messages of others do not matter."""
    return "home%d" % next(HOMES)


@pytest.fixture
def node(broker, home):
    """Node n1 of this home, online."""
    with ScriptedNode(broker, home, "n1") as node:
        node.online()
        node.put("status/firmware", {"version": "1.3.0", "state": "confirmed"}, retain=True)
        yield node


@pytest.fixture
def nodectl(tools, broker, home):
    """nodectl(*arguments) starts it against the broker, home and node of the test."""
    running = []

    def start(*arguments, stdout=subprocess.PIPE, **environment):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith("HOMESYNC_") or name == "HOMESYNC_CACHE"}
        places = {"BROKER": own(broker), "HOME": home, "NODE": "n1"}
        places.update(environment)
        clean.update(("HOMESYNC_" + name, value) for name, value in places.items()
                     if value is not None)
        command = [tools.python, os.path.join(setup.REPO, "scripts/nodectl")]
        running.append(Process(command + [str(part) for part in arguments], clean, stdout))
        return running[-1]

    yield start
    for process in running:
        process.stop()


@pytest.fixture
def until():
    """until(condition): waits for it."""
    def wait(condition, timeout_s=10):
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.01)
    return wait
