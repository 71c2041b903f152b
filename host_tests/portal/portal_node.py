# Starts drivers/portal.py, the setup portal on real MicroPython.
import json
import os
import socket
import subprocess
import threading
from pathlib import Path

from host_tests.support.broker import free_port

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
NETWORKS = {
    "Home sweet home": ("correct horse", -48),
    "FRITZ!Box 7590 with a rather long name": ("x" * 20, -67),
    "café": ("", -72),
    'a"b<i>\\c&d': ("quoted & 1", -80),
}


class PortalNode:
    """One portal, in a folder of its own.

    networks   {ssid: (password, dBm)} in range
    settings   those of the node that differ from the defaults
    lan        the page is on the LAN, behind the password, with no access point
    save_fails the flash is full
    test_fails the heap is full when a test begins
    dns        [[address, port], ...] of the name servers
    constants  replace those of the modules of firmware/setup

    `saved` is what was saved, None before; `log` all lines it told.
    """

    def __init__(self, micropython, folder, networks=None, settings=(), lan=False,
                 save_fails=False, test_fails=False, dns=(), **constants):
        self.port = free_port()
        self.dns_port = _free_udp_port()
        self.saved = None
        self.log = []
        self.events = {}
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [micropython, "-X", "heapsize=256k", str(HERE / "drivers" / "portal.py")], cwd=folder,
            env=dict(os.environ, MICROPYPATH=f"{HERE}/drivers:{REPO}:{REPO}/lib:.frozen"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        self._say(json.dumps({
            "networks": NETWORKS if networks is None else networks, "settings": dict(settings),
            "lan": lan, "save_fails": save_fails, "test_fails": test_fails, "dns": list(dns),
            "port": self.port, "dns_port": self.dns_port, "constants": constants}))
        self.wait_for("ready")
        self.url = f"http://127.0.0.1:{self.port}/"
        self.password = self.events["password"]

    def _say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self.log.append(line.rstrip())
                if line.startswith("{"):
                    self.events.update(json.loads(line))
                    self.saved = self.events.get("saved")
                self._changed.notify_all()

    def wait_for(self, name, timeout_s=10):
        """What the node tells under this name."""
        with self._changed:
            assert self._changed.wait_for(lambda: name in self.events, timeout_s), \
                "no %s:\n%s" % (name, "\n".join(self.log))
            return self.events[name]

    def wait_for_line(self, part, timeout_s=10):
        """A line of the log that has this in it."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(part in line for line in self.log), timeout_s), "\n".join(self.log)

    def longest_ms(self):
        """The longest step since this was asked last."""
        self.events.pop("longest_ms", None)
        self._say("stats")
        return self.wait_for("longest_ms")

    def joined(self, devices):
        """Who is in the access point."""
        self._say(json.dumps(devices))

    def raw(self, data, timeout_s=10):
        """All that a connection answers on these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout_s) as s:
            s.sendall(data)
            return all_of(s)

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def all_of(s):
    """What comes until the other end closes."""
    parts = []
    while True:
        part = s.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
