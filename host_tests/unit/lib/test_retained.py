"""The retained record byte by byte, every kind of damage to it, and boot.py, which acts on it."""

import sys
from hashlib import sha256

from retained import Retained

from firmware.control.latching import LatchingRelay
from firmware.control.relays import Relays

OUTPUTS = [(26, 1), (27, 0)]
OUTPUTS_SECTION = bytes([0x4F, 0x31, 2, 53, 54, 0, 0, 0, 0, 0, 0, 0x9C, 0x8C, 0x77, 0x5B])
FIRST = b"\x01\x02\x03\x04\x05\x06"
SECOND = b"\xff\xfe\xfd\xfc\xfb\xfa"


class Memory:
    """RTC memory as the chips have it: a copy out, a copy in."""

    def __init__(self, content=b""):
        self.content = content
        self.writes = 0

    def __call__(self, new=None):
        if new is None:
            return self.content
        self.content = bytes(new)
        self.writes += 1


def hash6(number):
    return bytes([number, 0, 0, 0, 0, 255 - number])


def filled():
    memory = Memory()
    retained = Retained(memory)
    retained.set_outputs(OUTPUTS)
    for number in range(20):
        retained.add_id(hash6(number))
    return memory.content


def checksum(data):
    return sha256(data).digest()[:4]


def raises_value_error(function, *args):
    try:
        function(*args)
    except ValueError:
        return True
    return False


def test_outputs_section_is_these_bytes():
    memory = Memory()
    Retained(memory).set_outputs(OUTPUTS)
    assert memory.content[:15] == OUTPUTS_SECTION
    assert memory.content[15:] == bytes(103)


def test_checksum_is_the_head_of_sha256():
    # The published digest of "abc" (FIPS 180-2) starts with BA7816BF; both sections end in theirs.
    assert checksum(b"abc") == b"\xba\x78\x16\xbf"
    record = filled()
    assert record[11:15] == checksum(record[:11])
    assert record[114:118] == checksum(record[15:114])


def test_ids_section_is_these_bytes():
    memory = Memory()
    retained = Retained(memory)
    retained.add_id(FIRST)
    retained.add_id(SECOND)
    body = b"I1\x02" + FIRST + SECOND + bytes(84)
    assert memory.content == bytes(15) + body + checksum(body)


def test_outputs_are_read_back_after_a_reset():
    assert Retained(Memory(filled())).outputs() == OUTPUTS


def test_eight_outputs_with_the_highest_pin():
    outputs = [(pin, pin & 1) for pin in (0, 1, 2, 39, 48, 100, 126, 127)]
    memory = Memory()
    Retained(memory).set_outputs(outputs)
    assert Retained(memory).outputs() == outputs


def test_fewer_outputs_replace_more():
    memory = Memory(filled())
    Retained(memory).set_outputs([(4, 1)])
    assert Retained(memory).outputs() == [(4, 1)]
    assert memory.content[4:11] == bytes(7)


def test_a_ninth_output_is_refused_and_the_record_stands():
    memory = Memory(filled())
    retained = Retained(memory)
    assert raises_value_error(retained.set_outputs, [(pin, 0) for pin in range(9)])
    assert retained.outputs() == OUTPUTS
    assert memory.writes == 0


def test_a_pin_that_does_not_fit_is_refused():
    retained = Retained(Memory())
    assert raises_value_error(retained.set_outputs, [(128, 0)])
    assert raises_value_error(retained.set_outputs, [(-1, 0)])


def test_the_last_sixteen_ids_are_seen_after_a_reset():
    retained = Retained(Memory(filled()))
    assert [number for number in range(21) if retained.seen(hash6(number))] == list(range(4, 20))


def test_the_ring_of_ids_holds_over_many_rounds():
    memory = Memory()
    for number in range(200):
        retained = Retained(memory)  # a reset between any two
        retained.add_id(hash6(number))
        oldest = max(0, number - 15)
        assert all(retained.seen(hash6(old)) for old in range(oldest, number + 1))
        assert oldest == 0 or not retained.seen(hash6(oldest - 1))


