# Host names to IPv4 addresses, without blocking as the built-in getaddrinfo does for seconds.
from . import ondemand


class DnsError(OSError):
    """A name could not be resolved; `args[1]` says why."""


class Resolver:
    """Starts look-ups and remembers the last good answer of each name.

    servers: function that returns the DNS servers as a list of (address, port).
    """

    def __init__(self, servers=None):
        self.servers = servers
        self._known = {}

    def lookup(self, host):
        """A `Lookup` of `host`, to be polled. MemoryError: there is no room for its code."""
        try:
            return ondemand.load("lookup").Lookup(host, self.servers(), self._known)
        finally:
            ondemand.drop("lookup")
