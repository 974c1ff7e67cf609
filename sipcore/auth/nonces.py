"""The nonces of a server: issued without being stored, and never accepted twice with one count.

A nonce is its own number and time under a keyed hash, so issuing costs no memory and a flood of unauthenticated
requests fills nothing. Only nonces that were used with the right password are remembered, to refuse replays
(RFC 7616 section 5.5). That table is bounded. What falls out of it raises the horizon: all nonces issued up to then
count as stale, so forgetting can cost a client one round trip but can never let a replay in.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest
from random import Random

__all__ = ["MAX_TRACKED", "Nonces"]

MAX_TRACKED = 65536
"""Nonces whose count is remembered: about 6 MB, and one for each client of a large registrar."""

KEY_BITS = 256
TAG_BYTES = 16
"""128 bits of the keyed hash, as long as a guess is hopeless."""

WORN_OUT = 1 << 32
"""More than any count: a nonce that must not be used again."""


class Nonces:
    """Issues nonces and judges them."""

    __slots__ = ("_horizon", "_issued", "_key", "_lifetime", "_limit", "_used")

    def __init__(self, random: Random, *, lifetime: float, limit: int = MAX_TRACKED) -> None:
        self._key = random.getrandbits(KEY_BITS).to_bytes(KEY_BITS // 8, "big")
        self._lifetime = lifetime
        self._limit = limit
        self._issued = 0
        self._horizon = 0
        self._used: dict[int, int] = {}

    def issue(self, now: float) -> str:
        """A nonce that never was; good from `now` for the lifetime."""
        self._issued += 1
        text = f"{self._issued:x}.{int(now * 1000):x}"
        return f"{self._tag(text)}{text}"

    def accept(self, nonce: str, nc: int | None, now: float) -> bool:
        """True when the nonce is ours, young enough, and not yet used with this count; notes the use.

        Call it only for a right response. Without qop there is no count, and the nonce is good for one request: a
        copy of that request could not be told from another.
        """
        tag, text = nonce[: 2 * TAG_BYTES], nonce[2 * TAG_BYTES :]
        if not nonce.isascii() or not compare_digest(tag, self._tag(text)):
            return False
        number_text, _, issued_text = text.partition(".")
        number, issued = int(number_text, 16), int(issued_text, 16)
        if nc == 0 or now * 1000 - issued >= self._lifetime * 1000:
            return False  # nc counts from one (RFC 7616 section 3.4)
        last = self._used.get(number)
        if last is None:
            if number <= self._horizon:
                return False
            if len(self._used) >= self._limit:
                oldest = next(iter(self._used))
                del self._used[oldest]
                self._horizon = max(self._horizon, oldest)
        elif nc is None or nc <= last:
            return False
        self._used[number] = WORN_OUT if nc is None else nc
        return True

    def _tag(self, text: str) -> str:
        return hashlib.blake2s(text.encode(), digest_size=TAG_BYTES, key=self._key).hexdigest()
