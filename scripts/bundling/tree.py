"""The files that go into a bundle, compiled from a tree of this repository."""

import json
import re
import tempfile
from pathlib import Path

from firmware.ota.bundle import KEYS
from host_tests.support.compiled import compiled

from .errors import BundleError

_ROOTS = "firmware/roots.pem"
_PAGE = "firmware/setup/page.html"


def told(repo, name, default=None):
    """The value of the line `NAME = …` in firmware/__init__.py, as text."""
    text = (Path(repo) / "firmware/__init__.py").read_text()
    found = re.search(r'^%s = "?([^"\s]*)' % name, text, re.MULTILINE)
    return found.group(1) if found else default


def boards(repo):
    """{path in the tree: chip} of the board profiles."""
    found = {}
    for path in sorted((Path(repo) / "firmware/boards").glob("*.json")):
        found[path.relative_to(repo).as_posix()] = json.loads(path.read_text())["chip"]
    return found


def collect(repo, mpy_cross, chips, version, key_file=None):
    """({name: content}, mpy) of a bundle; board profiles of these chips only.

    `version` replaces the one in firmware/__init__.py: the node reports what it was told.
    mpy is what sys.implementation._mpy must fit: version of the byte code, architecture << 8.
    """
    repo = Path(repo)
    files = {}
    abis = set()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.mpy"
        for path in sorted((repo / "firmware").rglob("*.py")):
            name = path.relative_to(repo).as_posix()
            source = path
            if name == "firmware/__init__.py" and version != told(repo, "VERSION"):
                source = Path(folder) / "init.py"
                source.write_text(re.sub(r'^VERSION = .*', 'VERSION = "%s"' % version,
                                         path.read_text(), flags=re.MULTILINE))
            try:
                code = compiled(mpy_cross, source, target, name).read_bytes()
            except RuntimeError as error:
                raise BundleError(str(error).replace("\n", " ")) from error
            abis.add(code[1] | code[2] << 8)
            files[name[:-3] + ".mpy"] = code
    for name, chip in boards(repo).items():
        if chip in chips:
            files[name] = (repo / name).read_bytes()
    if not (repo / _ROOTS).exists():
        raise BundleError("%s is missing: scripts/run fetches it" % _ROOTS)
    for name in (_ROOTS, _PAGE):
        files[name] = (repo / name).read_bytes()
    if key_file:
        files[KEYS] = key_file
    natives = {abi for abi in abis if abi >> 8}
    if len(natives) > 1:
        raise BundleError("native code for more than one architecture")
    return files, (natives or abis).pop()
