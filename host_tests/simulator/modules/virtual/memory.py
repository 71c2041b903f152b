# The board's state file, mapped: what must outlive the process is kept without a system call.
# `SETTINGS` is what the supervisor wrote for this start, `BYTES` are the bytes of the file.
import json
import os
import struct

import uctypes

from . import layout, libc

with open(os.getenv("HOMESYNC_SIM")) as file:
    SETTINGS = json.load(file)

CHIP = SETTINGS["chip"]
_ADDRESS = libc.map_shared(SETTINGS["state"], layout.SIZE)
BYTES = uctypes.bytearray_at(_ADDRESS, layout.SIZE)

_WORDS = uctypes.struct(
    _ADDRESS, {"word": (uctypes.ARRAY | 0, layout.SIZE // 4 | uctypes.UINT32)}, uctypes.NATIVE
).word


def read(offset, form):
    """One number of `struct` format `form` at `offset`."""
    return struct.unpack_from(form, BYTES, offset)[0]


def write(offset, form, value):
    struct.pack_into(form, BYTES, offset, value)


def count_transition(pin_record):
    """Count one level change in the pin record that starts at this offset."""
    _WORDS[(pin_record + layout.PIN_TRANSITIONS) >> 2] += 1
