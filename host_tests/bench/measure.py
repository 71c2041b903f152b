"""What every row of scripts/bench needs: programs under MicroPython, timed commands, row dicts.

Sides that are compared run at the same time and are measured in turn, so that what else the
machine does meets all of them alike.
"""

import json
import os
import queue
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time

from ..support.compiled import compiled, compiled_tree

FOLDER = os.path.dirname(os.path.abspath(__file__))
ANSWER_LIMIT_S = 5
READY_LIMIT_S = 10
MOST_PAUSE_S = 0.02  # between commands: they must not keep step with a 10 ms loop


class BenchError(Exception):
    """A measurement that could not be made; its text is one line for the user."""


def row(name, value, unit, target="", met=None, peer=None):
    """One line of the table. `peer` is the same quantity of what it is compared with, or None.

    `target` is text, empty for a row that only shows a baseline; `met` is then None.
    """
    ratio = value / peer if peer else None
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "target": target,
        "met": met,
        "peer": peer,
        "ratio": ratio,
    }


def at_least(times, name, value, unit, peer):
    """A row that is met when `value` is `times` as much as its peer, or more."""
    return row(name, value, unit, "≥ %g ×" % times, value >= times * peer, peer)


def at_most(times, name, value, unit, peer):
    """A row that is met when `value` is `times` as much as its peer, or less."""
    return row(name, value, unit, "≤ %g ×" % times, value <= times * peer, peer)


def percentile(samples, percent):
    """Return the smallest sample that `percent` of all samples do not exceed."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(rank, 1) - 1]


class Program:
    """A program of this folder under MicroPython; leaving the `with` block kills it.

    `code` is the folder with firmware/ and lib/, the repository if not given; `before` stands
    before the command (a profiler).
    """

    def __init__(self, bench, name, *arguments, bits=64, code=None, before=()):
        self.name = name
        code = str(code or bench.tools.repo)
        interpreter = getattr(bench.tools, "micropython%d" % bits)
        self._process = subprocess.Popen(
            [*before, interpreter, os.path.join(FOLDER, name), *map(str, arguments)],
            env=dict(os.environ, MICROPYPATH=":".join((code, code + "/lib", ".frozen"))),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines = queue.Queue()
        self._said = []
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def wait_until_ready(self):
        """Return self when the program has printed `ready`."""
        while self._next_line(READY_LIMIT_S) != "ready":
            pass
        return self

    def interrupt(self):
        """Send what Ctrl-C sends."""
        self._process.send_signal(signal.SIGINT)

    def result(self, limit_s):
        """Return the JSON object that the program prints when it has done its work."""
        while True:
            line = self._next_line(limit_s)
            if line.startswith("{"):
                return json.loads(line)

    def wait(self, limit_s):
        """Wait until the program has ended."""
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise BenchError("%s did not end within %d s" % (self.name, limit_s)) from None

    def _next_line(self, limit_s):
        try:
            line = self._lines.get(timeout=limit_s)
        except queue.Empty:
            raise BenchError("%s said nothing for %d s" % (self.name, limit_s)) from None
        if line is None:
            why = self._said[-1] if self._said else "no output"
            raise BenchError("%s ended early: %s" % (self.name, why))
        self._said.append(line)
        return line

    def _read(self):
        with self._process.stdout as output:
            for line in output:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


class Commander:
    """The hub's side: sends relay commands at QoS 1, one in flight, and times the answers.

    bases: the nodes' topics up to `/command`. Always "on", so that only the first one switches:
    a node refuses more than 5 changes in 3 s. One thread, no paho loop thread: a thread switch
    would be part of each time.
    """

    def __init__(self, host, port, bases):
        # Imported here: scripts/bench reads the names of the rows before there is an environment.
        from paho.mqtt import client as paho

        self._answers = {}  # request_id -> (perf_counter seconds, error or None)
        self._count = 0
        self._random = random.Random(1)
        self._paho = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._paho.on_socket_open = self._set_nodelay
        self._paho.on_message = self._on_message
        self._subscribed = False
        self._paho.on_subscribe = self._on_subscribe
        self._paho.connect(host, port)
        self._loop_until(self._paho.is_connected, "the broker did not answer")
        self._paho.subscribe([(base + "/response/command", 1) for base in bases])
        self._loop_until(lambda: self._subscribed, "the broker did not subscribe")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._paho.disconnect()

    def command(self, base):
        """Switch the relay of the node at `base` on; return milliseconds until the answer."""
        self._count += 1
        request_id = "bench-%d" % self._count
        time.sleep(self._random.uniform(0, MOST_PAUSE_S))
        text = command_text(request_id)
        start = time.perf_counter()
        sent = self._paho.publish(base + "/command/relay", text, 1)
        self._loop_until(lambda: request_id in self._answers, "no answer from " + base)
        self._loop_until(sent.is_published, "no PUBACK for a command")
        answered, error = self._answers.pop(request_id)
        if error:
            raise BenchError("%s refused a command: %s" % (base, error))
        return (answered - start) * 1000

    def in_turn(self, rounds, batches):
        """Measure {base: commands per round} in turn; return {base: [milliseconds]}."""
        for base in batches:
            self.command(base)  # the one that switches is not counted
        times = {base: [] for base in batches}
        order = list(batches)
        for _ in range(rounds):
            for base in order:
                times[base] += [self.command(base) for _ in range(batches[base])]
            order.reverse()
        return times

    def _on_message(self, client, userdata, message):
        now = time.perf_counter()
        answer = json.loads(message.payload)
        self._answers[answer["request_id"]] = now, answer.get("error")

    def _on_subscribe(self, *_):
        self._subscribed = True

    @staticmethod
    def _set_nodelay(client, userdata, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _loop_until(self, condition, complaint):
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while not condition():
            self._paho.loop(0.1)
            if time.monotonic() > deadline:
                raise BenchError("%s within %d s" % (complaint, ANSWER_LIMIT_S))


def command_text(request_id):
    """A relay command as a hub sends it."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps({"action": "on", "relay": 0, "request_id": request_id, "timestamp": stamp})


class Bench:
    """What a row function gets: the tools, a running broker, and whether to be quick."""

    def __init__(self, tools, broker, quick):
        self.tools = tools
        self.broker = broker
        self.quick = quick
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._compiled = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    @property
    def address(self):
        return self.broker.host, self.broker.port

    @property
    def compiled(self):
        """Folder with the firmware as .mpy files, made once."""
        if self._compiled is None:
            folder = os.path.join(self._folder.name, "compiled")
            self._compiled = compiled_tree(self.tools.mpy_cross, folder)
        return self._compiled

    def compile(self, path):
        """Path of one more program as .mpy."""
        name = os.path.basename(path)
        target = os.path.join(self._folder.name, name[:-3] + ".mpy")
        return compiled(self.tools.mpy_cross, path, target, name)

    def start(self, name, *arguments, **options):
        return Program(self, name, *arguments, **options)

    def commander(self, *bases):
        return Commander(*self.address, bases)
