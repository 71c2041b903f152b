"""The firmware's node without a board: real from the readings to the broker's socket.

For programs that count what a node costs, where the simulator's own work would count with it.
`time` must be day_clock's when the node is to live faster than the clock on the wall.
"""

from time import time

from retained import Retained

from firmware.actions import LedActions, RelayActions
from firmware.clock import Clock
from firmware.config import schema
from firmware.control.relays import Relay, Relays
from firmware.house import House
from firmware.metering import Metering
from firmware.mqtt.commands import Commands
from firmware.mqtt.outbox import Outbox
from firmware.mqtt.session import Session
from firmware.mqtt.stream import Stream
from firmware.mqtt.topics import Topics
from firmware.node import Node
from firmware.resolver import Resolver
from firmware.rhythm import Rhythm
from firmware.sensor import Thermometer
from firmware.telemetry import metrics
from firmware.telemetry.backlog import Backlog
from firmware.telemetry.reporter import Reporter, Temperature
from firmware.telemetry.status import Status


class Pin:
    """An output with nothing on it."""

    def value(self, level):
        pass


class Board:
    """Stands for firmware.board.Board; `temperature_c` is the chip's."""

    name = "bench"
    unique_id = "240ac4000001"
    reset_cause = "power_on"
    temperature_c = 40.0

    def __init__(self):
        self._rtc = bytearray(200)
        self.retained = Retained(self._memory)

    def output(self, pin, level):
        return Pin()

    def feed_watchdog(self):
        pass

    def _memory(self, data=None):
        if data is None:
            return self._rtc
        self._rtc = bytes(data)


class Sampler:
    """Gives `next_reading` once, as a sampler whose meter never fails."""

    ok = (True,)
    errors = 0

    def __init__(self):
        self.next_reading = None
        self.polls = 0
        self.good = [0]

    def poll(self, now_ms):
        reading, self.next_reading = self.next_reading, None
        if not reading:
            return None
        self.polls += 1
        self.good[0] += 1
        return (reading,)


class Energy:
    """Believes every reading, and writes nothing."""

    drops = 0

    def update(self, now_ms, readings):
        pass

    def service(self, now_ms):
        pass


class Wifi:
    """Always joined."""

    def service(self, now_ms):
        return True

    def trouble(self):
        return ""

    def rssi_dbm(self):
        return -60


class Sntp:
    """The clock is set already."""

    def service(self):
        pass


class Updates:
    """There is none."""

    slot = {"slot": "a", "state": "confirmed", "reason": ""}
    work = None

    def service(self):
        pass


class Entry:
    """There is no setup portal."""

    portal = None
    busy = False

    @staticmethod
    def watch(now_ms, joined, joined_ms):
        pass


class BareNode:
    """`board`, `clock`, `sampler`, `outbox`, `session`, `commands` and the `node` made of them."""

    def __init__(self, host, port, node_id, stream=Stream):
        settings = schema.defaults()
        settings.update(broker_host=host, broker_port=port, node_id=node_id)
        self.board = board = Board()
        self.sampler = Sampler()
        self.clock = clock = Clock()
        clock.set_unix(int(time()))  # as SNTP would
        self.outbox = outbox = Outbox()
        reporter = Reporter(outbox, clock, metrics.of_channel(settings))
        warmth = Temperature(outbox, clock, [metrics.of_temperature(settings)])
        self.thermometer = Thermometer(lambda: (board.temperature_c, None), self._log, 10000)
        relays = Relays([Relay(26)], board.output,
                        board.retained, [], True, None)
        wifi = Wifi()
        status = Status(outbox, clock, relays, wifi, board)
        backlog = Backlog(clock, self._log)
        metering = Metering(self.sampler, Energy(), None, backlog, [reporter])
        self.house = house = House(board, clock, self._log, status, relays, (), None, metering,
                                   None, self.thermometer, warmth)
        rhythm = Rhythm(house.tick)
        self.stream = stream(rhythm, Resolver(lambda: []))
        topics = Topics(settings["base_topic"], settings["home_id"], node_id)
        self.session = session = Session("homesync_home_%s_0123abcd" % node_id, self.stream,
                                         topics, settings)
        self.commands = commands = Commands(topics, outbox, clock, board.retained, {}, session,
                                            self._log)
        self.node = node = Node(self._log, rhythm, house, wifi, Sntp(), outbox, backlog, session,
                                commands, Updates(), status, 1, "power_on", None)
        commands.handlers["relay"] = RelayActions(relays)
        commands.handlers["led"] = LedActions(None)
        session.on_command = commands.receive
        session.on_event = node.session_event
        status.node = node
        node.entry = Entry
        relays.on_change = house.relay_changed
        relays.save = node.keep_last

    def serve(self):
        """Step until all that waits is out."""
        self.node.step()
        while self.outbox.next() or not self.session.online:
            self.node.step()

    @staticmethod
    def _log(text):
        pass
