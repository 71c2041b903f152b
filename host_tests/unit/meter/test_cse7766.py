"""CSE7766 and HLW8032: real frames, frames damaged in every way, and a day of counted energy."""

from time import ticks_add

from firmware.meter.cse7766 import CSE7766
from host_tests.simulator.modules.virtual.cse7766 import FRAME_MS, Cse7766
from host_tests.simulator.modules.virtual.load import Load
from host_tests.simulator.modules.virtual.serial_line import SerialLine
from host_tests.unit.fakes import BEFORE_WRAP

LOADED = "55 5A 02 EC 70 00 03 5D 00 40 B5 00 6C 4E 52 0F D0 00 A4 21 F2 6F 14 D8"
COUNTING = "55 5A 02 DA 78 00 03 5E 00 40 A1 06 0D A8 52 5D F0 10 C0 2F 61 00 E2 32"
NO_LOAD = "F2 5A 02 E9 50 00 03 2B 00 3E 9E 02 D7 7C 4F 44 F8 CF A5 5D E1 B3 2A B4"
NO_MAINS = "FA 5A 02 EE C8 FE FF 01 00 3F 66 00 00 00 51 21 88 FA DB 29 01 00 00 54"
POISON = "55 5A 02 DB 40 07 17 1D 00 3D 18 03 8E CD 4F 0A 60 2B EF EA 61 01 02 2C"
BEFORE_POISON = "55 5A 02 DB 40 00 03 25 00 3D 18 03 8E CD 4F 0A 60 2A 56 85 61 01 02 1A"
DARK = "55 5A 02 DC D0 07 34 0E 00 3C D7 00 F9 6C 4D E5 68 4F F4 F7 61 00 1A BE"
PULSE_DWMS = 0x520FD0 // 100  # of LOADED: 5.378 J
HLW8032 = {"factors": {"voltage": 1.88, "power": 1.88}}


class Wire:
    """A UART that only receives; any() counts, or says 0 or 1 like an ESP8266's."""

    def __init__(self, counts=True):
        self.counts = counts
        self.waiting = b""

    def any(self):
        return len(self.waiting) if self.counts else min(1, len(self.waiting))

    def readinto(self, buffer):
        taken = min(len(buffer), len(self.waiting))
        buffer[:taken] = self.waiting[:taken]
        self.waiting = self.waiting[taken:]
        return taken or None


class Bench:
    """A driver, its wire, and a clock that makes a step for each poll."""

    def __init__(self, profile=None, counts=True):
        self.wire = Wire(counts)
        self.driver = CSE7766(self.wire, profile or {})
        self.now_ms = BEFORE_WRAP

    def poll(self, step_ms=10):
        self.now_ms = ticks_add(self.now_ms, step_ms)
        return self.driver.poll(self.now_ms)

    def feed(self, *frames):
        """Let these arrive, each in its time, unasked."""
        for frame in frames:
            self.wire.waiting += raw(frame)
            assert self.poll(FRAME_MS) is None

    def reading(self):
        """What the driver makes of the frames until now; None if it waits in vain."""
        self.driver.start(self.now_ms)
        for _ in range(101):
            result = self.poll()
            if result is not None:
                return result[0]
            if not self.driver.busy:
                return None
        raise AssertionError("still busy")

    def failure_of(self, frame):
        """`error` after a sample in which only this arrived."""
        self.wire.waiting += raw(frame)
        assert self.reading() is None
        return self.driver.error

    def reading_of(self, *frames):
        self.feed(*frames)
        return self.reading()


def raw(frame):
    return bytes.fromhex(frame.replace(" ", "")) if isinstance(frame, str) else frame


def changed(frame, **fields):
    """The frame with other fields (state, voltage, power, adj, count) and a right sum."""
    data = bytearray(raw(frame))
    data[0] = fields.get("state", data[0])
    for name, at in (("voltage", 5), ("current", 11), ("power", 17)):
        if name in fields:
            data[at : at + 3] = fields[name].to_bytes(3, "big")
    data[20] = fields.get("adj", data[20])
    if "count" in fields:
        data[21:23] = fields["count"].to_bytes(2, "big")
    data[23] = sum(data[2:23]) & 0xFF
    return bytes(data)


def close(value, expected, step):
    return abs(value - expected) <= step / 2 + 0.0001


