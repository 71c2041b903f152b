"""Joining networks, on a `network` module of the test's own."""

import sys
from time import ticks_add

from host_tests.unit.fakes import BEFORE_WRAP, Log, Patched

IDLE, CONNECTING, GOT_IP = 1000, 1001, 1010
NOT_FOUND, WRONG_PASSWORD, REFUSED = 201, 202, 203


class Wlan:
    """An interface of an ESP32: `trail` is what was asked of it."""

    def __init__(self, active=False):
        self.trail = []
        self.is_active = active
        self.joined = False
        self.state = IDLE
        self.rssi = OSError("Wifi Not Connected")
        self.fails = {}
        self.configuration = ("192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.53")

    def _do(self, *step):
        self.trail.append(step)
        if step[0] in self.fails:
            raise self.fails[step[0]]

    def active(self, on=None):
        if on is None:
            return self.is_active
        self._do("active", on)
        self.is_active = on

    def config(self, reconnects):
        self._do("reconnects", reconnects)

    def connect(self, *credentials):
        self._do("connect", *credentials)
        self.state = CONNECTING

    def disconnect(self):
        self._do("disconnect")
        self.joined = False

    def isconnected(self):
        return self.joined

    def status(self, what=None):
        if what == "rssi":
            if isinstance(self.rssi, Exception):
                raise self.rssi
            return self.rssi
        return GOT_IP if self.joined else self.state

    def ifconfig(self, setting=None):
        if setting is None:
            return self.configuration
        self._do("ifconfig", setting)


class Network:
    """Stands for the module `network`, with the names that the ESP32 has."""

    STA_IF = 0
    AP_IF = 1
    STAT_IDLE = IDLE
    STAT_CONNECTING = CONNECTING
    STAT_GOT_IP = GOT_IP
    STAT_WRONG_PASSWORD = WRONG_PASSWORD
    STAT_NO_AP_FOUND = NOT_FOUND
    STAT_ASSOC_FAIL = REFUSED
    STAT_HANDSHAKE_TIMEOUT = 204
    STAT_BEACON_TIMEOUT = 200

    def __init__(self, active=False, access_point=False):
        self.wlan = Wlan(active)
        self.access_point = Wlan(access_point)
        self.name = None
        self.refuses_name = None

    def WLAN(self, interface):
        return self.access_point if interface == self.AP_IF else self.wlan

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

THREE = {"wifi_ssid_2": "garage", "wifi_password_2": "two", "wifi_ssid_3": "cellar"}
FIXED = {"address": "192.0.2.20/24", "gateway": "192.0.2.1"}


def settings(**values):
    made = {"wifi_ssid": "home", "wifi_password": "secret", "node_id": "node-1"}
    for name in ("wifi_ssid_2", "wifi_password_2", "wifi_ssid_3", "wifi_password_3", "hostname",
                 "address", "gateway", "dns"):
        made[name] = ""
    made.update(values)
    return made


class Bench:
    """`alive`: {ssid: "joined", or the number of the failure} of the networks there are."""

    def __init__(self, network=None, chip="esp32", **values):
        self.network = network or Network()
        self.wlan = self.network.wlan
        self.log = Log()
        self.now_ms = BEFORE_WRAP
        with Patched(wifi, network=self.network):
            self.wifi = wifi.Wifi(settings(**values), chip, self.log)
        self.began = self.asked()
        self.service()  # the driver is given time to leave what a soft reset has left
        assert self.asked() == []

    def service(self, after_s=0.25):
        self.now_ms = ticks_add(self.now_ms, round(1000 * after_s))
        return self.wifi.service(self.now_ms)

    def run(self, seconds, **becomes):
        """The chores of so many seconds; `becomes` tells what each network does when it is asked:
        "joined", or the number of a failure. Others give no answer."""
        for _ in range(round(seconds * 4)):
            mark = len(self.wlan.trail)
            self.service()
            for step in self.wlan.trail[mark:]:
                if step[0] == "connect" and len(step) > 1:
                    outcome = becomes.get(step[1], CONNECTING)
                    self.wlan.joined = outcome == "joined"
                    if not self.wlan.joined:
                        self.wlan.state = outcome
        return self.wlan.joined

    def asked(self):
        trail, self.wlan.trail = self.wlan.trail, []
        return trail

    def tried(self):
        """Names of the networks that were asked for, in order."""
        return [step[1] for step in self.asked() if step[0] == "connect" and len(step) > 1]


