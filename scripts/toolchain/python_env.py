# The Python side: a virtual environment from exact pins, and the MicroPython type stubs.
# Both live in the cache; the system's Python is never changed.
import os
import platform
import shutil
import sys

from . import cache

_HERE = os.path.dirname(os.path.abspath(__file__))
PORTS = ("esp32", "esp8266")


def venv():
    """Return the folder of the virtual environment with everything in requirements.txt."""
    pins = _read("requirements.txt")
    version = "%d.%d" % sys.version_info[:2]
    # Wheels differ per Python and machine, and one home may serve several.
    key = "\n".join((pins, version, platform.machine()))
    return cache.entry("python", key, _build_venv, ("bin/python",),
                       "Python %s environment" % version)


def _build_venv(folder):
    try:
        cache.run([sys.executable, "-m", "venv", "--clear", folder], "python3 -m venv")
    except cache.SetupError as error:
        raise cache.SetupError(
            "%s; install the venv module of Python (Debian: python3-venv)" % error) from error
    pip_install(os.path.join(folder, "bin", "python"), ["-r", _path("requirements.txt")])


def stubs(python):
    """Return {port: folder} of the type stubs of each port.

    Each port has its own folder outside site-packages: the stub packages contain top-level
    modules (`requests`, `stdlib`, …) that would hide real ones. Their `umqtt` is removed: types
    come from the pinned one in lib/, which is what the firmware runs on.
    """
    def build(folder):
        for port in PORTS:
            target = os.path.join(folder, port)
            pip_install(python, ["--no-deps", "--target", target,
                                 "-r", _path("requirements-stubs-%s.txt" % port)])
            shutil.rmtree(os.path.join(target, "umqtt"))

    pins = "".join(_read("requirements-stubs-%s.txt" % port) for port in PORTS)
    folder = cache.entry("stubs", pins, build, tuple(port + "/machine.pyi" for port in PORTS),
                         "MicroPython type stubs")
    return {port: os.path.join(folder, port) for port in PORTS}


def pip_install(python, arguments):
    """Install quietly; pip's warnings are about the machine's settings, so only errors show."""
    cache.run([python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input",
               "--retries", "2"] + arguments, "pip install (is the network up?)")


def _path(name):
    return os.path.join(_HERE, name)


def _read(name):
    with open(_path(name)) as file:
        return file.read()
