# Entry of a virtual board's process: does what the chip does from reset to the end of main.py.
# Started by virtual_board.py with MICROPYPATH = shadow modules, code folder, its lib, .frozen.
import gc
import os
import sys

sys.path.pop(0)  # this script's own folder is no part of the board

from virtual import layout, libc, memory, world  # noqa: E402

line = memory.SETTINGS.get("line")  # where the serial line is read, None if nothing is plugged in


def run(name):
    """Run `name`.py of the code folder; False if it raised."""
    path = memory.SETTINGS["code"] + "/" + name + ".py"
    try:
        os.stat(path)
    except OSError:
        if line is not None:
            return True  # an empty chip
    try:
        execfile(path, {"__name__": "__main__"})
    except SystemExit as end:
        libc.leave(end.args[0] if end.args and isinstance(end.args[0], int) else 0)
    except KeyboardInterrupt as error:
        sys.print_exception(error)
        if line is None:
            libc.leave(130)
        return False
    except Exception as error:
        sys.print_exception(error)
        return False
    return True


world.build(memory.SETTINGS)
memory.write(layout.CONTROLS_TAKEN, "<I", 0)
left_ms = memory.read(layout.WATCHDOG_LEFT, "<I")
if left_ms:
    memory.write(layout.WATCHDOG_LEFT, "<I", 0)
    libc.start_alarm(libc.alarm_setting(left_ms))
# On a chip these are built in: they count as the simulator's heap, not as the firmware's.
for name in ("machine", "network", "time", "os", "esp32"):
    try:
        __import__(name)
    except ImportError:
        pass  # no such module on this chip
if memory.SETTINGS["romfs"]:
    from virtual import rom

    rom.start()
gc.collect()
memory.write(layout.HEAP_USED, "<I", gc.mem_alloc())

memory.write(layout.REPL_ATTACHED, "<I", 1)
# As on the chips, an exception in boot.py keeps main.py from running, and so does the raw REPL.
well = run("boot") and (memory.read(layout.REPL_RAW, "<I") or run("main"))
if line is None:
    libc.leave(0 if well else 1)
from virtual import repl  # noqa: E402

repl.Repl(line).serve()
