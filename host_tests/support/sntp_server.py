# A small SNTP server (RFC 4330, server side) on a loopback port, with the faults a node meets.
# It gives the host's time; switches may be changed while it runs.
import socket
import struct
import threading
import time

_UNIX_TO_NTP_S = 2208988800
_SERVER_MODE = 4


class SntpServer:
    """Runs in a thread from start() to stop().

    offset_s        added to the time it gives
    kiss_of_death   answer with stratum 0, code "RATE" and no time, as an overloaded server does
    silent          take requests, answer nothing
    unsynchronised  answer with leap indicator 3 and stratum 16
    """

    def __init__(self, host="127.0.0.1"):
        self.offset_s = 0.0
        self.kiss_of_death = False
        self.silent = False
        self.unsynchronised = False
        self.requests = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(0.1)
        self.host, self.port = self._socket.getsockname()
        self._stopping = threading.Event()
        self._thread = None

    @property
    def address(self):
        """`host:port`, as the node's `ntp_servers` wants it."""
        return f"{self.host}:{self.port}"

    def start(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        self._stopping.set()
        if self._thread:
            self._thread.join()
        self._socket.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _serve(self):
        while not self._stopping.is_set():
            try:
                request, sender = self._socket.recvfrom(512)
            except socket.timeout:
                continue
            except OSError:
                # An earlier answer met a closed port (ICMP): no reason to stop serving.
                continue
            received = time.time()
            self.requests += 1
            if len(request) < 48 or self.silent:
                continue
            self._socket.sendto(self.answer(request, received), sender)

    def answer(self, request, received):
        """The 48 bytes that answer `request`, which came at `received` (Unix seconds)."""
        version = request[0] >> 3 & 7
        leap, stratum, reference = 0, 2, socket.inet_aton("127.0.0.1")
        stamps = [self._stamp(received - 10), request[40:48], self._stamp(received)]
        stamps.append(self._stamp(time.time()))
        if self.unsynchronised:
            leap, stratum = 3, 16
        if self.kiss_of_death:
            leap, stratum, reference = 3, 0, b"RATE"
            stamps = [bytes(8), request[40:48], bytes(8), bytes(8)]
        first = leap << 6 | version << 3 | _SERVER_MODE
        head = struct.pack(">BBbbII", first, stratum, 6, -20, 0x100, 0x100)
        return head + reference + b"".join(stamps)

    def _stamp(self, unix_s):
        ntp = unix_s + self.offset_s + _UNIX_TO_NTP_S
        return struct.pack(">II", int(ntp) & 0xFFFFFFFF, int(ntp % 1 * 2**32))
