# The trial of settings while the node runs with them, and what comes after it: the last word, to
# both trees where home, node or base have changed. Loaded at a start that finds a trial.
from time import ticks_diff, ticks_ms

from umqtt import simple

from .. import ondemand
from ..mqtt.session import CONNECT_MS, LinkDown
from ..mqtt.topics import Topics
from . import pending

TRIAL_MS = 120000
_RESPONSE = b"response/command"
# What the node retains (telemetry/status.py).
STATUS = (b"online", b"relay", b"firmware", b"rssi", b"health")
_ATTEMPTS = 3  # to leave another tree: its broker may close the connection for it


class Trial:
    """The settings stay once the node is online with them and a message of QoS 1 has been
    acknowledged; else, after 120 s, the node starts again with those before.

    record: as in pending.py.
    """

    def __init__(self, record, device, node, session, stream, commands, outbox, log):
        self._record = record
        self._node = node
        self._session = session
        self._stream = stream
        self._commands = commands
        self._outbox = outbox
        self._log = log
        self._began_ms = ticks_ms()
        # `_watch` → acknowledged: they are kept → `_tell`
        #          → too late: back, restart → in that life: `_tell`
        # `_tell` → answered → `_leave`, a step for each of `_left`, → None: over
        self._do = self._watch if record["values"] else self._tell
        if record["kept"] and record["values"]:
            self._do = None  # flash is full: the next start tries again
        self._payload = None  # of the last word
        self._left = self._attempts = 0
        other = record["new" if record["refused"] else "old"]
        self._other = Topics(*other)
        self._other_id = device.client_id(*other[1:]).encode()

    def step(self):
        """Go on; called often, online or not. Returns itself while there is more to do."""
        try:
            if self._do:
                self._do()
        except LinkDown:
            raise
        except Exception as e:
            self._log("config: %r" % e)
            self._do = None
            if not self._record["values"]:
                pending.forget()
            elif not self._record["kept"]:
                self._revert("internal error: %r" % e)
        if self._do:
            return self
        ondemand.drop("config.trial", "config.pending")
        return None

    def _watch(self):
        session = self._session
        if session.online:
            session.publish(session.prefix + _RESPONSE, self._commands.progress(
                self._record["request_id"], {"state": "trial"}), False, 1)
            pending.keep(self._record)
            self._log("config: the new settings stay")
            self._do = self._tell
        elif ticks_diff(ticks_ms(), self._began_ms) >= TRIAL_MS:
            self._revert(self._node.last_error or "not online in time")

    def _revert(self, why):
        pending.revert(self._record, why)
        self._log("config: back to the settings before: " + why)
        self._do = None
        self._node.restart()

    def _tell(self):
        if self._payload is None:
            if self._session.online and not self._outbox.full:
                record = self._record
                self._payload = self._commands.conclude(
                    _RESPONSE, record["request_id"], dict(record["result"], state="kept"),
                    record["refused"])
        elif self._outbox.answered():
            if self._other.prefix == self._session.prefix:
                self._end()
            else:
                self._do = self._leave

    def _leave(self):
        # Whoever knows the node by the other tree hears the last word there, too.
        session = self._session
        if not session.online:
            return
        if self._attempts == _ATTEMPTS:
            self._log("config: cannot clear " + str(self._other.prefix, "ascii"))
            self._end()
            return
        self._attempts += 1
        left = self._left
        prefix = self._other.prefix
        if not left:
            session.publish(prefix + _RESPONSE, self._payload, False, 1)
        elif left <= len(STATUS):
            session.publish(prefix + b"status/" + STATUS[left - 1], b"", True, 1)
        elif self._other_id == session.client_id:
            session.unsubscribe(self._other.commands)
            self._end()
        else:
            self._end_session()
        self._left += 1
        self._attempts = 0

    def _end_session(self):
        # Only with its client id a session can be ended: for a moment, this node has that one.
        session = self._session
        session.stop(None, False)
        self._node.session_event("disconnected", None, "to end the session of the other id")
        other = simple.MQTTClient(self._other_id, session.server, session.port, session.user,
                                  session.pswd)
        self._stream.begin(CONNECT_MS)
        try:
            other.connect(True)
            other.disconnect()
            self._stream.close()
        except Exception as e:
            self._stream.abandon()
            self._log("config: %r" % e)
            raise LinkDown()
        self._end()

    def _end(self):
        pending.forget()
        self._do = None
