"""One update from the offer to its end: offers, serves blocks, tells what the node says."""

import os
import time

from .errors import RemoteError
from .ota import failure
from .screen import Download, plain

UNANSWERED_S = 30.0  # an offer; the node checks a signature first, and may be a slow one
MISSED_S = 10.0  # after the broker was lost: the node asks for a block every 5 s
OFFERS = 4  # unanswered, to a node that is online
STALE_S = 25.0  # a node refuses commands older than 30 s
_TRIAL_S = 300


class Push:
    """Offers a bundle to a node and follows the update; `run` returns the exit code.

    The node's final answer may get lost while the broker is away, and an offer while the node is.
    So an offer is repeated, under a new id, where nothing is heard: a node that has the update
    under way goes on with it and answers the new one too, one that runs it says so.
    """

    def __init__(self, link, screen, sender, offer, options):
        self._link = link
        self._screen = screen
        self._sender = sender
        self._offer = offer  # the fields of the command, without action and ids
        self._node = options.node
        self._timeout_s = options.timeout
        self._wait = options.wait
        # What the node said last: None until it answers, then "downloading", "verifying",
        # "installing", "restarting", "trial". May fall back to "downloading" at any time.
        self._state = None
        self._since = 0.0
        self._percent = None
        self._download = None
        # When to offer again unless something is heard; None while there is no need.
        self._offer_at = 0.0
        self._offered_at = 0.0
        self._offers = 0
        self._heard_at = time.monotonic()
        self._online = None

    def run(self):
        try:
            self._turned(self._link.meet(), self._link.nodes[self._node].get("reason"))
            while True:
                self._offer_if_due()
                if time.monotonic() - self._heard_at > self._timeout_s:
                    self._give_up()
                event = self._link.next(0.5)
                if event and self._take(*event):
                    return 0
                self._show()
        except KeyboardInterrupt:
            self._stopped()
            raise
        finally:
            self._screen.status("")

    def _give_up(self):
        silence = "nothing heard from %s for %g s" % (self._node, self._timeout_s)
        if self._state:
            silence += "; it may still go on by itself: `scripts/nodectl ota status` tells"
        raise RemoteError(silence)

    def _stopped(self):
        if self._state in (None, "downloading"):
            if self._offered_at:
                self._screen.line("stopped; %s keeps what it has" % self._node)
                self._screen.line("the same command again goes on; to give up: "
                                  "scripts/nodectl ota abort --node " + self._node)
        else:
            self._screen.line("%s goes on by itself; `scripts/nodectl ota status` tells"
                              % self._node)

    def _offer_if_due(self):
        now = time.monotonic()
        if self._offer_at is None or now < self._offer_at or not self._online \
                or not self._link.connected:
            return
        if self._offers == OFFERS:
            raise RemoteError("%s is online, but does not answer offers: can its firmware take "
                              "updates?" % self._node)
        if not self._offered_at:
            self._screen.line("offered")
        else:
            self._sender.request_ids.append(new_id())
            if self._offers:
                self._screen.line("offered again: no answer yet")
        self._offers += 1
        self._offered_at = now
        self._offer_at = now + UNANSWERED_S
        self._link.ask(dict(self._offer, action="offer", request_id=self._sender.request_ids[-1]))

    def _take(self, what, message, retained):
        """Handle one event; True at the good end."""
        if what == "lost":
            self._screen.line("the broker is lost: trying again")
        elif what == "back":
            self._screen.line("the broker is back")
            if self._offered_at:
                self._offer_at = time.monotonic() + MISSED_S
        elif what == "status/online":
            self._turned(message.get("online") is True, message.get("reason"))
        elif what == "response/ota" and not retained \
                and message.get("request_id") in self._sender.request_ids:
            return self._answered(message)
        return self._done()

    def _turned(self, online, reason=None):
        """The node is online or not: tell it where that is news."""
        if online == self._online:
            return
        was, self._online = self._online, online
        self._heard_at = time.monotonic()
        if not online and reason == "update" and self._state:
            self._enter("restarting")
        if not online and self._state != "restarting":
            self._screen.line("%s is offline%s: waiting for it"
                              % (self._node, " (%s)" % reason if reason else ""))
        elif online and was is not None:
            self._screen.line("%s is online" % self._node)

    def _answered(self, message):
        status, result = message.get("status"), message.get("result")
        if status == "error":
            self._refused(message)
            return False
        self._offer_at, self._offers = None, 0
        if not isinstance(result, dict):
            return False
        if status == "success":
            if result.get("state") != "confirmed":
                raise RemoteError("%s ended with %s" % (self._node, plain(result.get("state"))))
            self._screen.line("confirmed: %s runs %s" % (
                self._node, result.get("version", self._offer["version"])))
            return True
        self._progress(message, result)
        return self._done()

    def _refused(self, message):
        """An error: the end, unless it is about an offer that was repeated in the meantime."""
        code = message["error"].get("code") if isinstance(message.get("error"), dict) else None
        old = message["request_id"] != self._sender.request_ids[-1]
        if code in ("busy", "expired") and (old or self._state):
            return
        if code == "expired" and time.monotonic() - self._offered_at > STALE_S:
            self._offer_at = 0.0  # it lay at the broker while the node was away
            return
        text = failure(message)
        if code == "expired":
            text += " (the clock of this machine or of the node is wrong)"
        elif code == "known_bad" and self._link.firmware.get("state") == "rolled_back":
            text += " (%s)" % plain(self._link.firmware.get("reason"))
        raise RemoteError("%s: %s" % (self._node, text))

    def _progress(self, message, result):
        offset = None
        if "need" in result:
            block = self._sender.answer(message)
            if block is None:
                return  # not heard: a node that asks for nonsense only is to time out
            self._link.block(block)
            offset = result["need"]["offset"]
        self._heard_at = time.monotonic()
        percent = result.get("percent")
        self._percent = percent if type(percent) in (int, float) and 0 <= percent <= 100 else None
        state = result.get("state")
        if state in ("confirmed", "failed"):
            # The last word is on its way to an offer of somebody before us: ask for our own.
            self._offer_at = self._heard_at + MISSED_S
            return
        if offset is not None:
            state = "downloading"
        elif self._percent is not None:
            offset = self._offer["size"] * int(self._percent) // 100
        if isinstance(state, str):
            self._enter(state, offset or 0)
        if state == "downloading" and offset is not None:
            before = self._download.percent
            self._download.reached(offset)
            if not self._screen.live and self._download.percent // 10 > before // 10:
                self._screen.line("downloading " + self._download.text())

    def _enter(self, state, offset=0):
        """Tell of a new state, once."""
        if state == self._state:
            return
        if self._state == "downloading" and state in ("verifying", "installing", "restarting"):
            self._download.reached(self._download.total)
            self._screen.line("downloaded  " + self._download.summary())
        was, self._state = self._state, state
        self._since = time.monotonic()
        if state == "downloading":
            self._download = Download(self._offer["size"], offset)
            self._screen.line("downloading" if not offset else
                              "downloading: the node has %.1f KB already" % (offset / 1024))
        elif state == "restarting":
            self._screen.line("restarting into %s" % self._offer["version"] if was != "trial" else
                              "restarting: the node did not find itself well")
        elif state == "trial":
            self._screen.line("trial: waits %d min until the node finds itself well"
                              % (_TRIAL_S // 60))
        else:
            self._screen.line(state)

    def _done(self):
        """With --no-wait: whether the node has all it needs."""
        if self._wait or self._state not in ("restarting", "trial"):
            return False
        self._screen.line("not confirmed yet: `scripts/nodectl ota status` tells")
        return True

    def _show(self):
        """Rewrite the line of what is going on."""
        if not self._screen.live:
            return
        if not self._link.connected:
            text = "waiting for the broker"
        elif not self._online and self._state != "restarting":
            text = "waiting for %s" % self._node
        elif self._state == "downloading":
            text = "%s %s" % (self._download.bar(), self._download.text())
        else:
            seconds = int(time.monotonic() - (self._since or self._offered_at))
            text = "%s %d:%02d" % (self._state or "checking the offer", seconds // 60,
                                   seconds % 60)
            if self._percent is not None and self._state in ("verifying", "installing"):
                text += "  %d %%" % self._percent
        self._screen.status(text)


def new_id():
    return "push-" + os.urandom(6).hex()
