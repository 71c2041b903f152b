"""The setup portal in place of the node: when it ends, and what it leaves for the next start."""

import sys

from firmware.setup import MARK, alone_start
from host_tests.unit.fakes import Log, Patched, Ticks, in_scratch


class Network:
    """Stands for the module `network`, and for its station."""

    STA_IF, AP_IF = 0, 1
    trail = []

    def WLAN(self, interface):
        assert interface == self.STA_IF
        return self

    def active(self, on):
        self.trail.append(on)

    def disconnect(self):
        self.trail.append("leave")


assert "network" not in sys.modules
sys.modules["network"] = Network()
try:
    from firmware.setup import alone
finally:
    del sys.modules["network"]


class Portal:
    busy = done = closed = False
    fails = None

    def __init__(self, settings, point, check, save, log, lan_address, port, dns_port,
                 note):
        assert lan_address is None and (port, dns_port) == (80, 53)
        assert "protects no relay" in note
        self.point = point
        self.check = check
        self.save = save
        self.steps = 0

    def step(self):
        self.steps += 1
        if self.fails:
            raise self.fails

    def close(self):
        self.closed = True


class Point:
    def __init__(self, name, wifi, log):
        self.name = name
        wifi.pause()
        wifi.resume()

    def scan(self):
        return ["networks"]


class Wifi:
    def __init__(self, settings, chip, log, close):
        assert chip == "esp8266" and close is False

    def dns_servers(self):
        return []


class Clear:
    """Stands for config/clear.py."""

    def __init__(self, trail):
        self.trail = trail

    def of_flash(self, log):
        return "energy"

    def clear(self, energy, protection, write):
        assert protection is None
        self.trail.append(energy)
        write()


class OnDemand:
    """What is loaded for the portal, for a test of settings, to save them, and at the end."""

    def __init__(self):
        self.AccessPoint = Point
        self.Portal = Portal
        self.Wifi = Wifi
        self.loaded = []
        self.trail = []

    def load(self, name):
        self.loaded.append(name)
        return Clear(self.trail) if name == "config.clear" else self

    def drop(self, *names):
        self.loaded = [name for name in self.loaded if name not in names]

    def Resolver(self, servers):
        return servers

    def tryout(self, wanted, running, wifi, resolver, secure):
        yield "trying"
        try:
            secure(wanted)
        except ValueError as e:
            yield False, str(e)

    def change(self, values):
        self.trail.append(values)

    def erase(self, log):
        self.trail.append("erased")

    def with_slots(self, do):
        self.trail.append("settled")


class Bench:
    def __init__(self, asked=False, ssid="home"):
        self.ticks = Ticks()
        self.ondemand = OnDemand()
        self.patched = Patched(alone, ondemand=self.ondemand, ticks_ms=self.ticks,
                               sleep_ms=lambda ms: self.ticks.sleep(250),
                               print=lambda text: None)
        with self.patched:
            self.alone = alone.Alone({"wifi_ssid": ssid}, "esp8266", "a1b2c3", asked)
            self.alone.open()
        self.portal = self.alone._portal
        self.plan = []  # (when in s, what to do then)
        self.alone.background.append(self)

    def tick(self, now_ms):
        self.plan = [one for one in self.plan if not self._done(one)]

    def _done(self, one):
        due = (self.ticks() - self._began_ms) % (1 << 29) >= one[0] * 1000
        if due:
            one[1]()
        return due

    def ends(self, limit_s=3600):
        """(why it ends, after how many s); why None: it does not, for `limit_s`."""
        self._began_ms = self.ticks()
        self.plan.append((limit_s, lambda: self.give("ending", "test")))
        with self.patched:
            self.alone.work()
        passed_s = (self.ticks() - self._began_ms) % (1 << 29) / 1000
        why = self.alone.ending
        return (None if why == "test" else why), round(passed_s)

    def give(self, name, value):
        setattr(self.alone, name, value)

    def set(self, after_s, **values):
        """Change attributes of the portal at a time."""
        def change():
            for name in values:
                setattr(self.portal, name, values[name])
        self.plan.append((after_s, change))

    def settled(self):
        with self.patched:
            self.alone.settle()
        return self.ondemand.trail


def marked():
    return alone.storage.read(MARK)


def test_nobody_comes_and_the_node_has_its_turn_after_five_minutes():
    assert Bench().ends() == ("unused", 300)


def test_who_has_asked_for_it_has_ten_minutes():
    assert Bench(asked=True).ends() == ("unused", 600)


def test_without_a_network_it_stays():
    assert Bench(ssid="").ends(7200) == (None, 7200)


def test_a_phone_keeps_it_and_five_minutes_begin_when_it_leaves():
    bench = Bench()
    bench.set(200, busy=True)
    bench.set(1000, busy=False)
    assert bench.ends() == ("unused", 1300)


def test_a_phone_that_asks_for_nothing_keeps_it_for_half_an_hour():
    bench = Bench()
    bench.portal.busy = True
    assert bench.ends() == ("unused", 1800)


def test_half_an_hour_begins_again_whenever_somebody_uses_the_page():
    for use in (lambda portal: portal.point.scan(), lambda portal: portal.save({}, False),
                lambda portal: next(portal.check({}))):
        bench = Bench()
        bench.portal.busy = True
        bench.plan.append((1700, lambda use=use, portal=bench.portal: use(portal)))
        assert bench.ends() == ("unused", 3500)


