"""The node's configuration: from a file, from the board, or asked for on a terminal."""

import getpass
import json
from pathlib import Path

from firmware.config import schema

from .errors import FlashError

_QUESTIONS = (
    ("wifi_ssid", "Wi-Fi name", ""),
    ("wifi_password", "Wi-Fi password (not shown)", ""),
    ("broker_host", "MQTT broker, name or address", ""),
    ("broker_tls", "with TLS (y/n)", "n"),
    ("broker_port", "its port", None),
    ("broker_user", "user there, empty for none", ""),
    ("broker_password", "password there (not shown)", ""),
    ("home_id", "home", "home"),
    ("node_id", "node, empty for one made of the chip's id", ""),
)
_NEEDED = ("wifi_ssid", "broker_host")


def read(path):
    """The settings in a file, checked."""
    try:
        values = json.loads(Path(path).read_text())
    except OSError as error:
        raise FlashError("%s: %s" % (path, error.strerror)) from error
    except ValueError as error:
        raise FlashError("%s is not JSON: %s" % (path, error)) from error
    wrong = schema.check(values) or ["%s: there is no such setting" % name
                                     for name in schema.unknown(values)]
    if wrong:
        raise FlashError("\n".join("%s: %s" % (path, text) for text in wrong))
    return values


def of_board(text):
    """The settings in the text of the board's config.json; None if they are not good."""
    try:
        values = json.loads(text)
    except (ValueError, TypeError):
        return None
    return None if schema.check(values) else values


def ask(boards, say=print, read_line=input, read_secret=getpass.getpass):
    """Settings from the answers of a person. boards: names to choose from, likely ones first."""
    values = {}
    for name, text, default in _QUESTIONS:
        if name == "broker_password" and not values["broker_user"]:
            continue
        if name == "broker_port":
            default = "8883" if values["broker_tls"] else "1883"
        values[name] = _answer(name, text, default, say,
                               read_secret if "password" in name else read_line)
    text = "board, one of %s" % ", ".join(boards)
    while values.get("board") not in boards:
        values["board"] = read_line("%s [%s]: " % (text, boards[0])).strip() or boards[0]
    return values


def _answer(name, text, default, say, read_line):
    shown = " [%s]" % default if default else ""
    while True:
        answer = read_line("%s%s: " % (text, shown))
        if "password" not in name:
            answer = answer.strip()
        value = answer or default
        if name == "broker_tls":
            value = {"y": True, "yes": True, "n": False, "no": False}.get(value.lower(), value)
        elif name == "broker_port" and value.isdigit():
            value = int(value)
        wrong = schema.check({name: value})
        if name == "broker_tls" and wrong:
            wrong = ["y or n"]
        if name in _NEEDED and not value:
            wrong = ["it cannot do without"]
        if not wrong:
            return value
        say("  " + wrong[0])


def as_file(values):
    """The bytes of config.json."""
    return json.dumps(values, separators=(",", ":")).encode()
