"""The firmware's node doing what loop.py does, for counting its machine instructions.

The same readings in the same order, all seven metrics in each cycle, one tick of the house for
each, no pauses between cycles; then commands until there were enough. Prints one JSON line.
"""

import json
from time import ticks_ms

import options
from bare_node import BareNode

from firmware.meter.reading import Reading

# power, voltage, current, energy, power factor, frequency, temperature: those of loop.py
STEADY = (
    (1000.0, 230.0, 4.5, 12000, 0.95, 50.0, 35.0),
    (1001.5, 230.2, 4.51, 12000, 0.96, 50.0, 35.5),
)
# All of them beyond the firmware's own deadbands (loop.py has smaller ones for some).
BUSY = (
    (1000.0, 230.0, 4.5, 12000, 0.85, 50.0, 35.0),
    (1062.5, 233.1, 4.75, 12020, 0.98, 50.2, 37.0),
)


def reading_of(values):
    reading = Reading()
    (reading.active_power_w, reading.voltage_v, reading.current_a, reading.energy_wh,
     reading.power_factor, reading.frequency_hz, _) = values
    return reading


def cycle(bare, reading, temperature_c):
    bare.board.temperature_c = temperature_c
    bare.clock.uptime_s += 1  # of two values for one second only the first is sent
    bare.thermometer._due_ms = None  # loop.py too looks at it in each cycle
    bare.sampler.next_reading = reading
    bare.house.tick(ticks_ms())
    bare.serve()
    bare.session.flush()


def main():
    given = options.parse(
        "cycles.py HOST PORT NODE_ID [--cycles N] [--commands N] [--busy]",
        ("host", "port", "node"),
        {"cycles": 0, "commands": 0, "busy": False},
    )
    bare = BareNode(given["host"], int(given["port"]), given["node"])
    bare.serve()
    print("ready")

    # Between cycles nothing is waited for.
    waiting, bare.stream.wait_readable = bare.stream.wait_readable, lambda: None
    rows = [(reading_of(values), values[6]) for values in (BUSY if given["busy"] else STEADY)]
    for number in range(given["cycles"]):
        cycle(bare, *rows[number % 2])
    bare.stream.wait_readable = waiting

    count = 0

    def received(*message):
        nonlocal count
        count += 1
        bare.commands.receive(*message)

    bare.session.on_command = received
    bare.house._parts = ()  # ticks between commands are no part of a command
    while count < given["commands"]:
        bare.node.step()
    bare.serve()
    bare.session.stop(b"{}", False)
    print(json.dumps({"cycles": given["cycles"], "commands": count}))


main()
