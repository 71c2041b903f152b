# The station side of Wi-Fi, without ever waiting for it.
from time import ticks_add, ticks_diff

import network
from micropython import const

_TRY_MS = const(20000)  # long enough for a slow DHCP server; other failures show before
_SLOW_TRY_MS = const(300000)
_LEAVE_MS = const(200)  # the driver leaves a network on its own time, and refuses all until then
_REST_MS = const(3000)  # after all networks have failed: some routers lock out who hammers them
_ROUNDS = const(20)  # through all networks, before the interface is switched off and on

# What a status means. ESP32 has more numbers than names; these are too large to be one of ESP8266.
_MEANING = {15: "no answer, wrong password?", 210: "its security does not fit",
            211: "its security does not fit"}
for _name, _text in (
    ("STAT_CONNECT_FAIL", "refused"), ("STAT_ASSOC_FAIL", "refused"),
    ("STAT_WRONG_PASSWORD", "wrong password"), ("STAT_NO_AP_FOUND", "not found"),
    ("STAT_HANDSHAKE_TIMEOUT", _MEANING[15]), ("STAT_BEACON_TIMEOUT", "out of range"),
):
    if hasattr(network, _name):
        _MEANING[getattr(network, _name)] = _text
_NO_FAILURE = (network.STAT_IDLE, network.STAT_CONNECTING, network.STAT_GOT_IP)


