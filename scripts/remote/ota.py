"""The small questions about updates: how is it, stop it, back to the version before."""

import time

from .errors import RemoteError
from .screen import plain

ANSWER_S = 15.0
_TRIAL_S = 900.0  # a rollback is answered when the version before has passed its trial
_RETAINED_S = 1.0
_FIRST = ("state", "slot", "version", "reason", "floor")


def status(link, screen, request_id):
    """Print what the node says of its firmware; returns the exit code."""
    online = link.meet()
    result = _ask(link, request_id, "status").get("result") if online else None
    if not link.firmware:
        link.next(_RETAINED_S)
    about = dict(link.firmware, **(result if isinstance(result, dict) else {}))
    about.pop("timestamp", None)
    note = "" if online else " is offline; when it was online:"
    screen.line("%-14s %s%s" % ("node", link.node, note))
    names = [name for name in _FIRST if name in about]
    for name in names + [name for name in about if name not in names]:
        value = about[name]
        if isinstance(value, list):
            value = ", ".join(map(str, value))
        if value not in (None, ""):
            screen.line("%-14s %s" % (name, told(value)))
    return 0 if online else 1


def abort(link, screen, request_id):
    return _order(link, screen, request_id, "abort")


def rollback(link, screen, request_id):
    return _order(link, screen, request_id, "rollback")


def _order(link, screen, request_id, action):
    if not link.meet():
        raise RemoteError("%s is offline" % link.node)
    message = _ask(link, request_id, action)
    while message.get("status") == "progress":
        screen.line(told(message.get("result")))
        message = _answer(link, request_id, action, _TRIAL_S)
    screen.line(told(message.get("result")))
    return 0


def _ask(link, request_id, action):
    link.ask({"action": action, "request_id": request_id})
    return _answer(link, request_id, action, ANSWER_S)


def _answer(link, request_id, action, timeout_s):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        event = link.next(end - time.monotonic())
        if event and event[0] == "response/ota" and event[1].get("request_id") == request_id:
            message = event[1]
            if message.get("status") == "error":
                raise RemoteError("%s: %s" % (link.node, failure(message)))
            return message
    raise RemoteError("%s has not answered %s for %d s" % (link.node, action, timeout_s))


def failure(message):
    """The code and the text of an error, on one line."""
    error = message.get("error")
    if not isinstance(error, dict):
        return "error"
    return plain("%s: %s" % (error.get("code"), error.get("message")))


def told(result):
    """A result as text: "downloading 40 %, version 1.4.0"."""
    if not isinstance(result, dict):
        return str(result)
    text = str(result.get("state", ""))
    if result.get("percent"):
        text += " %s %%" % result["percent"]
    if result.get("version"):
        text += ", version %s" % result["version"]
    return text
