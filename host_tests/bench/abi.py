"""Prints what byte code this MicroPython takes: `sys.implementation._mpy`."""

import json
import sys

print(json.dumps({"mpy": sys.implementation._mpy}))
