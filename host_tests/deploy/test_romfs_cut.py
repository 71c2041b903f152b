# The firmware goes into the ROMFS partition, and the cable is pulled or the power fails at any
# byte of it: what is half written never runs, and the next scripts/flash finishes.
import shutil
import time

import pytest

from host_tests.deploy.cutting import (
    ROM_FILES,
    ROMFS,
    becomes,
    changed,
    cuts,
    image_of,
    pull,
)
from host_tests.simulator.virtual_board import HERE, VirtualBoard


@pytest.mark.parametrize("part", cuts((0.1, 0.5), [number / 25 for number in range(22)]))
def test_the_cable_is_pulled(esp8266_node, own_source, deployed, hub, part):
    source = changed(own_source, main=round(part * 25) % 2)
    bench = esp8266_node(source=source)
    old = bench.rom
    pull(bench, int(deployed[2] * part) + 1)
    cut = bench.rom
    might_run = (bench.flash / "main.py").exists()
    assert might_run or "Nothing runs on the board" in bench.said[-1]
    if round(part * 25) % 3:  # else the board had power all the time
        bench.board.power_cut()
        log = len(bench.board.log)
        bench.board.power_on()
        settles(bench, log)
    bench.port.plug()
    after = hub.mark()
    assert bench.run() == 0
    becomes(hub, after, version="9.0.1.0")
    assert set(bench.files()) == ROM_FILES
    assert not might_run or cut in (old, bench.rom)


@pytest.mark.parametrize("part", cuts((0.3,), [number / 20 for number in range(1, 18, 2)]))
def test_the_board_is_unplugged(esp8266, plain_config, deployed, hub, part):
    # Cable and power at once, of a board that had nothing on it.
    bench = esp8266()
    arguments = "--config", plain_config(), "--wait", "10"
    until = bench.port.received + int(deployed[2] * part)
    child = bench.start(*arguments)
    while bench.port.received < until and child.poll() is None:
        time.sleep(0.0005)
    bench.board.power_cut()
    bench.port.pull()
    bench.said.append(child.communicate(timeout=60)[0])
    assert child.returncode == 1
    assert not (bench.flash / "main.py").exists()
    log = len(bench.board.log)
    bench.board.power_on()
    settles(bench, log)
    bench.port.plug()
    assert bench.run(*arguments) == 0
    becomes(hub, 0, slot="rom")
    assert set(bench.files()) == ROM_FILES


def settles(bench, log):
    """After the power is back the node is online, or it waits at its prompt; nothing crashes."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        said = "\n".join(bench.board.log[log:])
        if "link: connected" in said or "Type \"help()\"" in said:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("neither online nor at its prompt:\n" + said)
    time.sleep(0.3)
    assert "Traceback" not in "\n".join(bench.board.log[log:])
    assert ("link: connected" in said) == (bench.flash / "main.py").exists()


def test_a_half_written_partition_is_not_imported_by_boot_py(esp8266_node):
    # Whatever part of it has been written when the power fails.
    bench = esp8266_node()
    image = image_of(bench.rom)
    (bench.flash / "main.py").unlink()
    for size in (0, 3, 5, 7, 12, 100, 4096, 50000, len(image) - 1):
        bench.board.power_cut()
        rom = image[:size] + b"\xff" * (ROMFS - size)
        (bench.flash.parent / "state" / VirtualBoard.ROM_FILE).write_bytes(rom)
        log = len(bench.board.log)
        bench.board.power_on()
        settles(bench, log)


def test_an_image_that_did_not_arrive_is_not_started(esp8266_node, own_source):
    # Flash that is worn out, or a mistake of the erasing: bits that stay 0.
    bench = esp8266_node(source=changed(own_source, main=True))
    bench.board.power_cut()
    worn = own_source.parent / "worn"
    shutil.copytree(HERE / "modules", worn, ignore=shutil.ignore_patterns("__pycache__"))
    rom = worn / "virtual/rom.py"
    rom.write_text(rom.read_text().replace(
        "_bytes[offset] &= byte",
        "_bytes[offset] &= byte & (254 if 70000 <= offset < 71000 else 255)"))
    bench.board._modules = worn
    bench.board.power_on()
    assert bench.run() == 1
    assert "the image in ROMFS is not what was sent" in bench.said[-1]
    assert not (bench.flash / "main.py").exists()
    assert (bench.flash / "main.py.new").exists()
