"""Bytes on the wire for a telemetry message over TLS: the firmware's session beside umqtt."""

import tempfile
from pathlib import Path

from ...support.broker import Broker, free_port
from ...support.proxy import TO_BROKER, FaultProxy
from ..measure import at_most, row

_BASE = "homesync/home/nodes/node-001"
_BURSTS = 50
_METRICS = 7
_LIMIT_S = 30


def tls(bench):
    """Without TCP and IP headers; the handshake is the same for both, and not counted."""
    # Imported here: scripts/bench reads the names of the rows before there is an environment.
    from ...support.certificates import Authority

    with tempfile.TemporaryDirectory(prefix="certificates-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        authority = Authority(folder)
        ca = folder / "ca.pem"
        ca.write_text(authority.pem)
        port = free_port()
        lines = ["listener %d 127.0.0.1" % port] + authority.server("broker")
        with Broker(bench.tools.mosquitto, config_lines=lines), \
                FaultProxy("127.0.0.1", port) as line:
            size, records = {}, {}
            for side in ("node", "plain"):
                # What a run of no burst sends is subtracted: handshake, CONNECT, PINGREQ.
                (less, few), (more, many) = [_sent(bench, line, side, ca, bursts)
                                             for bursts in (0, _BURSTS)]
                messages = _BURSTS * _METRICS
                size[side] = (more - less) / messages
                records[side] = (many - few) / messages
    name = "a metric of seven at once, over TLS: "
    return [
        at_most(0.6, name + "bytes sent, beside plain umqtt", size["node"], "B", size["plain"]),
        row(name + "records sent", records["node"], "", peer=records["plain"]),
    ]


def _sent(bench, line, side, ca, bursts):
    """(bytes, TLS records) from the node's side of one connection."""
    arguments = (side, line.host, line.port, _BASE, ca, "--bursts", bursts)
    with bench.start("secure_burst.py", *arguments) as program:
        program.result(_LIMIT_S)
    sent = line.last.passed[TO_BROKER]
    at = records = 0
    while at < len(sent):  # type, version, and the length of what follows
        at += 5 + int.from_bytes(sent[at + 3 : at + 5], "big")
        records += 1
    return len(sent), records
