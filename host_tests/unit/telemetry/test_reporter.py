"""What is worth sending: deadbands, heartbeats, quality, and the payload byte by byte."""

from time import ticks_add

from firmware.config import schema
from firmware.meter.reading import Reading
from firmware.mqtt.outbox import Outbox
from firmware.telemetry import metrics
from firmware.telemetry.reporter import Reporter, Temperature
from host_tests.unit.fakes import BEFORE_WRAP, Clock

STAMP = '"timestamp": "2026-01-01T00:00:00Z"'


def reading_of(**values):
    """A Reading of these metrics."""
    reading = Reading()
    reading.active_power_w = values.get("power")
    reading.voltage_v = values.get("voltage")
    reading.current_a = values.get("current")
    reading.energy_wh = values.get("energy")
    reading.power_factor = values.get("power_factor")
    reading.frequency_hz = values.get("frequency")
    reading.export_wh = values.get("energy_export")
    reading.today_wh = values.get("energy_today")
    reading.yesterday_wh = values.get("energy_yesterday")
    return reading


class Bench:
    """A reporter with default settings; `sample` lets a second pass and gives it a reading."""

    def __init__(self, suffix="", **settings):
        self.outbox = Outbox()
        self.clock = Clock()
        values = schema.defaults()
        values.update(settings)
        self.reporter = Reporter(self.outbox, self.clock, metrics.of_channel(values, suffix))
        self.warmth = Temperature(self.outbox, self.clock, [metrics.of_temperature(values)])
        self.now_ms = BEFORE_WRAP
        self.start_s = self.clock.unix_s - 1  # the first sample comes after a second
        self.waited_ms = 0
        self.good = self.polls = 0

    def wait(self, seconds):
        self.now_ms = ticks_add(self.now_ms, round(1000 * seconds))
        self.waited_ms += round(1000 * seconds)
        if self.clock.unix_s is not None:
            self.clock.unix_s = self.start_s + self.waited_ms // 1000

    def miss(self, polls=1):
        self.polls += polls

    def sample(self, after_s=1, **values):
        """Names of the metrics that are reported."""
        self.wait(after_s)
        self.polls += 1
        self.good += 1
        self.reporter.reading(reading_of(**values), self.now_ms, self.good, self.polls)
        return self.sent()

    def temperature(self, value_c, after_s=1):
        self.wait(after_s)
        self.warmth.value(value_c, self.now_ms)
        return self.sent()

    def messages(self):
        found = []
        while self.outbox.next():
            message = self.outbox.next()
            assert (message.qos, message.retain) == (0, False)
            found.append((message.topic, message.payload))
            self.outbox.sent(message)
        return found

    def sent(self):
        self.last = self.messages()
        prefix = b"telemetry/"
        assert all(topic.startswith(prefix) for topic, _ in self.last)
        return [str(topic[len(prefix):], "ascii") for topic, _ in self.last]


# Payloads


def test_every_metric_byte_by_byte():
    bench = Bench(extra_metrics=["apparent_power"])
    bench.sample(power=1250.46, voltage=230.14, current=5.4321, energy=123456, power_factor=0.987,
                 frequency=49.98)
    metrics = bench.last
    bench.temperature(41.27, after_s=0)
    assert metrics + bench.last == [
        (("telemetry/" + topic).encode(), ('{"value": %s, "unit": "%s", "quality": 100, %s}' % (
            value, unit, STAMP)).encode())
        for topic, value, unit in (
            ("power", "1250.5", "W"), ("voltage", "230.1", "V"), ("current", "5.432", "A"),
            ("energy", "123456", "Wh"), ("power_factor", "0.99", ""), ("frequency", "50.0", "Hz"),
            ("apparent_power", "1250.1", "VA"), ("temperature", "41.3", "\u00b0C"),
        )
    ]


def test_never_two_values_of_a_metric_for_one_second():
    # Samples come every 1,000 ms, give or take a tick: two may fall into one second of UTC.
    bench = Bench()
    assert bench.sample(power=100.0, voltage=230.0) == ["power", "voltage"]
    assert bench.sample(after_s=0.99, power=200.0) == []
    assert bench.sample(after_s=0.99, power=300.0) == ["power"]
    assert b'"value": 300.0, ' in bench.last[0][1]


def test_without_a_time_of_day_every_sample_may_be_told():
    bench = Bench()
    bench.clock.unix_s = None
    assert bench.sample(power=100.0) == ["power"]
    assert bench.sample(after_s=0.2, power=200.0) == ["power"]


def test_without_a_time_of_day_there_is_no_timestamp():
    bench = Bench()
    bench.clock.unix_s = None
    bench.sample(power=3.0)
    assert bench.last == [(b"telemetry/power", b'{"value": 3.0, "unit": "W", "quality": 100}')]


