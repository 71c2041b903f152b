"""The terminal: lines that stay, and below them one that is rewritten."""

import collections
import shutil
import sys
import time

_BAR_CHARS = 26
_RATE_S = 5.0  # the speed shown is that of the last seconds


def plain(text):
    """Text of a node as it may go to a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


class Screen:
    """Where there is no terminal, the line that is rewritten is left out."""

    def __init__(self, out=None):
        self._out = out or sys.stdout
        self.live = self._out.isatty()
        self._shown = ""

    def line(self, text):
        """Print a line that stays."""
        self.status("")
        print(plain(text), file=self._out, flush=True)

    def status(self, text):
        """Rewrite the last line; an empty one goes away."""
        if not self.live:
            return
        text = plain(text)[:shutil.get_terminal_size().columns - 1]
        if text != self._shown:
            self._out.write("\r%s\x1b[K" % text)
            self._out.flush()
            self._shown = text


class Download:
    """How far a node is with the `total` bytes of a bundle, and how fast it gets there."""

    def __init__(self, total, done):
        self.total = total
        self.done = self._first_done = done
        self._start = time.monotonic()
        self._recent = collections.deque([(self._start, done)])

    def reached(self, done):
        now = time.monotonic()
        self.done = done
        self._recent.append((now, done))
        while len(self._recent) > 2 and now - self._recent[0][0] > _RATE_S:
            self._recent.popleft()

    @property
    def percent(self):
        return 100 * self.done // self.total

    def text(self):
        """One line, without the bar: percent, amounts and speed."""
        (start, first), (end, last) = self._recent[0], self._recent[-1]
        rate = " %7.1f KB/s" % (max(last - first, 0) / 1024 / (end - start)) if end > start else ""
        return "%3d %% %7.1f of %.1f KB%s" % (
            self.percent, self.done / 1024, self.total / 1024, rate)

    def bar(self):
        full = _BAR_CHARS * self.done // self.total
        return "[%s%s]" % ("#" * full, "." * (_BAR_CHARS - full))

    def summary(self):
        took = time.monotonic() - self._start
        fetched = (self.total - self._first_done) / 1024
        return "%.1f KB in %.1f s (%.1f KB/s)" % (fetched, took, fetched / max(took, 0.001))
