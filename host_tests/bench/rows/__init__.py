"""The rows of scripts/bench: each function measures one subject and returns its row dicts.

To add one: write a function that takes a `measure.Bench`, and name it in ROWS.
"""

from .gap import gap
from .heap import heap
from .instructions import instructions
from .latency import latency
from .publish import publish
from .reconnect import reconnect
from .signature import signature
from .tls import tls
from .traffic import traffic
from .update import update

ROWS = {
    "publish": publish,
    "latency": latency,
    "reconnect": reconnect,
    "gap": gap,
    "heap": heap,
    "traffic": traffic,
    "tls": tls,
    "signature": signature,
    "update": update,
    "instructions": instructions,
}
