# The link's tests, and one whole node, with the umqtt that newer stock firmware freezes.
# `link` is replaced here, so the imported tests run once more with each version.
import contextlib
import subprocess

import pytest
import test_link_publish
import test_link_receive
import test_link_session
from conftest import shown
from link_under_test import LinkUnderTest
from rig import patched_code

from host_tests.support import newer_umqtt

# Without --full; they touch each difference: connect, subscribe, check_msg, wait_msg, leaving.
SAMPLED = (
    "test_connect_carries_the_will_and_asks_for_the_old_session",
    "test_subscribes_to_all_commands_at_qos_1",
    "test_a_refused_subscription_says_why",
    "test_reset_before_connack_says_so",
    "test_the_packet_id_of_a_subscription_wraps_too",
    "test_leaving_for_good_unsubscribes",
    "test_connection_lost_while_waiting_for_puback_does_not_wait_on_the_next_one",
    "test_commands_are_taken_while_a_publish_waits_for_its_puback",
    "test_a_payload_cut_by_the_end_of_the_connection_is_never_delivered",
    "test_an_ack_that_nobody_waits_for_does_not_eat_the_next_command",
    "test_retain_and_qos_do_not_get_lost",
)

for module in test_link_publish, test_link_receive, test_link_session:
    globals().update({k: v for k, v in vars(module).items() if k.startswith("test_")})

versions = pytest.mark.parametrize("version", list(newer_umqtt.VERSIONS))


@pytest.fixture(params=list(newer_umqtt.VERSIONS))
def link(request, tools, scripted, tmp_path):
    """As in conftest.py, with another umqtt."""
    if request.function.__name__ not in SAMPLED and not request.config.getoption("--full"):
        pytest.skip("only with --full")
    newer_umqtt.install(request.param, tmp_path)
    with contextlib.ExitStack() as stack:

        def start(port=scripted.port, **options):
            one = LinkUnderTest(tools.micropython32, port, lib=tmp_path, **options)
            stack.callback(one.close)
            return stack.enter_context(shown("link", one))

        yield start


def test_the_sample_names_tests_that_exist():
    assert set(SAMPLED) <= set(globals())


@versions
def test_a_version_is_told_by_what_it_has(tools, tmp_path, version):
    newer_umqtt.install(version, tmp_path)
    probe = ("from umqtt import robust, simple\n"
             "print(hasattr(robust.MQTTClient, 'unsubscribe'), hasattr(simple, '_encode_len'))")
    told = subprocess.run([tools.micropython32, "-c", probe], capture_output=True, text=True,
                          env={"MICROPYPATH": "%s:.frozen" % tmp_path}, check=True).stdout.split()
    assert told == ["True", str(version == "1.8.0")]


@versions
def test_a_whole_node(new_node, own_broker, tmp_path, version):
    newer_umqtt.install(version, patched_code(tmp_path, {}) / "lib")
    broker = own_broker(persistence=True).start()
    node = new_node(broker, code=tmp_path)
    node.start()
    assert node.hub.ask("relay", "on")["result"] == "on"
    assert node.hub.wait("telemetry/power").qos == 0
    after = node.hub.mark()
    broker.restart()
    node.online(after)
    node.board.wait_for_line("link: disconnected: connection_lost")
    assert node.hub.ask("relay", "off")["result"] == "off"
    after = node.hub.mark()
    node.hub.ask("config", "restart")
    assert node.hub.wait("status/online", None, after).json["reason"] == "restart"
    node.online(after)
    after = node.hub.mark()
    assert node.board.stop() == 0
    assert node.hub.wait("status/online", None, after).json["reason"] == "shutdown"
