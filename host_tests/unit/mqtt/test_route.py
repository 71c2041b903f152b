"""Which way each attempt takes: direct, or through a WebSocket where the direct way fails."""

from time import ticks_add

from firmware.mqtt.route import Route
from host_tests.unit.fakes import BEFORE_WRAP

DIRECT = (8883, None)
WEBSOCKET = (8884, "/mqtt")
HOUR_MS = 3600000


def route(websocket="fallback"):
    return Route({"broker_port": 8883, "websocket": websocket, "websocket_port": 8884,
                  "websocket_path": "/mqtt"})


def ways(r, count):
    """Where the next attempts go, all of which fail."""
    found = []
    for _ in range(count):
        found.append(r.choose())
        r.failed()
    return found


def test_never_and_always_know_one_way():
    assert ways(route("never"), 7) == [DIRECT] * 7
    assert ways(route("always"), 7) == [WEBSOCKET] * 7


def test_after_two_failures_the_websocket_is_tried_once():
    assert ways(route(), 6) == [DIRECT, DIRECT, WEBSOCKET, DIRECT, DIRECT, WEBSOCKET]


def test_what_worked_is_taken_again():
    r = route()
    ways(r, 2)
    assert r.choose() == WEBSOCKET
    r.connected(BEFORE_WRAP)
    r.watch(ticks_add(BEFORE_WRAP, HOUR_MS - 1))
    assert ways(r, 3) == [WEBSOCKET, WEBSOCKET, DIRECT]


def test_after_an_hour_the_direct_way_comes_first_again():
    r = route()
    ways(r, 2)
    r.choose()
    r.connected(BEFORE_WRAP)
    r.watch(ticks_add(BEFORE_WRAP, HOUR_MS))
    assert ways(r, 3) == [DIRECT, DIRECT, WEBSOCKET]


def test_a_session_forgets_the_failures_before_it():
    r = route()
    ways(r, 1)
    r.choose()
    r.connected(BEFORE_WRAP)
    assert ways(r, 2) == [DIRECT, DIRECT]
