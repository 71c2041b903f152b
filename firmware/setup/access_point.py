# The node's own Wi-Fi network, which the setup portal is reached by, and its password.
import os
import sys

import network
from micropython import const

from .. import ondemand, storage

PATH = "portal.json"

_WPA2 = const(3)  # has the same number on both chips, but not the same name
_CHARS = const(10)  # 49 bits
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that is mistaken for something else

# ESP32's driver lets other threads run during a scan, so the house can go on; ESP8266 has none.
_thread = None
if sys.platform == "esp32":
    try:
        import _thread  # type: ignore[no-redef]
    except ImportError:
        pass


def password(log):
    """The portal's password: made once, and kept whatever is reset or erased."""
    try:
        kept = storage.read_json(PATH)
        text = kept["password"] if kept else ""
        if isinstance(text, str) and 8 <= len(text) <= 63:
            return text
    except (ValueError, TypeError, KeyError) as e:
        log("setup: %s: %r" % (PATH, e))
    text = ""
    while len(text) < _CHARS:
        byte = os.urandom(1)[0]
        if byte < 248:  # 8 × 31: each character is as likely as any other
            text += _ALPHABET[byte % 31]
    try:
        storage.replace_json(PATH, {"password": text})
    except OSError as e:
        log("setup: cannot keep the password: %s" % e)
    return text


class AccessPoint:
    """The network `name` (WPA2, with `password`), and the scan for others.

    wifi: `Wifi`, which must not join while the driver scans.
    """

    def __init__(self, name, wifi, log):
        self.name = name
        self.password = password(log)
        self._wifi = wifi
        self._log = log
        self._wlan = network.WLAN(network.AP_IF)
        # None → "scanning" → list of networks or an exception → None, when `scan` hands it out
        self._found = None
        self._paused = False

    def start(self):
        """Open it."""
        self._configure()  # ESP32: it is not there for a moment without its password
        self._wlan.active(True)
        self._configure()  # ESP8266 takes it only now
        # On the console, for who has the node in hand; the log can be read from afar.
        print("setup: join the Wi-Fi network %s, password %s" % (self.name, self.password))
        self._log("setup: access point %s is open" % self.name)

    def stop(self):
        """Close it."""
        self._wlan.active(False)
        self._log("setup: access point closed")

    def address(self):
        """Our own IPv4 address there."""
        return self._wlan.ifconfig()[0]

    def joined(self):
        """How many devices have joined it."""
        try:
            return len(self._wlan.status("stations"))  # type: ignore[arg-type]  # stubs: int
        except ValueError:  # ESP8266 only tells whether there is one
            return int(self._wlan.isconnected())
        except OSError:
            return 0

    def scan(self):
        """What `scan.scan` returns; None while it is under way: ask until there is a list.

        Where there are no threads all waits for 2 s. OSError: the driver refuses; later it may do.
        """
        if self._found is None:
            self._found = "scanning"
            if not network.WLAN(network.STA_IF).isconnected():
                self._paused = True
                self._wifi.pause()  # a driver that is joining refuses
            try:
                look = ondemand.load("setup.scan").scan
                if _thread:
                    _thread.start_new_thread(self._look, (look,))
                else:
                    self._look(look)
            except (OSError, MemoryError) as e:
                self._found = e
        if self._found == "scanning":
            return None
        found, self._found = self._found, None
        ondemand.drop("setup.scan")
        if self._paused:
            self._paused = False
            self._wifi.resume()
        if isinstance(found, Exception):
            raise OSError(str(found))
        return found

    def _look(self, look):
        try:
            self._found = look()
        except (OSError, MemoryError) as e:
            self._found = e

    def _configure(self):
        try:
            self._wlan.config(ssid=self.name, key=self.password, security=_WPA2)
        except OSError:
            pass  # not at this time: see `start`
