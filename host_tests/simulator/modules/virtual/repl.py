# The chip's REPL after main.py has ended, on the serial line that the host has plugged in.
# Raw, raw-paste and the friendly mode as far as tools use them (MicroPython: pyexec.c).
import builtins
import select
import sys

from . import layout, memory, world

_WINDOW = 128  # bytes that may be sent ahead in raw-paste mode
_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D, _CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"

_import = builtins.__import__
_globals = {"__name__": "__main__"}
_told = memory.SETTINGS["sys"]


class _Sys:
    """What `import sys` gives to code from the line: the chip's platform and version, not ours."""

    platform = _told["platform"]

    class implementation:
        name = "micropython"
        version = tuple(_told["version"])
        _machine = _told["machine"]
        _mpy = getattr(sys.implementation, "_mpy", 0)

    def __getattr__(self, name):
        return getattr(sys, name)


def _import_for_line(name, *rest):
    if name == "sys":
        return _sys
    if sys.path == [".frozen"]:
        sys.path.extend(memory.SETTINGS["frozen"])
    builtins.__import__ = _import  # what is imported has its own imports, relative ones too
    try:
        return _import(name, *rest)
    finally:
        builtins.__import__ = _import_for_line


_sys = _Sys()


class Repl:
    """fd: where bytes from the line are read. `serve` does not return."""

    def __init__(self, fd):
        self._line = open(fd, "rb")
        self._poll = select.poll()
        self._poll.register(self._line, select.POLLIN)
        builtins.__import__ = _import_for_line

    def serve(self):
        while True:
            raw = memory.read(layout.REPL_RAW, "<I")
            memory.write(layout.REPL_WAITS, "<I", 1)
            try:
                (self._raw if raw else self._friendly)()
            except KeyboardInterrupt:
                pass  # meant for what had just ended

    def _get(self):
        while True:
            world.touch()
            for _ in self._poll.ipoll(20):
                return self._line.read(1)

    def _friendly(self):
        told = "MicroPython v%d.%d.%d; %s\n" % tuple(_told["version"] + [_told["machine"]])
        _say("\n" + told + 'Type "help()" for more information.\n>>> ')
        line = b""
        while True:
            c = self._get()
            if c == _CTRL_A:
                memory.write(layout.REPL_RAW, "<I", 1)
                return
            if c == _CTRL_B:
                return
            if c == _CTRL_C:
                line = b""
                _say("\n>>> ")
            elif c == _CTRL_D and not line:
                _say("\n")
                _soft_reset()
            elif c == b"\r":
                _say("\n")
                error = _run(line)
                if error:
                    sys.print_exception(error)
                line = b""
                _say(">>> ")
            else:
                line += c
                _say(c.decode())

    def _raw(self):
        _say("\nraw REPL; CTRL-B to exit\n>")
        line = b""
        while True:
            c = self._get()
            if c == _CTRL_A:
                if line[:1] == _CTRL_E and len(line) == 2:
                    self._paste(line[1:])
                    line = b""
                    _say(">")
                    continue
                return
            if c == _CTRL_B:
                _say("\n")
                memory.write(layout.REPL_RAW, "<I", 0)
                return
            if c == _CTRL_C:
                line = b""
            elif c == _CTRL_D:
                _say("OK")
                if not line:
                    _say("\n")
                    _soft_reset()
                _answer(line)
                line = b""
                _say(">")
            else:
                line += c

    def _paste(self, kind):
        if kind != b"A":
            _say("R\x00")
            return
        _say("R\x01%c\x00\x01" % _WINDOW)
        text = bytearray()
        while True:
            c = self._get()
            if c == _CTRL_C or c == _CTRL_D:
                _say("\x04")
                break
            text.extend(c)
            if len(text) % _WINDOW == 0:
                _say("\x01")
        if c == _CTRL_C:
            _say("\x04")
            sys.print_exception(KeyboardInterrupt())
            _say("\x04")
        else:
            _answer(bytes(text))


def _answer(source):
    error = _run(source)
    _say("\x04")
    if error:
        sys.print_exception(error)
    _say("\x04")


def _run(source):
    # The exception that ended it, or None.
    memory.write(layout.REPL_WAITS, "<I", 0)
    try:
        exec(source, _globals)
    except SystemExit:
        _soft_reset()
    except BaseException as error:
        return error
    finally:
        memory.write(layout.REPL_WAITS, "<I", 1)


def _say(text):
    sys.stdout.write(text)


def _soft_reset():
    import machine

    _say("MPY: soft reboot\n")
    machine.soft_reset()
