# Drives Chromium through chromedriver, by the WebDriver protocol (W3C): as little as is needed.
import base64
import json
import subprocess
import time
import urllib.error
import urllib.request

from host_tests.support.broker import free_port

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id in answers
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync",
          "--disable-breakpad", "--disable-dev-shm-usage", "--hide-scrollbars")


class Browser:
    """One Chromium, without a window. Selectors are those of CSS."""

    def __init__(self, chromium, chromedriver, folder):
        self._base = "http://127.0.0.1:%d" % free_port()
        self._driver = subprocess.Popen(
            [chromedriver, "--port=" + self._base.rsplit(":", 1)[1]], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._wait_for_driver()
            flags = list(_FLAGS) + ["--user-data-dir=" + str(folder)]
            session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": {"binary": chromium, "args": flags},
                "goog:loggingPrefs": {"browser": "ALL"}}}})
            self._base += "/session/" + session["sessionId"]
        except BaseException:
            self._driver.kill()
            raise

    def close(self):
        try:
            self._ask("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait()

    def look(self, width, height, dark=False):
        """The size of the page in CSS pixels, and what the user likes."""
        self._devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                       deviceScaleFactor=1, mobile=width < 600)
        self._devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def run(self, script):
        """What a script returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def text(self, selector):
        """The visible text of an element."""
        return self._ask("GET", "/element/%s/text" % self._find(selector))

    def value(self, selector):
        return self._ask("GET", "/element/%s/property/value" % self._find(selector))

    def click(self, selector):
        self._ask("POST", "/element/%s/click" % self._find(selector), {})

    def type(self, selector, text):
        """Type over what is there."""
        element = self._find(selector)
        self._ask("POST", "/element/%s/clear" % element, {})
        self._ask("POST", "/element/%s/value" % element, {"text": text})

    def add(self, selector, text):
        """Type behind what is there; special keys are those of WebDriver."""
        self._ask("POST", "/element/%s/value" % self._find(selector), {"text": text})

    def wait(self, script, timeout_s=20):
        """Until a script returns something true; that is returned."""
        end = time.monotonic() + timeout_s
        while True:
            found = self.run("return " + script)
            if found:
                return found
            assert time.monotonic() < end, "never true: %s\n%s" % (
                script, self.run("return document.body.innerText"))
            time.sleep(0.05)

    def screenshot(self, path):
        """The whole page as a PNG file."""
        shot = self._devtools("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def problems(self):
        """What the browser complained about since this was asked last."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def _find(self, selector):
        return self._ask("POST", "/element",
                         {"using": "css selector", "value": selector})[_ELEMENT]

    def _devtools(self, command, **parameters):
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(
            self._base + path, method=method, headers={"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError("%s %s: %s" % (method, path,
                                                json.load(e)["value"]["message"])) from None

    def _wait_for_driver(self):
        end = time.monotonic() + 30
        while True:
            try:
                if self._ask("GET", "/status")["ready"]:
                    return
            except OSError:
                assert time.monotonic() < end, "chromedriver does not start"
            time.sleep(0.05)
