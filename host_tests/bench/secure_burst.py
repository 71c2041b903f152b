"""Bursts of seven metrics over TLS, by the firmware's session or by umqtt.robust 1.0 as it is.

The bytes are counted outside, by a proxy. Prints one JSON line; a PINGRESP has then followed the
last message.
"""

import json
import sys

import options
import tls

METRICS = (
    (b"power", 125.5, "W"), (b"voltage", 230.1, "V"), (b"current", 0.545, "A"),
    (b"energy", 15420.7, "Wh"), (b"power_factor", 0.98, ""), (b"frequency", 50.0, "Hz"),
    (b"temperature", 41.5, "\u00b0C"),
)
TELEMETRY = '{"value": %s, "unit": "%s", "timestamp": "2025-02-06T14:30:00Z", "quality": 100}'
MESSAGES = [(b"/telemetry/" + name, (TELEMETRY % (value, unit)).encode())
            for name, value, unit in METRICS]


class Ussl:
    """The module `ssl=True` of umqtt.simple 1.3.4 imports; MicroPython has dropped that name."""

    def __init__(self, ca):
        self._ca = ca

    def wrap_socket(self, sock, server_hostname):
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self._ca)
        return context.wrap_socket(sock, server_hostname=server_hostname)


def plain(host, port, ca, base, bursts):
    from umqtt.robust import MQTTClient

    sys.modules["ussl"] = Ussl(ca)
    client = MQTTClient(b"bench-tls", host, port, keepalive=60, ssl=True,
                        ssl_params={"server_hostname": host})
    client.connect()
    for _ in range(bursts):
        for topic, payload in MESSAGES:
            client.publish(base + topic, payload)
    client.ping()
    client.wait_msg()


def node(host, port, ca, base, bursts):
    from firmware.clock import Clock
    from firmware.config import schema
    from firmware.mqtt.secure import Secure
    from firmware.mqtt.session import Session
    from firmware.mqtt.stream import Stream
    from firmware.mqtt.topics import Topics
    from firmware.resolver import Resolver
    from firmware.rhythm import Rhythm

    settings = schema.defaults()
    settings.update(broker_host=host, broker_port=port)
    stream = Stream(Rhythm(lambda now_ms: None), Resolver(lambda: []),
                    secure=Secure([ca], Clock()))
    session = Session("bench-tls", stream, Topics("bench", "home", "tls"), settings)
    session.on_command = session.on_event = lambda *_: None
    session.connect(clean_session=True)  # a resumed one would begin with a ping
    pongs = stream.pongs
    for _ in range(bursts):
        for topic, payload in MESSAGES:
            session.publish(base + topic, payload)
        session.flush()
    session.ping()
    while stream.pongs == pongs:
        session.check()


def main():
    given = options.parse(
        "secure_burst.py plain|node HOST PORT BASE_TOPIC CA_FILE [--bursts N]",
        ("side", "host", "port", "base", "ca"),
        {"bursts": 10},
    )
    with open(given["ca"]) as f:
        ca = f.read()
    side = {"plain": plain, "node": node}[given["side"]]
    side(given["host"], int(given["port"]), ca, given["base"].encode(), given["bursts"])
    print(json.dumps({"messages": given["bursts"] * len(MESSAGES)}))


main()
