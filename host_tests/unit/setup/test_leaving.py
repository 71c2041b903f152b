"""When a node without room for the setup portal leaves for it, and what the next start is told."""

from firmware.setup import MARK, leaving
from host_tests.unit.fakes import Log, Patched, in_scratch


class Relay:
    def __init__(self, on=False, off_ms=None):
        self.on = on
        self.off_ms = off_ms


class Relays:
    def __init__(self, relays, protection):
        self.relays = relays
        self.protection = protection


class Node:
    def __init__(self):
        self.slot = {"state": "confirmed"}
        self.opened = 0

    def open_portal(self):
        self.opened += 1
        return self.opened == 1


class OnDemand:
    """What is loaded: the board profile, and how settings are laid over it."""

    profile = {"protection": [{"relay": 1, "max_power": 3500}]}

    def __init__(self):
        self.loaded = []

    def load(self, name):
        self.loaded.append(name)
        return self

    def drop(self, *names):
        self.loaded = [name for name in self.loaded if name not in names]

    def load_profile(self, name):
        assert name == "some-board"
        return self.profile

    def merged(self, defaults, own):
        return own + defaults


class Bench:
    def __init__(self, *relays, **options):
        self.node = Node()
        self.log = Log()
        self.ondemand = OnDemand()
        settings = {"board": "some-board", "protection": options.get("protection", [])}
        self.leaving = leaving.Leaving(
            settings, self.node, Relays(relays, options.get("protects", True)),
            options.get("pending"), self.log, False)

    def go(self, asked=False):
        """How often it has left by now."""
        with Patched(leaving, ondemand=self.ondemand):
            self.leaving.go(asked)
        assert self.ondemand.loaded == []
        return self.node.opened

    def waits(self, why):
        return self.go() == 0 and self.log.lines == ["setup: the portal has to wait: " + why]


def test_it_leaves_when_nothing_is_in_the_way():
    bench = Bench(Relay(), Relay())
    assert bench.go() == 1 and not bench.log.has("wait")


def test_a_closed_relay_without_limits_is_no_reason_to_stay():
    assert Bench(Relay(on=True), Relay()).go() == 1
    assert Bench(Relay(on=True), Relay(on=True), protects=False).go() == 1
    for entry in ({"relay": 0, "phase": "a"}, {"relay": 0, "welded_w": 5, "reclose_s": 60},
                  {"relay": 0, "on_meter_lost": "keep"}):
        assert Bench(Relay(on=True), protection=[entry]).go() == 1


def test_a_closed_relay_with_limits_keeps_it_there():
    why = "nothing would protect relay 0, which is closed"
    for limit in ("max_power", "max_current", "min_voltage", "max_voltage", "max_temperature"):
        assert Bench(Relay(on=True), protection=[{"relay": 0, limit: 40}]).waits(why)
    assert Bench(Relay(on=True), protection=[{"relay": 0, "on_meter_lost": "open"}]).waits(why)


def test_limits_of_the_board_count_as_well():
    assert Bench(Relay(), Relay(on=True)).waits("nothing would protect relay 1, which is closed")


def test_a_timer_keeps_it_there():
    assert Bench(Relay(on=True, off_ms=5), protects=False).waits(
        "the timer of relay 0 would not open it")


def test_it_leaves_once_the_relay_is_open_and_has_told_once_why_it_did_not():
    relay = Relay(on=True)
    bench = Bench(relay, protection=[{"relay": 0, "max_power": 40}])
    for _ in range(3):
        assert bench.go() == 0
    assert len(bench.log.lines) == 1
    relay.on = False
    assert bench.go() == 1


def test_by_the_button_it_leaves_all_the_same_and_says_what_to_take_care_of():
    bench = Bench(Relay(on=True), protection=[{"relay": 0, "max_power": 40}])
    assert bench.go(True) == 1
    assert bench.log.lines[-1] == \
        "setup: take care: nothing would protect relay 0, which is closed"


def test_nothing_takes_a_trial_its_time():
    bench = Bench(Relay())
    bench.node.slot = {"state": "trial"}
    assert bench.go(True) == 0 and bench.log.has("a version is on trial")
    bench.node.slot = {"state": "confirmed"}
    assert bench.go(True) == 1
    pending = {"values": {"wifi_ssid": "x"}, "kept": False}
    bench = Bench(Relay(), pending=pending)
    assert bench.go(True) == 0 and bench.log.has("settings are on trial")
    pending["values"] = None  # the outcome is to be told yet: by a node that may need the portal
    assert bench.go(True) == 1


@in_scratch
def test_the_next_start_is_told_who_asked():
    for asked, mark in ((False, b"lost"), (True, b"asked")):
        bench = Bench(Relay())
        bench.go(asked)
        bench.leaving.mark()
        assert leaving.storage.read(MARK) == mark


def test_a_full_flash_only_costs_the_portal():
    class Full:
        def replace(self, path, data):
            raise OSError(28)

    bench = Bench(Relay())
    bench.go()
    with Patched(leaving, storage=Full()):
        bench.leaving.mark()
    assert bench.log.has("cannot be opened")
