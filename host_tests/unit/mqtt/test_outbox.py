"""What waits to be published: the order, the bounds, and that the newest wins."""

from firmware.mqtt.outbox import PAYLOAD_BYTES, RESPONSES, Outbox


def drain(outbox):
    found = []
    message = outbox.next()
    while message:
        found.append((message.topic, message.payload, message.qos, message.retain))
        outbox.sent(message)
        message = outbox.next()
    return found


def test_an_empty_outbox_has_nothing_to_send():
    outbox = Outbox()
    assert outbox.next() is None
    assert outbox.answered()
    assert not outbox.full


def test_quality_of_service_and_retain_of_each_kind():
    outbox = Outbox()
    outbox.put_telemetry(b"telemetry/power", b"1")
    outbox.put_status(b"status/relay", b"2")
    outbox.respond(b"response/command", b"3")
    assert drain(outbox) == [
        (b"response/command", b"3", 1, False),
        (b"status/relay", b"2", 1, True),
        (b"telemetry/power", b"1", 0, False),
    ]


def test_a_message_stays_until_it_was_sent():
    outbox = Outbox()
    outbox.put_status(b"status/relay", b"on")
    assert outbox.next() is outbox.next()
    outbox.sent(outbox.next())
    assert outbox.next() is None


def test_the_newest_message_of_a_topic_wins():
    outbox = Outbox()
    for i in range(50):
        outbox.put_status(b"status/relay", b"%d" % i)
        outbox.put_telemetry(b"telemetry/power", b"%d" % i)
    assert drain(outbox) == [(b"status/relay", b"49", 1, True),
                             (b"telemetry/power", b"49", 0, False)]


def test_a_replaced_message_keeps_its_turn():
    outbox = Outbox()
    outbox.put_telemetry(b"telemetry/power", b"1")
    outbox.put_telemetry(b"telemetry/voltage", b"2")
    outbox.put_telemetry(b"telemetry/power", b"3")
    assert [m[:2] for m in drain(outbox)] == [(b"telemetry/power", b"3"),
                                              (b"telemetry/voltage", b"2")]


def test_what_replaces_a_message_while_it_is_published_is_not_lost():
    outbox = Outbox()
    outbox.put_status(b"status/relay", b"on")
    publishing = outbox.next()
    outbox.put_status(b"status/relay", b"off")
    outbox.sent(publishing)
    assert [m[1] for m in drain(outbox)] == [b"off"]


def test_an_equal_message_is_not_the_same_message():
    outbox = Outbox()
    outbox.put_status(b"status/relay", b"on")
    publishing = outbox.next()
    outbox.put_status(b"status/relay", b"on")
    outbox.sent(publishing)
    assert [m[1] for m in drain(outbox)] == [b"on"]


def test_a_response_that_comes_while_another_is_published_waits():
    outbox = Outbox()
    outbox.put_telemetry(b"telemetry/power", b"1")
    publishing = outbox.next()
    outbox.respond(b"response/command", b"2")
    outbox.sent(publishing)
    assert drain(outbox) == [(b"response/command", b"2", 1, False)]


def test_responses_leave_in_the_order_of_their_commands():
    outbox = Outbox()
    for i in range(RESPONSES):
        outbox.respond(b"response/command", b"%d" % i)
    assert [m[1] for m in drain(outbox)] == [b"%d" % i for i in range(RESPONSES)]


def test_full_with_16_responses():
    outbox = Outbox()
    for _ in range(15):
        outbox.respond(b"response/command", b"x")
    assert not outbox.full
    outbox.respond(b"response/command", b"x")
    assert outbox.full
    assert not outbox.answered()
    outbox.sent(outbox.next())
    assert not outbox.full


def test_one_more_may_say_that_it_is_full():
    outbox = Outbox()
    for i in range(40):
        outbox.respond(b"response/command", b"%d" % i)
    assert [m[1] for m in drain(outbox)] == [b"%d" % i for i in range(17)]


def test_status_and_telemetry_are_never_too_many():
    outbox = Outbox()
    for _ in range(16):
        outbox.respond(b"response/command", b"x")
    outbox.put_status(b"status/relay", b"x")
    outbox.put_telemetry(b"telemetry/power", b"x")
    assert len(drain(outbox)) == 18


def test_a_message_above_1000_bytes_is_dropped_and_counted():
    assert PAYLOAD_BYTES == 1000
    outbox = Outbox()
    outbox.put_status(b"status/health", b"x" * 1000)
    outbox.put_telemetry(b"telemetry/power", b"x" * 1000)
    assert outbox.dropped == 0
    outbox.put_status(b"status/health", b"x" * 1001)
    outbox.put_telemetry(b"telemetry/power", b"x" * 1001)
    assert outbox.dropped == 2
    assert [len(m[1]) for m in drain(outbox)] == [1000, 1000]


def test_only_telemetry_is_forgotten_when_it_is_old():
    outbox = Outbox()
    outbox.respond(b"response/command", b"1")
    outbox.put_status(b"status/relay", b"2")
    outbox.put_telemetry(b"telemetry/power", b"3")
    outbox.drop_telemetry()
    assert [m[1] for m in drain(outbox)] == [b"1", b"2"]
