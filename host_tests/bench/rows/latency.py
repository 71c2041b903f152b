"""Relay command to response through the broker, while every side publishes telemetry."""

from contextlib import ExitStack

from ..measure import at_most, percentile, row
from ..node import BASE, FLOWING, FLOWING_HZ, Node


def latency(bench):
    """The command is `on` to a relay that is on: all of a command but the click."""
    telemetry = ("--telemetry", FLOWING_HZ)
    sides = {
        "echo": ("echo.py", *bench.address, "echo", *telemetry),
        "plain": ("plain.py", "echo", *bench.address, "plain", *telemetry),
    }
    with ExitStack() as stack:
        stack.enter_context(Node(bench, bench.broker, **FLOWING))
        for arguments in sides.values():
            stack.enter_context(bench.start(*arguments, bits=32)).wait_until_ready()
        hub = stack.enter_context(bench.commander(BASE, *sides))
        times = hub.in_turn(5 if bench.quick else 25, {BASE: 40, "echo": 40, "plain": 5})
    rows = []
    for percent in (50, 99):
        node, echo, plain = (percentile(times[base], percent) for base in (BASE, "echo", "plain"))
        name = "command to response, p%d, beside " % percent
        rows.append(at_most(1.5, name + "the bare echo", node, "ms", echo))
        rows.append(row(name + "plain umqtt", node, "ms", peer=plain))
    return rows
