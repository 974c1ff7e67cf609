"""That all subjects read the same values and write the same message, before anything is timed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from benchmarks.syntax.messages import (
    CHALLENGED,
    KINDS,
    PASSWORD,
    REALM,
    REQUEST_URI,
    USER,
    WRITTEN,
    Variant,
    contacts_on_one_line,
    make,
    variants,
)
from benchmarks.syntax.subjects import Reading, Subject, ours
from sipcore.auth.fields import parse_schemes
from sipcore.syntax import Request, parse_message

__all__ = ["Disagreement", "check", "check_authorization", "check_reading", "check_refresh", "normal"]


class Disagreement(Exception):
    """A subject gave another value than it should; the text says which."""


def check(subject: Subject, count: int = 3) -> None:
    """Compare what `subject` does with the first variants of each kind. Raises `Disagreement`."""
    reference = ours().read
    assert reference is not None
    some = variants(count)
    for kind in KINDS:
        for data in make(kind, count):
            subject.parse(data)
            if subject.read is not None:
                check_reading(subject.name, kind, subject.read(data), reference(data))
                # The same values, whatever the lines they stand on.
                check_reading(subject.name, kind, subject.read(contacts_on_one_line(data)), reference(data))
    for variant, register, challenged in zip(some, make(WRITTEN, count), make(CHALLENGED, count), strict=True):
        if subject.answer is not None:
            check_authorization(subject.name, subject.answer(challenged), variant, 1)
        if subject.answer_values is not None:
            check_authorization(subject.name, subject.answer_values(variant.challenges), variant, 1)
        if subject.prepare is not None:
            refresh = subject.prepare(register, variant.challenges)
            for count_of_nonce in (2, 3):
                check_refresh(subject.name, refresh(variant.next_branch), register, variant, count_of_nonce)


def check_reading(name: str, kind: str, got: Sequence[Any], expected: Sequence[Any]) -> None:
    """Compare two readings, each in its library's own form."""
    for field, mine, theirs in zip(Reading._fields, normal(expected), normal(got), strict=True):
        if mine != theirs:
            raise Disagreement(f"{name}: {kind}: {field} is {theirs!r}, not {mine!r}")


def normal(values: Sequence[Any]) -> Reading:
    """A reading with the forms of the libraries made equal: of qop and stale, and of lists."""
    reading = Reading(*values)
    return reading._replace(
        contacts=[tuple(contact) for contact in reading.contacts],
        challenges=[
            (realm, nonce, opaque, algorithm, tuple(qop.split(",") if isinstance(qop, str) else qop), stale in _TRUE)
            for realm, nonce, opaque, algorithm, qop, stale in reading.challenges
        ],
    )


_TRUE = (True, "true")


def check_authorization(name: str, value: str, variant: Variant, count: int) -> None:
    """That `value` answers the variant's first challenge with that nonce count, its response being right."""
    ((scheme, fields),) = parse_schemes(value)
    nc = f"{count:08x}"
    cnonce = fields.get("cnonce", "")
    ha1 = _md5(f"{USER}:{REALM}:{PASSWORD}")
    ha2 = _md5(f"REGISTER:{REQUEST_URI}")
    expected = {
        "username": USER,
        "realm": REALM,
        "nonce": variant.nonce,
        "uri": REQUEST_URI,
        "response": _md5(f"{ha1}:{variant.nonce}:{nc}:{cnonce}:auth:{ha2}"),
        "algorithm": "MD5",
        "opaque": variant.opaque,
        "qop": "auth",
        "nc": nc,
        "cnonce": cnonce,
    }
    if scheme != "Digest" or len(cnonce) < 8 or fields != expected:
        raise Disagreement(f"{name}: not the answer: {value}")


def check_refresh(name: str, data: bytes, register: bytes, variant: Variant, count: int) -> None:
    """That `data` is the REGISTER that comes `count` - 1 after `register`: all but three headers are the same."""
    new, old = parse_message(data), parse_message(register)
    assert isinstance(old, Request)
    if not isinstance(new, Request) or (new.method, new.uri) != (old.method, old.uri):
        raise Disagreement(f"{name}: not the same request: {data!r}")
    if new.via.branch != variant.next_branch or new.cseq.number != old.cseq.number + count - 1:
        raise Disagreement(f"{name}: not the next request: {data!r}")
    check_authorization(name, new.get("authorization") or "", variant, count)
    keys = {header.lower() for header, _ in old.headers}
    if {header.lower() for header, _ in new.headers} != keys:
        raise Disagreement(f"{name}: not the same headers: {data!r}")
    for key in keys - _CHANGED.get(name, _CHANGED[""]):
        # A list may stand on one line or on several (RFC 3261 section 7.3.1).
        if new.values(key) != old.values(key):
            raise Disagreement(f"{name}: {key} is {new.values(key)!r}, not {old.values(key)!r}")


# JsSIP writes its own lists of methods and extensions, and its own hop count; nothing changes them.
_CHANGED = {
    "": {"via", "cseq", "authorization"},
    "JsSIP": {"via", "cseq", "authorization", "allow", "supported", "max-forwards"},
}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
