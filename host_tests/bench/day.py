"""One day of a household on a node with default settings, as fast as it goes, bytes counted.

The firmware is real down to its socket, and so is the broker; time is not. Prints one JSON line:
bytes and records each way (a record is what left or came at once: TLS would wrap each), messages
and their bytes by topic.
"""

import json

import day_clock  # before anything that imports `time`
import options
from bare_node import BareNode
from household import DAY_S, Household

from firmware.mqtt.stream import Stream


class CountingStream(Stream):
    """Counts what passes through the socket; does not wait for what may not come."""

    sent_bytes = sent_records = received_bytes = received_records = 0

    def wait_readable(self):
        self.rhythm.beat()

    def _send(self, data, n):
        super()._send(data, n)
        self.sent_bytes += n
        self.sent_records += 1

    def _receive(self, into):
        got = super()._receive(into)
        if got:
            self.received_bytes += got
            self.received_records += 1
        return got


def main():
    given = options.parse("day.py HOST PORT [--seconds N]", ("host", "port"), {"seconds": DAY_S})
    bare = BareNode(given["host"], int(given["port"]), "bench-day", CountingStream)
    stream, session, outbox = bare.stream, bare.session, bare.outbox
    household = Household()
    topics = {}  # topic: [messages, bytes of topic and payload]

    def count_sent(message):
        counts = topics.setdefault(message.topic.decode(), [0, 0])
        counts[0] += 1
        counts[1] += len(session.prefix) + len(message.topic) + len(message.payload)
        outbox_sent(message)

    outbox_sent, outbox.sent = outbox.sent, count_sent
    bare.serve()
    for second in range(given["seconds"]):
        day_clock.forward(1000)
        bare.sampler.next_reading = household.reading(second)
        bare.board.temperature_c = household.temperature_c(second)
        bare.serve()
        while session._pinged_ms is not None:  # let the answer come in this second
            bare.node.step()
        session.flush()
    print(json.dumps({
        "sent_bytes": stream.sent_bytes,
        "sent_records": stream.sent_records,
        "received_bytes": stream.received_bytes,
        "received_records": stream.received_records,
        "connects": session.connects,
        "topics": topics,
    }))


main()
