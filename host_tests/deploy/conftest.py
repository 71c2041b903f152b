# Boards to flash: a copy of this repository whose scripts/flash is run, and virtual boards with a
# serial port. mpremote, MicroPython and the broker are the real ones.
import contextlib
import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from host_tests.deploy.cutting import ROMFS
from host_tests.node.hub import Hub
from host_tests.simulator.serial_port import SerialPort
from host_tests.simulator.virtual_board import VirtualBoard
from host_tests.support.broker import Broker

REPO = Path(__file__).resolve().parents[2]
NODE = "homesync/home/nodes/flashed/"
# An ESP8266 whose meter does not take the serial line: no power cycle at each flashing.
PLAIN = {"name": "plain8266", "chip": "esp8266", "relays": [{"pin": 5}]}
_LIMIT_S = 120
_benches = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for bench in _benches:
            report.sections.append(("scripts/flash", "\n----\n".join(bench.said)))
            report.sections.append(("line", "\n".join(bench.board.log[-60:])))


class Bench:
    """A virtual board on a desk: powered, with an empty flash or one that was flashed before.

    said: what each scripts/flash printed
    template, rom: the flash that it begins with, a folder, and its ROMFS partition, bytes
    """

    def __init__(self, tools, source, folder, template=None, rom=None, **board_options):
        self.source = Path(source)
        self.flash = folder / "flash"
        if template:
            shutil.copytree(template, self.flash)
        self._rom = folder / "state" / VirtualBoard.ROM_FILE
        if rom:
            self._rom.parent.mkdir()
            self._rom.write_bytes(rom)
            board_options["romfs"] = len(rom)
        self.port = SerialPort()
        self.said = []
        self._python = tools.python
        board_options.setdefault("board", "esp32-pzem")
        self.board = VirtualBoard(tools.micropython32, code=self.flash, flash=self.flash,
                                  state=folder / "state", serial=self.port,
                                  on_line=lambda line: None, **board_options)
        self.board.power_on()

    def command(self, *arguments):
        return [self._python, str(self.source / "scripts" / "flash"), "--port", self.port.path,
                *map(str, arguments)]

    def run(self, *arguments):
        """Run scripts/flash; returns its exit code."""
        done = subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=_LIMIT_S)
        self.said.append(done.stdout)
        return done.returncode

    def start(self, *arguments):
        """The same in the background, its output on a pipe."""
        return subprocess.Popen(self.command(*arguments), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run_on_terminal(self, answers, *arguments):
        """Run scripts/flash on a terminal where a person gives these answers, one to each
        question; returns its exit code."""
        answers = list(answers)
        master, slave = pty.openpty()
        child = subprocess.Popen(self.command(*arguments), stdin=slave, stdout=slave,
                                 stderr=slave, start_new_session=True)
        os.close(slave)
        text = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other end has closed
            while select.select([master], [], [], 30)[0]:
                text += os.read(master, 4096)
                if text.endswith(b": ") and answers:
                    time.sleep(0.05)  # a question for a password throws away what came before
                    os.write(master, answers.pop(0).encode() + b"\n")
        os.close(master)
        self.said.append(text.decode().replace("\r\n", "\n"))
        child.terminate()
        return child.wait(10)

    @property
    def copied(self):
        """(files, bytes) that the last scripts/flash sent."""
        return tuple(map(int, re.search(r"copied +(\d+) files, (\d+) bytes",
                                        self.said[-1]).groups()))

    def files(self):
        """{path: content} of what flashing puts onto the board."""
        found = {}
        for path in self.flash.rglob("*"):
            name = path.relative_to(self.flash).as_posix()
            if path.is_file() and re.match(r"(firmware|lib)|(boot|main)\.py|keys\.bin", name):
                found[name] = path.read_bytes()
        return found

    @property
    def rom(self):
        """What is in the ROMFS partition."""
        return self._rom.read_bytes()

    def restarted(self, timeout_s=30):
        """Take the power away and bring it back; wait until the node is online."""
        self.board.power_cut()
        after = len(self.board.log)
        self.board.power_on()
        self.board.wait_for_line("link: connected", timeout_s, after)

    def close(self):
        """Once only."""
        self.board.close()
        self.port.close()


@pytest.fixture(scope="session")
def broker(tools):
    with Broker(tools.mosquitto) as one:
        yield one


@pytest.fixture(scope="session")
def source(tools, tmp_path_factory):
    """A copy of what scripts/flash needs of the repository."""
    folder = tmp_path_factory.mktemp("source")
    copy_source(REPO, folder)
    (folder / "firmware/boards/plain8266.json").write_text(json.dumps(PLAIN))
    return folder


@pytest.fixture
def own_source(source, tmp_path):
    """A copy that this test may change."""
    copy_source(source, tmp_path / "source")
    return tmp_path / "source"


def copy_source(repo, folder):
    skip = shutil.ignore_patterns("__pycache__", "*.mpy")
    for name in ("firmware", "lib", "scripts", "host_tests/support"):
        shutil.copytree(repo / name, folder / name, ignore=skip)
    for name in ("boot.py", "main.py"):
        shutil.copy(repo / name, folder / name)


@pytest.fixture(scope="session")
def settings(broker):
    return {"wifi_ssid": "simulated", "wifi_password": "secret", "node_id": "flashed",
            "broker_host": broker.host, "broker_port": broker.port, "ntp_servers": []}


@pytest.fixture
def config(settings, tmp_path):
    """config(**changes) writes a file for --config; returns its path."""
    def write(**changes):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(dict(settings, **changes)))
        return path
    return write


