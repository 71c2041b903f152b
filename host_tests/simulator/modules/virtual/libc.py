# The few calls into the C library which the virtual hardware needs.
# Exact on 64 bit and i386: no argument here is wider than a machine word.
import struct

import ffi

_LIBC = ffi.open("libc.so.6")
_open = _LIBC.func("i", "open", "si")
_mmap = _LIBC.func("P", "mmap", "PLiiiL")
_setitimer = _LIBC.func("i", "setitimer", "ipp")
_getitimer = _LIBC.func("i", "getitimer", "ip")
_exit = _LIBC.func("v", "_exit", "i")

_O_RDWR = 2
_PROT_READ_WRITE = 3
_MAP_SHARED = 1
_ITIMER_REAL = 0


def map_shared(path, size):
    """Address of the first `size` bytes of a file, shared with every process that maps it."""
    fd = _open(path, _O_RDWR)
    if fd < 0:
        raise OSError("cannot open " + path)
    address = _mmap(0, size, _PROT_READ_WRITE, _MAP_SHARED, fd, 0)
    if address == -1:
        raise OSError("cannot map " + path)
    return address


def alarm_setting(timeout_ms):
    """The `struct itimerval` of one alarm after `timeout_ms`, to be passed to `start_alarm`."""
    return struct.pack("llll", 0, 0, timeout_ms // 1000, timeout_ms % 1000 * 1000)


def start_alarm(setting):
    """Let SIGALRM end the process when the time is over; a second call starts afresh."""
    _setitimer(_ITIMER_REAL, setting, None)


def alarm_left_ms():
    """Milliseconds until the alarm, at least 1 while one is set, 0 if none is."""
    value = bytearray(struct.calcsize("llll"))
    _getitimer(_ITIMER_REAL, value)
    _, _, seconds, microseconds = struct.unpack("llll", value)
    if not seconds and not microseconds:
        return 0
    return seconds * 1000 + microseconds // 1000 + 1


def leave(code):
    """End the process now: no `finally`, no finaliser, as when a chip resets."""
    _exit(code)
