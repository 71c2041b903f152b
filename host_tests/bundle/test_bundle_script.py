"""scripts/bundle: keys, bundles, signatures, and one clear line for whatever is wrong."""

import json
import os
import re
import shutil
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from bundling import container, tree
from bundling import keys as key_files
from bundling.errors import BundleError
from firmware import VERSION
from firmware.ota import signature
from toolchain import setup

REPO = Path(setup.REPO)


def refused(done, part):
    """It ended with exit code 1 and one line with this part in it, and printed nothing else."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("scripts/bundle: ") and done.stderr.count("\n") == 1, done.stderr
    assert part in done.stderr, done.stderr
    assert done.stdout == ""


def replaced(path, old, new):
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


# Keys

def test_keygen_makes_two_pairs_and_the_key_file(keys):
    assert sorted(path.name for path in keys.iterdir()) == [
        "active.pem", "active.pub", "keys.bin", "spare.pem", "spare.pub"]
    pair = key_files.public_moduli(keys / "active.pub") + key_files.public_moduli(
        keys / "spare.pub")
    assert (keys / "keys.bin").read_bytes() == b"".join(pair)
    assert list(signature.read_keys(b"".join(pair)).values()) == pair


def test_private_keys_are_readable_for_their_owner_only(keys):
    for name in ("active.pem", "spare.pem"):
        assert (keys / name).stat().st_mode & 0o777 == 0o600


def test_keygen_refuses_the_repository(script, tmp_path):
    inside = REPO / "host_tests" / "keys-of-a-test"
    refused(script("keygen", inside), "inside the repository")
    refused(script("keygen", REPO), "inside the repository")
    (tmp_path / "link").symlink_to(REPO / "scripts")
    refused(script("keygen", tmp_path / "link" / "keys"), "inside the repository")
    assert not inside.exists() and not (REPO / "scripts/keys").exists()


def test_keygen_never_overwrites(script, keys):
    before = {path: path.read_bytes() for path in keys.iterdir()}
    refused(script("keygen", keys), "is there already")
    assert before == {path: path.read_bytes() for path in keys.iterdir()}


def test_keygen_for_a_rotation_keeps_the_spare(script, keys, tmp_path):
    done = script("keygen", tmp_path / "next", "--spare", keys / "spare.pub")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "next/spare.pem").exists()
    old, new = (keys / "keys.bin").read_bytes(), (tmp_path / "next/keys.bin").read_bytes()
    assert new[384:] == old[384:] and new[:384] != old[:384]


# Build

def test_a_bundle_holds_the_application_and_nothing_else(unsigned):
    payload, offer = container.read(unsigned)
    files = container.files_of(payload, unsigned)
    sources = {path.relative_to(REPO).as_posix() for path in (REPO / "firmware").rglob("*.py")}
    boards = {path.relative_to(REPO).as_posix()
              for path in (REPO / "firmware/boards").glob("*.json")}
    assert set(files) == {name[:-3] + ".mpy" for name in sources} | boards | {
        "firmware/roots.pem", "firmware/setup/page.html"}
    assert files["firmware/roots.pem"] == (REPO / "firmware/roots.pem").read_bytes()
    assert all(content[:2] == b"M\x06" for name, content in files.items() if ".mpy" in name)
    assert offer == {"target": "app", "version": VERSION, "size": len(payload), "mpy": 6,
                     "floor": int(tree.told(REPO, "FLOOR", "0")),
                     "hw": ",".join(sorted(set(tree.boards(REPO).values()))),
                     "bundle": offer["bundle"]}


def test_the_same_tree_gives_the_same_bytes_wherever_it_lies(unsigned, tools, tmp_path):
    shutil.copytree(REPO / "firmware", tmp_path / "elsewhere/firmware")
    for path in (tmp_path / "elsewhere").rglob("*"):
        os.utime(path, (0, 0))
    files, _ = tree.collect(tmp_path / "elsewhere", tools.mpy_cross,
                            set(tree.boards(REPO).values()), VERSION)
    assert container.pack(files) == container.read(unsigned)[0]


def test_options_of_build(script, keys, tmp_path):
    path = tmp_path / "b.bundle"
    done = script("build", "-o", path, "--version", "9.8.7-rc.1", "--floor", "5",
                  "--board-class", "esp8266", "--keys", keys / "keys.bin")
    assert done.returncode == 0, done.stderr
    payload, offer = container.read(path)
    assert (offer["version"], offer["floor"], offer["hw"]) == ("9.8.7-rc.1", 5, "esp8266")
    files = container.files_of(payload, path)
    assert b"9.8.7-rc.1" in files["firmware/__init__.mpy"]
    assert files["keys.bin"] == (keys / "keys.bin").read_bytes()
    chips = {json.loads(content)["chip"] for name, content in files.items() if ".json" in name}
    assert chips == {"esp8266"}


@pytest.mark.parametrize("arguments, part", (
    (("--version", "1.0"), "MAJOR.MINOR.PATCH"),
    (("--version", "1.0.0+build"), "MAJOR.MINOR.PATCH"),
    (("--version", "01.0.0"), "MAJOR.MINOR.PATCH"),
    (("--version", "1.0.0-" + "x" * 19), "24"),
    (("--board-class", "esp99"), "no board has the chip esp99"),
    (("--keys", "/dev/null"), "key file"),
    (("--keys", "/nowhere/keys.bin"), "No such file"),
))
def test_build_refuses(script, tmp_path, arguments, part):
    refused(script("build", "-o", tmp_path / "x", *arguments), part)
    assert not list(tmp_path.iterdir())


def test_a_floor_that_no_node_could_take(script, tmp_path):
    for floor in ("-1", "4294967296"):
        refused(script("build", "-o", tmp_path / "x", "--floor=" + floor), "floor")


def test_a_bundle_is_replaced_whole_or_not_at_all(unsigned, tmp_path):
    path = tmp_path / "b.bundle"
    path.write_bytes(b"old")
    payload, offer = container.read(unsigned)
    container.write(path, payload, offer)
    assert path.read_bytes() == unsigned.read_bytes()
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(BundleError, match="No such file"):
        container.write(tmp_path / "no" / "such" / "folder", payload, offer)


# Sign and verify

def test_a_signed_bundle_verifies(script, signed, keys):
    for key in ("keys.bin", "active.pub", "active.pem"):
        done = script("verify", signed, "--key", keys / key)
        assert done.returncode == 0, done.stderr
        assert VERSION in done.stdout and done.stderr == ""


def test_signing_leaves_the_payload_alone(signed, unsigned):
    assert container.read(signed)[0] == container.read(unsigned)[0]


def test_signing_again_replaces_the_signature_and_the_flags(script, signed, keys):
    once = signed.read_bytes()
    assert script("sign", signed, "--key", keys / "spare.pem", "--allow-downgrade",
                  "--force").returncode == 0
    offer = container.read(signed)[1]
    assert offer["allow_downgrade"] is True and offer["force"] is True
    assert script("verify", signed, "--key", keys / "spare.pub").returncode == 0
    refused(script("verify", signed, "--key", keys / "active.pub"), "not signed by this key")
    assert script("sign", signed, "--key", keys / "active.pem").returncode == 0
    assert signed.read_bytes() == once


def test_an_unsigned_bundle_does_not_verify(script, unsigned, keys):
    refused(script("verify", unsigned, "--key", keys / "keys.bin"), "is not signed")


def test_changed_fields_do_not_verify(signed, keys):
    good = signed.read_bytes()
    pinned = key_files.public_moduli(keys / "keys.bin")
    for old, new in ((b'"version":"', b'"version":"9'), (b'"floor":', b'"floor":1'),
                     (b'"mpy":6', b'"mpy":7'), (b'"hw":"esp', b'"hw":"x'),
                     (b'"target":', b'"force":true,"target":')):
        payload, text = split(good)
        assert text.count(old) == 1
        signed.write_bytes(joined(payload, text.replace(old, new)))
        with pytest.raises(BundleError, match="not signed by this key"):
            container.verify(signed, pinned)


def test_damage_anywhere_is_found(signed, keys):
    good = signed.read_bytes()
    pinned = key_files.public_moduli(keys / "keys.bin")
    size = len(split(good)[0])
    damaged = [b"", good[:-1], good[:size], good[1:], good + b"\0", b"x" * 100]
    # All of the offer; any byte of the payload is as good as any other.
    for at in (0, 3, 4, 1000, size // 2, size - 1, *range(size, len(good))):
        data = bytearray(good)
        data[at] ^= 1
        damaged.append(data)
    for data in damaged:
        signed.write_bytes(data)
        with pytest.raises(BundleError):
            container.verify(signed, pinned)


def split(data):
    length, = struct.unpack(">I", data[-9:-5])
    return data[:-9 - length], data[-9 - length:-9]


def joined(payload, text):
    return payload + text + struct.pack(">I", len(text)) + b"offer"


def test_a_bundle_whose_files_are_not_right_does_not_verify(script, keys, tmp_path):
    # Signed all the same: the files are checked too.
    payload = container.pack({"firmware/a.mpy": b"code"})[:-3]
    offer = container.offer(payload, "1.0.0", 0, {"esp32"}, 6)
    path = tmp_path / "b.bundle"
    container.write(path, payload, container.sign(
        offer, key_files.private_key(keys / "active.pem")))
    refused(script("verify", path, "--key", keys / "keys.bin"), "cut short")


def test_keys_of_another_kind_are_refused(script, signed, tmp_path):
    for name, key, part in (
        ("2048", rsa.generate_private_key(65537, 2048), "no RSA-3072 key"),
        ("e3", rsa.generate_private_key(3, 3072), "exponent"),
        ("ed25519", ed25519.Ed25519PrivateKey.generate(), "no RSA-3072 key"),
    ):
        private, public = tmp_path / (name + ".pem"), tmp_path / (name + ".pub")
        private.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        refused(script("sign", signed, "--key", private), part)
        refused(script("verify", signed, "--key", public), part)


def test_what_is_no_key(script, signed, keys, tmp_path):
    junk = tmp_path / "junk.pem"
    for data in (b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                 b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        junk.write_bytes(data)
        refused(script("sign", signed, "--key", junk), str(junk))
        refused(script("verify", signed, "--key", junk), str(junk))
    refused(script("sign", signed, "--key", keys / "active.pub"), "private key")
    refused(script("sign", signed, "--key", tmp_path / "none"), "No such file")


# Show, and the command line

def test_show(script, signed, unsigned):
    done = script("show", signed)
    assert done.returncode == 0, done.stderr
    payload, offer = container.read(signed)
    for name in ("version", "hw", "bundle", "size"):
        assert re.search(r"^%s +%s$" % (name, offer[name]), done.stdout, re.MULTILINE), name
    assert re.search(r"^signed +by %s$" % offer["key"], done.stdout, re.MULTILINE)
    for name, content in container.files_of(payload, signed).items():
        assert re.search(r"^ +%d %s$" % (len(content), re.escape(name)), done.stdout,
                         re.MULTILINE), name
    assert re.search(r"^signed +no$", script("show", unsigned).stdout, re.MULTILINE)


def test_show_of_something_else(script, tmp_path):
    refused(script("show", REPO / "README.md"), "no bundle")
    refused(script("show", tmp_path / "none"), "No such file")


def test_a_wrong_command_line_ends_with_2(script):
    for arguments in ((), ("make",), ("build",), ("sign", "x"),
                      ("build", "-o", "x", "--floor", "a")):
        done = script(*arguments)
        assert done.returncode == 2 and "usage:" in done.stderr
