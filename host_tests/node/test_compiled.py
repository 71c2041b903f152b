# The firmware as a chip gets it: compiled, from a folder without its sources.
import pytest

from host_tests.support.compiled import compiled_tree


@pytest.fixture(scope="module")
def code(tools, tmp_path_factory):
    return compiled_tree(tools.mpy_cross, tmp_path_factory.mktemp("compiled"))


def test_the_compiled_firmware_runs(new_node, code):
    sources = [path.name for path in code.rglob("*.py")]
    assert sorted(sources) == ["boot.py", "main.py"]
    node = new_node(code=code, heap="256k")
    node.start()
    assert node.hub.ask("relay", "on")["result"] == "on"
    assert node.board.relay(0)
    assert node.hub.ask("config", "get", keys=["node_id"])["status"] == "success"
    node.hub.wait("telemetry/power")
    after = node.hub.mark()
    node.hub.ask("config", "restart")
    node.online(after)
    assert node.board.relay(0)
    assert node.health()["boots"] == 2
    assert node.board.stop() == 0
