# Versions that take turns in two slots: forth, back by command, with new keys, and the way out
# when none of them works.
import pytest
from updating import (
    CRASHES,
    choose,
    ended,
    firmware,
    install,
    is_clean,
    keys,
    order,
    push,
    slots_state,
    told,
    updatable,
)

# A version that crashes at its start as long as there is a file `broken`.
FRAGILE = {"firmware/hardware.py": [(
    "    from . import meter\n",
    "    if storage.size('broken') is not None:\n"
    "        raise RuntimeError('broken')\n"
    "    from . import meter\n")]}


@pytest.fixture
def start(new_node, bundles, hasty):
    """start(bundle, **options): a node that runs this bundle, confirmed, from slot a, with
    relay 0 on."""
    def make(bundle, **options):
        def fill(node):
            install(node, "a", bundle)
            choose(node, "a", bundle[1]["floor"])

        return updatable(new_node, bundles, fill, code=hasty, **options)

    return make


def confirmed(node, request_id, version, after=0):
    answer = ended(node, request_id, after)
    assert answer["status"] == "success", answer
    assert answer["result"] == {"state": "confirmed", "version": version}
    assert is_clean(node)


def test_versions_take_turns_and_the_one_before_comes_back_by_command(start, bundles):
    node = start(bundles.make("1.0.0"))
    transitions = node.transitions()
    for version, slot in (("1.1.0", "b"), ("1.2.0", "a")):
        confirmed(node, push(node, bundles.make(version)), version)
        firmware(node, version=version, slot=slot, state="confirmed")
    after, request_id = node.hub.mark(), node.hub.new_id()
    node.hub.send("ota", {"action": "rollback", "request_id": request_id})
    told(node, request_id, "restarting", after)
    confirmed(node, request_id, "1.1.0", after)
    assert firmware(node, after, version="1.1.0", slot="b", state="confirmed")
    assert node.board.relay(0) and node.transitions() == transitions


def test_what_is_below_the_floor_does_not_come_back(start, bundles):
    old = bundles.make("1.0.0")
    node = start(old)
    confirmed(node, push(node, bundles.make("1.1.0", floor=3)), "1.1.0")
    refused = order(node, "rollback")
    assert refused["error"]["code"] == "below_floor", refused
    offer = bundles.sign(old[1], allow_downgrade=True)
    assert order(node, "offer", **offer)["error"]["code"] == "below_floor"
    assert slots_state(node)[:4] == ["b", -1, "", 3]
    assert order(node, "status")["result"]["floor"] == 3


@pytest.mark.full
def test_a_signed_downgrade_is_taken(start, bundles):
    node = start(bundles.make("1.1.0"))
    payload, offer = bundles.make("1.0.0")
    assert order(node, "offer", **offer)["error"]["code"] == "downgrade"
    offer = bundles.sign(offer, allow_downgrade=True)
    confirmed(node, push(node, (payload, offer)), "1.0.0")


def test_a_trial_is_ended_by_command(start, bundles):
    node = start(bundles.make("1.0.0"))
    bundle = bundles.make("1.1.0", {"firmware/ota/trial.py": [
        ("CONFIRM_MS = 2000", "CONFIRM_MS = 60000"), ("DEADLINE_MS = 8000", "DEADLINE_MS = 90000")
    ]})
    request_id = push(node, bundle)
    told(node, request_id, "trial")
    # Nothing else may go on meanwhile.
    assert order(node, "offer", **bundles.make("1.2.0")[1])["error"]["code"] == "busy"
    assert order(node, "abort")["error"]["code"] == "bad_request"
    boots = node.board.boots
    assert order(node, "rollback")["result"] == {"state": "restarting"}
    answer = ended(node, request_id)
    assert answer["error"] == {"code": "rolled_back", "message": "command"}
    firmware(node, version="1.0.0", slot="a", state="rolled_back", reason="command")
    assert node.board.boots == boots + 1 and is_clean(node)
    status = order(node, "status")["result"]
    assert status["bad"] == [] and status["update"] is None  # it may come again


