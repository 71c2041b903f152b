# The serial port of a virtual board: a pseudo-terminal that a tool opens as it opens /dev/ttyUSB0.
import os
import pty
import select
import signal
import threading
import time
import tty

_CTRL_C = 3
_CTRL_C_APART_S = 0.03  # the unix port dies of a second one before it has taken the first
_PATIENCE_S = 5


class SerialPort:
    """A USB-to-serial adapter on UART 0 of a `VirtualBoard`; give it to the board as `serial`.

    path       /dev/pts/N while plugged in; each `plug()` may give another
    received   bytes that have come from the host
    pull_at    pull the cable when so many bytes have come; None: never
    """

    def __init__(self):
        self.path = None
        self.received = 0
        self.pull_at = None
        self._lock = threading.Lock()
        self._process = self._to_line = self._hardware = None
        self._master = self._slave = self._thread = None
        self._last_ctrl_c_s = 0
        self._clogged = False
        self.plug()

    def plug(self):
        """Plug the cable in, unless it is."""
        if self._master is not None:
            return self
        self._join()
        pulled = self._slave
        self._master, self._slave = pty.openpty()
        if pulled is not None:
            os.close(pulled)
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        # We keep the other end open too: without any opener a read would fail. It has no reader
        # then, and what the board says is lost, as on a real port.
        self.path = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._listen, args=(self._master,), daemon=True)
        self._thread.start()
        return self

    def pull(self):
        """Pull the cable: whoever has the port open gets errors, and the path is gone."""
        with self._lock:
            master, self._master = self._master, None
            if master is not None:
                os.close(master)
            # The slave stays open, or the next pseudo-terminal of anybody had the same path.
        self._join()

    def close(self):
        """Pull it for good."""
        self.pull()
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None

    # --- what the board calls -------------------------------------------------------------------

    def attach(self, process, to_line, hardware):
        """A chip has started; it reads its UART from the other end of the pipe `to_line`."""
        with self._lock:
            self._process, self._to_line, self._hardware = process, to_line, hardware
            os.set_blocking(to_line, False)

    def detach(self):
        """It has stopped; what it had not read is lost."""
        with self._lock:
            os.close(self._to_line)
            self._process = self._to_line = None

    def send(self, data):
        """What the chip prints; nobody hears it while the UART belongs to something else."""
        data = data.replace(b"\n", b"\r\n")
        # A reader that is slow gets everything; without one it is lost.
        until_s = time.monotonic() + (0 if self._clogged else _PATIENCE_S)
        while data:
            with self._lock:
                if self._master is None or not self._hardware.repl_attached:
                    return
                try:
                    data = data[os.write(self._master, data) :]
                    self._clogged = False
                    continue
                except BlockingIOError:
                    self._clogged = time.monotonic() >= until_s
            if self._clogged:
                return
            time.sleep(0.001)

    # --- the host's side ------------------------------------------------------------------------

    def _listen(self, master):
        while self._master == master:
            try:
                if not select.select([master], [], [], 0.05)[0]:
                    continue
                data = os.read(master, 4096)
            except (OSError, ValueError):
                return  # pulled
            if self.pull_at is not None and self.received + len(data) >= self.pull_at:
                data = data[: max(self.pull_at - self.received, 0)]
                self.pull_at = None
                self._take(data)
                self.pull()
                return
            self._take(data)

    def _take(self, data):
        self.received += len(data)
        start = 0
        for at, byte in enumerate(data):
            if byte == _CTRL_C and not self._waiting():
                self._pass_on(data[start:at])
                self._interrupt()
                start = at + 1
        self._pass_on(data[start:])

    def _pass_on(self, data):
        with self._lock:
            if data and self._to_line is not None and self._hardware.repl_attached:
                try:
                    os.write(self._to_line, data)
                except OSError:
                    pass  # its buffer is full, or it has just gone

    def _waiting(self):
        # As on a chip: while the REPL waits for input Ctrl-C is a byte like any other.
        with self._lock:
            return self._hardware is not None and self._hardware.repl_waits

    def _interrupt(self):
        time.sleep(max(self._last_ctrl_c_s + _CTRL_C_APART_S - time.monotonic(), 0))
        self._last_ctrl_c_s = time.monotonic()
        with self._lock:
            if self._process is not None and self._hardware.repl_attached:
                self._process.send_signal(signal.SIGINT)

    def _join(self):
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
