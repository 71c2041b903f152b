# A change of settings leaves old or new ones, wherever the power goes (real littlefs2).
import pytest
from on_flash import INTERPRETERS, found_by

PROGRAM = "config_on_flash.py"


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_power_may_go_at_every_operation(tools, request, capsys, interpreter):
    tears, every = (4, 7) if request.config.getoption("--full") else (1, 40)
    found = found_by(PROGRAM, getattr(tools, interpreter), "cuts", str(tears), str(every))
    with capsys.disabled():
        print("\n%d cut points, %d violations (settings, %s)" % (
            found["single"] + found["double"], len(found["complaints"]), interpreter))
    assert found["complaints"] == []
    assert found["steps"] == 11 and found["operations"] > 100
    assert found["single"] == tears * found["operations"]
    assert found["double"] > 20


def test_every_seeded_mistake_is_found(tools, request, capsys):
    seeds = found_by(PROGRAM, tools.micropython64, "seeds")["seeds"]
    assert len(seeds) >= 8
    if not request.config.getoption("--full"):
        seeds = seeds[2:5]
    for seed in seeds:
        assert found_by(PROGRAM, tools.micropython64, "seed", seed)["complaints"], seed
    with capsys.disabled():
        print("\n%d seeded mistakes in the change of settings, all found" % len(seeds))
