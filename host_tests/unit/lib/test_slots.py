"""The slots' state machine, its two files byte by byte, and how boot.py picks a slot."""

import os
import sys
from binascii import hexlify
from hashlib import sha256

import slots

from host_tests.unit.fakes import Patched, in_scratch, raised, write

PATH = sys.path[:]
FILES = (("firmware/app.mpy", b"app of "), ("firmware/boards/x.json", b"{}"), ("pins.mpy", b""))


def in_flash(test):
    """Runs a test in an empty folder, with a `sys.path` of its own."""

    def run():
        sys.path[:] = [""] + PATH
        try:
            test()
        finally:
            sys.path[:] = PATH
            for name in ("a", "b"):
                if name in os.listdir("."):
                    slots.Folder(name).begin()
                    os.rmdir(name)

    return in_scratch(run)


def digest(data):
    return str(hexlify(sha256(data).digest()), "ascii")


def head_of(version):
    return {"id": "%08x" % version, "version": "1.%d" % version, "floor": version}


def seal(folder, head, files):
    for _ in folder.seal(head, files):
        pass


def fill(folder, version, **more):
    contents = [(name, data + b"%d" % version) for name, data in FILES]
    for name, data in contents:
        f = folder.create(name)
        f.write(data)
        f.close()
    head = head_of(version)
    head.update(more)
    seal(folder, head, [(name, digest(data)) for name, data in contents])


def install(version, **more):
    """Install and switch; returns the slot."""
    folder = slots.begin()
    fill(folder, version, **more)
    slots.switch(folder)
    return folder.name


def boot(power_on=False, crashed=False):
    """Start again; returns the slot that runs."""
    sys.path[:] = [""] + PATH
    slots.boot(power_on, crashed)
    return slots.running()


def running(version):
    """Bring a node to where this version is confirmed."""
    install(version)
    boot()
    assert slots.confirm()


def damage(slot):
    write(slot + "/pins.mpy", b"?")


def state():
    return slots.current()["state"]


@in_flash
def test_without_slots_nothing_is_done():
    assert slots.boot(True, False) is False
    assert slots.boot(False, True) is False
    slots.fail("crash")
    slots.settled()
    assert not slots.confirm()
    assert sys.path[0] == "" and "a" not in sys.path
    assert os.listdir(".") == []
    assert slots.current() == {"slot": None, "state": "confirmed", "version": None, "id": None,
                               "reason": "", "tries": 0, "floor": 0, "bad": []}


@in_flash
def test_an_application_in_romfs_is_told_from_one_beside_boot_py():
    class Application:
        __path__ = "/rom/firmware"

    class Sys:
        path = sys.path
        implementation = sys.implementation
        modules = {"firmware": Application}

    with Patched(slots, sys=Sys):
        assert slots.current()["slot"] == "rom" and slots.running() is None
        Application.__path__ = "firmware"
        assert slots.current()["slot"] is None
        Application.__path__ = "/rom/firmware"
        sys.path.insert(0, "a")  # an update hides what is in ROMFS, whatever was imported before
        assert slots.current()["slot"] == "a"


@in_flash
def test_a_version_is_armed_tried_and_confirmed():
    assert install(1) == "a"
    assert slots.running() is None and state() == "armed"
    assert slots.boot(False, False) is True
    assert sys.path == ["a", ""] + PATH
    assert slots.current() == {"slot": "a", "state": "trial", "version": "1.1",
                               "id": "00000001", "reason": "", "tries": 2, "floor": 0, "bad": []}
    assert slots.confirm()
    assert slots.current() == {"slot": "a", "state": "confirmed", "version": "1.1",
                               "id": "00000001", "reason": "", "tries": 0, "floor": 1, "bad": []}
    assert not slots.confirm()
    assert boot() == "a"
    assert install(2) == "b"
    assert boot() == "b"


@in_flash
def test_the_state_is_these_bytes():
    install(1)
    body = b'["a", 3, "", 0, [], ""]'
    with open("slots.state", "rb") as f:
        assert f.read() == body + digest(body)[:8].encode()


@in_flash
def test_the_longest_state_stays_within_128_bytes():
    slots._save("a", 3, "b", 4294967295, ["01234567"] * 3, "r" * 40)
    assert os.stat("slots.state")[6] <= 128


@in_flash
def test_the_seal_is_these_bytes():
    folder = slots.Folder("a")
    folder.begin()
    f = folder.create("firmware/x.mpy")
    f.write(b"abc")
    f.close()
    seal(folder, {"floor": 7}, [("firmware/x.mpy", digest(b"abc"))])
    body = b'{"floor": 7}\nfirmware/x.mpy ' \
        b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
    with open("a/seal", "rb") as f:
        assert f.read() == body + digest(body).encode()
    assert folder.check() == folder.check(whole=False) == {"floor": 7}


