# How deep the node's stack gets: an ESP8266 has 8 KiB of it for everything.
# The ends of the deepest branches are calls of the chip: ticks, gmtime, RTC memory, pins. On this
# board the shadow modules have them look at the stack pointer too.
import re
import shutil
import time

from rig import REPO, patched_code

from host_tests.support.compiled import compiled_tree

LIMIT = 6 * 1024

LOOK = '''

import micropython as _micropython

_base = _deepest = 0


def stack_from_here():
    global _base
    _base = _micropython.stack_use()  # one call deep, as below: that cancels out


def looking(plain, use=_micropython.stack_use):
    def call(*arguments):
        global _deepest
        used = use()
        if used > _deepest and _base:
            _deepest = used
            print("stack: %d" % (used - _base))
        return plain(*arguments)
    return call


ticks_ms = looking(ticks_ms)
ticks_diff = looking(ticks_diff)
gmtime = looking(gmtime)
'''
LOOK_IN_MACHINE = '''

import time as _time

RTC.memory = _time.looking(RTC.memory)
Pin.value = _time.looking(Pin.value)
'''
START = [("        return node.run()", "        import time\n        time.stack_from_here()\n"
                                   "        return node.run()")]


def test_from_node_run_the_stack_stays_under_6_kib(tools, new_node, own_broker, tmp_path):
    simulator = tmp_path / "modules"
    shutil.copytree(REPO / "host_tests" / "simulator" / "modules", simulator,
                    ignore=shutil.ignore_patterns("__pycache__"))
    for module, addition in (("time", LOOK), ("machine", LOOK_IN_MACHINE)):
        with open(simulator / (module + ".py"), "a") as file:
            file.write(addition)
    sources = tmp_path / "sources"
    sources.mkdir()
    patched_code(sources, {"firmware/app.py": START})
    code = compiled_tree(tools.mpy_cross, tmp_path / "code", repo=sources)

    broker = own_broker().start()
    node = new_node(broker, code=code, modules=simulator, loads=(1000,))
    node.start()
    hub = node.hub
    # Whatever runs nested: commands in the wait of a publish, the tick in any of them.
    for _ in range(100):
        hub.send("relay", {"action": "toggle", "request_id": hub.new_id()})
        hub.send("led", {"action": "blink", "period_ms": 500})
        hub.send("relay", b"{")
        hub.send("relay", b"x" * 6000)
    time.sleep(2)
    offset = 0
    while offset is not None:
        offset = hub.ask("config", "get", offset=offset)["result"]["next"]
    hub.ask("config", "log", offset=0)
    node.board.fault(meter={"fault": "bad_crc"})
    after = hub.mark()
    broker.restart()
    node.online(after)
    node.board.wait_for_line("meter lost", 10)
    node.board.fault(wifi="down")
    node.board.wait_for_line("no_wifi", 15)

    found = [int(n) for line in node.board.log for n in re.findall(r"^stack: (\d+)$", line)]
    assert found, "nothing was measured"
    assert found[-1] > 1000  # it did look from within
    print("deepest: %d bytes" % found[-1])
    assert found[-1] < LIMIT
