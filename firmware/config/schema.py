# Every setting of a node: its type, range and default.
from ..log import plain
from ..timestamp import parse_offset
from . import limits

# (name, type, default, lowest, highest). For texts the bounds are lengths in bytes, for lists the
# number of items. A type is a function below that returns what is wrong, or None. Those that are
# secret are listed in actions.py, for which this is too large.


def _text(value, low, high):
    if isinstance(value, str) and plain(value) != value:
        return "must not have control characters or surrogates"
    if not isinstance(value, str) or not low <= len(value.encode()) <= high:
        return "must be a text of %d to %d bytes" % (low, high)


def _ident(value, low, high):
    if not isinstance(value, str) or not low <= len(value) <= high:
        return "must be a text of %d to %d characters" % (low, high)
    for c in value:
        if not ("a" <= c <= "z" or "A" <= c <= "Z" or "0" <= c <= "9" or c in "_-"):
            return "may only have letters, digits, _ and -"


def _topic(value, low, high):
    wrong = _text(value, low, high)
    if wrong:
        return wrong
    if "#" in value or "+" in value or value[0] == "/" or value[-1] == "/":
        return "must be a topic without + # and without / at its ends"


def _integer(value, low, high):
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        return "must be an integer from %d to %d" % (low, high)


def _number(value, low, high):
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
        return "must be a number from %s to %s" % (low, high)


def _boolean(value, low, high):
    if not isinstance(value, bool):
        return "must be true or false"


def _list_of(items, wrong):
    # A type: a list of `items`, of which none is wrong(item).
    def check(value, low, high):
        if not isinstance(value, list) or not low <= len(value) <= high:
            return "must be a list of %d to %d: %s" % (low, high, items)
        for item in value:
            if wrong(item):
                return "must be a list of " + items
    return check


def _wrong_server(item):
    if _text(item, 1, 64):
        return True
    host = item.split(":")
    return len(host) > 2 or not host[0] or len(host) == 2 and not (
        host[1].isdigit() and 0 < int(host[1]) < 65536)


def _wrong_group(item):
    return not isinstance(item, list) or len(item) < 2 or len(set(map(str, item))) < len(item) \
        or any(_integer(index, 0, 7) for index in item)


def _pem(value, low, high):
    # Its lines end in control characters, so it is no text like the others.
    if not isinstance(value, str) or len(value) > high or (
            value and "-----BEGIN CERTIFICATE-----" not in value):
        return "must be CA certificates in PEM, %d characters at the most" % high


def _offset(value, low, high):
    try:
        if abs(parse_offset(value)) <= 14 * 3600:
            return None
    except (TypeError, ValueError):
        pass
    return "must be the offset of local time, as +01:00, 14 hours at the most"


def _wrong_octets(parts):
    return len(parts) != 4 or any(
        not part.isdigit() or len(part) > 3 or int(part) > 255 for part in parts)


def _ipv4(value, low, high):
    if not isinstance(value, str) or value and _wrong_octets(value.split(".")):
        return "must be an IPv4 address, as 192.168.1.1, or empty"


def _ipv4_and_bits(value, low, high):
    parts = value.split("/") if isinstance(value, str) else ()
    if value != "" and (len(parts) != 2 or _wrong_octets(parts[0].split("."))
                        or not parts[1].isdigit() or not low <= int(parts[1]) <= high):
        return "must be an IPv4 address with the bits of its network, as 192.168.1.20/24, or empty"


def _hostname(value, low, high):
    if value != "" and (_ident(value, low, high) or "_" in value or "-" in (value[0], value[-1])):
        return "may only have letters, digits and - between them, %d at the most" % high


def _websocket(value, low, high):
    if value not in ("fallback", "always", "never"):
        return "must be fallback, always or never"


def _factors(value, low, high):
    if not isinstance(value, dict) or any(
            name not in _CALIBRATED or _number(value[name], low, high) for name in value):
        return "must be an object of voltage, current or power, with _a _b _c where there are " \
            "phases, and factors from %s to %s" % (low, high)


_METRICS = ("voltage", "current", "power")
_CALIBRATED = _METRICS + tuple([m + "_" + phase for m in _METRICS for phase in "abc"])
_EXTRA = ("apparent_power", "energy_export", "energy_today", "energy_yesterday")
_servers = _list_of("host or host:port", _wrong_server)
_boot_states = _list_of("off, on or last, one for each relay",
                        lambda item: item not in ("off", "on", "last"))
_groups = _list_of("groups of relays, as [[0, 1]]", _wrong_group)
_seconds = _list_of("seconds from 0 to 86400, one for each relay",
                    lambda item: _integer(item, 0, 86400))
