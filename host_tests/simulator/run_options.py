# The options of scripts/run, checked, and the node's configuration made of them.
# A wrong one ends the program with one line and exit code 2.
import argparse
import contextlib
import json
import re
from pathlib import Path

from firmware.config import schema

from . import wiring
from .virtual_board import REPO, load_profile

BOARD = "esp32-pzem"
PHASES_BASE_W = [300.0, 200.0, 100.0]
KEY_FILE_BYTES = 768  # firmware/ota/signature.py
# What belongs to one run, never taken over from the config.json of an earlier one.
OF_THIS_RUN = ("broker_", "wifi_", "ntp_servers")


def parse_options():
    parser = argparse.ArgumentParser(
        prog="scripts/run",
        description="Run a node on a virtual board against a real broker, and show every message.",
    )
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    add = parser.add_argument
    add("--for", dest="seconds", metavar="SECONDS", type=positive, help="stop after this time")
    add("--broker", metavar="HOST:PORT", type=host_and_port, help="use this broker")
    add("--user", help="user name at the broker")
    add("--password", help="password at the broker")
    add("--board", metavar="NAME", type=board, help=f"a profile of firmware/boards ({BOARD})")
    add("--home", metavar="ID", type=identifier, help="home_id (default: home)")
    add("--node", metavar="ID", type=identifier, help="node_id (default: demo)")
    add(
        "--load",
        metavar="W[,W…]",
        type=watts,
        default=[1000.0],
        help="watts behind relay 0, 1 … (default: 1000)",
    )
    add(
        "--base-load",
        metavar="W[,W…]",
        type=watts,
        help="watts that are always on, on each phase (default: 300,200,100 with three, else 0)",
    )
    add("--flash", metavar="DIR", type=Path, help="keep the node's file system in this folder")
    add(
        "--keys",
        metavar="FILE",
        type=key_file,
        help="keys.bin of scripts/bundle keygen: the node takes updates signed with these keys",
    )
    add(
        "--config",
        metavar="FILE",
        type=json_object,
        help="JSON object of node settings, merged over the defaults",
    )
    add("--bits", type=int, choices=(32, 64), default=64, help="which MicroPython (default: 64)")
    add("--heap", metavar="SIZE", type=heap_size, help="its heap, such as 256k")
    add(
        "--speed",
        metavar="X",
        type=positive,
        default=1.0,
        help="house seconds per second: loads and meter, not the network",
    )
    options = parser.parse_args()
    if options.password is not None and options.user is None:
        parser.error("--password needs --user")
    if options.flash and options.flash.exists() and not options.flash.is_dir():
        parser.error(f"--flash: {options.flash} is not a folder")
    options.settings = node_settings(options)
    check_settings(parser, options)
    return options


def node_settings(options):
    """The node's config.json: defaults, what --flash kept, --config, options; the last wins."""
    settings = {
        "home_id": "home",
        "node_id": "demo",
        "board": BOARD,
        "wifi_ssid": "simulated",
        "wifi_password": "simulated",
    }
    if options.flash:
        with contextlib.suppress(OSError, argparse.ArgumentTypeError):
            kept = json_object(options.flash / "config.json")
            settings.update((k, v) for k, v in kept.items() if not k.startswith(OF_THIS_RUN))
    settings.update(options.config or {})
    given = {
        "board": options.board,
        "home_id": options.home,
        "node_id": options.node,
        "broker_user": options.user,
        "broker_password": options.password,
    }
    settings.update((key, value) for key, value in given.items() if value is not None)
    if options.broker:
        settings["broker_host"], settings["broker_port"] = options.broker
    elif settings.get("broker_host"):
        settings.setdefault("broker_port", 1883)
    return settings


def check_settings(parser, options):
    problems = schema.check(options.settings)
    if problems:
        parser.error("configuration: " + "; ".join(problems))
    try:
        profile = load_profile(board(options.settings["board"]))
    except argparse.ArgumentTypeError as error:
        parser.error(f"configuration: board: {error}")
    relays, phases = len(profile["relays"]), wiring.channel_count(profile)
    if options.base_load is None:
        options.base_load = PHASES_BASE_W if phases > 1 else [0.0]
    for name, values, places, of_what in (
        ("load", options.load, relays, "relay(s)"),
        ("base-load", options.base_load, phases, "phase(s)"),
    ):
        if len(values) > places:
            parser.error(f"--{name}: the board {profile['name']} has {places} {of_what}")


def board(name):
    names = sorted(path.stem for path in (REPO / "firmware" / "boards").glob("*.json"))
    if name not in names:
        raise argparse.ArgumentTypeError(f"there is no {name!r}, only {', '.join(names)}")
    return name


def positive(text):
    value = number(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def number(text):
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def watts(text):
    values = [number(part) for part in text.split(",")]
    if not all(0 <= value <= 25000 for value in values):
        raise argparse.ArgumentTypeError(f"{text}: each load must be 0 to 25000 W")
    return values


def identifier(text):
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 32 letters, digits, _ or -")
    return text


def host_and_port(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def heap_size(text):
    if not re.fullmatch(r"\d+w?[kKmM]?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 256k")
    return text


def key_file(path):
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    if len(data) != KEY_FILE_BYTES:
        raise argparse.ArgumentTypeError(f"{path} is no keys.bin of scripts/bundle keygen")
    return data


def json_object(path):
    try:
        content = json.loads(Path(path).read_text())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise argparse.ArgumentTypeError(f"{path} is not a JSON object")
    return content
