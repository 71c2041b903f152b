# Pictures of the setup page for people to judge, in host_tests/portal/screenshots (not committed).
# What can be measured is tested here too: the contrast of all text.
from pathlib import Path

import pytest
from portal_node import NETWORKS

FOLDER = Path(__file__).resolve().parent / "screenshots"
STORED = {"wifi_ssid": "Home sweet home", "wifi_password": "correct horse", "node_id": "cellar",
          "broker_host": "192.168.1.10", "broker_user": "ann", "broker_password": "secret one"}
MORE = "section:last-of-type summary"
LOOKS = [(width, dark) for width in (390, 1200) for dark in (False, True)]
# The contrast of each text with what is behind it (WCAG 2, 1.4.3): [[text, contrast], ...]
CONTRASTS = """
const number = c => c.match(/[\\d.]+/g).map(Number)
const light = c => { const [r, g, b] = number(c).map(v => v / 255).map(
  v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  return .2126 * r + .7152 * g + .0722 * b }
const behind = e => { for (; e; e = e.parentElement) {
  const c = getComputedStyle(e).backgroundColor
  if ((number(c)[3] ?? 1) == 1) return c } }
const found = []
for (const e of document.querySelectorAll("main *")) {
  const own = [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim())
  if (!(own || e.matches("input, select, textarea")) || !e.checkVisibility()) continue
  const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => x - y)
  found.push([e.textContent.trim() || e.name, (b + .05) / (a + .05)])
}
return found
"""


@pytest.fixture(params=LOOKS, ids=lambda look: "%d-%s" % (look[0], "dark" if look[1] else "light"))
def page(request, browser, portal):
    """page(settings) opens it; picture(name) takes one."""
    width, dark = request.param
    browser.look(width, 844, dark)
    FOLDER.mkdir(exist_ok=True)

    def opened(settings=()):
        browser.open(portal(settings=settings, TROUBLE_MS=300).url)
        browser.wait("document.querySelectorAll('#nets button').length == %d" % len(NETWORKS))

    def picture(name):
        contrasts = browser.run(CONTRASTS)
        assert len(contrasts) > 20
        assert [one for one in contrasts if one[1] < 4.5] == []
        browser.screenshot(FOLDER / ("%s-%d-%s.png" % (name, width, "dark" if dark else "light")))

    opened.picture = picture
    return opened


def test_pictures_of_a_first_look(page):
    page()
    page.picture("first")


def test_pictures_of_a_node_that_has_settings(page, browser):
    page(STORED)
    page.picture("stored")


def test_pictures_of_what_is_rarely_needed(page, browser):
    page(dict(STORED, wifi_ssid_2="Garage", wifi_password_2="correct horse"))
    browser.click(MORE)
    page.picture("more")


def test_pictures_of_what_is_wrong_with_a_fixed_address(page, browser):
    page(STORED)
    browser.click(MORE)
    for name, value in (("wifi_password_2", "correct horse"), ("address", "192.168.1.0/24"),
                        ("gateway", "192.168.0.1")):
        browser.type("[name=%s]" % name, value)
    browser.click("[name=energy]")
    browser.click("#test")
    browser.wait("document.querySelectorAll('.why').length == 3")
    page.picture("wrong")


def test_pictures_of_what_is_missing(page, browser):
    page()
    browser.type("[name=wifi_password]", "short")
    browser.click("#test")
    browser.wait("document.querySelectorAll('.why').length == 3")
    page.picture("missing")


def test_pictures_of_a_test_that_fails(page, browser):
    page(STORED)
    browser.type("[name=wifi_password]", "wrong horse")
    browser.type("[name=broker_password]", "secret one")
    browser.click("#test")
    browser.wait("document.getElementById('told').textContent.includes('wrong password')")
    page.picture("failed")
