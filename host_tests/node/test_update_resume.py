# An update goes on by itself, from where it was, whatever interrupts it.
import pytest
from rig import patched_code
from updating import (
    HASTY,
    SLOW_INSTALL,
    ended,
    is_clean,
    needs,
    order,
    push,
    serve,
    slots_state,
    stalled_at,
    told,
    updatable,
)

from host_tests.support.proxy import FaultProxy

BLOCK = 4096
STOP = 10 * BLOCK


@pytest.fixture(scope="module")
def better(bundles):
    return bundles.make("0.2.0", floor=1)


@pytest.fixture
def node(new_node, bundles, hasty):
    """Version 0.1.0 runs beside the slots, with relay 0 on."""
    return updatable(new_node, bundles, code=hasty)


FULL = pytest.mark.full


def power_cut(node):
    node.board.power_cut()
    node.board.power_on()


def reset(node):
    node.board.press_reset()


def confirmed(node, request_id, after):
    """The new version runs, and the request from before all this is answered."""
    answer = ended(node, request_id, after)
    assert answer["status"] == "success", answer
    assert answer["result"] == {"state": "confirmed", "version": "0.2.0"}
    assert is_clean(node)


def partly_there(node, bundle):
    """The id of a request whose download has come to the block at STOP."""
    request_id = push(node, bundle, most=STOP)
    stalled_at(node, STOP)
    assert (node.flash / "update.stage").stat().st_size == STOP
    return request_id


@FULL
def test_the_download_goes_on_after_a_reset(node, better):
    request_id = partly_there(node, better)
    after = node.hub.mark()
    serve(node, better, request_id)
    reset(node)
    confirmed(node, request_id, after)
    assert needs(node, after)[0] == STOP == min(needs(node, after))
    assert node.board.boots == 3


def test_the_download_goes_on_with_what_a_power_cut_has_left(node, better):
    request_id = partly_there(node, better)
    after = node.hub.mark()
    node.board.power_cut()
    with open(node.flash / "update.stage", "r+b") as stage:
        stage.truncate(STOP - 1000)  # the end had not been flushed
    serve(node, better, request_id)
    node.board.power_on()
    confirmed(node, request_id, after)
    assert needs(node, after)[0] == STOP - 1000 == min(needs(node, after))


@FULL
def test_the_download_goes_on_in_the_next_session(new_node, bundles, better, hasty, broker):
    with FaultProxy(broker.host, broker.port) as proxy:
        node = updatable(new_node, bundles, code=hasty, settings={"broker_port": proxy.port})
        request_id = partly_there(node, better)
        after = node.hub.mark()
        serve(node, better, request_id)
        proxy.last.cut()
        confirmed(node, request_id, after)
        assert min(needs(node, after)) == STOP
        # The link, the one after the cut, and that of the new version.
        assert len(proxy.connections) == 3


@pytest.mark.parametrize("state, interrupt", [
    pytest.param("verifying", power_cut, marks=FULL),
    pytest.param("verifying", reset, marks=FULL),
    ("installing", power_cut),
    pytest.param("installing", reset, marks=FULL),
])
def test_the_installation_is_done_again_after(new_node, bundles, better, tmp_path, state,
                                              interrupt):
    node = updatable(new_node, bundles, code=patched_code(tmp_path, {**HASTY, **SLOW_INSTALL}))
    before = node.board.boots
    request_id = push(node, better)
    told(node, request_id, state)
    after = node.hub.mark()
    interrupt(node)
    confirmed(node, request_id, after)
    assert node.board.boots == before + 2  # it was before the switch
    assert not needs(node, after)
    told(node, request_id, "installing", after)


@pytest.mark.parametrize("interrupt", [power_cut, pytest.param(reset, marks=FULL)])
def test_the_trial_begins_again_after(node, better, interrupt):
    request_id = push(node, better)
    told(node, request_id, "trial")
    assert slots_state(node)[:3] == ["a", 2, ""]
    after = node.hub.mark()
    interrupt(node)
    told(node, request_id, "trial", after)
    assert slots_state(node)[:3] == ["a", 1, ""]
    confirmed(node, request_id, after)
    assert slots_state(node)[:4] == ["a", -1, "", 1]


@FULL
def test_after_three_trials_without_power_the_version_before_is_back(node, better):
    request_id = push(node, better)
    for _ in range(3):
        after = node.hub.mark()
        told(node, request_id, "trial", after)
        power_cut(node)
    answer = ended(node, request_id, after)
    assert answer["error"] == {"code": "rolled_back", "message": "power"}
    assert is_clean(node)
    assert order(node, "status")["result"]["bad"] == []  # nobody knows what it was
