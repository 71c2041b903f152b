# What a node does with an update, without the link: OFFER.JSON PAYLOAD KEYS.BIN FACTS.JSON.
# Unpacks into the slot `b` of the current folder, starts what is there, tells it in one JSON line.
import json
import sys

import slots

from firmware.mqtt.commands import Refused
from firmware.ota.bundle import unpack
from firmware.ota.offer import Offer
from firmware.ota.signature import read_keys


def read(path):
    f = open(path, "rb")
    try:
        return f.read()
    finally:
        f.close()


class Node:
    bad = ()
    mpy = sys.implementation._mpy


def take(offer_path, payload_path, keys_path, facts):
    node = Node()
    for name, value in json.loads(facts).items():
        setattr(node, name, value)
    node.keys = read_keys(read(keys_path))
    offer = Offer(json.loads(read(offer_path)))
    offer.check(node, lambda: None)
    slot = slots.Folder("b")
    slot.begin()
    stage = open(payload_path, "rb")
    for _ in unpack(stage, None, 1 << 20, lambda: None):
        pass
    stage.seek(0)
    for _ in slot.seal({"id": offer.id, "version": offer.version, "floor": offer.floor},
                       unpack(stage, slot, 1 << 20, lambda: None)):
        pass
    for name in list(sys.modules):
        if name.split(".")[0] == "firmware":
            del sys.modules[name]
    sys.path[:] = ["b"]
    import firmware
    from firmware import timestamp
    return {"sealed": slot.check(), "version": firmware.VERSION,
            "hour": timestamp.calendar(3600)[3], "from": timestamp.__file__}


try:
    print(json.dumps(take(*sys.argv[1:])))
except Refused as e:
    print(json.dumps({"refused": e.args[0]}))
