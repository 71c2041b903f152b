# The topic tree of one node (contract: README, "Topics"), as bytes.


class Topics:
    """`{base}/{home_id}/nodes/{node_id}/` and what hangs below it."""

    def __init__(self, base, home_id, node_id):
        self.prefix = ("%s/%s/nodes/%s/" % (base, home_id, node_id)).encode()
        self.commands = self.prefix + b"command/+"
        self._command = self.prefix + b"command/"
        self.online = self.prefix + b"status/online"

    def command(self, topic):
        """The last level of a `command/...` topic as str, None for any other topic."""
        if not topic.startswith(self._command):
            return None
        return str(topic[len(self._command):], "utf-8")
