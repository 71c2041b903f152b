# Starts the node, or what runs in its place, and lets go of what only the start needed.
from . import ondemand, storage
from .setup import MARK


def build(patient=False):
    """(node, board), ready to run. patient: it comes back from the setup portal.

    In two steps, since the start is when a node needs the most memory: what reads the
    configuration is gone again before the rest is loaded.
    """
    store = ondemand.load("config.store")
    settings, problems = store.load()
    pending = store.pending(settings, problems)
    store = None
    ondemand.drop("config.store", "config.schema", "config.limits", "config.pending")
    node, board = ondemand.load("assembly").build(settings, problems, pending, patient)
    ondemand.drop("assembly", "parts", "device", "telemetry.metrics")
    return node, board


def run():
    """Build the node and work until it stops; returns why ("restart" or "shutdown")."""
    mark = _mark()
    if mark in (b"asked", b"lost"):
        why = ondemand.load("setup.alone").run(mark == b"asked")
        if why:
            return why
        ondemand.drop("setup.alone")
    node, board = build(mark == b"back")
    board.start_watchdog()
    try:
        return node.run()
    finally:
        node.rest()


def _mark():
    # What the life before has left for this one, and for no other: gone before it takes effect.
    try:
        mark = storage.read(MARK)
        if mark is None:
            return None
        storage.remove(MARK)
        return mark if storage.size(MARK) is None else None
    except (OSError, ValueError):
        return None