def test_real_frames_with_a_load():
    for frame, profile, volts, amperes, watts in (
        ("555A02E950000331003E9E000D304F44F8001265F1817672", {}, 233.54, 4.748, 1103.2),
        (LOADED, {}, 222.53, 0.5975, 128.0),
        ("555A02F7600003AB00401002605D51A65803E9EF710B7A36", {}, 207.03, 0.105, 20.9),
        ("555A02D5000005A9003C0500FD734DB2A002972771482876", HLW8032, 240.8, 0.2368, 56.4),
        ("555A02D5000005A7003C0500FD734DB2A002961F71482E71", HLW8032, 241.1, 0.2368, 56.5),
        ("555A02FCD800062F00413200D7F2537B18023E9F7171FEEC", HLW8032, 232.5, 0.302, 69.9),
    ):
        reading = Bench(profile).reading_of(frame)
        assert close(reading.voltage_v, volts, 0.1 if profile else 0.01), frame
        assert close(reading.current_a, amperes, 0.002), frame
        assert close(reading.active_power_w, watts, 0.12), frame
        factor = min(1, watts / volts / amperes)
        assert close(reading.power_factor, factor, 0.02), frame
        assert reading.frequency_hz is None
        assert reading.counted_dwms == 0  # the base


def test_real_frames_without_a_load():
    for frame, profile, volts in (
        (NO_LOAD, {}, 235.27),
        ("F25A02F76000036100401005724051A65863101BE17F4D4E", {}, 224.74),
        ("F25A02D5000005A7003C05032BF34DB2A09C98CA61249097", HLW8032, 241.1),
    ):
        reading = Bench(profile).reading_of(frame)
        assert close(reading.voltage_v, volts, 0.1), frame
        assert reading.current_a == 0 and reading.active_power_w == 0, frame
        assert reading.power_factor is None


def test_a_power_that_is_still_counting_is_unknown_at_first():
    for frame, volts, amperes in (
        (COUNTING, 216.94, 0.042),
        ("555A02CC68000305003DAE0572904E91481BAE3661225029", 237.26, 0.044),
        (BEFORE_POISON, 232.55, 0.067),
    ):
        reading = Bench().reading_of(frame)
        assert close(reading.voltage_v, volts, 0.01), frame
        assert close(reading.current_a, amperes, 0.001), frame
        assert reading.active_power_w is None and reading.power_factor is None


def test_a_power_that_is_still_counting_keeps_the_last_one():
    bench = Bench()
    still = changed(COUNTING, adj=0x71, power=1100000)
    assert close(bench.reading_of(still).active_power_w, 4.91, 0.02)
    assert close(bench.reading_of(COUNTING).active_power_w, 4.91, 0.02)


def test_a_cycle_that_is_longer_than_the_last_bounds_the_power():
    bench = Bench()
    bench.reading_of(changed(COUNTING, adj=0x71, power=5000))  # 1080 W
    assert close(bench.reading_of(COUNTING).active_power_w, 4.92, 0.01)


def test_the_first_cycle_after_no_load_is_not_believed():
    # Its pulse came long after the one before, and its counter runs over after 16.8 s: 1000 us
    # would be 5.4 kW.
    bench = Bench()
    bench.reading_of(changed(LOADED, state=0xF2, adj=0x61))
    first = changed(LOADED, adj=0x71, power=1000)
    reading = bench.reading_of(first, first)
    assert reading.active_power_w == 0 and reading.current_a == 0
    assert close(bench.reading_of(first, LOADED).active_power_w, 64, 0.1)  # mean of 0 and 128
    assert close(bench.reading_of(LOADED).active_power_w, 128, 0.1)


def test_a_stray_pulse_without_a_load_is_no_load():
    # Real, espurna 867: a pulse each 16 s that the chip's noise makes, and 0.07 A of noise.
    bench = Bench()
    bench.feed(
        "F2 5A 02 B7 50 00 02 FF 00 3D 36 03 6B 37 4C 72 50 EE B5 37 61 00 6F DA",
        "F2 5A 02 B7 50 00 02 FF 00 3D 36 03 6B 37 4C 72 50 F0 4E 9C 61 00 6F DA",
    )
    reading = bench.reading()
    assert close(reading.voltage_v, 232.12, 0.1)
    spike = "55 5A 02 B7 50 00 02 FF 00 3D 36 03 6B 37 4C 72 50 F1 A4 AA 71 00 70 50"
    reading = bench.reading_of(spike, spike, spike)
    assert reading.active_power_w == 0 and reading.current_a == 0
    assert reading.counted_dwms == 0x4C7250 // 100


