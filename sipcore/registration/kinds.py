"""Kinds of REGISTERs and of challenges, for whoever counts them."""

from __future__ import annotations

import enum

from sipcore.auth.client import AuthVerdict, Verdict

__all__ = ["ChallengeKind", "RequestKind", "challenge_kind", "request_kind"]


class RequestKind(enum.StrEnum):
    """What a REGISTER is for."""

    INITIAL = "initial"
    """To make a binding where none stands."""
    REFRESH = "refresh"
    """To prolong one."""
    AUTH = "auth"
    """One of these two once more, with the answer to a challenge."""
    REMOVE = "remove"
    """To remove the binding, with or without an answer."""


class ChallengeKind(enum.StrEnum):
    """Why a 401 or 407 came."""

    INITIAL = "initial"
    """The request had no credentials."""
    STALE = "stale"
    """The server says that the nonce has grown old."""
    NONCE_CHANGED = "nonce_changed"
    """It does not, but asks with another nonce."""
    REJECTED = "rejected"
    """The answer was refused, and nothing new was asked."""


def request_kind(*, removal: bool, answering: bool, standing: bool) -> RequestKind:
    """The kind of a request: the first that fits."""
    if removal:
        return RequestKind.REMOVE
    if answering:
        return RequestKind.AUTH
    return RequestKind.REFRESH if standing else RequestKind.INITIAL


def challenge_kind(verdict: AuthVerdict, *, credentials_sent: bool) -> ChallengeKind:
    """The kind of a 401 or 407, by what was made of it."""
    if not credentials_sent:
        return ChallengeKind.INITIAL
    if verdict.stale:
        return ChallengeKind.STALE
    return ChallengeKind.NONCE_CHANGED if verdict.kind is Verdict.NEW else ChallengeKind.REJECTED
