# `machine.Pin`: a pin is its record in the state file, so it outlives the process.
# Signature and errors are the ESP32 port's where firmware can meet them.
import micropython

from . import layout, memory, pulse_pins, world

# Those that the port has, but for the pins of the flash.
_NUMBERS = {
    "esp8266": (0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16),
    "esp32": tuple(n for n in range(40) if n not in (6, 7, 8, 11, 20, 24, 28, 29, 30, 31)),
    "esp32c3": (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 19, 20, 21),
}[memory.CHIP]


class Pin:
    """One GPIO; one object per number, as on the chip.

    Its state is the record in the state file (layout.PINS), so it outlives the process. A level
    that is not driven is what the pull or the outside (control "pin") makes it.
    """

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    DRIVE_0, DRIVE_1, DRIVE_2, DRIVE_3 = 0, 1, 2, 3

    _only = {}

    def __new__(cls, number, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        if number not in cls._only:
            if number not in _NUMBERS:
                raise ValueError("invalid pin")
            pin = super().__new__(cls)
            pin._number = number
            pin._record = layout.PINS + number * layout.PIN_SIZE
            pin._watched = number in world.relay_pins or number in pulse_pins.sel_pins
            pin._handler = None
            pin._trigger = 0
            cls._only[number] = pin
        return cls._only[number]

    def __init__(self, number, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        state, record = memory.BYTES, self._record
        if mode in (Pin.OUT, Pin.OPEN_DRAIN) and self._number >= 34:
            raise ValueError("pin can only be input")
        if value is not None:  # before the direction, so that no wrong level shows
            state[record + layout.PIN_LATCH] = 1 if value else 0
        if pull != -1:
            state[record + layout.PIN_PULL] = pull or 0
        if mode != -1:
            if self._watched:
                world.settle()
            state[record + layout.PIN_MODE] = mode
        self._drive()

    def _drive(self):
        """Work out the level from mode, latch, pull and outside; count it if it changed."""
        state, record = memory.BYTES, self._record
        latch = state[record + layout.PIN_LATCH]
        mode = state[record + layout.PIN_MODE]
        if mode == Pin.OUT or (mode == Pin.OPEN_DRAIN and not latch):
            level = latch
        else:
            pulled = 1 if state[record + layout.PIN_PULL] == Pin.PULL_UP else 0
            level = world.outside_levels.get(self._number, pulled)
        if level != state[record + layout.PIN_LEVEL]:
            if self._watched:
                world.settle()
            state[record + layout.PIN_LEVEL] = level
            memory.count_transition(record)

    def value(self, level=None):
        if level is None:
            if self._number in pulse_pins.outputs:
                world.settle()
                return pulse_pins.outputs[self._number].level
            return memory.BYTES[self._record + layout.PIN_LEVEL]
        level = 1 if level else 0
        if memory.BYTES[self._record + layout.PIN_LATCH] != level:
            memory.BYTES[self._record + layout.PIN_LATCH] = level
            self._drive()
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=IRQ_RISING | IRQ_FALLING):
        self._handler, self._trigger = handler, trigger
        output = pulse_pins.outputs.get(self._number)
        if output:
            output.listener = self._interrupt if handler else None

    def _interrupt(self, pulses):
        """Rising edges of a meter; when the queue is full they are lost, as on the chips."""
        try:
            for _ in range(pulses):
                if self._handler:  # the one before may have switched it off
                    micropython.schedule(self._handler, self)
        except RuntimeError:
            pass

    def __repr__(self):
        return "Pin(%d)" % self._number


def _outside_level(number, level):
    """Control "pin": something outside pulls this pin to a level (None: lets go)."""
    pin = Pin(number)
    before = pin.value()
    if level is None:
        world.outside_levels.pop(number, None)
    else:
        world.outside_levels[number] = level
    pin._drive()
    edge = Pin.IRQ_RISING if pin.value() else Pin.IRQ_FALLING
    if pin._handler and pin.value() != before and pin._trigger & edge:
        micropython.schedule(pin._handler, pin)


def _level(number):
    return memory.BYTES[layout.PINS + number * layout.PIN_SIZE + layout.PIN_LEVEL]


world.pin_listener = _outside_level
pulse_pins.level = _level
