"""`command/config` `set` and `reset`: what they refuse, what they write, and what they answer."""

from firmware import storage
from firmware.actions import ConfigActions
from firmware.config import TRIAL, change, schema
from firmware.mqtt.commands import Refused, Underway
from host_tests.unit.config.change_bench import NOTHING, STORED, Bench, Node, files, stored
from host_tests.unit.fakes import Log, OnDemand, Patched, in_scratch, raised, write


@in_scratch
def test_what_differs_is_stored_beside_the_rest():
    bench = Bench()
    result = bench.set(sample_ms=800, heartbeat_s=300, power_heartbeat_s=61)
    assert result == {"changed": ["power_heartbeat_s", "sample_ms"], "restarts": True,
                      "trial": False}
    assert bench.node.restarts == 1
    assert stored()["sample_ms"] == 800 and stored()["power_heartbeat_s"] == 61
    assert stored()["wifi_password"] == "hunter2" and stored()["colour"] == "red"
    assert storage.size(TRIAL) is None


@in_scratch
def test_where_nothing_differs_nothing_is_done():
    bench = Bench()
    before = files()
    for values in ({"sample_ms": 900}, {"heartbeat_s": 300}, {"wifi_password": "hunter2"},
                   {"calibration": {"power": 1.1}}, {"interlock": []}):
        assert bench.send("set", values=values) == NOTHING, values
    assert files() == before and bench.node.restarts == 0


@in_scratch
def test_two_changes_before_the_restart_are_both_kept():
    bench = Bench()
    bench.set(sample_ms=800)
    assert bench.set(sample_ms=800) == NOTHING
    assert bench.set(sample_ms=900)["changed"] == ["sample_ms"]
    bench.set(heartbeat_s=200)
    assert stored()["sample_ms"] == 900 and stored()["heartbeat_s"] == 200


@in_scratch
def test_all_or_nothing():
    bench = Bench()
    code, message = bench.refused({"heartbeat_s": 200, "sample_ms": 1, "home_id": "a b"})
    assert code == "bad_request"
    assert "sample_ms: must be" in message and "home_id: may only" in message


@in_scratch
def test_what_is_misspelt_is_refused_by_name():
    bench = Bench()
    for name in ("wifi_pasword", "", "WIFI_SSID", "colour", "x" * 500):
        code, message = bench.refused({"sample_ms": 800, name: "hunter2"})
        assert code == "bad_request" and message == "values: there is no " + name[:40]


@in_scratch
def test_without_values_there_is_nothing_to_set():
    bench = Bench()
    for values in (None, {}, [], "sample_ms", 5, [["sample_ms", 800]]):
        code, message = bench.refused(values)
        assert (code, message) == ("bad_request", "values must be an object of settings"), values


@in_scratch
def test_each_key_that_could_cut_the_node_off_is_tried_first():
    values = {
        "base_topic": "x", "home_id": "x", "node_id": "x", "broker_host": "x", "broker_port": 1,
        "broker_user": "x", "broker_password": "x", "broker_tls": True,
        "tls_ca": "-----BEGIN CERTIFICATE-----", "websocket": "always", "websocket_port": 1,
        "websocket_path": "/", "keepalive_s": 5, "backoff_min_ms": 50, "stable_s": 1,
        "wifi_ssid": "x", "wifi_password": "x", "wifi_ssid_2": "x", "wifi_password_2": "x",
        "wifi_ssid_3": "x", "wifi_password_3": "x", "hostname": "x", "address": "192.0.2.2/24",
        "gateway": "192.0.2.1", "dns": "192.0.2.1", "ntp_servers": [], "board": "sdm630"}
    assert sorted(values) == sorted(schema.REACH)
    for name in values:
        bench = Bench()
        before = stored()
        with Patched(change, ondemand=OnDemand(Profiles())):
            e = raised(Underway, bench.send, "set", "r1", {name: values[name]})
        assert e.args[0] == {"changed": [name], "restarts": True, "trial": True}
        assert stored() == before and bench.node.restarts == 1
        assert storage.read_json(TRIAL)["values"] == {name: values[name]}
        storage.remove(TRIAL)


class Profiles:
    """Stands for the module `parts`, and for `pending`, which writes what is on trial."""

    @staticmethod
    def load_profile(name):
        if name == "none":
            raise ValueError("there is no board none")
        return {"chip": "esp8266" if name == "nodemcu-pzem" else "esp32"}

    @staticmethod
    def begin(request_id, values, *_):
        storage.replace_json(TRIAL, {"request_id": request_id, "values": values})


