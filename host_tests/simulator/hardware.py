# The supervisor's view of a board's state file, and what each kind of reset does to it.
# Where things lie in it: modules/virtual/layout.py.
import mmap
import secrets
import struct
import time
from pathlib import Path

from .modules.virtual import layout


class Hardware:
    """Pins, RTC memory, clock and meter registers of one board, in a file it may share."""

    def __init__(self, folder, chip):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.path = (folder / layout.FILE_NAME).resolve()
        if not self.path.exists() or self.path.stat().st_size != layout.SIZE:
            self.path.write_bytes(bytes(layout.SIZE))
        self._rtc_limit = layout.RTC_LIMIT["esp8266" if chip == "esp8266" else "esp32"]
        with open(self.path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), layout.SIZE)

    def close(self):
        self._map.close()

    def reset(self, cause):
        """Lose what this kind of reset loses. A soft one loses nothing here."""
        struct.pack_into("<I", self._map, layout.REPL_ATTACHED, 0)
        struct.pack_into("<I", self._map, layout.REPL_WAITS, 0)
        if cause != "soft":
            struct.pack_into("<I", self._map, layout.REPL_RAW, 0)
            ticks = layout.TICKS_PERIOD - layout.TICKS_BEFORE_WRAP_MS
            offset = (ticks - time.monotonic_ns() // 1000000) % layout.TICKS_PERIOD
            if offset >= layout.TICKS_PERIOD // 2:
                offset -= layout.TICKS_PERIOD
            struct.pack_into("<i", self._map, layout.TICKS_OFFSET, offset)
            struct.pack_into("<I", self._map, layout.WATCHDOG_LEFT, 0)
            self.drop_pins()
        if cause == "power_on":
            struct.pack_into("<q", self._map, layout.CLOCK_OFFSET, -time.time_ns() // 1000)
            struct.pack_into("<H", self._map, layout.RTC_LENGTH, self._rtc_limit)
            garbage = secrets.token_bytes(self._rtc_limit)
            self._map[layout.RTC_DATA : layout.RTC_DATA + self._rtc_limit] = garbage

    def drop_pins(self):
        """All pins become inputs; one that was high falls, and that counts."""
        for number in range(layout.PIN_COUNT):
            record = _record(number)
            if self._map[record + layout.PIN_LEVEL]:
                count = self._number(record + layout.PIN_TRANSITIONS) + 1
                struct.pack_into("<I", self._map, record + layout.PIN_TRANSITIONS, count)
            self._map[record : record + layout.PIN_TRANSITIONS] = bytes(layout.PIN_TRANSITIONS)

    def pins(self):
        """{pin number: (level, transitions so far)} of every pin that is set up or has changed."""
        used = {}
        for number in range(layout.PIN_COUNT):
            record = _record(number)
            transitions = self._number(record + layout.PIN_TRANSITIONS)
            if self._map[record + layout.PIN_MODE] or transitions:
                used[number] = (self._map[record + layout.PIN_LEVEL], transitions)
        return used

    def driven_level(self, pin):
        """The level of an output, None while the pin is an input."""
        driven = self._map[_record(pin) + layout.PIN_MODE] & layout.PIN_MODE_DRIVEN
        return self._map[_record(pin) + layout.PIN_LEVEL] if driven else None

    def energy_wh(self, meter, phase=0):
        record = layout.METERS + meter * layout.METER_SIZE
        return self._number(record + phase * layout.METER_PHASE_SIZE)

    def contact(self, relay):
        """1 while the contact of this latching relay is closed, else 0."""
        return self._map[layout.CONTACTS + relay]

    @property
    def coil_clashes(self):
        return self._number(layout.COIL_CLASHES)

    @property
    def controls_taken(self):
        return self._number(layout.CONTROLS_TAKEN)

    @property
    def repl_attached(self):
        return bool(self._number(layout.REPL_ATTACHED))

    @property
    def repl_waits(self):
        return bool(self._number(layout.REPL_WAITS))

    @property
    def heap_used(self):
        return self._number(layout.HEAP_USED)

    def _number(self, offset):
        return struct.unpack_from("<I", self._map, offset)[0]


def _record(pin):
    return layout.PINS + pin * layout.PIN_SIZE
