# Commands: what each must survive before it is executed, and the answer to every one.
import json
from hashlib import sha256
from time import ticks_diff, ticks_ms

from micropython import const

from ..log import plain, shortened
from ..strict_json import loads
from ..timestamp import parse_timestamp
from .outbox import PAYLOAD_BYTES

_REQUEST_ID_CHARS = const(64)
_ANSWERS = const(16)
_ANSWER_BYTES = const(256)  # longer ones (a page of `get` or `log`) are not kept for a repeat
_FRESH_S = const(30)  # a command older than this, or further in the future, is not executed
_OVERLOADED_MS = const(1000)
_MESSAGE_BYTES = const(160)
RESULT_BYTES = 632  # beside the longest request id, timestamp, keys and `duplicate`


class Refused(Exception):
    """A command that is not executed. args: error code, message."""


class Underway(Exception):
    """A command that is being carried out for longer; whoever does it answers in the end with
    `conclude`. args: the progress so far, as a dict."""


class Job:
    """A command that has passed all checks; `digest` is the hash that it is known by."""

    def __init__(self, kind, response, request_id, digest, run):
        self.kind = kind
        self.response = response
        self.request_id = request_id
        self.digest = digest
        self.run = run


class Commands:
    """Checks, executes and answers what arrives on `command/+`.

    handlers: {last level of the topic: handler}. A handler has
        prepare(action, command) → callable without arguments, after checking every argument;
            raises Refused("bad_request" or "unknown_action", message);
        state() → the result of an action repeated after its answer is gone;
        deferred: False to do all of this at once, inside the umqtt callback, True to leave it to
            the foreground, one at a time; then
        done() is called after the answer.
    The callable returns the result, or raises Refused having changed nothing, or Underway, as
    state() may.
    The handler of `ota` also has block(payload, retained, size) → whether it was no command but a
        block of an update.
    retained: remembers the hashes of executed request ids over a reset (`add_id forget_id seen`).
    session: its `settled` is False while commands may come that were queued for long.
    """

    def __init__(self, topics, outbox, clock, retained, handlers, session, log):
        self._topics = topics
        self._outbox = outbox
        self._clock = clock
        self._retained = retained
        self.handlers = handlers
        self._session = session
        self._log = log
        # (digest, payload or None if it was long, whether it was executed) of the last ones
        self._answers = []
        self._overloaded_ms = None
        # One message for a deferred handler that waits for the foreground: arguments of `_check`
        self._waiting = None

    def receive(self, topic, payload, retained, again, size):
        """Take one message; `payload` is None where `size` bytes were too many.

        Never raises: an exception here would leave umqtt in the middle of a packet.
        """
        try:
            kind = self._topics.command(topic)
            if kind is None or payload == b"":
                return
            response = b"response/ota" if kind == "ota" else b"response/command"
            handler = self.handlers.get(kind)
            if kind == "ota" and handler and handler.block(payload, retained, size):
                return
            if self._outbox.full:
                self._overloaded(response)
                return
            message = kind, response, payload, retained, again, size, self._session.settled
            deferred = handler is not None and handler.deferred
            if deferred and self._waiting is None:
                self._waiting = message
                return
            job = self._check(deferred, *message)
            if job:
                self._run(job)
        except Exception as e:
            self._log("command: internal error: %r" % e)

    def work(self):
        """Check and run the deferred command, if there is one; called by the foreground."""
        message = self._waiting
        if message is None or self._outbox.full:  # no room yet for its answer
            return
        job = self._check(False, *message)
        if job:
            self._run(job)
        self._waiting = None
        job = None  # its code is dropped next
        self.handlers[message[0]].done()

    def progress(self, request_id, result):
        """The payload that tells how far a command is that is underway."""
        return self._payload(request_id, _body("progress", result))

    def conclude(self, response, request_id, result, refused=None):
        """The final answer, at last, to a command that was underway; `refused` instead of the
        result: (code, message). A repeat of the command is answered with it. Returns it."""
        body = _error(*refused) if refused else _body("success", result)
        payload = self._respond(response, request_id, body)
        if request_id is not None:
            digest = _digest(request_id.encode())
            self._keep(digest, payload, True)
            if refused:  # after a reset it may come again: it is not done
                self._retained.forget_id(digest)
        return payload

    # The five rules, in this order (design 4)

    def _check(self, busy, kind, response, payload, retained, again, size, settled):
        # The Job, or None if it was answered here. The caller runs it: this frame is a large one,
        # and what a relay does goes deep.
        request_id = digest = None
        try:
            command = _parse(payload, size)
            request_id = _request_id(command)
            handler = self.handlers.get(kind)
            if handler is None:
                raise Refused("bad_request", "this node has no command/%s" % kind[:32])
            action = command.get("action")
            if not isinstance(action, str):
                raise Refused("bad_request", "action must be a text")
            run = None if busy else handler.prepare(action, command)
            age_s = self._age_s(command)
            if retained:
                raise Refused("retained", "a retained command is never executed: clear it with "
                                          "an empty retained message")
            # Without an id the payload stands for it, but only where the broker itself says that
            # it sends it again: two equal ones may well be meant.
            named = payload if request_id is None else request_id.encode()
            digest = _digest(named)
            if again or request_id is not None:
                if busy and payload == self._waiting[2]:
                    return None  # its answer is on the way
                if self._repeat(request_id, digest, again, response, handler):
                    return None
            if age_s is None:
                if not settled:
                    raise Refused("expired", "no timestamp, and it may have been queued while "
                                             "the node was away: send it again")
            elif age_s > _FRESH_S:
                raise Refused("expired", "the timestamp is %d s old" % age_s)
            if busy:
                raise Refused("busy", "another %s command is being worked on" % kind)
        except Refused as e:
            self._refuse(kind, response, payload, request_id, digest, e)
            return None
        except Exception as e:
            error = Refused("internal_error", repr(e))
            self._refuse(kind, response, payload, request_id, digest, error)
            return None
        # Before it acts: a reset in between must not make it act again.
        self._retained.add_id(digest)
        return Job(kind, response, request_id, digest, run)

    def _age_s(self, command):
        # Age by the command's own timestamp; None if it has none or we have no time of day.
        stamp = command.get("timestamp")
        if stamp is None:
            return None
        if not isinstance(stamp, str):
            raise Refused("bad_request", "timestamp must be a text")
        if stamp == self._clock.timestamp():
            return 0  # as a rule: reading it is the dearest part of a command
        try:
            sent_s = parse_timestamp(stamp)
        except ValueError as e:
            raise Refused("bad_request", "timestamp: %s" % e)
        now_s = self._clock.unix()
        if now_s is None:
            return None
        if sent_s - now_s > _FRESH_S:
            raise Refused("bad_request", "timestamp is %d s in the future" % (sent_s - now_s))
        return now_s - sent_s

    def _repeat(self, request_id, digest, again, response, handler):
        for known, payload, executed in self._answers:
            # What was refused may be tried again by whoever sent it, but not by the broker: it
            # delivers again (DUP) what it has no acknowledgement of, and "no" has been answered.
            if known == digest and (executed or again):
                if payload is None and executed:
                    break  # the present state tells
                if payload is None:
                    payload = self._payload(request_id, _error("expired", "refused before"))
                self._outbox.respond(response, payload[:-1] + b', "duplicate": true}')
                return True
        if self._retained.seen(digest):
            try:
                body = _body("success", handler.state())
            except Underway as e:
                body = _body("progress", e.args[0])
            self._respond(response, request_id, body + ', "duplicate": true')
            return True
        return False

    # Acting and answering

    def _run(self, job):
        try:
            body = _body("success", job.run())
        except Underway as e:
            # Not kept: how far it has come by then is the answer to a repeat.
            self._respond(job.response, job.request_id, _body("progress", e.args[0]))
            return
        except Refused as e:
            self._retained.forget_id(job.digest)  # nothing happened: it may come again
            self._refuse(job.kind, job.response, b"", job.request_id, job.digest, e)
            return
        except Exception as e:
            self._log("command/%s: internal error: %r" % (job.kind, e))
            body = _error("internal_error", repr(e))
        self._keep(job.digest, self._respond(job.response, job.request_id, body), True)

    def _refuse(self, kind, response, payload, request_id, digest, refused):
        code, message = refused.args
        # What was to be set may be a password.
        shown = ": " + repr(bytes(payload[:60])) if payload and kind != "config" else ""
        self._log("command/%s: %s: %s%s" % (kind[:32], code, message, shown))
        answer = self._respond(response, request_id, _error(code, message))
        if digest is not None:
            self._keep(digest, answer, False)

    def _keep(self, digest, payload, executed):
        for answer in self._answers:
            if answer[0] == digest:
                self._answers.remove(answer)
                break
        if len(self._answers) == _ANSWERS:
            del self._answers[0]
        kept = payload if len(payload) <= _ANSWER_BYTES else None
        self._answers.append((digest, kept, executed))

    def _overloaded(self, response):
        now_ms = ticks_ms()
        since = self._overloaded_ms
        if since is None or ticks_diff(now_ms, since) >= _OVERLOADED_MS:
            self._overloaded_ms = now_ms
            self._log("command: overloaded, 16 answers are waiting")
            self._respond(response, None, _error("overloaded", "too many commands: not executed"))

    def _payload(self, request_id, body):
        # By hand: dictionaries have no order here, and people read this.
        stamp = self._clock.timestamp()
        parts = ['{"request_id": ', json.dumps(request_id), ", ", body]  # "%" takes twice as long
        if stamp:
            parts += (', "timestamp": "', stamp, '"')
        parts.append("}")
        return "".join(parts).encode()

    def _respond(self, response, request_id, body):
        payload = self._payload(request_id, body)
        if len(payload) > PAYLOAD_BYTES:
            self._log("command: an answer of %d bytes was too long" % len(payload))
            return self._respond(response, request_id,
                                 _error("internal_error", "the answer is too long to be sent"))
        self._outbox.respond(response, payload)
        return payload


