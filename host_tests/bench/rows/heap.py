"""The smallest heap of the compiled firmware, on i386: words of 4 bytes, as on the chips."""

import json
import os
import re
import threading
from collections import namedtuple

from ...support.broker import Broker
from ...support.compiled import compiled_bytes
from ..measure import ANSWER_LIMIT_S, FOLDER, BenchError, row
from ..node import BASE, Node

_TARGET_KIB = 64
_TARGET_ROM_KIB = 30
_ROMFS_BYTES = 320 * 1024  # of an ESP8266 with FLASH_2M_ROMFS
_STEP_KIB = 2
_ROOMY_KIB = 512  # plenty, to learn what is used
_SPARE_KIB = 64  # above what is in use after the start: enough for sure
_SEARCH_CYCLES = 100  # with each command and the outage, so the full run finds little more
_PROBE_LIMIT_S = 60  # a heap in which nothing but collecting goes on is too small
_SEARCH_LIMIT_S = 15
_BLOCK_BYTES = 16  # of the i386 build's heap
_OUT_OF_MEMORY = ("MemoryError", "memory allocation failed")

# One after the other. `get` and `log` import a module for it and build the longest answers.
_COMMANDS = (
    ("relay", {"action": "on"}),
    ("config", {"action": "get"}),
    ("led", {"action": "blink"}),
    ("config", {"action": "log"}),
)

Result = namedtuple("Result", "others started modules largest_free")


def heap(bench):
    """Rows about the heap, less what the simulator takes of it before boot.py."""
    cycles = 1000 if bench.quick else 10000
    kib, used_kib, end = _smallest(bench, cycles)
    rom_kib, rom_used_kib, rom_end = _smallest(bench, cycles, board="nodemcu-pzem",
                                               in_rom=_ROMFS_BYTES)
    name = "smallest heap for %d cycles, with backlog, without TLS" % cycles
    free = "largest free block at the end of it"
    return [
        row(name, kib, "KiB", "≤ %d" % _TARGET_KIB, kib <= _TARGET_KIB),
        row(free, end.largest_free / 1024, "KiB"),
        row("heap in use after the start", used_kib, "KiB"),
        row("of it code, without the simulator", _resident(bench, end.modules) / 1024, "KiB"),
        row("size of all .mpy files", compiled_bytes(bench.compiled) / 1024, "KiB"),
        row(name + ", ESP8266 from ROMFS", rom_kib, "KiB", "≤ %d" % _TARGET_ROM_KIB,
            rom_kib <= _TARGET_ROM_KIB),
        row(free, rom_end.largest_free / 1024, "KiB"),
        row("heap in use after the start, ESP8266 from ROMFS", rom_used_kib, "KiB"),
    ]


def _smallest(bench, cycles, **options):
    """(KiB of the smallest heap, KiB in use after the start, Result of the run in that heap)."""
    roomy, why = _probe(bench, _ROOMY_KIB * 1024, _SEARCH_CYCLES, _SEARCH_LIMIT_S, options)
    if roomy is None:
        raise BenchError("heap: failed with %d KiB: %s" % (_ROOMY_KIB, why))

    def passes(steps, cycles, limit_s):
        return _probe(bench, roomy.others + steps * _STEP_KIB * 1024, cycles, limit_s, options)[0]

    low = (roomy.started - roomy.others) // 1024 // _STEP_KIB  # fails
    most = high = low + _SPARE_KIB // _STEP_KIB  # passes
    while high - low > 1:
        middle = (low + high) // 2
        if passes(middle, _SEARCH_CYCLES, _SEARCH_LIMIT_S):
            high = middle
        else:
            low = middle
    passed = passes(high, cycles, _PROBE_LIMIT_S)
    while passed is None and high < most:
        high += 1
        passed = passes(high, cycles, _PROBE_LIMIT_S)
    if passed is None:
        raise BenchError("heap: failed with %d KiB" % (high * _STEP_KIB))
    return high * _STEP_KIB, (roomy.started - roomy.others) / 1024, passed


def _probe(bench, heap_bytes, cycles, limit_s, options):
    """Run the node with this heap; returns (Result, None) or (None, why it failed)."""
    environment = {"BENCH_CYCLES": str(cycles)}
    with Broker(bench.tools.mosquitto) as broker, Helper(broker) as helper:
        with Node(bench, broker, heap=heap_bytes, programs=_programs(bench), env=environment,
                  on_line=helper.heard, backoff_min_ms=200, **options) as node:
            helper.wait(node.board, limit_s)
            why = helper.failure(cycles)
            if why:
                return None, why
            report = json.loads(helper.report)
            others = node.board.simulator_heap + report["driver"]
            return Result(others, report["started"], report["modules"],
                          helper.largest_free_blocks * _BLOCK_BYTES), None


def _programs(bench):
    name = "heap_driver"
    return {
        "main.py": os.path.join(FOLDER, "heap_main.py"),
        name + ".mpy": bench.compile(os.path.join(FOLDER, name + ".py")),
    }


def _resident(bench, modules):
    with bench.start("resident.py", *sorted(modules), bits=32, code=bench.compiled) as program:
        return program.result(20)["bytes"]


class Helper:
    """Gives the node its commands and its outage when it asks for them, and sees how it ends."""

    def __init__(self, broker):
        from paho.mqtt import client as paho

        self.report = None
        self.largest_free_blocks = 0
        self._broker = broker
        self._sent = 0
        self._outages = 0
        self._answer = threading.Condition()
        self._good = 0  # answers
        self._complaint = None
        self._ended = threading.Event()
        self._paho = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._paho.reconnect_delay_set(1, 1)
        self._paho.on_connect = lambda *_: self._paho.subscribe(BASE + "/response/command", 1)
        self._paho.on_message = self._on_message
        self._paho.connect(broker.host, broker.port)
        self._paho.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._paho.disconnect()
        self._paho.loop_stop()

    def heard(self, line):
        """Take a line of the node's output."""
        if line == "command":
            topic, command = _COMMANDS[self._sent % len(_COMMANDS)]
            text = json.dumps(dict(command, request_id="bench-%d" % self._sent))
            self._paho.publish("%s/command/%s" % (BASE, topic), text, 1)
            self._sent += 1
        elif line == "outage":
            self._outages += 1
            self._broker.restart()
        elif line.startswith('{"'):
            self.report = line
        elif "max free sz: " in line:
            self.largest_free_blocks = int(re.search(r"max free sz: (\d+)", line).group(1))
            self._ended.set()
        elif any(text in line for text in _OUT_OF_MEMORY):
            self._complaint = line
            self._ended.set()

    def wait(self, board, limit_s):
        self._ended.wait(limit_s)
        if not self._ended.is_set():
            self._complaint = "not done after %d s: %s" % (limit_s, board.log[-1:])

    def failure(self, cycles):
        """Why the run does not count, or None: a missing or refused answer is a failure too."""
        if self._complaint:
            return self._complaint
        if self._sent != cycles // 10 or self._outages != 1:
            return "%d commands, %d outages" % (self._sent, self._outages)
        with self._answer:
            self._answer.wait_for(lambda: self._good >= self._sent, ANSWER_LIMIT_S)
        if self._good != self._sent:
            return "%d good answers to %d commands" % (self._good, self._sent)
        return None

    def _on_message(self, client, userdata, message):
        with self._answer:
            self._good += json.loads(message.payload)["status"] == "success"
            self._answer.notify_all()
