"""The way to a server: each part of it may take long, fail, or be broken off."""

import errno

from firmware import dial
from host_tests.unit.fakes import Patched, raised

OUT, ERR, HUP = 4, 8, 16


class Net:
    """Stands for `socket`, `select`, a socket, a poll and a look-up. `names` and `ready` are what
    the polls of the last two say, one after the other."""

    POLLOUT, POLLERR, POLLHUP = OUT, ERR, HUP

    def __init__(self, names=("192.0.2.7",), ready=(OUT,), connect=errno.EINPROGRESS):
        self.names = list(names)
        self.ready = list(ready)
        self.error = connect
        self.trail = []

    def lookup(self, host):
        self.trail.append(host)
        return Lookup(self)

    def socket(self):
        self.trail.append("socket")
        return self

    def setblocking(self, blocking):
        assert not blocking

    def register(self, sock, flags):
        assert sock is self and flags == OUT

    def unregister(self, sock):
        assert sock is self

    def getaddrinfo(self, ip, port):
        return [(2, 1, 0, "", (ip, port))]

    def connect(self, address):
        self.trail.append(address)
        if self.error:
            raise OSError(self.error, "")

    def poll(self, timeout_ms=None):
        if timeout_ms is None:
            return self
        flags = self.ready.pop(0)
        return [(self, flags)] if flags else []

    def readinto(self, buffer):
        return 0  # it does not say what the matter is

    def close(self):
        self.trail.append("closed")


class Lookup:
    def __init__(self, net):
        self._net = net

    def poll(self):
        name = self._net.names.pop(0)
        if isinstance(name, Exception):
            raise name
        return name

    def close(self):
        self._net.trail.append("looked up")


def steps(net, wait=lambda ip: ip):
    """What it yields, and at last what it returns."""
    def outer():
        yield (yield from dial.dial("host.example", 1883, net, wait))

    with Patched(dial, socket=net, select=net):
        return list(outer())


def test_it_looks_the_host_up_and_connects():
    net = Net()
    assert steps(net) == [net]
    assert net.trail == ["host.example", "looked up", "socket", ("192.0.2.7", 1883)]


def test_it_waits_for_the_name_and_for_the_server():
    net = Net([None, None, "192.0.2.7"], [0, 0, OUT])
    assert steps(net) == [None, None, "192.0.2.7", "192.0.2.7", net]


def test_a_server_that_is_there_at_once():
    net = Net(connect=None)
    assert steps(net) == [net]


def test_a_name_that_is_not_found_leaves_no_look_up():
    net = Net([None, OSError(-2, "")])
    assert raised(OSError, steps, net).args[0] == -2
    assert net.trail == ["host.example", "looked up"]


def test_a_server_that_refuses_leaves_no_socket():
    for flags in (ERR, HUP, OUT | ERR):
        net = Net(ready=[0, flags])
        assert raised(OSError, steps, net).args[0] == errno.ECONNREFUSED
        assert net.trail[-1] == "closed"


def test_a_network_that_is_down_leaves_no_socket():
    net = Net(connect=errno.EHOSTUNREACH)
    assert raised(OSError, steps, net).args[0] == errno.EHOSTUNREACH
    assert net.trail[-1] == "closed"


def test_who_waits_may_lose_patience():
    def impatient(ip):
        raise ValueError("too long")

    for net, last in ((Net([None]), "looked up"), (Net(ready=[0]), "closed")):
        assert raised(ValueError, steps, net, impatient).args == ("too long",)
        assert net.trail[-1] == last


def test_broken_off_it_leaves_nothing():
    for net, last in ((Net([None]), "looked up"), (Net(ready=[0]), "closed")):
        with Patched(dial, socket=net, select=net):
            one = dial.dial("host.example", 1883, net, lambda ip: None)
            next(one)
            one.close()
        assert net.trail[-1] == last
