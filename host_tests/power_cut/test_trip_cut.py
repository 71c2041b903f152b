# A trip that was kept is there after a power cut; one that is cleared is either there or not.
import pytest
from on_flash import INTERPRETERS, found_by


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_power_may_go_at_every_operation(tools, interpreter):
    found = found_by("trips_on_flash.py", getattr(tools, interpreter))
    assert found["violations"] == []
    assert [trip[:3] for trip in found["kept"]] == [[1, "over_power", 2600.0]]
    assert found["operations"] > 20
    assert found["cuts"] == 4 * found["operations"]
    assert found["old"] and found["new"]
    print("%d cut points, %d violations" % (found["cuts"], len(found["violations"])))