@pytest.fixture(scope="session")
def flashed(tools, source, settings, tmp_path_factory):
    """The flash of a board after scripts/flash, what that printed, and how many bytes it sent."""
    folder = tmp_path_factory.mktemp("flashed")
    file = folder / "config.json"
    file.write_text(json.dumps(settings))
    bench = Bench(tools, source, folder)
    try:
        assert bench.run("--config", file) == 0, bench.said[-1]
    finally:
        bench.close()
    return folder / "flash", bench.said[-1], bench.port.received


@pytest.fixture
def new_bench(tools, source, tmp_path):
    """new_bench(template=, source=, **board options): a Bench, powered on."""
    made = []

    def make(source=source, **options):
        made.append(Bench(tools, source, tmp_path / ("bench%d" % len(made)), **options))
        _benches.append(made[-1])
        return made[-1]

    yield make
    for bench in made:
        bench.close()
        _benches.remove(bench)


@pytest.fixture
def bench(new_bench, flashed):
    """A board that was flashed before; its node runs."""
    return new_bench(template=flashed[0])


@pytest.fixture
def plain_config(config):
    """As `config`, for an ESP8266."""
    return lambda **changes: config(board=PLAIN["name"], **changes)


@pytest.fixture
def esp8266(new_bench):
    """esp8266(**more): an ESP8266 with a ROMFS partition and nothing on it."""
    return lambda **more: new_bench(**{"board": PLAIN, "romfs": ROMFS, **more})


@pytest.fixture(scope="session")
def deployed(tools, source, settings, tmp_path_factory):
    """(flash, ROMFS partition, bytes sent) of an ESP8266 after scripts/flash."""
    folder = tmp_path_factory.mktemp("deployed")
    file = folder / "config.json"
    file.write_text(json.dumps(dict(settings, board=PLAIN["name"])))
    bench = Bench(tools, source, folder, board=PLAIN, romfs=ROMFS)
    try:
        assert bench.run("--config", file) == 0, bench.said[-1]
    finally:
        bench.close()
    return folder / "flash", bench.rom, bench.port.received


@pytest.fixture
def esp8266_node(esp8266, deployed):
    """esp8266_node(**more): an ESP8266 that was flashed before; its node runs."""
    return lambda **more: esp8266(template=deployed[0], rom=deployed[1], **more)


@pytest.fixture
def hub(broker):
    one = Hub(broker.host, broker.port, NODE)
    yield one
    one.close()