_modes = _list_of("momentary, follow or edge, empty for the board's own, one for each input",
                  lambda item: item not in ("momentary", "follow", "edge", ""))
_extra_metrics = _list_of(", ".join(_EXTRA), lambda item: item not in _EXTRA)

# What the node is reached by, and what could cut it off: a change is tried first (trial.py), and
# `reset` leaves it alone.
_REACH = (
    # who it is
    ("base_topic", _topic, "homesync", 1, 32),
    ("home_id", _ident, "home", 1, 32),
    ("node_id", _ident, "", 0, 32),  # empty: node- and the chip's id
    ("board", _ident, "esp32-pzem", 1, 32),
    # the broker
    ("broker_host", _text, "", 0, 128),
    ("broker_port", _integer, 1883, 1, 65535),
    ("broker_user", _text, "", 0, 64),
    ("broker_password", _text, "", 0, 128),
    ("broker_tls", _boolean, False, 0, 0),
    ("tls_ca", _pem, "", 0, 4096),
    ("websocket", _websocket, "never", 0, 0),
    ("websocket_port", _integer, 8884, 1, 65535),
    ("websocket_path", _text, "/mqtt", 1, 64),
    ("keepalive_s", _integer, 60, 5, 3600),
    ("backoff_min_ms", _integer, 1000, 50, 60000),
    ("stable_s", _integer, 30, 0, 3600),
    # the network
    ("wifi_ssid", _text, "", 0, 32),
    ("wifi_password", _text, "", 0, 64),
    ("wifi_ssid_2", _text, "", 0, 32),  # tried in turn
    ("wifi_password_2", _text, "", 0, 64),
    ("wifi_ssid_3", _text, "", 0, 32),
    ("wifi_password_3", _text, "", 0, 64),
    ("hostname", _hostname, "", 1, 32),  # empty: node_id
    ("address", _ipv4_and_bits, "", 1, 30),  # the same in all networks; empty: by DHCP
    ("gateway", _ipv4, "", 0, 0),  # used with `address`
    ("dns", _ipv4, "", 0, 0),  # empty: the one of DHCP, or the gateway
    ("ntp_servers", _servers, ["pool.ntp.org"], 0, 4),
)
_KEYS = _REACH + (
    ("portal_lan", _boolean, False, 0, 0),  # the setup page in the house too, with its password
    # relays
    ("relay_boot_states", _boot_states, [], 0, 8),
    ("auto_off_s", _seconds, [], 0, 8),  # 0: never
    ("interlock", _groups, [], 0, 4),  # of which only one is on at a time
    ("interlock_ms", _integer, 500, 0, 10000),  # between one off and the other on
    ("protection", limits.check, [], 0, 8),  # see control/protection.py
    ("input_modes", _modes, [], 0, 8),
    # metering
    ("utc_offset", _offset, "+00:00", 0, 0),  # of local time: when a day begins
    ("calibration", _factors, {}, 0.5, 2),  # true / shown; see command/config calibrate
    # telemetry: report on a change of this much, else on the heartbeat
    ("sample_ms", _integer, 1000, 200, 60000),
    ("power_deadband_w", _number, 5, 0, 10000),
    ("power_deadband_percent", _number, 5, 0, 100),
    ("power_deadband_max_w", _number, 40, 0, 10000),
    ("voltage_deadband_v", _number, 3, 0, 100),
    ("current_deadband_a", _number, 0.2, 0, 100),
    ("energy_deadband_wh", _number, 20, 0, 100000),
    ("power_factor_deadband", _number, 0.1, 0, 1),
    ("frequency_deadband_hz", _number, 0.2, 0, 10),
    ("temperature_deadband_c", _number, 2, 0, 100),
    ("power_heartbeat_s", _integer, 60, 1, 86400),
    ("heartbeat_s", _integer, 300, 1, 86400),
    ("extra_metrics", _extra_metrics, [], 0, 8),
)

NAMES = [key[0] for key in _KEYS]
REACH = NAMES[:len(_REACH)]


def defaults():
    """A complete dict of settings."""
    return {key[0]: key[2] for key in _KEYS}


def check(values):
    """What is wrong with these settings: a list of "key: why", empty when all is well.

    Unknown keys are no error: a newer firmware may have written them.
    """
    if not isinstance(values, dict):
        return ["the configuration must be a JSON object"]
    wrong = []
    for name, of_type, _, low, high in _KEYS:
        if name in values:
            why = of_type(values[name], low, high)
            if why:
                wrong.append("%s: %s" % (name, why))
    return wrong


def unknown(values):
    """The keys that this firmware does not know."""
    return [name for name in values if name not in NAMES]
