# What umqtt.robust 1.0.3 does otherwise than 1.0.2: this text is put behind that one.
# ruff: noqa: F811, F821


class MQTTClient(MQTTClient):
    def reconnect(self):
        """Row 33: connects by the method of the subclass, if there is one."""
        i = 0
        while True:
            try:
                return self.connect(False)
            except OSError as e:
                self.log(True, e)
                i += 1
                self.delay(i)
