# One node as a test needs it: virtual board, its settings, and the hub that listens to it.
import json
import shutil
import tempfile
import time
from itertools import count
from pathlib import Path

from hub import Hub

from host_tests.simulator.virtual_board import VirtualBoard

REPO = Path(__file__).resolve().parents[2]
RELAY_PINS = (26, 27)  # of the board esp32-pzem
_numbers = count(1)

SETTINGS = {
    "home_id": "home",
    "board": "esp32-pzem",
    "wifi_ssid": "simulated",
    "wifi_password": "simulated",
    "backoff_min_ms": 200,
}


class Rig:
    """A node on a virtual board, against a real broker.

    board     VirtualBoard; options for it: code, loads, base_load, speed, heap, modules, env
    hub       Hub, connected before the node is; None until `start()` or `listen()`
    settings  what is in config.json, but for None; keywords of the constructor replace it
    """

    def __init__(self, micropython, broker, sntp, settings, **board_options):
        self.broker = broker
        self.hub = None
        self.settings = dict(SETTINGS, node_id="n%d" % next(_numbers), broker_host=broker.host,
                             broker_port=broker.port, ntp_servers=[sntp.address])
        self.settings.update(settings)
        self.prefix = "homesync/%(home_id)s/nodes/%(node_id)s/" % self.settings
        self._folder = Path(tempfile.mkdtemp(prefix="rig-"))
        self.flash = self._folder / "flash"
        self.flash.mkdir()
        self.configure()
        board_options.setdefault("code", REPO)
        board_options.setdefault("board", self.settings["board"])
        self.board = VirtualBoard(micropython, flash=self.flash, state=self._folder / "state",
                                  on_line=lambda line: None, **board_options)

    def configure(self, **changes):
        """Write config.json; the node reads it when it starts."""
        self.settings.update(changes)
        values = {key: value for key, value in self.settings.items() if value is not None}
        (self.flash / "config.json").write_text(json.dumps(values))

    def listen(self, **login):
        """Connect the hub."""
        self.hub = Hub(self.broker.host, self.broker.port, self.prefix, **login)

    def start(self, **login):
        """Power on, and wait until the node is online and knows the time."""
        self.listen(**login)
        self.board.power_on()
        self.online()
        self.board.wait_for_line(" time: ", 10)
        return self

    def online(self, after=0, timeout_s=20.0):
        """Wait for the message that says so, and until it takes commands without a timestamp."""
        message = self.hub.wait("status/online", lambda m: m.json["online"], after, timeout_s)
        # In a resumed session that is once a ping has come back with no command before it.
        time.sleep(0.3)
        return message

    def health(self):
        """A fresh status/health."""
        after = self.hub.mark()
        assert self.hub.ask("config", "refresh")["status"] == "success"
        return self.hub.wait("status/health", None, after).json

    def transitions(self, relay=0):
        """How often the relay's pin has changed."""
        return self.board.pins().get(RELAY_PINS[relay], (0, 0))[1]

    def close(self):
        self.board.close()
        if self.hub:
            self.hub.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def patched_code(folder, patches):
    """A copy of the node's code in which texts are replaced: {path: [(old, new), ...]}."""
    folder = Path(folder)
    for name in ("boot.py", "main.py"):
        shutil.copy(REPO / name, folder / name)
    for name in ("firmware", "lib"):
        shutil.copytree(REPO / name, folder / name,
                        ignore=shutil.ignore_patterns("__pycache__", "*.mpy"))
    for path, changes in patches.items():
        text = (folder / path).read_text()
        for old, new in changes:
            assert text.count(old) == 1, "%s: %r is there %d times" % (path, old, text.count(old))
            text = text.replace(old, new)
        (folder / path).write_text(text)
    return folder
