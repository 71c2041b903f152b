# Tests of the registry of meter models: each chip that the firmware knows has one.
from firmware.meter import CHIPS
from host_tests.simulator.modules.virtual import models
from host_tests.simulator.modules.virtual.load import Load


def test_every_chip_has_a_model_that_runs():
    for chip in CHIPS:
        item = {"chip": chip, "cf": 5, "cf1": 18, "sel": 23, "speed": 1.0}
        loads = [[Load(1000)], [], []] if chip == "sdm630" else [[Load(1000)]]
        meter = models.model(chip)(bytearray(64), item, loads)
        assert meter.fault is None, chip
        meter.run(1000, 2300, 500)
        meter.skip(1000, 2300)
        for fault in models.faults(chip):
            meter.fault_phase = None
            meter.fault = fault
            meter.run(100, 2300, 500)


def test_an_unknown_chip_is_refused():
    for question in (models.model, models.faults):
        try:
            question("abacus")
        except ValueError as error:
            assert "abacus" in str(error)
        else:
            raise AssertionError("accepted")