def test_no_mains():
    reading = Bench().reading_of(NO_MAINS)
    assert (reading.voltage_v, reading.current_a, reading.active_power_w) == (0, 0, 0)
    assert reading.power_factor is None


def test_half_a_second_of_no_voltage_is_no_mains_too():
    # Real, an HLW8032 without input: 0.4 V, in state 55 for 6 s, and its noise as a current.
    bench = Bench(HLW8032)
    bench.feed(DARK, DARK, DARK, DARK)
    assert bench.reading() is None
    reading = bench.reading_of(DARK, DARK)
    assert (reading.voltage_v, reading.current_a, reading.active_power_w) == (0, 0, 0)


def test_mains_and_no_mains_are_not_averaged():
    bench = Bench()
    assert bench.reading_of(LOADED, NO_MAINS).voltage_v == 0
    assert close(bench.reading_of(NO_MAINS, LOADED).voltage_v, 222.53, 0.1)


def test_the_poison_frame_is_dropped_though_its_sum_is_right():
    bench = Bench()
    assert bench.failure_of(POISON) == "implausible: voltage cycle 464669"
    assert bench.driver.errors["implausible"] == 1
    reading = bench.reading_of(BEFORE_POISON, POISON, BEFORE_POISON)
    assert close(reading.voltage_v, 232.55, 0.01)


def test_real_damaged_frame_is_rejected():
    bench = Bench(HLW8032)
    bad = "55 5A 02 D5 00 00 05 A9 00 3C 38 00 FD 5C 4D B2 A0 02 95 7C 71 48 23 AD"
    bench.feed(LOADED, bad)
    assert bench.driver.errors["checksum"] == 1
    assert Bench(HLW8032).reading_of(bad) is None


def accepted(frame):
    """(position, value) of each change of one byte of a frame that still gives a reading."""
    good = raw(frame)
    found = []
    for at in range(24):
        for value in range(256):
            if value != good[at]:
                wire = Wire()
                wire.waiting = good[:at] + bytes((value,)) + good[at + 1 :]
                driver = CSE7766(wire, {})
                driver.start(0)
                if driver.poll(10) is not None:
                    found.append((at, value))
    return found


def test_no_single_wrong_byte_of_a_loaded_frame_gives_a_reading():
    assert accepted(LOADED) == []


def test_a_single_wrong_byte_is_believed_where_no_sum_protects_it():
    # Byte 0 is outside the sum: "power counts on" and "no load" differ in nothing else.
    assert accepted(COUNTING) == [(0, 0xF2)]
    assert accepted(NO_LOAD) == [(0, 0x55)]


def test_contradictory_states_are_rejected():
    for state in (0xF0, 0xF2, 0xF4, 0xF6, 0xF8, 0xFA, 0xFC, 0xFE):
        bench = Bench()
        assert bench.failure_of(changed(LOADED, state=state)).startswith("implausible: state")
        assert bench.driver.errors["implausible"] == 1, state


def test_a_chip_without_calibration_gives_nothing():
    blank = raw(LOADED)[:2] + bytes(21)
    for frame in (changed(LOADED, state=0xAA), changed(LOADED, state=0xF3, adj=0), blank + b"\0"):
        bench = Bench()
        assert bench.failure_of(frame).startswith("uncalibrated: state ")
        assert bench.driver.errors["uncalibrated"] == 1
        assert bench.driver.errors["timeout"] == 0


def test_cycles_of_zero_are_not_divided_by():
    assert Bench().reading_of(changed(LOADED, voltage=0)) is None
    reading = Bench().reading_of(changed(LOADED, power=0, current=0))
    assert reading.active_power_w is None and reading.current_a is None


def test_values_beyond_the_board_are_dropped():
    for fields in ({"voltage": 600}, {"power": 700}, {"current": 200}):
        bench = Bench()
        assert bench.failure_of(changed(LOADED, **fields)).startswith("implausible"), fields
        assert bench.driver.errors["implausible"] == 1