@in_flash
def test_a_boot_of_a_confirmed_version_writes_nothing():
    running(1)
    with Patched(slots, _replace=None):
        assert boot() == boot(power_on=True) == "a"


@in_flash
def test_after_three_tries_the_version_before_is_back_and_says_why():
    running(1)
    install(2)
    for _ in range(3):
        assert boot() == "b"
        slots.fail("ImportError: no module named 'x'")
    assert boot() == "a"
    assert slots.current() == {
        "slot": "a", "state": "rolled_back", "version": "1.1", "id": "00000001", "tries": 0,
        "floor": 1, "reason": "ImportError: no module named 'x'", "bad": ["00000002"]}
    assert boot() == "a"
    running(3)
    told = slots.current()
    assert told["state"] == "confirmed" and told["reason"] == ""
    assert told["bad"] == ["00000002"] and told["floor"] == 3


@in_flash
def test_without_a_slot_before_it_is_the_application_beside_boot():
    install(1)
    for _ in range(3):
        assert boot() == "a"
    assert boot() is None
    assert state() == "rolled_back"


@in_flash
def test_a_version_that_says_nothing_is_bad_unless_it_was_the_power():
    running(1)
    for version, ends, reason in (
            (2, (False, False, False), "reset"), (3, (True, True, True), "power"),
            (4, (True, False, True), "reset"), (5, (False, True, True), "reset")):
        install(version)
        assert boot() == "b"
        for power_on in ends[:2]:
            assert boot(power_on) == "b"
        assert boot(ends[2]) == "a"
        assert slots.current()["reason"] == reason
    assert slots.current()["bad"] == ["00000002", "00000004", "00000005"]


@in_flash
def test_a_version_that_was_only_offline_may_be_offered_again():
    running(1)
    install(2)
    for _ in range(3):
        assert boot() == "b"
        slots.fail("offline")
    assert boot() == "a"
    assert slots.current()["reason"] == "offline" and slots.current()["bad"] == []
    slots.switch(slots.spare())
    assert boot() == "b"


@in_flash
def test_a_reason_of_any_kind_leaves_the_state_readable():
    install(1)
    boot()
    for reason, kept in (("a\nb\x00\x7f", "a?b??"), ('"\\', '"\\'), ("\xe9\u20ac" * 50, "??" * 20),
                         ("", "")):
        slots.fail(reason)
        told = slots.current()
        assert told["state"] == "trial" and told["reason"] == kept


@in_flash
def test_what_takes_long_beats():
    running(1)
    beats = []
    folder = slots.begin(lambda: beats.append(1))
    emptied = len(beats)
    f = folder.create("large.mpy")
    f.write(bytes(5000))
    f.close()
    seal(folder, head_of(2), [("large.mpy", digest(bytes(5000)))])
    assert len(beats) - emptied > 10
    slots.switch(folder)
    assert len(beats) - emptied > 20
    boot()
    slots.confirm()
    beats[:] = []
    slots.begin(lambda: beats.append(1))
    assert len(beats) >= len(FILES)


@in_flash
def test_the_last_failure_ends_the_trial():
    running(1)
    install(2)
    boot()
    slots.fail("command", True)
    assert boot() == "a"
    assert slots.current()["reason"] == "command"


@in_flash
def test_the_list_of_bad_ones_keeps_three_and_only_force_switches_to_them():
    running(1)
    for version in (2, 3, 4, 5):
        install(version)
        boot()
        slots.fail("crash", True)
        boot()
    assert slots.current()["bad"] == ["00000003", "00000004", "00000005"]
    assert raised(ValueError, slots.switch, slots.spare())
    slots.switch(slots.spare(), True)
    assert slots.current()["bad"] == ["00000003", "00000004"]
    boot()
    slots.fail("crash", True)
    boot()
    assert slots.current()["bad"] == ["00000003", "00000004", "00000005"]


@in_flash
def test_what_runs_until_the_restart_is_not_the_version_on_trial():
    running(1)
    install(2)
    assert not slots.confirm()
    slots.fail("crash of the old one")
    assert slots.current()["state"] == "armed" and slots.current()["reason"] == ""
    boot()
    assert slots.current()["tries"] == 2
    assert slots.current()["reason"] == ""


@in_flash
def test_no_update_begins_during_a_trial():
    running(1)
    install(2)
    for function in (slots.begin, slots.spare):
        assert raised(ValueError, function)
    assert raised(ValueError, slots.switch, slots.Folder("a"))
    boot()
    for function in (slots.begin, slots.spare):
        assert raised(ValueError, function)
    assert raised(ValueError, slots.switch, slots.Folder("a"))
    assert slots.Folder("a").check()
    slots.confirm()
    assert slots.begin().name == "a"


