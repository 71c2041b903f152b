"""Follows a node's log until it is online, or tells in words what keeps it from it."""

import re
import time

_ONLINE = "link: connected"
_LINK = re.compile(r"link: (?:error|disconnected): (\w+)(?: \((.*)\))?")
_ADVICE = {
    "no_wifi": "no Wi-Fi: {detail}. Check wifi_ssid and wifi_password; an ESP hears 2.4 GHz only",
    "dns_failed": "the name of the broker {host} was not found: {detail}",
    "unreachable": "nobody listens at {host}, port {port}: {detail}. Is the broker running there?",
    "timeout": "the broker {host}, port {port} does not answer: {detail}",
    "tls_failed": "no TLS with {host}, port {port}: {detail}",
    "bad_credentials": "the broker refuses broker_user and broker_password",
    "not_authorized": "the broker does not let {user} in: {detail}",
    "closed_before_connack": "{host}, port {port} hangs up: {detail}",
}
# Trying again does not help against these.
_FINAL = ("bad_credentials", "not_authorized")


class Follower:
    """Takes lines of the log. `ended` is None, "online" or "failed"; `trouble` says
    what was wrong last, in words, or is None.

    settings: of the node, as they are on the board.
    """

    def __init__(self, settings, say):
        self.ended = None
        self.trouble = None
        self._say = say
        self._words = {"host": settings.get("broker_host") or "(none set)",
                       "port": settings.get("broker_port", 1883),
                       "user": settings.get("broker_user") or "anybody without a user"}
        self._traceback = False
        self._crashes = 0

    def line(self, text):
        self._say("| " + text)
        if _ONLINE in text:
            self.ended = "online"
        found = _LINK.search(text)
        if found:
            reason, detail = found.groups()
            self.trouble = _ADVICE.get(reason, "%s: {detail}" % reason).format(
                detail=detail or "no details", **self._words)
            wrong_password = reason == "no_wifi" and "wrong password" in (detail or "")
            if reason in _FINAL or wrong_password:
                self.ended = "failed"
        if text.startswith("Traceback "):
            self._traceback = True
        elif self._traceback and text[:1] not in ("", " "):
            self._traceback = False
            self._crashes += 1
            self.trouble = "the firmware crashed: " + text
            if self._crashes > 1:  # once may be what was there before
                self.ended = "failed"


def follow(console, follower, patience_s):
    """Restart the board and feed its log to `follower` until that has an end, or patience has."""
    deadline = time.monotonic() + patience_s
    console.restart()
    rest = b""
    began = False
    while follower.ended is None and time.monotonic() < deadline:
        data = console.read(min(deadline - time.monotonic(), 1))
        *lines, rest = (rest + data).split(b"\n")
        for raw in lines:
            text = raw.decode("utf-8", "replace").rstrip()
            if began and text:
                follower.line(text)
            began = began or "soft reboot" in text
            if follower.ended:
                break
