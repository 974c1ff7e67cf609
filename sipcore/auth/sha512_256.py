"""SHA-512/256 in plain Python, for interpreters whose hash library lacks it (FIPS 180-4 sections 5.3.6 and 6.7).

`hashlib` promises SHA-512 but not SHA-512/256, and the one is not the other cut short: the initial values differ.
All constants are computed from their definitions instead of being listed, so there is no table to mistype.
"""

from __future__ import annotations

from math import isqrt

__all__ = ["Sha512of256"]

MASK = (1 << 64) - 1
BLOCK = 128
ROUNDS = 80


class Sha512of256:
    """One finished hash. It has the one method of a hashlib object that digest authentication needs."""

    __slots__ = ("_hex",)

    def __init__(self, data: bytes) -> None:
        try:
            self._hex = _hash(data, _INITIAL)[:64]
        except BaseException as error:
            # What is hashed here contains passwords. An interrupt must not carry our frames, whose local variables
            # a traceback with values would print.
            del data
            raise error.with_traceback(None) from None

    def hexdigest(self) -> str:
        """The hash as 64 lower-case hex digits."""
        return self._hex


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root(value: int) -> int:
    guess = 1 << -(-value.bit_length() // 3)
    while (better := (2 * guess + value // (guess * guess)) // 3) < guess:
        guess = better
    return guess


# The first 64 bits of the fractions of the cube roots and of the square roots of the first primes (4.2.3, 5.3.5).
_K = tuple(_cube_root(prime << 192) & MASK for prime in _primes(ROUNDS))
_SHA512 = tuple(isqrt(prime << 128) & MASK for prime in _primes(8))


def _compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    w = [int.from_bytes(block[i : i + 8], "big") for i in range(0, BLOCK, 8)]
    for i in range(16, ROUNDS):
        x, y = w[i - 15], w[i - 2]
        s0 = (x >> 1 | x << 63) ^ (x >> 8 | x << 56) ^ x >> 7
        s1 = (y >> 19 | y << 45) ^ (y >> 61 | y << 3) ^ y >> 6
        w.append((w[i - 16] + (s0 & MASK) + w[i - 7] + (s1 & MASK)) & MASK)
    a, b, c, d, e, f, g, h = state
    for k, word in zip(_K, w, strict=True):
        s1 = ((e >> 14 | e << 50) ^ (e >> 18 | e << 46) ^ (e >> 41 | e << 23)) & MASK
        t1 = h + s1 + (e & f ^ ~e & g) + k + word
        s0 = ((a >> 28 | a << 36) ^ (a >> 34 | a << 30) ^ (a >> 39 | a << 25)) & MASK
        t2 = s0 + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t1 + t2) & MASK, a, b, c, (d + t1) & MASK, e, f, g
    return tuple((old + new) & MASK for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))


def _hash(data: bytes, state: tuple[int, ...]) -> str:
    padding = b"\x80" + bytes(-(len(data) + 17) % BLOCK) + (8 * len(data)).to_bytes(16, "big")
    padded = data + padding
    for start in range(0, len(padded), BLOCK):
        state = _compress(state, padded[start : start + BLOCK])
    return "".join(f"{word:016x}" for word in state)


def _derive_initial() -> tuple[int, ...]:
    # 5.3.6: SHA-512 with altered initial values, of the function's own name.
    text = _hash(b"SHA-512/256", tuple(word ^ 0xA5A5A5A5A5A5A5A5 for word in _SHA512))
    return tuple(int(text[i : i + 16], 16) for i in range(0, 128, 16))


_INITIAL = _derive_initial()
