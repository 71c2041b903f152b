# Every setting of a node: its type, range, default, and whether it is a secret.
from ..log import plain

# (name, type, default, lowest, highest, secret). For texts the bounds are lengths in bytes, for
# lists the number of items. A type is a function below that returns what is wrong, or None.


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


def _texts(value, low, high):
    if not isinstance(value, list) or not low <= len(value) <= high:
        return "must be a list of %d to %d texts" % (low, high)
    for item in value:
        if _text(item, 1, 64):
            return "must be a list of texts of 1 to 64 bytes without control characters"


def _servers(value, low, high):
    wrong = _texts(value, low, high)
    if wrong:
        return wrong
    for item in value:
        host = item.split(":")
        if len(host) > 2 or not host[0] or len(host) == 2 and not (
                host[1].isdigit() and 0 < int(host[1]) < 65536):
            return "must be a list of host or host:port"


def _pem(value, low, high):
    # Its lines end in control characters, so it is no text like the others.
    if not isinstance(value, str) or len(value) > high or (
            value and "-----BEGIN CERTIFICATE-----" not in value):
        return "must be CA certificates in PEM, %d characters at the most" % high


def _websocket(value, low, high):
    if value not in ("fallback", "always", "never"):
        return "must be fallback, always or never"


def _boot_states(value, low, high):
    wrong = _texts(value, low, high)
    if wrong:
        return wrong
    for item in value:
        if item not in ("off", "on", "last"):
            return "must be a list of off, on or last, one for each relay"


def _extra_metrics(value, low, high):
    wrong = _texts(value, low, high)
    if wrong:
        return wrong
    for item in value:
        if item != "apparent_power":
            return "may only have apparent_power"


_KEYS = (
    # who it is
    ("base_topic", _topic, "homesync", 1, 32, False),
    ("home_id", _ident, "home", 1, 32, False),
    ("node_id", _ident, "", 0, 32, False),  # empty: node- and the chip's id
    ("board", _ident, "esp32-pzem", 1, 32, False),
    # the broker
    ("broker_host", _text, "", 0, 128, False),
    ("broker_port", _integer, 1883, 1, 65535, False),
    ("broker_user", _text, "", 0, 64, False),
    ("broker_password", _text, "", 0, 128, True),
    ("broker_tls", _boolean, False, 0, 0, False),
    ("tls_ca", _pem, "", 0, 4096, True),  # no secret, but too long to be shown
    ("websocket", _websocket, "never", 0, 0, False),
    ("websocket_port", _integer, 8884, 1, 65535, False),
    ("websocket_path", _text, "/mqtt", 1, 64, False),
    ("keepalive_s", _integer, 60, 5, 3600, False),
    ("backoff_min_ms", _integer, 1000, 50, 60000, False),
    ("stable_s", _integer, 30, 0, 3600, False),
    # the network
    ("wifi_ssid", _text, "", 0, 32, False),
    ("wifi_password", _text, "", 0, 64, True),
    ("ntp_servers", _servers, ["pool.ntp.org"], 0, 4, False),
    # relays
    ("relay_boot_states", _boot_states, [], 0, 8, False),
    # telemetry: report on a change of this much, else on the heartbeat
    ("sample_ms", _integer, 1000, 200, 60000, False),
    ("power_deadband_w", _number, 5, 0, 10000, False),
    ("power_deadband_percent", _number, 5, 0, 100, False),
    ("power_deadband_max_w", _number, 40, 0, 10000, False),
    ("voltage_deadband_v", _number, 3, 0, 100, False),
    ("current_deadband_a", _number, 0.2, 0, 100, False),
    ("energy_deadband_wh", _number, 20, 0, 100000, False),
    ("power_factor_deadband", _number, 0.1, 0, 1, False),
    ("frequency_deadband_hz", _number, 0.2, 0, 10, False),
    ("temperature_deadband_c", _number, 2, 0, 100, False),
    ("power_heartbeat_s", _integer, 60, 1, 86400, False),
    ("heartbeat_s", _integer, 300, 1, 86400, False),
    ("extra_metrics", _extra_metrics, [], 0, 8, False),
)

NAMES = [key[0] for key in _KEYS]


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
    for name, of_type, _, low, high, _ in _KEYS:
        if name in values:
            why = of_type(values[name], low, high)
            if why:
                wrong.append("%s: %s" % (name, why))
    return wrong


def unknown(values):
    """The keys that this firmware does not know."""
    return [name for name in values if name not in NAMES]


def shown(name, value):
    """The value as others may see it: secrets are hidden, but whether one is set can be seen."""
    for key in _KEYS:
        if key[0] == name:
            return ("***" if value else "") if key[5] else value
    raise KeyError(name)
