"""From scripts/bundle into a slot: MicroPython checks the offer, unpacks, and runs what came."""

import json

import pytest

from bundling import container


def take(micropython, keys, bundle, folder, change=None, **facts):
    payload, offer = container.read(bundle)
    offer.update(change or {}, action="offer", request_id="r1")
    (folder / "offer.json").write_text(json.dumps(offer))
    (folder / "payload").write_bytes(payload)
    node = dict({"hardware": "esp32", "version": "0.0.1", "floor": 0, "max_bytes": 1 << 20},
                **facts)
    return micropython("take_update.py", folder, "offer.json", "payload", keys / "keys.bin",
                       json.dumps(node))


@pytest.fixture(scope="module")
def next_version(script, keys, tmp_path_factory):
    path = tmp_path_factory.mktemp("next") / "next.bundle"
    for arguments in (("build", "-o", path, "--version", "7.0.0", "--floor", 3),
                      ("sign", path, "--key", keys / "spare.pem")):
        assert script(*arguments).returncode == 0
    return path


def test_the_application_arrives_and_runs(next_version, keys, micropython, tmp_path):
    offer = container.read(next_version)[1]
    assert take(micropython, keys, next_version, tmp_path) == {
        "sealed": {"id": offer["bundle"][:8], "version": "7.0.0", "floor": 3},
        "version": "7.0.0", "hour": 1, "from": "b/firmware/timestamp.mpy"}


def test_each_refusal(script, signed, keys, micropython, tmp_path):
    def refusal(change=None, **facts):
        return take(micropython, keys, signed, tmp_path, change, **facts).get("refused")

    assert refusal({"floor": 9}) == "bad_signature"
    assert refusal({"allow_downgrade": True}) == "bad_signature"
    assert refusal({"key": "00000000"}) == "unknown_key"
    assert refusal(hardware="esp32p4") == "wrong_hardware"
    assert refusal(mpy=5) == "wrong_mpy"
    assert refusal(floor=1000) == "below_floor"
    assert refusal(version="99.0.0") == "downgrade"
    assert refusal(max_bytes=1000) == "no_space"
    assert not (tmp_path / "b").exists()


def test_a_signed_downgrade(script, signed, keys, micropython, tmp_path):
    assert script("sign", signed, "--key", keys / "active.pem",
                  "--allow-downgrade").returncode == 0
    assert "refused" not in take(micropython, keys, signed, tmp_path, version="99.0.0")
