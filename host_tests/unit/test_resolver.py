"""The code of a look-up comes for it, and goes with it."""

from firmware import resolver
from firmware.resolver import Resolver
from host_tests.unit.fakes import OnDemand, Patched, raised


class Code:
    """Stands for the module `lookup`."""

    fails = False

    def Lookup(self, host, servers, known):
        if self.fails:
            raise resolver.DnsError(22, "not a host name")
        known[host] = known.get(host, 0) + 1
        return host, servers, known[host]


def test_a_lookup_gets_the_servers_of_now_and_what_is_known():
    servers = [("192.0.2.1", 53)]
    with Patched(resolver, ondemand=OnDemand(Code())):
        names = Resolver(lambda: list(servers))
        assert names.lookup("a.example") == ("a.example", [("192.0.2.1", 53)], 1)
        servers[0] = ("192.0.2.2", 53)
        assert names.lookup("a.example") == ("a.example", [("192.0.2.2", 53)], 2)


def test_its_code_is_dropped_at_once():
    code = OnDemand(Code())
    with Patched(resolver, ondemand=code):
        Resolver(list).lookup("a.example")
        assert code.loaded == []
        code.module.fails = True
        assert raised(resolver.DnsError, Resolver(list).lookup, "a.example")
        assert code.loaded == []


def test_no_room_for_its_code_is_an_error_of_this_lookup_only():
    code = OnDemand()
    with Patched(resolver, ondemand=code):
        assert raised(MemoryError, Resolver(list).lookup, "a.example")
        assert code.loaded == []
        code.module = Code()
        assert Resolver(list).lookup("a.example")
