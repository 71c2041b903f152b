"""The topic tree of a node, and which topics are its commands."""

from firmware.mqtt.topics import Topics
from host_tests.unit.fakes import raised

TOPICS = Topics("homesync", "abc123", "node-001")


def test_the_tree():
    assert TOPICS.prefix == b"homesync/abc123/nodes/node-001/"
    assert TOPICS.commands == b"homesync/abc123/nodes/node-001/command/+"
    assert TOPICS.online == b"homesync/abc123/nodes/node-001/status/online"


def test_the_first_level_can_be_another():
    assert Topics("site/lab", "h", "n").prefix == b"site/lab/h/nodes/n/"


def test_commands_are_told_by_their_last_level():
    for kind in ("relay", "led", "config", "ota", "dance"):
        assert TOPICS.command(b"homesync/abc123/nodes/node-001/command/" + kind.encode()) == kind


def test_other_topics_are_no_commands():
    for topic in (
        b"",
        b"command/relay",
        b"homesync/abc123/nodes/node-001/status/relay",
        b"homesync/abc123/nodes/node-001/response/command",
        b"homesync/abc123/nodes/node-002/command/relay",
        b"homesync/abc1234/nodes/node-001/command/relay",
        b"homesync/abc123/nodes/node-0011/command/relay",
        b"x/homesync/abc123/nodes/node-001/command/relay",
        b"homesync/abc123/nodes/node-001/command",
    ):
        assert TOPICS.command(topic) is None, topic


def test_a_topic_that_is_not_utf_8_raises_a_value_error():
    assert raised(ValueError, TOPICS.command, TOPICS.prefix + b"command/\xff\xfe")