def esp8266():
    network = Network()
    network.STAT_IDLE, network.STAT_CONNECTING, network.STAT_GOT_IP = 0, 1, 5
    return network


def test_it_starts_from_nothing_whatever_a_soft_reset_has_left():
    bench = Bench()
    assert bench.began == [("active", True), ("disconnect",), ("ifconfig", "dhcp")]
    bench = Bench(Network(active=True))
    assert bench.began == [("disconnect",), ("ifconfig", "dhcp")]
    bench.wlan.joined = True  # the network of before, which the driver has not left yet
    assert bench.service() is False


def test_resumed_it_gives_the_driver_time_to_leave():
    bench = Bench()
    bench.wifi.pause()
    bench.wifi.resume()
    bench.asked()
    for after_s in (0.01, 0.19):
        bench.service(after_s)
        assert bench.asked() == []
    bench.service(0.02)
    assert bench.tried() == ["home"]


def test_the_interface_has_the_nodes_name_or_its_own():
    for name, values in (("node-1", {}), ("n-1-a", {"node_id": "n_1_a"}),
                         ("meter", {"hostname": "meter"})):
        assert Bench(**values).network.name == name


def test_a_driver_that_refuses_the_name_or_dhcp_is_no_obstacle():
    for error in (ValueError("hostname"), AttributeError("hostname")):
        network = Network()
        network.refuses_name = error
        network.wlan.fails = {"ifconfig": OSError("DHCP already started"),
                              "disconnect": OSError("Wifi Not Connected")}
        assert Bench(network).service() is False


def test_an_access_point_is_switched_off():
    network = Network(access_point=True)
    Bench(network)
    assert network.access_point.trail == [("active", False)]
    network = Network()
    Bench(network)
    assert network.access_point.trail == []


def test_it_asks_to_join_once_and_then_waits():
    bench = Bench()
    assert bench.service() is False
    assert bench.asked() == [("reconnects", 0), ("connect", "home", "secret")]
    for _ in range(79):
        assert bench.service() is False
    assert bench.asked() == []


def test_joined_it_says_so_once():
    bench = Bench()
    bench.service()
    bench.wlan.joined = True
    for _ in range(10):
        assert bench.service() is True
    assert bench.tried() == ["home"]
    assert bench.log.lines == ["wifi: joined home, address 192.0.2.7"]
    assert bench.wifi.trouble() == ""


def test_a_failure_is_told_once_and_the_network_left_alone_for_3_seconds():
    bench = Bench()
    bench.run(0.5, home=WRONG_PASSWORD)
    assert bench.asked()[-1] == ("disconnect",)
    bench.run(2.75)
    assert bench.asked() == []
    bench.run(30, home=WRONG_PASSWORD)
    assert len(bench.tried()) in (8, 9, 10)
    assert bench.log.lines == ["wifi: home: wrong password"]


def test_without_any_answer_it_tries_again_after_20_seconds():
    bench = Bench()
    bench.run(20.25)
    assert bench.tried() == ["home"] and bench.log.lines == ["wifi: home: no answer"]
    bench.run(3.25)
    assert bench.tried() == ["home"]


def test_reasons_are_told_apart():
    for status, why in (
            (NOT_FOUND, "not found"), (WRONG_PASSWORD, "wrong password"), (REFUSED, "refused"),
            (15, "no answer, wrong password?"), (204, "no answer, wrong password?"),
            (200, "out of range"), (210, "its security does not fit"), (39, "reason 39")):
        bench = Bench()
        bench.run(1, home=status)
        assert bench.wifi.trouble() == "home: " + why


def test_no_address_from_dhcp_is_told_while_it_waits_and_after():
    bench = Bench()
    bench.run(1)
    assert bench.wifi.trouble() == "home: no answer"
    bench.wlan.rssi = -60  # there is an access point, then
    assert bench.wifi.trouble() == "home: no address from DHCP"
    bench.run(20)
    assert bench.log.lines == ["wifi: home: no address from DHCP"]


