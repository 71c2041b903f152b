# Everything around the chip, built once from the settings, and the host's control channel.
# The shadow modules call `touch()` whenever firmware looks at the outside.
import json
import select
import sys

import uctypes
import utime

from . import layout, libc, memory, models
from .house import House
from .latch import Latch
from .load import Load
from .rs485 import Transceiver
from .serial_line import SerialLine

_CONTROL_EVERY_MS = 20
_HOUSE_EVERY_MS = 5

rssi_dbm = -60
temperature_c = 41.0
wifi_fault = None  # None, "down", "wrong_password", "not_found", "refused", "no_address"
dns = "127.0.0.1"
networks = {}  # ssid -> password of the access points in range; empty: any will do
stations = 0  # devices that have joined the access point
lines = {}  # UART number -> (tx pin, rx pin, SerialLine)
relay_pins = set()  # pins at whose change something outside must be up to date
outside_levels = {}  # pin number -> level that something outside forces on it

_loads = []
_meters = []
_latches = []
_pin_listeners = []  # called with the time just before one of `relay_pins` changes
_house = None
_elapsed_ms = 0
_last_ticks = utime.ticks_ms()
_control_due_ms = 0
_house_due_ms = 0
_stdin = select.poll()


def pin_listener(number, level):
    """Called when the outside pulls a pin; pin.py puts its own here when it is imported."""
    if level is not None:  # None, let go before the start, is how they all are
        outside_levels[number] = level


def now_ms():
    """Milliseconds since this process began; never wraps."""
    global _elapsed_ms, _last_ticks
    ticks = utime.ticks_ms()
    _elapsed_ms += utime.ticks_diff(ticks, _last_ticks)
    _last_ticks = ticks
    return _elapsed_ms


def touch():
    """Let the outside world catch up with the clock; returns now_ms()."""
    global _control_due_ms, _house_due_ms
    now = now_ms()
    if now >= _house_due_ms:
        _house_due_ms = now + _HOUSE_EVERY_MS
        _house.advance(now)
        for latch in _latches:
            latch.update(now)
    if now >= _control_due_ms:
        _control_due_ms = now + _CONTROL_EVERY_MS
        for _ in _stdin.ipoll(0):
            _read_control()
    return now


def settle():
    """Bring the house up to this moment, before a load is switched."""
    now = now_ms()
    _house.advance(now)
    for listener in _pin_listeners:
        listener(now)


def _read_control():
    line = sys.stdin.readline()
    if not line:
        libc.leave(1)  # the supervisor is gone; nobody would ever stop this board
    control = json.loads(line)
    obey(control)
    taken = memory.read(layout.CONTROLS_TAKEN, "<I") + 1
    memory.write(layout.CONTROLS_TAKEN, "<I", taken)
    while control.get("hang"):
        pass


def obey(control):
    """Apply one control object (checked by the supervisor, VirtualBoard.fault)."""
    global wifi_fault, networks, stations, rssi_dbm, temperature_c
    for name, value in control.items():
        if name == "meter":
            for meter in _meters:
                if value.get("address") in (None, getattr(meter, "address", None)):
                    meter.fault_phase = value.get("phase")
                    meter.fault = value["fault"]
        elif name == "wifi":
            wifi_fault = None if value == "up" else value
        elif name == "networks":
            networks = value
        elif name == "stations":
            stations = value
        elif name == "load":
            settle()
            _loads[value["index"]].set(value["watts"], value.get("power_factor"))
        elif name == "rssi":
            rssi_dbm = value
        elif name == "temperature":
            temperature_c = value
        elif name == "pin":
            pin_listener(value["id"], value["level"])


def _driven(pin, active_low=False):
    """A function that tells whether a pin is an output at its active level."""
    record = layout.PINS + pin * layout.PIN_SIZE
    mode, level = record + layout.PIN_MODE, record + layout.PIN_LEVEL
    active = 0 if active_low else 1
    state = memory.BYTES
    relay_pins.add(pin)
    return lambda: state[level] == active and state[mode] & layout.PIN_MODE_DRIVEN


def _relay_contact(relay):
    """A function that tells whether the contact of relay {"pin"} or {"set_pin"} is closed."""
    active_low = relay.get("active_low", False)
    if "pin" in relay:
        return _driven(relay["pin"], active_low)
    coils = (_driven(relay["set_pin"], active_low), _driven(relay["reset_pin"], active_low))
    latch = Latch(memory.BYTES, layout.CONTACTS + relay["index"], coils, layout.COIL_CLASHES)
    _latches.append(latch)
    _pin_listeners.append(latch.pin_changes)
    return latch.is_closed


def _meter(item, speed):
    """The model of a meter; its `loads` are given by number, a list for each phase."""
    loads = [[_loads[index] for index in phase] for phase in item["loads"]]
    number = len(_meters)
    address = uctypes.addressof(memory.BYTES) + layout.METERS + number * layout.METER_SIZE
    record = uctypes.bytearray_at(address, layout.METER_SIZE)
    _meters.append(models.model(item["chip"])(record, dict(item, speed=speed), loads))
    return _meters[-1]


def build(settings):
    """Build loads, meters, lines and network from the supervisor's settings."""
    global _house, rssi_dbm, dns, networks
    rssi_dbm = settings.get("rssi", rssi_dbm)
    dns = settings.get("dns", dns)
    networks = settings.get("networks", networks)
    speed = settings.get("speed", 1.0)
    contacts = [_relay_contact(relay) for relay in settings["relays"]]
    for item in settings["loads"]:
        contact = contacts[item["relay"]] if "relay" in item else None
        _loads.append(Load(item["watts"], contact, item.get("power_factor", 1.0)))
    for number, uart in settings["uarts"].items():
        line = SerialLine([_meter(item, speed) for item in uart["meters"]])
        if "de_pin" in uart:
            line = Transceiver(line, _driven(uart["de_pin"]))
            _pin_listeners.append(line.pin_changes)
        lines[int(number)] = (uart["tx"], uart["rx"], line)
    for item in settings["pulse_meters"]:
        _meter(item, speed)
    _house = House(_meters, speed)
    _house.advance(now_ms())
    for control in settings.get("controls", ()):
        obey(control)
    _stdin.register(sys.stdin, select.POLLIN)
