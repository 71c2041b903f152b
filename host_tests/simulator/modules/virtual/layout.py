# Where everything lies in the board's state file, for both sides that map it.
# MicroPython (memory.py) and the supervisor (virtual_board.py) read and write the same bytes.
# All numbers are little-endian.

FILE_NAME = "hardware.mem"
SIZE = 8192

# One record per pin: mode (0 = never set up), output latch, level, pull; then u32 transitions.
PINS = 0
PIN_COUNT = 64
PIN_SIZE = 8
PIN_MODE = 0
PIN_MODE_DRIVEN = 2  # the bit that all output modes have
PIN_LATCH = 1
PIN_LEVEL = 2
PIN_PULL = 3
PIN_TRANSITIONS = 4

TICKS_OFFSET = 512  # i32, ms to add to the host's monotonic clock, modulo 2**30
WATCHDOG_LEFT = 516  # u32, ms left on a watchdog that a soft reset does not stop; 0 = none
CONTROLS_TAKEN = 520  # u32, control lines obeyed since the process started
HEAP_USED = 524  # u32, bytes of heap taken before boot.py ran
CLOCK_OFFSET = 528  # i64, us: the board's clock (since 2000) minus the host's (since 1970)
REPL_RAW = 536  # u32, 1 = the REPL is in raw mode, which a soft reset keeps
REPL_ATTACHED = 540  # u32, 1 = the interpreter runs and listens to UART 0
REPL_WAITS = 544  # u32, 1 = the REPL waits for input

# One record per meter, laid out as its model likes. Those with an energy register begin with it
# (u32, Wh); three phases are three such parts.
METERS = 1024
METER_COUNT = 8
METER_SIZE = 64
METER_PHASE_SIZE = 16

CONTACTS = 1536  # u8 per relay, of the latching ones: 1 = closed
COIL_CLASHES = 1552  # u32, how often both coils of one relay had current

RTC_LENGTH = 2048  # u16
RTC_DATA = 2050
RTC_LIMIT = {"esp32": 2048, "esp8266": 492}

TICKS_PERIOD = 1 << 30
TICKS_BEFORE_WRAP_MS = 60000  # where ticks_ms() stands at power-on

EXIT_HARD_RESET = 82
EXIT_SOFT_RESET = 83
