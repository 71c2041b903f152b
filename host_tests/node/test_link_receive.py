# What the link receives, against a broker that says exactly these bytes.
# Each test is a way in which plain umqtt loses or misreads a packet (reference: umqtt-and-peers
# 1.1).
import struct
import time

import pytest
from link_under_test import PREFIX

from host_tests.support import scripted_broker as mqtt

COMMAND = PREFIX + "command/relay"
# Far longer than a tick may be late on a busy machine, far shorter than the waits below.
NO_GAP_MS = 1000
SHORT = {"CALL_MS": 2000}


def test_half_a_packet_then_silence_ends_at_the_deadline_and_the_house_goes_on(link, scripted):
    node = link(constants=SHORT)
    peer = scripted.session()
    node.wait("connected")
    start = time.monotonic()
    peer.send(mqtt.publish(COMMAND, b'{"action": "on"}')[:-5])
    lost = node.wait("disconnected")
    assert 1 < time.monotonic() - start < 6
    assert lost["reason"] == "timeout"
    assert lost["ticks"] > 100
    assert lost["longest_gap_ms"] < NO_GAP_MS
    assert node.nothing("command")


def test_only_the_first_byte_of_a_packet_ends_at_the_deadline(link, scripted):
    node = link(constants=SHORT)
    peer = scripted.session()
    node.wait("connected")
    peer.send(b"\x32")
    assert node.wait("disconnected")["reason"] == "timeout"


def test_a_payload_cut_by_the_end_of_the_connection_is_never_delivered(link, scripted):
    node = link()
    peer = scripted.session()
    node.wait("connected")
    peer.send(mqtt.publish(COMMAND, b'{"action": "on"}')[:-1])
    peer.close()
    assert node.wait("disconnected")["reason"] == "connection_lost"
    assert node.nothing("command")


@pytest.mark.parametrize("low", [0x30, 0x32, 0x3F])
def test_an_ack_that_nobody_waits_for_does_not_eat_the_next_command(link, scripted, low):
    # umqtt leaves its last bytes in the stream; a packet id of 0x30 to 0x3f is then a PUBLISH.
    node = link()
    peer = scripted.session()
    node.wait("connected")
    peer.send(b"\x40\x02\x00" + bytes((low,)) + mqtt.publish(COMMAND, b"{}"))
    assert node.wait("command")["payload"] == b"{}"
    peer.expect(mqtt.PUBACK)


def test_a_suback_that_nobody_waits_for_does_not_eat_the_next_command(link, scripted):
    node = link()
    peer = scripted.session()
    node.wait("connected")
    peer.send(b"\x90\x03\x00\x30\x01" + mqtt.publish(COMMAND, b"{}"))
    assert node.wait("command")["payload"] == b"{}"


def test_a_message_of_20_kib_is_drained_and_acknowledged_as_too_large(link, scripted):
    node = link()
    peer = scripted.session()
    node.wait("connected")
    peer.send(mqtt.publish(COMMAND, b"x" * 20480, pid=0x1234) + mqtt.publish(COMMAND, b"next"))
    large = node.wait("command")
    assert large["payload"] is None and large["size"] == 20480
    assert peer.expect(mqtt.PUBACK).body == b"\x12\x34"
    assert node.wait("command")["payload"] == b"next"
    peer.expect(mqtt.PUBACK)
    assert node.nothing("disconnected")


@pytest.mark.parametrize("size", [511, 512, 513, 4095, 4096, 4097])
def test_payloads_around_the_limits_of_the_buffers_arrive_whole(link, scripted, size):
    node = link()
    peer = scripted.session()
    node.wait("connected")
    payload = bytes(n * 7 & 255 for n in range(size))
    peer.send(mqtt.publish(COMMAND, payload) + mqtt.publish(COMMAND, b"next", pid=2))
    command = node.wait("command")
    assert command["size"] == size
    assert command["payload"] == (payload if size <= 4096 else None)
    assert node.wait("command")["payload"] == b"next"


def test_a_remaining_length_shorter_than_the_topic_ends_the_session(link, scripted):
    # umqtt would read(-1), which means: until the end of the connection.
    node = link(constants=SHORT)
    peer = scripted.session()
    node.wait("connected")
    topic = COMMAND.encode()
    peer.send(b"\x32\x05" + struct.pack(">H", len(topic)) + topic + b"\x00\x01")
    lost = node.wait("disconnected")
    assert lost["reason"] == "protocol_error"
    assert node.nothing("command")
    scripted.session()
    node.wait("connected")


def test_topics_above_127_bytes_arrive(link, scripted):
    node = link()
    peer = scripted.session()
    for size in (128, 200, 600):
        topic = PREFIX + "command/" + "x" * (size - len(PREFIX) - 8)
        peer.send(mqtt.publish(topic, b"{}"))
        assert node.wait("command")["command"] == topic
        peer.expect(mqtt.PUBACK)


def test_everything_works_in_slices_of_one_byte(link, scripted):
    node = link()
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    peer.send_slices(mqtt.CONNACK_OK)
    packet = peer.expect(mqtt.SUBSCRIBE)
    peer.send_slices(b"\x90\x03" + packet.body[:2] + b"\x01")
    node.wait("connected")
    peer.send_slices(mqtt.publish(COMMAND, b'{"action": "on"}', pid=0x3031))
    assert node.wait("command")["payload"] == b'{"action": "on"}'
    assert peer.expect(mqtt.PUBACK).body == b"\x30\x31"
    node.publish("response/command", "x")
    packet = peer.expect(mqtt.PUBLISH)
    peer.send_slices(b"\x40\x02" + mqtt.pid_of(packet))
    node.publish("response/command", "y")
    assert mqtt.parts(peer.expect(mqtt.PUBLISH))[1] == b"y"


def test_several_packets_in_one_segment_are_all_taken(link, scripted):
    node = link()
    peer = scripted.session()
    node.wait("connected")
    many = [mqtt.publish(COMMAND, b"%d" % n, pid=n + 1) for n in range(40)]
    peer.send(b"".join(many) + mqtt.PINGRESP + mqtt.publish(COMMAND, b"last", qos=0))
    for n in range(40):
        assert node.wait("command")["payload"] == b"%d" % n
        assert peer.expect(mqtt.PUBACK).body == struct.pack(">H", n + 1)
    assert node.wait("command")["payload"] == b"last"


def test_retain_and_qos_do_not_get_lost(link, scripted):
    node = link()
    peer = scripted.session()
    peer.send(mqtt.publish(COMMAND, b"old", retain=True))
    assert node.wait("command")["retained"] is True
    peer.send(mqtt.publish(COMMAND, b"new", qos=0))
    assert node.wait("command")["retained"] is False
