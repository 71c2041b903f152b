# What tests of cut cables, and those of ROMFS, have in common.
import pytest

ROMFS = 320 * 1024  # bytes, of FLASH_2M_ROMFS
# In the file system of a board that runs from it.
ROM_FILES = {"boot.py", "main.py", "lib/retained.mpy", "lib/slots.mpy", "lib/umqtt/robust.mpy",
             "lib/umqtt/simple.mpy"}


def changed(source, main=True):
    """Another version of the sources, and another main.py if wanted."""
    init = source / "firmware/__init__.py"
    text = init.read_text()
    assert 'VERSION = "' in text
    init.write_text(text.replace('VERSION = "', 'VERSION = "9.'))
    if main:
        (source / "main.py").write_text((source / "main.py").read_text() + "# changed\n")
    return source


def cuts(few, many):
    """Parameters: all of them with --full only, without it the few."""
    return [pytest.param(cut, marks=() if cut in few else pytest.mark.full)
            for cut in sorted({*few, *many})]


def pull(bench, after_bytes, *arguments):
    """Flash, and pull the cable when the board has been sent so many bytes."""
    bench.port.pull_at = bench.port.received + after_bytes
    assert bench.run(*arguments, "--wait", "2") == 1  # nobody plugs it in
    assert bench.port.pull_at is None, "the cable was never pulled"
    assert "start again" in bench.said[-1] or "no MicroPython answers" in bench.said[-1]


def version(hub, after):
    """What the node says that it runs."""
    return hub.wait("status/firmware", lambda m: not m.retain, after, 30).json["version"]


def becomes(hub, after, **values):
    """Wait until the node says this of its firmware; it may have said something else before."""
    hub.wait("status/firmware", lambda m: not m.retain and values.items() <= m.json.items(),
             after, 30)


def image_of(rom):
    """The image at the beginning of a partition."""
    size = at = 0
    for at in range(3, 9):
        size = size << 7 | rom[at] & 0x7F
        if not rom[at] & 0x80:
            break
    return rom[:at + 1 + size]