@in_scratch
def test_what_is_tried_is_all_that_differs_with_both_trees():
    bench = Bench(b'{"home_id": "h", "sample_ms": 900}')
    assert raised(Underway, lambda: bench.set(home_id="h2", sample_ms=800, stable_s=30))
    assert storage.read_json(TRIAL) == {
        "request_id": "r1", "values": {"home_id": "h2", "sample_ms": 800},
        "result": {"changed": ["home_id", "sample_ms"]}, "tries": 2, "kept": False,
        "refused": None, "old": ["homesync", "h", "node-a1b2c3"], "new": ["homesync", "h2", ""]}
    assert stored() == {"home_id": "h", "sample_ms": 900}


@in_scratch
def test_a_board_that_is_not_there_or_for_another_chip_is_refused():
    bench = Bench()
    with Patched(change, ondemand=OnDemand(Profiles())):
        assert bench.refused({"board": "none"}) == ("bad_request", "there is no board none")
        assert bench.refused({"board": "nodemcu-pzem"}) == (
            "bad_request", "board: nodemcu-pzem is for esp8266")
        bench.settings["board"] = "none"
        assert raised(Underway, lambda: bench.set(board="sdm630"))


@in_scratch
def test_while_others_are_on_trial_it_is_busy():
    bench = Bench()
    raised(Underway, lambda: bench.set(stable_s=5))
    bench.node.restarts = 0
    before = files()
    assert bench.refused({"sample_ms": 800}, request_id="r2")[0] == "busy"
    assert bench.refused({"sample_ms": 800}, request_id=None)[0] == "busy"
    assert raised(Refused, lambda: bench.send("reset", "r2")).args[0] == "busy"
    # The same command again, to a node that has lost its memory of it: it is being done.
    e = raised(Underway, lambda: bench.set(stable_s=5))
    assert e.args == ({"state": "trial"},)
    assert files() == before and bench.node.restarts == 0
    for broken in (b"", b"[]", b"null", b'{"request_id": "r2"'):
        write(TRIAL, broken)
        assert bench.refused({"sample_ms": 800}, request_id="r2")[0] == "busy"


@in_scratch
def test_while_the_outcome_is_not_told_a_repeat_is_under_way():
    actions = ConfigActions({}, Log(), Node())
    assert actions.state() is None
    write(TRIAL, b"{}")
    assert raised(Underway, actions.state).args == ({"state": "trial"},)


@in_scratch
def test_while_an_update_is_under_way_it_is_busy():
    bench = Bench()
    bench.node.updating = True
    assert bench.refused({"sample_ms": 800})[0] == "busy"
    assert raised(Refused, lambda: bench.send("reset")).args[0] == "busy"


@in_scratch
def test_a_full_flash_is_told_and_changes_nothing():
    def full(path, data):
        raise OSError(28)

    bench = Bench()
    with Patched(storage, replace=full):
        for values in ({"sample_ms": 800}, {"stable_s": 5}):
            assert bench.refused(values)[0] == "flash"
        assert raised(Refused, lambda: bench.send("reset")).args[0] == "flash"
    assert bench.node.restarts == 0


@in_scratch
def test_what_could_not_be_read_again_is_not_written():
    long = "-----BEGIN CERTIFICATE-----" + "\n" * 4000
    bench = Bench(b'{"home_id": "h", "node_id": "n", "colour": "%s"}' % (b"x" * 500))
    code, message = bench.refused({"tls_ca": long})
    assert code == "bad_request" and "8192" in message
    assert raised(Underway, lambda: bench.set(tls_ca=long[:3000]))


@in_scratch
def test_reset_leaves_what_the_node_is_reached_by_and_its_calibration():
    bench = Bench(STORED[:-1] + b', "interlock": [[0, 1]], "heartbeat_s": 300, "stable_s": 9}')
    assert bench.send("reset") == {"changed": ["interlock", "sample_ms"], "restarts": True,
                                   "trial": False}
    assert stored() == {"home_id": "h", "node_id": "n", "calibration": {"power": 1.1},
                        "wifi_ssid": "attic", "wifi_password": "hunter2", "colour": "red",
                        "stable_s": 9}
    assert bench.node.restarts == 1
    assert bench.send("reset") == NOTHING
    assert bench.node.restarts == 1


@in_scratch
def test_no_value_is_logged_or_answered():
    bench = Bench()
    bench.log.lines.append(str(raised(Underway, lambda: bench.set(
        wifi_password="correct horse", broker_password="correct horse")).args))
    assert bench.log.has("broker_password, wifi_password")
    assert not bench.log.has("correct horse")


@in_scratch
def test_more_names_than_fit_into_an_answer_are_counted():
    names = ["x" * 30 + str(n) for n in range(40)]
    told = change._names(names)
    assert len(told["changed"]) + told["more"] == 40
    assert len(str(told)) < 600 and told["changed"] == names[:len(told["changed"])]
    every = sorted(schema.NAMES)
    told = change._names(every)
    assert told["changed"] == every[:len(told["changed"])] and len(told["changed"]) > 20