def test_new_keys_hold_from_the_confirmation_on(start, bundles, tmp_path):
    node = start(bundles.make("1.0.0"))
    keys.generate(tmp_path / "next", spare=bundles.keys / "spare.pem")
    old_keys = (node.flash / "keys.bin").read_bytes()
    new_keys = (tmp_path / "next" / "keys.bin").read_bytes()
    # A version that fails leaves the keys alone,
    failing = bundles.make("1.1.0", CRASHES, key_file=new_keys)
    assert ended(node, push(node, failing))["error"]["code"] == "rolled_back"
    assert (node.flash / "keys.bin").read_bytes() == old_keys
    # and so does one on trial.
    request_id = push(node, bundles.make("1.1.0", key_file=new_keys))
    told(node, request_id, "trial")
    assert (node.flash / "keys.bin").read_bytes() == old_keys
    confirmed(node, request_id, "1.1.0")
    assert (node.flash / "keys.bin").read_bytes() == new_keys
    offer = bundles.make("1.2.0")[1]
    assert order(node, "offer", **offer)["error"]["code"] == "unknown_key"
    for key in (tmp_path / "next" / "active", "spare"):  # which is the same as before
        taken = order(node, "offer", **bundles.sign(offer, str(key)))
        assert taken["result"]["state"] == "downloading", taken
        assert order(node, "abort")["status"] == "success"
        assert is_clean(node)


def in_recovery(node, after):
    """Wait until it is online in recovery: the link and updates, nothing else."""
    node.online(after)
    assert firmware(node, after)["state"] == "recovery"
    for kind, action in (("relay", "off"), ("led", "on")):
        refused = node.hub.ask(kind, action)["error"]
        assert refused["code"] == "unsupported" and "in recovery" in refused["message"]
    assert node.hub.ask("config", "get")["status"] == "success"
    assert node.board.relay(0)


def test_a_crash_loop_ends_in_recovery_and_an_update_ends_that(start, bundles):
    node = start(bundles.make("1.0.0", FRAGILE))
    transitions, boots = node.transitions(), node.board.boots
    (node.flash / "broken").touch()
    after = node.hub.mark()
    assert node.hub.ask("config", "restart")["status"] == "success"
    in_recovery(node, after)
    assert node.board.boots == boots + 11
    after = node.hub.mark()
    confirmed(node, push(node, bundles.make("1.1.0")), "1.1.0")
    assert firmware(node, after, version="1.1.0")["state"] == "trial"
    relays = node.hub.wait("status/relay", lambda m: m.json["relays"], after).json["relays"]
    assert relays == ["on", "off"]
    assert node.board.relay(0) and node.transitions() == transitions
    assert node.hub.ask("relay", "off")["result"] == "off"


@pytest.mark.full
def test_a_reset_tries_again_after_a_crash_loop(start, bundles):
    node = start(bundles.make("1.0.0", FRAGILE))
    (node.flash / "broken").touch()
    after = node.hub.mark()
    node.hub.ask("config", "restart")
    in_recovery(node, after)
    (node.flash / "broken").unlink()
    after = node.hub.mark()
    node.board.press_reset()
    node.online(after)
    assert firmware(node, after)["state"] == "confirmed"
    assert node.board.relay(0)
    assert node.hub.ask("relay", "off")["result"] == "off"


def test_with_both_slots_damaged_what_is_beside_boot_py_takes_an_update(start, bundles):
    one, two = bundles.make("1.0.0"), bundles.make("1.1.0")
    node = start(one)
    install(node, "b", two)
    for slot in "ab":
        (node.flash / slot / "firmware" / "clock.mpy").write_bytes(b"M")
    after = node.hub.mark()
    node.hub.ask("config", "restart")
    in_recovery(node, after)
    says = firmware(node, after)
    assert (says["version"], says["slot"]) == ("0.1.0", None)
    confirmed(node, push(node, two), "1.1.0")
    firmware(node, after, version="1.1.0", slot="b", state="confirmed")
    assert node.hub.ask("relay", "off")["result"] == "off"
