# The chip's `network`, as far as the portal uses it: an access point at 127.0.0.1, and a station
# that joins the networks of NETWORKS, {ssid: (password, dBm)}; others are not found.
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 201, 202

NETWORKS = {}
TRAIL = []  # what was asked of the access point
SET = []  # by the station's `ifconfig`
JOINED = []  # the devices in it
_SCAN_MS = 20  # 2 s on the chip
_JOIN_MS = 300


def hostname(name=None):
    return name


class WLAN:
    _only = {}

    def __new__(cls, interface):
        if interface not in cls._only:
            wlan = cls._only[interface] = super().__new__(cls)
            wlan._interface = interface
            wlan._active = False
            wlan._state = STAT_IDLE
            wlan._due_ms = None
            wlan._wanted = None
        return cls._only[interface]

    def active(self, on=None):
        if on is not None:
            if self._interface == AP_IF:
                TRAIL.append("open" if on else "closed")
            self._active = on
        return self._active

    def config(self, **settings):
        if self._interface == AP_IF:
            TRAIL.append(settings)

    def connect(self, ssid, password):
        self._wanted = ssid, password
        self._state = STAT_CONNECTING
        self._due_ms = ticks_add(ticks_ms(), _JOIN_MS)

    def disconnect(self):
        self._state = STAT_IDLE
        self._due_ms = None

    def isconnected(self):
        return self.status() == STAT_GOT_IP

    def status(self, what=None):
        if what == "stations":
            return JOINED
        if self._due_ms is not None and ticks_diff(ticks_ms(), self._due_ms) >= 0:
            self._due_ms = None
            ssid, password = self._wanted
            self._state = STAT_NO_AP_FOUND
            if ssid in NETWORKS:
                self._state = STAT_GOT_IP if NETWORKS[ssid][0] == password else STAT_WRONG_PASSWORD
        if what == "rssi":
            return NETWORKS[self._wanted[0]][1] if self._state == STAT_GOT_IP else 0
        return self._state

    def ifconfig(self, setting=None):
        if setting:
            SET.append(setting)
        return "127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1"

    def scan(self):
        if self._state == STAT_CONNECTING:
            raise OSError("Wifi Invalid State")
        sleep_ms(_SCAN_MS)
        return [(ssid.encode(), b"\2\0\0\0\0\1", 1, NETWORKS[ssid][1], 3 if NETWORKS[ssid][0]
                 else 0, False) for ssid in NETWORKS]