class Wifi:
    """Keeps one of up to three networks joined. `service` is called by the foreground.

    settings: a complete dict; chip: "esp32" or "esp8266"; close: the node's own access point, if
    it is open.

    The networks are tried in turn, beginning with the one that was lost. There is no scan for the
    strongest: it would keep everything else waiting for 2 s, and a join looks through all channels
    anyway. ESP32's driver would try again for ever, tell no reason meanwhile, and refuse
    to be told anything (micropython#17661), so it is told to try only once.
    ESP8266 writes to its flash whenever it is told a name and a password: it is told them once,
    and after the first round has 5 minutes with each network.
    """

    def __init__(self, settings, chip, log, close=True):
        self._esp8266 = chip == "esp8266"
        self._log = log
        try:
            # Before the interface is active.
            network.hostname(settings["hostname"] or settings["node_id"].replace("_", "-"))
        except (AttributeError, ValueError):
            pass  # older firmware, or a name the driver refuses: the default serves too
        access_point = network.WLAN(network.AP_IF)
        if close and access_point.active():
            access_point.active(False)  # ESP8266 has one at first, with a password that all know
        self._wlan = network.WLAN(network.STA_IF)
        if not self._wlan.active():
            self._wlan.active(True)
        self.use(settings)

    def use(self, settings):
        """Leave what is joined, and join by these settings."""
        self._networks = [
            (settings["wifi_ssid" + end], settings["wifi_password" + end])
            for end in ("", "_2", "_3") if settings["wifi_ssid" + end]]
        self._forget()
        self._dns = settings["dns"]
        self._fixed = _fixed(settings)
        self._at = 0  # which network
        self._tries = 0  # that failed since one was joined
        self._told = None  # which network an ESP8266 has in its flash
        # "resting" until `_due_ms` (None: to be set) → "joining", until `_due_ms` at the latest →
        # "joined", or the next network after a rest. Lost: a rest, and the same network again.
        # "paused" is left by `resume`.
        self._state = "resting"
        self._due_ms = None
        # A soft reset leaves the chip in the network and at the address that were set before it.
        self._leave()
        if not self._fixed:
            try:
                self._wlan.ifconfig("dhcp")  # type: ignore[call-overload]  # stubs lack it
            except OSError:
                pass  # ESP32, where it runs already

    def service(self, now_ms):
        """Start, watch or restart the join; returns whether there is a network."""
        state = self._state
        if state == "joining" or state == "joined":
            if self._wlan.isconnected():
                if state == "joining":
                    self._joined()
                return True
            if state == "joined":
                self._log("wifi: lost " + self._networks[self._at][0])
                self._forget()
                self._rest(now_ms, _LEAVE_MS)
            else:
                self._watch(now_ms)
        elif state == "resting" and self._networks:
            if self._due_ms is None:
                self._rest(now_ms, _LEAVE_MS)
            elif ticks_diff(now_ms, self._due_ms) >= 0:
                self._join(now_ms)
        return False

    def pause(self):
        """Leave the network, and the interface alone, until `resume`."""
        self._state = "paused"
        self._leave()

    def resume(self):
        """Join again, after `pause`."""
        self._state = "resting"
        self._due_ms = None

    def trouble(self):
        """What is wrong with the networks, as a text; "" when all is well."""
        if not self._networks:
            return "no wifi_ssid is set"
        failed = ["%s: %s" % (network[0], why)
                  for network, why in zip(self._networks, self._failures) if why]
        if not failed and self._state != "joined":
            return "%s: %s" % (self._networks[self._at][0], self._delay())
        return "; ".join(failed)

    def address(self):
        """Our own IPv4 address."""
        return self._wlan.ifconfig()[0]

    def dns_servers(self):
        """[(address, port)] as set, or else as DHCP gave them."""
        server = self._dns or self._wlan.ifconfig()[3]
        return [(server, 53)] if server and server != "0.0.0.0" else []

    def rssi_dbm(self):
        """Signal strength, None while with no access point."""
        try:
            rssi = self._wlan.status("rssi")
        except (OSError, ValueError):
            return None
        return rssi if rssi < 0 else None  # ESP8266 says 31

    def _join(self, now_ms):
        wlan = self._wlan
        try:
            if not self._esp8266:
                wlan.config(reconnects=0)
            if self._fixed:
                wlan.ifconfig(self._fixed)
            if self._told == self._at:
                wlan.connect()
            else:
                wlan.connect(*self._networks[self._at])
                if self._esp8266:
                    self._told = self._at
        except (OSError, ValueError) as e:
            self._failed(now_ms, str(e))
            self._restart()
            return
        self._state = "joining"
        self._due_ms = ticks_add(now_ms, _SLOW_TRY_MS if self._slow() else _TRY_MS)

    def _watch(self, now_ms):
        status = self._wlan.status()
        why = None if status in _NO_FAILURE else _MEANING.get(status, "reason %d" % status)
        if ticks_diff(now_ms, self._due_ms) >= 0:
            self._failed(now_ms, why or self._delay())
        elif why and not self._slow():
            self._failed(now_ms, why)

    def _forget(self):
        self._failures = [None] * len(self._networks)  # texts; joining one clears its own

    def _delay(self):
        # What keeps a join that has not failed so far.
        return "no answer" if self.rssi_dbm() is None else "no address from DHCP"

    def _joined(self):
        self._state = "joined"
        self._tries = 0
        self._failures[self._at] = None
        self._log("wifi: joined %s, address %s" % (self._networks[self._at][0], self.address()))

    def _failed(self, now_ms, why):
        if why != self._failures[self._at]:
            self._failures[self._at] = why
            self._log("wifi: %s: %s" % (self._networks[self._at][0], why))
        self._leave()
        self._tries += 1
        networks = len(self._networks)
        self._at = (self._at + 1) % networks
        self._rest(now_ms, _LEAVE_MS if self._tries % networks else _REST_MS)
        if self._tries % (networks * _ROUNDS) == 0:
            self._restart()

    def _slow(self):
        # Changing the network costs an erase of the ESP8266's flash.
        return self._esp8266 and self._tries >= len(self._networks) > 1

    def _rest(self, now_ms, rest_ms):
        self._state = "resting"
        self._due_ms = ticks_add(now_ms, rest_ms)

    def _leave(self):
        try:
            self._wlan.disconnect()
        except OSError:
            pass  # there was nothing to leave

    def _restart(self):
        # What helps a driver that is stuck; ESP8266's would write it to its flash.
        if not self._esp8266:
            try:
                self._wlan.active(False)
                self._wlan.active(True)
            except OSError as e:
                self._log("wifi: %s" % e)


def _fixed(settings):
    # (address, mask, gateway, name server) for the driver; None: by DHCP.
    address = settings["address"]
    if not address:
        return None
    address, bits = address.split("/")
    ones = int(bits)
    mask = ".".join([str(0xFF00 >> min(max(ones - at, 0), 8) & 0xFF) for at in (0, 8, 16, 24)])
    gateway = settings["gateway"] or "0.0.0.0"
    return address, mask, gateway, settings["dns"] or gateway
