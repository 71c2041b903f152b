# What the portal refuses, byte by byte, and that nobody keeps it from going on.
import base64
import contextlib
import http.server
import json
import socket
import struct
import threading
import time

import pytest
from portal_node import all_of

NO_GAP_MS = 250  # a step takes 1 to 5; others run on this machine, too


@pytest.fixture
def node(portal):
    one = portal()
    yield one
    assert one.longest_ms() < NO_GAP_MS


@pytest.fixture
def ask(node):
    """ask(method, path, fields, body) returns (status, fields in lower case, content)."""

    def send(method=b"GET", path=b"/", body=b"", at=node, **fields):
        head = {"Host": "127.0.0.1:%d" % at.port}
        if body:
            head["Content-Type"] = "application/json"
            head["Content-Length"] = str(len(body))
        head.update((name.replace("_", "-"), value) for name, value in fields.items())
        lines = ["%s: %s\r\n" % pair for pair in head.items() if pair[1] is not None]
        return parsed(at.raw(b"%s %s HTTP/1.1\r\n%s\r\n%s" % (
            method, path, "".join(lines).encode(), body)))

    return send


@pytest.fixture
def token(ask):
    return json.loads(ask(path=b"/state")[2])["token"]


def parsed(data):
    head, content = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert len(content) == int(fields["content-length"])
    return int(lines[0].split(" ")[1]), fields, content.decode()


def test_the_page_is_small_and_whole(ask):
    status, fields, content = ask()
    assert status == 200
    assert len(content.encode()) < 12000
    assert content.startswith("<!doctype html>") and content.rstrip().endswith("</html>")
    assert "http" not in content.lower().replace("127.0.0.1", "")  # nothing from elsewhere
    assert "src=" not in content and "<link" not in content
    assert fields["cache-control"] == "no-store"
    assert "default-src 'none'" in fields["content-security-policy"]
    assert "frame-ancestors 'none'" in fields["content-security-policy"]


@pytest.mark.parametrize("host", ["captive.example", "connectivitycheck.gstatic.com",
                                  "127.0.0.1", "127.0.0.1:1"])
@pytest.mark.parametrize("path", [b"/", b"/generate_204", b"/hotspot-detect.html", b"/state"])
def test_whatever_a_phone_looks_for_leads_to_the_page(ask, node, host, path):
    status, fields, _ = ask(path=path, Host=host)
    assert (status, fields["location"]) == (302, node.url)


def test_other_paths_do_not_exist(ask):
    assert ask(path=b"/config.json")[0] == 404
    assert ask(path=b"/../config.json")[0] == 404


@pytest.mark.parametrize("method,path,allowed", [
    (b"POST", b"/", "get"), (b"PUT", b"/save", "post"), (b"GET", b"/save", "post"),
    (b"DELETE", b"/test", "get, post"), (b"OPTIONS", b"/save", "post")])
def test_other_methods_are_refused(ask, method, path, allowed):
    status, fields, _ = ask(method, path, b"{}")
    assert (status, fields["allow"]) == (405, allowed)
    assert not any(name.startswith("access-control") for name in fields)


# Cross-site


def test_a_post_without_the_token_is_refused(ask, node):
    for token in (None, "", "0" * 16):
        assert ask(b"POST", b"/save", b'{"node_id": "evil"}', X_Token=token)[0] == 403
        assert ask(b"POST", b"/test", b'{"node_id": "evil"}', X_Token=token)[0] == 403
        assert ask(path=b"/scan", X_Token=token)[0] == 403
        assert ask(path=b"/test", X_Token=token)[0] == 403
    assert node.saved is None


def test_a_post_of_another_origin_is_refused(ask, node, token):
    for origin in ("http://evil.example", "null", "http://127.0.0.1", node.url[:-1] + "0",
                   node.url.replace("http", "https")[:-1]):
        assert ask(b"POST", b"/save", b'{"node_id": "evil"}', X_Token=token, Origin=origin)[0] \
            == 403
        assert ask(path=b"/state", Origin=origin)[0] == 403
    assert node.saved is None


def test_a_post_to_another_name_is_refused(ask, node, token):
    # DNS rebinding: the page of evil.example, whose address is ours by now.
    status, _, _ = ask(b"POST", b"/save", b'{"node_id": "evil"}', X_Token=token,
                       Host="evil.example", Origin="http://evil.example")
    assert status == 421
    assert node.saved is None


def test_the_page_of_another_site_can_neither_read_nor_save(browser, portal):
    node = portal()
    seen = []

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title>")

        def log_message(self, *_):
            seen.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open("http://127.0.0.1:%d/" % server.server_port)
        result = browser.run("""
            const at = "%s", body = '{"node_id": "evil"}', found = []
            const one = (path, more) => fetch(at + path, more).then(
                r => r.type + r.status, () => "failed").then(x => found.push(x))
            return (async () => {
              await one("state")
              await one("save", { method: "POST", body })
              await one("save", { method: "POST", body, mode: "no-cors" })
              await one("save", { method: "POST", body, headers: { "X-Token": "0" } })
              return found
            })()""" % node.url)
        server.shutdown()
    assert result == ["failed", "failed", "opaque0", "failed"]
    assert seen and node.saved is None


