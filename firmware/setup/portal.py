# The setup portal: the node's own Wi-Fi network with one page, to say how it gets into the house.
# Loaded for it, then dropped.
import binascii
import json
import os
import sys
from time import ticks_diff, ticks_ms

from micropython import const

from .. import VERSION, ondemand, storage, strict_json
from . import form
from .http_server import Bad, HttpServer

# Not `const`: tests do not wait that long.
REST_MS = 2000  # from saving to the end: the page is to hear of it

_NETWORKS = const(20)
_HTML = const("Content-Type: text/html; charset=utf-8\r\nContent-Security-Policy: "
              "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
              "connect-src 'self'; form-action 'none'; base-uri 'none'; "
              "frame-ancestors 'none'\r\n")
_JSON = const("Content-Type: application/json\r\n")
_LOGIN = const('WWW-Authenticate: Basic realm="node setup"\r\n')


class Portal:
    """Open from the start until `close`; `step` it often, it returns within milliseconds.

    settings: those that run, complete; ap: `AccessPoint`, or what has its names.
    check(settings) begins a try-out of complete settings: `tryout.tryout`.
    save({key: value}, energy) keeps checked settings for the next start, and clears energy totals
    and trips if `energy`; ValueError or OSError say why it cannot, and nothing has changed.
    lan_address: None, or a function that returns our IPv4 address in the house: then the page is
    there, for any user name with the password of the access point, which stays closed.
    note: a sentence about this node, for whoever opens the page.
    OSError if it cannot listen.

    `done`: settings were saved, and the page has heard of it: time for a restart.
    """

    def __init__(self, settings, ap, check, save, log, lan_address=None, port=80, dns_port=53,
                 note=""):
        self._settings = settings
        self._ap = ap
        self._check = check
        self._save = save
        self._log = log
        self._note = note
        self._lan = lan_address is not None
        self._address = lan_address or ap.address
        self._port = "" if port == 80 else ":%d" % port
        self._token = _hex(os.urandom(8))
        # Of the try-out: None → its steps → None; what it said last is (state, text), with state
        # "none" → "testing" → "good" or "bad".
        self._steps = None
        self._told = "none", ""
        self._saved_ms = None
        self._server = self._dns = None
        try:
            if self._lan:
                self._server = HttpServer("0.0.0.0", port, self._answer, log)
                return
            ap.start()
            address = ap.address()
            near = address[:address.rfind(".") + 1]
            self._server = HttpServer(address, port, self._answer, log, near)
            self._dns = ondemand.load("setup.captive_dns").CaptiveDns(address, dns_port)
        except OSError:
            self.close()
            raise

    @property
    def done(self):
        return self._saved_ms is not None and ticks_diff(ticks_ms(), self._saved_ms) > REST_MS

    @property
    def busy(self):
        """Whether the radio is better left alone: a device has joined, or a test is running."""
        return self._steps is not None or not self._lan and self._ap.joined() > 0

    def step(self):
        """Go on with all that is under way."""
        if self._dns:
            self._dns.step()
        self._server.step()
        if self._steps:
            try:
                told = next(self._steps)
            except StopIteration:
                self._end_test()
                return
            except MemoryError:
                self._steps = None
                told = False, "Out of memory; the settings may be right all the same."
            except Exception as e:  # whatever it is, the node goes on
                self._steps = None
                told = False, "internal error: %r" % e
            if isinstance(told, tuple):
                self._told = "good" if told[0] else "bad", told[1]
                self._log("setup: test: " + told[1])
            else:
                self._told = "testing", told

    def close(self):
        """Stop all of it, and close the access point."""
        self._end_test()
        if self._server:
            self._server.close()
        if self._dns:
            self._dns.close()
        if not self._lan:
            self._ap.stop()
        ondemand.drop("setup.captive_dns", "setup.tryout", "dial")

    def _answer(self, method, path, fields, body):
        # Of the web server. First who asks and from where, then what.
        host = str(fields.get(b"host", b""), "utf-8").lower()
        if host not in self._hosts():
            # A name that leads here is either the phone looking for the internet, or a page of
            # somebody else whose name was pointed at us.
            if method == b"GET" and not self._lan:
                there = "http://%s%s/" % (self._address(), self._port)
                return 302, "Location: %s\r\n" % there, ""
            raise Bad(421, "ask for %s" % self._address())
        if self._lan and not self._known(fields.get(b"authorization", b"")):
            raise Bad(401, "the password of this node's setup network is needed", _LOGIN)
        allowed = _ROUTES.get(path)
        if not allowed:
            raise Bad(404, "there is only /")
        if method not in allowed:
            raise Bad(405, "not by this method",
                      "Allow: %s\r\n" % str(b", ".join(allowed), "ascii"))
        origin = fields.get(b"origin")
        if origin is not None and origin.lower() != ("http://" + host).encode():
            raise Bad(403, "asked by the page of another site")
        if path == b"/":
            return 200, _HTML, _page()
        if path == b"/state":
            return self._json(200, self._state())
        # No other site can read the token out of /state, or send this header.
        if fields.get(b"x-token") != self._token.encode():
            raise Bad(403, "the page is out of date: reload it")
        if path == b"/scan":
            return self._json(200, self._scan())
        if method == b"GET":
            return self._json(200, {"state": self._told[0], "text": self._told[1]})
        return self._take(path, fields, body)

    def _take(self, path, fields, body):
        # What was posted to /test or /save.
        kind = fields.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
        if kind != b"application/json":
            raise Bad(415, "only application/json")
        if self._saved_ms is not None:
            raise Bad(503, "it restarts", "Retry-After: 10\r\n")
        try:
            posted = strict_json.loads(str(body, "utf-8"))
        except ValueError:  # UnicodeError is one
            raise Bad(400, "this is no JSON")
        body = None
        energy = posted.pop("energy", False) if isinstance(posted, dict) else False
        merged, wrong = form.checked(posted, self._settings, boards())
        if not isinstance(energy, bool):
            wrong["energy"] = "must be true or false"
        if wrong:
            return self._json(422, {"wrong": wrong})
        self._end_test()
        if path == b"/test":
            self._told = "testing", ""
            self._steps = self._check(merged)
            return self._json(202, {"state": "testing", "text": ""})
        changed = {key: merged[key] for key in form.KEYS if merged[key] != self._settings[key]}
        try:
            self._save(changed, energy)
        except ValueError as e:
            return self._json(422, {"wrong": {"": str(e)}})
        except OSError as e:
            raise Bad(500, "the settings cannot be written: %s" % e)
        self._log("setup: saved %s%s" % (
            ", ".join(sorted(changed)), "; energy and trips cleared" if energy else ""))
        self._saved_ms = ticks_ms()
        return self._json(200, {"saved": True})

    def _hosts(self):
        # What the node is called by who means it: its address, on the LAN its name, too.
        names = [self._address()]
        if self._lan:
            name = (self._settings["hostname"]
                    or self._settings["node_id"].replace("_", "-")).lower()
            names += [name, name + ".local"]
        return [name + self._port for name in names]

    def _known(self, authorization):
        try:
            kind, text = authorization.split(b" ", 1)
            text = binascii.a2b_base64(text)
        except ValueError:
            return False
        at = text.find(b":")
        return kind.lower() == b"basic" and at >= 0 \
            and text[at + 1:] == self._ap.password.encode()

    def _state(self):
        values, hidden = form.shown(self._settings)
        return {"token": self._token, "lan": self._lan, "values": values, "hidden": hidden,
                "about": "%s, version %s. %s" % (self._ap.name, VERSION, self._note),
                "boards": boards()}

    def _scan(self):
        if self._steps:
            raise Bad(503, "not while testing", "Retry-After: 10\r\n")
        try:
            found = self._ap.scan()
        except OSError as e:
            raise Bad(503, "the scan failed: %s" % e, "Retry-After: 5\r\n")
        return {"networks": found and found[:_NETWORKS] or found}

    def _json(self, status, value):
        return status, _JSON, json.dumps(value)

    def _end_test(self):
        steps, self._steps = self._steps, None
        if steps:
            steps.close()


_GET = (b"GET",)
_POST = (b"POST",)
_ROUTES = {b"/": _GET, b"/state": _GET, b"/scan": _GET, b"/test": _GET + _POST, b"/save": _POST}


def boards():
    """The names of the board profiles, sorted."""
    names = []
    for folder in sys.path:  # as storage.beside finds one of them
        try:
            files = os.listdir((folder + "/" if folder else "") + "firmware/boards")
        except OSError:
            continue
        names += [name[:-5] for name in files if name[-5:] == ".json"]
    return sorted(set(names))


def _page():
    # An open file, and its size.
    path = storage.beside("firmware/setup/page.html")
    if path is None:
        raise Bad(500, "the page is missing: flash the node again")
    return open(path, "rb"), storage.size(path)


def _hex(data):
    return str(binascii.hexlify(data), "ascii")
