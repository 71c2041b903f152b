# The setup portal in place of the node, for a chip on which both do not fit (ESP8266).
# No metering, no protection, no MQTT: leaving.py says when that may be. Relays stay as they are.
from time import sleep_ms, ticks_diff, ticks_ms

import network
from micropython import const

from .. import ondemand, storage
from . import DNS_PORT, MARK, PORT

_PAUSE_MS = const(5)
_WATCH_MS = const(250)
_LOST_MS = const(300000)  # nobody has come: the node tries its networks again
_ASKED_MS = const(600000)  # opened by the button, and nobody has come
_NOTE = ("While this page is open this node does not measure, protects no relay and is not "
         "online. Its relays stay as they are. It comes back by itself.")
_IDLE_MS = const(1800000)  # a phone has joined, perhaps by itself, and nobody asks for anything


def run(asked):
    """Serve the portal until somebody has used it, or nobody comes; returns why the next start is
    due: "restart", or "shutdown" after Ctrl-C. None: the power was cut, so the node is due.

    asked: by the button; else the Wi-Fi is lost, or there is none in the settings.
    """
    one = ondemand.load("setup.alone_start").made(Alone, asked)
    ondemand.drop("setup.alone_start")
    if one is None:
        return None
    one.open()
    try:
        one.work()
    except KeyboardInterrupt:
        return "shutdown"
    finally:
        one.close()
    one.settle()
    return "restart"


class Alone:
    """`ending`: None → "saved", "unused", "hand" (of who wants the node back) or "erase".

    settings: complete; chip: of the board; board_id: end of its names. To inputs it is `Relays`.
    """

    protection = None  # of those: no trip to clear

    def __init__(self, settings, chip, board_id, asked):
        self.ending = None
        self.background = []  # what has a tick
        self._settings = settings
        self._chip = chip
        self._board_id = board_id
        self._quiet_ms = _ASKED_MS if asked else _LOST_MS
        self._portal = self._scan = None
        self._began_ms = self._left_ms = self._used_ms = self._watched_ms = ticks_ms()

    def open(self):
        """Begin to serve. OSError."""
        station = network.WLAN(network.STA_IF)
        station.active(True)  # for the scan
        try:
            station.disconnect()  # it joins by itself, and takes us to other channels
        except OSError:
            pass
        point = ondemand.load("setup.access_point").AccessPoint(
            "homesync-" + self._board_id, self, self.log)
        self._scan = point.scan
        point.scan = self._look
        self._portal = ondemand.load("setup.portal").Portal(
            self._settings, point, self._check, self._save, self.log, None, PORT, DNS_PORT,
            _NOTE)

    def work(self):
        """Go on until there is an `ending`."""
        while self.ending is None:
            now_ms = ticks_ms()
            try:
                self._portal.step()
            except MemoryError:
                self.log("out of memory")  # a phone that asks for much at once; it asks again
            for one in self.background:
                one.tick(now_ms)
            if ticks_diff(now_ms, self._watched_ms) >= _WATCH_MS:
                self._watched_ms = now_ms
                self._watch(now_ms)
            sleep_ms(_PAUSE_MS)

    def close(self):
        self._portal.close()

    def settle(self):
        """Get the next start ready."""
        self.log("portal mode ends (%s)" % self.ending)
        if self.ending == "erase":
            ondemand.load("setup.erase").erase(self.log)
        elif self.ending == "hand" and not self._settings["wifi_ssid"]:
            try:
                storage.replace(MARK, b"back")  # or it would be here again at once
            except OSError:
                pass
        # An ESP8266 names its last hardware reset as the cause of this start, too.
        ondemand.with_slots(lambda slots: slots.settled())

    # As `Relays`, to inputs, and their hooks

    def toggle(self, index, source, now_ms):
        self.ending = "hand"

    def set(self, index, on, source, now_ms):
        self.ending = "hand"

    def back(self):
        self.ending = "hand"

    def erase(self):
        self.ending = "erase"

    # As `Wifi`, to the access point: nothing is joined

    def pause(self):
        pass

    def resume(self):
        pass

    def _watch(self, now_ms):
        if self._portal.busy:
            self._left_ms = now_ms
        if self._portal.done:
            self.ending = "saved"
        elif self._settings["wifi_ssid"] and (  # without, there is nothing to go back to
                ticks_diff(now_ms, self._left_ms) >= self._quiet_ms
                or ticks_diff(now_ms, self._used_ms) >= _IDLE_MS):
            self.ending = "unused"

    def _look(self):
        self._used_ms = ticks_ms()  # the page does so when it is opened
        return self._scan()

    def _check(self, wanted):
        self._used_ms = ticks_ms()
        _forget()
        wifi = ondemand.load("setup.wifi").Wifi(self._settings, self._chip, self.log, False)
        try:
            yield from ondemand.load("setup.tryout").tryout(
                wanted, self._settings, wifi,
                ondemand.load("resolver").Resolver(wifi.dns_servers), _no_tls)
        finally:
            wifi = None
            ondemand.drop("setup.wifi", "setup.tryout", "dial", "resolver")

    def _save(self, values, energy):
        self._used_ms = ticks_ms()

        def write():
            ondemand.load("config.store").change(values)

        try:
            if energy:
                clear = ondemand.load("config.clear")
                clear.clear(clear.of_flash(self.log), None, write)
            else:
                write()
        finally:
            clear = None
            ondemand.drop("config.clear")
            _forget()

    def log(self, text):
        # Printed only: nobody can read it from afar here.
        print("+%ds %s" % (ticks_diff(ticks_ms(), self._began_ms) // 1000, text))


def _no_tls(settings):
    raise ValueError("ESP8266 cannot check certificates: no TLS")


def _forget():
    # What checks settings, and what that has loaded (log and timestamp: nothing else here has).
    ondemand.drop("config.store", "config.schema", "config.limits", "log", "timestamp")
