# MicroPython, Mosquitto and Chromium from Debian 13 packages, beside the system: no root, nothing
# installed.
# apt gets its own state, a mirror the machine itself uses, and one architecture; the packages are
# unpacked with their own libc and started through its loader.
import glob
import os
import platform
import shlex
import shutil
import tempfile

from . import cache

_SUITE = "trixie"
_KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg",
             "/usr/share/keyrings/debian-archive-keyring.pgp")

# Per architecture: loader and library folder in the unpacked tree, packages, and the wrapper
# scripts made (name, program).
_ARCHITECTURES = {
    "amd64": ("usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu",
              ("micropython", "mosquitto", "mosquitto-clients"),
              (("mosquitto", "usr/sbin/mosquitto"), ("mosquitto_pub", "usr/bin/mosquitto_pub"),
               ("mosquitto_sub", "usr/bin/mosquitto_sub"),
               ("micropython", "usr/bin/micropython"))),
    "i386": ("usr/lib/i386-linux-gnu/ld-linux.so.2", "usr/lib/i386-linux-gnu",
             ("micropython",), (("micropython32", "usr/bin/micropython"),)),
}

# Chromium looks for its files beside what /proc/self/exe names, which is the loader: it gets one
# there. Its other processes are started by the same wrapper; the zygote would start itself.
_BROWSER = ("chromium", "chromium-driver", "fonts-dejavu-core")
_CHROMIUM = "start/chromium"
_BROWSER_LOADER = "usr/lib/chromium/ld.so"
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>{0}/usr/share/fonts</dir><cachedir>{0}/fonts.cache</cachedir></fontconfig>
"""

# The machine's hooks (cleaning caches, desktop indexes) are not for this private state. As root
# apt would otherwise drop to a user who may not enter the work folder.
_APT_CONF = """
#clear APT::Update;
#clear DPkg::Post-Invoke;
Dir::Etc::SourceList "{work}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "{work}";
Dir::State::Lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Cache::archives "{work}/archives";
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "0";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Debug::NoLocking "1";
"""


def programs(architecture):
    """Return the folder with wrapper scripts of the programs of `architecture`."""
    loader, libraries, packages, wrappers = _ARCHITECTURES[architecture]
    pins = repr((_SUITE, architecture, _ARCHITECTURES[architecture]))

    def build(folder):
        _unpack(folder, architecture, packages)
        os.mkdir(os.path.join(folder, "bin"))
        for name, program in wrappers:
            _wrap(folder, "bin/" + name, _start(folder, loader, libraries, program))

    folder = cache.entry("debian-" + architecture, pins, build,
                         tuple("bin/" + name for name, _ in wrappers),
                         "Debian packages (%s): %s" % (architecture, ", ".join(packages)))
    return os.path.join(folder, "bin")


def browser():
    """Return the folder with wrapper scripts `chromium` and `chromedriver`."""
    loader, libraries = _ARCHITECTURES["amd64"][:2]

    def build(folder):
        _unpack(folder, "amd64", _BROWSER)
        os.mkdir(os.path.join(folder, "start"))  # bin is a link to usr/bin here
        shutil.copyfile(os.path.join(folder, loader), os.path.join(folder, _BROWSER_LOADER))
        os.chmod(os.path.join(folder, _BROWSER_LOADER), 0o755)
        with open(os.path.join(folder, "fonts.conf"), "w") as file:
            file.write(_FONTS.format(folder))
        _wrap(folder, "start/chromedriver",
              _start(folder, loader, libraries, "usr/bin/chromedriver"))
        _wrap(folder, _CHROMIUM,
              ["env", "FONTCONFIG_FILE=" + os.path.join(folder, "fonts.conf")]
              + _start(folder, _BROWSER_LOADER, libraries, "usr/lib/chromium/chromium")
              + ["--no-zygote", "--browser-subprocess-path=" + os.path.join(folder, _CHROMIUM)])

    folder = cache.entry("browser", repr((_SUITE, _BROWSER)), build,
                         (_CHROMIUM, "start/chromedriver"),
                         "Debian packages: " + ", ".join(_BROWSER))
    return os.path.join(folder, "start")


def usable():
    """Whether packages can be fetched and run here: apt, dpkg and an x86-64 machine."""
    return (platform.machine() in ("x86_64", "amd64") and shutil.which("apt-get") is not None
            and shutil.which("dpkg") is not None)


def _unpack(folder, architecture, packages):
    with tempfile.TemporaryDirectory(prefix="homesync-apt-") as work:
        for package in _download(work, architecture, packages):
            cache.run(["dpkg", "-x", package, folder], "unpacking a package")


def _start(folder, loader, libraries, program):
    """The command that starts `program` with its own loader and libraries."""
    libraries = os.path.join(folder, libraries)  # Chromium's sound has a folder below
    return [os.path.join(folder, loader), "--library-path",
            libraries + ":" + os.path.join(libraries, "pulseaudio"),
            os.path.join(folder, program)]


def _wrap(folder, name, command):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        # exec, so that signals reach the program itself.
        file.write('#!/bin/sh\nexec %s "$@"\n' % " ".join(map(shlex.quote, command)))
    os.chmod(path, 0o755)


def _download(work, architecture, packages):
    """Fetch `packages` and all they depend on; return the paths of the package files."""
    for name in ("lists/partial", "cache", "archives/partial"):
        os.makedirs(os.path.join(work, name))
    # With an empty status file nothing counts as installed: even libc is fetched.
    open(os.path.join(work, "status"), "w").close()
    conf = os.path.join(work, "apt.conf")
    with open(conf, "w") as file:
        file.write(_APT_CONF.format(work=work, architecture=architecture))
    _use_mirror(work, conf)
    cache.run(["apt-get", "-c", conf, "-qq", "-y", "--download-only", "install"] + list(packages),
              "apt-get install --download-only")
    return sorted(glob.glob(os.path.join(work, "archives", "*.deb")))


def _use_mirror(work, conf):
    """Write sources.list with the first of the machine's mirrors that carries the suite.

    The origin of a source is known only after `apt-get update`, which a fresh container has not
    run. So each one is tried; the signature, checked against Debian's keys, tells the right one.
    """
    keyring = next((path for path in _KEYRINGS if os.path.exists(path)), None)
    options = "target=Packages" + (" signed-by=" + keyring if keyring else "")
    failure = None
    for mirror in _mirrors():
        with open(os.path.join(work, "sources.list"), "w") as file:
            file.write("deb [%s] %s %s main\n" % (options, mirror, _SUITE))
        try:
            cache.run(["apt-get", "-c", conf, "-qq", "update"], "apt-get update")
            return
        except cache.SetupError as error:
            failure = failure or error
    raise cache.SetupError("no Debian 13 packages from the machine's apt sources (is the network "
                           "up?): %s" % (failure or "no sources configured"))


def _mirrors():
    """Package sites of the machine's own apt configuration, likely ones first."""
    listed = cache.run(["apt-get", "indextargets", "--no-release-info",
                        "--format", "$(CREATED_BY) $(REPO_URI)"], "apt-get indextargets")
    pairs = [line.split(" ", 1) for line in listed.splitlines() if " " in line]
    sites = dict.fromkeys(site for kind, site in pairs
                          if kind == "Packages" and "security" not in site)
    return sorted(sites, key=lambda site: not site.rstrip("/").endswith("/debian"))
