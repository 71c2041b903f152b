# TLS and WebSocket to a real Mosquitto: certificates are checked, each failure has its reason.
import tempfile
from pathlib import Path

import pytest

from host_tests.support.broker import Broker, free_port
from host_tests.support.certificates import Authority

LISTENERS = ("good", "expired", "wrong_host", "unknown_ca", "wss", "ws")
REASONS = {
    "expired": "has expired",
    "wrong_host": "wrong host",
    "unknown_ca": "unknown CA",
}


class Secured:
    """One Mosquitto with a plain listener for the hub and one of each kind for nodes."""

    def __init__(self, mosquitto, folder):
        folder.chmod(0o755)
        ca = Authority(folder)
        self.ca_pem = ca.pem
        self.ports = {name: free_port() for name in LISTENERS}
        certificates = {
            "good": ca.server("good"),
            "expired": ca.server("expired", first_day=-9, last_day=-2),
            "wrong_host": ca.server("wrong_host", hosts=("broker.example",)),
            "unknown_ca": Authority(folder, "another CA").server("unknown_ca"),
            "wss": ca.server("wss") + ["protocol websockets"],
            "ws": ["protocol websockets"],
        }
        lines = []
        for name in LISTENERS:
            lines.append("listener %d 127.0.0.1" % self.ports[name])
            lines += certificates[name]
        self.broker = Broker(mosquitto, config_lines=lines)


@pytest.fixture(scope="module")
def secured(tools):
    with tempfile.TemporaryDirectory(prefix="certificates-") as folder:
        secured = Secured(tools.mosquitto, Path(folder))
        with secured.broker:
            yield secured


def settings(secured, name, **more):
    return dict({"broker_tls": True, "tls_ca": secured.ca_pem,
                 "broker_port": secured.ports[name]}, **more)


def works(node):
    """A command goes in, its answer and a short gap between ticks come out."""
    assert node.hub.ask("relay", "on")["result"] == "on"
    assert node.hub.ask("config", "get")["status"] == "success"
    health = node.health()
    assert health["tick_max_ms"] < 1000
    assert health["meter_ok"] is True
    return health


def test_over_tls_everything_works(new_node, secured):
    node = new_node(secured.broker, settings(secured, "good")).start()
    assert works(node)["last_error"] is None


@pytest.mark.parametrize("name", REASONS)
def test_a_bad_certificate_is_refused_with_its_reason(new_node, secured, name):
    node = new_node(secured.broker, settings(secured, name))
    node.board.power_on()
    line = node.board.wait_for_line("link: error", 10)
    assert "tls_failed" in line and REASONS[name] in line
    assert not any("link: connected" in line for line in node.board.log)
    node.board.wait_for_line("meter answers", 10)


def test_without_a_ca_there_is_no_tls(new_node, secured):
    node = new_node(secured.broker, settings(secured, "good", tls_ca=""))
    node.board.power_on()
    line = node.board.wait_for_line("link: error", 10)
    assert "tls_failed" in line and "tls_ca" in line


def test_plain_mqtt_on_the_tls_port_and_tls_on_the_plain_one_fail(new_node, secured):
    plain = new_node(secured.broker, {"broker_port": secured.ports["good"]})
    plain.board.power_on()
    assert "closed_before_connack" in plain.board.wait_for_line("link: error", 15)
    tls = new_node(secured.broker, settings(secured, "good", broker_port=secured.broker.port))
    tls.board.power_on()
    assert "tls_failed" in tls.board.wait_for_line("link: error", 15)


def test_esp8266_refuses_tls_with_the_reason(new_node, secured):
    node = new_node(secured.broker, settings(secured, "good", board="nodemcu-pzem"),
                    board="nodemcu-pzem")
    node.board.power_on()
    line = node.board.wait_for_line("link: error", 15)
    assert "tls_failed" in line and "ESP8266 cannot check certificates" in line


@pytest.mark.parametrize("name", ["ws", "wss"])
def test_through_a_websocket_everything_works(new_node, secured, name):
    node = new_node(secured.broker, settings(
        secured, "good", broker_tls=name == "wss", websocket="always",
        websocket_port=secured.ports[name])).start()
    works(node)


def test_the_websocket_stands_in_when_the_direct_port_fails_twice(new_node, secured):
    node = new_node(secured.broker, settings(
        secured, "good", broker_port=free_port(), websocket="fallback",
        websocket_port=secured.ports["wss"])).start()
    errors = [line for line in node.board.log if "link: error" in line]
    assert len(errors) == 2 and all("unreachable" in line for line in errors)
    works(node)
