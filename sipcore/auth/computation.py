"""The arithmetic of digest authentication, shared by client and server (RFC 7616 section 3.4).

Each function is one expression over hash functions written in C. So there is never a Python frame with a secret in a
local variable, and no traceback can show one, not even that of an interrupt.
"""

from __future__ import annotations

from sipcore.auth.hashing import Algorithm
from sipcore.values import Secret

__all__ = ["a2_hash", "response", "session_key"]


def session_key(algorithm: Algorithm, ha1: Secret, nonce: str, cnonce: str) -> Secret:
    """The H(A1) of a -sess algorithm, from the first nonce and cnonce of the session (section 3.4.2)."""
    return Secret(algorithm.digest(f"{ha1.reveal()}:{nonce}:{cnonce}".encode("utf-8", "surrogateescape")).hexdigest())


def a2_hash(algorithm: Algorithm, method: str, uri: str, qop: str | None, body: bytes) -> str:
    """H(A2); for the rspauth of a server `method` is empty (sections 3.4.3 and 3.5)."""
    if qop != "auth" and qop is not None and qop.lower() == "auth-int":
        return algorithm.hash(f"{method}:{uri}:{algorithm.digest(body).hexdigest()}")
    return algorithm.digest(f"{method}:{uri}".encode("utf-8", "surrogateescape")).hexdigest()


def response(algorithm: Algorithm, key: Secret, nonce: str, nc: str, cnonce: str, qop: str | None, a2: str) -> str:
    """The response; without qop that of RFC 2069, which knows neither nc nor cnonce (section 3.4.1)."""
    if qop is None:
        return algorithm.digest(f"{key.reveal()}:{nonce}:{a2}".encode("utf-8", "surrogateescape")).hexdigest()
    return algorithm.digest(
        f"{key.reveal()}:{nonce}:{nc}:{cnonce}:{qop}:{a2}".encode("utf-8", "surrogateescape")
    ).hexdigest()
