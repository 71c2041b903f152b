# Puts the node together from its configuration. Dropped after the start, so no function of this
# module may be handed to what stays: it would keep all of them alive.
import gc
import sys

from . import storage
from .board import Board, load_profile
from .clock import Clock
from .device import Device
from .log import Log

# Collected after each group of imports: otherwise the garbage of loading one module lies between
# the next ones, and the largest free block shrinks to 512 bytes on an ESP8266 (reference:
# host-toolchain).

CRASH_PATH = "crash.txt"  # written by main.py


def build(settings, problems):
    """(node, board), ready to run.

    settings: a complete dict; problems: what was wrong with the configuration, list of texts.
    """
    gc.collect()
    clock = Clock()
    log = Log(clock)
    for text in problems:
        log("config: " + text)
    board = Board(_profile(settings, log))
    log("boot: %s, reset cause %s" % (board.profile["name"], board.reset_cause))
    device = Device(log)
    if not settings["node_id"]:
        settings["node_id"] = "node-" + board.unique_id[-6:]
    return _node(board, clock, log, settings, device), board


def _node(board, clock, log, settings, device):
    # From the ground up; what a lower part has to tell a higher one is hooked up at the end.
    from .mqtt.stream import Stream
    from .resolver import Resolver
    gc.collect()
    # First of all, while the heap is in one piece: these buffers are the largest blocks there are.
    stream = Stream(None, Resolver(), 1024 if board.chip == "esp8266" else 4096)
    stream.secure = _secure(board, settings)

    from .mqtt.outbox import Outbox
    from .telemetry.backlog import Backlog
    from .telemetry.reporter import Reporter
    gc.collect()
    backlog = Backlog(clock, log)
    outbox = Outbox()
    reporter = Reporter(outbox, clock, settings)
    relays = _relays(board, settings, log)
    led = _led(board)
    sampler, energy = _meter(board, settings, log)

    from .setup.wifi import Wifi
    from .telemetry.status import Status
    gc.collect()
    wifi = Wifi(settings["wifi_ssid"], settings["wifi_password"], settings["node_id"], log)
    status = Status(outbox, clock, relays, wifi, board)

    from .house import House
    from .rhythm import Rhythm
    gc.collect()
    house = House(board, clock, log, reporter, backlog, status, relays, led, sampler, energy)
    rhythm = Rhythm(house.tick)

    stream.rhythm = rhythm
    stream.resolver.servers = wifi.dns_servers
    session, commands, sntp = _link(board, clock, log, settings, device, outbox, stream)

    from .actions import ConfigActions, LedActions, RelayActions
    from .node import Node
    gc.collect()
    node = Node(log, rhythm, house, wifi, sntp, outbox, backlog, session, commands, status,
                device.boots, board.reset_cause, _take_crash())
    commands.handlers["relay"] = RelayActions(relays)
    commands.handlers["led"] = LedActions(led)
    commands.handlers["config"] = ConfigActions(settings, log, node)
    session.on_command = commands.receive
    session.on_event = node.session_event
    status.node = node
    relays.on_change = house.relay_changed
    relays.save = node.keep_last
    return node


def _secure(board, settings):
    if not settings["broker_tls"]:
        return None
    from .mqtt.secure import Refused, Secure
    gc.collect()
    if board.chip == "esp8266":
        return Refused("ESP8266 cannot check certificates: use a broker in the house that bridges")
    try:
        return Secure(settings["tls_ca"].encode())
    except ValueError as e:
        return Refused("tls_ca: %s" % e)


def _profile(settings, log):
    try:
        return load_profile(settings["board"])
    except (OSError, ValueError) as e:
        log("config: board: %s" % e)
        return {"name": settings["board"], "chip": sys.platform, "relays": []}


def _relays(board, settings, log):
    from .control.relays import Relay, Relays
    from .node import LAST_PATH
    gc.collect()
    boot_states = settings["relay_boot_states"]
    last = None
    if "last" in boot_states:
        try:
            last = storage.read_json(LAST_PATH)
        except ValueError as e:
            log("relays: %s" % e)
    power_on = not board.retained.outputs()  # boot.py has cleared them then
    return Relays([Relay(**relay) for relay in board.profile["relays"]], board.output,
                  board.retained, boot_states, power_on, last if isinstance(last, list) else None)


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


def _link(board, clock, log, settings, device, outbox, stream):
    from .mqtt.session import Session
    from .mqtt.topics import Topics
    from .sntp import Sntp
    gc.collect()
    from .mqtt.commands import Commands
    gc.collect()
    sntp = Sntp(settings["ntp_servers"], stream.resolver, clock, log)
    sntp.on_time = board.set_rtc
    topics = Topics(settings["base_topic"], settings["home_id"], settings["node_id"])
    client_id = device.client_id(settings["home_id"], settings["node_id"])
    # Only a soft reset is over at once; a power cut may have lasted for days.
    long_away = not (device.was_online and board.reset_cause == "soft")
    session = Session(client_id, stream, topics, settings, long_away)
    commands = Commands(topics, outbox, clock, board.retained, {}, session, log)
    return session, commands, sntp


def _take_crash():
    # Told once: in the health of this run.
    try:
        data = storage.read(CRASH_PATH, 2048)
        return str(data, "utf-8") if data else None
    except (OSError, ValueError) as e:  # UnicodeError is a ValueError
        return repr(e)
    finally:
        storage.remove(CRASH_PATH)
