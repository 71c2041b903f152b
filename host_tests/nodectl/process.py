# scripts/nodectl as a process, and what its end looks like.
import signal
import subprocess
import threading
from types import SimpleNamespace


class Process:
    """A running scripts/nodectl; `out` is what it has printed."""

    def __init__(self, command, environment, stdout=subprocess.PIPE):
        self.out = ""
        self._changed = threading.Condition()
        self._child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                       stdout=stdout, stderr=subprocess.PIPE, text=True)
        self._reader = None
        if self._child.stdout:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def _read(self):
        for line in self._child.stdout:
            with self._changed:
                self.out += line
                self._changed.notify_all()

    def wait_for(self, text, timeout_s=20):
        with self._changed:
            assert self._changed.wait_for(lambda: text in self.out, timeout_s), \
                "no %r in:\n%s" % (text, self.out)

    def interrupt(self):
        self._child.send_signal(signal.SIGINT)

    def end(self, timeout_s=20):
        """(exit code, stderr) once it has ended."""
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError("still running, with:\n" + self.out) from None
        if self._reader:
            self._reader.join()
        return self._child.returncode, self._child.stderr.read()

    def stop(self):
        self._child.kill()
        self._child.wait()


def own(broker):
    return "%s:%d" % (broker.host, broker.port)


def places(broker, home, node="n1"):
    """What a `Link` of this process takes for options."""
    return SimpleNamespace(host=broker.host, port=broker.port, user=None, password=None, tls=False,
                           ca=None, base="homesync", home=home, node=node)


def failed(process, part):
    """Wait for its end: exit code 1 and one line with this part in it."""
    code, errors = process.end()
    assert code == 1, process.out + errors
    assert errors.startswith("scripts/nodectl: ") and errors.count("\n") == 1, errors
    assert part in errors, errors
