# What the tests of the setup portal share: its page as a browser would ask for it, and code whose
# button and ports are fit for tests.
import base64
import json
import time
import urllib.error
import urllib.request

from rig import patched_code

ACCESS_POINT = "127.0.0.4"  # of the simulated one
HELD_S = 2  # a button: between 1.3 and 15 s
_BUTTON = [('(3000, "")', '(1100, "")'), ('(8000, "clear_trip")', '(1200, "clear_trip")'),
           ('(10000, "")', '(1300, "")')]


def portal_code(folder, ports, patches):
    """The node's code with ports for everybody, and less patience; patches as in `patched_code`,
    but for the button's."""
    patches = dict(patches)
    patches["firmware/setup/__init__.py"] = [
        ("\nPORT = 80", "\nPORT = %d" % ports[0]), ("DNS_PORT = 53", "DNS_PORT = %d" % ports[1])]
    patches["firmware/control/button.py"] = _BUTTON + patches.get("firmware/control/button.py", [])
    return patched_code(folder, patches)


def hold(node, seconds=HELD_S):
    """Hold the button down for so long."""
    node.board.fault(pin={"id": 0, "level": 0})
    time.sleep(seconds)
    node.board.fault(pin={"id": 0, "level": 1})


class Page:
    """What a browser would ask; `address` is that of the node's end."""

    def __init__(self, port, address=ACCESS_POINT, password=None):
        self.url = "http://%s:%d/" % (address, port)
        self.headers = {"Content-Type": "application/json"}
        if password:
            login = base64.b64encode(b"me:" + password.encode()).decode()
            self.headers["Authorization"] = "Basic " + login

    def ask(self, path, values=None):
        data = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(self.url + path, data, self.headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def enter(self):
        """Load the page, as soon as somebody listens; what it knows of the settings."""
        end_s = time.monotonic() + 10
        while self.refused() == "closed" and time.monotonic() < end_s:
            time.sleep(0.05)
        state = self.ask("state")
        self.headers["X-Token"] = state["token"]
        return state["values"]

    def refused(self):
        try:
            self.ask("state")
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return "closed"
        return None


def wait_for_portal(node, after=0, timeout_s=20):
    node.board.wait_for_line("setup: access point homesync-", timeout_s, after)
