# Serves the setup portal of the firmware on 127.0.0.1, from real MicroPython, with the real
# try-out and a pretended radio (network.py). Started by portal_node.py, which explains the order
# on stdin; tells what happens as lines of JSON on stdout.
import json
import select
import sys
from time import sleep_ms, ticks_diff, ticks_ms, ticks_us

import network

from firmware.clock import Clock
from firmware.config import schema
from firmware.mqtt.secure import Secure
from firmware.resolver import Resolver
from firmware.setup import http_server, portal, tryout
from firmware.setup.access_point import AccessPoint
from firmware.setup.wifi import Wifi


def tell(**event):
    print(json.dumps(event))


def log(text):
    tell(log=text)


def secure(settings):
    return Secure([settings["tls_ca"]], Clock())


order = json.loads(sys.stdin.readline())
network.NETWORKS.update(order["networks"])
for module in (http_server, tryout, portal):
    for name in order["constants"]:
        if hasattr(module, name):
            setattr(module, name, order["constants"][name])
settings = schema.defaults()
settings.update(order["settings"])
wifi = Wifi(settings, "esp32", log)
resolver = Resolver(lambda: [tuple(server) for server in order["dns"]])
access_point = AccessPoint("homesync-a1b2c3", wifi, log)


def check(wanted):
    if order["test_fails"]:
        raise MemoryError
    yield from tryout.tryout(wanted, settings, wifi, resolver, secure)


def save(values, energy):
    if order["save_fails"]:
        raise OSError(28)
    tell(saved=values, energy=energy)


one = portal.Portal(settings, access_point, check, save, log,
                    wifi.address if order["lan"] else None, order["port"], order["dns_port"])
tell(ready=True, trail=network.TRAIL, password=access_point.password)
control = select.poll()
control.register(sys.stdin, select.POLLIN)
longest_us = steps = 0
while not one.done:
    began_us = ticks_us()
    one.step()
    longest_us = max(longest_us, ticks_diff(ticks_us(), began_us))
    steps += 1
    if not one.busy:
        wifi.service(ticks_ms())
    if control.poll(0):
        line = sys.stdin.readline().strip()
        if not line:
            break
        if line == "stats":
            tell(longest_ms=longest_us // 1000, steps=steps)
            longest_us = steps = 0
        else:
            network.JOINED[:] = json.loads(line)
    sleep_ms(1)
one.close()
tell(closed=True, trail=network.TRAIL, station=network.SET)
