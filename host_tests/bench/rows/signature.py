"""The check of an update's signature beside one of Ed25519 in plain Python, on 4-byte words."""

from ..measure import at_most, percentile

_LIMIT = 0.5
_ROUNDS = 40
_ROUNDS_QUICK = 8
_RESULT_LIMIT_S = 120


def signature(bench):
    rounds = _ROUNDS_QUICK if bench.quick else _ROUNDS
    with bench.start("signature_check.py", rounds, bits=32) as run:
        found = run.result(_RESULT_LIMIT_S)
    return [at_most(_LIMIT, "signature check of an update, i386",
                    percentile(found["rsa_ms"], 50), "ms", percentile(found["ed25519_ms"], 50))]
