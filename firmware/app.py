# Puts the node together from its configuration, and runs it.
import gc
import sys

# Each import is followed by a collection where it happens: without it the garbage of loading one
# module lies between the next ones, and the largest free block shrinks to 512 bytes on an ESP8266
# (reference: host-toolchain).

CRASH_PATH = "crash.txt"  # written by main.py


def run():
    """Build the node and work until it stops; returns why ("restart" or "shutdown")."""
    node, board = build()
    board.start_watchdog()
    return node.run()


def build():
    """(node, board), ready to run."""
    from . import board as boards
    from .clock import Clock
    from .config import store
    from .device import Device
    from .log import Log
    gc.collect()
    clock = Clock()
    log = Log(clock)
    settings, problems = store.load()
    for text in problems:
        log("config: " + text)
    board = boards.Board(_profile(boards, settings, log))
    log("boot: %s, reset cause %s" % (board.profile["name"], board.reset_cause))
    device = Device(log)
    if not settings["node_id"]:
        settings["node_id"] = "node-" + board.unique_id[-6:]
    node = _assemble(board, clock, log, settings, device)
    return node, board


def _assemble(board, clock, log, settings, device):
    # From the ground up. What a lower part has to tell a higher one goes through a function that
    # looks it up when it is called: `node`, `commands` and `status` are made last.
    from .mqtt.outbox import Outbox
    from .telemetry.reporter import Reporter
    from .telemetry.status import Status
    gc.collect()
    outbox = Outbox()
    reporter = Reporter(outbox, clock, settings)

    def relay_changed(index, source):
        status.relay()
        reporter.force()  # what the meter shows of it is worth telling at once

    relays = _relays(board, settings, log, relay_changed, lambda states: node.keep_last(states))
    led = _led(board)
    sampler, energy = _meter(board, settings, log)

    from .house import House
    from .rhythm import Rhythm
    gc.collect()
    house = House(board, clock, log, reporter, relays, led, sampler, energy)
    rhythm = Rhythm(house.tick)

    from .resolver import Resolver
    from .setup.wifi import Wifi
    from .sntp import Sntp
    gc.collect()
    wifi = Wifi(settings["wifi_ssid"], settings["wifi_password"], settings["node_id"], log)
    resolver = Resolver(wifi.dns_servers)
    sntp = Sntp(settings["ntp_servers"], resolver, clock, log)

    from .mqtt.session import Session
    from .mqtt.stream import Stream
    from .mqtt.topics import Topics
    gc.collect()
    topics = Topics(settings["base_topic"], settings["home_id"], settings["node_id"])
    stream = Stream(rhythm, resolver, 1024 if board.chip == "esp8266" else 4096)
    session = Session(
        device.client_id(settings["home_id"], settings["node_id"]), stream, topics, settings,
        lambda *message: commands.receive(*message), lambda *event: node.session_event(*event))

    from .actions import ConfigActions, LedActions, RelayActions
    from .mqtt.commands import Commands
    gc.collect()
    handlers = {
        "relay": RelayActions(relays),
        "led": LedActions(led),
        "config": ConfigActions(settings, log, lambda: node.refresh(),
                                lambda: node.stop("restart")),
    }
    commands = Commands(topics, outbox, clock, board.retained, handlers,
                        lambda: session.settled, log)

    from .node import Node
    gc.collect()
    status = Status(outbox, clock, relays, wifi, lambda: node.health(), board)
    node = Node(log, rhythm, house, wifi, sntp, outbox, session, commands, status, device,
                board.reset_cause, _take_crash())
    return node


def _profile(boards, settings, log):
    try:
        return boards.load_profile(settings["board"])
    except (OSError, ValueError) as e:
        log("config: board: %s" % e)
        return {"name": settings["board"], "chip": sys.platform, "relays": []}


def _relays(board, settings, log, on_change, save):
    from . import storage
    from .control.relays import Relay, Relays
    from .node import LAST_PATH
    gc.collect()
    last = None
    if "last" in settings["relay_boot_states"]:
        try:
            last = storage.read_json(LAST_PATH)
        except ValueError as e:
            log("relays: %s" % e)
    return Relays([Relay(**relay) for relay in board.profile["relays"]], board.output,
                  board.retained, settings["relay_boot_states"],
                  power_on=not board.retained.outputs(),  # boot.py has cleared it then
                  last=last if isinstance(last, list) else None, on_change=on_change, save=save)


def _led(board):
    led = board.led_pin()
    if not led:
        return None
    from .control.led import Led
    gc.collect()
    return Led(*led)


def _meter(board, settings, log):
    profile = board.profile.get("meter")
    if not profile:
        return None, None
    from . import meter
    from .meter.energy import EnergyTotal
    from .meter.sampler import Sampler
    gc.collect()
    driver = meter.driver(profile["chip"])
    gc.collect()
    chip = driver(board.meter_uart(driver.SERIAL), profile.get("address", 1))
    return Sampler(chip, settings["sample_ms"], log), EnergyTotal(driver.MAX_POWER_W)


def _take_crash():
    # Told once: in the health of this run.
    from . import storage
    try:
        data = storage.read(CRASH_PATH, 2048)
    except (OSError, ValueError) as e:
        return repr(e)
    storage.remove(CRASH_PATH)
    return str(data, "utf-8") if data else None
