"""What one day of a household costs on the node's connection, with default settings."""

from ..measure import BenchError, row

_TARGET_MB = 1.5
_RECORD_BYTES = 29  # TLS 1.2 AES-GCM: header 5, nonce 8, tag 16
_LIMIT_S = 180


def traffic(bench):
    """Both ways, without TCP and IP headers and without the TLS handshake."""
    with bench.start("day.py", *bench.address) as program:
        day = program.result(_LIMIT_S)
    if day["connects"] != 1:
        raise BenchError("traffic: the node connected %d times" % day["connects"])
    mqtt = (day["sent_bytes"] + day["received_bytes"]) / 1e6
    records = day["sent_records"] + day["received_records"]
    total = mqtt + records * _RECORD_BYTES / 1e6
    rows = [
        row("traffic of a day, TLS 1.2 records computed", total, "MB", "≤ %g" % _TARGET_MB,
            total <= _TARGET_MB),
        row("of it MQTT, measured", mqtt, "MB"),
    ]
    by_topic = {name: size / 1e6 for name, (_, size) in day["topics"].items()}
    for name in sorted(by_topic, key=by_topic.get, reverse=True)[:3]:
        rows.append(row("of it %s" % name, by_topic[name], "MB"))
    return rows
