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
_ESP8266 = memory.CHIP == "esp8266"
if _ESP8266:
    STAT_IDLE, STAT_CONNECTING, STAT_WRONG_PASSWORD, STAT_NO_AP_FOUND = 0, 1, 2, 3
    STAT_CONNECT_FAIL, STAT_GOT_IP = 4, 5
    del STAT_BEACON_TIMEOUT, STAT_ASSOC_FAIL, STAT_HANDSHAKE_TIMEOUT

_JOIN_MS = 300
_RETRY_MS = 2000  # until the driver tries again by itself
_LEAVE_MS = 30  # disconnect() is carried out by another task
_AP_ADDRESS = "127.0.0.4"  # in place of 192.168.4.1: whoever joins is on this machine
_NO_RSSI = 31  # of an ESP8266 without access point

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

    `_state` of the station: "idle" -> connect() -> "joining" -> 0.3 s later "joined", or "failed"
    for the reason in `_failure`. From "failed", and when the access point goes away, it tries
    again after 2 s, `reconnects` times or for ever, until disconnect().
    An ESP32 says STAT_CONNECTING as long as it is going to try again, whatever has failed.
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
            # An ESP8266 that was never told otherwise has an access point.
            wlan._active = _ESP8266 and interface == AP_IF
            wlan._state = "idle"
            wlan._failure = None
            wlan._reconnects = -1
            wlan._tries_left = 0
            wlan._due_ms = 0
            wlan._left_ms = -_LEAVE_MS
            wlan._ssid = wlan._password = None
            wlan._fixed = None
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
        self._check_free()
        if ssid is not None:
            self._ssid, self._password = ssid, key
        self._tries_left = self._reconnects
        self._begin(world.now_ms())

    def disconnect(self):
        if self._state in ("joining", "joined"):
            self._left_ms = world.now_ms()
        self._state = "idle"

    def isconnected(self):
        self._run()
        if self._interface == AP_IF:
            return world.stations > 0
        return self._state == "joined" and not self._waits_for_dhcp()

    def status(self, what=None):
        self._run()
        if what is None:
            return self._status()
        if what == "stations" and self._interface == AP_IF and not _ESP8266:
            return [(_MAC,)] * world.stations
        if what != "rssi":
            raise ValueError("unknown status param")
        if self._state == "joined":
            return world.rssi_dbm
        if _ESP8266:
            return _NO_RSSI
        raise OSError("Wifi Not Connected")

    def ifconfig(self, setting=None):
        if setting == "dhcp":
            self._fixed = None
            return None
        if setting is not None:
            self._fixed = setting
            return None
        if self._interface == AP_IF and self._active:
            return _AP_ADDRESS, "255.255.255.0", _AP_ADDRESS, _AP_ADDRESS
        if not self.isconnected():
            return ("0.0.0.0",) * 4
        return self._fixed or ("127.0.0.1", "255.0.0.0", "127.0.0.1", world.dns)

    def ipconfig(self, what=None, **settings):
        if what is None:
            return None
        address = self.ifconfig()
        if what == "addr4":
            return address[:2]
        if what == "gw4":
            return address[2]
        if what in ("has_dhcp4", "dhcp4"):
            return self._fixed is None
        raise ValueError("unknown config param")

    def config(self, what=None, **settings):
        if what is None:
            if "reconnects" in settings:
                if _ESP8266:
                    raise ValueError("unknown config param")
                self._run()
                self._check_free()  # the driver writes all of its settings
                self._reconnects = settings["reconnects"]
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
        if not self._active:
            raise OSError("STA must be active")
        self._run()
        self._check_free()
        return [
            (ssid.encode(), _MAC, 1, world.rssi_dbm,
             self.SEC_WPA2 if world.networks[ssid] else self.SEC_OPEN, False)
            for ssid in world.networks
        ]

    def _check_free(self):
        # An ESP8266 takes everything at any time.
        if not _ESP8266 and (
            self._state == "joining" or world.now_ms() - self._left_ms < _LEAVE_MS
        ):
            raise OSError("Wifi Internal State Error")

    def _begin(self, now_ms):
        self._state = "joining"
        self._due_ms = now_ms + _JOIN_MS

    def _fail(self, failure, now_ms):
        self._state = "failed"
        self._failure = failure
        self._due_ms = now_ms + _RETRY_MS

    def _run(self):
        """Let the pretended driver do what is due."""
        now_ms = world.touch()
        state = self._state
        if state == "idle":
            return
        obstacle = self._obstacle()
        if state == "joined":
            if obstacle is not None:
                self._fail(obstacle if _ESP8266 else STAT_BEACON_TIMEOUT, now_ms)
        elif now_ms >= self._due_ms:
            if state == "failed":
                if self._tries_left:
                    self._tries_left -= 1
                    self._begin(now_ms)
            elif obstacle is None:
                self._state = "joined"
                self._failure = None
            else:
                self._fail(obstacle, now_ms)

    def _status(self):
        if self._state == "joined":
            return STAT_CONNECTING if self._waits_for_dhcp() else STAT_GOT_IP
        if self._state == "joining" or self._state == "failed" and not _ESP8266 and \
                self._tries_left:
            return STAT_CONNECTING
        if self._state == "failed" or not _ESP8266 and self._failure is not None:
            return self._failure
        return STAT_IDLE

    def _waits_for_dhcp(self):
        return world.wifi_fault == "no_address" and not self._fixed

    def _obstacle(self):
        """The STAT_* number of what stands between this station and the network, or None."""
        if world.wifi_fault in ("down", "not_found"):
            return STAT_NO_AP_FOUND
        if world.wifi_fault == "wrong_password":
            return STAT_WRONG_PASSWORD
        if world.wifi_fault == "refused":
            return STAT_CONNECT_FAIL
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
