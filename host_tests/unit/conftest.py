# What MicroPython has and CPython lacks, so that the firmware can be imported here.
# Only for the unit tests; node tests run on the real interpreter.
import binascii
import struct
import sys
import time
import types

# As on the chips and on 32-bit unix: ticks wrap at 2**30.
_PERIOD = 1 << 30


def _ticks_ms():
    return time.monotonic_ns() // 1_000_000 % _PERIOD


def _ticks_us():
    return time.monotonic_ns() // 1000 % _PERIOD


def _ticks_add(ticks, delta):
    return (ticks + delta) % _PERIOD


def _ticks_diff(end, start):
    return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2


def _sleep_ms(delay_ms):
    time.sleep(delay_ms / 1000)


def _const(value):
    return value


for _function in (_ticks_ms, _ticks_us, _ticks_add, _ticks_diff, _sleep_ms):
    setattr(time, _function.__name__[1:], _function)
_micropython = types.ModuleType("micropython")
_micropython.const = _const
sys.modules.setdefault("micropython", _micropython)
# The names umqtt imports; its socket calls work on MicroPython only.
sys.modules.setdefault("ubinascii", binascii)
sys.modules.setdefault("ustruct", struct)
sys.modules.setdefault("utime", time)
sys.modules.setdefault("usocket", types.ModuleType("usocket"))