@in_flash
def test_begin_takes_the_seal_first_and_leaves_nothing():
    running(1)
    running(2)
    removed = []

    class Os:
        listdir, rmdir, mkdir, rename = os.listdir, os.rmdir, os.mkdir, os.rename

        @staticmethod
        def remove(path):
            os.remove(path)
            removed.append(path)

    with Patched(slots, os=Os):
        slots.begin()
    assert removed[0] == "a/seal"
    assert len(removed) == 1 + len(FILES)
    assert os.listdir("a") == []


@in_flash
def test_a_sealed_slot_that_nobody_switched_to_does_not_run():
    fill(slots.begin(), 1)  # the first one ever: there is no other state
    assert boot() is None
    running(2)
    fill(slots.begin(), 3)
    assert boot() == "a"


@in_flash
def test_switch_wants_a_good_slot_above_the_floor():
    running(4)
    assert raised(ValueError, slots.switch, slots.spare())
    fill(slots.begin(), 3)
    assert raised(ValueError, slots.switch, slots.spare())
    fill(slots.begin(), 5)
    damage("b")
    assert raised(ValueError, slots.switch, slots.spare())
    assert state() == "confirmed"


@in_flash
def test_the_floor_does_not_fall_with_the_version():
    running(4)
    install(6, floor=4)
    boot()
    slots.confirm()
    assert slots.current()["floor"] == 4
    damage("b")
    assert boot() == "a"
    assert slots.current()["floor"] == 4


@in_flash
def test_a_slot_with_one_wrong_byte_is_not_good():
    folder = slots.Folder("a")
    folder.begin()
    fill(folder, 1)
    assert folder.check() == head_of(1)
    for path in ("a/seal", "a/firmware/app.mpy", "a/pins.mpy"):
        with open(path, "rb") as f:
            good = f.read()
        for at in range(len(good)):
            flip = 0x80 if at % 2 else 1
            for changed in (good[:at] + bytes([good[at] ^ flip]) + good[at + 1:], good[:at]):
                write(path, changed)
                assert folder.check() is None, (path, at)
        write(path, good + b"1")
        assert folder.check() is None
        os.remove(path)
        assert folder.check() is None
        write(path, good)
    assert folder.check()


@in_flash
def test_a_slot_for_another_interpreter_is_not_good():
    running(1)
    install(2)
    implementation = type("Implementation", (), {"_mpy": 1})
    fill(slots.Folder("b"), 2)
    with Patched(slots, sys=type("Sys", (), {"path": sys.path, "implementation": implementation})):
        fill(slots.Folder("b"), 2, mpy=1)
        assert slots.Folder("b").check()
        implementation._mpy = 2
        assert slots.Folder("b").check() is None
        assert boot() == "a"
    assert slots.current()["reason"] == "damaged" and slots.current()["bad"] == []


@in_flash
def test_whoever_flashes_a_new_application_leaves_the_slots():
    install(1)
    boot()
    slots.confirm()
    install(2)
    slots.leave()
    assert boot() is None and state() == "confirmed"
    assert slots.current()["floor"] == 1
    for name in ("a", "b"):
        slots.Folder(name).begin()
    write(slots.STATE, b"lost")
    assert boot() is None


@in_flash
def test_the_application_beside_goes_for_want_of_room_where_a_slot_runs():
    for name in ("firmware", "firmware/meter"):
        os.mkdir(name)
        write(name + "/app.mpy", b"x" * 5000)
    assert not slots.drop_beside() and "firmware" in os.listdir(".")
    install(1)
    boot()
    slots.confirm()
    assert slots.drop_beside()
    assert [name for name in os.listdir(".") if name.startswith("firmware")] == []
    assert not slots.drop_beside()
    assert boot() == "a"


@in_flash
def test_what_a_power_cut_has_left_of_the_application_beside_goes_too():
    os.mkdir("firmware.old")
    write("firmware.old/app.mpy", b"x")
    install(1)
    boot()
    assert slots.drop_beside()
    assert "firmware.old" not in os.listdir(".")


@in_flash
def test_nothing_is_sealed_that_reads_back_otherwise():
    folder = slots.begin()
    f = folder.create("x.mpy")
    f.write(b"abc")
    f.close()
    assert raised(ValueError, seal, folder, head_of(1), [("x.mpy", digest(b"abd"))])
    assert raised(ValueError, seal, folder, head_of(1),
                  [("x.mpy", digest(b"abc")), ("y.mpy", digest(b""))])
    assert folder.check() is None and folder.check(whole=False) is None


