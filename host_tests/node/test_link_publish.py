# Publishing and staying alive over the link, against a broker that says exactly these bytes.
# Each test is a way in which plain umqtt waits for ever (reference: umqtt-and-peers 1.1), or a
# promise of the design about what leaves in one segment.
import struct
import time

import pytest
from link_under_test import PREFIX

from host_tests.support import scripted_broker as mqtt

COMMAND = PREFIX + "command/relay"
# Far longer than a tick may be late on a busy machine, far shorter than the waits below.
NO_GAP_MS = 1000
SHORT = {"CALL_MS": 2000}


def test_a_missing_puback_ends_the_wait_and_the_message_comes_again(link, scripted):
    node = link(constants=SHORT)
    peer = scripted.session()
    node.publish("response/command", "first")
    assert mqtt.parts(peer.expect(mqtt.PUBLISH)) == (PREFIX + "response/command", b"first", 1,
                                                     False)
    lost = node.wait("disconnected")
    assert lost["reason"] == "timeout"
    assert lost["longest_gap_ms"] < NO_GAP_MS
    peer = scripted.session()
    again = peer.expect(mqtt.PUBLISH)
    assert mqtt.parts(again)[1] == b"first"
    peer.puback(again)
    node.publish("response/command", "second")
    assert mqtt.parts(peer.expect(mqtt.PUBLISH))[1] == b"second"


def test_connection_lost_while_waiting_for_puback_does_not_wait_on_the_next_one(link, scripted):
    # robust reconnects inside the wait, and then waits for a PUBACK that cannot come.
    node = link()
    peer = scripted.session()
    node.publish("response/command", "x")
    peer.expect(mqtt.PUBLISH)
    peer.close()
    assert node.wait("disconnected", 3)["reason"] == "connection_lost"
    peer = scripted.session()
    assert mqtt.parts(peer.expect(mqtt.PUBLISH))[1] == b"x"


def test_a_puback_for_another_packet_is_not_taken_for_ours(link, scripted):
    node = link(constants=SHORT)
    peer = scripted.session()
    node.publish("response/command", "x")
    packet = peer.expect(mqtt.PUBLISH)
    pid = struct.unpack(">H", mqtt.pid_of(packet))[0]
    peer.send(b"\x40\x02" + struct.pack(">H", pid + 1))
    with pytest.raises(TimeoutError):
        peer.packet(0.5)
    node.publish("response/command", "y")  # waits behind it
    peer.puback(packet)
    assert mqtt.parts(peer.expect(mqtt.PUBLISH))[1] == b"y"
    assert node.nothing("disconnected")


def test_a_chatty_broker_cannot_hold_a_publish_beyond_its_deadline(link, scripted):
    node = link(constants=SHORT)
    peer = scripted.session()
    node.publish("response/command", "x")
    peer.expect(mqtt.PUBLISH)
    start = time.monotonic()
    while time.monotonic() - start < 8:
        try:
            peer.send(mqtt.publish(PREFIX + "command/led", b"{}", qos=0))
            time.sleep(0.02)
        except OSError:
            break
    assert time.monotonic() - start < 6
    lost = node.wait("disconnected")
    assert lost["reason"] == "timeout"
    assert lost["longest_gap_ms"] < NO_GAP_MS


def test_commands_are_taken_while_a_publish_waits_for_its_puback(link, scripted):
    node = link()
    peer = scripted.session()
    node.publish("response/command", "x")
    packet = peer.expect(mqtt.PUBLISH)
    peer.send(mqtt.publish(COMMAND, b"while", pid=7))
    assert node.wait("command")["payload"] == b"while"
    peer.puback(packet)
    assert peer.expect(mqtt.PUBACK).body == b"\x00\x07"
    node.publish("response/command", "y")
    assert mqtt.parts(peer.expect(mqtt.PUBLISH))[1] == b"y"


def test_the_packet_id_goes_on_at_1_after_65535(link, scripted):
    # umqtt goes on to 65536, sends 0, and waits for an acknowledgement of 65536 for ever.
    node = link(pid=65533)
    peer = scripted.session()
    seen = []
    for n in range(4):
        node.publish("response/command", str(n))
        packet = peer.expect(mqtt.PUBLISH)
        seen.append(struct.unpack(">H", mqtt.pid_of(packet))[0])
        peer.puback(packet)
    assert seen == [65535, 1, 2, 3]


def test_puback_and_answer_leave_in_one_segment(link, scripted):
    # Apart, Nagle and delayed acknowledgements make 44 ms of them.
    node = link(answer="done")
    peer = scripted.session()
    node.wait("connected")
    peer.send(mqtt.publish(COMMAND, b"{}", pid=0x0102))
    segment = peer.segment()
    answer = mqtt.publish(PREFIX + "response/command", b"done", pid=2)
    assert segment == b"\x40\x02\x01\x02" + answer


def test_a_publish_leaves_in_one_segment(link, scripted):
    node = link()
    peer = scripted.session()
    node.publish("response/command", "x" * 900)
    assert peer.segment() == mqtt.publish(PREFIX + "response/command", "x" * 900, pid=2)


def test_a_publish_of_qos_0_leaves_without_waiting_for_anything(link, scripted):
    node = link()
    peer = scripted.session()
    node.publish("telemetry/power", "1", qos=0)
    assert mqtt.parts(peer.expect(mqtt.PUBLISH, 2)) == (PREFIX + "telemetry/power", b"1", 0, False)


def test_pings_when_nothing_was_heard_for_half_the_keep_alive(link, scripted):
    node = link(keepalive_s=2)
    peer = scripted.session()
    start = time.monotonic()
    for _ in range(3):
        peer.expect(mqtt.PINGREQ)
        peer.send(mqtt.PINGRESP)
    assert 2 < time.monotonic() - start < 8
    assert node.nothing("disconnected")


def test_what_is_published_does_not_keep_a_dead_link_alive(link, scripted):
    # QoS 0 into a half-open connection "succeeds" until TCP gives up, minutes later.
    node = link(keepalive_s=2)
    peer = scripted.session()
    node.wait("connected")
    start = time.monotonic()
    pings = 0
    while time.monotonic() - start < 10:
        node.publish("telemetry/power", "1", qos=0)
        try:
            pings += peer.packet(0.5).kind == mqtt.PINGREQ
        except (EOFError, ConnectionResetError):
            break
        except TimeoutError:
            pass
        time.sleep(0.1)
    lost = node.wait("disconnected")
    assert lost["reason"] == "timeout"
    assert 2.5 < time.monotonic() - start < 8  # 1.5 x 2 s
    assert pings >= 1
    assert lost["longest_gap_ms"] < NO_GAP_MS


def test_commands_count_as_a_sign_of_life(link, scripted):
    node = link(keepalive_s=2)
    peer = scripted.session()
    start = time.monotonic()
    while time.monotonic() - start < 4:
        peer.send(mqtt.publish(COMMAND, b"{}", qos=0))
        time.sleep(0.25)
    assert node.nothing("disconnected")
    with pytest.raises(TimeoutError):
        peer.packet(0.2)  # not one ping


def test_a_broker_that_does_not_read_cannot_hold_a_write(link):
    with mqtt.ScriptedBroker(narrow=True) as broker:
        node = link(broker.port, constants=SHORT)
        peer = broker.session()
        node.wait("connected")
        start = time.monotonic()
        node.flood(300)
        lost = node.wait("disconnected")
        assert 1 < time.monotonic() - start < 6
        assert lost["reason"] == "timeout"
        assert lost["ticks"] > 100
        assert lost["longest_gap_ms"] < NO_GAP_MS
        peer.close()
