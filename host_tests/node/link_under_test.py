# Starts drivers/link.py, the firmware's link on real MicroPython, and talks with it.
# Orders go in and events come out as JSON lines; all of them are kept for the failure report.
import json
import os
import subprocess
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent

PREFIX = "homesync/h/nodes/n/"
SETTINGS = {
    "broker_host": "127.0.0.1",
    "websocket": "never",
    "websocket_port": 0,
    "websocket_path": "/mqtt",
    "broker_user": "",
    "broker_password": "",
    "keepalive_s": 60,
    "backoff_min_ms": 50,
    "stable_s": 30,
}


class LinkUnderTest:
    """One link. It connects at once, and again after each loss.

    constants      replace those of firmware/mqtt/session.py (CALL_MS, CONNECT_MS, ...)
    answer         text that is put into the outbox as the answer to every command
    pid            the packet id used last
    payload_limit  of the stream, in bytes
    dns            [[address, port], ...] of the DNS servers
    lib            folder whose modules go before those of lib/

    An event is a dict: `event reason detail delay_ms` of the session, or `command payload (bytes)
    retained size`; with each come `ticks` (of the house, since the start) and `longest_gap_ms`
    (between two ticks, since the event before).
    """

    def __init__(self, micropython, port, constants=None, answer=None, pid=0, payload_limit=4096,
                 dns=(), lib=None, **settings):
        options = {
            "settings": dict(SETTINGS, broker_port=port, **settings),
            "constants": constants or {},
            "answer": answer,
            "pid": pid,
            "payload_limit": payload_limit,
            "dns": list(dns),
        }
        self.log = []
        self._events = []
        self._taken = 0
        self._ended = False
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [micropython, str(HERE / "drivers" / "link.py")],
            env=dict(os.environ, MICROPYPATH=f"{lib or REPO}:{REPO}:{REPO}/lib:.frozen"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send(options)
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._ended, 10)
        assert self._events, "the link did not start:\n" + "\n".join(self.log)

    def publish(self, topic, payload, qos=1):
        """Put a message into the outbox; `topic` is what stands behind the node's prefix."""
        self._send({"topic": topic, "payload": payload, "qos": qos})

    def flood(self, count):
        """Put `count` messages of QoS 0 and 900 bytes into the outbox at once."""
        self._send({"flood": count})

    def stop(self, how):
        """Planned stop: "restart", or "leave" for good."""
        self._send({"stop": how})

    def wait(self, event, timeout_s=10.0):
        """The next event of this name ("command" for a command); those before it are dropped."""

        def look():
            while self._taken < len(self._events):
                found = self._events[self._taken]
                self._taken += 1
                if found.get("event", "command") == event:
                    return found
            return self._ended

        with self._changed:
            found = self._changed.wait_for(look, timeout_s)
        assert isinstance(found, dict), f"no event {event!r} within {timeout_s} s"
        return found

    def nothing(self, event):
        """Whether no such event is waiting to be looked at."""
        with self._changed:
            return all(e.get("event", "command") != event for e in self._events[self._taken :])

    def ended_within(self, timeout_s):
        """The exit code, None if it still runs then."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()

    def _send(self, line):
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self):
        for raw in self._process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            event = None
            if line.startswith("{"):
                event = json.loads(line)
                if event.get("payload") is not None:
                    event["payload"] = bytes.fromhex(event["payload"])
                if "command" in event:
                    event["command"] = bytes.fromhex(event["command"]).decode("utf-8", "replace")
            with self._changed:
                self.log.append(line)
                if event is not None:
                    self._events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
