# What waits to be published: bounded, newest wins, responses first.

RESPONSES = 16
PAYLOAD_BYTES = 1000  # brokers set up with a 1,024-byte limit drop more, silently


class Message:
    """One message: topic below the node's prefix and payload, both bytes."""

    def __init__(self, topic, payload, qos, retain):
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain


class Outbox:
    """At most 16 responses (and one more, which says that there are too many), the newest
    message of each status topic and of each telemetry metric.

    The foreground takes `next()`, publishes it, and only then gives it to `sent()`; a message
    that was replaced meanwhile is another object, so the newer one stays.
    """

    def __init__(self):
        self._responses = []
        self._status = []
        self._telemetry = []
        self.dropped = 0  # messages above the size limit: a defect of ours, so it is counted

    @property
    def full(self):
        """Whether another command could not be answered."""
        return len(self._responses) >= RESPONSES

    def respond(self, topic, payload):
        """Add a response; the caller has looked at `full`."""
        if len(self._responses) <= RESPONSES:
            self._responses.append(Message(topic, payload, 1, False))

    def put_status(self, topic, payload):
        """Set the newest retained message of a status topic."""
        if self._fits(payload):
            _replace(self._status, Message(topic, payload, 1, True))

    def put_telemetry(self, topic, payload):
        """Set the newest message of a metric."""
        if self._fits(payload):
            _replace(self._telemetry, Message(topic, payload, 0, False))

    def drop_telemetry(self):
        """Forget live values: they are old by the time a new session is up."""
        self._telemetry = []

    def next(self):
        """The message to publish next, or None: responses, then status, then telemetry."""
        queue = self._responses or self._status or self._telemetry
        return queue[0] if queue else None

    def sent(self, message):
        """Remove this very message, if it is still here."""
        queue = self._responses
        if message.retain:
            queue = self._status
        elif not message.qos:
            queue = self._telemetry
        if message in queue:
            queue.remove(message)

    def answered(self):
        """Whether no response is waiting."""
        return not self._responses

    def _fits(self, payload):
        if len(payload) <= PAYLOAD_BYTES:
            return True
        self.dropped += 1
        return False


def _replace(queue, message):
    # In place, so that a topic keeps its turn however often it changes.
    for i in range(len(queue)):
        if queue[i].topic == message.topic:
            queue[i] = message
            return
    queue.append(message)