def test_why_it_failed_outlives_the_next_try_but_not_a_success():
    bench = Bench()
    bench.run(4, home=WRONG_PASSWORD)
    bench.wlan.state = CONNECTING
    assert bench.wifi.trouble() == "home: wrong password"
    bench.run(30, home="joined")
    assert bench.wifi.trouble() == ""
    bench.wlan.joined = False
    bench.service()
    assert bench.wifi.trouble() == "home: no answer"


def test_networks_are_tried_in_turn_until_one_lets_it_in():
    bench = Bench(**THREE)
    assert bench.run(2, home=NOT_FOUND, garage=WRONG_PASSWORD, cellar="joined")
    assert ("connect", "garage", "two") in bench.wlan.trail
    assert ("connect", "cellar", "") in bench.wlan.trail  # without a password: open
    assert bench.tried() == ["home", "garage", "cellar"]
    assert bench.log.lines[-1] == "wifi: joined cellar, address 192.0.2.7"
    assert bench.wifi.trouble() == "home: not found; garage: wrong password"


def test_it_rests_only_after_a_whole_round():
    bench = Bench(**THREE)
    becomes = {"home": NOT_FOUND, "garage": NOT_FOUND, "cellar": NOT_FOUND}
    bench.run(2.25, **becomes)
    assert bench.tried() == ["home", "garage", "cellar"]
    bench.run(2, **becomes)
    assert bench.tried() == []
    bench.run(2, **becomes)
    assert bench.tried() == ["home", "garage", "cellar"]


def test_the_driver_has_time_to_leave_before_it_is_told_the_next_network():
    bench = Bench(**THREE)
    bench.run(0.25)
    bench.wlan.state = NOT_FOUND
    bench.service(0.01)
    assert bench.asked()[-1] == ("disconnect",)
    bench.service(0.19)
    assert bench.asked() == []
    bench.service(0.02)
    assert bench.tried() == ["garage"]


def test_a_name_is_enough_to_be_the_second_network():
    bench = Bench(wifi_ssid="", wifi_ssid_2="garage")
    assert bench.run(1, garage="joined")
    assert bench.tried() == ["garage"]


def test_a_lost_network_is_the_first_to_be_tried_again():
    bench = Bench(**THREE)
    bench.run(1, home=NOT_FOUND, garage="joined")
    bench.run(3600)
    assert bench.tried() == ["home", "garage"]
    bench.wlan.joined, bench.wlan.state = False, 200
    assert bench.service() is False
    assert bench.log.lines[-1] == "wifi: lost garage"
    assert bench.wifi.trouble() == "garage: no answer"  # what was is forgotten
    bench.run(3, garage=NOT_FOUND, cellar=NOT_FOUND, home="joined")
    assert bench.tried() == ["garage", "cellar", "home"]


def test_a_driver_that_raises_is_switched_off_and_on():
    for name in ("reconnects", "connect"):
        bench = Bench()
        bench.wlan.fails[name] = OSError("Wifi Internal State Error")
        assert bench.service() is False
        assert bench.asked()[-3:] == [("disconnect",), ("active", False), ("active", True)]
        assert bench.wifi.trouble() == "home: Wifi Internal State Error"
        bench.wlan.fails = {}
        assert bench.run(4, home="joined")


def test_nothing_that_the_driver_raises_comes_through():
    bench = Bench(**FIXED)
    bench.wlan.fails = {name: OSError(name) for name in (
        "active", "connect", "disconnect", "ifconfig", "reconnects")}
    bench.run(10)
    assert bench.log.has("wifi: active")
    bench.wlan.fails = {}
    assert bench.run(4, home="joined")


def test_after_20_rounds_the_interface_is_switched_off_and_on():
    bench = Bench(**THREE)
    becomes = {"home": NOT_FOUND, "garage": NOT_FOUND, "cellar": NOT_FOUND}
    bench.run(200, **becomes)
    trail = bench.asked()
    at = trail.index(("active", False))
    assert trail[at + 1] == ("active", True)
    assert len([step for step in trail[:at] if step[0] == "connect"]) == 60


