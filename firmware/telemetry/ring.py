# Records in flash: a queue of small files that survives restarts and power cuts.
# Each file is an hour or less of an outage; the oldest goes when there are more than 24.
import os
from struct import pack_into, unpack_from

from micropython import const

from .. import storage

RECORD_BYTES = 16
FILES = 24  # of one flash block each: with an hour in each, a day
_CHUNK = 16  # records read at a time
_PREFIX = const("backlog.")
# Number of a file, messages of it that are through (two to a record); then the dates.
# Below 128 bytes, and thus inline in littlefs: hardly ever an erase.
_STATE = const("backlog.state")
_POSITION = const("<IH")
_DATE = const("<HI")
_DATE_BYTES = const(6)  # and the position is as long
_DATES = const(4)


class Ring:
    """Files `backlog.N` in the current folder, and how far the oldest of them has been sent.

    boot: number of this start, for records whose time is an uptime: that of the first file it may
    write, modulo 65536. dates: (boot, Unix time at uptime 0) of up to four boots; `save()` keeps
    them. gone: records that have left at the front since the start, sent or dropped; dropped: the
    latter alone. half: whether one of the two messages of the first record found was sent before.
    """

    def __init__(self, log):
        self._log = log
        self._told = False  # trouble is logged once, until a write succeeds
        self._files = []  # (number, records), oldest first
        self._at = 0  # records of the oldest file that are through
        self._chunk = bytearray(_CHUNK * RECORD_BYTES)
        self._chunk_at = None  # what is in it: the index of its first record; None: nothing
        self.dates = []
        self.half = False
        self.gone = self.dropped = 0
        # A number is not used again: the state of an old file must not apply to a new one.
        self._next = 0
        try:
            self._find_files()
            self._read_state()
        except (OSError, ValueError) as e:  # costs records, never the start of the node
            self.trouble(e)
        self.boot = self._next & 0xFFFF
        self.dates = [date for date in self.dates if date[0] != self.boot]
        while len(self._files) > FILES:
            self._drop_file()

    @property
    def count(self):
        """Records that wait."""
        return sum([records for _, records in self._files]) - self._at

    def append(self, records):
        """Add a memoryview of whole records as one file. Raises OSError, and is then unchanged."""
        try:
            storage.replace(_PREFIX + str(self._next), records)
        except OSError as e:
            self.trouble(e)
            raise
        self._told = False
        self._files.append((self._next, len(records) // RECORD_BYTES))
        self._next += 1
        if len(self._files) > FILES:
            self._drop_file()

    def front(self):
        """(buffer, offset) of the oldest record, valid until the next call; None when empty."""
        while self._files:
            records = self._files[0][1]
            if self._at < records:
                try:
                    return self._chunk, self._read(records)
                except OSError as e:
                    self.trouble(e)
            self._drop_file()
        return None

    def pop(self, save):
        """Remove the oldest record; save: remember it over a reset, too."""
        self._at += 1
        self.gone += 1
        if self._at == self._files[0][1]:
            self._remove_file()
        elif save:
            self.save(False)

    def save(self, half):
        """Keep `dates`, the position, and whether `half` of the record there is sent."""
        number = self._files[0][0] if self._files else self._next - 1
        dates = self.dates[-_DATES:]
        state = bytearray(_DATE_BYTES * (1 + len(dates)))
        pack_into(_POSITION, state, 0, max(number, 0), 2 * self._at + half)
        for i, date in enumerate(dates):
            pack_into(_DATE, state, _DATE_BYTES * (i + 1), *date)
        try:
            storage.replace(_STATE, state)
        except OSError as e:
            self.trouble(e)

    def trouble(self, error):
        """Log what is wrong with the file system, once."""
        if not self._told:
            self._told = True
            self._log("backlog: flash: %s" % error)

    def _find_files(self):
        try:
            for name in os.listdir():
                tail = name[len(_PREFIX):]
                if name.startswith(_PREFIX) and tail.isdigit():
                    self._files.append((int(tail), os.stat(name)[6] // RECORD_BYTES))
                elif name.startswith(_PREFIX) and name.endswith(".new"):
                    storage.remove(name)  # a power cut left it
        finally:  # what was found counts, or its numbers would be used again
            self._files.sort()
            if self._files:
                self._next = self._files[-1][0] + 1

    def _read_state(self):
        state = storage.read(_STATE) or b""
        if len(state) < _DATE_BYTES:
            return
        number, messages = unpack_from(_POSITION, state)
        self._next = max(self._next, number + 1)
        if self._files and self._files[0][0] == number:
            self._at = min(messages // 2, self._files[0][1])
            self.half = bool(messages & 1)
        for at in range(_DATE_BYTES, len(state) - _DATE_BYTES + 1, _DATE_BYTES):
            self.dates.append(unpack_from(_DATE, state, at))

    def _read(self, records):
        # Offset in the chunk of the record at `_at`; a new chunk is read where it is not there.
        if self._chunk_at is None or self._at >= self._chunk_at + _CHUNK:
            size = min(_CHUNK, records - self._at) * RECORD_BYTES
            f = open(_PREFIX + str(self._files[0][0]), "rb")
            try:
                f.seek(self._at * RECORD_BYTES)
                if f.readinto(memoryview(self._chunk)[:size]) != size:
                    raise OSError("a file is too short")
            finally:
                f.close()
            self._chunk_at = self._at
        return (self._at - self._chunk_at) * RECORD_BYTES

    def _drop_file(self):
        lost = self._files[0][1] - self._at
        self.dropped += lost
        self.gone += lost
        self._remove_file()

    def _remove_file(self):
        storage.remove(_PREFIX + str(self._files.pop(0)[0]))
        self._at = 0
        self._chunk_at = None
