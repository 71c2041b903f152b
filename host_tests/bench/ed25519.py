"""Ed25519 verification (RFC 8032) in plain Python, SHA-512 included: what the signature check of
the firmware is measured against. Fast rather than safe: public data only.
"""

P = (1 << 255) - 19
L = (1 << 252) + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
_MASK = (1 << 64) - 1


def _root(y, odd):
    # The x that belongs to y (section 5.1.3); None if the point is not on the curve.
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or not x and odd:
        return None
    return x if x & 1 == odd else P - x


# Points as (X, Y, Z, T) with x = X / Z, y = Y / Z, x * y = T / Z (section 5.1.4).
_NEUTRAL = (0, 1, 1, 0)
_BY = 4 * pow(5, P - 2, P) % P
_BX = _root(_BY, 0)
_BASE = (_BX, _BY, 1, _BX * _BY % P)


def _add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(p):
    a = p[0] * p[0] % P
    b = p[1] * p[1] % P
    c = 2 * p[2] * p[2]
    h = a + b
    e = h - (p[0] + p[1]) * (p[0] + p[1])
    g = a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def _decoded(data):
    number = int.from_bytes(data, "little")
    y = number & (1 << 255) - 1
    x = _root(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def verify(key, signature, message):
    """Whether the 64 bytes `signature` are of `message` by the 32 bytes `key`."""
    s = int.from_bytes(signature[32:], "little")
    a, r = _decoded(key), _decoded(signature[:32])
    if len(signature) != 64 or s >= L or a is None or r is None:
        return False
    k = int.from_bytes(sha512(signature[:32] + key + message), "little") % L
    # s * B - k * A, both at once: one doubling for each bit, and at most one addition.
    minus_a = (P - a[0], a[1], 1, P - a[3])
    both = _add(_BASE, minus_a)
    point = _NEUTRAL
    for bit in range(252, -1, -1):
        point = _double(point)
        if s >> bit & 1:
            point = _add(point, both if k >> bit & 1 else _BASE)
        elif k >> bit & 1:
            point = _add(point, minus_a)
    return not ((point[0] - r[0] * point[2]) % P or (point[1] - r[1] * point[2]) % P)


def _primes(count):
    found = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _root_bits(prime, degree):
    # The first 64 bits behind the point of a square or cube root (FIPS 180-4 section 4.2.3).
    wanted = prime << 64 * degree
    low, high = 0, 1 << 70
    while high - low > 1:
        middle = (low + high) // 2
        if middle ** degree <= wanted:
            low = middle
        else:
            high = middle
    return low & _MASK


_K = [_root_bits(prime, 3) for prime in _primes(80)]
_START = [_root_bits(prime, 2) for prime in _primes(8)]


def sha512(data):
    """FIPS 180-4 section 6.4; no port of MicroPython has it built in."""
    state = list(_START)
    padded = data + b"\x80" + bytes(-(len(data) + 17) % 128) + (8 * len(data)).to_bytes(16, "big")
    for at in range(0, len(padded), 128):
        w = [int.from_bytes(padded[i:i + 8], "big") for i in range(at, at + 128, 8)]
        for i in range(16, 80):
            x, y = w[i - 15], w[i - 2]
            small = (x >> 1 | x << 63) ^ (x >> 8 | x << 56) ^ x >> 7
            other = (y >> 19 | y << 45) ^ (y >> 61 | y << 3) ^ y >> 6
            w.append(w[i - 16] + (small & _MASK) + w[i - 7] + (other & _MASK) & _MASK)
        a, b, c, d, e, f, g, h = state
        for i in range(80):
            turned = (e >> 14 | e << 50) ^ (e >> 18 | e << 46) ^ (e >> 41 | e << 23)
            one = h + (turned & _MASK) + (e & f ^ ~e & g) + _K[i] + w[i]
            turned = (a >> 28 | a << 36) ^ (a >> 34 | a << 30) ^ (a >> 39 | a << 25)
            two = (turned & _MASK) + (a & b ^ a & c ^ b & c)
            h, g, f, e, d, c, b, a = g, f, e, d + one & _MASK, c, b, a, one + two & _MASK
        state = [x + y & _MASK for x, y in zip(state, (a, b, c, d, e, f, g, h))]
    return b"".join([x.to_bytes(8, "big") for x in state])
