# Checks many signatures: each line of the file is modulus, message and signature in hex.
# Prints the numbers of those lines whose signature was accepted, as JSON.
import json
import sys
from binascii import unhexlify

from firmware.ota.signature import verify

accepted = []
with open(sys.argv[1]) as f:
    number = 0
    for line in f:
        modulus, message, signature = [unhexlify(part) for part in line.rstrip("\n").split(",")]
        if verify(modulus, signature, message, lambda: None):
            accepted.append(number)
        number += 1
print(json.dumps({"lines": number, "accepted": accepted}))