def test_energy_is_exact_however_much_it_is():
    # As a float of 32 bits 16,777,217 Wh would be 16,777,216, of 64 bits the second one too.
    for energy_wh in (0, 16777217, 9007199254740993):
        bench = Bench()
        bench.sample(energy=energy_wh)
        assert b'"value": %d, ' % energy_wh in bench.last[0][1]


def test_apparent_power_is_sent_only_if_it_was_chosen():
    values = {"power": 100.0, "voltage": 230.0, "current": 0.5}
    assert "apparent_power" not in Bench().sample(**values)
    assert "apparent_power" in Bench(extra_metrics=["apparent_power"]).sample(**values)


def test_apparent_power_needs_voltage_and_current():
    bench = Bench(extra_metrics=["apparent_power"])
    assert bench.sample(voltage=230.0) == ["voltage"]
    assert bench.sample(current=1.0) == ["current"]


def test_the_other_energies_are_sent_only_if_they_were_chosen():
    names = ["energy_export", "energy_today", "energy_yesterday"]
    values = {"energy_export": 7, "energy_today": 1500, "energy_yesterday": 2200}
    assert Bench().sample(**values) == []
    bench = Bench(extra_metrics=names)
    assert bench.sample(**values) == names
    today = '{"value": 1500, "unit": "Wh", "quality": 100, %s}' % STAMP
    assert bench.last[1][1] == today.encode()


def test_a_channel_has_its_letter_and_no_frequency():
    bench = Bench("_b", extra_metrics=["apparent_power", "energy_today"])
    assert bench.sample(power=100.0, voltage=230.0, current=0.5, energy=7, power_factor=0.9,
                        frequency=50.0, energy_today=3) == [
        "power_b", "voltage_b", "current_b", "energy_b", "power_factor_b", "apparent_power_b",
        "energy_today_b"]


def test_what_is_not_known_is_not_invented():
    assert Bench().sample() == []
    assert Bench().sample(voltage=230.0, frequency=50.0) == ["voltage", "frequency"]


def test_zero_is_a_value():
    assert Bench().sample(power=0.0, current=0.0, energy=0) == ["power", "current", "energy"]


# Deadbands


def test_the_first_value_is_sent_and_the_same_one_not_again():
    bench = Bench()
    values = {"power": 100.0, "voltage": 230.0, "current": 0.5, "energy": 10, "power_factor": 0.9,
              "frequency": 50.0}
    assert len(bench.sample(**values)) == 6
    assert bench.sample(**values) == []
    assert bench.temperature(40) == ["temperature"]
    assert bench.temperature(40) == []


def test_the_power_deadband_is_the_larger_of_5_w_and_the_smaller_of_5_percent_and_40_w():
    for sent_w, deadband_w in ((0, 5), (50, 5), (100, 5), (120, 6), (200, 10), (400, 20),
                               (800, 40), (1000, 40), (3000, 40), (20000, 40)):
        for sign in (1, -1):
            bench = Bench()
            bench.sample(power=float(sent_w))
            assert bench.sample(power=sent_w + sign * (deadband_w - 0.25)) == [], sent_w
            assert bench.sample(power=sent_w + sign * (deadband_w + 0.25)) == ["power"], sent_w


def test_power_fed_back_has_the_same_deadband():
    bench = Bench()
    bench.sample(power=-1000.0)
    assert bench.sample(power=-1039.0) == []
    assert bench.sample(power=-1041.0) == ["power"]


def test_a_load_step_of_50_w_shows_at_once_on_any_load():
    for load_w in (0, 10, 500, 2000, 10000):
        bench = Bench()
        bench.sample(power=float(load_w))
        assert bench.sample(power=load_w + 50.0) == ["power"], load_w


def test_the_parts_of_the_power_deadband_are_settings():
    bench = Bench(power_deadband_w=1, power_deadband_percent=10, power_deadband_max_w=20)
    bench.sample(power=100.0)
    assert bench.sample(power=109.0) == []
    assert bench.sample(power=111.0) == ["power"]
    bench.sample(power=1000.0)
    assert bench.sample(power=1019.0) == []
    assert bench.sample(power=1021.0) == ["power"]


def test_the_other_deadbands():
    for name, value, deadband in (
        ("voltage", 230.0, 3), ("current", 4.0, 0.2), ("energy", 1000, 20),
        ("power_factor", 0.5, 0.1), ("frequency", 50.0, 0.2),
    ):
        for sign in (1, -1):
            bench = Bench()
            bench.sample(**{name: value})
            inside, outside = value + sign * deadband * 0.95, value + sign * deadband * 1.05
            assert bench.sample(**{name: inside}) == [], name
            assert bench.sample(**{name: outside}) == [name]


def test_the_deadband_of_temperature():
    bench = Bench()
    bench.temperature(40.0)
    assert bench.temperature(41.9) == []
    assert bench.temperature(38.1) == []
    assert bench.temperature(42.1) == ["temperature"]


