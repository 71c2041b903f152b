"""The firmware as an image for the ROMFS partition, from which a chip runs it in place."""

import subprocess
import tempfile
from pathlib import Path

from .errors import FlashError

_TOO_LARGE = (
    "the firmware is %d bytes as an image, the ROMFS partition of this MicroPython holds %d. It "
    "takes a MicroPython with a larger one: FLASH_2M_ROMFS on an ESP8266, which has 320 KiB")
# Without TLS nothing asks for them.
_NOT_ON_ESP8266 = ("firmware/roots.pem",)


def split(files, chip):
    """({path: content} of the image, the same of the file system)."""
    image = {path: data for path, data in files.items()
             if path.startswith("firmware/") and not (chip == "esp8266"
                                                      and path in _NOT_ON_ESP8266)}
    return image, {path: data for path, data in files.items()
                   if not path.startswith("firmware/")}


def build(mpremote, files, room):
    """The image as bytes; FlashError if it is larger than `room`."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / "rom"
        for path, data in files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_bytes(data)
        target = Path(folder) / "firmware.romfs"
        done = subprocess.run([mpremote, "romfs", "--no-mpy", "-o", target, "build", top],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise FlashError("mpremote romfs build: " + (done.stdout + done.stderr).strip())
        image = target.read_bytes()
    if len(image) > room:
        raise FlashError(_TOO_LARGE % (len(image), room))
    return image
