# The session with the broker: umqtt.robust, with an end to every wait and a reason for every end.
import errno
import random
from time import ticks_diff, ticks_ms

from micropython import const
from umqtt import robust, simple

from .. import ondemand
from .backoff import Backoff
from .route import Route
from .stream import OVERSIZE, PUBACK, SUBACK, UNSUBACK

CONNECT_MS = 10000  # for the whole attempt: name, TCP, CONNACK, subscription
CALL_MS = 10000  # for any other call
_LOOK_MS = const(100)  # between two looks at what takes seconds
_STOP_MS = const(2000)  # for the last message of a planned stop
_RESUMED_MS = const(30000)  # away for longer than this, and queued commands may be stale

_REFUSED = const(("bad_credentials", "not_authorized"))


class LinkDown(Exception):
    """The session has ended. No OSError, or robust would catch it and connect inside a publish."""


class Session(robust.MQTTClient):
    """One node's session. The foreground calls; nothing here loops or blocks past its deadline.

    stream: the `Stream` that carries it; topics: `Topics`; settings: dict with `broker_host
    broker_port websocket websocket_port websocket_path broker_user broker_password keepalive_s
    backoff_min_ms stable_s`; long_away: False where it is known that the last session ended just
    now (a planned restart).
    Two hooks, to be set before the first call:
    on_command(topic, payload, retained, again, size) is called inside the umqtt callback: it
    must not publish and must not raise; payload is None where `size` bytes were too many, `again`
    is the DUP flag: the broker has sent it before, and had no acknowledgement.
    on_event(event, reason, detail) hears `connecting`, `connected`, `disconnected`, `error`.
    """

    def __init__(self, client_id, stream, topics, settings, long_away=True):
        user = settings["broker_user"]
        super().__init__(
            client_id.encode(),
            settings["broker_host"],
            settings["broker_port"],
            user.encode() if user else None,
            settings["broker_password"].encode() if user else None,
            settings["keepalive_s"],
        )
        simple.socket = stream  # umqtt makes its sockets from here
        self._stream = stream
        self.topics = topics
        self.prefix = topics.prefix
        self.on_command = self.on_event = None
        self._route = Route(settings)
        self._keepalive_ms = settings["keepalive_s"] * 1000
        self._stable_ms = settings["stable_s"] * 1000
        self._backoff = Backoff(settings["backoff_min_ms"], random.getrandbits)
        # "offline" → `connect` → "connecting" → subscribed → "online"
        # any error, from either → "offline" until the back-off has passed
        self.state = "offline"
        self.connects = 0
        self.settled = True  # False: commands that come now may have been queued for long
        self._since_ms = ticks_ms()  # of the state "online", or of its end
        # Two that ticks cannot tell for ever (they wrap), so they are noted when they become true:
        self._stable = False  # online for long enough to start the back-off again
        self._long_away = long_away  # offline for so long that queued commands may be stale
        self._looked_ms = ticks_ms()  # `keep_alive` was here
        self._pinged_ms = None  # a ping is on its way since
        self._pongs = 0  # of the stream, as last looked at
        self._commands = 0  # since that ping
        self._error = None
        self.set_callback(self._received)
        self.set_last_will(topics.online, b'{"online": false, "reason": "unexpected_disconnect"}',
                           True, 1)

    @property
    def online(self):
        return self.state == "online"

    @property
    def bytes_sent(self):
        """Since the start, over all sessions."""
        return self._stream.bytes_sent

    def due(self, now_ms):
        """Whether `connect` may be tried now; to be asked often."""
        if self.state == "offline" and ticks_diff(now_ms, self._since_ms) >= _RESUMED_MS:
            self._long_away = True
        return self.state == "offline" and self._backoff.due(now_ms)

    # What robust calls, made to return

    def log(self, in_reconnect, e):
        """Robust reports here what it swallows; `reconnect`, which it calls next, raises it."""
        self._error = e

    def reconnect(self):
        """No loop inside a publish: whoever called gets the error."""
        raise LinkDown()

    # For the foreground; each raises LinkDown when the session ended

    def connect(self, clean_session=False, timeout=None):
        """One attempt: connect, with the will set, and subscribe to our commands."""
        self.state = "connecting"
        self.on_event("connecting", None, None)
        self._stream.begin(CONNECT_MS, SUBACK)
        self.sock = None
        self.port, self._stream.websocket_path = self._route.choose()
        self._wrap_pid()
        try:
            resumed = super().connect(clean_session)
            self.settled = not (resumed and self._long_away)
            self._pinged_ms = None
            super().subscribe(self.topics.commands, 1)
        except Exception as e:
            self._ended(e)
        self.state = "online"
        self._route.connected(ticks_ms())
        self.connects += 1
        self._since_ms = self._looked_ms = ticks_ms()
        self._stable = False
        self.on_event("connected", None, "session resumed" if resumed else "new session")
        if not self.settled:
            self.ping()

    def publish(self, topic, payload, retain=False, qos=0, timeout_ms=CALL_MS):
        """Send one message; with QoS 1, return once it is acknowledged.

        With QoS 0 it leaves with what comes next, at the latest with `check` or `flush`: seven
        metrics in one TCP segment (and one TLS record) cost a third of seven.
        """
        if self.pid >= 65535:
            self._wrap_pid()
        self._stream.begin(timeout_ms, PUBACK)
        try:
            super().publish(topic, payload, retain, qos)
        except Exception as e:
            self._ended(e)

    def check(self):
        """Take in one packet if there is one; returns whether there was."""
        stream = self._stream
        stream.begin(CALL_MS)
        try:
            if stream.look():
                self.wait_msg()
                return True
        except Exception as e:
            self._ended(e)
        return False

    def flush(self):
        """Let go what waits to be sent (acknowledgements, as a rule)."""
        try:
            self._stream.flush()
        except Exception as e:
            self._ended(e)

    def idle(self):
        """Wait for the next packet, one tick at the most."""
        try:
            self._stream.wait_readable()
        except Exception as e:
            self._ended(e)

    def keep_alive(self, now_ms):
        """Ping a silent broker; give up a dead one, whatever TCP says."""
        stream = self._stream
        if self._pongs != stream.pongs:
            self._pongs = stream.pongs
            self._ponged()
        elif ticks_diff(now_ms, self._looked_ms) < _LOOK_MS:
            return
        self._looked_ms = now_ms
        if not self._stable and ticks_diff(now_ms, self._since_ms) >= self._stable_ms:
            self._stable = True
        self._route.watch(now_ms)
        silent_ms = ticks_diff(now_ms, stream.last_rx_ms)
        if silent_ms > self._keepalive_ms * 3 // 2:
            self._ended(OSError(errno.ETIMEDOUT, "nothing heard for %d s" % (silent_ms // 1000)))
        if silent_ms > self._keepalive_ms // 2 and (
                self._pinged_ms is None
                or ticks_diff(now_ms, self._pinged_ms) > self._keepalive_ms // 2):
            self.ping()

    def ping(self):
        """Ask the broker for a sign of life; it is noticed by `check`."""
        self._stream.begin(CALL_MS)
        try:
            super().ping()
            self._stream.flush()
        except Exception as e:
            self._ended(e)
        self._pinged_ms = ticks_ms()
        self._commands = 0

    def lost(self, reason, detail):
        """End the session for a reason that only others can see."""
        self._ended(LinkDown(reason, detail))

    def interrupted(self):
        """Ctrl-C came: if it was in the middle of a packet, nothing more can be said."""
        if self.online and not self._stream.idle:
            self._stream.abandon()
            self.state = "offline"

    def stop(self, payload, leave):
        """Planned end: the retained offline message, at most 2 s for its PUBACK, DISCONNECT.

        leave: unsubscribe too, since the node leaves for good; a restart wants its queue.
        payload: None for a stop that nobody is to notice.
        """
        if self.online:
            try:
                if payload:
                    self.publish(self.topics.online, payload, True, 1, _STOP_MS)
                if leave:
                    self.unsubscribe(self.topics.commands)
                self.disconnect()
            except (LinkDown, OSError):
                pass
        self._stream.close()
        self.state = "offline"

    # Inside

    def _received(self, topic, payload):
        self._commands += 1
        header = self._stream.header
        retained, again = bool(header & 1), bool(header & 8)
        if payload is OVERSIZE:
            self.on_command(topic, None, retained, again, self._stream.oversize)
        else:
            self.on_command(topic, payload, retained, again, len(payload))

    def _ponged(self):
        # After a long absence the broker delivers its queue in windows (Mosquitto: 20), each
        # after our acknowledgements of the last. A ping answered with no command in between
        # proves that the queue is empty.
        self._pinged_ms = None
        if not self.settled:
            if self._commands:
                self.ping()
            else:
                self.settled = True

    def unsubscribe(self, topic):
        """Want no more of this topic; waits for the answer."""
        # By hand: umqtt has it only from 1.7 on, and what we use must be in all.
        self._wrap_pid()
        self.pid += 1
        self._stream.begin(_STOP_MS, UNSUBACK)
        try:
            size = len(topic) + 4
            self._stream.write(bytes((0xA2, size)) if size < 128
                               else bytes((0xA2, size & 0x7F | 0x80, size >> 7)))
            self._stream.write(self.pid.to_bytes(2, "big"))
            self._stream.write(len(topic).to_bytes(2, "big"))
            self._stream.write(topic)
            while self.wait_msg() != UNSUBACK:
                pass
            self._stream.read(3)
        except Exception as e:
            self._ended(e)

    def _wrap_pid(self):
        if self.pid >= 65535:  # umqtt would go on to 65536, send 0 and wait for ever
            self.pid = 0

    def _ended(self, error):
        now_ms = ticks_ms()
        was_online = self.state == "online"
        self._stream.abandon()
        if self.state == "offline":
            raise LinkDown()
        if isinstance(error, LinkDown):  # ours, or what `reconnect` made of the real error
            reason, detail = error.args or self._explain(self._error)
        else:
            reason, detail = self._explain(error)
        self.state = "offline"
        if was_online:
            if self._stable or ticks_diff(now_ms, self._since_ms) >= self._stable_ms:
                self._backoff.restart()
            self._since_ms = now_ms
            self._long_away = False
        else:
            self._route.failed()
        self._backoff.failed(now_ms, reason in _REFUSED)
        ondemand.drop("mqtt.reasons")
        self.on_event("disconnected" if was_online else "error", reason, detail)
        raise LinkDown()

    def _explain(self, error):
        error = self._stream.explained(error)
        reasons = ondemand.load("mqtt.reasons")
        return reasons.explain(error, self._stream.phase, self.state == "online")
