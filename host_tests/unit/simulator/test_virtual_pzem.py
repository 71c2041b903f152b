# Tests of the simulator's PZEM-004T: its frames byte for byte, its refresh, energy and faults.
import struct

from host_tests.simulator.modules.virtual.load import Load
from host_tests.simulator.modules.virtual.modbus import crc16
from host_tests.simulator.modules.virtual.pzem import ENERGY_END_WH, Pzem

READ_ALL = b"\x01\x04\x00\x00\x00\x0a\x70\x0d"


def meter(loads=(), record=None, address=1):
    return Pzem(record or bytearray(16), {"address": address}, [loads])


def run_seconds(pzem, seconds, voltage_dv=2300):
    for _ in range(seconds * 10):
        pzem.run(100, voltage_dv, 500)


def shown_power_dw(pzem):
    return pzem.registers[3] | pzem.registers[4] << 16


def framed(body):
    return body + crc16(body)


def test_crc_of_the_reference_frames():
    assert crc16(b"123456789") == b"\x37\x4b"
    assert crc16(READ_ALL[:6]) == READ_ALL[6:]


def test_registers_go_out_as_in_the_captured_frame():
    # Real frame: 241.3 V, 29.037 A, 6892.3 W, 73460 Wh, 50.0 Hz, 0.98 (low word first).
    pzem = meter()
    pzem.registers[:] = (2413, 29037, 0, 0x0D3B, 1, 0x1EF4, 0, 500, 98, 0)
    expected = bytes.fromhex(
        "01 04 14 09 6D 71 6D 00 00 0D 3B 00 01 1E F4 00 00 01 F4 00 62 00 00 1A 22".replace(
            " ", ""
        )
    )
    assert pzem.answer(READ_ALL) == expected


def test_settled_from_the_start_then_a_mean_of_two_seconds():
    closed = [False]
    pzem = meter((Load(1000, lambda: closed[0]),))
    run_seconds(pzem, 3)
    assert shown_power_dw(pzem) == 0
    closed[0] = True
    run_seconds(pzem, 1)
    assert shown_power_dw(pzem) == 5000
    run_seconds(pzem, 1)
    assert shown_power_dw(pzem) == 10000


def test_registers_hold_still_between_refreshes():
    closed = [False]
    pzem = meter((Load(1000, lambda: closed[0]),))
    run_seconds(pzem, 1)
    closed[0] = True
    pzem.run(900, 2300, 500)
    assert shown_power_dw(pzem) == 0


def test_values_agree_with_each_other():
    pzem = meter((Load(800), Load(300, power_factor=0.6)))
    run_seconds(pzem, 2)
    voltage, current = pzem.registers[0], pzem.registers[1]
    assert voltage == 2300 and pzem.registers[7] == 500
    apparent_dva = voltage * current / 1000
    assert abs(apparent_dva * pzem.registers[8] / 100 - 11000) < 60
    assert pzem.registers[8] == 94


def test_below_the_starting_current_it_shows_nothing():
    pzem = meter((Load(3),))
    run_seconds(pzem, 2)
    assert pzem.registers[1] == pzem.registers[3] == pzem.registers[8] == 0


def test_energy_counts_whole_wh_and_survives_a_power_cut():
    record = bytearray(16)
    pzem = meter((Load(3600),), record)
    run_seconds(pzem, 10)
    assert struct.unpack_from("<I", record, 0)[0] == 10
    again = meter((Load(3600),), record)
    again.run(1000, 2300, 500)
    assert again.registers[5] == 11


def test_skipped_time_counts_energy():
    record = bytearray(16)
    meter((Load(1000),), record).skip(3600000, 2300)
    assert struct.unpack_from("<I", record, 0)[0] == 1000


def test_energy_reset_answers_its_request():
    record = bytearray(16)
    pzem = meter((Load(3600),), record)
    run_seconds(pzem, 5)
    assert pzem.answer(b"\x01\x42\x80\x11") == b"\x01\x42\x80\x11"
    assert struct.unpack_from("<I", record, 0)[0] == 0
    assert pzem.registers[5] == 0


def test_other_address_gets_no_answer_and_the_general_one_does():
    pzem = meter(address=2)
    assert pzem.answer(READ_ALL) is None
    assert pzem.answer(b"\x02\x04\x00\x00\x00\x0a\x70\x3e")[:3] == b"\x02\x04\x14"
    assert pzem.answer(b"\xf8\x04\x00\x00\x00\x0a\x64\x64")[:3] == b"\xf8\x04\x14"


