# Puts the node together from its configuration. Dropped after the start, so no function of this
# module may be handed to what stays: it would keep all of them alive.
import gc
import sys

from . import board as chip
from . import ondemand, storage
from .clock import Clock
from .device import Device
from .log import Log
from .parts import Parts, load_profile

# Collected after each group of imports: otherwise the garbage of loading one module lies between
# the next ones, and the largest free block shrinks to 512 bytes on an ESP8266 (reference:
# host-toolchain).

CRASH_PATH = "crash.txt"  # written by main.py


def build(settings, problems, pending=None, patient=False):
    """(node, board), ready to run.

    settings: a complete dict; problems: what was wrong with the configuration, list of texts;
    pending: what is left of a trial of settings (config/pending.py); patient: it comes back from
    the setup portal (setup/leaving.py).
    """
    slot = ondemand.with_slots(lambda slots: slots.current())
    gc.collect()
    clock = Clock()
    log = Log(clock)
    for text in problems:
        log("config: " + text)
    profile = _profile(settings, log)
    if slot["state"] == "recovery":
        # The link and updates only: nothing that could be what has failed. Pins stay as they are.
        log("boot: recovery (%s)" % (slot["reason"] or "too many crashes"))
        profile = {"name": profile["name"], "chip": profile["chip"], "relays": []}
    parts = Parts(profile, chip.machine, chip.esp32)
    board = chip.Board(parts.profile["name"], parts.profile["chip"])
    log("boot: %s, reset cause %s" % (board.name, board.reset_cause))
    device = Device(log)
    own_id = "node-" + board.unique_id[-6:]
    settings["node_id"] = settings["node_id"] or own_id
    if pending:
        pending["new"][2] = pending["new"][2] or own_id
    return _node(board, parts, clock, log, settings, device, slot, pending, patient), board


def _node(board, parts, clock, log, settings, device, slot, pending, patient):
    # From the ground up; what a lower part has to tell a higher one is hooked up at the end.
    from .mqtt.stream import Stream
    from .resolver import Resolver
    gc.collect()
    # First of all, while the heap is in one piece: these buffers are the largest blocks there are.
    stream = Stream(None, Resolver(), 1024 if board.chip == "esp8266" else 4096)
    stream.secure = _secure(board, settings, clock)

    hardware = ondemand.load("hardware")
    relays, protection = hardware.relays(board, parts, settings, log)
    led = hardware.led(parts)
    inputs = hardware.inputs(parts, settings, relays, led, log)
    sampler, energy = hardware.meter(parts, settings, clock, log)
    thermometer = hardware.thermometer(board, parts, log)
    del hardware
    ondemand.drop("hardware", "config.limits", "control.trips")

    from .mqtt.outbox import Outbox
    from .telemetry import metrics
    from .telemetry.reporter import Temperature
    gc.collect()
    outbox = Outbox()
    metering, backlog = _metering(settings, clock, log, outbox, sampler, energy, protection)

    from .setup.wifi import Wifi
    from .telemetry.status import Status
    gc.collect()
    wifi = Wifi(settings, board.chip, log)
    status = Status(outbox, clock, relays, wifi, board)

    from .house import House
    from .rhythm import Rhythm
    gc.collect()
    house = House(board, clock, log, status, relays, inputs, led, metering, protection,
                  thermometer, Temperature(outbox, clock, [metrics.of_temperature(settings)]))
    rhythm = Rhythm(house.tick)

    stream.rhythm = rhythm
    stream.resolver.servers = wifi.dns_servers
    session, commands, sntp = _link(board, clock, log, settings, device, outbox, stream)

    from .actions import ConfigActions, LedActions, RelayActions
    from .node import Node
    from .ota.updates import Updates
    from .setup.entry import Entry
    gc.collect()
    updates = Updates(slot, board.chip, settings, clock, log, rhythm, stream, session, commands,
                      outbox)
    crash = _take_crash()
    node = updates.node = Node(log, rhythm, house, wifi, sntp, outbox, backlog, session, commands,
                               updates, status, device.boots, board.reset_cause, crash)
    commands.handlers["relay"] = RelayActions(relays)
    commands.handlers["led"] = LedActions(led)
    commands.handlers["ota"] = updates
    commands.handlers["config"] = ConfigActions(settings, log, node)
    session.on_command = commands.receive
    session.on_event = node.session_event
    status.node = node
    node.entry = Entry(settings, "homesync-" + board.unique_id[-6:], board.chip, wifi, node,
                       stream.resolver, clock, log)
    if board.chip == "esp8266":  # its portal opens without the node
        from .setup.leaving import Leaving
        node.entry.leaving = Leaving(settings, node, relays, pending, log, patient or bool(crash))
    for one in inputs:
        if hasattr(one, "on_erase"):
            one.on_erase = node.erase
            one.on_portal = node.entry.ask
    if stream.on_date:
        node.on_stop = sntp.save
    relays.on_change = house.relay_changed
    relays.save = node.keep_last
    if protection:
        protection.on_change = house.alarm_changed
    if pending:
        node.trial = ondemand.load("config.trial").Trial(
            pending, device, node, session, stream, commands, outbox, log)
    return node


def _metering(settings, clock, log, outbox, sampler, energy, protection):
    # (Metering or None, Backlog). Where there are phases the total comes before them.
    from .telemetry.backlog import Backlog
    if sampler is None:
        return None, Backlog(clock, log, ())
    from .metering import Metering
    from .telemetry import metrics
    from .telemetry.reporter import Reporter
    gc.collect()
    total, suffixes = None, ("",)
    if len(sampler.ok) > 1:
        from .meter.phases import Total
        gc.collect()
        total = Total()
        suffixes += ("_a", "_b", "_c")[:len(sampler.ok)]
    backlog = Backlog(clock, log, suffixes)
    reporters = [Reporter(outbox, clock, metrics.of_channel(settings, suffix))
                 for suffix in suffixes]
    return Metering(sampler, energy, protection, backlog, reporters, total), backlog


def _secure(board, settings, clock):
    if not settings["broker_tls"]:
        return None
    from .mqtt.secure import Refused, of_settings
    gc.collect()
    if board.chip == "esp8266":
        return Refused("ESP8266 cannot check certificates: use a broker in the house that bridges")
    try:
        return of_settings(settings, clock)
    except (OSError, ValueError) as e:
        return Refused("%s: see tls_ca" % e)


def _profile(settings, log):
    try:
        return load_profile(settings["board"])
    except (OSError, ValueError) as e:
        log("config: board: %s" % e)
        return {"name": settings["board"], "chip": sys.platform, "relays": []}


def _link(board, clock, log, settings, device, outbox, stream):
    from .mqtt.session import Session
    from .mqtt.topics import Topics
    from .sntp import Sntp
    gc.collect()
    from .mqtt.commands import Commands
    gc.collect()
    sntp = Sntp(settings["ntp_servers"], stream.resolver, clock, log)
    sntp.on_time = board.set_rtc
    if settings["broker_tls"] and board.chip != "esp8266":
        from .timekeeper import Timekeeper
        gc.collect()
        sntp = Timekeeper(sntp, clock, board, log)
        stream.on_date = sntp.date
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
