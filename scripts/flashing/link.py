"""The board at the other end of a serial port, by way of mpremote."""

import os
import re
import select
import subprocess

from .errors import FlashError, LinkLost

_SILENCE_S = 60  # no file takes so long, nor the erasing of a partition
_WRITTEN = re.compile(rb"Writing at offset (\d+)\D")


class Link:
    """mpremote: path of the program; port: as it takes it."""

    def __init__(self, mpremote, port):
        self.mpremote = mpremote
        self.port = port

    def run(self, *codes, soft_reset=False, limit_s=60):
        """What the codes print on the board. soft_reset: start the interpreter afresh before."""
        command = [self.mpremote, "connect", self.port] + ([] if soft_reset else ["resume"])
        for code in codes:
            command += ["exec", code]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise LinkLost("the board does not answer any more") from None
        if done.returncode:
            raise self._failure(done.stdout + done.stderr)
        return done.stdout

    def copy(self, files, on_file):
        """Write (local path, path on the board) pairs; on_file(number) before each."""
        if not files:
            return
        command = []
        for local, remote in files:
            command += ["fs", "cp", "-f", str(local), ":" + remote, "+"]
        number = 0
        for told in self._told(command[:-1]):
            while number < told.count(b"cp "):
                on_file(number)
                number += 1

    def deploy(self, image, on_bytes):
        """Write this local .romfs file into the ROMFS partition; on_bytes(number written)."""
        for told in self._told(["romfs", "deploy", str(image)]):
            written = _WRITTEN.findall(told)
            if written:
                on_bytes(int(written[-1]))

    def _told(self, command):
        # Runs mpremote; yields what it has said so far, each time when there is more.
        with subprocess.Popen([self.mpremote, "connect", self.port, "resume", *command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=dict(os.environ, PYTHONUNBUFFERED="1"),
                              bufsize=0) as child:
            told = b""
            while True:
                if not select.select([child.stdout], [], [], _SILENCE_S)[0]:
                    child.kill()
                    raise LinkLost("the board does not answer any more")
                data = child.stdout.read(4096)
                if not data:
                    break
                told += data
                yield told
        if child.returncode:
            raise self._failure(told.decode("utf-8", "replace"))

    def _failure(self, output):
        # What mpremote says ends with its own words, or with the last line of a traceback: of
        # the board's exception, or of its own when the port has gone.
        last = (output.strip().splitlines() or [""])[-1]
        # The board had answered before: a port that does not open now is one that has gone,
        # whoever has its name meanwhile.
        if "mpremote" in output or "raw repl" in last or "Serial" in last or not last \
                or "failed to access" in last:
            return LinkLost("the connection broke")
        return FlashError("the board says: " + last)


def access_text(port):
    """Why a port does not open."""
    if not os.path.exists(port):
        return "there is no port %s" % port
    if not os.access(port, os.R_OK | os.W_OK):
        return "%s may not be opened: join the group it belongs to (dialout, on Debian), and " \
               "log in again" % port
    return "%s is in use by another program: a terminal, another scripts/flash?" % port


def ports(mpremote):
    """[(port, description)] of the USB serial ports."""
    done = subprocess.run([mpremote, "connect", "list"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20)
    return listed(done.stdout)


def listed(text):
    """The same from what `mpremote connect list` prints: those that are USB devices."""
    found = []
    for line in text.splitlines():
        words = line.split(" ", 3)
        if len(words) > 2 and words[2] != "0000:0000":
            found.append((words[0], words[3] if len(words) > 3 else ""))
    return found


def choose(found):
    """The only port, or a FlashError that lists them."""
    if not found:
        raise FlashError("no board found: plug it in with a USB cable that has data wires, or "
                         "name its port with --port")
    if len(found) > 1:
        raise FlashError("more than one port, choose with --port:\n"
                         + "\n".join("  %s  %s" % port for port in found))
    return found[0][0]
