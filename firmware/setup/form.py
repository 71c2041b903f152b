# What the setup page may change, and what is wrong with it in words for people.
from .. import ondemand

KEYS = ("wifi_ssid", "wifi_password", "broker_host", "broker_port", "broker_user",
        "broker_password", "broker_tls", "tls_ca", "home_id", "node_id", "board")
SECRET = ("wifi_password", "broker_password")
_WHERE = ("broker_host", "broker_port", "broker_tls", "tls_ca")


def shown(settings):
    """(values, hidden): what the page may know of the settings: {key: value} of what is no
    secret, and the keys whose value is set and not shown."""
    values = {key: settings[key] for key in KEYS if key not in SECRET and key != "tls_ca"}
    return values, [key for key in SECRET + ("tls_ca",) if settings[key]]


def checked(posted, settings, boards):
    """(settings as they would be, {key: what is wrong with it}).

    posted: what came from the page; a key that is not in it stays as it is, but for the password
    of a network that is another one. Passwords go only to the broker they were typed for: whoever
    has the page must not be able to send them elsewhere.
    """
    if not isinstance(posted, dict):
        return None, {"": "a JSON object was expected"}
    wrong = {}
    for key in posted:
        if key not in KEYS:
            wrong[key] = "there is no such setting here"
    if wrong:
        return None, wrong
    merged = dict(settings)
    merged.update(posted)
    if merged["wifi_ssid"] != settings["wifi_ssid"] and "wifi_password" not in posted:
        merged["wifi_password"] = ""
    try:
        for text in ondemand.load("config.schema").check(merged):
            key, why = text.split(": ", 1)
            wrong[key] = why
    finally:
        ondemand.drop("config.schema", "config.limits")
    if not wrong:
        _in_words(merged, wrong, boards)
        if not wrong and merged["broker_user"] and settings["broker_password"] and \
                "broker_password" not in posted and \
                any(merged[key] != settings[key] for key in _WHERE):
            wrong["broker_password"] = "type it again: it was for another broker"
    return merged, wrong


def _in_words(merged, wrong, boards):
    # What the schema lets pass, since a node may be without; here it is what one forgets.
    if not merged["wifi_ssid"]:
        wrong["wifi_ssid"] = "choose a network, or type its name"
    size = len(merged["wifi_password"].encode())
    if 0 < size < 8:
        wrong["wifi_password"] = "has 8 characters at least"
    host = merged["broker_host"]
    if not host:
        wrong["broker_host"] = "type the name or the address of the broker"
    elif "/" in host or ":" in host or " " in host:
        wrong["broker_host"] = "only a name or an address, as mqtt.example.com or 192.168.1.10"
    if merged["board"] not in boards:
        wrong["board"] = "choose one of the list"
