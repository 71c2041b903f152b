"""What the tests of `set` and `reset` share: a node with settings on flash."""

import os

from firmware import storage
from firmware.config import change, store
from firmware.mqtt.commands import Refused
from host_tests.unit.fakes import Log, raised, write

STORED = (b'{"home_id": "h", "node_id": "n", "sample_ms": 900, "calibration": {"power": 1.1}, '
          b'"wifi_ssid": "attic", "wifi_password": "hunter2", "colour": "red"}')
NOTHING = {"changed": [], "restarts": False, "trial": False}


class Node:
    updating = False
    metering = None
    protection = None

    def __init__(self):
        self.restarts = 0

    def restart(self):
        self.restarts += 1


class Bench:
    """A node that runs with `stored`; `send` is what the foreground does with a command."""

    def __init__(self, stored=STORED):
        write("config.json", stored)
        self.settings, _ = store.load()
        self.settings["node_id"] = self.settings["node_id"] or "node-a1b2c3"
        self.node = Node()
        self.log = Log()

    def send(self, action, request_id="r1", values=None, **arguments):
        command = {"request_id": request_id, "values": values}
        command.update(arguments)
        return change.prepare(action, command, self.settings, self.log, self.node)()

    def set(self, **values):
        return self.send("set", values=values)

    def reset(self, energy):
        return self.send("reset", energy=energy)

    def refused(self, values, **command):
        """(code, message); nothing has changed."""
        before = files()
        e = raised(Refused, lambda: self.send("set", values=values, **command))
        assert files() == before and self.node.restarts == 0, values
        return e.args


def files():
    return sorted([(name, storage.read(name)) for name in os.listdir(".")])


def stored():
    return storage.read_json("config.json")
