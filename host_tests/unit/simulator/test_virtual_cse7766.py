# Tests of the simulator's CSE7766: its frames byte for byte, its counter, its faults.
from host_tests.simulator.modules.virtual.cse7766 import Cse7766
from host_tests.simulator.modules.virtual.load import Load


def chip(watts, record=None, item=None):
    model = Cse7766(bytearray(16) if record is None else record, item or {}, [[Load(watts)]])
    model.run(0, 2300, 500)
    return model


def number(frame, at, size=3):
    return int.from_bytes(frame[at : at + size], "big")


def frames(model, duration_ms):
    """[(ms, frame)] of what is pushed in this time."""
    found = []
    for now_ms in range(duration_ms):
        frame = model.push(now_ms)
        if frame:
            found.append((now_ms, frame))
    return found


def test_a_frame_has_the_layout_of_the_data_sheet():
    frame = chip(1000).frame()
    assert len(frame) == 24 and frame[:2] == b"\x55\x5a"
    assert sum(frame[2:23]) & 0xFF == frame[23]
    for at, value in ((2, 230), (8, 1000 / 230), (14, 1000)):
        assert abs(number(frame, at) / number(frame, at + 3) - value) < 0.003 * value
    assert frame[20] == 0x71
    assert number(frame, 21, 2) == 0xFF00  # 0x0000, caught before the carry


def test_a_frame_comes_every_105_ms():
    times = [now_ms for now_ms, _ in frames(chip(1000), 2000)]
    assert 19 <= len(times) <= 20 and times[0] < 64
    assert {b - a for a, b in zip(times, times[1:])} == {105}


def test_the_counter_counts_what_the_load_draws():
    record = bytearray(16)
    model = chip(1000, record)
    for _ in range(1000):
        model.run(36, 2300, 500)
    assert model.pulses == 36 * 10000000 // model.pulse_dwms
    assert chip(1000, record).pulses == model.pulses
    model.skip(3600000, 2300)
    assert abs(model.pulses * model.pulse_dwms - 1010 * 36000000) <= model.pulse_dwms
    assert model.frame()[20] & 0x80 == (model.pulses >> 16 & 1) << 7


def test_factors_are_those_of_the_board():
    item = {"factors": {"voltage": 1.88, "power": 1.88}}
    model = chip(1000, None, item)
    model.run(1000, 2300, 500)
    frame = model.frame()
    assert abs(number(frame, 2) / number(frame, 5) * 1.88 - 230) < 0.5
    assert abs(number(frame, 14) / number(frame, 17) * 1.88 - 1000) < 1
    assert model.pulses == 10000000 // model.pulse_dwms
    assert abs(model.pulse_dwms - 101106) <= 1


def test_without_a_load_from_the_start():
    frame = chip(0).frame()
    assert frame[0] == 0xF2 and frame[20] == 0x61


def test_after_the_load_went_the_power_cycle_counts_on():
    load = Load(1000)
    model = Cse7766(bytearray(16), {}, [[load]])
    model.run(1000, 2300, 500)
    load.set(0)
    model.run(1000, 2300, 500)
    frame = model.frame()
    assert frame[0] == 0x55 and frame[20] == 0x61
    assert 1000000 <= number(frame, 17) < 1006000
    model.run(5000, 2300, 500)
    assert model.frame()[0] == 0xF2


def test_each_fault_does_what_it_says():
    model = chip(1000)
    model.run(10000, 2300, 500)
    good = model.frame()
    model.fault = "silent"
    assert frames(model, 1000) == []
    model.fault = "bad_checksum"
    assert frames(model, 1200)[0][1] == good[:-1] + bytes((good[-1] ^ 0xFF,))
    model.fault = "noise"
    noisy = frames(model, 1400)[0][1]
    assert len(noisy) > 24 and noisy[-24:] == good
    model.fault = "poison"
    pair = [model.frame(), model.frame()]
    assert good in pair
    poison = pair[1 - pair.index(good)]
    assert number(poison, 5) == 464669 and sum(poison[2:23]) & 0xFF == poison[23]
    model.fault = "wrap"
    model.run(0, 2300, 500)
    assert model.fault is None and model.pulses == 65500
    model.run(1000, 2300, 500)
    assert model.frame()[20] & 0x80 and number(model.frame(), 21, 2) < 0x200
    model.fault = "reset"
    model.run(0, 2300, 500)
    assert model.pulses == 0
    model.fault = "no_mains"
    model.run(7000, 2300, 500)
    frame = model.frame()
    assert frame[0] == 0xF2 and number(frame, 5) == 464669 and model.pulses == 0