def test_damaged_request_gets_no_answer():
    pzem = meter()
    assert pzem.answer(READ_ALL[:-1] + b"\x0e") is None
    assert pzem.answer(b"\x01") is None


def test_exceptions():
    pzem = meter()
    assert pzem.answer(framed(b"\x01\x04\x00\x00\x00\x0b")) == b"\x01\x84\x02\xc2\xc1"
    assert pzem.answer(framed(b"\x01\x05\x00\x00\x00\x01"))[1:3] == b"\x85\x01"
    assert pzem.answer(framed(b"\x01\x06\x00\x03\x00\x01"))[1:3] == b"\x86\x02"
    assert pzem.answer(framed(b"\x01\x06\x00\x02\x00\xf8"))[1:3] == b"\x86\x03"


def test_address_change_is_answered_by_the_old_one_and_stored():
    record = bytearray(16)
    pzem = meter((), record, address=2)
    request = b"\x02\x06\x00\x02\x00\x03\x68\x38"  # captured from a real module
    assert pzem.answer(request) == request
    assert meter((), record, address=2).address == 3


def test_alarm_threshold_is_read_back_and_raises_the_flag():
    pzem = meter((Load(2400),))
    request = b"\x01\x06\x00\x01\x08\xfc\xdf\x8b"
    assert pzem.answer(request) == request
    read_both = b"\x01\x03\x00\x01\x00\x02\x95\xcb"
    assert pzem.answer(read_both) == framed(b"\x01\x03\x04\x08\xfc\x00\x01")
    run_seconds(pzem, 2)
    assert pzem.registers[9] == 0xFFFF


def test_each_fault_does_what_it_says():
    pzem = meter((Load(1000),))
    run_seconds(pzem, 2)
    good = pzem.answer(READ_ALL)
    pzem.fault = "silent"
    assert pzem.answer(READ_ALL) is None
    pzem.fault = "echo"
    assert pzem.answer(READ_ALL) == READ_ALL
    pzem.fault = "bad_crc"
    bad = pzem.answer(READ_ALL)
    assert len(bad) == 25 and bad != good and bad[:-2] == good[:-2]
    pzem.fault = "impossible"
    impossible = pzem.answer(READ_ALL)
    assert struct.unpack_from(">H", impossible, 3)[0] == 9000
    assert crc16(impossible[:-2]) == impossible[-2:]
    pzem.fault = "noise"
    noisy = pzem.answer(READ_ALL)
    assert len(noisy) > 25 and noisy[-25:] == good
    pzem.fault = "half"
    assert pzem.answer(READ_ALL) == good[:12]
    pzem.fault = None
    assert pzem.answer(READ_ALL) == good


def register_wh(record):
    return struct.unpack_from("<I", record, 0)[0]


def test_reset_clears_the_energy_once():
    record = bytearray(16)
    pzem = meter((Load(3600),), record)
    run_seconds(pzem, 5)
    pzem.fault = "reset"
    run_seconds(pzem, 2)
    assert register_wh(record) == 2
    assert pzem.fault is None


def test_wrap_lets_the_energy_start_over_soon():
    record = bytearray(16)
    pzem = meter((Load(3600),), record)
    pzem.fault = "wrap"
    run_seconds(pzem, 3)
    assert register_wh(record) == ENERGY_END_WH - 2
    run_seconds(pzem, 3)
    assert register_wh(record) == 1


def test_without_mains_it_is_dead():
    record = bytearray(16)
    pzem = meter((Load(3600),), record)
    pzem.fault = "no_mains"
    run_seconds(pzem, 5)
    pzem.skip(3600000, 2300)
    assert pzem.answer(READ_ALL) is None
    assert register_wh(record) == 0


def test_a_second_in_one_step_shows_the_same_as_in_ten():
    whole, parts = meter((Load(800),)), meter((Load(800),))
    for _ in range(3):
        whole.run(1000, 2300, 500)
    run_seconds(parts, 3)
    assert whole.registers == parts.registers


def test_a_generator_is_counted_as_if_it_were_a_load():
    record = bytearray(16)
    pzem = meter((Load(-3600, power_factor=0.9),), record)
    run_seconds(pzem, 5)
    assert register_wh(record) == 5
    assert shown_power_dw(pzem) == 36000
