"""SIP by hand, for the machine: what a REGISTER says, and answers to it, right ones and those with one identity wrong.

Nothing here uses the core's parser, so that what the core misreads is not misread twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sipcore import Address
from sipcore.testing import Mutant
from sipcore.testing.mutation import mutant
from sipcore.testing.mutation.bases import BRANCH, CALL_ID, CSEQ, FROM_TAG

__all__ = ["SPOOFS", "Asked", "Spoof", "answer", "fitting", "inbound_request", "read_request"]

_COMPACT = {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id", b"m": b"contact"}


class Asked(NamedTuple):
    """One REGISTER as it left."""

    data: bytes
    flow: int
    remote: Address
    at: float
    """When it left first."""
    place: tuple[int, int]
    """Where it stands among the outputs: which call, which output of it."""
    via: str
    branch: str
    call_id: str
    cseq: int
    from_: str
    to: str
    contacts: tuple[str, ...]
    expires: int
    answers: tuple[tuple[str, str, int], ...]
    """(header, nonce, nc) of the credentials that it carries."""

    @property
    def removal(self) -> bool:
        """True when it asks for no binding at all."""
        return self.expires == 0

    @property
    def contact(self) -> str:
        """The Contact value that it binds or removes first."""
        return self.contacts[0]

    @property
    def binds(self) -> tuple[str, ...]:
        """URIs that it asks to bind."""
        return () if self.removal else tuple(_uri(item) for item in self.contacts if not item.endswith(">;expires=0"))

    @property
    def drops(self) -> tuple[str, ...]:
        """URIs that it asks to remove; `*` for all."""
        kept = self.binds
        return tuple(uri for item in self.contacts if (uri := _uri(item)) not in kept)


def _uri(contact: str) -> str:
    # A parameter that only one URI has makes no other binding of it (RFC 3261 section 19.1.4); ours is the last.
    return contact.partition("<")[2].partition(">")[0].partition(";line=")[0] if "<" in contact else contact


def _values(data: bytes, name: bytes) -> list[str]:
    found = []
    for line in data.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        key = key.strip().lower()
        if _COMPACT.get(key, key) == name:
            found.append(value.strip().decode())
    return found


def read_request(data: bytes, flow: int, remote: Address, at: float, place: tuple[int, int]) -> Asked | None:
    """What a REGISTER says; None for another message."""
    if not data.startswith(b"REGISTER "):
        return None
    (via,) = _values(data, b"via")
    answers = []
    for kind in (b"authorization", b"proxy-authorization"):
        for value in _values(data, kind):
            parameters = dict(item.strip().partition("=")[::2] for item in value.partition(" ")[2].split(","))
            if "nc" in parameters:
                answers.append((kind.decode(), parameters["nonce"].strip('"'), int(parameters["nc"], 16)))
    return Asked(
        data=data,
        flow=flow,
        remote=remote,
        at=at,
        place=place,
        via=via,
        branch=via.partition("branch=")[2],
        call_id=_values(data, b"call-id")[0],
        cseq=int(_values(data, b"cseq")[0].split()[0]),
        from_=_values(data, b"from")[0],
        to=_values(data, b"to")[0],
        contacts=tuple(item.strip() for item in _values(data, b"contact")[0].split(",")),
        expires=int(_values(data, b"expires")[0]),
        answers=tuple(answers),
    )


def answer(
    asked: Asked,
    code: int,
    headers: Sequence[str] = (),
    *,
    via: str = "",
    from_: str = "",
    to: str = "",
    call_id: str = "",
    cseq: str = "",
    second_via: bool = False,
) -> bytes:
    """A response to it; each identity that is not given is the request's."""
    lines = [
        f"SIP/2.0 {code} Because",
        f"Via: {via or asked.via}",
        *(["Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKother"] if second_via else []),
        f"From: {from_ or asked.from_}",
        f"To: {to or asked.to};tag=server",
        f"Call-ID: {call_id or asked.call_id}",
        f"CSeq: {cseq or f'{asked.cseq} REGISTER'}",
        *headers,
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


Spoof = Callable[[Asked, int, Sequence[str]], bytes]

MALLORY = "<sip:mallory@example.net>"


def _other_digit(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


SPOOFS: dict[str, Spoof] = {
    "branch": lambda asked, code, headers: answer(
        asked, code, headers, via=asked.via.replace(asked.branch, _other_digit(asked.branch))
    ),
    "sent-by": lambda asked, code, headers: answer(asked, code, headers, via=asked.via.replace(";", "0;", 1)),
    "two Vias": lambda asked, code, headers: answer(asked, code, headers, second_via=True),
    "Call-ID": lambda asked, code, headers: answer(asked, code, headers, call_id=_other_digit(asked.call_id)),
    "CSeq number": lambda asked, code, headers: answer(asked, code, headers, cseq=f"{asked.cseq + 1} REGISTER"),
    "CSeq method": lambda asked, code, headers: answer(asked, code, headers, cseq=f"{asked.cseq} OPTIONS"),
    "From tag": lambda asked, code, headers: answer(asked, code, headers, from_=_other_digit(asked.from_)),
    "From": lambda asked, code, headers: answer(
        asked, code, headers, from_=f"{MALLORY};tag={asked.from_.partition('tag=')[2]}"
    ),
    "To": lambda asked, code, headers: answer(asked, code, headers, to=MALLORY),
}
"""One identity of the response is wrong; two more ways (another source, another flow) are the machine's."""


def fitting(asked: Asked, seed: int, number: int) -> bytes:
    """A mutant with the identities of the request, as far as they are still those of an answer."""
    case: Mutant = mutant(seed, number)
    data = case.data
    tag = asked.from_.partition("tag=")[2]
    # Only what stands in every good base is moved; what the mutation broke stays broken.
    for ours, theirs in (
        ("SIP/2.0/TCP 192.0.2.10:5060", asked.via.partition(";")[0]),
        (BRANCH, asked.branch),
        (FROM_TAG, tag),
        (CALL_ID, asked.call_id),
        (f"CSeq: {CSEQ}", f"CSeq: {asked.cseq}"),
        ('"Alice" <sip:alice@example.com>', asked.to),
        ("<sip:alice@example.com>", asked.to),
        ("sip:alice@192.0.2.10:5060", asked.contact.partition("<")[2].partition(">")[0] or "sip:nobody@192.0.2.10"),
    ):
        data = data.replace(ours.encode(), theirs.encode())
    return data


def inbound_request(method: str, number: int, *, host: str, contact_user: str) -> bytes:
    """A request from outside."""
    return (
        f"{method} sip:{contact_user}@192.0.2.10 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bKin{number}\r\n"
        f"Max-Forwards: 70\r\n"
        f"From: <sip:bob@example.com>;tag=in{number}\r\n"
        f"To: <sip:{contact_user}@192.0.2.10>\r\n"
        f"Call-ID: in{number}@{host}\r\n"
        f"CSeq: 1 {method}\r\n"
        f"Contact: <sip:bob@{host}>\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()
