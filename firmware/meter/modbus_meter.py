"""What the drivers of Modbus meters share: a few requests, one after the other, are a sample."""

from time import ticks_diff

from micropython import const

from .modbus import ModbusPort
from .reading import Reading, implausible

_FACTORS = const((("voltage", "voltage_v"), ("current", "current_a"), ("power", "active_power_w")))


class ModbusMeter:
    """Base of a driver, which adds `MAX_POWER_W`, `_decode`, and maybe `_asked`.

    channels: their number. requests: of `read_request`. capacity, timeout_ms: of `ModbusPort`.
    """

    # rxbuf: the ESP8266's own 15 bytes are less than a reply.
    SERIAL = {"baudrate": 9600, "bits": 8, "parity": None, "stop": 1, "rxbuf": 256}
    PAUSE_MS = 0  # between the end of a reply, or of the wait for one, and the next request

    def __init__(self, uart, profile, direction, channels, requests, capacity, timeout_ms):
        baudrate = profile.get("baudrate", self.SERIAL["baudrate"])
        self._port = ModbusPort(uart, capacity, timeout_ms, baudrate, direction)
        self._requests = requests
        # None = idle. A number = the turn of that request: while the port is idle the pause
        # before it lasts, else its reply is awaited. start() sets 0; the last reply, or the last
        # channel missed, sets None.
        self._turn = None
        self._rest_ms = None  # since when the bus has been quiet; None: for long enough
        self._missed = 0  # the channels, as bits, that failed in this sample
        self._readings = tuple([Reading() for _ in range(channels)])  # filled next
        self._given = tuple([Reading() for _ in range(channels)])  # these are with the caller
        factors = profile.get("factors", {})
        self._factors = factors if isinstance(factors, list) else [factors] * channels
        self.channels = channels
        self.errors = {
            "timeout": 0, "noise": 0, "crc": 0, "echo": 0, "exception": 0, "implausible": 0,
        }  # fmt: skip
        self.error = None  # text of the latest failure

    @property
    def busy(self):
        """Whether a sample was asked for and is not settled yet."""
        return self._turn is not None

    def start(self, now_ms):
        """Ask for a sample; changes nothing while busy."""
        if self._turn is None:
            self._turn = 0
            self._missed = 0
            self._ask(now_ms)

    def poll(self, now_ms):
        """The sample, once: a tuple of a Reading for each channel, None for one that failed.

        None: nothing yet, or all channels failed and `busy` is over.
        """
        if self._turn is None:
            return None
        result = self._port.poll(now_ms)
        if result is None:
            if not self._port.busy:
                self._ask(now_ms)
            return None
        self._rest_ms = now_ms
        if result == "ok":
            self._decode(self._turn)
        else:
            code = " %d" % self._port.exception_code if result == "exception" else ""
            self._fail(result, self._asked(self._turn), code)
        self._turn += 1
        all_missed = self._missed == (1 << self.channels) - 1
        if self._turn < len(self._requests) and not all_missed:
            return None
        self._turn = None
        return None if all_missed else self._give()

    def _ask(self, now_ms):
        if self._rest_ms is not None:
            # Below 0: so long ago that the ticks have wrapped.
            if 0 <= ticks_diff(now_ms, self._rest_ms) < self.PAUSE_MS:
                return
            self._rest_ms = None
        self._port.start(now_ms, self._requests[self._turn])

    def _decode(self, turn):
        """Take the reply to requests[turn] out of `_port` into `_readings`, and check them."""
        raise NotImplementedError

    def _asked(self, turn):
        """The channels, as bits, that fail without the reply to requests[turn]."""
        return (1 << self.channels) - 1

    def _give(self):
        readings = self._readings
        self._readings, self._given = self._given, readings
        missed = self._missed
        if not missed:
            return readings
        return tuple([None if missed >> i & 1 else r for i, r in enumerate(readings)])

    def _check(self, channel, limits):
        """Whether a reading is plausible; its factors are applied then."""
        reading = self._readings[channel]
        wrong = implausible(reading, limits)
        if wrong:
            self._fail("implausible", 1 << channel, ": " + wrong)
            return False
        if not reading.current_a:
            reading.power_factor = None
        # Not to the registers: their past would change with the factor.
        factors = self._factors[channel]
        for kind, name in _FACTORS:
            value = getattr(reading, name)
            if value is not None:
                setattr(reading, name, value * factors.get(kind, 1))
        return True

    def _fail(self, kind, channels, detail):
        self._missed |= channels
        self.errors[kind] += 1
        self.error = kind + detail
