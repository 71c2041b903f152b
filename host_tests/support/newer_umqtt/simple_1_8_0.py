# What umqtt.simple 1.8.0 does otherwise than 1.7.0: this text is put behind that one.
# ruff: noqa: F811, F821


class MQTTClient(MQTTClient):
    def connect(self, clean_session=True, timeout=None):
        """Row 22: the socket of the session before is closed."""
        if self.sock:
            self.sock.close()
        return super().connect(clean_session, timeout)

    def subscribe(self, topic, qos=0):
        """Row 16: the length takes as many bytes as it needs."""
        assert self.cb is not None
        self.pid += 1
        pid = struct.pack("!H", self.pid)
        self.sock.write(b"\x82")
        self.sock.write(_length(5 + len(topic)))
        self.sock.write(pid)
        self._send_str(topic)
        self.sock.write(bytes([qos]))
        while self.wait_msg() != 0x90:
            pass
        answer = self.sock.read(4)
        assert answer[1:3] == pid
        if answer[3] == 0x80:
            raise MQTTException(0x80)


_encode_len = _length  # by this name the version is told
