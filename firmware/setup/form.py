# What the setup page may change, and what is wrong with it in words for people.
from .. import ondemand

KEYS = ("wifi_ssid", "wifi_password", "broker_host", "broker_port", "broker_user",
        "broker_password", "broker_tls", "tls_ca", "home_id", "node_id", "board",
        "wifi_ssid_2", "wifi_password_2", "wifi_ssid_3", "wifi_password_3",
        "hostname", "address", "gateway", "dns")
SECRET = ("wifi_password", "wifi_password_2", "wifi_password_3", "broker_password")
_NETWORKS = (("wifi_ssid", "wifi_password"), ("wifi_ssid_2", "wifi_password_2"),
             ("wifi_ssid_3", "wifi_password_3"))
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
    for ssid, password in _NETWORKS:
        if merged[ssid] != settings[ssid] and password not in posted:
            merged[password] = ""
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
    for ssid, password in _NETWORKS:
        if 0 < len(merged[password].encode()) < 8:
            wrong[password] = "has 8 characters at least"
        elif merged[password] and not merged[ssid]:
            wrong[ssid] = "whose password is this? Type the name, too"
    host = merged["broker_host"]
    if not host:
        wrong["broker_host"] = "type the name or the address of the broker"
    elif "/" in host or ":" in host or " " in host:
        wrong["broker_host"] = "only a name or an address, as mqtt.example.com or 192.168.1.10"
    if merged["board"] not in boards:
        wrong["board"] = "choose one of the list"
    address, gateway = merged["address"], merged["gateway"]
    if address:
        address, bits = address.split("/")
        host_bits = 32 - int(bits)
        own = _number(address)
        host = own & (1 << host_bits) - 1
        if host == 0 or host == (1 << host_bits) - 1:
            wrong["address"] = "must not be the first or the last of its network"
        if not gateway:
            wrong["gateway"] = "type the address of your router"
        elif _number(gateway) == own:
            wrong["gateway"] = "is the node's own address"
        elif (_number(gateway) ^ own) >> host_bits:
            wrong["gateway"] = "is in another network than the node's address"
    elif gateway:
        wrong["address"] = "type it, too, or empty the router's"


def _number(address):
    number = 0
    for part in address.split("."):
        number = number << 8 | int(part)
    return number
