"""Baseline, not tuned after it was written: umqtt.robust 1.0 as it is, publishing and echoing.

`publish` prints one JSON line with its rate; `echo` answers each command/relay message on
response/command with its request_id. --nodelay sets TCP_NODELAY, one line in an application.
"""

import json
import select
from time import ticks_add, ticks_diff, ticks_ms, ticks_us

import options
from umqtt.robust import MQTTClient

IPPROTO_TCP = 6
TCP_NODELAY = 1
TELEMETRY = b'{"value": 125.5, "unit": "W", "timestamp": "2025-02-06T14:30:00Z", "quality": 100}'


def publish(client, base, qos, count):
    """Publish `count` messages; the time ends when the broker has taken in the last one."""
    topic = base + b"/telemetry/power"
    start = ticks_us()
    for _ in range(count):
        client.publish(topic, TELEMETRY, False, qos)
    client.ping()
    client.wait_msg()  # returns at the PINGRESP, which the broker sends after all of the above
    seconds = ticks_diff(ticks_us(), start) / 1e6
    print(json.dumps({"messages": count, "seconds": seconds, "per_second": count / seconds}))


def echo(client, base, qos, telemetry):
    """Answer commands for ever; `telemetry` messages a second go out meanwhile."""
    response_topic = base + b"/response/command"
    telemetry_topic = base + b"/telemetry/power"

    def on_command(topic, message):
        request_id = json.loads(message)["request_id"]
        client.publish(response_topic, json.dumps({"request_id": request_id}), False, qos)

    client.set_callback(on_command)
    client.subscribe(base + b"/command/relay", 1)
    print("ready")

    if not telemetry:
        while True:
            client.wait_msg()

    period_ms = int(1000 / telemetry)
    poller = select.poll()
    poller.register(client.sock, select.POLLIN)
    due = ticks_ms()
    while True:
        wait_ms = ticks_diff(due, ticks_ms())
        if wait_ms <= 0:
            client.publish(telemetry_topic, TELEMETRY)
            due = ticks_add(due, period_ms)
            wait_ms = ticks_diff(due, ticks_ms())
        if poller.poll(max(wait_ms, 0)):
            client.wait_msg()


def main():
    given = options.parse(
        "plain.py publish|echo HOST PORT BASE_TOPIC [--qos 0|1] [--count N]"
        " [--telemetry MESSAGES_PER_SECOND] [--nodelay]",
        ("what", "host", "port", "base"),
        {"qos": 1, "count": 100, "telemetry": 0.0, "nodelay": False},
    )
    base = given["base"].encode()
    client = MQTTClient(b"bench-plain", given["host"], int(given["port"]))
    client.connect()
    if given["nodelay"]:
        client.sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    if given["what"] == "publish":
        publish(client, base, given["qos"], given["count"])
    else:
        echo(client, base, given["qos"], given["telemetry"])


main()
