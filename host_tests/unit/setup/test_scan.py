"""The networks there are, as a driver lists them."""

import sys

MAC = b"\x24\x0a\xc4\x00\x00\x01"


class Network:
    """Stands for the module `network`."""

    STA_IF = 0

    def __init__(self):
        self.seen = []
        self.error = None

    def WLAN(self, interface):
        assert interface == self.STA_IF
        return self

    def scan(self):
        if self.error:
            raise self.error
        return [(ssid, MAC, 6, rssi, security, False) for ssid, rssi, security in self.seen]


network = Network()
# The unit tests run without a board: this name is free, and is freed again below.
assert "network" not in sys.modules
sys.modules["network"] = network
try:
    from firmware.setup.scan import scan
finally:
    del sys.modules["network"]


def test_the_strongest_comes_first_and_open_ones_are_told():
    network.seen = [(b"far", -88, 3), (b"near", -40, 0), (b"K\xc3\xbcche", -60, 4)]
    assert scan() == [("near", -40, False), ("K\u00fcche", -60, True), ("far", -88, True)]


def test_a_name_with_several_access_points_is_there_once():
    network.seen = [(b"home", -70, 3), (b"home", -50, 3), (b"home", -80, 3)]
    assert scan() == [("home", -50, True)]


def test_hidden_networks_and_names_that_nobody_could_set_are_left_out():
    network.seen = [(b"", -30, 3), (b"\xff\xfe", -30, 3), (b"a\nb", -30, 3), (b"home", -90, 3)]
    assert scan() == [("home", -90, True)]


def test_no_network_at_all():
    network.seen = []
    assert scan() == []


def test_what_the_driver_raises_comes_through():
    network.error = OSError("scan failed")
    try:
        scan()
    except OSError as e:
        assert e is network.error
    else:
        raise AssertionError("no error")
    finally:
        network.error = None
