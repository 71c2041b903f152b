"""A whole node for scripts/bench: a virtual board with the compiled firmware, online."""

import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from flashing import rom

from ..simulator.virtual_board import VirtualBoard
from ..support.sntp_server import SntpServer
from .measure import BenchError

BASE = "homesync/home/nodes/bench"
_START_LIMIT_S = 20

# Every reading of all six metrics leaves, five times a second: 30 messages a second.
FLOWING = {
    "sample_ms": 200,
    "power_deadband_w": 0,
    "power_deadband_percent": 0,
    "voltage_deadband_v": 0,
    "current_deadband_a": 0,
    "energy_deadband_wh": 0,
    "power_factor_deadband": 0,
    "frequency_deadband_hz": 0,
}
FLOWING_HZ = 30


class Node:
    """The node in a `with` block: powered on and, unless it runs programs of ours, online.

    broker      a running Broker
    bits, heap  of its interpreter
    programs    {name: path} of .py or .mpy files put beside the firmware, "main.py" in its place
    on_line     called with each line that it prints, from another thread
    env         environment variables for it
    files       {name: bytes} put into its flash
    in_rom      the application runs from a ROMFS partition of so many bytes; None: from files
    settings    merged over the defaults
    """

    def __init__(self, bench, broker, bits=32, heap=None, programs=None, on_line=None, env=None,
                 files=None, in_rom=None, **settings):
        self._interpreter = getattr(bench.tools, "micropython%d" % bits)
        self._mpremote = bench.tools.bin + "/mpremote"
        self._code = bench.compiled
        self._in_rom = in_rom
        self._heap = heap
        self._programs = programs or {}
        self._env = env
        self._files = files or {}
        self._on_line = on_line or (lambda line: None)
        self._settings = {
            "home_id": "home",
            "node_id": "bench",
            "wifi_ssid": "bench",
            "broker_host": broker.host,
            "broker_port": broker.port,
            **settings,
        }
        self._cleaning = ExitStack()
        self.board = None

    def __enter__(self):
        with ExitStack() as cleaning:
            folder = Path(cleaning.enter_context(tempfile.TemporaryDirectory(prefix="node-")))
            code = self._code
            if self._programs or self._in_rom:
                code = folder / "code"
                shutil.copytree(self._code, code)
                for name, path in self._programs.items():
                    shutil.copy(path, code / name)
            state = folder / "state"
            state.mkdir()
            if self._in_rom:
                self._move_to_rom(code, state)
            flash = folder / "flash"
            flash.mkdir()
            sntp = cleaning.enter_context(SntpServer())
            self._settings["ntp_servers"] = [sntp.address]
            (flash / "config.json").write_text(json.dumps(self._settings))
            for name, content in self._files.items():
                (flash / name).write_bytes(content)
            self.board = cleaning.enter_context(
                VirtualBoard(self._interpreter, code, flash, state, heap=self._heap, env=self._env,
                             on_line=self._on_line, romfs=self._in_rom,
                             board=self._settings.get("board", "esp32-pzem")))
            self.board.power_on()
            if not self._programs:
                try:
                    self.board.wait_for_line("link: connected", _START_LIMIT_S)
                except TimeoutError as error:
                    raise BenchError("the node did not come online: %s" % error) from None
            self._cleaning = cleaning.pop_all()
        return self

    def _move_to_rom(self, code, state):
        files = {path.relative_to(code).as_posix(): path.read_bytes()
                 for path in (code / "firmware").rglob("*") if path.is_file()}
        image = rom.build(self._mpremote, files, self._in_rom)
        (state / VirtualBoard.ROM_FILE).write_bytes(image.ljust(self._in_rom, b"\xff"))
        shutil.rmtree(code / "firmware")

    def __exit__(self, *_):
        self._cleaning.close()
