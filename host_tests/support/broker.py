# A real Mosquitto for tests and scripts: own loopback port, own folder, killed and frozen at will.
# Its log is kept; it counts as started when it accepts a connection.
import base64
import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

_HASH_ROUNDS = 101


def free_port():
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def held_port(port=0):
    """A socket that keeps a TCP port of 127.0.0.1: who connects there is refused, and nobody
    who asks for a free port gets this one."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # over what is left of connections
    held.bind(("127.0.0.1", port))
    return held


def password_line(user, password):
    """One line of a Mosquitto 2 password file: PBKDF2 with SHA-512 ("$7$")."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _HASH_ROUNDS)
    text = [base64.b64encode(part).decode() for part in (salt, digest)]
    return f"{user}:$7${_HASH_ROUNDS}${text[0]}${text[1]}\n"


class Broker:
    """One Mosquitto listening on 127.0.0.1.

    mosquitto     command, str or list
    port          kept over restarts; None takes a free one, and holds it while it is not started
    config_lines  further lines of mosquitto.conf
    users         {name: password}: only these may connect; None lets everybody in
    persistence   True keeps sessions and retained messages over kill9() and stop()
    """

    def __init__(self, mosquitto, port=None, config_lines=(), users=None, persistence=False):
        self._command = [mosquitto] if isinstance(mosquitto, (str, Path)) else list(mosquitto)
        self.host = "127.0.0.1"
        self._wished_port = port
        self._held = None if port else held_port()
        self.port = port or self._held.getsockname()[1]
        self._config_lines = tuple(config_lines)
        self._users = users
        self._persistence = persistence
        self._folder = Path(tempfile.mkdtemp(prefix="broker-"))
        self._process = None
        self._reader = None
        self.log = []

    def start(self, timeout_s=10.0):
        """Start and wait until it accepts connections; RuntimeError with its log if it ends."""
        for _ in range(5):
            self._let_go()
            self._write_config()
            self._process = subprocess.Popen(
                self._command + ["-c", str(self._folder / "mosquitto.conf")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._reader = threading.Thread(
                target=self._read_log, args=(self._process,), daemon=True
            )
            self._reader.start()
            if self._accepts(timeout_s):
                return self
            self.kill9()
            # Somebody took the free port before Mosquitto did: take another, if we may choose.
            if self._wished_port or not any("in use" in line for line in self.log):
                break
            self.port = free_port()
        shutil.rmtree(self._folder, ignore_errors=True)
        raise RuntimeError("Mosquitto did not start:\n" + "\n".join(self.log[-10:]))

    def stop(self, timeout_s=5.0):
        """End it in order (SIGTERM)."""
        if self.running:
            self.resume()
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                pass
        self.kill9()

    def kill9(self):
        """End it as a crash would; its port refuses until start()."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()
            self._process = None
            if not self._wished_port:
                with contextlib.suppress(OSError):  # it never was ours: start() takes another
                    self._held = held_port(self.port)

    def restart(self):
        """kill9() and start() on the same port."""
        self.kill9()
        return self.start()

    def suspend(self):
        """Freeze it: connections stay open, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def close(self):
        """Kill it and remove its folder."""
        self.kill9()
        self._let_go()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def _let_go(self):
        if self._held:
            self._held.close()
            self._held = None

    def _write_config(self):
        lines = [
            f"listener {self.port} {self.host}",
            "set_tcp_nodelay true",
            "log_dest stdout",
            # No debug lines: one per packet would slow the broker down. Ask by config_lines.
            "log_type error",
            "log_type warning",
            "log_type notice",
            "log_type information",
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # else it would change to an account that may not exist
        if self._users is None:
            lines.append("allow_anonymous true")
        else:
            passwords = self._folder / "passwords"
            passwords.write_text("".join(password_line(*item) for item in self._users.items()))
            passwords.chmod(0o600)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        if self._persistence:
            lines += [
                "persistence true",
                f"persistence_location {self._folder}/",
                "autosave_interval 1",
                "autosave_on_changes true",
            ]
        text = "\n".join(lines + list(self._config_lines)) + "\n"
        (self._folder / "mosquitto.conf").write_text(text)

    def _read_log(self, process):
        for raw in process.stdout:
            self.log.append(raw.decode("utf-8", "replace").rstrip())

    def _accepts(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection((self.host, self.port), 0.5):
                    # Another program may hold the port; then ours ends within a moment.
                    time.sleep(0.02)
                    return self._process.poll() is None
            except OSError:
                time.sleep(0.01)
        return False
