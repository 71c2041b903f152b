# The test button of the setup portal: tries Wi-Fi and broker, and says in words what is wrong.
import errno
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from ..dial import dial

# Not `const`: tests do not wait that long.
WIFI_MS = 30000
TROUBLE_MS = 8000  # what the Wi-Fi fails by may be chance: it has this long for another try
BROKER_MS = 15000  # in all

_OF_WIFI = ("wifi_ssid", "wifi_password", "address", "gateway", "dns")  # what `Wifi` joins by
_KEEPALIVE_S = const(30)
_FAILURES = ("wrong password", "not found", "refused", "security")  # in `Wifi.trouble`
_CONNACK = (
    None, "it does not speak MQTT 3.1.1", "it refuses the client id %s", "it is not available now",
    "user or password is wrong", "it does not let this user in (user, password, access rules)")


def tryout(settings, running, wifi, resolver, secure):
    """Yields a text that says what is being tried, again and again; at last (True, text) if node
    and broker met, or (False, what is wrong). `close()` it to stop before.

    settings: complete and checked; running: those that are in use, which `wifi` goes back to.
    wifi: `Wifi`; resolver: `Resolver`; secure(settings) makes a `Secure`, or raises ValueError.
    """
    moved = any(settings[key] != running[key] for key in _OF_WIFI) \
        or not wifi.service(ticks_ms()) or wifi.trouble()  # in a network that is not the first
    try:
        if moved:
            only = {key: settings[key] for key in _OF_WIFI}
            only["wifi_ssid_2"] = only["wifi_ssid_3"] = ""  # these are not what is tried
            wifi.use(only)
            only = None
            why = yield from _joined(wifi, settings["wifi_ssid"])
            if why:
                yield False, "Wi-Fi: " + why
                return
        where = settings["broker_host"]
        try:
            yield from _met(settings, resolver, secure)
        except (OSError, ValueError) as e:  # TLS and names raise either
            yield False, "Broker %s: %s" % (where, _words(e))
            return
        yield True, "Joined %s; the broker %s lets the node in." % (settings["wifi_ssid"], where)
    finally:
        if moved:
            wifi.use(running)


def _joined(wifi, ssid):
    # Returns what is wrong, None if nothing is.
    until = ticks_add(ticks_ms(), WIFI_MS)
    failed = False
    while not wifi.service(ticks_ms()):
        yield "Joining %s" % ssid
        why = wifi.trouble()
        if ticks_diff(until, ticks_ms()) <= 0:
            return why
        if not failed and any(text in why for text in _FAILURES):
            failed = True
            until = ticks_add(ticks_ms(), TROUBLE_MS)
    return None


def _met(settings, resolver, secure):
    # Returns when the broker has taken us in. Raises OSError or ValueError.
    host = settings["broker_host"]
    websocket = settings["websocket"] == "always"
    port = settings["websocket_port" if websocket else "broker_port"]
    until = ticks_add(ticks_ms(), BROKER_MS)

    def wait(ip):
        _in_time(until, "%s does not answer; is it on, and the address right?" % ip if ip
                 else "no answer from the name server")
        return "Connecting to %s" % ip if ip else "Looking up %s" % host

    s = yield from dial(host, port, resolver, wait)
    try:
        packet = _connect(settings)
        tls = None
        if settings["broker_tls"]:
            tls = secure(settings)
            s = tls.wrap(s, host)
        silent = "port %d does not answer like a broker" % port
        try:
            while packet:  # with TLS the handshake goes on in here
                n = s.write(packet)
                if n:
                    packet = packet[n:]
                    if websocket:
                        return  # what follows is up to the WebSocket, which is not tried here
                else:
                    yield "Talking to %s" % host
                    _in_time(until, silent)
        except (OSError, ValueError) as e:
            if tls is None:
                raise
            raise tls.explained(e)
        tls = None
        reply = yield from _received(s, 4, until, silent)
        if reply[:2] != b"\x20\x02":
            raise ValueError("what answers at port %d is no MQTT broker" % port)
        if reply[3]:
            text = _CONNACK[reply[3]] if reply[3] < 6 else "it refuses, code %d" % reply[3]
            raise ValueError(text % _client_id(settings) if "%" in text else text)
        topic = "%s/%s/nodes/%s/command/+" % (
            settings["base_topic"], settings["home_id"], settings["node_id"])
        body = b"\0\1" + _text(topic) + b"\1"
        s.write(b"\x82" + _length(len(body)) + body)
        reply = yield from _received(s, 5, until, silent)
        if reply[4] > 1:
            raise ValueError("it does not let this user subscribe to %s (access rules)" % topic)
        s.write(b"\xe0\0")
    finally:
        s.close()


def _received(s, size, until, silent):
    # Returns `size` bytes.
    data = bytearray(size)
    view = memoryview(data)
    have = 0
    while have < size:
        n = s.readinto(view[have:])
        if n == 0:
            raise OSError(errno.ECONNRESET)
        if n is None:
            yield "Waiting for an answer"
            _in_time(until, silent)
        else:
            have += n
    return data


def _client_id(settings):
    # Not that of the node, whose session it would end.
    return "homesync_%s_%s_setup" % (settings["home_id"], settings["node_id"])


def _connect(settings):
    # MQTT 3.1.1, 3.1: a clean session without a will.
    user = settings["broker_user"]
    body = b"\0\4MQTT\4" + bytes((0xC2 if user else 2, 0, _KEEPALIVE_S))
    body += _text(_client_id(settings))
    if user:
        body += _text(user) + _text(settings["broker_password"])
    return b"\x10" + _length(len(body)) + body


def _text(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _length(n):
    return bytes((n,)) if n < 128 else bytes((n & 127 | 128, n >> 7))


def _words(error):
    if isinstance(error, ValueError):
        return str(error)
    name = errno.errorcode.get(error.errno, str(error.errno))
    if len(error.args) > 1 and name not in ("ECONNREFUSED", "ECONNRESET"):
        return str(error.args[1])  # by the resolver or by TLS, in words
    return {
        "ECONNREFUSED": "nobody listens at this port",
        "ECONNRESET": "it closed the connection; does the port want TLS, or no TLS?",
        "EHOSTUNREACH": "there is no way to it; is the address right?",
        "ENETUNREACH": "there is no way to it; is the address right?",
    }.get(name, name)


def _in_time(until, why):
    if ticks_diff(until, ticks_ms()) <= 0:
        raise ValueError(why)
