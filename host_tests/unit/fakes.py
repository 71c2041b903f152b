"""What several unit tests need: stand-ins for the node's parts, and a few habits of testing."""

import errno
import gc
import json
import os
import sys
from binascii import hexlify
from time import ticks_add

BEFORE_WRAP = ticks_add(0, -1000)  # one second before ticks start over, on any port
NEW_YEAR_S = 1767225600  # 2026-01-01T00:00:00Z

if not hasattr(gc, "mem_free"):
    gc.mem_free = lambda: 20000


def raised(kind, function, *args):
    """The exception of this kind that the call ends with; None if it ends without one."""
    try:
        function(*args)
    except kind as e:
        return e
    return None


def in_scratch(test):
    """Runs a test inside an empty folder, which is removed afterwards."""

    def run():
        folder = "scratch-" + str(hexlify(os.urandom(6)), "ascii")
        os.mkdir(folder)
        os.chdir(folder)
        try:
            test()
        finally:
            for name in os.listdir("."):
                try:
                    os.remove(name)
                except OSError:
                    os.rmdir(name)
            os.chdir("..")
            os.rmdir(folder)

    return run


def write(path, data):
    f = open(path, "wb")
    try:
        f.write(data)
    finally:
        f.close()


class Patched:
    """`with Patched(module, name=value)`: other names in a module, until the end of the block."""

    def __init__(self, module, **names):
        self._module = module
        self._names = names
        self._before = {}

    def __enter__(self):
        for name in self._names:
            if hasattr(self._module, name):
                self._before[name] = getattr(self._module, name)
            setattr(self._module, name, self._names[name])
        return self

    def __exit__(self, *_):
        for name in self._names:
            if name in self._before:
                setattr(self._module, name, self._before[name])
            else:
                delattr(self._module, name)


class OnDemand:
    """Stands for the module `ondemand`: `module` is what it loads, `loaded` is not dropped yet."""

    def __init__(self, module=None):
        self.module = module
        self.loaded = []

    def load(self, name):
        self.loaded.append(name)
        if self.module is None:
            raise MemoryError()
        return self.module

    def drop(self, *names):
        self.loaded = [name for name in self.loaded if name not in names]


class Json:
    """`json` as MicroPython has it: characters beyond ASCII are sent as they are."""

    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(value):
        if sys.implementation.name == "micropython":
            return json.dumps(value)
        return json.dumps(value, ensure_ascii=False)


class Ticks:
    """A clock to be moved by hand: `ticks()` for `ticks_ms`, `ticks.sleep` for `sleep_ms`."""

    def __init__(self, now_ms=BEFORE_WRAP):
        self.now_ms = now_ms

    def __call__(self):
        return self.now_ms

    def sleep(self, ms):
        self.now_ms = ticks_add(self.now_ms, ms)


class Clock:
    """Stands for `clock.Clock`: the time is `unix_s`, None for unknown."""

    def __init__(self, unix_s=NEW_YEAR_S, uptime_s=7):
        self.unix_s = unix_s
        self.uptime_s = uptime_s

    def unix(self):
        return self.unix_s

    def timestamp(self):
        if self.unix_s is None:
            return None
        past_s = self.unix_s - NEW_YEAR_S
        assert 0 <= past_s < 864000  # no test needs another one in writing
        return "2026-01-%02dT%02d:%02d:%02dZ" % (
            1 + past_s // 86400, past_s // 3600 % 24, past_s // 60 % 60, past_s % 60)


class Log:
    """Stands for `log.Log`: keeps what it is told."""

    def __init__(self):
        self.lines = []

    def __call__(self, text):
        self.lines.append(text)

    def has(self, part):
        return any(part in line for line in self.lines)


class Net:
    """Stands for the module `socket`. `made` are its sockets; `refuse` makes sending fail."""

    AF_INET = 2
    SOCK_DGRAM = 2

    def __init__(self):
        self.made = []
        self.refuse = None

    def socket(self, *_):
        self.made.append(Datagrams(self))
        return self.made[-1]

    def getaddrinfo(self, host, port, *_):
        return [(2, 2, 0, "", (host, port))]


class Datagrams:
    """A UDP socket: `sent` has gone out; what is put into `coming` arrives (or is raised)."""

    def __init__(self, net):
        self._net = net
        self.sent = []
        self.coming = []
        self.peer = None
        self.blocking = True
        self.closed = False

    def setblocking(self, blocking):
        self.blocking = blocking

    def connect(self, address):
        if self._net.refuse:
            raise self._net.refuse
        self.peer = address

    def send(self, data):
        assert not self.blocking
        self.sent.append(bytes(data))

    def recv(self, n):
        assert not self.blocking and not self.closed
        if not self.coming:
            raise OSError(errno.EAGAIN, "nothing there")
        item = self.coming.pop(0)
        if isinstance(item, Exception):
            raise item
        return item[:n]

    def close(self):
        self.closed = True
