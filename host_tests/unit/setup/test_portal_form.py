"""What the setup page may see and change."""

from firmware.config import schema
from firmware.setup import form

BOARDS = ["esp32-pzem", "sdm630"]


def settings(**values):
    found = schema.defaults()
    found.update(wifi_ssid="home", wifi_password="correct horse", broker_host="10.0.0.2",
                 broker_user="ann", broker_password="secret one", node_id="n1")
    found.update(values)
    return found


def wrong(posted, **values):
    return form.checked(posted, settings(**values), BOARDS)[1]


def test_nothing_changes_by_itself():
    now = settings()
    assert form.checked({}, now, BOARDS) == (now, {})


def test_what_is_posted_is_taken_and_the_rest_stays():
    merged, problems = form.checked({"node_id": "n2", "board": "sdm630"}, settings(), BOARDS)
    assert problems == {}
    assert merged == settings(node_id="n2", board="sdm630")


def test_secrets_and_certificates_are_not_shown():
    values, hidden = form.shown(settings(tls_ca="-----BEGIN CERTIFICATE-----"))
    assert hidden == ["wifi_password", "broker_password", "tls_ca"]
    assert sorted(values) == ["board", "broker_host", "broker_port", "broker_tls", "broker_user",
                              "home_id", "node_id", "wifi_ssid"]


def test_secrets_that_are_not_set_are_told_so():
    assert form.shown(settings(wifi_password="", broker_password=""))[1] == []


def test_only_what_is_on_the_page_can_be_changed():
    for key in ("protection", "calibration", "interlock", "base_topic", "nonsense", ""):
        assert wrong({key: "x"}) == {key: "there is no such setting here"}


def test_what_is_no_object_is_refused():
    for posted in (None, [], "node_id", 7):
        assert wrong(posted) == {"": "a JSON object was expected"}


def test_the_schema_is_asked():
    assert wrong({"broker_port": 0, "home_id": "a b"}) == {
        "broker_port": "must be an integer from 1 to 65535",
        "home_id": "may only have letters, digits, _ and -"}


def test_another_network_without_a_password_is_an_open_one():
    assert form.checked({"wifi_ssid": "café"}, settings(), BOARDS)[0]["wifi_password"] == ""


def test_a_wifi_password_has_eight_characters():
    assert wrong({"wifi_password": "1234567"}) == {"wifi_password": "has 8 characters at least"}
    assert wrong({"wifi_password": "12345678"}) == {}
    assert wrong({"wifi_password": ""}) == {}


def test_a_network_and_a_broker_are_needed():
    assert sorted(wrong({"wifi_ssid": "", "broker_host": ""})) == ["broker_host", "wifi_ssid"]


def test_a_host_is_no_url():
    for host in ("mqtt://broker", "broker:1883", "my broker", "broker/x"):
        assert list(wrong({"broker_host": host, "broker_password": "x"})) == ["broker_host"]


def test_a_board_is_one_of_the_list():
    assert wrong({"board": "toaster"}) == {"board": "choose one of the list"}


def test_a_password_goes_only_where_it_was_typed_for():
    # Whoever has the page could have it sent to a broker of their own.
    for posted in ({"broker_host": "evil.example"}, {"broker_port": 1884}, {"broker_tls": True},
                   {"tls_ca": "-----BEGIN CERTIFICATE-----"}):
        assert list(wrong(posted)) == ["broker_password"]
        posted["broker_password"] = "typed again"
        assert wrong(posted) == {}


def test_without_a_user_no_password_is_sent_anywhere():
    assert wrong({"broker_host": "other.example", "broker_user": ""}) == {}
    assert wrong({"broker_host": "other.example"}, broker_password="") == {}
