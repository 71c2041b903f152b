"""A control loop for tick gaps: it sleeps 10 ms, over and over, and does nothing else.

Its longest gap is what the machine alone costs. Runs for SECONDS or until Ctrl-C (SIGINT), then
prints one JSON line; gaps are in milliseconds and include the 10 ms asked for.
"""

import json
from time import sleep_ms, ticks_diff, ticks_us

import options

PERIOD_MS = 10


def main():
    given = options.parse("gap.py [--seconds SECONDS]", (), {"seconds": 0.0})
    longest_us = 0
    elapsed_us = 0
    rounds = 0
    print("ready")
    last = ticks_us()
    try:
        while not given["seconds"] or elapsed_us < given["seconds"] * 1e6:
            sleep_ms(PERIOD_MS)
            now = ticks_us()
            gap_us = ticks_diff(now, last)
            last = now
            elapsed_us += gap_us
            rounds += 1
            if gap_us > longest_us:
                longest_us = gap_us
    except KeyboardInterrupt:
        pass
    print(
        json.dumps(
            {
                "rounds": rounds,
                "mean_gap_ms": elapsed_us / 1000 / max(rounds, 1),
                "longest_gap_ms": longest_us / 1000,
            }
        )
    )


main()
