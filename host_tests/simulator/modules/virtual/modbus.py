# A Modbus RTU device as seen on its wire: requests in, answers out, byte for byte.
import random
import struct

LINE_FAULTS = ("silent", "echo", "bad_crc", "noise", "half")


def crc16(data):
    """CRC-16/MODBUS of `data` as the two bytes that follow it on the wire, low one first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return bytes((crc & 0xFF, crc >> 8))


class ModbusDevice:
    """What all such devices do alike; a model adds `_body()` and `address`.

    `fault` may be any of LINE_FAULTS or of the model's own.
    """

    general_address = None  # a second one, under which the device answers

    def __init__(self):
        self.fault = None
        self.address = 0

    def answer(self, request):
        """Bytes sent back for one received frame, or None; the present fault applied."""
        if len(request) < 4 or crc16(request[:-2]) != bytes(request[-2:]):
            return None
        if request[0] not in (self.address, self.general_address):
            return None
        fault = self.fault
        if fault == "silent":
            return None
        if fault == "echo":
            return bytes(request)
        body = self._body(request)
        if body is None:
            return None
        frame = bytes((request[0],)) + body
        frame += crc16(frame)
        if fault == "bad_crc":
            return frame[:-1] + bytes((frame[-1] ^ 0xFF,))
        if fault == "noise":
            return bytes(random.getrandbits(8) for _ in range(1 + random.getrandbits(3))) + frame
        if fault == "half":
            return frame[: len(frame) // 2]
        return frame


def exception(function, code):
    """Body of an error answer."""
    return bytes((function | 0x80, code))


def two_words(request):
    """(register, count or value) of an 8-byte request."""
    return struct.unpack_from(">HH", request, 2)
