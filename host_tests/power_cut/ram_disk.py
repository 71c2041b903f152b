# A flash chip in RAM, for the real littlefs2 of the unix port, that can lose its power.
# MicroPython only. Geometry as on the chips: blocks of 4,096 bytes, read and prog of 32.
import gc
import os

import vfs

BLOCK = 4096
UNIT = 32
MOUNT = "/flash"
# What the last operation before the power went left: nothing, its first half, that and rubbish,
# or all of it.
TEARS = ("none", "half", "noise", "all")


class RamDisk:
    """`blocks` of erased flash, or a copy of another disk. Progs and erases are counted.

    At operation number `cut` (from 0) the power goes: it is torn as `tear` says, and from then on
    every operation, reads too, raises OSError. `cut_off` tells that this has happened, `dead` that
    nothing more may.
    """

    mounted = None

    def __init__(self, blocks=32, copy_of=None, cut=None, tear="none"):
        self.data = bytearray(copy_of.data) if copy_of else bytearray(b"\xff" * (BLOCK * blocks))
        self.progs = self.erases = 0
        self.dead = self.cut_off = False
        self._cut = cut
        self._tear = tear

    @property
    def operations(self):
        return self.progs + self.erases

    def readblocks(self, block, buffer, offset=0):
        self._alive()
        start = block * BLOCK + offset
        buffer[:] = memoryview(self.data)[start:start + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        self._alive()
        start = block * BLOCK + offset
        if self.operations == self._cut:
            self._lose_power(start, buffer)
        self.progs += 1
        self.data[start:start + len(buffer)] = buffer

    def ioctl(self, operation, argument):
        self._alive()
        if operation == 4:
            return len(self.data) // BLOCK
        if operation == 5:
            return BLOCK
        if operation == 6:
            start = argument * BLOCK
            if self.operations == self._cut:
                self._lose_power(start, b"\xff" * BLOCK)
            self.erases += 1
            self.data[start:start + BLOCK] = b"\xff" * BLOCK
        return 0

    def format(self):
        vfs.VfsLfs2.mkfs(self, readsize=UNIT, progsize=UNIT, lookahead=32)

    def mount(self):
        """Make it the current folder, in place of the one that was mounted before."""
        os.chdir("/")
        if RamDisk.mounted:
            if RamDisk.mounted.cut_off:
                # Files that were open are closed now, while their file system is there: collected
                # together with it, they would crash the interpreter.
                gc.collect()
            vfs.umount(MOUNT)
            RamDisk.mounted = None
        vfs.mount(vfs.VfsLfs2(self, readsize=UNIT, progsize=UNIT, lookahead=32), MOUNT)
        RamDisk.mounted = self
        os.chdir(MOUNT)

    def _alive(self):
        if self.dead:
            raise OSError(5)

    def _lose_power(self, start, wanted):
        self.dead = self.cut_off = True
        half = len(wanted) // 2
        if self._tear == "all":
            self.data[start:start + len(wanted)] = wanted
        elif self._tear != "none":
            self.data[start:start + half] = wanted[:half]
        if self._tear == "noise":
            for i in range(start + half, start + len(wanted)):
                self.data[i] = self.data[i] & (i * 37 + 11)  # flash can only clear bits
        raise OSError(5)