def test_the_id_of_zeros_is_not_seen_in_unused_places():
    retained = Retained(Memory())
    assert not retained.seen(bytes(6))
    retained.add_id(FIRST)
    assert not retained.seen(bytes(6))


def test_an_id_across_two_places_is_not_seen():
    retained = Retained(Memory())
    retained.add_id(FIRST)
    retained.add_id(SECOND)
    assert not retained.seen(FIRST[3:] + SECOND[:3])


def test_an_id_of_another_length_is_refused():
    retained = Retained(Memory())
    assert raises_value_error(retained.add_id, b"12345")
    assert raises_value_error(retained.add_id, b"1234567")


def test_every_flipped_bit_of_the_outputs_is_found_and_leaves_the_ids():
    good = filled()
    for bit in range(15 * 8):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        retained = Retained(Memory(bytes(damaged)))
        assert retained.outputs() == [], bit
        assert retained.seen(hash6(19)) and retained.seen(hash6(4)), bit


def test_every_flipped_bit_of_the_ids_is_found_and_leaves_the_outputs():
    good = filled()
    for bit in range(15 * 8, 118 * 8):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        retained = Retained(Memory(bytes(damaged)))
        assert not any(retained.seen(hash6(number)) for number in range(20)), bit
        assert retained.outputs() == OUTPUTS, bit


def test_every_cut_write_gives_the_old_or_the_new_outputs_or_none():
    old = filled()
    memory = Memory(old)
    new_outputs = [(26, 0), (27, 1)]
    Retained(memory).set_outputs(new_outputs)
    for cut in range(119):
        retained = Retained(Memory(memory.content[:cut] + old[cut:]))
        assert retained.outputs() in (OUTPUTS, new_outputs, []), cut
        assert retained.seen(hash6(19)), cut


def test_every_cut_write_of_an_id_leaves_the_outputs():
    old = filled()
    memory = Memory(old)
    Retained(memory).add_id(FIRST)
    for cut in range(119):
        retained = Retained(Memory(memory.content[:cut] + old[cut:]))
        assert retained.outputs() == OUTPUTS, cut
        # All 16 of before or of after, or none: never a mixture.
        count = sum(1 for number in range(20) if retained.seen(hash6(number)))
        assert (count, retained.seen(FIRST)) in ((16, False), (15, True), (0, False)), cut


def test_memory_of_every_length_is_taken():
    good = filled()
    for length in range(len(good)):
        retained = Retained(Memory(good[:length]))
        assert retained.outputs() == (OUTPUTS if length >= 15 else []), length
        assert not retained.seen(hash6(19)), length
        retained.set_outputs([(4, 1)])
        assert retained.outputs() == [(4, 1)], length


def test_garbage_is_no_record():
    state = 1
    for size in (1, 118, 492, 2048):
        for _ in range(20):
            garbage = bytearray(size)
            for at in range(size):
                state = (state * 1103 + 12345) & 0xFFFF
                garbage[at] = state >> 8
            retained = Retained(Memory(bytes(garbage)))
            assert retained.outputs() == []
            retained.add_id(FIRST)
            assert retained.seen(FIRST)
    for byte in (0x00, 0xFF):
        assert Retained(Memory(bytes([byte]) * 492)).outputs() == []


def test_garbage_behind_a_good_magic_is_no_record():
    assert Retained(Memory(b"O1" + b"\xff" * 490)).outputs() == []
    assert not Retained(Memory(bytes(15) + b"I1" + b"\xff" * 400)).seen(b"\xff" * 6)


def test_a_section_of_another_kind_is_no_record():
    for magic in (b"O2", b"I1", b"\0\0"):
        body = magic + filled()[2:11]
        assert Retained(Memory(body + checksum(body))).outputs() == []


def test_bytes_behind_the_record_are_carried_along():
    memory = Memory(filled() + b"later")
    Retained(memory).set_outputs([])
    assert memory.content[118:] == b"later"


def test_clear_forgets_everything_at_once_and_after_a_reset():
    memory = Memory(filled() + b"later")
    retained = Retained(memory)
    retained.clear()
    for record in (retained, Retained(memory)):
        assert record.outputs() == []
        assert not record.seen(hash6(19))
    assert memory.content == bytes(118)


