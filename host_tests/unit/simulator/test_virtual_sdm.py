# Tests of the simulator's Eastron meters: frames byte for byte, energy per phase, and faults.
import struct

from host_tests.simulator.modules.virtual.load import Load
from host_tests.simulator.modules.virtual.modbus import crc16
from host_tests.simulator.modules.virtual.sdm import Sdm


def meter(*watts, chip="sdm630", record=None):
    loads = [[Load(w, power_factor=0.5)] for w in watts]  # constant power: exact sums
    return Sdm(record or bytearray(64), {"chip": chip, "address": 1}, loads)


def run_seconds(sdm, seconds):
    for _ in range(seconds * 10):
        sdm.run(100, 2300, 500)


def asked(register, count, address=1, function=4):
    body = struct.pack(">BBHH", address, function, register, count)
    return body + crc16(body)


def shown(sdm, register):
    """One value as it goes over the wire."""
    answer = sdm.answer(asked(register, 2))
    assert len(answer) == 9 and crc16(answer[:-2]) == answer[-2:]
    return struct.unpack_from(">f", answer, 3)[0]


def near(value, expected):
    return abs(value - expected) < 0.001 * abs(expected) + 0.0001


def test_a_voltage_goes_out_as_in_the_makers_example():
    # 43 66 33 34 there, one bit in 2**24 above the float32 that is nearest to 230.2.
    sdm = meter(0, chip="sdm120")
    sdm.run(1000, 2302, 500)
    answer = sdm.answer(bytes.fromhex("01040000000271cb"))
    assert answer[:7] == bytes.fromhex("01040443663333")
    assert answer[7:] == crc16(answer[:7])


def test_the_longest_block_is_80_registers():
    sdm = meter(1000, 500, 0)
    run_seconds(sdm, 2)
    answer = sdm.answer(bytes.fromhex("010400000050f036"))
    assert len(answer) == 165 and answer[2] == 160
    assert sdm.answer(asked(0, 82)) == bytes.fromhex("018402c2c1")


def test_each_phase_shows_its_own_load():
    sdm = meter(1000, 500, 0)
    run_seconds(sdm, 2)
    for register, expected in (
        (0x00, 230), (0x02, 230), (0x06, 2000 / 230), (0x0A, 0), (0x0C, 1000), (0x0E, 500),
        (0x10, 0), (0x12, 2000), (0x1E, 0.5), (0x34, 1500), (0x46, 50),
    ):  # fmt: skip
        assert near(shown(sdm, register), expected), hex(register)


def test_energy_is_counted_per_phase_import_and_export_apart_and_kept():
    record = bytearray(64)
    sdm = meter(3600, -1800, 0, record=record)
    sdm.skip(1000000, 2300)
    for register, expected in (
        (0x15A, 1.0), (0x15C, 0), (0x160, 0), (0x162, 0.5), (0x164, 0), (0x48, 1.0), (0x4A, 0.5),
    ):  # fmt: skip
        assert near(shown(sdm, register), expected), hex(register)
    again = meter(3600, -1800, 0, record=record)
    again.run(1000, 2300, 500)
    assert near(shown(again, 0x15A), 1.001)
    assert shown(again, 0x0E) == -1800


def test_a_step_of_one_wh_shows_in_the_register():
    sdm = meter(3600, chip="sdm120")
    sdm.skip(12345678000, 2300)
    assert sdm.answer(asked(0x48, 2))[3:7] == bytes.fromhex("4640e6b6")
    run_seconds(sdm, 1)
    assert sdm.answer(asked(0x48, 2))[3:7] == bytes.fromhex("4640e6b7")


def test_each_model_answers_for_its_own_registers_only():
    refusal = bytes.fromhex("018402c2c1")
    for chip, good, bad in (
        ("sdm630", (0x00, 0x15A, 0x50), ()),
        ("sdm120", (0x00, 0x46, 0x48), (0x15A, 0x34)),
        ("sdm72", (0x34, 0x48), (0x00, 0x46, 0x15A)),
    ):
        sdm = meter(100, 100, 100, chip=chip)
        run_seconds(sdm, 1)
        for register in good:
            assert len(sdm.answer(asked(register, 2))) == 9, (chip, register)
        for register in bad:
            assert sdm.answer(asked(register, 2)) == refusal, (chip, register)
    assert meter(100, chip="sdm72").answer(asked(0x34, 24)) == refusal
    assert len(meter(100, chip="sdm120").answer(asked(0, 80))) == 165


def test_other_functions_half_values_and_other_addresses_are_refused():
    sdm = meter(100, 100, 100)
    assert sdm.answer(asked(0, 2, function=3))[1:3] == b"\x83\x01"
    assert sdm.answer(asked(1, 2))[1:3] == b"\x84\x02"
    assert sdm.answer(asked(0, 3))[1:3] == b"\x84\x02"
    assert sdm.answer(asked(0, 2, address=2)) is None


def test_a_phase_without_mains_shows_zeros_and_counts_nothing():
    record = bytearray(64)
    sdm = meter(3600, 3600, 3600, record=record)
    sdm.fault_phase = 1
    sdm.fault = "no_mains"
    run_seconds(sdm, 10)
    sdm.skip(10000, 2300)
    assert [shown(sdm, register) for register in (2, 8, 0x0E)] == [0, 0, 0]
    assert struct.unpack_from("<I", record, 0)[0] == 20
    assert struct.unpack_from("<I", record, 16)[0] == 0
    sdm.fault_phase = None
    assert sdm.answer(asked(0, 2)) is None


def test_each_fault_does_what_it_says():
    sdm = meter(1000, 1000, 1000)
    run_seconds(sdm, 2)
    request = asked(0, 80)
    good = sdm.answer(request)
    sdm.fault = "silent"
    assert sdm.answer(request) is None
    sdm.fault = "echo"
    assert sdm.answer(request) == request + good
    sdm.fault = "bad_crc"
    bad = sdm.answer(request)
    assert bad != good and bad[:-2] == good[:-2]
    sdm.fault = "noise"
    assert len(sdm.answer(request)) > 165 and sdm.answer(request)[-165:] == good
    sdm.fault = "half"
    assert sdm.answer(request) == good[:82]
    sdm.fault = "nan"
    assert sdm.answer(asked(0, 2))[3:7] == b"\x7f\xc0\x00\x00"
    sdm.fault = "reset"
    run_seconds(sdm, 1)
    assert sdm.fault is None
    assert shown(sdm, 0x15A) == 0
