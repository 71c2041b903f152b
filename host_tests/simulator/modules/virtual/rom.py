# The chip's ROMFS partition: `vfs` with rom_ioctl, and what the chip does with it at each start.
# It is flash, mapped outside the heap: byte code runs in place, erased is 0xff, and a write only
# clears bits. As MicroPython 1.25 has it (ports/esp8266/vfs_rom_ioctl.c, extmod/vfs.c).
import errno
import sys

import uctypes
from vfs import *  # noqa: F403

from . import libc, memory

_SECTOR = 4096
_bytes = uctypes.bytearray_at(libc.map_shared(*memory.SETTINGS["romfs"]),
                              memory.SETTINGS["romfs"][1])
_segment = memoryview(_bytes)


def rom_ioctl(operation, *arguments):
    """1: how many partitions; 2, id: its bytes; 3, id, bytes: erase them, returns the least to
    write at once; 4, id, offset, data: write; 5, id: done. A negative errno where it fails."""
    if operation == 1:
        return 1
    if operation in (2, 3, 4, 5) and arguments[0] == 0:
        if operation == 2:
            return _segment
        if operation == 3 and 0 <= arguments[1] <= len(_bytes):
            for start in range(0, arguments[1], _SECTOR):
                _bytes[start:start + _SECTOR] = b"\xff" * _SECTOR
            return 4
        if operation == 4 and arguments[1] % 4 == 0 and \
                0 <= arguments[1] <= len(_bytes) - len(arguments[2]):
            _program(arguments[1], arguments[2])
            return 0
    return -errno.EINVAL  # 5 as well: the chips need no end


def _program(offset, data):
    for byte in data:
        _bytes[offset] &= byte
        offset += 1


def start():
    """Put this `vfs` in place of the built-in one; mount what is in the partition, if it is a
    file system, and let imports look there after the root and before lib/."""
    sys.modules["vfs"] = sys.modules[__name__]
    try:
        mount(VfsRom(_segment), "/rom")  # noqa: F405
    except OSError:
        return
    at = sys.path.index(memory.SETTINGS["code"] + "/lib")
    sys.path[at:at] = ["/rom", "/rom/lib"]
