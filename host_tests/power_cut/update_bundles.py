# The bundles of the updates whose power is cut: made and signed as scripts/bundle does, for
# update_on_flash.py. CPython only.
import hashlib
import json

from bundling import chip

chip.install()

# They need what has just been installed.
from bundling import container, keys  # noqa: E402

MPY = 6
# number: floor, key that signs it, key file that it brings
VERSIONS = {
    1: (1, "old", None),
    2: (2, "old", "new"),  # the rotation: from here on
    3: (2, "new", "last"),
    4: (9, "new", "old"),
    5: (2, "new", "new"),
    6: (9, "new", "old"),
    7: (9, "new", None),
    8: (8, "last", None),
}
FORCED = 3  # it fails, and is offered again with `force`
_SIZES = (("firmware/__init__.mpy", 90), ("firmware/app.mpy", 4700), ("firmware/house.mpy", 2300),
          ("firmware/meter/modbus.mpy", 4100), ("firmware/mqtt/session.mpy", 1900))


def make(folder):
    """Fill `folder`: a payload for each version, and about.json, which says what they are."""
    moduli = {}
    private = {}
    for name in ("old", "new", "last"):
        made = folder / ("keys-" + name)
        keys.generate(made)
        private[name] = keys.private_key(made / "active.pem")
        moduli[name] = (made / keys.KEY_FILE).read_bytes()
    versions = {}
    for number, (floor, signer, brings) in VERSIONS.items():
        files = {name: content(number, name, size) for name, size in _SIZES}
        if brings:
            files["keys.bin"] = moduli[brings]
        payload = container.pack(files)
        unsigned = container.offer(payload, "%d.0.0" % number, floor, ("esp32",), MPY)
        versions[number] = {
            "offer": container.sign(unsigned, private[signer]), "brings": brings,
            "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
        if number == FORCED:
            versions[number]["forced"] = container.sign(unsigned, private[signer], True, True)
        (folder / ("%d.payload" % number)).write_bytes(payload)
    (folder / "about.json").write_text(json.dumps(
        {"versions": versions, "keys": {name: data.hex() for name, data in moduli.items()}}))


def content(number, name, size):
    """Bytes of a file that are in no other file, as compressible as byte code."""
    digits = "".join(hashlib.sha256(b"%d %s %d" % (number, name.encode(), i)).hexdigest()
                     for i in range(size // 64 + 1))
    return digits[:size].encode()
