"""Whether a board can take the firmware, and what to do where not."""

import re

from .errors import FlashError

MINIMUM = (1, 25)
# Where MicroPython starts in flash; the others start at 0.
_OFFSETS = {"esp32": "0x1000", "esp32s2": "0x1000"}
_BUILDS = {"esp8266": "ESP8266_GENERIC", "esp32": "ESP32_GENERIC"}


def chip_of(probe):
    """The chip's name as board profiles have it."""
    if probe["platform"] == "esp8266":
        return "esp8266"
    found = re.search(r"esp32-?([chps]\d+)?", probe["machine"].lower().split(" with ")[-1])
    return "esp32" + (found and found.group(1) or "")


def board(probe, board_chip, name):
    """FlashError unless this board with its MicroPython can be the board `name`."""
    if not probe["platform"].startswith("esp"):
        raise FlashError("this is no ESP32 or ESP8266 but %s" % probe["platform"])
    chip = chip_of(probe)
    version = tuple(probe["version"])
    if version[:2] < MINIMUM:
        raise FlashError("MicroPython %s is too old, %d.%d or newer is needed. All that is on the "
                         "board goes when it is replaced:\n%s"
                         % ((".".join(map(str, version)),) + MINIMUM + (install(chip),)))
    if chip != board_chip:
        raise FlashError("the board has an %s, but %s needs an %s: choose another with --board"
                         % (chip, name, board_chip))


def install(chip, port="PORT", variant=""):
    """The lines that put MicroPython onto a chip."""
    build = _BUILDS.get(chip, "ESP32_GENERIC_" + chip[len("esp32"):].upper())
    tool = "  python3 -m esptool --chip %s --port %s " % (chip, port)
    return "\n".join((
        "  python3 -m pip install esptool",
        "  download the newest .bin%s from https://micropython.org/download/%s/" % (
            variant and " of the variant " + variant, build),
        tool + "erase_flash",
        tool + "--baud 460800 write_flash %s FILE.bin" % _OFFSETS.get(chip, "0"),
    ))


_NO_ROMFS = "this MicroPython has no ROMFS partition. "
_ESP8266_FILES = (
    "An ESP8266 has too little memory for this firmware as plain files: it has to run from there. "
    "Another build of MicroPython has one; all that is on the board goes with the change:\n%s\n"
    "--as-files copies plain files all the same")
_OTHERS = "Those for download have none on this chip; without --romfs plain files are copied"
# What a user should know whose ESP8266 runs the firmware.
ESP8266_MEMORY = (
    "the node takes about 90 KiB of heap from ROMFS, an ESP8266 has 38: it will stop for want of "
    "memory. An ESP32 has room for it")


def in_rom(probe, as_files, romfs):
    """Whether the firmware goes into the ROMFS partition; FlashError where it must but cannot.

    as_files, romfs: what the user has asked for.
    """
    esp8266 = chip_of(probe) == "esp8266"
    if as_files or not esp8266 and not romfs:
        return False
    if not probe["romfs"]:
        raise FlashError(_NO_ROMFS + (
            _ESP8266_FILES % install("esp8266", variant="FLASH_2M_ROMFS") if esp8266 else _OTHERS))
    return True