def test_a_fixed_address_is_set_before_each_join():
    bench = Bench(**dict(FIXED, dns="192.0.2.2"))
    assert ("ifconfig", "dhcp") not in bench.began
    for _ in range(2):
        bench.run(0.25)
        assert bench.asked() == [
            ("reconnects", 0),
            ("ifconfig", ("192.0.2.20", "255.255.255.0", "192.0.2.1", "192.0.2.2")),
            ("connect", "home", "secret")]
        bench.run(22.75)
        bench.asked()


def test_masks_gateway_and_name_server_of_a_fixed_address():
    for values, wanted in (
            (FIXED, ("192.0.2.20", "255.255.255.0", "192.0.2.1", "192.0.2.1")),
            ({"address": "10.1.2.3/8"}, ("10.1.2.3", "255.0.0.0", "0.0.0.0", "0.0.0.0")),
            ({"address": "10.1.2.3/30"}, ("10.1.2.3", "255.255.255.252", "0.0.0.0", "0.0.0.0")),
            ({"address": "10.1.2.3/20", "dns": "9.9.9.9"},
             ("10.1.2.3", "255.255.240.0", "0.0.0.0", "9.9.9.9"))):
        bench = Bench(**values)
        bench.service()
        assert ("ifconfig", wanted) in bench.asked()


def test_without_a_network_it_joins_nothing():
    bench = Bench(wifi_ssid="")
    bench.run(50)
    assert bench.asked() == []
    assert bench.wifi.trouble() == "no wifi_ssid is set"


def test_paused_it_leaves_the_network_and_asks_for_nothing():
    bench = Bench()
    bench.run(1, home="joined")
    bench.asked()
    bench.wifi.pause()
    bench.run(60)
    assert bench.asked() == [("disconnect",)]
    assert bench.service() is False
    bench.wifi.resume()
    assert bench.run(1, home="joined") and bench.tried() == ["home"]


def test_other_settings_can_be_tried_and_taken_back():
    bench = Bench()
    bench.run(1, home="joined")
    bench.wifi.use(settings(wifi_ssid="other", wifi_password="typo"))
    assert not bench.run(2, home="joined", other=WRONG_PASSWORD)
    assert bench.wifi.trouble() == "other: wrong password"
    bench.wifi.use(settings())
    assert bench.run(2, home="joined", other="joined")
    assert bench.tried() == ["home", "other", "home"]


def test_an_esp8266_is_told_a_password_once_since_it_writes_it_to_its_flash():
    bench = Bench(esp8266(), "esp8266")
    bench.run(100, home=3)
    steps = bench.asked()
    assert steps[0] == ("connect", "home", "secret")  # it knows no `reconnects`
    again = [step for step in steps[1:] if step[0] == "connect"]
    assert len(again) > 2 and set(again) == {("connect",)}


def test_an_esp8266_changes_networks_seldom_after_the_first_round():
    network = esp8266()
    bench = Bench(network, "esp8266", **THREE)
    becomes = {"home": 3, "garage": 3, "cellar": 3}
    bench.run(4, **becomes)
    assert bench.tried() == ["home", "garage", "cellar"]
    bench.run(3600, **becomes)
    tried = bench.asked()
    assert len([step for step in tried if len(step) == 3]) == 12
    assert not [step for step in tried if step[0] == "active"]  # which it would write, too


def test_an_esp8266_that_joins_late_in_a_long_try_is_joined():
    bench = Bench(esp8266(), "esp8266", **THREE)
    bench.run(100, home=3, garage=3, cellar=3)
    bench.wlan.joined = True
    assert bench.service() is True
    assert bench.wifi.trouble() == "garage: reason 3; cellar: reason 3"


def test_the_name_server_of_the_network_or_the_one_set():
    bench = Bench()
    assert bench.wifi.dns_servers() == [("192.0.2.53", 53)]
    for none in ("0.0.0.0", ""):
        bench.wlan.configuration = ("192.0.2.7", "", "", none)
        assert bench.wifi.dns_servers() == []
    assert Bench(dns="9.9.9.9").wifi.dns_servers() == [("9.9.9.9", 53)]


def test_signal_strength():
    bench = Bench()
    for rssi, shown in ((-60, -60), (31, None), (OSError("not connected"), None),
                        (ValueError("unknown status param"), None)):
        bench.wlan.rssi = rssi
        assert bench.wifi.rssi_dbm() == shown
