"""Lets CPython import firmware/ota: stand-ins for the two modules of MicroPython that it needs."""

import sys
import types
import zlib


class DeflateIO:
    """Reads a raw deflate stream a byte at a time, as MicroPython's does: not one too far."""

    def __init__(self, stream, format, wbits):
        self._stream = stream
        self._inflater = zlib.decompressobj(-wbits)
        self._byte = bytearray(1)

    def readinto(self, buffer):
        done = 0
        while done < len(buffer) and not self._inflater.eof:
            waiting = self._inflater.unconsumed_tail
            if not waiting:
                if not self._stream.readinto(self._byte):
                    raise EOFError
                waiting = bytes(self._byte)
            try:
                data = self._inflater.decompress(waiting, len(buffer) - done)
            except zlib.error as error:
                raise OSError(22, str(error)) from error
            buffer[done:done + len(data)] = data
            done += len(data)
        return done


def install():
    """Make `micropython` and `deflate` importable, unless they are."""
    micropython = types.ModuleType("micropython")
    micropython.const = lambda value: value
    deflate = types.ModuleType("deflate")
    deflate.RAW, deflate.DeflateIO = 1, DeflateIO
    sys.modules.setdefault("micropython", micropython)
    sys.modules.setdefault("deflate", deflate)
