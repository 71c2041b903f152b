"""What a reset must not take: relay output levels and the ids of commands already executed.

It lies in RTC memory, which every reset keeps and a power cut loses. A write there can be cut
short, and after power-on there may be anything, so each section carries its own magic and
checksum: damage to one leaves the other readable. `boot.py` needs it, so an update never
replaces this file and the layout is fixed:

    0   "O1"  count  8 x (pin * 2 + level)  checksum    relay outputs, unused places 0
    15  "I1"  added  16 x 6-byte hash       checksum    command ids, a ring

`added` counts hashes up to 31, then goes back to 16: the next goes to place `added % 16`, and
below 16 only that many places are filled. The checksum is the first 4 bytes of the SHA-256 of the
bytes before it: ESP8266 has no crc32, and a checksum in Python would be the slowest part of a
relay command. Bytes behind offset 118 are carried along untouched.
"""

from hashlib import sha256

from micropython import const

MAX_OUTPUTS = const(8)
MAX_IDS = const(16)
ID_SIZE = const(6)

_OUTPUTS = const(0)
_OUTPUTS_MAGIC = b"O1"
_OUTPUTS_SUM = const(11)
_IDS = const(15)
_IDS_MAGIC = b"I1"
_IDS_SUM = const(114)
_SIZE = const(118)


class Retained:
    """The record. `memory` is `machine.RTC().memory`: called without argument it reads bytes,
    with a buffer it writes it."""

    def __init__(self, memory):
        self._memory = memory
        self._data = data = bytearray(memory())
        if len(data) < _SIZE:
            data.extend(bytes(_SIZE - len(data)))
        for start, sum_at, magic in (
            (_OUTPUTS, _OUTPUTS_SUM, _OUTPUTS_MAGIC),
            (_IDS, _IDS_SUM, _IDS_MAGIC),
        ):
            stored = data[sum_at : sum_at + 4]
            if data[start : start + 2] != magic or stored != _checksum(data, start, sum_at):
                data[start:sum_at] = bytes(sum_at - start)

    def outputs(self):
        """List of (pin number, electrical level 0 or 1); empty after power-on or damage."""
        data = self._data
        entries = data[_OUTPUTS + 3 : _OUTPUTS + 3 + data[_OUTPUTS + 2]]
        return [(entry >> 1, entry & 1) for entry in entries]

    def set_outputs(self, outputs):
        """Keep these (pin number, level) pairs, at most 8, pins 0..127; else `ValueError`."""
        entries = bytearray(MAX_OUTPUTS)
        count = 0
        for pin, level in outputs:
            if count == MAX_OUTPUTS or not 0 <= pin <= 127:
                raise ValueError("outputs")
            entries[count] = pin << 1 | (1 if level else 0)
            count += 1
        data = self._data
        data[_OUTPUTS + 2] = count
        data[_OUTPUTS + 3 : _OUTPUTS + 3 + MAX_OUTPUTS] = entries
        self._write(_OUTPUTS, _OUTPUTS_SUM, _OUTPUTS_MAGIC)

    def add_id(self, hash6):
        """Keep the 6-byte hash of a command id; the oldest of 16 makes room."""
        if len(hash6) != ID_SIZE:
            raise ValueError("hash6")
        data = self._data
        added = data[_IDS + 2]
        start = _IDS + 3 + added % MAX_IDS * ID_SIZE
        data[start : start + ID_SIZE] = hash6
        data[_IDS + 2] = added + 1 if added < 2 * MAX_IDS - 1 else MAX_IDS
        self._write(_IDS, _IDS_SUM, _IDS_MAGIC)

    def seen(self, hash6):
        """True if this hash is among the last 16."""
        return self._place(hash6) is not None

    def forget_id(self, hash6):
        """Take back an `add_id`: its command was refused after all."""
        place = self._place(hash6)
        if place is not None:
            start = _IDS + 3 + place * ID_SIZE
            self._data[start : start + ID_SIZE] = bytes(ID_SIZE)
            self._write(_IDS, _IDS_SUM, _IDS_MAGIC)

    def _place(self, hash6):
        ids = bytes(self._data[_IDS + 3 : _IDS_SUM])
        at = ids.find(hash6)
        while at >= 0 and at % ID_SIZE:  # across two hashes
            at = ids.find(hash6, at + 1)
        place = at // ID_SIZE
        return place if 0 <= place < self._data[_IDS + 2] else None

    def clear(self):
        """Forget everything, the bytes behind the two sections too."""
        self._data = bytearray(_SIZE)
        self._memory(self._data)

    def _write(self, start, sum_at, magic):
        data = self._data
        data[start : start + 2] = magic
        data[sum_at : sum_at + 4] = _checksum(data, start, sum_at)
        self._memory(data)


def _checksum(data, start, end):
    return sha256(data[start:end]).digest()[:4]
