"""Which challenges are answered, with which credential: one pure function over a policy."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sipcore.auth.challenge import Challenge
from sipcore.auth.credentials import Credential, RealmMatch
from sipcore.auth.hashing import Algorithm
from sipcore.syntax.grammar import visible

__all__ = ["ASTERISK_POLICY", "JSSIP_POLICY", "SIPCORE_POLICY", "AuthPolicy", "Choice", "Order", "choose"]


class Order(enum.StrEnum):
    """Which of several challenges of one realm is answered."""

    STRONGEST = "strongest"
    """The strongest algorithm; among equals the server's first."""
    SERVER = "server"
    """The server's first that can be answered (RFC 8760 section 2.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPolicy:
    """How a client answers challenges. The defaults are sipcore's own."""

    order: Order = Order.STRONGEST
    qops: tuple[str, ...] = ("auth", "auth-int")
    """The qualities of protection we can do, preferred first."""
    without_qop: bool = True
    """Answer challenges that offer no qop at all (RFC 2069), as a FRITZ!Box sends them."""
    algorithms: tuple[Algorithm, ...] = tuple(Algorithm)
    """What is answered at all; MD5 is weak and can be left out here (RFC 8760 section 3)."""
    userhash: bool = True
    """Hide the user name when the server can do without it (RFC 7616 section 3.4.4)."""
    realm_case: bool = True
    """Prefer a credential whose realm is equal to one that is equal but for case; otherwise the first of them answers,
    as in Asterisk."""
    proactive: bool = True
    """Send credentials before being asked, as long as that works (RFC 7616 section 3.6)."""


SIPCORE_POLICY = AuthPolicy()
ASTERISK_POLICY = AuthPolicy(
    order=Order.SERVER,
    qops=("auth",),
    algorithms=(Algorithm.MD5, Algorithm.SHA_256, Algorithm.SHA_512_256),
    userhash=False,
    realm_case=False,
    proactive=False,
)
JSSIP_POLICY = AuthPolicy(
    order=Order.SERVER, qops=("auth-int", "auth"), algorithms=(Algorithm.MD5,), userhash=False, proactive=False
)


class Choice(NamedTuple):
    """A challenge that will be answered, and how."""

    challenge: Challenge
    credential: Credential
    algorithm: Algorithm
    qop: str | None
    """None is the form of RFC 2069, without cnonce and nc."""
    userhash: bool
    """Send the hash of the user name instead of the name."""


def choose(
    challenges: Iterable[Challenge], credentials: Sequence[Credential], policy: AuthPolicy = SIPCORE_POLICY
) -> tuple[list[Choice], str]:
    """The challenges to answer, one for each realm and kind of header, and in words why the others are not.

    The credential for a realm is the one that names it, exactly rather than but for case (where the policy looks at
    that), else the first that is for any realm; a credential that cannot do the algorithm does not count.
    """
    chosen: list[Choice] = []
    refused: list[str] = []
    in_order = policy.order is Order.SERVER
    for challenge in challenges:
        place = _find(chosen, challenge) if chosen else None
        if place is not None and in_order:
            continue
        choice = _consider(challenge, credentials, policy)
        if isinstance(choice, str):
            refused.append(choice)
        elif place is None:
            chosen.append(choice)
        elif choice.algorithm.strength > chosen[place].algorithm.strength:
            # RFC 8760 section 2.4: exactly one answer for each realm.
            chosen[place] = choice
    return chosen, "; ".join(refused) if refused else ""


def _find(chosen: list[Choice], challenge: Challenge) -> int | None:
    """Where the choice for the realm of `challenge` stands."""
    for place, other in enumerate(chosen):
        if other.challenge.realm == challenge.realm and other.challenge.proxy is challenge.proxy:
            return place
    return None


def _consider(challenge: Challenge, credentials: Sequence[Credential], policy: AuthPolicy) -> Choice | str:
    if challenge.scheme != "Digest":
        # RFC 3261 section 22.1: Basic above all is never answered.
        return f"scheme {visible(challenge.scheme, 40)} is not supported"
    algorithm = Algorithm.parse(challenge.algorithm)
    if algorithm is None:
        return _reason(challenge, "the algorithm is not known")
    if algorithm not in policy.algorithms:
        return _reason(challenge, "the algorithm is not allowed")
    qop: str | None = None
    if challenge.qop:
        for qop in policy.qops:
            if qop in challenge.qop:
                break
        else:
            return _reason(challenge, f"the qop {visible(','.join(challenge.qop), 40)} is not supported")
    elif algorithm.session:
        return _reason(challenge, "the algorithm needs a qop and none is offered")
    elif not policy.without_qop:
        return _reason(challenge, "no qop is offered")
    best: Credential | None = None
    rank = _NO_MATCH
    for credential in credentials:
        match = credential.match(challenge.realm)
        if match is RealmMatch.EXACT and not policy.realm_case:
            match = RealmMatch.CASELESS
        if match > rank and credential.supports(algorithm):
            best, rank = credential, match
    if best is None:
        return _reason(challenge, "no credential for this realm and algorithm")
    return _new(Choice, (challenge, best, algorithm, qop, challenge.userhash and policy.userhash))


# A NamedTuple's own constructor is a Python function.
_new = tuple.__new__

_NO_MATCH = RealmMatch.NONE


def _reason(challenge: Challenge, text: str) -> str:
    return f"{visible(challenge.realm, 80)}/{visible(challenge.algorithm or 'MD5', 40)}: {text}"
