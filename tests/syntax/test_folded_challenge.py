"""A challenge that is spelled as oddly as the grammar allows is answered so that its server agrees."""

from __future__ import annotations

from random import Random

import pytest

from sipcore.auth import Algorithm, Credential, DigestVerifier, parse_challenges, select
from sipcore.auth.fields import parse_schemes
from sipcore.syntax import parse_message
from sipcore.values import Secret

ALICE = Credential(username="alice", password=Secret("secret"))
TOKENS = {"algorithm", "stale"}
"""What the grammar wants without quotes."""


def answer(data: bytes) -> str:
    """Our answer to the one challenge of a response."""
    challenges = parse_challenges(parse_message(data).get_all("www-authenticate"), proxy=False)
    [session] = select(challenges, [ALICE]).sessions
    return session.authorization("REGISTER", "sip:example.com", b"", Random(1))


@pytest.mark.parametrize("break_", ["\r\n ", "\r\n\t", "\r\n \t  "])
@pytest.mark.requirement("RFC3261-20.27-01")
def test_a_challenge_folded_over_six_lines_in_reverse_order_verifies(break_: str) -> None:
    server = DigestVerifier("example.com", random=Random(5), algorithms=[Algorithm.SHA_256])
    [(scheme, fields)] = parse_schemes(server.challenges(now=0.0)[0])
    fields = {"domain": "sip:example.com", **fields, "opaque": "5ccc"}
    parameters = [f"{name}={value}" if name in TOKENS else f'{name} = "{value}"' for name, value in fields.items()]
    folded = f",{break_}".join(reversed(parameters))
    lines = f"{scheme}{break_}{folded}".split("\r\n")
    assert len(lines) >= 6
    value = "\r\n".join(lines)
    data = f"SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: {value}\r\nContent-Length: 0\r\n\r\n"
    given = answer(data.encode())
    result = server.verify(
        given, "REGISTER", "sip:example.com", b"", lambda name, realm: ALICE if name == "alice" else None, 1.0
    )
    assert result.ok
    assert 'opaque="5ccc"' in given
