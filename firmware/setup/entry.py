# When the setup portal opens, and when it closes again; the portal itself is loaded for it.
from time import ticks_diff

from micropython import const

from .. import ondemand
from . import DNS_PORT, PORT

_LOST_MS = const(600000)  # without Wi-Fi
_UNUSED_MS = const(600000)  # opened by the button, and nobody has come
_AGAIN_MS = const(60000)  # it could not be opened
_MODULES = ("setup.portal", "setup.http_server", "setup.form", "setup.access_point")


class Entry:
    """How somebody gets in who wants to set the node up.

    settings: those that run; name: of the access point; node: `Node`; resolver, clock, log.
    The foreground calls `step` often while there is a `portal`, and `watch` now and then.
    """

    def __init__(self, settings, name, chip, wifi, node, resolver, clock, log):
        self._settings = settings
        self._name = name
        self._chip = chip
        self._wifi = wifi
        self._node = node
        self._resolver = resolver
        self._clock = clock
        self._log = log
        self.leaving = None  # `Leaving`, where the access point opens in another life of the node
        # None → access point: no network in the settings, 10 minutes without one, or `ask`
        #        → None: saved (and a restart), a network is joined, nobody came for 10 minutes
        # None → in the house, with `portal_lan`: joined → None: not joined any more
        self.portal = None
        self._lan = False  # where `portal` is
        self._asked = False  # by the button
        self._since_ms = None  # nobody has been there; or the last failure to open
        self._busy = False

    def ask(self):
        """The button: open the access point, whatever the Wi-Fi is like. Called by a tick."""
        self._asked = True

    @property
    def busy(self):
        """Whether Wi-Fi and broker are better left alone: somebody is at work on them."""
        return self._busy

    def step(self):
        """Serve who is there."""
        try:
            self.portal.step()
        except Exception as e:  # the node goes on
            self._log("setup: %r" % e)
            self._close()

    def watch(self, now_ms, joined, joined_ms):
        """Open or close; joined_ms: when there was Wi-Fi for the last time."""
        if self.portal is None:
            if self._since_ms is not None and not self._asked \
                    and ticks_diff(now_ms, self._since_ms) < _AGAIN_MS:
                return
            lost = not joined and (
                ticks_diff(now_ms, joined_ms) >= _LOST_MS or not self._settings["wifi_ssid"]
                and not (self.leaving and self.leaving.patient))
            if (self._asked or lost) and self.leaving:
                self._since_ms = now_ms
                self.leaving.go(self._asked)
            elif self._asked or lost:
                self._open(now_ms, None)
            elif joined and self._settings["portal_lan"]:
                self._open(now_ms, self._wifi.address)
            return
        self._busy = self.portal.busy
        if self.portal.done:
            self._close()
            self._node.restart()
        elif self._lan:
            if not joined or self._asked:
                self._close()
        elif self._busy:
            self._since_ms = now_ms
        elif self._asked:
            if ticks_diff(now_ms, self._since_ms) >= _UNUSED_MS:
                self._asked = False
                self._close()
        elif joined:
            self._close()

    def _open(self, now_ms, lan_address):
        self._since_ms = now_ms
        self._lan = lan_address is not None
        try:
            point = ondemand.load("setup.access_point").AccessPoint(
                self._name, self._wifi, self._log)
            self.portal = ondemand.load("setup.portal").Portal(
                self._settings, point, self._check, self._save, self._log, lan_address, PORT,
                DNS_PORT)
        except (OSError, MemoryError) as e:
            self._asked = self._lan = False
            self._log("setup: the portal cannot be opened: %r" % e)
            ondemand.drop(*_MODULES)

    def _close(self):
        self.portal.close()
        self.portal = None
        self._busy = self._lan = False
        self._since_ms = None
        ondemand.drop(*_MODULES)

    def _check(self, wanted):
        return ondemand.load("setup.tryout").tryout(
            wanted, self._settings, self._wifi, self._resolver, self._secure)

    def _secure(self, wanted):
        # ValueError: TLS cannot be.
        if self._chip == "esp8266":
            raise ValueError("ESP8266 cannot check certificates: no TLS")
        return ondemand.load("mqtt.secure").of_settings(wanted, self._clock)

    def _save(self, values, energy=False):
        change = ondemand.load("config.store").change
        try:
            if energy:
                metering = self._node.metering
                ondemand.load("config.clear").clear(
                    metering and metering.energy, self._node.protection,
                    lambda: change(values))
            else:
                change(values)
        finally:
            change = None
            ondemand.drop("config.store", "config.schema", "config.limits", "config.clear")
