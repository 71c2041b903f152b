# Sets the energy totals to zero and clears the trips, for who asks for it: `config reset` with
# `energy`, and the setup page.
from time import ticks_ms

from .. import ondemand, storage

_ENERGY = "energy.state"  # meter/energy_store.py
_CHANNELS = 3  # at the most; the second byte of the file says
_TRIPS = "trips.json"  # control/trips.py
_OF_TOTAL = ("total_wh", "rest_dwms", "register_wh")
_OF_DAYS = ("boot_wh", "day_start_wh")


def clear(energy, protection, write):
    """What was cleared: ["energy", "trips"]. A restart must follow.

    energy: `Energy`, or None without a meter; then there are only trips. protection: `Protection`,
    None where none runs. write(): what else is to be written, all or nothing. OSError or
    ValueError, also of write(): nothing has changed. The power may fail before and after each of
    the three.
    """
    undo = energy and _zero(energy)
    try:
        write()
    except (OSError, ValueError):
        if undo:
            undo()
        raise
    if protection:
        protection.clear(None, ticks_ms())  # or it might write them again
    storage.remove(_TRIPS)  # last: this needs no room
    return ["energy", "trips"] if energy else ["trips"]


def of_flash(log):
    """The `Energy` of a node that does not run, None if it has counted none."""
    data = storage.read(_ENERGY)
    if not data or len(data) < 2 or not 0 < data[1] <= _CHANNELS:
        return None
    try:
        return ondemand.load("meter.energy_store").Energy(data[1], 0, None, log)
    finally:
        ondemand.drop("meter.energy_store", "meter.energy")


def _zero(energy):
    # Returns what takes it back.
    channels = energy.channels
    before = []
    for channel in channels:
        for part, names in ((channel.imported, _OF_TOTAL), (channel.exported, _OF_TOTAL),
                            (channel, _OF_DAYS)):
            before += [(part, name, getattr(part, name)) for name in names]

    def put_back():
        for item in before:
            setattr(*item)

    def undo():
        put_back()
        energy.set_total(0, channels[0].imported.total_wh or 0)  # saves all
        put_back()

    for channel in channels:
        if channel.exported.total_wh is not None:
            channel.exported.set(0)
        channel.set_total(0)
    if not energy.set_total(0, 0):  # saves all
        put_back()
        raise OSError("the energy totals cannot be saved")
    return undo
