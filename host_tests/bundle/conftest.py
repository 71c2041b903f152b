# A key pair, a spare one and a signed bundle of this tree, made once by scripts/bundle; and
# MicroPython, to do what a node does with them.
import json
import os
import subprocess

import pytest

from bundling import chip
from toolchain import setup

chip.install()

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="session")
def script(tools):
    """script(*arguments) runs scripts/bundle; returns the finished process, with its output."""
    def run(*arguments):
        command = [tools.python, os.path.join(setup.REPO, "scripts/bundle"), *map(str, arguments)]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120)
    return run


@pytest.fixture(scope="session")
def keys(script, tmp_path_factory):
    """Folder with what `keygen` makes."""
    folder = tmp_path_factory.mktemp("keys") / "new"
    done = script("keygen", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def unsigned(script, tmp_path_factory):
    """A bundle of this tree, not signed."""
    path = tmp_path_factory.mktemp("bundle") / "unsigned.bundle"
    done = script("build", "-o", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def signed(script, keys, unsigned, tmp_path):
    """A copy of it, signed by the active key."""
    path = tmp_path / "signed.bundle"
    path.write_bytes(unsigned.read_bytes())
    done = script("sign", path, "--key", keys / "active.pem")
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(params=(64, 32))
def micropython(request, tools):
    """micropython(driver, folder, *arguments): the JSON that a file of drivers/ prints there."""
    def run(driver, folder, *arguments):
        command = [getattr(tools, "micropython%d" % request.param),
                   os.path.join(HERE, "drivers", driver), *map(str, arguments)]
        path = "%s:%s/lib:.frozen" % (setup.REPO, setup.REPO)
        done = subprocess.run(command, cwd=folder, env=dict(os.environ, MICROPYPATH=path),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout.splitlines()[-1])
    return run