def test_a_record_works_on_after_clear():
    memory = Memory(filled())
    retained = Retained(memory)
    retained.clear()
    retained.set_outputs(OUTPUTS)
    retained.add_id(FIRST)
    assert Retained(memory).outputs() == OUTPUTS
    assert Retained(memory).seen(FIRST)


class Machine:
    """The parts of `machine` that boot.py uses, with the reset causes of an ESP32."""

    PWRON_RESET, SOFT_RESET = 1, 5

    def __init__(self, cause, content, broken_pin=None):
        self.pins = pins = []
        self.memory = memory = Memory(content)

        class Pin:
            OUT = 3

            def __init__(self, number, mode, value):
                if number == broken_pin:
                    raise ValueError("invalid pin")
                pins.append((number, mode, value))

        class RTC:
            def __init__(self):
                self.memory = memory

        self.Pin = Pin
        self.RTC = RTC
        self.mem32 = {}
        self.reset_cause = lambda: cause


def boot(machine):
    before = sys.modules.get("machine")
    sys.modules["machine"] = machine
    try:
        __import__("boot")
    finally:
        del sys.modules["machine"]
        if before is not None:
            sys.modules["machine"] = before
        if "boot" in sys.modules:
            del sys.modules["boot"]
    return machine


def test_boot_gives_the_pins_their_level_back_after_a_reset():
    for cause in (0, 2, 3, 4, 5):
        machine = boot(Machine(cause, filled()))
        assert machine.pins == [(26, 3, 1), (27, 3, 0)]
        assert machine.memory.writes == 0


def test_boot_at_power_on_touches_no_pin_and_clears_the_record():
    machine = boot(Machine(Machine.PWRON_RESET, filled()))
    assert machine.pins == []
    assert machine.memory.content == bytes(118)


def test_boot_goes_on_with_a_damaged_record():
    machine = boot(Machine(3, b"\xa5" * 2048))
    assert machine.pins == []


def test_boot_goes_on_when_a_pin_or_the_memory_fails():
    assert boot(Machine(3, filled(), broken_pin=27)).pins == [(26, 3, 1)]
    machine = Machine(3, filled())
    machine.RTC = None
    assert boot(machine).pins == []


def test_boot_takes_the_current_from_a_coil_that_a_reset_caught_in_its_pulse():
    memory = Memory()
    pins = {}

    class Coil:
        def __init__(self, number, level):
            pins[number] = level
            self.number = number

        def value(self, level):
            pins[self.number] = level

    for active_low in (False, True):
        relay = LatchingRelay(19, 22, active_low=active_low)
        relays = Relays([relay], Coil, Retained(memory), [], True)
        relays.tick(0)
        for on in (True, False):
            relays.set(0, on, "command", 1000)
            rest = 1 if active_low else 0
            assert sorted(pins.values()) == [0, 1]  # one of them has current
            machine = boot(Machine(4, memory.content))
            assert sorted(machine.pins) == [(19, 3, rest), (22, 3, rest)]
            relays.tick(1100)


class OnEsp8266:
    """Lets boot.py see the platform of an ESP8266."""

    def __enter__(self):
        self.before = sys.modules["sys"] if "sys" in sys.modules else None
        sys.modules["sys"] = type("Sys", (), {"platform": "esp8266"})

    def __exit__(self, *args):
        del sys.modules["sys"]
        if self.before is not None:
            sys.modules["sys"] = self.before


def test_boot_knows_a_soft_reset_that_an_esp8266_calls_power_on():
    # Its reset_cause() is that of the last hardware reset: after power-on and soft_reset() the
    # record was cleared and the relays fell back to their boot state.
    machine = Machine(Machine.PWRON_RESET, filled())
    machine.mem32[0x6000030C] = 1 << 26 | 1 << 27
    with OnEsp8266():
        boot(machine)
    assert machine.pins == [(26, 3, 1), (27, 3, 0)]


def test_boot_on_an_esp8266_knows_power_on_by_pins_that_are_inputs():
    machine = Machine(Machine.PWRON_RESET, filled())
    machine.mem32[0x6000030C] = 1 << 2
    with OnEsp8266():
        boot(machine)
    assert machine.pins == []
    assert machine.memory.content == bytes(118)
