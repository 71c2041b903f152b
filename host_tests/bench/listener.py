"""A client at the broker that hears some of the node's topics while a row is measured."""

from .node import BASE


class Listener:
    """In a `with` block: subscribed to `topic`; a subclass takes `heard(message)`, in a thread."""

    def __init__(self, broker, topic, inflight=20):
        from paho.mqtt import client as paho

        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.paho.max_inflight_messages_set(inflight)
        self.paho.reconnect_delay_set(1, 1)
        self.paho.on_connect = lambda *_: self.paho.subscribe(BASE + "/" + topic, 1)
        self.paho.on_message = lambda client, userdata, message: self.heard(message)
        self.paho.connect(broker.host, broker.port)
        self.paho.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.paho.disconnect()
        self.paho.loop_stop()

    def publish(self, topic, payload):
        self.paho.publish(BASE + "/" + topic, payload, 1)
