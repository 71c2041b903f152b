"""How fast a pin pulses, where no hardware counts (ESP8266): by interrupts, or by sampling."""

from time import ticks_add, ticks_diff, ticks_ms, ticks_us

from micropython import const

from .pulses import Pulses

# time_pulse_us() waits this long at most for an edge, and then as long for the next one: 5 ms in
# all with the calls around it. So it can time what is faster than 208 Hz.
_EDGE_US = const(2400)
# Pulses closer than this are fast. Interrupts can follow up to there: the queue of 4 then lasts
# for 16 ms, longer than a usual tick. When it is full, pulses are lost (platform.md 1.4).
_FAST_MS = const(4)
# More than the queue can hold: what it held runs at once, and looks fast without being so.
_FAST_PULSES = const(8)
_SAMPLE_EVERY_MS = const(80)
# What the calls around time_pulse_us() take at most. A wait that was shorter may have been none:
# the edge was over before it began to look, and it saw a part of the pulse only.
_CALLS_US = const(150)
_AGAIN_US = const(1000)  # a second try after such a half period still keeps to the 5 ms


class SampledPulses(Pulses):
    """One pin: `irq()` and `value()` as machine.Pin, `rising` its trigger.

    `time_pulse_us` is the function of `machine`. Half periods are timed, high and low ones as
    they come: the duty cycle is 50 % (reference/meters.md 4.1).
    """

    counts = False  # interrupts are lost now and then, and sampling counts nothing

    def __init__(self, pin, rising, time_pulse_us):
        self._pin = pin
        self._rising = rising
        self._time_pulse_us = time_pulse_us
        # True = each pulse interrupts, until they come too fast. False = half periods are timed
        # now and then, until none ends in time.
        self._interrupts = True
        self._handler = self._edge
        self._fast = 0  # fast pulses in a row
        self.restart(0)
        self._switch(True)

    def restart(self, now_ms):
        Pulses.restart(self, now_ms)
        self._us = self._samples = 0  # sum and number of the half periods

    def poll(self, now_ms):
        if self._interrupts or ticks_diff(now_ms, self._due_ms) < 0:
            return False
        limit_us = _EDGE_US
        while True:
            begin_us = ticks_us()
            us = self._time_pulse_us(self._pin, 1 - self._pin.value(), limit_us)
            waited_us = ticks_diff(ticks_us(), begin_us) - us
            self._edge_ms = now_ms
            if us < 0:
                if limit_us == _EDGE_US:
                    self._switch(True)
                break
            if us and waited_us > _CALLS_US:
                self._us += us
                self._samples += 1
                self._due_ms = ticks_add(now_ms, _SAMPLE_EVERY_MS)
                break
            if us > _AGAIN_US or limit_us != _EDGE_US:
                break
            # It ended with an edge, so the wait for the next one is long enough. Without this,
            # ticks in step with the pulses could hit the same moment for seconds.
            limit_us = us + us // 4 + _CALLS_US
        return True

    def take(self):
        return None

    def hertz(self, now_ms):
        if self._interrupts:
            return Pulses.hertz(self, now_ms)
        if self._samples:
            self._hertz = 500000 * self._samples / self._us
            self._us = self._samples = 0
        return self._hertz

    def _edge(self, _):
        if not self._interrupts:  # it was in the queue when they were switched off
            return
        now_ms = ticks_ms()
        self._fast = self._fast + 1 if ticks_diff(now_ms, self._edge_ms) < _FAST_MS else 0
        self._seen(1, now_ms)
        if self._fast > _FAST_PULSES:
            self._switch(False)

    def _switch(self, interrupts):
        self._interrupts = interrupts
        self._fast = self._count = self._us = self._samples = 0
        self._from_ms = None
        self._due_ms = self._edge_ms  # when to sample next
        self._pin.irq(handler=self._handler if interrupts else None, trigger=self._rising)
