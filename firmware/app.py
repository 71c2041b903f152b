# Starts the node, and lets go of what only its start needed.
from . import ondemand


def build():
    """(node, board), ready to run.

    In two steps, since the start is when a node needs the most memory: what reads the
    configuration is gone again before the rest is loaded.
    """
    store = ondemand.load("config.store")
    settings, problems = store.load()
    pending = store.pending(settings, problems)
    store = None
    ondemand.drop("config.store", "config.schema", "config.limits", "config.pending")
    node, board = ondemand.load("assembly").build(settings, problems, pending)
    ondemand.drop("assembly", "parts", "device", "telemetry.metrics")
    return node, board


def run():
    """Build the node and work until it stops; returns why ("restart" or "shutdown")."""
    node, board = build()
    board.start_watchdog()
    try:
        return node.run()
    finally:
        node.rest()
