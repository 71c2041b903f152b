# The chip's `machine`: resets, RTC memory and watchdog here, Pin and UART in `virtual`.
# Signatures and errors are the ESP32 port's where firmware can meet them.
import struct

import umachine
import utime
from virtual import analog, layout, libc, memory, pulse_pins, world
from virtual.pin import Pin  # noqa: F401
from virtual.uart import UART  # noqa: F401

_ESP8266 = memory.CHIP == "esp8266"

Signal = umachine.Signal
idle = umachine.idle


def time_pulse_us(pin, pulse_level, timeout_us=1000000):
    """How long the pin holds the level; -2: it never got there, -1: it stayed."""
    world.settle()
    output = pulse_pins.outputs.get(pin._number)
    if output:
        taken_us, result = output.time_pulse_us(pulse_level, timeout_us)
    else:
        taken_us, result = timeout_us, -1 if pin.value() == pulse_level else -2
    utime.sleep_us(taken_us)
    return result


if _ESP8266:
    PWRON_RESET, WDT_RESET, SOFT_RESET, DEEPSLEEP_RESET, HARD_RESET = 0, 1, 4, 5, 6
    # machine.reset() counts as soft; the reason 3 of the software watchdog has no name.
    _CAUSES = {"power_on": 0, "hard": 4, "watchdog": 3, "soft": 4, "button": 6}
else:
    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
    _CAUSES = {"power_on": 1, "hard": 2, "watchdog": 3, "soft": 5, "button": 2}


def reset():
    """Restart the chip: pins drop, RTC memory stays."""
    libc.leave(layout.EXIT_HARD_RESET)


def soft_reset():
    """Restart the interpreter: pins keep their level, a watchdog runs on."""
    memory.write(layout.WATCHDOG_LEFT, "<I", libc.alarm_left_ms())
    libc.leave(layout.EXIT_SOFT_RESET)


def reset_cause():
    return _CAUSES[memory.SETTINGS["cause"]]


def unique_id():
    return bytes.fromhex(memory.SETTINGS["unique_id"])


def freq(hertz=None):
    return 80000000 if _ESP8266 else 160000000


def disable_irq():
    return 0


def enable_irq(state):
    pass


class RTC:
    """The clock that runs from 2000-01-01 at power-on, and the memory beside it."""

    _limit = layout.RTC_LIMIT["esp8266" if _ESP8266 else "esp32"]

    def memory(self, data=None):
        """All bytes stored; or store these. Garbage after power-on, kept over every reset."""
        if data is None:
            length = struct.unpack_from("<H", memory.BYTES, layout.RTC_LENGTH)[0]
            return bytes(memory.BYTES[layout.RTC_DATA : layout.RTC_DATA + length])
        if len(data) > self._limit:
            raise ValueError("buffer too long")
        struct.pack_into("<H", memory.BYTES, layout.RTC_LENGTH, len(data))
        memory.BYTES[layout.RTC_DATA : layout.RTC_DATA + len(data)] = data
        return None

    def datetime(self, moment=None):
        """(year, month, day, weekday, hours, minutes, seconds, microseconds)"""
        import time

        if moment is None:
            now_ns = time.time_ns()
            y, mo, d, h, mi, s, weekday, _ = time.gmtime(now_ns // 1000000000)
            return (y, mo, d, weekday, h, mi, s, now_ns % 1000000000 // 1000)
        y, mo, d, _, h, mi, s, us = moment
        board_us = time.mktime((y, mo, d, h, mi, s, 0, 0)) * 1000000 + us
        memory.write(layout.CLOCK_OFFSET, "<q", board_us - utime.time_ns() // 1000)
        return None

    def init(self, moment):
        self.datetime(moment)


class _Counter:
    """Counts the rising edges of a pulse meter's pin. MicroPython has it from 1.26 on."""

    RISING = 1

    def __init__(self, id, src, *, edge=RISING, filter_ns=0):
        if not 0 <= id < 8:
            raise ValueError("invalid id")
        self._output = pulse_pins.outputs.get(src._number)
        self._base = 0
        self.value(0)

    def value(self, value=None):
        world.touch()
        count = self._output.count if self._output else 0
        result = count - self._base
        if value is not None:
            self._base = count - value
        return result


if memory.CHIP in ("esp32", "esp32s2", "esp32s3"):  # the others have no PCNT
    Counter = _Counter


class ADC:
    """An analogue input: the board's thermistor where there is one, else an open pin.

    12 bits and 3.1 V at the widest range, as an ESP32 has it; 10 bits and 1 V on ESP8266.
    """

    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3
    _FULL_V = (0.95, 1.25, 1.75, 3.1)

    def __init__(self, pin, *, atten=ATTN_0DB):
        number = pin if isinstance(pin, int) else pin._number
        if _ESP8266 and number != 0:
            raise ValueError("not a valid ADC Channel: %d" % number)
        self._full_v, self._bits = (1.0, 10) if _ESP8266 else (self._FULL_V[atten], 12)
        profile = memory.SETTINGS.get("temperature") or {}
        wired = profile.get("kind") == "ntc" and profile["pin"] == number
        self._profile = profile if wired else None

    def _raw(self):
        world.touch()
        volts = self._full_v
        if self._profile:
            volts = analog.ntc_volts(self._profile, world.temperature_c, analog.fault)
        return analog.raw(volts, self._full_v, self._bits)

    def read_u16(self):
        raw = self._raw()
        return raw << 16 - self._bits | raw >> 2 * self._bits - 16

    def read_uv(self):
        """Only on ESP32."""
        return int(self._raw() * self._full_v * 1000000) // ((1 << self._bits) - 1)


if _ESP8266:
    del ADC.read_uv


class WDT:
    """A real watchdog: SIGALRM ends a process that does not feed it. It cannot be stopped."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT(%d) does not exist" % id)
        if _ESP8266:
            if timeout != 5000:
                raise ValueError("WDT timeout not supported")
            timeout = 3200  # what the chip's software watchdog really allows
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        self._setting = libc.alarm_setting(timeout)
        self.feed()

    def feed(self, _start=libc.start_alarm):
        world.touch()
        _start(self._setting)
