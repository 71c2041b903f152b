# Supervises a virtual board: starts real MicroPython with shadow modules, and restarts it as a
# chip restarts itself, with the right reset cause and the right things lost.
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from . import wiring
from .hardware import Hardware
from .modules.virtual import layout, models

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent

_EXIT_CAUSES = {
    layout.EXIT_HARD_RESET: "hard",
    layout.EXIT_SOFT_RESET: "soft",
    -signal.SIGALRM: "watchdog",
    128 + signal.SIGALRM: "watchdog",
}
_ROM_BOOT_S = 0.1  # a chip reset takes at least this long, so a reset loop stays readable
_CONTROL_TIMEOUT_S = 1.0
_CONTROLS = ("meter", "wifi", "stations", "networks", "load", "rssi", "temperature", "pin", "hang")
_ONCE = ("reset", "wrap")  # meter faults that are over at once: not repeated after a restart
_SAYS = (
    {"platform": "esp32", "version": [1, 25, 0], "machine": "Generic ESP32 module with ESP32"},
    {"platform": "esp8266", "version": [1, 25, 0], "machine": "ESP module with ESP8266"},
)
_WIFI = ("up", "down", "not_found", "wrong_password", "refused", "no_address")


class VirtualBoard:
    """One board: a MicroPython process, its flash folder, and the state that survives it.

    micropython  command of the interpreter (64 bit or i386), str or list
    code         folder with boot.py, main.py, firmware/ and lib/ (sources or .mpy)
    flash        folder that is the board's file system (its current directory)
    state        folder for what is not flash: pins, RTC memory, clock, meter registers
                 (None: a temporary one that goes with `close()`)
    board        name of a profile in firmware/boards/, or the profile itself as a dict
    loads        watts behind relay 0, 1, ...; a dict may give `watts` and `power_factor`
                 Relay 0 is on phase a, 1 on b, ..., unless the profile's protection says else.
    base_load    watts that are always on, on each phase; or a list with a number for each
    speed        house seconds per second (loads, meters, energy; never ticks_ms)
    heap         value for `-X heapsize=` such as "64k"; None = the interpreter's default.
                 `simulator_heap` tells how many bytes of it the simulator itself took.
    dns          what the network interface says its name server is
    networks     {ssid: password} in range; empty means any name and password will do
    modules      folder of the shadow modules (sources by default, or a compiled copy)
    on_line      called with each line of output, from another thread
    serial       `SerialPort` plugged into UART 0: then the board has a REPL, and never ends
    says         what `import sys` tells the REPL's code, in place of the unix port's:
                 {"platform", "version", "machine"}
    free_blocks  how many blocks of the flash are free, None: as many as the host's disk has
    romfs        bytes of its ROMFS partition (327680 on an ESP8266 with FLASH_2M_ROMFS), None if
                 it has none. What is in it is kept in the state folder.
    frozen       folder with modules that this MicroPython has frozen in besides its own

    `_state` is a thread's life: "off" -> "running" (restarting included) -> "off" by power_cut(),
    or -> "ended" when main.py ended by itself (`exit_code` tells how).
    """

    ROM_FILE = "romfs.flash"  # in the state folder

    def __init__(
        self,
        micropython,
        code,
        flash,
        state=None,
        board="esp32-pzem",
        loads=(1000,),
        base_load=0,
        speed=1.0,
        heap=None,
        dns="127.0.0.1",
        networks=None,
        rssi=-60,
        unique_id="240ac4000001",
        modules=None,
        env=None,
        on_line=print,
        serial=None,
        says=None,
        frozen=None,
        free_blocks=None,
        romfs=None,
    ):
        single = isinstance(micropython, (str, Path))
        self._command = [micropython] if single else list(micropython)
        self._code = Path(code).resolve()
        self._flash = Path(flash).resolve()
        self._own_state = state is None
        self._folder = Path(tempfile.mkdtemp(prefix="board-") if state is None else state)
        self._modules = Path(modules or HERE / "modules").resolve()
        self._heap = heap
        self._env = dict(env or {})
        self._on_line = on_line
        self._serial = serial
        self._frozen = [] if frozen is None else [Path(frozen).resolve()]
        self._profile = board if isinstance(board, dict) else load_profile(board, self._code)
        self._settings = wiring.world(self._profile, loads, base_load)
        self._settings.update(
            code=str(self._code), speed=speed, dns=dns, networks=networks or {}, rssi=rssi,
            unique_id=unique_id, frozen=list(map(str, self._frozen)), free_blocks=free_blocks,
            sys={**_SAYS[self._settings["chip"] == "esp8266"], **(says or {})},
        )  # fmt: skip

        self._controls = {}
        self._changed = threading.Condition()
        self._process = None
        self._thread = None
        self._state = "off"
        self._next_cause = None
        self.exit_code = None
        self.causes = []
        self.log = []
        self._flash.mkdir(parents=True, exist_ok=True)
        self._hardware = Hardware(self._folder, self._settings["chip"])
        self._settings["state"] = str(self._hardware.path)
        self._settings["romfs"] = romfs and (str(self._rom_file(romfs)), romfs)

    # --- what tests and scripts call -----------------------------------------------------------

    def power_on(self):
        """Apply power: RTC memory is garbage, the clock starts in 2000, pins are inputs."""
        with self._changed:
            if self._state == "running":
                raise RuntimeError("the board is already on")
            self._state = "running"
            self.exit_code = None
            self._next_cause = None
        self._thread = threading.Thread(target=self._supervise, args=("power_on",), daemon=True)
        self._thread.start()
        return self

    def power_cut(self):
        """Take power away: the process dies where it stands, and stays off."""
        with self._changed:
            self._state = "off"
        self._kill()
        self._join()
        self._hardware.drop_pins()

    def press_reset(self):
        """Press the reset button: as machine.reset(), at any moment."""
        with self._changed:
            if self._state != "running":
                raise RuntimeError("the board is off")
            self._next_cause = "button"
        self._kill()

    def stop(self, timeout_s=10.0):
        """Ctrl-C; waits for main.py to end and returns its exit code (killed: negative)."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
        with self._changed:
            ended = self._changed.wait_for(lambda: self._state != "running", timeout_s)
        if not ended:
            self.power_cut()
            self.exit_code = -signal.SIGKILL
        return self.exit_code

    def close(self):
        """Kill what runs and remove the temporary state folder."""
        self.power_cut()
        self._hardware.close()
        if self._own_state:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def fault(self, **controls):
        """Send control lines such as meter={"address": 1, "fault": "silent"}, wifi="down",
        meter={"fault": "no_mains", "phase": 2}, networks={"ssid": "password"},
        load={"index": 0, "watts": 60}, rssi=-80, temperature=55, pin={"id": 0, "level": 0},
        hang=True. They outlive restarts (hang excepted) and may be given before power_on().

        True when the board has taken them within a second. ValueError for what does not exist.
        """
        for name in controls:
            if name not in _CONTROLS:
                raise ValueError(f"no such control: {name}")
        if "meter" in controls:
            fault = controls["meter"]["fault"]
            if fault not in models.faults(self._profile["meter"]["chip"]):
                raise ValueError(f"no such meter fault: {fault}")
        if "wifi" in controls and controls["wifi"] not in _WIFI:
            raise ValueError(f"no such state of the Wi-Fi: {controls['wifi']}")
        for name, value in controls.items():
            if name != "hang" and not (name == "meter" and value["fault"] in _ONCE):
                part = None
                if isinstance(value, dict):
                    part = value.get("address", value.get("index", value.get("id")))
                    if name == "meter" and part is None:  # for all: replaces what single ones had
                        for key in [key for key in self._controls if key[0] == "meter"]:
                            del self._controls[key]
                self._controls[(name, part)] = {name: value}
        if not self.running:
            return False
        before = self._hardware.controls_taken
        try:
            self._process.stdin.write(json.dumps(controls).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        deadline = time.monotonic() + _CONTROL_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._hardware.controls_taken != before:
                return True
            time.sleep(0.002)
        return False

    def pins(self):
        """{pin number: (level, transitions so far)} of every pin that is set up or has changed."""
        return self._hardware.pins()

    def relay(self, index=0):
        """True while the relay's contact is closed."""
        relay = self._profile["relays"][index]
        if "set_pin" in relay:
            return bool(self._hardware.contact(index))
        return self._hardware.driven_level(relay["pin"]) == (0 if relay.get("active_low") else 1)

    def energy_wh(self, meter=0, phase=0):
        """What the meter's own register counts."""
        return self._hardware.energy_wh(meter, phase)

    @property
    def coil_clashes(self):
        """How often both coils of one latching relay had current, since the state began."""
        return self._hardware.coil_clashes

    def wait_for_line(self, text, timeout_s=5.0, after=0):
        """The first line of output, from number `after` of the log on, that contains `text`."""
        found = []

        def look():
            found[:] = [line for line in self.log[after:] if text in line]
            return found or self._state != "running"

        with self._changed:
            self._changed.wait_for(look, timeout_s)
        if not found:
            tail = "\n".join(self.log[-20:])
            raise TimeoutError(f"no line with {text!r} within {timeout_s} s; last lines:\n{tail}")
        return found[0]

    @property
    def running(self):
        return self._state == "running"

    @property
    def boots(self):
        """How many times the interpreter was started."""
        return len(self.causes)

    @property
    def pid(self):
        return self._process.pid if self._process else None

    @property
    def simulator_heap(self):
        """Bytes of MicroPython heap the simulator had taken when boot.py began."""
        return self._hardware.heap_used

    # --- the process ----------------------------------------------------------------------------

    def _supervise(self, cause):
        while True:
            self._hardware.reset(cause)
            code = self._run_once(cause)
            with self._changed:
                if self._state != "running":
                    break
                cause, self._next_cause = self._next_cause or _EXIT_CAUSES.get(code), None
                if cause is None:
                    self._state = "ended"
                    self.exit_code = code
                    break
            if cause != "soft":
                self._hardware.drop_pins()
                time.sleep(_ROM_BOOT_S)
        with self._changed:
            self._changed.notify_all()

    def _run_once(self, cause):
        """Start the interpreter, pass its output on, and return its exit code."""
        settings_file = self._folder / "settings.json"
        settings = dict(self._settings, cause=cause, controls=list(self._controls.values()))
        line, to_line = os.pipe() if self._serial else (None, None)
        settings_file.write_text(json.dumps(dict(settings, line=line)))
        path = [self._modules, self._code, *self._frozen, self._code / "lib", ".frozen"]
        heap = ["-X", f"heapsize={self._heap}"] if self._heap else []
        with self._changed:
            if self._state != "running":
                for end in (line, to_line) if self._serial else ():
                    os.close(end)
                return None
            self._next_cause = None
            self._process = subprocess.Popen(
                self._command + heap + [str(HERE / "power_on.py")],
                cwd=self._flash,
                env={
                    **os.environ,
                    **self._env,
                    "HOMESYNC_SIM": str(settings_file),
                    "MICROPYPATH": ":".join(map(str, path)),
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C of a terminal is ours to handle
                pass_fds=(line,) if self._serial else (),
            )
            self.causes.append(cause)
            self._changed.notify_all()
        if self._serial:
            os.close(line)
            self._serial.attach(self._process, to_line, self._hardware)
        with self._process as process:
            rest = b""
            for data in iter(lambda: process.stdout.read1(4096), b""):
                if self._serial:
                    self._serial.send(data)
                *lines, rest = (rest + data).split(b"\n")
                for raw in lines:
                    self._take_line(raw)
            if rest:
                self._take_line(rest)
        if self._serial:
            self._serial.detach()
        return process.returncode

    def _rom_file(self, size):
        path = (self._folder / self.ROM_FILE).resolve()
        if not path.exists() or path.stat().st_size != size:
            path.write_bytes(b"\xff" * size)
        return path

    def _take_line(self, raw):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        with self._changed:
            self.log.append(line)
            self._changed.notify_all()
        self._on_line(line)

    def _kill(self):
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def _join(self):
        if self._thread is not None:
            self._thread.join()
            self._thread = None


def load_profile(name, code=REPO):
    """The board profile `name` from the code's firmware/boards, else from this repository's."""
    for root in (Path(code), REPO):
        path = root / "firmware" / "boards" / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text())
    raise ValueError(f"no board profile {name}.json in firmware/boards")
