# What a person does with the setup page, for the tests that do it.

STORED = {"wifi_ssid": "Home sweet home", "wifi_password": "correct horse",
          "broker_host": "broker.example", "broker_user": "ann", "broker_password": "secret one",
          "node_id": "n1"}
MORE_STORED = dict(STORED, wifi_ssid_2="Garage", wifi_password_2="other horse",
                   address="10.0.0.20/24", gateway="10.0.0.1")
MORE = "section:last-of-type summary"
WHYS = "[...document.querySelectorAll('.why')].map(e => [e.parentNode.querySelector(" \
       "'input,select,textarea').name, e.textContent])"


def opened(browser, node):
    browser.open(node.url)
    browser.wait("!document.getElementById('form').hidden")
    browser.wait("!document.getElementById('scan').disabled")


def choose(browser, ssid):
    assert browser.run("for (const b of document.querySelectorAll('#nets button'))"
                       "  if (b.firstChild.textContent == arguments[0]) { b.click(); return 1 }"
                       .replace("arguments[0]", repr(ssid)))


def fill(browser, **values):
    for name, value in values.items():
        browser.type(f"[name={name}]", str(value))


def filled(browser, node, broker):
    """All that a first set-up takes."""
    opened(browser, node)
    choose(browser, "Home sweet home")
    fill(browser, wifi_password="correct horse", broker_host="127.0.0.1", broker_port=broker.port,
         broker_user="ann", broker_password="secret one", node_id="cellar")


def outcome(browser):
    """What the test said: (class of the box, its text)."""
    browser.click("#test")
    browser.wait("!document.getElementById('test').disabled", 40)
    return browser.run("return document.getElementById('told').className"), browser.text("#told")


def save_untested(browser):
    """Save; without a test it asks once whether that is meant."""
    browser.click("#save")
    browser.click("#save")
