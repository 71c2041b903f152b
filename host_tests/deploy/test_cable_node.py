# The cable of a node that gets another version is pulled: it goes on with what it had or has the
# new one, whole.
import pytest

from host_tests.deploy.cutting import changed, cuts, pull, version


@pytest.mark.parametrize("after_bytes", cuts((12000,), range(1, 30000, 1500)))
def test_the_cable_of_a_node_is_pulled(new_bench, own_source, flashed, hub, after_bytes):
    bench = new_bench(template=flashed[0], source=telemetry_too(changed(own_source)))
    pull(bench, after_bytes)
    after = hub.mark()
    bench.restarted()
    assert version(hub, after) in ("0.1.0", "9.0.1.0")
    bench.port.plug()
    after = hub.mark()
    assert bench.run() == 0
    assert version(hub, after) == "9.0.1.0"


def telemetry_too(source):
    """Some more files changed."""
    for path in sorted((source / "firmware/telemetry").glob("*.py")):
        path.write_text(path.read_text() + "\n_changed = 1\n")
    return source
