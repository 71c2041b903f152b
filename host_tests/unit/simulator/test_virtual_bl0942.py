# Tests of the simulator's BL0942: its packets byte for byte, its counter, its faults.
import struct

from host_tests.simulator.modules.virtual.bl0942 import Bl0942
from host_tests.simulator.modules.virtual.load import Load

REQUEST = b"\x58\xaa"


def chip(watts, record=None, power_factor=1.0, **item):
    load = Load(watts, None, power_factor)
    model = Bl0942(bytearray(16) if record is None else record, item, [[load]])
    model.run(400, 2300, 500)
    return model


def values(packet):
    """(current, voltage, fast current, power, count) as they are on the wire, unsigned."""
    return [int.from_bytes(packet[at : at + 3], "little") for at in range(1, 16, 3)]


def test_a_packet_has_the_layout_of_the_data_sheet():
    packet = chip(1000).answer(REQUEST)
    assert len(packet) == 23 and packet[0] == 0x55
    assert (0x58 + sum(packet)) & 0xFF == 0xFF
    current, voltage, fast, power, count = values(packet)
    assert abs(current - 1000 / 230 * 251213) < 10
    assert abs(voltage - 230 * 15883.3) < 30
    assert abs(power - 1000 * 623.4) < 30
    assert fast == current and count == 0x800000
    assert struct.unpack_from("<HBHB", packet, 16) == (20000, 0, 0, 0)


def test_only_its_own_request_is_answered():
    model = chip(1000, address=3)
    assert model.answer(b"\x5b\xaa")[0] == 0x55
    for request in (REQUEST, b"\x5b", b"\x5b\xaa\x00", b"\x5b\x04"):
        assert model.answer(request) is None


def test_the_board_decides_the_scale():
    plain = values(chip(1000).packet())
    scaled = values(chip(1000, divider=2 * 3824.53, shunt_mohm=2,
                         factors={"voltage": 0.5, "power": 1.25}).packet())
    for at, factor in ((0, 2), (1, 1), (3, 0.8)):
        assert abs(scaled[at] - factor * plain[at]) < 5


def test_a_shunt_the_other_way_round_gives_negative_power():
    packet = chip(1000, sign=-1).packet()
    assert abs(values(packet)[3] - 0x1000000 + 1000 * 623.4) < 30
    assert packet[19] & 1


def test_without_a_load_it_creeps():
    packet = chip(0.2).packet()
    assert values(packet)[0] == values(packet)[3] == 0
    assert packet[19:21] == b"\x02\x01"


def test_values_change_every_400_ms_and_the_counter_at_once():
    load = Load(0)
    model = Bl0942(bytearray(16), {}, [[load]])
    model.run(0, 2300, 500)
    load.set(36000)
    model.run(300, 2300, 500)
    assert values(model.packet())[3] == 0
    assert values(model.packet())[4] == 0x800000 + 300 * 360000 // model.pulse_dwms
    model.run(100, 2300, 500)
    assert values(model.packet())[3] != 0


def test_the_counter_goes_on_in_its_record():
    record = bytearray(16)
    model = chip(1000, record, 0.5)
    model.skip(3600000, 2300)
    pulses = model.pulses
    assert pulses == 0x800000 + 3600400 * 10000 // model.pulse_dwms
    assert Bl0942(record, {}, [[Load(0)]]).pulses == pulses


def test_each_fault_does_what_it_says():
    model = chip(1000)
    good = model.answer(REQUEST)
    for fault, expected in (
        ("silent", None), ("half", good[:11]),
        ("bad_checksum", good[:-1] + bytes((good[-1] ^ 0xFF,))),
    ):  # fmt: skip
        model.fault = fault
        assert model.answer(REQUEST) == expected, fault
    model.fault = "stray"
    stray = model.answer(REQUEST)
    assert len(stray) > 23 and stray[-23:] == good and not any(stray[:-23])
    model.fault = "noise"
    noisy = model.answer(REQUEST)
    assert len(noisy) > 23 and noisy[-23:] == good
    model.fault = "wrap"
    model.run(0, 2300, 500)
    assert model.fault is None and model.pulses == 0xFFFFFE
    model.run(3000, 2300, 500)
    assert model.pulses == 2
    model.fault = "reset"
    model.run(0, 2300, 500)
    assert model.pulses == 0
    model.fault = "no_mains"
    model.run(400, 2300, 500)
    packet = model.packet()
    assert values(packet) == [0, 0, 0, 0, 0] and packet[20] == 3