def test_what_is_saved_ends_it():
    bench = Bench()
    bench.set(20, done=True)
    assert bench.ends() == ("saved", 20)
    assert bench.settled() == ["settled"]


def test_an_input_ends_it_whatever_it_would_do():
    for work in (lambda alone: alone.toggle(0, "button", 0), lambda alone: alone.back(),
                 lambda alone: alone.set(0, True, "button", 0)):
        bench = Bench()
        bench.plan.append((10, lambda work=work, alone=bench.alone: work(alone)))
        assert bench.ends() == ("hand", 10)


@in_scratch
def test_without_a_network_the_node_is_told_not_to_come_right_back():
    for ssid, mark in (("home", None), ("", b"back")):
        bench = Bench(ssid=ssid)
        bench.alone.back()
        bench.ends()
        bench.settled()
        assert marked() == mark


@in_scratch
def test_the_configuration_is_erased_when_the_button_says_so():
    bench = Bench(ssid="")
    bench.alone.erase()
    assert bench.ends()[0] == "erase"
    assert bench.settled() == ["erased", "settled"] and marked() is None


def test_running_out_of_memory_does_not_end_it_nor_keep_the_button_from_it():
    bench = Bench()
    bench.portal.fails = MemoryError()
    bench.plan.append((10, bench.alone.back))
    assert bench.ends() == ("hand", 10)


def test_any_other_fault_ends_it():
    bench = Bench()
    bench.portal.fails = RuntimeError("bug")
    try:
        bench.ends()
    except RuntimeError:
        return
    raise AssertionError("it went on")


def test_the_station_is_on_and_tries_nothing():
    Network.trail = []
    bench = Bench()
    assert Network.trail == [True, "leave"]
    assert bench.portal.point.name == "homesync-a1b2c3"
    assert bench.portal.point.scan() == ["networks"]


def test_settings_are_saved_alone_or_with_the_totals_cleared():
    bench = Bench()
    with bench.patched:
        bench.portal.save({"home_id": "x"}, False)
        bench.portal.save({"home_id": "y"}, True)
    assert bench.ondemand.trail == [{"home_id": "x"}, "energy", {"home_id": "y"}]
    assert bench.ondemand.loaded == ["setup.access_point", "setup.portal"]


def test_a_test_has_no_tls_and_lets_go_of_all_it_needed():
    bench = Bench()
    with bench.patched:
        told = list(bench.portal.check({"broker_tls": True}))
        assert told[-1] == (False, "ESP8266 cannot check certificates: no TLS")
        stopped = bench.portal.check({})
        next(stopped)
        stopped.close()
    assert bench.ondemand.loaded == ["setup.access_point", "setup.portal"]


# Its start


class Retained:
    def __init__(self, outputs):
        self._outputs = outputs

    def outputs(self):
        return self._outputs


class Parts:
    """Stands for the modules that the start loads, for `Board` and for `Parts`."""

    machine = esp32 = None
    chip = "esp8266"
    unique_id = "240ac4a1b2c3"

    def __init__(self, profile, outputs):
        self.profile = profile
        self.retained = Retained(outputs)
        self.loaded = []

    def load(self, name=None):
        if name is None:
            return {"board": "x", "node_id": ""}, ["there is no config.json"]
        self.loaded.append(name)
        return self

    def drop(self, *names):
        self.loaded = [name for name in self.loaded if name not in names]

    def load_profile(self, name):
        if self.profile is None:
            raise ValueError("there is no board x")
        return self.profile

    def Board(self, name, chip):
        return self

    def Parts(self, profile, machine, esp32):
        return self

    def led_pin(self):
        return "led", True

    def input(self, pin, pull):
        return pin

    def Led(self, pin, active_low):
        return pin

    def Button(self, pin, relays, relay, active_low, led):
        return Hand(pin)

    def Switch(self, pin, relays, relay, mode, active_low):
        return Hand(pin)


class Hand:
    on_portal = on_erase = None

    def __init__(self, pin):
        self.pin = pin


class Made:
    def __init__(self, settings, chip, board_id, asked):
        self.settings = settings
        self.background = []
        self.log = Log()

    def back(self):
        return "back"

    def erase(self):
        return "erased"


PROFILE = {"name": "x", "chip": "esp8266", "relays": [{"pin": 5}], "inputs": [
    {"pin": 0, "kind": "button"}, {"pin": 4, "kind": "switch"}]}


def start(profile, outputs):
    parts = Parts(profile, outputs)
    with Patched(alone_start, ondemand=parts):
        return alone_start.made(Made, True), parts.loaded


def test_led_and_inputs_are_there_and_all_else_is_dropped():
    made, loaded = start(PROFILE, [(5, 1)])
    assert made.background[0] == "led" and loaded == ["control.led", "control.button",
                                                      "control.button"]
    button, switch = made.background[1:]
    assert button.on_portal() == "back" and button.on_erase() == "erased"
    assert (button.pin, switch.pin) == (0, 4)
    assert made.settings["node_id"] == "node-a1b2c3"
    assert made.log.has("there is no config.json")


def test_after_a_power_cut_the_node_is_due():
    assert start(PROFILE, [])[0] is None


def test_a_node_without_its_board_can_be_set_up_all_the_same():
    assert start(None, [])[0].settings["board"] == "x"
