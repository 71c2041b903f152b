# What scripts/flash does not do, and what it says then.
import fcntl
import os

import pytest

from flashing import check, link, settings
from flashing.errors import FlashError, LinkLost


def refused(function, *arguments):
    with pytest.raises(FlashError) as caught:
        function(*arguments)
    return str(caught.value)


def test_a_configuration_is_refused_with_the_field_named(bench, config):
    before = bench.port.received
    for changes, words in (({"broker_port": 0}, "broker_port: must be an integer"),
                           ({"brokr_host": "x"}, "brokr_host: there is no such setting"),
                           ({"board": "toaster"}, "there is no board 'toaster'")):
        assert bench.run("--config", config(**changes)) == 1
        assert words in bench.said[-1]
    path = config()
    path.write_text("{")
    assert bench.run("--config", path) == 1
    assert "is not JSON" in bench.said[-1]
    assert bench.port.received == before


def test_without_a_terminal_nobody_is_asked(new_bench):
    bench = new_bench()
    assert bench.run() == 1
    assert "give one with --config" in bench.said[-1]
    assert not bench.files()


def test_an_old_micropython_is_refused_with_what_to_do(new_bench, config):
    bench = new_bench(says={"version": [1, 24, 1]})
    assert bench.run("--config", config()) == 1
    assert "MicroPython 1.24.1 is too old, 1.25 or newer is needed" in bench.said[-1]
    assert "--chip esp32 --port PORT --baud 460800 write_flash 0x1000" in bench.said[-1]
    assert not bench.files()


def test_another_chip_is_refused(new_bench, config):
    bench = new_bench(says={"machine": "ESP32C3 module with ESP32C3"})
    assert bench.run("--config", config()) == 1
    assert "the board has an esp32c3, but esp32-pzem needs an esp32" in bench.said[-1]
    assert not bench.files()


def test_an_esp8266_is_not_filled_with_files_that_it_cannot_run(new_bench, config):
    bench = new_bench(board="nodemcu-pzem")
    assert bench.run("--config", config(board="nodemcu-pzem")) == 1
    assert "FLASH_2M_ROMFS" in bench.said[-1]
    assert not bench.files()


def test_a_node_that_was_refused_goes_on(bench):
    bench.board.wait_for_line("link: connected", 20)
    after = len(bench.board.log)
    assert bench.run("--board", "nodemcu-pzem") == 1
    assert "needs an esp8266" in bench.said[-1]
    bench.board.wait_for_line("link: connected", 20, after)


def test_a_port_in_use_or_gone(bench):
    # Without O_NOCTTY it would become this process's terminal, and pulling it would be its end.
    port = os.open(bench.port.path, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(port, fcntl.LOCK_EX)  # as pyserial does
        assert bench.run() == 1
    finally:
        os.close(port)
    assert "is in use by another program" in bench.said[-1]
    bench.port.pull()
    bench.port.path = "/dev/pts/99999"  # another test may be given the number of this one
    assert bench.run("--wait", "1") == 1
    assert "there is no port" in bench.said[-1]


def test_nobody_answers(bench, tmp_path):
    bench.board.power_cut()
    assert bench.run("--wait", "1") == 1
    assert "no MicroPython answers" in bench.said[-1]
    assert "esptool --chip esp32 --port %s erase_flash" % bench.port.path in bench.said[-1]


def test_what_is_wrong_with_the_wifi_is_said_in_words(new_bench, flashed):
    bench = new_bench(template=flashed[0], networks={"simulated": "another"})
    assert bench.run() == 1
    assert "no Wi-Fi: simulated: wrong password. Check wifi_ssid" in bench.said[-1]


def test_what_is_wrong_with_the_broker_is_said_in_words(bench, config, tools):
    assert bench.run("--config", config(broker_port=1), "--wait", "4") == 1
    assert "not online after 4 s: nobody listens at 127.0.0.1, port 1" in bench.said[-1]


def test_a_firmware_that_crashes_is_said(new_bench, own_source, flashed):
    app = own_source / "firmware/app.py"
    app.write_text(app.read_text() + "\n1 // 0\n")
    bench = new_bench(source=own_source, template=flashed[0])
    assert bench.run() == 1
    assert "the firmware crashed: ZeroDivisionError" in bench.said[-1]


def test_ports_are_listed_and_one_has_to_be_chosen():
    # As `mpremote connect list` prints them; the first one is no USB device.
    text = ("/dev/ttyS0 None 0000:0000 None None\n"
            "/dev/ttyUSB0 0001 10c4:ea60 Silicon Labs CP2102 USB to UART\n"
            "/dev/ttyUSB1 None 1a86:7523 None USB Serial\n")
    found = link.listed(text)
    assert [port for port, _ in found] == ["/dev/ttyUSB0", "/dev/ttyUSB1"]
    said = refused(link.choose, found)
    assert "--port" in said and "/dev/ttyUSB0  Silicon Labs" in said and "/dev/ttyUSB1" in said
    assert link.choose(found[1:]) == "/dev/ttyUSB1"
    assert "no board found" in refused(link.choose, link.listed("/dev/ttyS0 None 0000:0000 x y"))


def test_chips_are_told_from_what_micropython_says():
    for machine, chip in (("Generic ESP32 module with ESP32", "esp32"),
                          ("Generic ESP32 module with SPIRAM with ESP32", "esp32"),
                          ("ESP32C3 module with ESP32C3", "esp32c3"),
                          ("Generic ESP32S3 module with ESP32S3", "esp32s3"),
                          ("LOLIN_C3_MINI with ESP32-C3FH4", "esp32c3")):
        assert check.chip_of({"platform": "esp32", "machine": machine}) == chip
    assert check.chip_of({"platform": "esp8266", "machine": "ESP module with ESP8266"}) \
        == "esp8266"
    assert "write_flash 0 " in check.install("esp32c3")
    assert "this is no ESP32 or ESP8266 but rp2" in refused(
        check.board, {"platform": "rp2", "machine": "", "version": [1, 27, 0]}, "esp32", "x")


def test_a_full_board_is_refused_before_anything_is_written(new_bench, config):
    bench = new_bench(free_blocks=30)
    assert bench.run("--config", config()) == 1
    assert "120 KiB of room left" in bench.said[-1]
    assert not bench.files()


def test_a_broken_configuration_on_the_board_counts_as_none():
    assert settings.of_board(None) is None
    assert settings.of_board("{") is None
    assert settings.of_board('{"broker_port": "x"}') is None
    assert settings.of_board('{"home_id": "h"}') == {"home_id": "h"}


def test_a_port_that_does_not_open_any_more_is_a_lost_link(tmp_path):
    # Its name may be there, or there again for somebody else: the board had answered before.
    said = "mpremote: failed to access %s\n(another program?)\n" % tmp_path
    for output in (said, said.splitlines()[0]):
        failure = link.Link("mpremote", str(tmp_path))._failure(output)
        assert isinstance(failure, LinkLost) and "in use" not in str(failure)


def test_a_port_that_may_not_be_opened_is_told_from_one_in_use(tmp_path, monkeypatch):
    path = str(tmp_path)
    assert "in use" in link.access_text(path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything
    assert "dialout" in link.access_text(path)
