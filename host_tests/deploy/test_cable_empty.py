# The cable of an empty chip is pulled, at any byte of its first flashing.
import pytest

from host_tests.deploy.cutting import cuts, pull


@pytest.mark.parametrize("part", cuts((0.6,), [number / 20 for number in range(20)]))
def test_the_cable_of_an_empty_chip_is_pulled(new_bench, config, flashed, part):
    template, _, sent = flashed
    bench = new_bench()
    arguments = "--config", config()
    pull(bench, int(sent * part) + 1, *arguments)
    bench.port.plug()
    assert bench.run(*arguments) == 0
    # What had arrived whole was not sent again.
    whole = new_bench(template=template).files().keys()
    assert bench.copied[0] < len(whole) * (1 - part) + 20
    assert bench.files().keys() == whole
