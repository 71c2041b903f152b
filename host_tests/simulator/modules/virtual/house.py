# House time: loads and meters run `speed` times as fast as the clock on the wall.
# Only the house is scaled; ticks_ms(), wires and network keep real time.
from . import load

_SECOND_MS = 1000  # how often the mains change
_SKIP_MS = 3000  # longer steps are counted, not played: nothing could have seen them


class House:
    """All meters of the board, run together. Each refreshes what it shows at its own pace.

    While the board's process is away (power cut, reset) house time stands still.
    """

    def __init__(self, meters, speed=1.0):
        self._meters = meters
        self._speed_milli = round(speed * 1000)
        self._last_ms = None
        self._fraction = 0
        self._second = 0
        self._second_ms = 0

    def advance(self, now_ms):
        """Let the time since the last call pass (`now_ms` never wraps)."""
        if self._last_ms is None:
            self._last_ms = now_ms
            self._run(0)
            return
        self._fraction += (now_ms - self._last_ms) * self._speed_milli
        self._last_ms = now_ms
        step_ms = self._fraction // 1000
        self._fraction %= 1000
        if step_ms > _SKIP_MS:
            seconds = (step_ms - _SKIP_MS) // 1000
            voltage_dv = load.mains_voltage_dv(self._second)
            for meter in self._meters:
                meter.skip(seconds * 1000, voltage_dv)
            self._second += seconds
            step_ms -= seconds * 1000
        while step_ms > 0:
            part_ms = min(step_ms, _SECOND_MS - self._second_ms)
            self._run(part_ms)
            step_ms -= part_ms

    def _run(self, duration_ms):
        voltage_dv = load.mains_voltage_dv(self._second)
        frequency_dhz = load.mains_frequency_dhz(self._second)
        for meter in self._meters:
            meter.run(duration_ms, voltage_dv, frequency_dhz)
        self._second_ms += duration_ms
        if self._second_ms >= _SECOND_MS:
            self._second_ms = 0
            self._second += 1
