"""What is asked of a parser, and the two that are always there: the floor, and sipcore."""

from __future__ import annotations

import functools
import gc
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.syntax.messages import PASSWORD, REQUEST_URI, USER
from sipcore import Account
from sipcore.auth import ASTERISK_POLICY, ClientAuth, Credential, parse_challenges, select
from sipcore.registration.request import Texts, write_register
from sipcore.syntax import STAR, Request, parse_message
from sipcore.values import Secret

__all__ = [
    "FLOOR",
    "Answer",
    "AnswerValues",
    "Parse",
    "Prepare",
    "Read",
    "Reading",
    "Refresh",
    "Subject",
    "caches",
    "new_cnonce",
    "ours",
]


class Reading(NamedTuple):
    """What a registration needs of a message. Numbers are numbers; what a peer gives in its own form is `Any`."""

    host: str
    """Of the topmost Via, as are the next four."""
    port: int | None
    branch: str | None
    received: str | None
    rport: int | None
    from_user: str | None
    from_host: str
    from_tag: str | None
    to_user: str | None
    to_host: str
    to_tag: str | None
    call_id: str
    cseq: int
    method: str
    contacts: list[tuple[Any, ...]]
    """User, host, port, transport, expires, q."""
    expires: int | None
    challenges: list[tuple[Any, ...]]
    """Realm, nonce, opaque, algorithm, qop, stale."""


Parse = Callable[[bytes], object]
"""Separate and check all headers."""

Read = Callable[[bytes], tuple[Any, ...]]
"""Parse, and read the fields of `Reading` in their order."""

Answer = Callable[[bytes], str]
"""From a 401 to the value of Authorization: both challenges are read, and the first is answered."""

AnswerValues = Callable[[Sequence[str]], str]
"""The same from the values of both WWW-Authenticate headers, so that finding them does not count."""

Refresh = Callable[[str], bytes]
"""The next REGISTER, with the given branch, CSeq and nc one higher."""

Prepare = Callable[[bytes, Sequence[str]], Refresh]
"""From a REGISTER that was written and the challenges that it answers, whatever the subject keeps between both."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One parser; None is what it cannot do."""

    name: str
    parse: Parse
    read: Read | None = None
    answer: Answer | None = None
    answer_values: AnswerValues | None = None
    prepare: Prepare | None = None
    remark: str = ""
    """What has to be known to read its figures."""


def _floor(data: bytes) -> tuple[str, dict[str, str | list[str]], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers: dict[str, str | list[str]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = name.lower()
        value = value.strip()
        if name in headers:
            known = headers[name]
            if isinstance(known, str):
                headers[name] = [known, value]
            else:
                known.append(value)
        else:
            headers[name] = value
    return lines[0], headers, body


FLOOR = Subject(name="floor", parse=_floor, remark="split into a dictionary, nothing checked")
"""The least that gives headers by name."""


def ours() -> Subject:
    """sipcore as its own agent uses it."""
    return Subject(
        name="sipcore",
        parse=parse_message,
        read=_read,
        answer=_answer,
        answer_values=_answer_values,
        prepare=_prepare,
    )


def new_cnonce() -> str:
    """128 bits of the system's entropy in hex, drawn as sipcore does: for peers that would take fewer."""
    return f"{_RANDOM.getrandbits(128):032x}"


def caches() -> list[Any]:
    """Every `functools.lru_cache` inside sipcore: what is remembered there would live from message to message."""
    return [
        item
        for item in gc.get_objects()
        if isinstance(item, functools._lru_cache_wrapper) and item.__module__.partition(".")[0] == "sipcore"
    ]


def _read(data: bytes) -> tuple[Any, ...]:
    message = parse_message(data)
    via = message.via
    from_, to, cseq = message.from_, message.to, message.cseq
    from_uri, to_uri = from_.uri, to.uri
    contacts = message.contacts
    assert contacts is not STAR
    bindings, challenges = [], []
    if asked := message.get_all("www-authenticate"):
        for item in parse_challenges(asked, proxy=False):
            challenges.append((item.realm, item.nonce, item.opaque, item.algorithm, item.qop, item.stale))
    for contact in contacts:
        uri = contact.uri
        expires = contact.get("expires")
        bindings.append(
            (
                uri.user,
                uri.host,
                uri.port,
                uri.get("transport"),
                None if expires is None else int(expires),
                contact.get("q"),
            )
        )
    return (
        via.host,
        via.port,
        via.branch,
        via.received,
        via.rport,
        from_uri.user,
        from_uri.host,
        from_.tag,
        to_uri.user,
        to_uri.host,
        to.tag,
        message.call_id,
        cseq.number,
        cseq.method,
        bindings,
        message.expires,
        challenges,
    )


# The policy that answers the server's first challenge, as every peer does.
_POLICY = ASTERISK_POLICY
_RANDOM = random.SystemRandom()
_CREDENTIALS = (Credential(username=USER, password=Secret(PASSWORD)),)


def _answer(data: bytes) -> str:
    return _answer_values(parse_message(data).get_all("www-authenticate"))


def _answer_values(values: Sequence[str]) -> str:
    (session,), _ = select(parse_challenges(values, proxy=False), _CREDENTIALS, _POLICY)
    return session.authorization("REGISTER", REQUEST_URI, b"", _RANDOM)


_ACCOUNT = Account(
    f"sip:{USER}@example.com",
    registrar=REQUEST_URI,
    outbound_proxy=("<sip:proxy.example.com;lr>",),
    username=USER,
    password=PASSWORD,
    allow=("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "NOTIFY"),
    supported=("path", "outbound"),
    user_agent="Benchmark/1.0",
)
_TEXTS = Texts(_ACCOUNT, "")


def _prepare(register: bytes, challenges: Sequence[str]) -> Refresh:
    request = parse_message(register)
    assert isinstance(request, Request)
    auth = ClientAuth()
    auth.answer(parse_challenges(challenges, proxy=False), (), _CREDENTIALS, _POLICY)
    auth.credentials("REGISTER", REQUEST_URI, b"", _RANDOM)
    cseq = request.cseq.number
    from_value, to_value, call_id = request.get("from"), request.get("to"), request.call_id
    contact, expires = request.get("contact"), request.expires
    assert from_value is not None
    assert to_value is not None
    assert contact is not None
    assert expires is not None

    def refresh(branch: str) -> bytes:
        nonlocal cseq
        cseq += 1
        return write_register(
            _TEXTS,
            protocol="UDP",
            sent_by="192.0.2.17:40000",
            branch=branch,
            aor=to_value,
            from_value=from_value,
            call_id=call_id,
            cseq=cseq,
            contacts=contact,
            expires=expires,
            credentials=auth.credentials("REGISTER", REQUEST_URI, b"", _RANDOM),
            request_uri=REQUEST_URI,
            removal=False,
        )

    return refresh
