"""Publishes per second over loopback: the firmware's session beside umqtt.robust 1.0."""

from ..measure import at_least, percentile, row

# name -> (program and options of one run, messages)
_SIDES = {
    "node": ("session.py",),
    "plain": ("plain.py", "publish"),
    "nodelay": ("plain.py", "publish"),
}
_COUNTS = {
    (1, "node"): 10000,
    (1, "plain"): 25,  # 44 ms each
    (1, "nodelay"): 10000,
    (0, "node"): 30000,
    (0, "plain"): 30000,
    (0, "nodelay"): 30000,
}


def publish(bench):
    """The last message of each run is confirmed by a PINGRESP."""
    rounds = 1 if bench.quick else 5
    rates = {key: [] for key in _COUNTS}
    for _ in range(rounds):
        for (qos, side), count in _COUNTS.items():
            program, *words = _SIDES[side]
            options = ["--qos", qos, "--count", count] + ["--nodelay"] * (side == "nodelay")
            with bench.start(program, *words, *bench.address, side, *options) as run:
                rates[qos, side].append(run.result(60)["per_second"])
    rate = {key: percentile(values, 50) for key, values in rates.items()}
    one, zero = "QoS 1 publishes, beside ", "QoS 0 publishes, beside "
    plain, nodelay = "plain umqtt.robust", "umqtt.robust with TCP_NODELAY"
    return [
        at_least(100, one + plain, rate[1, "node"], "1/s", rate[1, "plain"]),
        at_least(1, one + nodelay, rate[1, "node"], "1/s", rate[1, "nodelay"]),
        row(zero + plain, rate[0, "node"], "1/s", peer=rate[0, "plain"]),
        at_least(1, zero + nodelay, rate[0, "node"], "1/s", rate[0, "nodelay"]),
    ]
