# Everything around the chip, built once from the settings, and the host's control channel.
# The shadow modules call `touch()` whenever firmware looks at the outside.
import json
import select
import sys

import uctypes
import utime

from . import layout, libc, memory
from .house import House
from .load import Load
from .pzem import Pzem
from .serial_line import SerialLine

_CONTROL_EVERY_MS = 20
_HOUSE_EVERY_MS = 5

rssi_dbm = -60
temperature_c = 41.0
wifi_fault = None  # None, "down", "wrong_password", "not_found"
dns = "127.0.0.1"
networks = {}  # ssid -> password of the access points in range; empty: any will do
lines = {}  # UART number -> (tx pin, rx pin, SerialLine)
relay_pins = set()  # pins whose level switches a load
outside_levels = {}  # pin number -> level that something outside forces on it

_loads = []
_meters = []
_house = None
_elapsed_ms = 0
_last_ticks = utime.ticks_ms()
_control_due_ms = 0
_house_due_ms = 0
_stdin = select.poll()


def pin_listener(number, level):
    """Called when the outside pulls a pin; pin.py puts its own here when it is imported."""
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
    if now >= _control_due_ms:
        _control_due_ms = now + _CONTROL_EVERY_MS
        for _ in _stdin.ipoll(0):
            _read_control()
    return now


def settle():
    """Bring the house up to this moment, before a load is switched."""
    _house.advance(now_ms())


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
    global wifi_fault, rssi_dbm, temperature_c
    for name, value in control.items():
        if name == "meter":
            for meter in _meters:
                if value.get("address") in (None, meter.address):
                    meter.fault = value["fault"]
        elif name == "wifi":
            wifi_fault = None if value == "up" else value
        elif name == "load":
            settle()
            _loads[value["index"]].set(value["watts"], value.get("power_factor"))
        elif name == "rssi":
            rssi_dbm = value
        elif name == "temperature":
            temperature_c = value
        elif name == "pin":
            pin_listener(value["id"], value["level"])


def _relay_contact(pin, active_low):
    """A function that tells whether the relay on `pin` is closed: driven, and at its level."""
    record = layout.PINS + pin * layout.PIN_SIZE
    mode, level = record + layout.PIN_MODE, record + layout.PIN_LEVEL
    active = 0 if active_low else 1
    state = memory.BYTES
    return lambda: state[level] == active and state[mode] & layout.PIN_MODE_DRIVEN


def _meter_record(number):
    address = uctypes.addressof(memory.BYTES) + layout.METERS + number * layout.METER_SIZE
    return uctypes.bytearray_at(address, layout.METER_SIZE)


def build(settings):
    """Build loads, meters, lines and network from the supervisor's settings."""
    global _house, rssi_dbm, dns, networks
    rssi_dbm = settings.get("rssi", rssi_dbm)
    dns = settings.get("dns", dns)
    networks = settings.get("networks", networks)
    for item in settings["loads"]:
        contact = None
        if "pin" in item:
            contact = _relay_contact(item["pin"], item.get("active_low", False))
            relay_pins.add(item["pin"])
        _loads.append(Load(item["watts"], contact, item.get("power_factor", 1.0)))
    for number, uart in settings["uarts"].items():
        on_line = []
        for item in uart["meters"]:
            loads = [_loads[index] for index in item["loads"]]
            on_line.append(Pzem(_meter_record(len(_meters)), item["address"], loads))
            _meters.append(on_line[-1])
        lines[int(number)] = (uart["tx"], uart["rx"], SerialLine(on_line))
    _house = House(_meters, settings.get("speed", 1.0))
    _house.advance(now_ms())
    for control in settings.get("controls", ()):
        obey(control)
    _stdin.register(sys.stdin, select.POLLIN)
