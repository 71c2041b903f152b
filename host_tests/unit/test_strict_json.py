"""JSON is taken when it is whole, and only then."""

from firmware.strict_json import loads
from host_tests.unit.fakes import raised

CUT = (
    '{"action": "on"}',
    '{"action": "on", "relay": 1}',
    '{"action": "get", "keys": ["a", "b"]}',
    '{"keys": [{"a": [1, {"b": {}}]}, "x"], "a": {"b": {"c": "}]\\""}}}',
    '{"a": null, "b": true}',
    '["a", [1, 2], {}]',
    '"text"',
)


def refused(text):
    return raised(ValueError, loads, text) is not None


def test_values():
    for text, value in (
        ("{}", {}),
        (' {"a": 1}\r\n', {"a": 1}),
        ("[]", []),
        ("[1, 0]", [1, 0]),
        ('"a, b"', "a, b"),
        ('"],["', "],["),
        ("12", 12),
        ("-1.5", -1.5),
        ("null", None),
        ("false", False),
    ):
        assert loads(text) == value, text


def test_cut_anywhere_it_is_refused():
    for whole in CUT:
        loads(whole)
        for size in range(len(whole)):
            assert refused(whole[:size]), whole[:size]


def test_more_than_one_value_is_refused():
    for text in ("{},{}", "{} {}", "{}{}", '{} "x"', "{} 0", "1,2", "{} x", "{}]", "{}}",
                 "{}],[{}", "1],[2", "],["):
        assert refused(text), text


def test_what_is_no_json_is_refused():
    for text in ("", " ", "\n", "x", "on", "tru", "{x}", "{'a': 1}", '{"a": x}', '{"a": +1}', "\0",
                 '{[1]: 2}', "<xml/>", "---", "\ufeff{}", "=", "%s", "{" * 500, "[" * 500):
        assert refused(text), text
