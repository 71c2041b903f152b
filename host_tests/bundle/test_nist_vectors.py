"""NIST's cases of PKCS#1 v1.5 (package cryptography-vectors): SigVer15_186-3.rsp of FIPS 186-3 and
SigVer15EMTest.txt, whose blocks are all malformed. Every one of them, whatever its key, hash and
exponent are: ours is to accept the good ones of RSA-3072, SHA-256 and e = 65537, nothing else.
Left out are those good but for another e that came with the key: no e comes with ours.
"""

import re
from pathlib import Path

import pytest

from toolchain import vectors


class Case:
    def __init__(self, values, bits):
        self.bits = bits
        self.line = ",".join((values["n"], values["Msg"], values["S"]))
        self.ours = (bits == 3072 and values["SHAAlg"] == "SHA256"
                     and int(values["e"], 16) == 65537)
        self.good = values["Result"].startswith("P")
        self.exponent_changed = "Public Key e changed" in values["Result"]


def cases(path):
    values, bits, found = {}, 0, []
    for line in path.read_text().splitlines():
        size = re.match(r"\[mod = (\d+)\]", line)
        field = re.match(r"(\w+) = (.*?)\s*$", line)
        if size:
            bits = int(size.group(1))
        elif field:
            name, value = field.groups()
            if name in ("n", "Msg", "S") and len(value) % 2:
                value = "0" + value
            if name in ("n", "S"):
                value = value.zfill(bits // 4)
            values[name] = value
            if name == "Result":
                found.append(Case(values, bits))
    return found


@pytest.fixture(scope="session")
def nist(tools):
    folder = Path(vectors.rsa(tools.python))
    found = [case for name in vectors.FILES for case in cases(folder / name)]
    return [case for case in found if not case.exponent_changed]


def test_only_the_good_ones_of_our_kind_are_accepted(nist, micropython, tmp_path):
    listed = tmp_path / "cases.txt"
    listed.write_text("".join(case.line + "\n" for case in nist))
    found = micropython("verify_all.py", tmp_path, listed)
    good = [at for at, case in enumerate(nist) if case.ours and case.good]
    assert found == {"lines": len(nist), "accepted": good}
    # Else nothing was shown.
    assert len(nist) == 525
    assert len(good) == 1
    assert sum(case.bits == 3072 for case in nist) == 105
    assert sum(case.ours for case in nist) == 7
