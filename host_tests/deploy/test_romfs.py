# The firmware in the ROMFS partition, from where an ESP8266 runs it: deployed with mpremote into
# flash that only loses bits until it is erased.
import re
from binascii import b2a_base64
from pathlib import Path

from flashing.link import Link
from host_tests.deploy.cutting import ROM_FILES, ROMFS, becomes, image_of


def written(bench):
    """Whether the last scripts/flash wrote the partition."""
    return "romfs      " in bench.said[-1]


def test_the_virtual_partition_is_flash(esp8266, tools):
    bench = esp8266()
    told = Link(Path(tools.python).with_name("mpremote"), bench.port.path).run(r"""
import vfs
print(vfs.rom_ioctl(1), len(vfs.rom_ioctl(2, 0)), vfs.rom_ioctl(6, 0) < 0)
print(vfs.rom_ioctl(4, 0, 4096, b"\x0f\xf0\xff\x00"), vfs.rom_ioctl(4, 0, 4096, b"\x3f" * 4))
print(bytes(vfs.rom_ioctl(2, 0)[4095:4101]))
print(vfs.rom_ioctl(3, 0, 4097), set(bytes(vfs.rom_ioctl(2, 0))))
print(vfs.rom_ioctl(4, 0, 327680, b"1234") < 0, vfs.rom_ioctl(4, 0, 2, b"1234") < 0)
""")
    assert told.split("\n")[:5] == [
        "1 327680 True", "0 0", repr(b"\xff\x0f0?\x00\xff"), "4 {255}", "True True"]


def test_an_empty_esp8266_becomes_a_node(esp8266, plain_config, hub):
    bench = esp8266()
    assert bench.run("--config", plain_config()) == 0
    assert written(bench) and "online     homesync/home/nodes/flashed" in bench.said[-1]
    becomes(hub, 0, slot="rom")
    assert set(bench.files()) == ROM_FILES
    image = image_of(bench.rom)
    assert image.startswith(b"\xd2\xcd\x31") and len(image) > 100000
    assert set(bench.rom[-(-len(image) // 4096) * 4096:]) == {0xFF}
    for name, there in ((b"app.mpy", True), (b"page.html", True), (b"plain8266.json", True),
                        (b"esp32-pzem.json", False), (b"roots.pem", False)):
        assert (bytes([len(name)]) + name in image) is there, name
    bench.restarted()


def test_the_second_time_sends_nothing(esp8266_node, hub):
    bench = esp8266_node()
    before = bench.port.received
    assert bench.run() == 0
    assert bench.copied == (0, 0) and not written(bench)
    assert bench.port.received - before < 20000
    becomes(hub, 0, version="0.1.0")


def test_a_changed_file_is_deployed_and_main_py_comes_last(esp8266_node, own_source, hub):
    bench = esp8266_node(source=own_source)
    old = image_of(bench.rom)
    init = own_source / "firmware/__init__.py"
    init.write_text(init.read_text().replace('VERSION = "', 'VERSION = "9.'))
    assert bench.run_on_terminal([]) == 0
    assert bench.copied == (0, 0) and written(bench)
    assert re.search(r"into ROMFS +\d\d %  \d+ of \d+ KiB", bench.said[-1])
    assert image_of(bench.rom) != old
    becomes(hub, 0, version="9.0.1.0")
    assert set(bench.files()) == ROM_FILES


def test_a_configuration_alone_leaves_the_partition_as_it_is(esp8266_node, plain_config):
    bench = esp8266_node()
    assert bench.run("--config", plain_config(node_id="other")) == 0
    assert bench.copied[0] == 1 and not written(bench)
    assert "nodes/other" in bench.said[-1]


def test_files_that_would_hide_the_partition_go(esp8266_node, source, hub):
    bench = esp8266_node()
    bench.board.power_cut()
    for name in ("firmware", "a/firmware"):
        (bench.flash / name).mkdir(parents=True)
        (bench.flash / name / "__init__.py").write_text("1 // 0\n")
    bench.board.power_on()
    assert bench.run() == 0
    assert not written(bench)
    assert {path.name for path in bench.flash.iterdir()} >= {"boot.py", "main.py", "lib"}
    assert not (bench.flash / "firmware").exists() and not (bench.flash / "a").exists()


def test_as_files_and_back(esp8266_node, hub):
    bench = esp8266_node(heap="400k")
    rom = bench.rom
    after = hub.mark()
    assert bench.run("--as-files") == 0
    assert bench.copied[0] > 100 and not written(bench) and bench.rom == rom
    becomes(hub, after, slot=None)
    after = hub.mark()
    assert bench.run() == 0
    assert bench.copied == (0, 0) and not written(bench)
    becomes(hub, after, slot="rom")
    assert set(bench.files()) == ROM_FILES


def test_an_update_over_mqtt_is_refused(esp8266_node, hub):
    bench = esp8266_node()
    bench.board.wait_for_line("link: connected", 30)
    assert bench.run() == 0  # after a planned stop a command needs no timestamp
    after = hub.mark()
    hub.send("ota", {
        "action": "offer", "request_id": "r1", "target": "app", "bundle": "ab" * 32, "size": 60000,
        "version": "9.0.0", "floor": 0, "hw": "esp8266", "mpy": 6, "key": "00" * 4,
        "sig": b2a_base64(bytes(384)).decode().strip()})
    answer = hub.wait("response/ota", lambda m: m.json["request_id"] == "r1", after).json
    assert (answer["status"], answer["error"]["code"]) == ("error", "unsupported"), answer
    assert "scripts/flash" in answer["error"]["message"]
    assert set(bench.files()) == ROM_FILES


def test_a_partition_that_is_too_small(esp8266, plain_config):
    bench = esp8266(romfs=64 * 1024)
    assert bench.run("--config", plain_config()) == 1
    found = re.search(r"the firmware is (\d+) bytes as an image, .* holds 65536", bench.said[-1])
    assert found and int(found.group(1)) > 100000
    assert "FLASH_2M_ROMFS" in bench.said[-1]
    assert not bench.files() and set(bench.rom) == {0xFF}


def test_no_partition(esp8266, plain_config):
    bench = esp8266(romfs=None)
    assert bench.run("--config", plain_config()) == 1
    assert "this MicroPython has no ROMFS partition" in bench.said[-1]
    assert "variant FLASH_2M_ROMFS" in bench.said[-1]
    assert "esptool --chip esp8266 --port PORT --baud 460800 write_flash 0 " in bench.said[-1]
    assert not bench.files()


def test_an_esp32_gets_files_unless_told_otherwise(new_bench, config, hub):
    bench = new_bench(romfs=ROMFS)
    assert bench.run("--romfs", "--config", config()) == 0
    becomes(hub, 0, slot="rom")
    assert b"\troots.pem" in bench.rom and set(bench.files()) == ROM_FILES
    after = hub.mark()
    assert bench.run() == 0
    becomes(hub, after, slot=None)
    without = new_bench()
    assert without.run("--romfs", "--config", config()) == 1
    assert "without --romfs plain files are copied" in without.said[-1]
    assert without.run("--romfs", "--as-files") == 2


def test_a_meter_on_the_serial_line(new_bench, config, hub):
    # The board of the parts list: its log cannot be followed, so the broker is asked.
    bench = new_bench(board="nodemcu-pzem", romfs=ROMFS)
    assert bench.run("--config", config(board="nodemcu-pzem")) == 0
    assert written(bench) and "there is no log to follow" in bench.said[-1]
    becomes(hub, 0, slot="rom")
