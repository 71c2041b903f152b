"""Every setting: its default, its limits, and what others may see of it."""

from firmware.config import schema

# name: (values that are taken, values that are not)
VALUES = {
    "base_topic": (("homesync", "x", "a/b/c", "x" * 32, "\u20ac" * 10),
                   ("", "x" * 33, "\u20ac" * 11, "/a", "a/", "/", "a/#", "a/+/b", "#", "a\0b", 1,
                    None)),
    "home_id": (("home", "A-z_09", "x" * 32),
                ("", "x" * 33, "a b", "a/b", "a+", "#", "caf\u00e9", "a\n", 1, None, ["a"])),
    "node_id": (("", "node-001", "x" * 32), ("x" * 33, "a b", "a/b", "\u0661", 1, None, {})),
    "board": (("esp32-pzem", "x" * 32), ("", "x" * 33, "../secret", "a.json", 1)),
    "broker_host": (("", "broker.example", "192.0.2.1", "x" * 128),
                    ("x" * 129, 1, None, ["a"], "a\0b", "a\nb")),
    "broker_port": ((1, 1883, 65535), (0, 65536, -1, "1883", 1883.0, True, None, 1 << 40)),
    "broker_user": (("", "x" * 64, "J\u00fcrgen"), ("x" * 65, 1, None, "\x1b[2J")),
    "broker_password": (("", "x" * 128, '"\\{}'), ("x" * 129, 12345678, None)),
    "broker_tls": ((True, False), (0, 1, "true", None)),
    "portal_lan": ((True, False), (0, 1, "true", None)),
    "tls_ca": (("", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
               ("MIIB", "x" * 4097, None, 1, ["-----BEGIN CERTIFICATE-----"])),
    "websocket": (("fallback", "always", "never"), ("", "Always", True, None, 1)),
    "websocket_port": ((1, 8884, 65535), (0, 65536, "8884", None)),
    "websocket_path": (("/mqtt", "/", "x" * 64), ("", "x" * 65, "/a\nb", None, 1)),
    "keepalive_s": ((5, 60, 3600), (4, 0, 3601, "60", 60.5, False)),
    "backoff_min_ms": ((50, 1000, 60000), (49, 60001, -1, "1", 1.5)),
    "stable_s": ((0, 30, 3600), (-1, 3601, "0", None)),
    "wifi_ssid": (("", "x" * 32, "K\u00fcche 5 GHz", "\U0001f600"),
                  ("x" * 33, "\u20ac" * 11, 1, None, "\ud83d", "\x7f\x00")),
    "wifi_password": (("", "x" * 64), ("x" * 65, 12345678, None)),
    "wifi_ssid_2": (("", "x" * 32), ("x" * 33, 1, None, "\0")),
    "wifi_password_2": (("", "x" * 64), ("x" * 65, 12345678, None)),
    "wifi_ssid_3": (("", "x" * 32), ("x" * 33, 1, None, "\0")),
    "wifi_password_3": (("", "x" * 64), ("x" * 65, 12345678, None)),
    "hostname": (("", "n", "node-001", "x" * 32),
                 ("x" * 33, "a_b", "a.b", "-a", "a-", "a b", "\u00e4", 1, None)),
    "address": (("", "192.168.1.20/24", "10.0.0.2/8", "1.2.3.4/1", "192.0.2.5/30"),
                ("192.168.1.20", "192.168.1.20/0", "192.168.1.20/31", "192.168.1/24", "/24",
                 "192.168.1.256/24", "192.168.1.-1/24", "192.168.1.20/24/24", "a.b.c.d/24",
                 "192.168.1.0020/24", "192.168.1.20/x", "1.2.3.4.5/8", None, 1, [])),
    "gateway": (("", "192.168.1.1"), ("192.168.1", "192.168.1.1/24", "router", "1.2.3.999", None)),
    "dns": (("", "9.9.9.9"), ("9.9.9", "dns.example", "9.9.9.9:53", " 9.9.9.9", 9, None)),
    "ntp_servers": (([], ["pool.ntp.org"], ["192.0.2.1:123", "b:65535"], ["a", "b", "c", "d"],
                     ["x" * 64]),
                    (["a"] * 5, "pool.ntp.org", [""], [1], [None], ["a:b:c"], [":123"], ["a:"],
                     ["a:x"], ["a:-1"], ["a:0"], ["a:65536"], ["a:99999999999"], ["x" * 65],
                     ["\u20ac" * 22], ["a\0"], None, {})),
    "relay_boot_states": (([], ["on"], ["off", "on", "last"], ["off"] * 8),
                          (["off"] * 9, ["maybe"], ["ON"], [""], [True], "on", None, {"0": "on"})),
    "auto_off_s": (([], [0], [86400, 0, 60]), ([-1], [86401], ["60"], 60, [0] * 9, [True])),
    "interlock": (([], [[0, 1]], [[0, 1], [2, 3]], [[7, 0, 3]]),
                  ([[0]], [0, 1], [[0, 0]], [[0, 8]], [[0, -1]], [[0, "1"]], {}, [[0, 1]] * 5)),
    "interlock_ms": ((0, 500, 10000), (-1, 10001, 0.5, None)),
    "protection": (([], [{"relay": 0, "max_power": [3500, 2000]}], [{"relay": 7}]),
                   ({}, None, [{"relay": 0}] * 9)),
    "input_modes": (([], ["follow", "", "edge", "momentary"]), (["toggle"], "edge", [None])),
    "utc_offset": (("+00:00", "Z", "-03:30", "+14:00"),
                   ("", "1", "+1", "+01", "+14:01", "+24:00", "01:00", "+01:60", 60, None, [])),
    "calibration": (({}, {"voltage": 1.02}, {"power_a": 0.5, "current_c": 2}),
                    ({"energy": 1}, {"power_d": 1}, {"power": 0.49}, {"power": "1"}, [], None,
                     {"power": 2.01}, {"power": True})),
    "sample_ms": ((200, 1000, 60000), (199, 60001, 1000.0, "1000", True)),
    "power_deadband_w": ((0, 5, 0.5, 10000), (-1, 10001, "5", None, True, [])),
    "power_deadband_percent": ((0, 5, 100), (-0.1, 100.1, "5", False)),
    "power_deadband_max_w": ((0, 40, 10000), (-1, 10001, "40")),
    "voltage_deadband_v": ((0, 3, 100), (-1, 101, "3")),
    "current_deadband_a": ((0, 0.2, 100), (-1, 101, "0.2")),
    "energy_deadband_wh": ((0, 20, 100000), (-1, 100001, "20")),
    "power_factor_deadband": ((0, 0.1, 1), (-0.1, 1.1, "0.1")),
    "frequency_deadband_hz": ((0, 0.2, 10), (-0.1, 10.1, "0.2")),
    "temperature_deadband_c": ((0, 2, 100), (-1, 101, "2")),
    "power_heartbeat_s": ((1, 60, 86400), (0, 86401, 60.0, "60")),
    "heartbeat_s": ((1, 300, 86400), (0, 86401, 300.0, "300")),
    "extra_metrics": (([], ["apparent_power", "energy_export", "energy_today",
                            "energy_yesterday"]),
                      (["reactive_power"], [1], "apparent_power", None, ["apparent_power"] * 9)),
}


def test_every_key_is_tested_here():
    assert sorted(VALUES) == sorted(schema.NAMES)
    assert len(schema.NAMES) == len(set(schema.NAMES))


def test_the_defaults_are_complete_and_legal():
    values = schema.defaults()
    assert sorted(values) == sorted(schema.NAMES)
    assert schema.check(values) == []


def test_values_that_are_taken():
    for name in VALUES:
        for value in VALUES[name][0]:
            assert schema.check({name: value}) == [], (name, value)


def test_values_that_are_not_with_the_key_named():
    for name in VALUES:
        for value in VALUES[name][1]:
            wrong = schema.check({name: value})
            assert len(wrong) == 1, (name, value)
            assert wrong[0].startswith(name + ": m"), wrong  # must ..., may only ...


def test_no_number_is_not_a_number():
    for name in ("power_deadband_w", "voltage_deadband_v"):
        for value in (float("nan"), float("inf"), -float("inf")):
            assert schema.check({name: value}), value


def test_every_wrong_key_is_told():
    wrong = schema.check({"broker_port": 0, "home_id": "a b", "sample_ms": 1000, "stable_s": ""})
    assert sorted(text.split(":")[0] for text in wrong) == ["broker_port", "home_id", "stable_s"]


def test_nothing_at_all_is_legal():
    assert schema.check({}) == []


def test_a_configuration_is_an_object():
    for values in (None, [], ["home_id"], "x", 1, True):
        assert len(schema.check(values)) == 1, values


def test_unknown_keys_are_listed_but_not_wrong():
    values = {"home_id": "h", "colour": "red"}
    assert schema.check(values) == []
    assert schema.unknown(values) == ["colour"]
    assert schema.unknown(schema.defaults()) == []


def test_settings_of_two_nodes_are_separate():
    schema.defaults()["home_id"] = "changed"
    assert schema.defaults()["home_id"] == "home"
