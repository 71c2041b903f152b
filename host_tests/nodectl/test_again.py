"""Offers that have to be repeated: lost ones, late ones, and final answers nobody heard.

In this process, so that the waiting times can be short.
"""

import concurrent.futures
import io
import time

import pytest
from process import places
from scripted_node import ScriptedNode, confirm

from host_tests.support.broker import Broker
from remote import push
from remote.errors import RemoteError
from remote.link import Link
from remote.screen import Screen
from remote.sender import Sender


@pytest.fixture
def pushing(broker, home, bundle, monkeypatch):
    """pushing(broker) starts a push; returns its result as a future, and what it prints."""
    monkeypatch.setattr(push, "UNANSWERED_S", 1.0)
    monkeypatch.setattr(push, "MISSED_S", 0.5)
    _, payload, offer = bundle
    links = []
    pool = concurrent.futures.ThreadPoolExecutor(1)

    def start(broker=broker):
        options = places(broker, home)
        options.timeout, options.wait = 20, True
        out = io.StringIO()
        link = Link(options)
        links.append(link)
        link.open()
        sender = Sender(payload, offer, push.new_id())
        return pool.submit(push.Push(link, Screen(out), sender, offer, options).run), out

    yield start
    pool.shutdown()
    for link in links:
        link.close()


def test_an_offer_without_answer_is_repeated_under_a_new_id(pushing, node):
    done, out = pushing()
    first, second = node.command(0), node.command(1)
    assert first["request_id"] != second["request_id"]
    assert first["bundle"] == second["bundle"]
    confirm(node, first["request_id"])  # the first one was only slow
    assert done.result(5) == 0
    assert "offered again: no answer yet" in out.getvalue()


def test_a_node_that_never_answers_an_offer_is_given_up(pushing, node, monkeypatch):
    monkeypatch.setattr(push, "UNANSWERED_S", 0.2)
    done, _ = pushing()
    with pytest.raises(RemoteError, match="n1 is online, but does not answer offers"):
        done.result(10)
    assert len(node.commands) == push.OFFERS


def test_an_offer_that_came_too_late_is_repeated(pushing, node, monkeypatch):
    monkeypatch.setattr(push, "STALE_S", 0.3)
    monkeypatch.setattr(push, "UNANSWERED_S", 30.0)
    done, _ = pushing()
    node.command(0)
    node.online(False)
    time.sleep(0.4)
    node.online()
    node.refuse("expired")
    node.command(1)
    confirm(node)
    assert done.result(5) == 0


def test_an_offer_refused_as_expired_at_once_means_a_wrong_clock(pushing, node):
    done, _ = pushing()
    node.command()
    node.refuse("expired", "40 s old")
    with pytest.raises(RemoteError, match="40 s old .the clock of this machine or of the node"):
        done.result(5)


def test_an_old_offer_that_expires_does_not_end_the_new_one(pushing, node):
    done, _ = pushing()
    first = node.command(0)["request_id"]
    node.command(1)
    node.say("error", request_id=first, error={"code": "expired", "message": "old"})
    confirm(node)
    assert done.result(5) == 0


def test_a_busy_node_is_told(pushing, node):
    done, _ = pushing()
    node.command()
    node.refuse("busy", "another update")
    with pytest.raises(RemoteError, match="n1: busy: another update"):
        done.result(5)


def test_an_offer_that_meets_the_end_of_another_is_repeated(pushing, node):
    done, out = pushing()
    node.command(0)
    node.say("progress", {"state": "confirmed", "percent": 100, "version": "1.4.0"})
    node.command(1)
    confirm(node)
    assert done.result(5) == 0
    assert out.getvalue() == "offered\nconfirmed: n1 runs 1.4.0\n"


@pytest.fixture
def missed(pushing, tools, home, until):
    """An update whose node goes into the trial while the broker dies, and is back on it."""
    with Broker(tools.mosquitto) as broker, ScriptedNode(broker, home, "n1") as node:
        node.online()
        done, out = pushing(broker)
        first = node.command()["request_id"]
        node.say("progress", {"state": "trial", "percent": 0})
        until(lambda: "trial" in out.getvalue())
        node.lose(broker.kill9)
        broker.start()
        node.wait_ready()
        node.online()
        assert node.command(1)["request_id"] != first
        yield node, done


def test_the_answer_missed_while_the_broker_was_away_is_asked_for(missed):
    node, done = missed
    node.refuse("busy")  # of a node that is still on the first offer: no end
    confirm(node)
    assert done.result(5) == 0


def test_why_it_fell_back_is_told_although_the_answer_was_missed(missed):
    node, done = missed
    node.put("status/firmware", {"version": "1.3.0", "state": "rolled_back",
                                 "reason": "meter silent"}, retain=True)
    node.refuse("known_bad", "this bundle has failed here")
    with pytest.raises(RemoteError, match="known_bad: .* .meter silent."):
        done.result(5)
