"""The account that most tests keep registered."""

from __future__ import annotations

from typing import Any

from sipcore.config import Account, Timing, Transport
from sipcore.syntax.message import Request
from sipcore.values import Protocol
from tests.secrecy import PASSWORD

__all__ = ["PASSWORD", "TCP", "T1_100", "account", "has_credentials"]

TCP = Transport(protocol=Protocol.TCP)

T1_100 = Timing(t1=0.1)
"""Timer F is 6.4 s with it."""


def account(user: str = "alice", **options: Any) -> Account:
    """`sip:<user>@example.com`, named like the user, with the password that nobody may see."""
    known = {"name": user} if "credentials" in options else {"name": user, "password": PASSWORD}
    return Account(f"sip:{user}@example.com", **{**known, **options})


def has_credentials(request: Request) -> bool:
    """True when it carries an answer to a challenge."""
    return request.get("authorization") is not None or request.get("proxy-authorization") is not None
