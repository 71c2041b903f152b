# A latching relay: its contact moves when one coil has had its pulse, and then stays, even without
# power. What a coil does to it: reference/meters.md section 9.
import struct

MIN_PULSE_MS = 30


class Latch:
    """record: the byte of the contact (0 open, 1 closed) in `state`, at this offset.

    coils: functions that tell whether the closing, the opening coil has current. clashes: offset
    of the u32 that counts how often both had.
    """

    def __init__(self, state, record, coils, clashes):
        self._state = state
        self._record = record
        self._coils = coils
        self._clashes = clashes
        self._powered = (False, False)  # the coils when last looked at
        self._since_ms = 0  # since when: the moment before the first look that found them so
        self._pin_ms = 0  # the latest moment at which a pin was about to change

    def is_closed(self):
        return self._state[self._record]

    def update(self, now_ms):
        """Look at the coils; called often, and just before any coil's pin changes."""
        powered = (bool(self._coils[0]()), bool(self._coils[1]()))
        if powered != self._powered:
            self._powered = powered
            self._since_ms = self._pin_ms
            if all(powered):
                count = struct.unpack_from("<I", self._state, self._clashes)[0]
                struct.pack_into("<I", self._state, self._clashes, count + 1)
        if powered[0] != powered[1] and now_ms - self._since_ms >= MIN_PULSE_MS:
            self._state[self._record] = 1 if powered[0] else 0

    def pin_changes(self, now_ms):
        """A coil's pin is about to change."""
        self.update(now_ms)
        self._pin_ms = now_ms
