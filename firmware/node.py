# The foreground: one loop that keeps the link and does everything that may take its time.
import gc
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from . import ondemand, storage
from .log import plain, shortened
from .mqtt.session import LinkDown

LAST_PATH = "relays.json"
_CHORES_MS = const(250)
_BACKFILL_MS = const(200)  # of an outage 5 messages a second
_LIVE_FIRST_MS = const(2000)  # after a connect: the first live values are up to a sample away
_NO_WIFI_MS = const(10000)  # joining takes a few seconds and is no error
_RESTART_MS = const(3000)  # how long a restart waits for its own answer to leave
_NEEDS_A_PERSON = const(("bad_credentials", "not_authorized", "tls_failed"))


class Node:
    """Runs the parts that `app.build` has made; it alone lets them talk to the network.

    boots: starts so far; crash: text of the last crash, or None.
    """

    def __init__(self, log, rhythm, house, wifi, sntp, outbox, backlog, session, commands, updates,
                 status, boots, reset_cause, crash):
        self._log = log
        self._rhythm = rhythm
        self._house = house
        self._wifi = wifi
        self._sntp = sntp
        self._outbox = outbox
        self._backlog = backlog
        self._session = session
        self._commands = commands
        self._updates = updates
        self._status = status
        self._boots = boots
        self._reset_cause = reset_cause
        self._crash = crash
        self.on_stop = None  # hook, called before a planned stop
        self.trial = None  # of settings, while there is one: config/trial.py
        self.entry = None  # `Entry` of the setup portal, to be set before the first call
        self.last_error = None  # of the link
        self._link_errors = 0  # attempts that failed, and sessions that were lost
        self._last_states = None  # of the relays, waiting to be written
        self._chores_ms = self._backfill_ms = ticks_ms()
        self._joined = False
        self._joined_ms = ticks_ms()  # last time there was Wi-Fi, or the start
        self._no_wifi_told = False
        # None → "restart", "update", "portal", "erase" or "shutdown": why `run` is to end
        self._stopping = None
        self._stopping_ms = ticks_ms()

    def run(self):
        """Work until somebody asks to stop; returns why, as in `_stopping`."""
        try:
            while self._stopping is None or not self._may_stop():
                self.step()
        except KeyboardInterrupt:
            self._stopping = "shutdown"
            self._session.interrupted()
        self._log("node: stops (%s)" % self._stopping)
        self._backlog.flush()
        if self.on_stop:
            self.on_stop()
        if self.metering:
            self.metering.energy.flush()
        reason = self._stopping
        leave = reason == "shutdown"
        if self._stopping == "erase":
            ondemand.load("setup.erase").erase(self._log)
            leave = True  # for good: it will be another node
        elif reason == "portal":
            reason = "restart"
        elif not leave and self._session.online:
            ondemand.load("device").stopped_online(self._log)
        self._session.stop(self._status.offline_payload("shutdown" if leave else reason),
                           leave=leave)
        if self._stopping == "portal":
            self.entry.leaving.mark()
        return self._stopping

    def rest(self):
        """Nobody ticks any more: leave no coil under current."""
        self._house.relays.rest()

    def step(self):
        """One round: a message out, a packet in, a chore."""
        now_ms = ticks_ms()
        self._house.checkpoint(now_ms)
        self._rhythm.beat()
        try:
            if ticks_diff(now_ms, self._chores_ms) >= _CHORES_MS:
                self._chores_ms = now_ms
                self._chores(now_ms)
            if self.entry.portal:
                self.entry.step()
            if self._session.online:
                self._serve(now_ms)
            elif self._session.due(now_ms) and self._joined and not self.entry.busy:
                gc.collect()
                self._session.connect()
            else:
                self._rhythm.wait(10)
        except LinkDown:
            pass  # the session has told why, and knows when to try again

    def restart(self, reason="restart"):
        """Start again, once the answers are out. reason: as in `_stopping`."""
        if self._stopping != "erase":
            self._stopping = reason
            self._stopping_ms = ticks_ms()

    def open_portal(self):
        """Start again with the setup portal in place of the node; False: it stops anyway."""
        if self._stopping is not None:
            return False
        self.restart("portal")
        return True

    def erase(self):
        """Forget the configuration, and start again with the defaults."""
        self.restart("erase")

    @property
    def metering(self):
        """`Metering`, None without a meter."""
        return self._house.metering

    @property
    def protection(self):
        """`Protection` of the relays, None where nothing is protected."""
        return self._house.relays.protection

    @property
    def meter_ok(self):
        """Whether the meter answers; False without one."""
        return self._house.meter_ok

    @property
    def slot(self):
        """What runs: `slots.current()`."""
        return self._updates.slot

    @property
    def updating(self):
        """Whether an update is under way, or on trial."""
        return self._updates.work is not None or self.slot["state"] == "trial"

    def keep_last(self, states):
        """The relays' states have held for a while: write them when there is time."""
        self._last_states = states

    def refresh(self):
        """Send everything once."""
        self._house.tell_all()
        self._status.connected(ticks_ms())

    def session_event(self, event, reason, detail):
        """The session's state has changed: log it, show it, tell it."""
        text = "link: " + event
        if reason:
            text += ": " + reason
            self.last_error = "%s: %s" % (reason, detail)
            self._link_errors += 1
        self._log("%s (%s)" % (text, detail) if detail else text)
        if event == "disconnected":
            self._backlog.offline()
        elif event == "connected":
            self._backlog.online()
            self._backfill_ms = ticks_add(ticks_ms(), _LIVE_FIRST_MS)
            # What was measured while away is not live any more; what is now, is told at once.
            self._outbox.drop_telemetry()
            self.refresh()
        if self._house.led:
            self._house.led.show_connection(_led_state(event, reason))

    def health(self):
        """What status/health says, but for the heap: (key, value) pairs."""
        return [
            ("tick_max_ms", self._rhythm.take_max_gap_ms()),
            ("reconnects", max(self._session.connects - 1, 0)),
            ("link_errors", self._link_errors),
            ("last_error", self.last_error and shortened(plain(self.last_error), 100)),
            ("boots", self._boots),
            ("reset_cause", self._reset_cause),
            ("crash", self._crash and shortened(plain(self._crash[-160:]), 240)),
            ("meter_ok", self._house.meter_ok),
            ("meter_errors", self._house.meter_errors),
            ("dropped", self._outbox.dropped + self._backlog.dropped),
            ("backlog", self._backlog.count),
            ("bytes_sent", self._session.bytes_sent),
        ]

    def _serve(self, now_ms):
        self._session.keep_alive(now_ms)
        self._commands.work()
        if self._updates.work:
            self._updates.service()
        self._house.tell()
        sent, qos = False, 0
        while not qos:  # those of QoS 0 share a segment
            message = self._outbox.next()
            if not message:
                break
            self._session.publish(self._session.prefix + message.topic, message.payload,
                                  message.retain, message.qos)
            self._outbox.sent(message)
            sent, qos = True, message.qos
        if not sent and ticks_diff(now_ms, self._backfill_ms) >= _BACKFILL_MS:
            sent = self._backfill(now_ms)
        if not self._session.check() and not sent:
            self._session.flush()
            self._session.idle()

    def _backfill(self, now_ms):
        # One message of the outage, if one is left; only its acknowledgement removes it.
        message = self._backlog.next()
        if not message:
            return False
        self._backfill_ms = now_ms
        self._session.publish(self._session.prefix + message[0], message[1], False, 1)
        self._backlog.done()
        return True

    def _chores(self, now_ms):
        self._backlog.service()
        if self.metering:
            self.metering.energy.service(now_ms)
        if self._last_states is not None:
            states, self._last_states = self._last_states, None
            try:
                storage.replace_json(LAST_PATH, states)
            except OSError as e:
                self._log("relays: cannot keep %s: %s" % (LAST_PATH, e))
        self._updates.service()
        if self.trial:
            self.trial = self.trial.step()
        self._watch_wifi(now_ms)
        if self._joined:
            self._sntp.service()
        if self._session.online:
            self._status.service(now_ms)

    def _watch_wifi(self, now_ms):
        self.entry.watch(now_ms, self._joined, self._joined_ms)
        if self.entry.busy:
            return
        joined = self._wifi.service(now_ms)
        if joined and not self._joined and not self._no_wifi_told and self._wifi.trouble():
            self.last_error = "no_wifi: " + self._wifi.trouble()  # of other networks
        self._joined = joined
        if joined:
            self._joined_ms = now_ms
            self._no_wifi_told = False
        elif self._session.online:
            self._no_wifi_told = True
            self._session.lost("no_wifi", "the access point is gone")
        elif not self._no_wifi_told and ticks_diff(now_ms, self._joined_ms) > _NO_WIFI_MS:
            self._no_wifi_told = True
            self.session_event("error", "no_wifi", self._wifi.trouble())

    def _may_stop(self):
        return not self._session.online or self._outbox.answered() \
            or ticks_diff(ticks_ms(), self._stopping_ms) > _RESTART_MS


def _led_state(event, reason):
    if event == "connected":
        return "online"
    if reason == "no_wifi":
        return "no_wifi"
    return "error" if reason in _NEEDS_A_PERSON else "connecting"
