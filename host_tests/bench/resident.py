"""What the firmware's modules take of the heap by themselves, without the simulator's.

Imports the modules named on the command line and prints one JSON line. The objects that the node
makes of them are not in it.
"""

import gc
import json
import sys


class Network:
    """Stands for the chip's module, which the unix port does not have."""

    STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 0, 1, 5


sys.modules["network"] = Network
gc.collect()
before = gc.mem_alloc()
for name in sys.argv[1:]:
    __import__(name)
    gc.collect()
print(json.dumps({"bytes": gc.mem_alloc() - before}))
