"""Answers the block requests of a node that takes a bundle; knows nothing of MQTT.

    B1 | 01 version | 00 flags | 10 header length | first 4 bytes of the bundle's SHA-256 |
    offset u32 | length u16 | first 2 bytes of SHA-256(data) | data        (big-endian)
"""

import hashlib
import struct

BLOCK_BYTES = 4096  # the largest block a node may ask for
_HEADER = struct.Struct(">BBBB4sIH2s")
_MAGIC, _VERSION, _FLAGS = 0xB1, 1, 0


class Sender:
    """The blocks of one bundle, for the node that was offered it under one of `request_ids`."""

    def __init__(self, payload, offer, request_id):
        self._payload = payload
        self._bundle = offer["bundle"][:8]
        self.request_ids = [request_id]

    def answer(self, message):
        """The block that a message of response/ota (a dict) asks for; None if it asks for none
        that is in this bundle."""
        if message.get("request_id") not in self.request_ids:
            return None
        try:
            need = message["result"]["need"]
            bundle, offset, size = need["bundle"], need["offset"], need["bytes"]
        except (KeyError, TypeError):
            return None
        if bundle != self._bundle or type(offset) is not int or type(size) is not int:
            return None
        if not (0 < size <= BLOCK_BYTES and 0 <= offset <= len(self._payload) - size):
            return None
        data = self._payload[offset:offset + size]
        return _HEADER.pack(_MAGIC, _VERSION, _FLAGS, _HEADER.size, bytes.fromhex(bundle), offset,
                            size, hashlib.sha256(data).digest()[:2]) + data
