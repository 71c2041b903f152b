# Updates from end to end: one version runs, another comes, stays, or is gone again by itself.
import shutil

import pytest
from updating import Bundles, ended, push, states


@pytest.fixture(scope="module")
def bundles(tools):
    made = Bundles(tools)
    yield made
    made.close()


@pytest.fixture(scope="module")
def better(bundles):
    return bundles.make("0.2.0", floor=1)


@pytest.fixture
def node(new_node, bundles):
    """Version 0.1.0 runs beside the slots, with relay 0 on."""
    one = new_node()
    shutil.copy(bundles.keys / "keys.bin", one.flash / "keys.bin")
    one.start()
    one.hub.ask("relay", "on")
    return one


def firmware(node, after=0, **wanted):
    return node.hub.wait("status/firmware", lambda m: all(
        m.json.get(key) == value for key, value in wanted.items()), after, 30).json


def test_a_good_version_stays(node, better):
    before = node.transitions()
    request_id = push(node, better)
    answer = ended(node, request_id)
    assert answer["status"] == "success", answer
    assert answer["result"] == {"state": "confirmed", "version": "0.2.0"}
    assert states(node) == ["downloading", "verifying", "installing", "restarting", "trial",
                            "confirmed"]
    firmware(node, version="0.2.0", slot="a", state="trial")
    firmware(node, version="0.2.0", slot="a", state="confirmed")
    assert node.board.relay(0) and node.transitions() == before
    assert not (node.flash / "update.json").exists()
    assert not (node.flash / "update.stage").exists()
