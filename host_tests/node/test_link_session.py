# How the link's session begins and ends, against a broker that says exactly these bytes.
# What is sent, the reason for every refusal, names, and the planned stop.
import socket
import struct
import time

import pytest
from link_under_test import PREFIX

from host_tests.support import scripted_broker as mqtt

COMMAND = PREFIX + "command/relay"
# Far longer than a tick may be late on a busy machine, far shorter than the waits below.
NO_GAP_MS = 1000


def test_connect_carries_the_will_and_asks_for_the_old_session(link, scripted):
    link()
    will_topic = (PREFIX + "status/online").encode()
    will = b'{"online": false, "reason": "unexpected_disconnect"}'
    body = b"\x00\x04MQTT\x04"
    body += b"\x2c\x00\x3c"  # will retained, will QoS 1, will, no clean session; 60 s
    for part in (b"link", will_topic, will):
        body += struct.pack(">H", len(part)) + part
    packet = scripted.accept().packet()
    assert packet.raw == b"\x10" + mqtt.remaining_length(len(body)) + body


def test_connect_carries_user_and_password(link, scripted):
    link(broker_user="älice", broker_password="geheim €")
    packet = scripted.accept().packet()
    assert packet.body[7] == 0xEC
    secrets = ["älice".encode(), "geheim €".encode()]
    assert packet.body.endswith(b"".join(struct.pack(">H", len(s)) + s for s in secrets))


def test_subscribes_to_all_commands_at_qos_1(link, scripted):
    link()
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    peer.send(mqtt.CONNACK_OK)
    packet = peer.expect(mqtt.SUBSCRIBE)
    topic = (PREFIX + "command/+").encode()
    assert packet.header == 0x82
    assert packet.body[2:] == struct.pack(">H", len(topic)) + topic + b"\x01"


@pytest.mark.parametrize("code, reason", [
    (1, "broker_refused"), (2, "broker_refused"), (3, "broker_refused"),
    (4, "bad_credentials"), (5, "not_authorized"),
])
def test_a_refused_connect_says_why(link, scripted, code, reason):
    node = link()
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    peer.send(b"\x20\x02\x00" + bytes((code,)))
    error = node.wait("error")
    assert error["reason"] == reason
    assert "CONNACK %d" % code in error["detail"]
    assert peer.closed_within(2)
    if code in (4, 5):  # brokers ban nodes that hammer them with wrong passwords
        assert 48000 <= error["delay_ms"] <= 60000
    else:
        assert error["delay_ms"] <= 50


def test_a_refused_subscription_says_why(link, scripted):
    node = link()
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    peer.send(mqtt.CONNACK_OK)
    peer.suback(0x80)
    error = node.wait("error")
    assert error["reason"] == "not_authorized"
    assert "subscription" in error["detail"]


def test_reset_before_connack_says_so(link, scripted):
    node = link()
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    peer.reset()
    assert node.wait("error")["reason"] == "closed_before_connack"


def test_closed_before_connack_says_so(link, scripted):
    node = link()
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    peer.close()
    assert node.wait("error")["reason"] == "closed_before_connack"


def test_another_protocol_than_mqtt_says_so(link, scripted):
    node = link()
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert node.wait("error")["reason"] == "protocol_error"


def test_no_connack_ends_the_attempt_at_its_deadline(link, scripted):
    node = link(constants={"CONNECT_MS": 2000})
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    error = node.wait("error")
    assert error["reason"] == "timeout"
    assert error["ticks"] > 100
    assert error["longest_gap_ms"] < NO_GAP_MS
    assert peer.closed_within(2)


def test_nobody_listens_is_unreachable_and_tried_again(link, scripted):
    port = scripted.port
    scripted.close()
    node = link(port)
    delays_ms = []
    for _ in range(4):
        error = node.wait("error")
        assert error["reason"] == "unreachable"
        delays_ms.append(error["delay_ms"])
    # 50, 100, 200, 400 ms, each times 0.8 to 1.0
    for n, delay_ms in enumerate(delays_ms):
        assert 0.8 * (50 << n) - 1 <= delay_ms <= 50 << n


def test_dns_that_does_not_answer_ends_within_the_attempts_limit(link):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        node = link(broker_host="broker.test", dns=[silent.getsockname()])
        node.wait("connecting")
        start = time.monotonic()
        error = node.wait("error", 14)
    assert time.monotonic() - start < 12
    assert error["reason"] == "dns_failed"
    assert "broker.test" in error["detail"]
    assert error["longest_gap_ms"] < NO_GAP_MS


def test_a_name_is_looked_up_by_our_own_query(link, scripted):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        link(broker_host="broker.test", dns=[server.getsockname()])
        query, sender = server.recvfrom(512)
        assert b"\x06broker\x04test\x00\x00\x01\x00\x01" in query
        answer = query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + query[12:]
        answer += b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"
        server.sendto(answer, sender)
        scripted.accept().expect(mqtt.CONNECT)


def test_the_packet_id_of_a_subscription_wraps_too(link, scripted):
    link(pid=65535)
    peer = scripted.accept()
    peer.expect(mqtt.CONNECT)
    peer.send(mqtt.CONNACK_OK)
    assert peer.suback().body[:2] == b"\x00\x01"
    with pytest.raises(TimeoutError):
        peer.packet(0.3)  # it is content: neither closed nor asking again


def test_a_resumed_session_asks_with_a_ping_whether_the_queue_is_empty(link, scripted):
    link()
    peer = scripted.session(mqtt.CONNACK_RESUMED)
    peer.expect(mqtt.PINGREQ, 2)
    peer.send(mqtt.publish(COMMAND, b"{}", qos=0) + mqtt.PINGRESP)
    peer.expect(mqtt.PINGREQ, 2)  # a command came in between: ask again
    peer.send(mqtt.PINGRESP)
    with pytest.raises(TimeoutError):
        peer.packet(0.5)


def test_a_new_session_has_no_queue_to_ask_about(link, scripted):
    link()
    peer = scripted.session()
    with pytest.raises(TimeoutError):
        peer.packet(0.5)


def test_a_restart_says_offline_and_goodbye_but_keeps_its_queue(link, scripted):
    node = link()
    peer = scripted.session()
    node.wait("connected")
    node.stop("restart")
    offline = peer.expect(mqtt.PUBLISH)
    assert mqtt.parts(offline) == (
        PREFIX + "status/online", b'{"online": false, "reason": "restart"}', 1, True)
    peer.puback(offline)
    assert peer.packet().raw == b"\xe0\x00"
    assert peer.closed_within(2)
    assert node.ended_within(5) == 0


def test_leaving_for_good_unsubscribes(link, scripted):
    node = link()
    peer = scripted.session()
    node.wait("connected")
    node.stop("leave")
    peer.puback(peer.expect(mqtt.PUBLISH))
    packet = peer.packet()
    topic = (PREFIX + "command/+").encode()
    assert packet.header == 0xA2
    assert packet.body[2:] == struct.pack(">H", len(topic)) + topic
    peer.send(b"\xb0\x02" + packet.body[:2])
    assert peer.packet().raw == b"\xe0\x00"
    assert node.ended_within(5) == 0


@pytest.mark.parametrize("how", ["restart", "leave"])
def test_stopping_waits_2_s_for_the_broker_and_no_longer(link, scripted, how):
    node = link()
    peer = scripted.session()
    node.wait("connected")
    start = time.monotonic()
    node.stop(how)
    peer.expect(mqtt.PUBLISH)
    assert node.ended_within(8) == 0
    assert time.monotonic() - start < 6