@in_flash
def test_names_that_would_leave_the_slot_or_hide_what_boots_are_refused():
    folder = slots.begin()
    for name in ("", "/x.py", "../x.py", "firmware/../../x.py", "firmware//x.py", "boot.py",
                 "main.py", "slots.mpy", "slots/__init__.py", "retained.py", "seal", "seal.new"):
        assert raised(ValueError, folder.create, name), name
    assert os.listdir("a") == []
    folder.create("firmware/slots.py").close()


@in_flash
def test_a_damaged_version_gives_way_to_the_other_one():
    running(1)
    running(2)
    damage("b")
    assert boot() == "a"
    told = slots.current()
    assert told["state"] == "rolled_back" and told["reason"] == "damaged" and told["floor"] == 2
    assert boot() == "a"


@in_flash
def test_with_no_good_slot_it_recovers_with_what_lies_beside_boot():
    running(1)
    install(2)
    for _ in range(3):
        boot()
        slots.fail("crash")
    boot()
    damage("a")
    assert boot() is None  # b is whole, but bad
    assert state() == "recovery"
    assert sys.path == [""] + PATH + ["a"]
    assert install(3) == "b"
    assert boot() == "b"
    assert slots.confirm() and state() == "confirmed"


@in_flash
def test_ten_crashes_of_a_confirmed_version_lead_to_recovery_once():
    running(1)
    for _ in range(9):
        assert boot(crashed=True) == "a"
        assert state() == "confirmed"
    slots.fail("main.py tells it")
    assert boot() == "a" and state() == "recovery"
    assert boot() == "a" and state() == "confirmed"
    assert "slots.crashes" not in os.listdir(".")


@in_flash
def test_a_minute_without_a_crash_forgets_those_before():
    running(1)
    for _ in range(3):
        for _ in range(9):
            boot(crashed=True)
        slots.settled()
        assert state() == "confirmed"


@in_flash
def test_a_try_that_cannot_be_counted_is_not_made():
    running(1)
    install(2)

    def full(path, data):
        raise OSError(28)

    with Patched(slots, _replace=full):
        assert boot() == "a"
    assert boot() == "b"


@in_flash
def test_a_lost_state_is_made_of_what_is_sealed():
    running(1)
    running(2)
    with open("slots.state", "rb") as f:
        good = f.read()
    for at in range(len(good)):
        for bad in (good[:at], good[:at] + bytes([good[at] ^ 4]) + good[at + 1:]):
            write("slots.state", bad)
            assert boot() == "b", bad
            assert slots.current()["floor"] == 2
    damage("b")
    assert boot() == "a"
    assert slots.begin().name == "b"
    with open("slots.state", "rb") as f:
        assert f.read() != bad


class Machine:
    """What boot.py takes from `machine`."""

    PWRON_RESET, SOFT_RESET = 1, 5

    def __init__(self, cause):
        self.watchdogs = watchdogs = []
        self.reset_cause = lambda: cause

        class RTC:
            def memory(self, new=None):
                return b""

        def wdt(timeout):
            watchdogs.append(timeout)

        self.RTC = RTC
        self.WDT = wdt


def run_boot(cause):
    sys.path[0] = ""
    before = sys.modules.get("machine")
    sys.modules["machine"] = machine = Machine(cause)
    path = sys.path[:]
    here = os.getcwd()
    try:
        __import__("boot")
    finally:
        del sys.modules["machine"]
        if before is not None:
            sys.modules["machine"] = before
        sys.modules.pop("boot", None)
        sys.modules["slots"] = slots
    assert os.getcwd() == here
    added = [name for name in sys.path if name not in path]
    sys.path[:] = path
    return machine, added


@in_flash
def test_boot_starts_a_watchdog_for_a_trial_only():
    machine, added = run_boot(5)
    assert machine.watchdogs == [] and added == []
    install(1)
    machine, added = run_boot(5)
    assert machine.watchdogs == [60000] and added == ["a"]
    sys.path[0] = "a"
    slots.confirm()
    machine, added = run_boot(5)
    assert machine.watchdogs == [] and added == ["a"]


@in_flash
def test_boot_counts_every_reset_but_its_own_and_power_on():
    running(1)
    for cause, crashes in ((1, 0), (5, 0), (3, 1), (2, 2), (5, 2)):
        run_boot(cause)
        assert slots._crashes() == crashes


@in_flash
def test_boot_leaves_something_to_run_when_slots_fail():
    running(1)

    class Broken:
        @staticmethod
        def boot(power_on, crashed):
            raise MemoryError()

    sys.modules["slots"] = Broken
    assert run_boot(5)[1] == ["a", "b"]
