"""The firmware's own session (Session over Stream) publishing, beside what plain.py publishes.

Prints one JSON line with its rate; the time ends when a PINGRESP has followed the last message.
"""

import json
from time import ticks_diff, ticks_us

import options

from firmware.mqtt.session import Session
from firmware.mqtt.stream import Stream
from firmware.mqtt.topics import Topics
from firmware.resolver import Resolver
from firmware.rhythm import Rhythm

TELEMETRY = b'{"value": 125.5, "unit": "W", "timestamp": "2025-02-06T14:30:00Z", "quality": 100}'


def connected(host, port):
    """A session that is online; its house does nothing."""
    settings = {
        "broker_host": host,
        "broker_port": port,
        "websocket": "never",
        "websocket_port": 0,
        "websocket_path": "",
        "broker_user": "",
        "broker_password": "",
        "keepalive_s": 60,
        "backoff_min_ms": 1000,
        "stable_s": 30,
    }
    stream = Stream(Rhythm(lambda now_ms: None), Resolver(lambda: []))
    session = Session("bench-session", stream, Topics("bench", "home", "session"), settings)
    session.on_command = lambda *_: None
    session.on_event = lambda *_: None
    session.connect()
    return session, stream


def main():
    given = options.parse(
        "session.py HOST PORT BASE_TOPIC [--qos 0|1] [--count N]",
        ("host", "port", "base"),
        {"qos": 1, "count": 100},
    )
    topic = given["base"].encode() + b"/telemetry/power"
    count = given["count"]
    session, stream = connected(given["host"], int(given["port"]))
    pongs = stream.pongs
    start = ticks_us()
    for _ in range(count):
        session.publish(topic, TELEMETRY, False, given["qos"])
    session.ping()
    while stream.pongs == pongs:
        session.check()
    seconds = ticks_diff(ticks_us(), start) / 1e6
    print(json.dumps({"messages": count, "seconds": seconds, "per_second": count / seconds}))


main()
