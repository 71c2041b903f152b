# What umqtt.robust 1.0.2 does otherwise than 1.0: this text is put behind that file.
# ruff: noqa: F811, F821


class MQTTClient(MQTTClient):
    def check_msg(self, attempts=2):
        """Row 28: not blocking after a reconnect either, and not for ever."""
        for _ in range(attempts):
            self.sock.setblocking(False)
            try:
                return simple.MQTTClient.wait_msg(self)
            except OSError as e:
                self.log(False, e)
            self.reconnect()
