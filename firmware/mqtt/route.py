# Which way to the broker: MQTT as it is, or in a WebSocket where a firewall stops that.
from time import ticks_diff

from micropython import const

_RETURN_MS = const(3600000)  # after an hour the direct way is tried again, at the next reconnect


class Route:
    """Chooses port and WebSocket path for each attempt.

    settings: `broker_port`, `websocket`: "never", "always" or "fallback" (the direct way, and
    after two failures in a row the WebSocket once), `websocket_port`, `websocket_path`.
    """

    def __init__(self, settings):
        self._port = settings["broker_port"]
        self._websocket_port = settings["websocket_port"]
        self._path = settings["websocket_path"]
        self._falls_back = settings["websocket"] == "fallback"
        # False: the direct way is the usual one; True: the WebSocket is, since it was the one
        # that worked. Back to False after an hour.
        self._through_websocket = settings["websocket"] == "always"
        self._taken = self._through_websocket
        self._failures = 0  # since the last session
        self._since_ms = 0

    def choose(self):
        """(port, path) of the next attempt; path is None for the direct way."""
        self._taken = self._through_websocket
        if self._falls_back and self._failures % 3 == 2:
            self._taken = not self._taken
        return (self._websocket_port, self._path) if self._taken else (self._port, None)

    def failed(self):
        """The attempt that was chosen last did not connect."""
        self._failures += 1

    def connected(self, now_ms):
        """It did."""
        self._failures = 0
        self._through_websocket = self._taken
        self._since_ms = now_ms

    def watch(self, now_ms):
        """To be called now and then while online."""
        if self._falls_back and self._through_websocket \
                and ticks_diff(now_ms, self._since_ms) >= _RETURN_MS:
            self._through_websocket = False
