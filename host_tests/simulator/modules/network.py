# The chip's `network`: one station interface that joins a pretended access point in 0.3 s.
# Traffic itself is the host's: "down" makes the interface say so, it does not stop sockets.
from virtual import memory, world

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_BEACON_TIMEOUT = 200
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
STAT_CONNECT_FAIL = 203
if memory.CHIP == "esp8266":
    STAT_IDLE, STAT_CONNECTING, STAT_WRONG_PASSWORD, STAT_NO_AP_FOUND = 0, 1, 2, 3
    STAT_CONNECT_FAIL, STAT_GOT_IP = 4, 5
    del STAT_BEACON_TIMEOUT, STAT_ASSOC_FAIL, STAT_HANDSHAKE_TIMEOUT

_JOIN_MS = 300
_RETRY_MS = 2000  # the driver tries again by itself, for ever

_MAC = bytes.fromhex(memory.SETTINGS["unique_id"])
_hostname = "mpy-" + memory.CHIP


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    if len(name) > 32:
        raise ValueError
    _hostname = name
    return None


class WLAN:
    """Station or access point interface; there is one object of each, as on the chip.

    `_state` of the station is a STAT_* number. connect(): CONNECTING, after 0.3 s GOT_IP or an
    error; from an error, or when the access point goes away, it tries again every 2 s until
    disconnect() (IDLE).
    """

    IF_STA = STA_IF
    IF_AP = AP_IF
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2
    SEC_OPEN = 0
    SEC_WPA2 = 3

    _only = {}

    def __new__(cls, interface=STA_IF):
        if interface not in (STA_IF, AP_IF):
            raise ValueError("no such interface")
        if interface not in cls._only:
            wlan = super().__new__(cls)
            wlan._interface = interface
            wlan._active = False
            wlan._state = STAT_IDLE
            wlan._wanted = False
            wlan._due_ms = 0
            wlan._ssid = wlan._password = None
            wlan._settings = {}
            cls._only[interface] = wlan
        return cls._only[interface]

    def active(self, active=None):
        if active is not None:
            self._active = bool(active)
            if not active:
                self.disconnect()
        return self._active

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._run()
        if self._state == STAT_CONNECTING:
            raise OSError("Wifi Internal Error")
        if ssid is not None:
            self._ssid, self._password = ssid, key
        self._wanted = True
        self._begin(world.now_ms())

    def disconnect(self):
        self._wanted = False
        self._state = STAT_IDLE

    def isconnected(self):
        self._run()
        return self._state == STAT_GOT_IP

    def status(self, what=None):
        self._run()
        if what is None:
            return self._state
        if what != "rssi":
            raise ValueError("unknown status param")
        if self._state != STAT_GOT_IP:
            raise OSError("Wifi Not Connected")
        return world.rssi_dbm

    def ifconfig(self, setting=None):
        if setting is not None:
            return None
        if not self.isconnected():
            return ("0.0.0.0",) * 4
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", world.dns)

    def ipconfig(self, what=None, **settings):
        if what is None:
            return None
        address = self.ifconfig()
        if what == "addr4":
            return address[:2]
        if what == "gw4":
            return address[2]
        if what in ("has_dhcp4", "dhcp4"):
            return True
        raise ValueError("unknown config param")

    def config(self, what=None, **settings):
        if what is None:
            self._settings.update(settings)
            return None
        if what == "mac":
            return _MAC
        if what in ("ssid", "essid"):
            return self._ssid or ""
        if what in self._settings:
            return self._settings[what]
        raise ValueError("unknown config param")

    def scan(self):
        return [
            (ssid.encode(), _MAC, 1, world.rssi_dbm, self.SEC_WPA2, False)
            for ssid in world.networks
        ]

    def _begin(self, now_ms):
        self._state = STAT_CONNECTING
        self._due_ms = now_ms + _JOIN_MS

    def _run(self):
        """Let the pretended driver do what is due."""
        now_ms = world.touch()
        if not self._wanted or self._interface != STA_IF:
            return
        obstacle = self._obstacle()
        if self._state == STAT_GOT_IP:
            if obstacle is not None:
                self._state = obstacle
                self._due_ms = now_ms + _RETRY_MS
        elif now_ms >= self._due_ms:
            if self._state != STAT_CONNECTING:
                self._begin(now_ms)
            elif obstacle is None:
                self._state = STAT_GOT_IP
            else:
                self._state = obstacle
                self._due_ms = now_ms + _RETRY_MS

    def _obstacle(self):
        """The STAT_* number of what stands between this station and its address, or None."""
        if world.wifi_fault in ("down", "not_found"):
            return STAT_NO_AP_FOUND
        if world.wifi_fault == "wrong_password":
            return STAT_WRONG_PASSWORD
        if world.networks:
            if self._ssid not in world.networks:
                return STAT_NO_AP_FOUND
            if world.networks[self._ssid] != self._password:
                return STAT_WRONG_PASSWORD
        return None


def ipconfig(what=None, **settings):
    if what == "dns":
        return world.dns
    if what is not None:
        raise ValueError("unknown config param")
    return None