# What is posted


def test_what_is_no_json_is_refused(ask, node, token):
    for body in (b"node_id=evil", b'{"node_id": "n1"', b"\xff\xfe", b"{} {}"):
        assert ask(b"POST", b"/save", body, X_Token=token)[0] == 400
    assert node.saved is None


@pytest.mark.parametrize("kind", [
    None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_other_content_is_refused(ask, node, token, kind):
    status, _, text = ask(b"POST", b"/save", b'{"node_id": "n1"}', X_Token=token,
                          Content_Type=kind)
    assert (status, text) == (415, "only application/json")
    assert node.saved is None


@pytest.mark.parametrize("body,wrong", [
    (b"[]", {"": "a JSON object was expected"}),
    (b'{"energy": 1, "wifi_ssid": "x", "broker_host": "b"}', {"energy": "must be true or false"}),
    (b'{"protection": []}', {"protection": "there is no such setting here"}),
    (b'{"node_id": 7}', {"node_id": "must be a text of 0 to 32 characters"}),
    (b'{"wifi_ssid": "x", "wifi_password": "12345678", "broker_host": "b", "board": "../x"}',
     {"board": "may only have letters, digits, _ and -"}),
    (b'{"wifi_ssid": "x", "wifi_password": "12345678", "broker_host": "b", "board": "x"}',
     {"board": "choose one of the list"}),
    (b'{"wifi_ssid": "x", "broker_host": "mqtt://b"}',
     {"broker_host": "only a name or an address, as mqtt.example.com or 192.168.1.10"}),
])
def test_what_is_wrong_is_told_by_its_key(ask, node, token, body, wrong):
    status, _, text = ask(b"POST", b"/save", body, X_Token=token)
    assert (status, json.loads(text)) == (422, {"wrong": wrong})
    assert node.saved is None


def test_what_is_right_is_saved_once_and_the_portal_ends(ask, node, token):
    body = b'{"wifi_ssid": "x", "wifi_password": "12345678", "broker_host": "b"}'
    status, _, text = ask(b"POST", b"/save", body, X_Token=token,
                          Content_Type="application/json; charset=utf-8", Origin=node.url[:-1])
    assert (status, json.loads(text)) == (200, {"saved": True})
    assert ask(b"POST", b"/save", body, X_Token=token)[0] == 503
    assert node.saved == {"wifi_ssid": "x", "wifi_password": "12345678", "broker_host": "b"}
    longest = node.longest_ms()
    assert longest < NO_GAP_MS
    node.wait_for("closed")
    node.longest_ms = lambda: longest


# Bounds


def test_a_huge_header_is_refused(node):
    start = b"GET / HTTP/1.1\r\nHost: x\r\n"
    for data in (b"GET /" + b"a" * 2000, start + b"Cookie: " + b"a" * 100000,
                 start + b"X: y\r\n" * 20000, b"\x16\x03\x01" * 3000):
        assert parsed(node.raw(data))[0] == 431


def test_a_header_of_a_browser_with_cookies_is_read(ask):
    cookies = "; ".join("name%d=%s" % (n, "v" * 20) for n in range(25))
    assert ask(Cookie=cookies, Accept_Language="en-GB,en;q=0.9,de;q=0.8" * 20)[0] == 200


@pytest.mark.parametrize("size,status", [
    ("6145", 413), ("1000000000000", 413), ("-1", 400), ("x", 400), ("", 400), ("+1", 400)])
def test_a_body_of_a_wrong_size_is_refused(node, size, status):
    data = "POST /save HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n" % size
    assert parsed(node.raw(data.encode()))[0] == status


def test_who_sends_a_body_that_is_too_large_gets_the_answer(node):
    data = b"POST /save HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000
    assert parsed(node.raw(data))[0] == 413


def test_a_body_of_unknown_size_is_refused(node):
    head = b"POST /save HTTP/1.1\r\nHost: x\r\n"
    assert parsed(node.raw(head + b"\r\n"))[0] == 411
    assert parsed(node.raw(head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))[0] == 501


@pytest.mark.parametrize("data,status", [
    (b"\r\n\r\n", 400), (b"hello\r\n\r\n", 400), (b"GET / HTTP/2.0\r\n\r\n", 505),
    (b"GET http://x/ HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.1 \r\n\r\n", 400),
    (b"POST /save HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)])
def test_what_is_no_request_is_refused(node, data, status):
    assert parsed(node.raw(data))[0] == status


def largest():
    """All fields as long as they may be, with what JSON takes two bytes for."""
    lines = ["-----BEGIN CERTIFICATE-----"] + ["x" * 64] * 62
    values = {"tls_ca": "\n".join(lines), "broker_host": '"' * 128, "broker_port": 65535,
              "broker_user": '"' * 64, "broker_password": '"' * 128, "broker_tls": False,
              "home_id": "h" * 32, "node_id": "n" * 32, "board": "esp32-pzem",
              "hostname": "x" * 32, "address": "192.168.100.200/24",
              "gateway": "192.168.100.254", "dns": "192.168.100.253", "energy": True}
    values["tls_ca"] += "x" * (4096 - len(values["tls_ca"]))
    for end in ("", "_2", "_3"):
        values["wifi_ssid" + end] = '"' * 32
        values["wifi_password" + end] = '"' * 64
    return values


def test_the_largest_form_is_taken_and_not_one_byte_more(ask, token, node):
    values = largest()
    body = json.dumps(values).encode()
    assert 5800 < len(body) <= 6144
    body += b" " * (6144 - len(body))
    for key in values:
        if isinstance(values[key], str) and key not in ("address", "gateway", "dns"):
            one_more = json.dumps(dict(values, **{key: values[key] + "x"}))
            status, _, text = ask(b"POST", b"/test", one_more.encode(), X_Token=token)
            assert (status, list(json.loads(text)["wrong"])) == (422, [key]), key
    assert ask(b"POST", b"/test", body, X_Token=token)[0] == 202
    assert ask(b"POST", b"/save", body + b" ", X_Token=token)[0] == 413
    assert node.saved is None
    assert ask(b"POST", b"/save", body, X_Token=token)[0] == 200
    del values["energy"], values["broker_tls"], values["board"]  # as they are by default
    assert node.saved == values


def test_a_slow_client_is_told_so_and_others_go_first(portal):
    node = portal(REQUEST_MS=1500)
    with socket.create_connection(("127.0.0.1", node.port)) as slow:
        began = time.monotonic()
        slow.sendall(b"POST /save HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n")
        for _ in range(4):
            time.sleep(0.1)
            slow.sendall(b"x")
            assert node.raw(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % node.url[7:-1].encode())
        assert parsed(all_of(slow))[0] == 408
        assert 1.4 < time.monotonic() - began < 5
    assert node.longest_ms() < NO_GAP_MS


def test_one_body_at_a_time(node):
    head = b"POST /save HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", node.port)) as first:
        first.sendall(head + b"x")
        time.sleep(0.2)
        status, fields, _ = parsed(node.raw(head))
    assert (status, fields["retry-after"]) == (503, "2")


def test_what_browsers_open_in_advance_makes_room(node, ask):
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(socket.create_connection(("127.0.0.1", node.port)))
        time.sleep(0.2)
        assert ask()[0] == 200


def test_too_many_at_once_are_told_to_come_back(node, ask):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", node.port)))
            s.sendall(b"GET /")
        time.sleep(0.3)
        status, fields, _ = ask()
        assert (status, fields["retry-after"]) == (503, "2")
    time.sleep(0.2)
    assert ask()[0] == 200


def test_dozens_that_leave_in_the_middle(node, ask):
    reset = struct.pack("ii", 1, 0)
    for n in range(64):
        with socket.create_connection(("127.0.0.1", node.port)) as s:
            s.sendall(b"POST /save HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}"[:n])
            if n % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    time.sleep(0.3)
    assert ask()[0] == 200


def test_who_does_not_read_the_page_keeps_nobody(portal, tools):
    node = portal(ANSWER_MS=500)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            s.connect(("127.0.0.1", node.port))
            s.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % node.url[7:-1].encode())
            stack.enter_context(s)
        time.sleep(1)
        assert parsed(node.raw(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"
                               % node.url[7:-1].encode()))[0] == 200


# On the LAN


def test_on_the_lan_nothing_is_told_without_the_password(portal, ask):
    node = portal(lan=True)
    good = ":" + node.password
    for path in (b"/", b"/state", b"/scan"):
        for login in (None, "Basic", "Basic !", "Bearer x", basic(":"), basic(node.password),
                      basic(":" + "x" * 10), basic(good + "x"), "Digest " + basic(good)[6:]):
            status, fields, text = ask(path=path, at=node, Authorization=login)
            assert status == 401
            assert fields["www-authenticate"].startswith("basic")
            assert node.password not in text
    assert ask(path=b"/", at=node, Authorization=basic("any" + good))[0] == 200
    assert ask(path=b"/state", at=node, Authorization=basic(good))[0] == 200


def test_on_the_lan_it_has_a_name_and_no_other(portal, ask):
    node = portal(lan=True, settings={"node_id": "cellar_1"})
    login = basic(":" + node.password)
    for host, status in (("cellar-1:%d", 200), ("cellar-1.local:%d", 200), ("CELLAR-1:%d", 200),
                         ("evil.example:%d", 421), ("cellar-1.evil.example:%d", 421)):
        assert ask(at=node, Host=host % node.port, Authorization=login)[0] == status


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


# Names


def test_every_name_leads_to_the_page(node):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", node.dns_port))
        name = b"\x0cconnectivity\x07example\0"
        s.send(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0" + name + b"\0\x01\0\x01")
        answer = s.recv(512)
    assert answer[:12] == b"\x12\x34\x85\x80\0\x01\0\x01\0\0\0\0"
    assert answer.endswith(b"\0\x04\x7f\0\0\x01")


def test_a_flood_of_questions_keeps_nobody(node, ask):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for n in range(2000):
            s.sendto(bytes([n % 256]) * (n % 600), ("127.0.0.1", node.dns_port))
        assert ask()[0] == 200
