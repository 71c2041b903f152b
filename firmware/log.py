# What happened lately: printed, and kept in a short ring that can be read over MQTT.

LINES = 40
LINE_BYTES = 160  # of one, without the time
ALL_BYTES = 2560  # of UTF-8; 40 of the longest would take 8 KB


class Log:
    """A ring of the last 40 lines, fewer if they are long, each with the time of day, or else the
    uptime."""

    def __init__(self, clock):
        self._clock = clock
        self._lines = []
        self._bytes = 0  # in them
        self.count = 0  # lines ever written: the offset that page() takes

    def __call__(self, text):
        stamp = self._clock.timestamp() or "+%ds" % self._clock.uptime_s
        line = stamp + " " + shortened(plain(text), LINE_BYTES)
        print(line)
        self._lines.append(line)
        self._bytes += len(line.encode())
        while len(self._lines) > LINES or self._bytes > ALL_BYTES:
            self._bytes -= len(self._lines.pop(0).encode())
        self.count += 1

    def page(self, offset, max_bytes):
        """Lines from number `offset` on that fit into `max_bytes` of JSON, and the next offset.

        Lines are numbered from 0 at boot; those that have left the ring are skipped.
        The next offset is None when there is nothing behind this page.
        """
        first = self.count - len(self._lines)
        at = max(offset, first)
        lines = []
        while at < self.count:
            line = self._lines[at - first]
            max_bytes -= json_bytes(line) + 2
            if max_bytes < 0 and lines:
                return lines, at
            lines.append(line)
            at += 1
        return lines, None


def json_bytes(text):
    """How many bytes `text` takes as a JSON string (control characters become \\u00xx)."""
    size = 2
    for c in text:
        size += 6 if c < " " else 2 if c in '"\\' else len(c.encode())
    return size


def plain(text):
    """The text without control characters and unpaired surrogates, which belong on no terminal and
    in no answer: they take six bytes of JSON each, and surrogates are not UTF-8."""
    if text and (min(text) < " " or max(text) >= "\ud800"):
        text = text.replace("\n", " ")
        return "".join("?" if c < " " or "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def shortened(text, max_bytes):
    """At most `max_bytes` of UTF-8, with "..." in place of the rest."""
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    end = max_bytes - 3
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end].decode() + "..."