def integer(command, name, low, high, default=None):
    """The integer argument `name` of a command; Refused names it when it is wrong or missing."""
    value = command.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused("bad_request", "%s must be an integer from %d to %d" % (name, low, high))
    return value


def _parse(payload, size):
    if payload is None:
        raise Refused("too_large", "%d bytes are more than this node takes" % size)
    try:
        command = loads(str(payload, "utf-8"))
    except (ValueError, UnicodeError):
        raise Refused("malformed_json", "the payload is not JSON in UTF-8")
    if not isinstance(command, dict):
        raise Refused("malformed_json", "the payload is not a JSON object")
    return command


def _request_id(command):
    request_id = command.get("request_id")
    if request_id is None:
        return None
    if not isinstance(request_id, str) or not 0 < len(request_id) <= _REQUEST_ID_CHARS:
        raise Refused("bad_request", "request_id must be a text of 1 to 64 characters")
    size = len(json.dumps(request_id).encode())
    if size != len(request_id) + 2 and any("\ud800" <= c <= "\udfff" for c in request_id):
        # MicroPython would send it back as it is, which is not UTF-8.
        raise Refused("bad_request", "request_id must not have surrogates")
    # The answer must stay under 1,000 bytes.
    if size > 4 * _REQUEST_ID_CHARS:
        raise Refused("bad_request", "request_id takes too many bytes")
    return request_id


def _digest(named):
    return sha256(named).digest()[:6]


def _body(status, result):
    return "".join(('"status": "', status, '", "result": ', json.dumps(result)))


def _error(code, message):
    return '"status": "error", "result": null, "error": {"code": "%s", "message": %s}' % (
        code, json.dumps(shortened(plain(message), _MESSAGE_BYTES)))
