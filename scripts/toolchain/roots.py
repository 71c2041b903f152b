# The CA certificates that ship with the firmware: chosen by SHA-256 from the pinned certifi.
# Generated into firmware/, never committed, like everything that is not ours.
import glob
import hashlib
import os
import re
import ssl

from . import cache

# Those of Let's Encrypt, which HiveMQ Cloud uses too; the fingerprints are of the DER form, as
# published by the CA.
ROOTS = (
    ("ISRG Root X1", "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"),
    ("ISRG Root X2", "69729b8e15a86efc177a57afb7171dfc64add28c2fca8cf1507e34453ccb1470"),
)
_PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)


def install(venv, path, roots=ROOTS):
    """Make the file `path` hold exactly these roots, as PEM, from the certifi of `venv`."""
    wanted = [fingerprint for _, fingerprint in roots]
    if os.path.exists(path) and list(_certificates(path)) == wanted:
        return
    places = os.path.join(venv, "lib", "python*", "site-packages", "certifi", "cacert.pem")
    found = {}
    for bundle in glob.glob(places):
        found.update(_certificates(bundle))
    for name, fingerprint in roots:
        if fingerprint not in found:
            raise cache.SetupError("certifi, as pinned, has no %s with SHA-256 %s: see "
                                   "scripts/toolchain/roots.py" % (name, fingerprint))
    temporary = "%s.%d.new" % (path, os.getpid())
    with open(temporary, "w") as file:
        file.write("".join(found[fingerprint] for fingerprint in wanted))
    os.replace(temporary, path)


def _certificates(path):
    """{SHA-256: PEM text} of all certificates in a file, in its order."""
    with open(path) as file:
        texts = _PEM.findall(file.read())
    return {hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest(): text for text in texts}
