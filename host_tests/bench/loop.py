"""Baseline, not tuned after it was written: a hand-written umqtt.robust loop doing a node's work.

It sends the seven telemetry metrics through their deadbands, switches a relay on command and
answers with the request_id. The yardstick for instructions per telemetry cycle and per command.
"""

import json
import time

import options
from umqtt.robust import MQTTClient

LOOP_MS = 10
POWER_HEARTBEAT_MS = 60_000
HEARTBEAT_MS = 300_000

# metric, unit, deadband in that unit (power has its own rule)
METRICS = (
    ("power", "W", 5),
    ("voltage", "V", 1),
    ("current", "A", 0.05),
    ("energy", "Wh", 10),
    ("power_factor", "", 0.02),
    ("frequency", "Hz", 0.1),
    ("temperature", "°C", 1),
)
# Readings in the order of METRICS, taken in turn: all within their deadbands, or all out of them.
STEADY = (
    (1000.0, 230.0, 4.5, 12000, 0.95, 50.0, 35.0),
    (1001.5, 230.2, 4.51, 12000, 0.96, 50.0, 35.5),
)
BUSY = (
    (1000.0, 230.0, 4.5, 12000, 0.95, 50.0, 35.0),
    (1062.5, 233.1, 4.75, 12020, 0.98, 50.2, 37.0),
)


class Pin:
    """Stands for machine.Pin, which the unix port does not have."""

    def __init__(self):
        self.level = 0

    def value(self, level):
        self.level = level


class Node:
    def __init__(self, client, base, relay_pin, read_meter):
        self.client = client
        self.base = base
        self.relay_pin = relay_pin
        self.relay_on = False
        self.read_meter = read_meter
        self.last_sent = {}  # metric -> (value, ticks)
        self.published = 0
        self.commands = 0

    def connect(self):
        will = json.dumps({"online": False, "reason": "unexpected_disconnect"})
        self.client.set_last_will(self.base + "status/online", will, True, 1)
        self.client.set_callback(self.on_message)
        self.client.connect()
        self.client.subscribe(self.base + "command/relay", 1)
        self.send("status/online", {"online": True, "timestamp": timestamp()}, 1, True)

    def send(self, topic, message, qos=0, retain=False):
        self.client.publish(self.base + topic, json.dumps(message).encode(), retain, qos)
        self.published += 1

    def telemetry_cycle(self):
        """Read the meter once and publish what left its deadband or is due again."""
        now = time.ticks_ms()
        values = self.read_meter()
        for metric, value in zip(METRICS, values):
            name, unit, deadband = metric
            if name in self.last_sent:
                last_value, last_ticks = self.last_sent[name]
                heartbeat_ms = HEARTBEAT_MS
                if name == "power":
                    heartbeat_ms = POWER_HEARTBEAT_MS
                    deadband = max(deadband, min(abs(last_value) * 0.05, 40))
                if (
                    abs(value - last_value) < deadband
                    and time.ticks_diff(now, last_ticks) < heartbeat_ms
                ):
                    continue
            self.send(
                "telemetry/" + name,
                {"value": value, "unit": unit, "timestamp": timestamp(), "quality": 100},
            )
            self.last_sent[name] = (value, now)

    def on_message(self, topic, payload):
        self.commands += 1
        request_id = None
        try:
            command = json.loads(payload)
            request_id = command.get("request_id")
            result = self.switch(command["action"], command.get("relay", 0))
            answer = {"request_id": request_id, "status": "success", "result": result}
        except (ValueError, KeyError, AttributeError) as error:
            answer = {
                "request_id": request_id,
                "status": "error",
                "result": None,
                "error": {"code": "bad_request", "message": str(error)},
            }
        answer["timestamp"] = timestamp()
        self.send("response/command", answer, 1)

    def switch(self, action, index):
        """Switch the relay, publish its state and return it as "on" or "off"."""
        if index != 0:
            raise ValueError("no relay %s" % index)
        if action == "toggle":
            on = not self.relay_on
        elif action in ("on", "off"):
            on = action == "on"
        else:
            raise ValueError("unknown action %s" % action)
        state = "on" if on else "off"
        if on != self.relay_on:
            self.relay_on = on
            self.relay_pin.value(1 if on else 0)
            status = {
                "state": state,
                "relays": [state],
                "source": "command",
                "tripped": None,
                "timestamp": timestamp(),
            }
            self.send("status/relay", status, 1, True)
            self.last_sent.pop("power", None)  # the load changed: report power at once
        return state


def timestamp():
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % time.gmtime()[:6]


def meter(readings):
    """Return a function that gives the seven values of the next cycle."""
    cycle = 0

    def read_meter():
        nonlocal cycle
        values = readings[cycle % len(readings)]
        cycle += 1
        return values

    return read_meter


def main():
    given = options.parse(
        "loop.py HOST PORT BASE_TOPIC [--cycles N] [--commands N] [--period MS] [--busy]\n"
        "ends after its cycles (0: no limit) and commands, prints counts; --period 0: no pauses",
        ("host", "port", "base"),
        {"cycles": 0, "commands": 0, "period": 1000, "busy": False},
    )
    read_meter = meter(BUSY if given["busy"] else STEADY)
    client = MQTTClient("bench-loop", given["host"], int(given["port"]), keepalive=60)
    node = Node(client, given["base"] + "/", Pin(), read_meter)
    node.connect()
    print("ready")

    cycles = 0
    rounds = 0
    longest_gap_us = 0
    last_ping = due = time.ticks_ms()
    last_round = time.ticks_us()
    while cycles < given["cycles"] or node.commands < given["commands"]:
        client.check_msg()
        now = time.ticks_ms()
        if time.ticks_diff(now, due) >= 0 and (not given["cycles"] or cycles < given["cycles"]):
            node.telemetry_cycle()
            cycles += 1
            due = time.ticks_add(due, given["period"])
        if time.ticks_diff(now, last_ping) > 30_000:
            client.ping()
            last_ping = now
        if given["period"]:
            time.sleep_ms(LOOP_MS)
        rounds += 1
        now_us = time.ticks_us()
        longest_gap_us = max(longest_gap_us, time.ticks_diff(now_us, last_round))
        last_round = now_us
    client.disconnect()
    print(
        json.dumps(
            {
                "cycles": cycles,
                "commands": node.commands,
                "published": node.published,
                "rounds": rounds,
                "longest_gap_ms": longest_gap_us / 1000,
            }
        )
    )


main()
