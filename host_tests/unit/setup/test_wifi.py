"""Joining the network, on a `network` module of the test's own."""

import sys
from time import ticks_add

from host_tests.unit.fakes import BEFORE_WRAP, Log, Patched

CONNECTING, WRONG_PASSWORD, IDLE, GOT_IP = 1001, 202, 1000, 1010


class Wlan:
    """A station interface: `trail` is what was asked of it."""

    def __init__(self):
        self.trail = []
        self.joined = False
        self.state = IDLE
        self.rssi = -60
        self.fails = {}
        self.configuration = ("192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.53")

    def _do(self, name, *arguments):
        self.trail.append((name,) + arguments)
        if name in self.fails:
            raise self.fails[name]

    def active(self, on):
        self._do("active", on)

    def connect(self, ssid, password):
        self._do("connect", ssid, password)

    def disconnect(self):
        self._do("disconnect")

    def isconnected(self):
        return self.joined

    def status(self, what=None):
        if what == "rssi":
            if isinstance(self.rssi, Exception):
                raise self.rssi
            return self.rssi
        return self.state

    def ifconfig(self):
        return self.configuration


class Network:
    """Stands for the module `network`, with the names that the ESP32 has."""

    STA_IF = 0
    STAT_IDLE = IDLE
    STAT_CONNECTING = CONNECTING
    STAT_GOT_IP = GOT_IP
    STAT_WRONG_PASSWORD = WRONG_PASSWORD
    STAT_NO_AP_FOUND = 201

    def __init__(self):
        self.wlan = Wlan()
        self.name = None
        self.refuses_name = None

    def WLAN(self, interface):
        assert interface == self.STA_IF
        return self.wlan

    def hostname(self, name):
        assert self.wlan.trail == []  # it is too late once the interface is active
        if self.refuses_name:
            raise self.refuses_name
        self.name = name


# The unit tests run without a board: this name is free, and is freed again below.
assert "network" not in sys.modules
sys.modules["network"] = Network()
try:
    from firmware.setup import wifi
finally:
    del sys.modules["network"]


class Bench:
    def __init__(self, ssid="home", refuses_name=None):
        self.network = Network()
        self.network.refuses_name = refuses_name
        self.wlan = self.network.wlan
        self.log = Log()
        self.now_ms = BEFORE_WRAP
        with Patched(wifi, network=self.network):
            self.wifi = wifi.Wifi(ssid, "secret", "node-1", self.log)
        self.wlan.trail = []

    def service(self, after_s=0.25):
        self.now_ms = ticks_add(self.now_ms, round(1000 * after_s))
        return self.wifi.service(self.now_ms)

    def asked(self):
        trail, self.wlan.trail = self.wlan.trail, []
        return trail


JOIN = [("disconnect",), ("connect", "home", "secret")]


def test_the_interface_is_switched_on_under_the_nodes_name():
    network = Network()
    with Patched(wifi, network=network):
        wifi.Wifi("home", "secret", "node-1", Log())
    assert network.name == "node-1"
    assert network.wlan.trail == [("active", True)]


def test_a_driver_that_refuses_the_name_is_no_obstacle():
    for error in (ValueError("hostname"), AttributeError("hostname")):
        assert Bench(refuses_name=error).service() is False


def test_it_asks_to_join_once_and_then_waits():
    bench = Bench()
    assert bench.service() is False
    assert bench.asked() == JOIN
    bench.wlan.state = CONNECTING
    for _ in range(79):
        assert bench.service() is False
    assert bench.asked() == []


def test_joined_it_says_so_once():
    bench = Bench()
    bench.service()
    bench.wlan.joined = True
    for _ in range(10):
        assert bench.service() is True
    assert bench.asked() == JOIN
    assert bench.log.lines == ["wifi: joined home, address 192.0.2.7"]


def test_after_20_seconds_without_success_it_asks_again_and_says_why():
    bench = Bench()
    bench.service()
    bench.asked()
    bench.wlan.state = WRONG_PASSWORD
    bench.service(20)
    assert bench.asked() == []
    bench.service(0.25)
    assert bench.asked() == JOIN
    assert bench.log.lines == ["wifi: no connection: home: wrong password"]
    bench.service(20.25)
    assert bench.asked() == JOIN


def test_why_it_failed_outlives_the_next_try():
    bench = Bench()
    bench.service()
    bench.wlan.state = WRONG_PASSWORD
    bench.service()
    bench.wlan.state = CONNECTING
    bench.service()
    assert bench.wifi.trouble() == "home: wrong password"


def test_why_it_failed_does_not_outlive_a_success():
    bench = Bench()
    bench.service()
    bench.wlan.state = WRONG_PASSWORD
    bench.service()
    bench.wlan.joined = True
    bench.service()
    bench.wlan.joined = False
    bench.wlan.state = CONNECTING
    bench.service()
    assert bench.wifi.trouble() == "home: still trying"


def test_a_status_without_a_name_is_told_as_its_number():
    bench = Bench()
    bench.service()
    bench.wlan.state = 4711
    bench.service()
    assert bench.wifi.trouble() == "home: 4711"


def test_a_lost_network_is_told_and_the_driver_left_to_find_it_again():
    bench = Bench()
    bench.service()
    bench.wlan.joined = True
    bench.service()
    bench.asked()
    bench.wlan.joined = False
    assert bench.service() is False
    assert bench.log.lines[-1] == "wifi: lost home"
    bench.wlan.joined = True
    assert bench.service() is True


def test_a_network_lost_for_longer_is_asked_for_again():
    bench = Bench()
    bench.service()
    bench.wlan.joined = True
    bench.service(3600)
    bench.asked()
    bench.wlan.joined = False
    for _ in range(100):
        bench.service()
    assert len([step for step in bench.asked() if step[0] == "connect"]) == 2


def test_a_driver_that_raises_is_tried_again():
    for name in ("connect", "disconnect"):
        bench = Bench()
        bench.wlan.fails[name] = OSError("Wifi Internal Error")
        assert bench.service() is False
        assert bench.log.has("Wifi Internal Error")
        bench.wlan.fails = {}
        bench.asked()
        bench.service(20.25)
        assert bench.asked() == JOIN


def test_without_an_ssid_it_joins_nothing():
    bench = Bench(ssid="")
    for _ in range(200):
        assert bench.service() is False
    assert bench.asked() == []
    assert bench.wifi.trouble() == "no wifi_ssid is set"


def test_the_name_server_of_the_network():
    bench = Bench()
    assert bench.wifi.dns_servers() == [("192.0.2.53", 53)]
    for none in ("0.0.0.0", ""):
        bench.wlan.configuration = ("192.0.2.7", "", "", none)
        assert bench.wifi.dns_servers() == []


def test_signal_strength():
    bench = Bench()
    assert bench.wifi.rssi_dbm() == -60
    for error in (OSError("not connected"), ValueError("unknown status param")):
        bench.wlan.rssi = error
        assert bench.wifi.rssi_dbm() is None
