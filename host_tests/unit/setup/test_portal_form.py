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
    assert sorted(values) == ["address", "board", "broker_host", "broker_port", "broker_tls",
                              "broker_user", "dns", "gateway", "home_id", "hostname", "node_id",
                              "wifi_ssid", "wifi_ssid_2", "wifi_ssid_3"]


def test_secrets_that_are_not_set_are_told_so():
    assert form.shown(settings(wifi_password="", broker_password=""))[1] == []
    assert form.shown(settings(wifi_password_2="x", wifi_password_3="x"))[1] == [
        "wifi_password", "wifi_password_2", "wifi_password_3", "broker_password"]


def test_only_what_is_on_the_page_can_be_changed():
    for key in ("energy", "protection", "calibration", "interlock", "base_topic", "nonsense", ""):
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


def test_a_network_that_is_taken_away_takes_its_password_with_it():
    now = {"wifi_ssid_2": "garage", "wifi_password_2": "other horse", "wifi_ssid_3": "attic",
           "wifi_password_3": "third horse"}
    merged, problems = form.checked({"wifi_ssid_2": ""}, settings(**now), BOARDS)
    assert problems == {}
    assert merged == settings(wifi_ssid_3="attic", wifi_password_3="third horse")
    merged, problems = form.checked({"wifi_ssid_3": "shed"}, settings(**now), BOARDS)
    assert problems == {} and merged["wifi_password_3"] == ""
    assert merged["wifi_password_2"] == "other horse"


def test_a_password_without_a_network_is_no_network():
    assert wrong({"wifi_password_2": "other horse"}) == {
        "wifi_ssid_2": "whose password is this? Type the name, too"}
    assert wrong({"wifi_ssid_3": "", "wifi_password_3": "third horse"}, wifi_ssid_3="attic") == {
        "wifi_ssid_3": "whose password is this? Type the name, too"}


def test_a_wifi_password_has_eight_characters():
    for end in ("", "_2", "_3"):
        ssid, password = "wifi_ssid" + end, "wifi_password" + end
        assert wrong({ssid: "home", password: "1234567"}) == {
            password: "has 8 characters at least"}
        assert wrong({ssid: "home", password: "12345678"}) == {}
        assert wrong({ssid: "home", password: ""}) == {}


def test_a_fixed_address_needs_a_router_in_its_network():
    for address, gateway in (("192.168.1.20/24", "192.168.1.1"), ("10.1.2.3/8", "10.255.0.1"),
                             ("192.168.1.129/30", "192.168.1.130"),
                             ("172.16.3.255/21", "172.16.0.1"), ("255.0.0.1/1", "128.0.0.9")):
        assert wrong({"address": address, "gateway": gateway}) == {}, address
    for address, gateway, why in (
            ("192.168.1.20/24", "", "type the address of your router"),
            ("192.168.1.20/24", "192.168.2.1", "is in another network than the node's address"),
            ("192.168.1.20/25", "192.168.1.129", "is in another network than the node's address"),
            ("127.0.0.1/1", "128.0.0.1", "is in another network than the node's address"),
            ("192.168.1.20/24", "192.168.1.20", "is the node's own address")):
        assert wrong({"address": address, "gateway": gateway}) == {"gateway": why}, address


def test_a_fixed_address_is_that_of_a_device():
    for address in ("192.168.1.0/24", "192.168.1.255/24", "192.168.1.128/30", "10.0.0.0/8",
                    "172.16.7.255/22"):
        gateway = address.split("/")[0][:-1] + "2"
        assert "first or the last" in wrong({"address": address, "gateway": gateway})["address"]


def test_a_router_alone_is_forgotten_half():
    assert wrong({"gateway": "192.168.1.1"}) == {
        "address": "type it, too, or empty the router's"}
    assert wrong({"address": ""}, address="192.168.1.20/24", gateway="192.168.1.1") == {
        "address": "type it, too, or empty the router's"}
    assert wrong({"dns": "192.168.1.1"}) == {}  # of use with DHCP, too
    assert wrong({"address": "", "gateway": ""}, address="192.168.1.20/24",
                 gateway="192.168.1.1") == {}


def test_the_schema_says_what_an_address_looks_like():
    for posted in ({"address": "192.168.1.20"}, {"address": "192.168.1.20/31"},
                   {"address": "192.168.1.20/255.255.255.0"}, {"address": "192.168.1/24"},
                   {"gateway": "router"}, {"dns": "8.8.8"}, {"dns": 8}, {"hostname": "my node"}):
        assert list(wrong(posted)) == list(posted), posted


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
