# Updates from end to end: one version runs, another comes, stays, or is gone again by itself.
import pytest
from updating import (
    CRASHES,
    ended,
    firmware,
    is_clean,
    order,
    push,
    states,
    told,
    updatable,
)

# Broken versions: path -> changes.
OFFLINE = {"firmware/assembly.py": [("    clock = Clock()\n",
                                     "    clock = Clock()\n    settings['broker_port'] = 1\n")]}
DEAF = {"firmware/meter/pzem004t.py": [('profile.get("address", 1),', "9,")]}
# Not well by then; so soon that none of them confirms itself before.
IMPATIENT = {"firmware/ota/trial.py": [("DEADLINE_MS = 8000", "DEADLINE_MS = 1500")]}


@pytest.fixture
def node(new_node, bundles, hasty):
    """Version 0.1.0 runs beside the slots, with relay 0 on."""
    return updatable(new_node, bundles, code=hasty)


def test_a_good_version_stays(node, bundles):
    before = node.transitions()
    request_id = push(node, bundles.make("0.2.0", floor=1))
    answer = ended(node, request_id)
    assert answer["status"] == "success", answer
    assert answer["result"] == {"state": "confirmed", "version": "0.2.0"}
    assert states(node) == ["downloading", "verifying", "installing", "restarting", "trial",
                            "confirmed"]
    firmware(node, version="0.2.0", slot="a", state="trial")
    firmware(node, version="0.2.0", slot="a", state="confirmed")
    assert node.board.relay(0) and node.transitions() == before
    assert is_clean(node)


def comes_back(node, bundle, reason, tries=3):
    """Push a bundle that fails; the version before is back, as it was, and says why."""
    before, after, boots = node.transitions(), node.hub.mark(), node.board.boots
    answer = ended(node, push(node, bundle), after)
    assert answer["status"] == "error" and answer["result"] is None
    assert answer["error"] == {"code": "rolled_back", "message": reason}
    assert node.board.boots == boots + tries + 1
    assert node.board.relay(0) and node.transitions() == before
    says = firmware(node, after, version="0.1.0", state="rolled_back")
    assert (says["slot"], says["reason"]) == (None, reason)
    assert node.hub.retained()["status/firmware"].json["state"] == "rolled_back"
    assert is_clean(node)


def test_a_version_that_crashes_at_its_import_is_gone_and_known(node, bundles):
    bundle = bundles.make("0.2.0", CRASHES)
    comes_back(node, bundle, "RuntimeError: not today")
    assert "RuntimeError: not today" in node.health()["crash"]
    answer = ended(node, push(node, bundle))
    assert answer["error"]["code"] == "known_bad"
    assert node.hub.ask("relay", "off")["result"] == "off"


def test_a_bad_version_is_tried_again_once_if_it_is_signed_with_force(node, bundles):
    payload, offer = bundles.make("0.2.0", CRASHES)
    comes_back(node, (payload, offer), "RuntimeError: not today")
    comes_back(node, (payload, bundles.sign(offer, force=True)), "RuntimeError: not today")
    answer = ended(node, push(node, (payload, offer)))
    assert answer["error"]["code"] == "known_bad"


def test_a_version_that_never_connects_is_gone_and_may_come_again(node, bundles):
    bundle = bundles.make("0.2.0", {**OFFLINE, **IMPATIENT})
    comes_back(node, bundle, "offline")
    # The broker may have been to blame.
    assert order(node, "status")["result"]["bad"] == []
    told(node, push(node, bundle, most=0), "downloading")


def test_a_version_that_does_not_hear_the_meter_is_gone_and_known(node, bundles):
    bundle = bundles.make("0.2.0", {**DEAF, **IMPATIENT})
    comes_back(node, bundle, "the meter is silent")
    assert ended(node, push(node, bundle))["error"]["code"] == "known_bad"


@pytest.mark.full
def test_without_a_meter_before_a_version_needs_none(node, bundles):
    node.board.fault(meter={"fault": "silent"})
    node.board.wait_for_line("meter lost", 20)
    assert ended(node, push(node, bundles.make("0.2.0", DEAF)))["status"] == "success"