def test_a_deadband_is_a_setting():
    bench = Bench(voltage_deadband_v=0.5)
    bench.sample(voltage=230.0)
    assert bench.sample(voltage=230.6) == ["voltage"]


def test_a_slow_drift_is_measured_from_what_was_sent():
    bench = Bench()
    bench.sample(voltage=230.0)
    reports = sum(len(bench.sample(voltage=230.0 + 0.1 * i)) for i in range(1, 100))
    assert reports == 3


def test_each_metric_has_a_deadband_of_its_own():
    bench = Bench()
    bench.sample(power=100.0, voltage=230.0)
    assert bench.sample(power=200.0, voltage=230.5) == ["power"]


# Heartbeats


def test_power_is_sent_every_minute_and_the_others_every_five_also_when_ticks_start_over():
    bench = Bench()
    values = {"power": 100.0, "voltage": 230.0, "current": 0.5, "energy": 10, "power_factor": 0.9,
              "frequency": 50.0}
    bench.sample(**values)
    at_s = {}
    for second in range(1, 601):
        for name in bench.sample(**values):
            at_s.setdefault(name, []).append(second)
    assert at_s.pop("power") == list(range(60, 601, 60))
    assert len(at_s) == 5
    assert all(times == [300, 600] for times in at_s.values())


def test_temperature_has_the_long_heartbeat():
    bench = Bench()
    bench.temperature(40.0)
    assert bench.temperature(40.0, after_s=299) == []
    assert bench.temperature(40.0) == ["temperature"]


def test_a_report_of_a_change_starts_the_heartbeat_anew():
    bench = Bench()
    bench.sample(power=100.0)
    bench.sample(power=200.0, after_s=40)
    assert bench.sample(power=200.0, after_s=59) == []
    assert bench.sample(power=200.0) == ["power"]


def test_heartbeats_are_settings():
    bench = Bench(power_heartbeat_s=10, heartbeat_s=20)
    bench.sample(power=100.0, voltage=230.0)
    assert bench.sample(power=100.0, voltage=230.0, after_s=10) == ["power"]
    assert bench.sample(power=100.0, voltage=230.0, after_s=10) == ["power", "voltage"]


# Forced


def test_forced_everything_is_sent_once_more_with_its_next_value():
    bench = Bench(extra_metrics=["apparent_power"])
    values = {"power": 100.0, "voltage": 230.0, "current": 0.5, "energy": 10, "power_factor": 0.9,
              "frequency": 50.0}
    bench.sample(**values)
    bench.temperature(40.0)
    bench.reporter.force()
    bench.warmth.force()
    assert bench.sent() == []
    assert len(bench.sample(**values)) == 7
    assert bench.temperature(40.0) == ["temperature"]
    assert bench.sample(**values) == []
    assert bench.temperature(40.0) == []


# Quality


def quality(bench):
    text = str(bench.last[0][1], "utf-8")
    return int(text.split('"quality": ')[1].split(",")[0])


def test_quality_is_the_share_of_good_reads_since_the_last_report():
    bench = Bench()
    bench.sample(power=0.0)
    assert quality(bench) == 100
    bench.miss(1)
    bench.sample(power=100.0)
    assert quality(bench) == 50
    bench.miss(2)
    bench.sample(power=200.0)
    assert quality(bench) == 33
    bench.sample(power=300.0)
    assert quality(bench) == 100


def test_quality_counts_the_reads_that_were_not_worth_a_report():
    bench = Bench()
    bench.sample(power=100.0)
    for _ in range(57):
        bench.sample(power=100.0)
    bench.miss(2)
    assert bench.sample(power=100.0, after_s=3) == ["power"]
    assert quality(bench) == 96  # 58 of 60


def test_quality_is_that_of_the_metrics_own_interval():
    bench = Bench()
    bench.sample(power=100.0, voltage=230.0)
    bench.miss(1)
    bench.sample(power=200.0, voltage=230.0)
    assert quality(bench) == 50
    bench.sample(power=200.0, voltage=240.0)
    assert [topic for topic, _ in bench.last] == [b"telemetry/voltage"]
    assert quality(bench) == 66


def test_quality_at_the_start_tells_of_the_reads_before_the_first_good_one():
    bench = Bench()
    bench.miss(3)
    bench.sample(power=100.0)
    assert quality(bench) == 25


# The outbox


def test_what_was_not_yet_sent_is_replaced_by_the_newest_value():
    bench = Bench()
    for i in range(10):
        bench.wait(1)
        bench.reporter.reading(reading_of(power=100.0 * i), bench.now_ms, i + 1, i + 1)
    stamp = STAMP.replace("00:00Z", "00:09Z")
    payload = '{"value": 900.0, "unit": "W", "quality": 100, %s}' % stamp
    assert bench.messages() == [(b"telemetry/power", payload.encode())]
