# Starts the node, and lets go of what only its start needed.
from . import ondemand


def run():
    """Build the node and work until it stops; returns why ("restart" or "shutdown")."""
    node, board = ondemand.load("assembly").build()
    ondemand.drop("assembly", "device", "config.store", "config.schema")
    board.start_watchdog()
    return node.run()
