# What umqtt.simple 1.4 to 1.7.0 does otherwise than 1.3.4: this text is put behind that file.
# Facts: reference, umqtt-and-peers, 1.0 and the rows named below; the code is ours.
# ruff: noqa: F811, F821


class _TimedSockets:
    """The module `socket`, whose sockets get a timeout before they connect."""

    def __init__(self, module, timeout):
        self._module = module
        self._timeout = timeout
        self.getaddrinfo = module.getaddrinfo

    def socket(self):
        s = self._module.socket()
        s.settimeout(self._timeout)
        return s


class MQTTClient(MQTTClient):
    def connect(self, clean_session=True, timeout=None):
        """1.5 and up, row 2: there is a timeout, set on the socket also where it is None."""
        global socket
        module, user = socket, self.user
        socket = _TimedSockets(module, timeout)
        self.user = user or None  # 1.4 and up: an empty user is none
        try:
            return super().connect(clean_session)
        finally:
            socket, self.user = module, user

    def unsubscribe(self, topic):
        """1.7.0, row 17."""
        self.pid += 1
        pid = struct.pack("!H", self.pid)
        self.sock.write(b"\xa2")
        self.sock.write(_length(4 + len(topic)))
        self.sock.write(pid)
        self._send_str(topic)
        while self.wait_msg() != 0xB0:
            pass
        assert self.sock.read(3) == b"\x02" + pid

    def wait_msg(self):
        """1.4 and up, row 11: the first byte of a message is returned once it is delivered."""
        delivered = []
        callback = self.cb

        def deliver(topic, payload):
            delivered.append(self.sock.header)  # the node's stream keeps it
            callback(topic, payload)

        self.cb = deliver
        try:
            op = super().wait_msg()
        finally:
            self.cb = callback
        return delivered[0] if delivered else op


def _length(size):
    field = bytearray()
    while size > 127:
        field.append(size & 127 | 128)
        size >>= 7
    field.append(size)
    return field
