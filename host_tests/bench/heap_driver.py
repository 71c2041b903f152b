"""Stands in for Node.run() while the heap is measured: telemetry cycles, commands, an outage.

A cycle forces all metrics and serves the link until they are out. For every 10th it prints
`command` and goes on once one has come; in the middle it prints `outage` and goes on after the
next connect. Ends with one JSON line and what micropython.mem_info() prints.
"""

import gc
import json
import os
import sys
from time import ticks_ms

import micropython


class Driver:
    """Drives `node`; `received` counts the commands that reached it."""

    def __init__(self, node):
        self._node = node
        self._house = node._house
        self._outbox = node._outbox
        self._session = node._session
        self._receive = self._session.on_command
        self._session.on_command = self._count
        self.received = 0

    def start(self):
        while not (self._session.online and self._house.metering.readings):
            self._node.step()
        self._empty()

    def cycle(self):
        self._house.tell_all()
        metering = self._house.metering
        reading = metering.readings[0]
        if reading:
            metering._tell(0, reading, metering.sampler.good[0], ticks_ms())
        self._empty()

    def command(self):
        wanted = self.received + 1
        print("command")
        while self.received < wanted:
            self._node.step()
        self._node.step()  # `config` commands are worked on here
        self._empty()

    def outage(self):
        connects = self._session.connects
        print("outage")
        while self._session.connects == connects:
            self._node.step()

    def _empty(self):
        while self._outbox.next():
            self._node.step()

    def _count(self, topic, payload, retained, again, size):
        self.received += 1
        self._receive(topic, payload, retained, again, size)


def run(own_bytes):
    """Build the node as firmware.app does and drive it; `own_bytes` is what this module takes."""
    from firmware import app

    node, board = app.build()
    board.start_watchdog()
    driver = Driver(node)
    driver.start()
    gc.collect()
    started = gc.mem_alloc()
    cycles = int(os.getenv("BENCH_CYCLES"))
    for number in range(cycles):
        if number == cycles // 2:
            driver.outage()
        driver.cycle()
        if number % 10 == 9:
            driver.command()
    gc.collect()
    ours = ("firmware", "umqtt", "retained")
    print(json.dumps({
        "driver": own_bytes,
        "started": started,
        "modules": [name for name in sys.modules if name.split(".")[0] in ours],
    }))
    micropython.mem_info()
