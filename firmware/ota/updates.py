# What of updating is always there: it takes blocks, looks after a trial, and loads the rest.
import sys
from time import ticks_diff, ticks_ms

from micropython import const

from .. import VERSION, ondemand, storage
from ..mqtt.commands import Refused, Underway
from ..mqtt.session import LinkDown
from ..ondemand import with_slots
from . import JOB

_BLOCK = const(0xB1)  # first byte; JSON never begins with it
_COMMAND_BYTES = const(2048)  # no offer is longer: what is, and found no room, was a block
_SETTLED_MS = const(60000)
_RECOVERY_MS = const(300000)
_MODULES = ("ota.actions", "ota.offer", "ota.signature")
_OF_WORK = ("ota.updater", "ota.blocks", "ota.http", "ota.bundle", "ota.trial", "ota.ending",
            "ota.job", "dial")


class Updates:
    """Handler of `command/ota` (the actions are in actions.py), and host of what goes on.

    slot: `slots.current()`; chip: of the board profile; node, house: set before the first call.
    """

    deferred = True

    def __init__(self, slot, chip, settings, clock, log, rhythm, stream, session, commands,
                 outbox):
        self.slot = slot
        self.chip = chip
        self.log = log
        self.beat = rhythm.beat
        self.stream = stream
        self.session = session
        self.commands = commands
        self.outbox = outbox
        self.node = None
        self.ignored = 0  # blocks that nobody asked for
        self._told_ignored = False
        self._settings = settings
        self._clock = clock
        self._began_ms = ticks_ms()
        # None → `Updater` (by an offer, or a job found at the start) → restart → `Trial` (at the
        # start) → `Ending` → None; an `Updater` that gives up goes to its `Ending`, too
        self.work = None
        self._resume = slot["state"] == "trial" or storage.size(JOB) is not None
        self._settled = slot["slot"] not in ("a", "b")
        self._recovering = slot["state"] == "recovery"

    # As a handler of commands

    def prepare(self, action, command):
        self._take_up()  # before an offer could take its place
        return ondemand.load("ota.actions").prepare(self, action, command)

    def state(self):
        if self.work:
            raise Underway(self.work.result())
        return {"state": self.slot["state"], "version": VERSION}

    def done(self):
        sys.modules.pop("slots", None)
        ondemand.drop(*_MODULES)
        if self.work is None:
            ondemand.drop(*_OF_WORK)

    def block(self, payload, retained, size):
        """Whether the payload was a block; the one that was asked for is taken."""
        blocks = getattr(self.work, "blocks", None)
        if not retained and blocks and blocks.receive(payload, size):
            return True
        if size <= _COMMAND_BYTES if payload is None else payload[0] != _BLOCK:
            return False
        self.ignored += 1
        if not self._told_ignored and not self.outbox.full:
            self._told_ignored = True
            self.conclude(None, None, ("unexpected_block", "nobody asked for this block; more of "
                                                           "them are counted, not answered"))
        return True

    # For the node

    def service(self):
        """Go on with what is under way; called often while there is `work`, else now and then,
        online or not."""
        age_ms = ticks_diff(ticks_ms(), self._began_ms)
        if not self._settled and age_ms >= _SETTLED_MS:
            self._settled = True
            with_slots(lambda slots: slots.settled())
        if self._recovering and self.work is None and age_ms >= _RECOVERY_MS:
            self._recovering = False
            self.node.restart()  # what crashed may be well by now
        if not self.session.online and self.slot["state"] != "trial":
            return
        if self._resume or self.work:
            self._step()

    # For what goes on

    def tell(self, request_id, result):
        """Progress; the newest replaces one that has not left yet."""
        self.outbox.put_telemetry(b"response/ota", self.commands.progress(request_id, result))

    def conclude(self, request_id, result, refused):
        """The last word."""
        self.commands.conclude(b"response/ota", request_id, result, refused)

    def begin(self, work):
        """An update begins."""
        self._told_ignored = False
        self.work = work

    def confirm(self):
        """The version on trial stays."""
        self.slot = with_slots(_confirmed)
        self.log("update: version %s stays" % VERSION)
        self.node.refresh()

    def fail(self, reason, last=False):
        """The version on trial is not well. last: no more tries."""
        self.log("update: version %s: %s" % (VERSION, reason))
        with_slots(lambda slots: slots.fail(reason, last))
        self.node.restart("update")

    def meter_ok(self):
        return self.node.meter_ok

    def has_meter(self):
        return self.node.metering is not None

    def secure(self):
        """TLS for other servers than the broker; Refused if there is none."""
        if self.chip == "esp8266":
            raise Refused("http", "ESP8266 cannot check certificates: use http:// (the bundle is "
                                  "signed)")
        if self.stream.secure:
            return self.stream.secure
        from ..mqtt.secure import of_settings
        try:
            return of_settings(self._settings, self._clock)
        except (OSError, ValueError) as e:
            raise Refused("http", str(e))

    def _take_up(self):
        # What the start has found; here, since it may load much.
        if self._resume:
            self._resume = False
            self.work = ondemand.load("ota.actions").resume(self)
            self.done()

    def _step(self):
        try:
            self._take_up()
            if self.work:
                self.work = self.work.step()
        except Exception as e:
            if isinstance(e, LinkDown) or self.slot["state"] == "trial":
                raise  # a version that cannot even do this is not well: its try has failed
            self.log("update: internal error: %r" % e)  # the node goes on
            give_up = getattr(self.work, "give_up", None)
            self.work = give_up and give_up("internal_error", repr(e))
        if self.work is None:
            self.done()


def _confirmed(slots):
    slots.confirm()
    return slots.current()
