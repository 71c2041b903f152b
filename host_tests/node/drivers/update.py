# Takes updates on real MicroPython: the node's own loop, session, commands and updater; house,
# Wi-Fi and all else are one object that does nothing. The current directory is its flash.
# The first line on stdin is the options, the others are orders; what happens goes out, all as
# JSON. Started by update_under_test.py, which explains them.
import json
import os
import select
import sys

import slots
from retained import Retained

from firmware import node
from firmware.clock import Clock
from firmware.log import Log
from firmware.mqtt import stream as stream_module
from firmware.mqtt.commands import Commands
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.session import Session
from firmware.mqtt.stream import Stream
from firmware.mqtt.topics import Topics
from firmware.ota.updates import Updates
from firmware.resolver import Resolver
from firmware.rhythm import Rhythm


class Nothing:
    """Stands for house, Wi-Fi, clock server, backlog and status: nothing happens there."""

    metering = led = None
    meter_ok = False

    def service(self, *_):
        return True  # there is Wi-Fi

    def __getattr__(self, name):
        return lambda *_: None


class Entry:
    portal = None
    busy = False

    @staticmethod
    def watch(*_):
        pass


class Node(node.Node):
    def __init__(self, options):
        self._orders = select.poll()
        self._orders.register(sys.stdin, select.POLLIN)
        self._most_bytes = None  # larger receive buffers find no memory
        stream_module.bytearray = self._bytearray
        settings = options["settings"]
        clock = Clock()
        log = Log(clock)
        outbox = Outbox()
        rhythm = Rhythm(self._tick)
        chip = options["chip"]
        self._stream = Stream(rhythm, Resolver(list), 1024 if chip == "esp8266" else 4096)
        topics = Topics("homesync", "h", options["node"])
        session = Session(options["node"], self._stream, topics, settings, False)
        memory = bytearray()
        commands = Commands(topics, outbox, clock, Retained(lambda *data: memory), {}, session,
                            log)
        updates = Updates(slots.current(), chip, settings, clock, log, rhythm, self._stream,
                          session, commands, outbox)
        nothing = Nothing()
        super().__init__(log, rhythm, nothing, nothing, nothing, outbox, nothing, session,
                         commands, updates, nothing, 1, "soft", None)
        self.entry = Entry
        updates.node = self
        commands.handlers["ota"] = updates
        session.on_command = commands.receive
        session.on_event = self.session_event
        self._sent_before = 0

    def run(self):
        while True:
            self.step()
            if self._stopping and self._outbox.next() is None:
                self.step()  # lets the last one go
                self._start_again()

    def session_event(self, event, reason, detail):
        super().session_event(event, reason, detail)
        if event == "connecting":
            self._sent_before = self._stream.bytes_sent
        self._tell(event)

    def _start_again(self):
        # As if the update had never been, but with the same session.
        version = slots.Folder("a").check()
        self._updates.work.give_up("aborted", "")
        self._updates.work = self._stopping = None
        self._updates.done()
        slots.Folder("a").begin()
        os.rmdir("a")
        for name in os.listdir("."):
            if name != "keys.bin":
                os.remove(name)
        self._tell("restart", version=version)

    def _tick(self, now_ms):
        for _ in self._orders.ipoll(0):
            line = sys.stdin.readline()
            if not line:
                raise SystemExit  # nobody listens any more
            self._most_bytes = json.loads(line)["most_bytes"]

    def _bytearray(self, n):
        if self._most_bytes and n > self._most_bytes:
            raise MemoryError()
        return bytearray(n)

    def _tell(self, event, **more):
        more["event"] = event
        more["sent"] = self._stream.bytes_sent - self._sent_before
        more["limit"] = self._stream.limit
        more["longest_gap_ms"] = self._rhythm.take_max_gap_ms()
        print(json.dumps(more))


Node(json.loads(sys.stdin.readline())).run()
