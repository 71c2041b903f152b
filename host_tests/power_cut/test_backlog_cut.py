# The backlog loses and repeats no more than it may, wherever the power goes (real littlefs2).
import pytest
from on_flash import INTERPRETERS, found_by

PROGRAM = "backlog_on_flash.py"


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_power_may_go_at_every_operation(tools, request, interpreter):
    every = 1 if request.config.getoption("--full") else 17
    found = found_by(PROGRAM, getattr(tools, interpreter), "cuts", str(every))
    assert found["complaints"] == []
    assert found["heard"] == 2 * found["safe"] == 28  # the story as it is without a cut
    assert found["operations"] > 90
    assert found["single"] == 4 * found["operations"]
    assert found["double"] > 10 * (found["operations"] // every)
    print("%d cut points, %d violations" % (
        found["single"] + found["double"], len(found["complaints"])))


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_day_offline_spares_the_flash(tools, interpreter):
    found = found_by(PROGRAM, getattr(tools, interpreter), "day")
    assert found["complaint"] is None
    assert found["kept"] + found["dropped"] == 26 * 60 - 1
    assert found["heard"] == 2 * 24 * 60
    assert found["written"][1] <= 36  # erases: about one an hour
    assert found["drained"][1] <= 300  # about one for ten acknowledged messages
