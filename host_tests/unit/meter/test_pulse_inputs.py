"""Which counter of the chip a pulse meter gets, and how it is set up."""

import sys

from host_tests.unit.fakes import raised

try:
    import machine  # noqa: F401
except ImportError:  # CPython
    sys.modules["machine"] = type(sys)("machine")
from firmware import parts


class Counter:
    """`machine.Counter` of MicroPython 1.26."""

    def __init__(self, unit, pin, **options):
        self.made = (unit, pin, options)
        self.count = 0
        Counter.latest = self

    def value(self, value=None):
        count = self.count
        if value is not None:
            self.count = value
        return count


class Pcnt:
    """`esp32.PCNT`: 0 follows after `max` - 1, if the limit interrupts."""

    IGNORE, INCREMENT, IRQ_MAX = 0, 1, 16

    def __init__(self, unit, **options):
        self.unit = unit
        self.options = options
        self.handler = None
        self.started = False
        self.count = 0
        Pcnt.latest = self

    def irq(self, handler=None, trigger=None):
        if handler:
            assert trigger == Pcnt.IRQ_MAX
            self.handler = handler
        return self

    def flags(self):
        return Pcnt.IRQ_MAX

    def start(self):
        self.started = True

    def value(self):
        return self.count % self.options["max"]


class Module:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


def taken(pulses, counter, counts):
    for now_ms, count in enumerate(counts):
        counter.count += count
        pulses.poll(10 * now_ms)
    return pulses.take()


def test_machine_counter_goes_before_pcnt():
    pulses = parts._counted(Module(Counter=Counter), Module(PCNT=None), 1, "pin")
    unit, pin, options = Counter.latest.made
    assert (unit, pin) == (1, "pin")
    assert 12000 <= options["filter_ns"] <= 12800
    assert taken(pulses, Counter.latest, (3, 0, 40)) == 43
    assert Counter.latest.count == 0  # it never outgrows a small int


def test_pcnt_alone_is_read_across_its_limit():
    pulses = parts._counted(Module(), Module(PCNT=Pcnt), 0, "pin")
    pcnt = Pcnt.latest
    assert (pcnt.unit, pcnt.options["pin"]) == (0, "pin")
    assert (pcnt.options["rising"], pcnt.options["falling"]) == (1, 0)
    assert 0 < pcnt.options["max"] <= 32767 and pcnt.options["min"] < 0
    assert pcnt.options["filter"] <= 1023
    assert pcnt.started
    assert pcnt.handler(pcnt) == Pcnt.IRQ_MAX  # the flags are read, or it would repeat
    assert taken(pulses, pcnt, (31990, 27, 5)) == 32022


def test_without_a_counter_the_reason_is_told():
    for esp32 in (None, Module()):
        error = raised(ValueError, parts._counted, Module(), esp32, 0, "pin")
        assert "MicroPython 1.26" in str(error) and "PCNT" in str(error)