def test_real_streams_with_missing_bytes_lose_no_other_frame():
    for torn, frame in (
        ("55 5A 02 DA 78 00 03 5E 00 40 A1 06 0D A8 52 5D F0 12 59", COUNTING),
        ("55 5A 02 EC 70 00 03 5E 00 40 B5 00 6C FE 53 D1 FE", LOADED),
        ("F2 5A 02 D5 00 00", LOADED),
    ):
        bench = Bench()
        bench.reading_of(frame)
        after = changed(frame, voltage=860)
        reading = bench.reading_of(torn, after)
        whole = Bench().reading_of(after)
        assert reading.voltage_v == whole.voltage_v, torn
        assert sum(bench.driver.errors.values()) == 1, torn


def test_a_real_stream_counts_its_pulses():
    # Tasmota 6302: 128 W, a frame lost its tail on the way.
    frames = [
        "55 5A 02 EC 70 00 03 5D 00 40 B5 00 6C 4E 52 0F D0 00 A4 21 F2 6F 16 DA",
        "55 5A 02 EC 70 00 03 5E 00 40 B5 00 6C 4E 52 0F D0 00 A4 21 F2 6F 20 E5",
        "55 5A 02 EC 70 00 03 5E 00 40 B5 00 6C 4E 52 0F D0 00 A3 C7 F2 6F 2A 94",
        "55 5A 02 EC 70 00 03 5E 00 40 B5 00 6C FE 53 D1 FE",
        "55 5A 02 EC 70 00 03 5E 00 40 B5 00 6C 4E 52 0F D0 00 A3 C7 F2 6F 2F 99",
    ]
    bench = Bench()
    assert bench.reading_of(LOADED).counted_dwms == 0
    reading = bench.reading_of(*frames)
    assert reading.counted_dwms == (0x6F2F - 0x6F14) * PULSE_DWMS
    assert close(reading.active_power_w, 128.1, 0.2)
    assert bench.driver.errors["checksum"] == 1


def test_byte_by_byte_and_as_an_esp8266_sees_it():
    for counts in (True, False):
        bench = Bench(None, counts)
        bench.driver.start(bench.now_ms)
        results = []
        for byte in b"\x00\x5a\x55" + raw(LOADED):
            bench.wire.waiting += bytes((byte,))
            results.append(bench.poll())
        assert results[:-1] == [None] * 26
        assert close(results[-1][0].voltage_v, 222.53, 0.01)
        assert sum(bench.driver.errors.values()) == 0  # it began in the middle: no fault


def test_silence_fails_after_a_second():
    bench = Bench()
    bench.driver.start(bench.now_ms)
    for _ in range(99):
        assert bench.poll() is None
        assert bench.driver.busy
    assert bench.poll() is None
    assert not bench.driver.busy
    assert bench.driver.errors["timeout"] == 1
    assert bench.driver.error == "timeout: no frame"
    assert bench.reading_of(LOADED) is not None


def test_noise_alone_is_called_noise():
    bench = Bench()
    bench.wire.waiting = b"\x55\xff\x5a" * 60
    assert bench.reading() is None
    assert bench.driver.errors["noise"] == 1 and bench.driver.errors["timeout"] == 0


def test_a_reading_holds_until_the_next_one():
    bench = Bench()
    first = bench.reading_of(LOADED)
    volts = first.voltage_v
    second = bench.reading_of(changed(LOADED, voltage=830))
    assert second is not first and first.voltage_v == volts != second.voltage_v


def test_a_reading_is_the_mean_since_the_last_one():
    bench = Bench()
    half = changed(LOADED, power=0xA421 * 2, voltage=0x35D)
    bench.feed(LOADED, half)
    assert close(bench.reading().active_power_w, 96, 0.1)
    assert close(bench.reading_of(half).active_power_w, 64, 0.1)


def test_factors_apply_to_every_value():
    profile = {"factors": {"voltage": 1.01, "current": 0.98, "power": 1.05}}
    bench = Bench(profile)
    reading = bench.reading_of(LOADED)
    assert close(reading.voltage_v, 224.76, 0.02)
    assert close(reading.current_a, 0.58554, 0.0002)
    assert close(reading.active_power_w, 134.4, 0.1)
    counted = bench.reading_of(changed(LOADED, count=0x6F15)).counted_dwms
    assert abs(counted - 56469) <= 1  # 5378000 x 1.05 / 100


