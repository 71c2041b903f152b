# The station side of Wi-Fi, without ever waiting for it.
from time import ticks_diff

import network

# Only what the port names; ESP32 has more numbers than names (reference: platform 2.5).
_STATUS = {}
for _name, _text in (
    ("STAT_WRONG_PASSWORD", "wrong password"), ("STAT_NO_AP_FOUND", "not found"),
    ("STAT_CONNECT_FAIL", "refused"), ("STAT_CONNECTING", "still trying"),
    ("STAT_HANDSHAKE_TIMEOUT", "no answer, wrong password?"),
):
    if hasattr(network, _name):
        _STATUS[getattr(network, _name)] = _text

RETRY_MS = 20000  # the driver tries by itself; this is for when it has given up


class Wifi:
    """Keeps one network joined. `service` is called by the foreground while there is no link.

    ESP32's driver reconnects by itself, and a second `connect` while it does raises
    (micropython#17661), so it is told to only once, and again after 20 s without success.
    """

    def __init__(self, ssid, password, hostname, log):
        self._ssid = ssid
        self._password = password
        self._log = log
        self._joined = False  # as last logged
        self._tried_ms = None
        # Status of the last failed try: the next one, every 2 s or so, says only "still trying".
        self._failure = None
        try:
            network.hostname(hostname)  # before the interface is active
        except (AttributeError, ValueError):
            pass  # older firmware, or a name the driver refuses: the default serves too
        self._wlan = network.WLAN(network.STA_IF)
        self._wlan.active(True)

    def service(self, now_ms):
        """Start, watch or restart the join; returns whether there is a network."""
        joined = self._wlan.isconnected()
        if joined != self._joined:
            self._joined = joined
            self._log("wifi: joined %s, address %s" % (self._ssid, self.address()) if joined
                      else "wifi: lost %s" % self._ssid)
        if joined or not self._ssid:
            self._failure = None
            return joined
        status = self._wlan.status()
        if status != network.STAT_CONNECTING:
            self._failure = status
        if self._tried_ms is None or ticks_diff(now_ms, self._tried_ms) > RETRY_MS:
            if self._tried_ms is not None:
                self._log("wifi: no connection: " + self.trouble())
            self._tried_ms = now_ms
            try:
                self._wlan.disconnect()
                self._wlan.connect(self._ssid, self._password)
            except OSError as e:
                self._log("wifi: %s" % e)
        return False

    def trouble(self):
        """Why there is no network, as a text."""
        if not self._ssid:
            return "no wifi_ssid is set"
        status = self._wlan.status() if self._failure is None else self._failure
        return "%s: %s" % (self._ssid, _STATUS.get(status, status))

    def address(self):
        """Our own IPv4 address."""
        return self._wlan.ifconfig()[0]

    def dns_servers(self):
        """[(address, port)] as DHCP gave them."""
        server = self._wlan.ifconfig()[3]
        return [(server, 53)] if server and server != "0.0.0.0" else []

    def rssi_dbm(self):
        """Signal strength, None while not joined."""
        try:
            return self._wlan.status("rssi")
        except (OSError, ValueError):
            return None
