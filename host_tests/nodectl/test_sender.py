"""The answers to block requests: exact bytes, and nothing for what is not in the bundle."""

import hashlib

from remote.sender import Sender

PAYLOAD = bytes(range(256)) * 40  # 10,240 bytes
DIGEST = hashlib.sha256(PAYLOAD).hexdigest()


def sender():
    return Sender(PAYLOAD, {"bundle": DIGEST}, "r1")


def request(offset, size, bundle=DIGEST[:8], request_id="r1"):
    return {"request_id": request_id, "status": "progress", "result": {
        "state": "downloading", "need": {"bundle": bundle, "offset": offset, "bytes": size}}}


def test_a_block_has_exactly_these_bytes():
    # SHA-256 of 20 21 22 23 begins with dca2.
    block = Sender(PAYLOAD, {"bundle": "1a2b3c4d" + "0" * 56}, "r1").answer(
        request(0x0120, 4, "1a2b3c4d"))
    assert block == bytes.fromhex("b1010010" "1a2b3c4d" "00000120" "0004" "dca2" "20212223")


def test_any_offset_is_answered_again_and_in_any_order():
    one = sender()
    for offset, size in ((8192, 2048), (0, 4096), (0, 4096), (5000, 960), (4096, 1024)):
        block = one.answer(request(offset, size))
        data = PAYLOAD[offset:offset + size]
        assert block[16:] == data
        assert block[8:16] == (offset.to_bytes(4, "big") + size.to_bytes(2, "big")
                               + hashlib.sha256(data).digest()[:2])


def test_the_last_bytes_are_answered_and_not_one_more():
    assert sender().answer(request(10239, 1))[16:] == PAYLOAD[-1:]
    assert sender().answer(request(10239, 2)) is None
    assert sender().answer(request(10240, 1)) is None


def test_wrong_requests_are_not_answered():
    for offset, size in ((-1, 10), (0, 0), (0, -1), (0, 4097), (0, 65536), (1 << 40, 1),
                         ("0", 10), (0, "10"), (0.0, 10), (True, 10), (None, 10), ([], {})):
        assert sender().answer(request(offset, size)) is None, (offset, size)


def test_requests_for_another_bundle_or_offer_are_not_answered():
    for bundle in ("00000000", DIGEST[:8].upper() + "0", DIGEST, "", None, 5):
        assert sender().answer(request(0, 10, bundle)) is None, bundle
    for request_id in ("r2", None, "", 1, []):
        assert sender().answer(request(0, 10, request_id=request_id)) is None, request_id


def test_messages_without_a_request_are_not_answered():
    for message in ({}, {"request_id": "r1"}, {"request_id": "r1", "result": None},
                    {"request_id": "r1", "result": "need"}, {"request_id": "r1", "result": []},
                    {"request_id": "r1", "result": {"need": None}},
                    {"request_id": "r1", "result": {"need": {"offset": 0, "bytes": 1}}}):
        assert sender().answer(message) is None, message


def test_all_ids_of_repeated_offers_are_answered():
    one = sender()
    one.request_ids.append("r2")
    assert one.answer(request(0, 10)) == one.answer(request(0, 10, request_id="r2")) is not None
