"""When the setup portal opens, and when it closes again."""

from time import ticks_add

from firmware.setup import entry
from host_tests.unit.fakes import BEFORE_WRAP, Log, Patched


class Portal:
    """Stands for `portal.Portal`; `made` are all of them."""

    made = []
    fails = None

    def __init__(self, settings, ap, check, save, log, lan_address, port, dns_port):
        if Portal.fails:
            raise Portal.fails
        self.lan_address = lan_address
        self.save = save
        self.done = self.busy = self.closed = False
        self.steps = 0
        Portal.made.append(self)

    def step(self):
        self.steps += 1
        if self.steps == 99:
            raise RuntimeError("bug")

    def close(self):
        self.closed = True


class OnDemand:
    """What is loaded: the portal, the access point, the store."""

    Portal = Portal

    def __init__(self):
        self.loaded = []
        self.changed = None

    def load(self, name):
        self.loaded.append(name)
        return self

    def drop(self, *names):
        self.loaded = [name for name in self.loaded if name not in names]

    def AccessPoint(self, name, wifi, log):
        return name

    def change(self, values):
        self.changed = values


class Node:
    restarts = 0

    def restart(self):
        self.restarts += 1


class Wifi:
    def address(self):
        return "10.0.0.7"


class Bench:
    def __init__(self, chip="esp32", **settings):
        values = {"wifi_ssid": "home", "portal_lan": False}
        values.update(settings)
        Portal.made = []
        Portal.fails = None
        self.node = Node()
        self.log = Log()
        self.ondemand = OnDemand()
        self.now_ms = self.joined_ms = BEFORE_WRAP
        self.entry = entry.Entry(values, "homesync-a1b2c3", chip, Wifi(), self.node, None, None,
                                 self.log)

    def watch(self, joined, after_s=0.0):
        self.now_ms = ticks_add(self.now_ms, round(1000 * after_s))
        if joined:
            self.joined_ms = self.now_ms
        with Patched(entry, ondemand=self.ondemand):
            self.entry.watch(self.now_ms, joined, self.joined_ms)
            if self.entry.portal:
                self.entry.step()
        return self.entry.portal


def test_a_node_without_a_network_in_its_settings_opens_it_at_once():
    portal = Bench(wifi_ssid="").watch(False)
    assert portal and portal.lan_address is None


def test_it_opens_after_ten_minutes_without_wifi_and_closes_when_it_is_back():
    bench = Bench()
    assert not bench.watch(True)
    assert not bench.watch(False, 599)
    portal = bench.watch(False, 1)
    assert portal
    assert bench.watch(False, 3600) is portal
    assert not bench.watch(True)
    assert portal.closed and bench.ondemand.loaded == []
    assert not bench.watch(True, 60)


def test_it_stays_while_somebody_is_there():
    bench = Bench()
    bench.watch(False, 600)
    portal = bench.watch(False)
    portal.busy = True
    assert bench.watch(True) is portal and bench.entry.busy
    portal.busy = False
    assert not bench.watch(True) and not bench.entry.busy


def test_the_button_opens_it_whatever_the_wifi_is_like_for_ten_minutes():
    bench = Bench()
    bench.watch(True)
    bench.entry.ask()
    portal = bench.watch(True)
    assert portal
    assert bench.watch(True, 599) is portal
    portal.busy = True
    bench.watch(True, 10)
    portal.busy = False
    assert bench.watch(True, 599) is portal
    assert not bench.watch(True, 1)
    assert portal.closed
    assert not bench.watch(True, 3600)


def test_what_was_saved_comes_with_a_restart():
    bench = Bench(wifi_ssid="")
    portal = bench.watch(False)
    with Patched(entry, ondemand=bench.ondemand):
        portal.save({"wifi_ssid": "x"})
    assert bench.ondemand.changed == {"wifi_ssid": "x"}
    portal.done = True
    bench.watch(False)
    assert bench.node.restarts == 1 and portal.closed


def test_in_the_house_it_is_open_while_there_is_wifi():
    bench = Bench(portal_lan=True)
    assert not bench.watch(False)
    portal = bench.watch(True)
    assert portal.lan_address() == "10.0.0.7"
    assert bench.watch(True, 3600) is portal
    assert not bench.watch(False)
    assert portal.closed


def test_the_button_takes_it_from_the_house_to_the_access_point():
    bench = Bench(portal_lan=True)
    portal = bench.watch(True)
    bench.entry.ask()
    assert not bench.watch(True) and portal.closed
    assert bench.watch(True).lan_address is None


def test_what_cannot_be_opened_is_tried_again_after_a_minute():
    bench = Bench(wifi_ssid="")
    Portal.fails = OSError(98)
    assert not bench.watch(False)
    Portal.fails = None
    assert not bench.watch(False, 59)
    assert bench.ondemand.loaded == []
    assert bench.watch(False, 1)


def test_a_fault_in_the_portal_closes_it_and_nothing_else():
    bench = Bench(wifi_ssid="")
    portal = bench.watch(False)
    portal.steps = 98
    assert not bench.watch(False)
    assert portal.closed and "RuntimeError" in bench.log.lines[-1]


# Where portal and node do not fit beside each other


class Leaving:
    """Stands for `leaving.Leaving`: keeps whether it was asked for."""

    patient = False

    def __init__(self):
        self.gone = []

    def go(self, asked):
        self.gone.append(asked)


def small(**settings):
    bench = Bench("esp8266", **settings)
    bench.entry.leaving = Leaving()
    return bench, bench.entry.leaving.gone


def test_an_esp8266_leaves_for_it_after_ten_minutes_and_asks_again_each_minute():
    bench, gone = small()
    assert not bench.watch(False, 599) and gone == []
    assert not bench.watch(False, 1) and gone == [False]
    bench.watch(False, 59)
    assert gone == [False]
    bench.watch(False, 1)
    assert gone == [False, False] and Portal.made == []


def test_an_esp8266_leaves_at_once_without_a_network_but_not_when_it_has_just_come_back():
    bench, gone = small(wifi_ssid="")
    bench.watch(False)
    assert gone == [False]
    bench, gone = small(wifi_ssid="")
    bench.entry.leaving.patient = True
    bench.watch(False, 599)
    assert gone == []
    bench.watch(False, 1)
    assert gone == [False]


def test_the_button_of_an_esp8266_does_not_wait():
    bench, gone = small()
    bench.watch(False, 600)
    bench.entry.ask()
    bench.watch(True, 1)
    assert gone == [False, True]


def test_an_esp8266_has_its_page_in_the_house_itself():
    bench, gone = small(portal_lan=True)
    portal = bench.watch(True)
    assert portal.lan_address and gone == []
    bench.entry.ask()
    bench.watch(True)
    bench.watch(True)
    assert portal.closed and gone == [True]
