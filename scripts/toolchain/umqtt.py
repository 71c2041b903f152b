# The two umqtt packages, fetched by version, checked by SHA-256, unpacked into lib/umqtt/.
# The archives carry no working build metadata, so pip cannot install them.
import hashlib
import os
import tarfile

from . import cache

# Package, version, SHA-256 of the archive, and the one file taken from it. The second archive
# also holds a umqtt/simple.py: a dangling link.
PACKAGES = (
    ("micropython-umqtt.simple", "1.3.4",
     "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f", "simple.py"),
    ("micropython-umqtt.robust", "1.0",
     "22a1b8c8e1128281efb13b3020927d07e33c5b747869da2cd77d37983a9ea002", "robust.py"),
)


def install(python, lib):
    """Make `lib`/umqtt hold exactly the pinned files; `python` has the module unearth."""
    pins = "\n".join(" ".join(package) for package in PACKAGES)
    folder = cache.entry("umqtt", pins, lambda folder: _download(python, folder),
                         tuple(map(archive_name, PACKAGES)), "umqtt packages")
    target = os.path.join(lib, "umqtt")
    for package in PACKAGES:
        _put(os.path.join(target, package[3]), extract(folder, package))


def archive_name(package):
    return "%s-%s.tar.gz" % package[:2]


def _download(python, folder):
    for package in PACKAGES:
        cache.run([python, "-m", "unearth", "--no-binary", "-d", folder,
                   "%s==%s" % package[:2]], "fetching %s (is the network up?)" % package[0])
        extract(folder, package)


def extract(folder, package):
    """Return the bytes of the package's one file from its archive, checked first."""
    name, version, expected, member = package
    path = os.path.join(folder, archive_name(package))
    with open(path, "rb") as file:
        got = hashlib.sha256(file.read()).hexdigest()
    if got != expected:
        # Without the archive the cache entry counts as missing: the next start fetches again.
        os.remove(path)
        raise cache.SetupError("%s %s: SHA-256 is %s, expected %s; removed, start again to fetch "
                               "it again" % (name, version, got, expected))
    with tarfile.open(path) as archive:
        top = archive_name(package)[:-len(".tar.gz")]
        return archive.extractfile("%s/umqtt/%s" % (top, member)).read()


def _put(path, content):
    try:
        with open(path, "rb") as file:
            if file.read() == content:
                return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = "%s.%d.new" % (path, os.getpid())
    with open(temporary, "wb") as file:
        file.write(content)
    os.replace(temporary, path)