def test_the_counter_wraps():
    bench = Bench()
    bench.reading_of(changed(LOADED, count=0xFFFE))
    assert bench.reading_of(changed(LOADED, count=3)).counted_dwms == 5 * PULSE_DWMS


def test_a_count_that_may_lack_its_carry_waits_for_the_next():
    bench = Bench()
    bench.reading_of(changed(LOADED, count=0x12FF))
    assert bench.reading_of(changed(LOADED, count=0x1200)).counted_dwms == 0
    assert bench.reading_of(changed(LOADED, count=0x1301)).counted_dwms == 2 * PULSE_DWMS


def test_one_impossible_count_is_dropped_with_its_frame():
    # Reported as jumps of 100 Wh: there and back again makes a whole turn of the counter.
    bench = Bench()
    bench.reading_of(changed(LOADED, count=1000))
    reading = bench.reading_of(
        changed(LOADED, count=1003), changed(LOADED, count=40000), changed(LOADED, count=1008))
    assert reading.counted_dwms == 8 * PULSE_DWMS
    assert bench.driver.errors["implausible"] == 1


def test_a_chip_that_has_started_over_adds_nothing():
    bench = Bench()
    bench.reading_of(changed(LOADED, count=50000))
    reading = bench.reading_of(changed(LOADED, count=1), changed(LOADED, count=4))
    assert reading.counted_dwms == 0
    assert bench.reading_of(changed(LOADED, count=6)).counted_dwms == 2 * PULSE_DWMS
    assert bench.driver.errors["implausible"] == 1


def test_a_long_silence_loses_no_energy():
    bench = Bench()
    bench.reading_of(changed(LOADED, count=100))
    bench.poll(20000)
    assert bench.reading_of(changed(LOADED, count=600)).counted_dwms == 500 * PULSE_DWMS


def test_the_line_is_4800_8e1_with_room_for_a_second():
    assert CSE7766.SERIAL == {
        "baudrate": 4800, "bits": 8, "parity": 0, "stop": 1, "rxbuf": 256}


def on_a_line(seconds, fault=None):
    """Readings per second of a load of 1000 W, polled each 10 ms over a line with its timing."""
    model = Cse7766(bytearray(16), {}, [[Load(1000)]])
    model.run(0, 2300, 500)
    model.fault = fault
    line = SerialLine([model])
    wire = Wire()
    driver = CSE7766(wire, {})
    readings = []
    for now_ms in range(0, 1000 * seconds, 10):
        model.run(10, 2300, 500)
        wire.waiting += line.receive(now_ms)
        if now_ms % 1000 == 500 and not driver.busy:
            driver.start(now_ms)
        result = driver.poll(now_ms)
        if result is not None:
            r = result[0]
            readings.append((r.voltage_v, r.active_power_w, r.counted_dwms))
    return readings, driver


def test_every_second_gives_a_reading_through_noise_and_poison():
    for fault in (None, "noise", "poison"):
        readings, driver = on_a_line(8, fault)
        assert len(readings) == 8, fault
        for volts, watts, dwms in readings[1:]:
            assert close(volts, 230, 0.6), fault
            assert close(watts, 1000, 4), fault
            # A frame is 1,050,000: two more or less, for a poisoned one and the step of the count.
            assert abs(dwms - 10000000) < 3500000, fault


def test_bad_sums_and_silence_give_no_reading():
    for fault in ("bad_checksum", "silent"):
        readings, driver = on_a_line(3, fault)
        assert readings == [], fault
        assert sum(driver.errors.values()) > 0


def test_a_day_of_a_varying_load_is_counted_in_full():
    # A frame each 10 s, as on a very bad line, or the test would take a minute. The counter
    # wraps some 400 times.
    load = Load(0, None, 0.9)
    model = Cse7766(bytearray(16), {}, [[load]])
    bench = Bench()
    total_dwms = drawn_dwms = 0
    for period in range(8640):
        watts = period * 2654435 % 3500 if period % 7 else 0
        load.set(watts)
        model.run(10000, 2300 - period % 100, 500)
        bench.wire.waiting += model.frame()
        bench.driver.start(bench.now_ms)
        reading = bench.poll(10000)
        total_dwms += reading[0].counted_dwms
        if period:
            drawn_dwms += watts * 100000
    assert drawn_dwms > 30000 * 36000000
    assert abs(total_dwms - drawn_dwms) < drawn_dwms // 1000
    assert sum(bench.driver.errors.values()) == 0
