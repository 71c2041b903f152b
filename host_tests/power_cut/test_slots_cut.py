# An update leaves a complete old or new version, wherever the power goes (real littlefs2).
import pytest
from on_flash import INTERPRETERS, found_by

PROGRAM = "slots_on_flash.py"


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_power_may_go_at_every_operation(tools, request, capsys, interpreter):
    tears, every = (4, 13) if request.config.getoption("--full") else (1, 83)
    found = found_by(PROGRAM, getattr(tools, interpreter), "cuts", str(tears), str(every))
    with capsys.disabled():
        print("\n%d cut points, %d violations (slots, %s)" % (
            found["single"] + found["double"], len(found["complaints"]), interpreter))
    assert found["complaints"] == []
    assert found["operations"] > 300
    assert found["single"] == tears * found["operations"]
    assert found["double"] > 50
    # Those that fail got three tries, the good ones needed one.
    assert found["starts"] == [[1, 3], [2, 1], [3, 1], [4, 3], [5, 1]]


def test_every_seeded_mistake_is_found(tools, capsys):
    seeds = found_by(PROGRAM, tools.micropython64, "seeds")["seeds"]
    assert len(seeds) >= 6
    for seed in seeds:
        assert found_by(PROGRAM, tools.micropython64, "seed", seed)["complaints"], seed
    with capsys.disabled():
        print("\n%d seeded mistakes in lib/slots.py, all found" % len(seeds))
