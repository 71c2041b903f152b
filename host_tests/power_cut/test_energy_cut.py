# Totals never fall below what was saved, never jump, and lose at most 60 s or 10 Wh, wherever the
# power goes (real littlefs2).
import pytest
from on_flash import INTERPRETERS, found_by

PROGRAM = "energy_on_flash.py"


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_power_may_go_at_every_operation(tools, request, capsys, interpreter):
    every = 7 if request.config.getoption("--full") else 41
    found = found_by(PROGRAM, getattr(tools, interpreter), "cuts", str(every))
    with capsys.disabled():
        print("\n%d cut points, %d violations (energy, %s)" % (
            found["single"] + found["double"], len(found["complaints"]), interpreter))
    assert found["complaints"] == []
    assert found["saves"] > 40
    assert found["erases"] > 0
    assert found["operations"] > 200
    assert found["single"] == 4 * found["operations"]
    assert found["double"] > 10 * (found["operations"] // every)
    assert 5 <= found["most_lost_wh"] < 10


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_day_of_load_spares_the_flash(tools, interpreter):
    found = found_by(PROGRAM, getattr(tools, interpreter), "day")
    counter, register = found["counter"], found["register"]
    assert counter["wh"] == register["wh"] == 47999
    # Spread over 200 blocks, erases by the thousand a day wear them out in 50 years.
    assert counter["saves"] <= 48000 // 7 + 2 and counter["erases"] <= counter["saves"] // 5
    assert register["saves"] <= 86400 // 45 + 1 and register["erases"] <= register["saves"] // 5
