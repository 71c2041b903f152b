"""The portal's access point and its password."""

import json
import sys

from host_tests.unit.fakes import Log, OnDemand, Patched, in_scratch, write

WPA2 = 3


class Network:
    """Stands for the module `network`, and for its access point."""

    STA_IF, AP_IF = 0, 1

    def __init__(self):
        self.trail = []
        self.station_joined = False
        self.inactive_error = None
        self.devices = []
        self.joined = False

    def WLAN(self, interface):
        return self if interface == self.AP_IF else Station(self.station_joined)

    def active(self, on):
        self.trail.append(on)

    def config(self, **values):
        if self.inactive_error and True not in self.trail:
            raise self.inactive_error
        self.trail.append(values)

    def ifconfig(self):
        return "192.168.4.1", "255.255.255.0", "192.168.4.1", "8.8.8.8"

    def isconnected(self):
        return self.joined

    def status(self, what):
        assert what == "stations"
        if isinstance(self.devices, Exception):
            raise self.devices
        return self.devices


class Station:
    def __init__(self, joined):
        self._joined = joined

    def isconnected(self):
        return self._joined


assert "network" not in sys.modules
sys.modules["network"] = Network()
try:
    from firmware.setup import access_point
finally:
    del sys.modules["network"]


class Wifi:
    def __init__(self):
        self.trail = []

    def pause(self):
        self.trail.append("pause")

    def resume(self):
        self.trail.append("resume")


class Scanner:
    """Stands for setup/scan.py, which finds `found`."""

    def __init__(self, found):
        self.found = found

    def scan(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Threads:
    """Stands for `_thread`: what was started runs when the test says so."""

    def __init__(self):
        self.started = []

    def start_new_thread(self, function, arguments):
        self.started.append((function, arguments))

    def run(self):
        function, arguments = self.started.pop()
        function(*arguments)


class Bench:
    def __init__(self, found=(), thread=None):
        self.network = Network()
        self.wifi = Wifi()
        self.log = Log()
        self.scanner = Scanner(found)
        self.patches = Patched(access_point, network=self.network, _thread=thread,
                               ondemand=OnDemand(self.scanner), print=lambda text: None)
        with self.patches:
            self.point = access_point.AccessPoint("homesync-a1b2c3", self.wifi, self.log)

    def do(self, name):
        with self.patches:
            return getattr(self.point, name)()


@in_scratch
def test_the_password_is_made_once():
    log = Log()
    first = access_point.password(log)
    assert len(first) == 10
    assert not set(first) & set("01loiIO")
    assert access_point.password(log) == first
    assert log.lines == []


@in_scratch
def test_each_node_has_its_own():
    passwords = []
    for _ in range(20):
        write("portal.json", b"{}")
        passwords.append(access_point.password(Log()))
    assert len(set(passwords)) == 20
    assert len(set("".join(passwords))) > 24  # 200 characters, of 31


@in_scratch
def test_a_password_that_was_put_there_is_used():
    write("portal.json", b'{"password": "my own one"}')
    assert access_point.password(Log()) == "my own one"


@in_scratch
def test_a_broken_file_gives_way():
    for content in (b"", b"{", b"[]", b"7", b'{"password": 12345678}', b'{"password": "short"}',
                    b'{"password": "%s"}' % (b"x" * 64)):
        write("portal.json", content)
        made = access_point.password(Log())
        assert len(made) == 10
        with open("portal.json") as f:
            assert json.load(f) == {"password": made}


@in_scratch
def test_it_is_never_open_without_its_password():
    bench = Bench()
    bench.do("start")
    settings = {"ssid": "homesync-a1b2c3", "key": bench.point.password, "security": WPA2}
    assert bench.network.trail == [settings, True, settings]
    bench.do("stop")
    assert bench.network.trail[-1] is False


@in_scratch
def test_a_driver_that_takes_settings_only_later_gets_them_later():
    bench = Bench()
    bench.network.inactive_error = OSError("can't set AP config")
    bench.do("start")
    assert [type(step) for step in bench.network.trail] == [bool, dict]


@in_scratch
def test_the_password_is_not_in_the_log():
    bench = Bench()
    bench.do("start")
    bench.do("stop")
    assert not bench.log.has(bench.point.password)


@in_scratch
def test_who_has_joined_is_counted():
    bench = Bench()
    bench.network.devices = [(b"\x02",), (b"\x03",)]
    assert bench.do("joined") == 2
    bench.network.devices = OSError("AP not active")
    assert bench.do("joined") == 0


@in_scratch
def test_an_esp8266_only_tells_whether_somebody_has_joined():
    bench = Bench()
    bench.network.devices = ValueError("unknown status param")
    assert bench.do("joined") == 0
    bench.network.joined = True
    assert bench.do("joined") == 1


@in_scratch
def test_a_scan_without_threads_has_its_list_at_once():
    bench = Bench([("home", -50, True)])
    assert bench.do("scan") == [("home", -50, True)]
    assert bench.wifi.trail == ["pause", "resume"]


@in_scratch
def test_a_scan_in_a_thread_keeps_nobody():
    threads = Threads()
    bench = Bench([("home", -50, True)], threads)
    assert bench.do("scan") is None
    assert bench.do("scan") is None
    assert len(threads.started) == 1 and bench.wifi.trail == ["pause"]
    threads.run()
    assert bench.do("scan") == [("home", -50, True)]
    assert bench.wifi.trail == ["pause", "resume"]
    assert bench.do("scan") is None  # the next one


@in_scratch
def test_a_scan_leaves_a_network_that_is_joined_alone():
    bench = Bench([])
    bench.network.station_joined = True
    assert bench.do("scan") == []
    assert bench.wifi.trail == []


@in_scratch
def test_a_scan_that_fails_is_told_and_the_next_may_do():
    bench = Bench(OSError("Wifi Invalid State"))
    try:
        bench.do("scan")
        raise AssertionError("no error")
    except OSError as e:
        assert "Wifi Invalid State" in str(e)
    assert bench.wifi.trail == ["pause", "resume"]
    bench.scanner.found = []
    assert bench.do("scan") == []
