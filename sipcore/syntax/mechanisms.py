"""The lists of Security-Client, Security-Server and Security-Verify (RFC 3329 section 2.2).

    security-server  =  sec-mechanism *( COMMA sec-mechanism )
    sec-mechanism    =  token *( SEMI mech-parameters )
    mech-parameters  =  "q" EQUAL qvalue / "d-alg" EQUAL token / "d-qop" EQUAL token
                        / "d-ver" EQUAL LDQUOT 32LHEX RDQUOT / generic-param

Only what the lists say; who offers what, and what is chosen, is decided elsewhere. A list that is malformed is refused
whole: an attacker gains by each mechanism that is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.grammar import is_token, split_list, unquote, visible
from sipcore.syntax.limits import MAX_MECHANISMS
from sipcore.syntax.parameters import Parameters, format_parameters, get, parse_parameters
from sipcore.syntax.qvalues import parse_qvalue

__all__ = ["Mechanism", "format_mechanisms", "parse_mechanisms"]


class Mechanism(NamedTuple):
    """One way to protect what follows, and how much it is liked."""

    name: str
    """In lower case: tls, digest, ipsec-ike, ipsec-man, ipsec-3gpp, or any other token."""
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> Mechanism:
        """Parse one mechanism. Raises `RemoteProtocolError`, also when one of RFC 3329's parameters is malformed."""
        name, semicolon, rest = text.partition(";")
        name = name.strip(" \t")
        if not is_token(name):
            raise RemoteProtocolError(f"malformed security mechanism: {visible(text)}")
        mechanism = cls(name.lower(), parse_parameters(semicolon + rest, "security mechanism"))
        for key, value in mechanism.parameters:
            well_formed = _WELL_FORMED.get(key)
            if well_formed is not None and not well_formed(value or ""):
                raise RemoteProtocolError(f"security mechanism: malformed {key} in {visible(text)}")
        return mechanism

    @property
    def q(self) -> int | None:
        """The preference in thousandths, 0 to 1000; None when it is not said. The highest is liked most."""
        return parse_qvalue(get(self.parameters, "q") or "")

    @property
    def algorithm(self) -> str | None:
        """The digest algorithm, `d-alg`; None when it is not said."""
        return get(self.parameters, "d-alg")

    @property
    def qop(self) -> str | None:
        """The digest qop, `d-qop`; None when it is not said."""
        return get(self.parameters, "d-qop")

    @property
    def verify(self) -> str | None:
        """What proves that the server's list arrived as it was sent: 32 hexadecimal digits of `d-ver`, or None."""
        value = get(self.parameters, "d-ver")
        return None if value is None else unquote(value)

    @property
    def media(self) -> bool:
        """True when it protects the media and not the signalling (draft-dawes-sipcore-mediasec-parameter)."""
        return get(self.parameters, "mediasec") is not None

    def __str__(self) -> str:
        return f"{self.name}{format_parameters(self.parameters)}"


def parse_mechanisms(values: Iterable[str]) -> tuple[Mechanism, ...]:
    """All mechanisms of the given lines of one header, in order.

    Raises `RemoteProtocolError` when one is malformed or two have the same q, and `LimitExceeded` above
    `MAX_MECHANISMS`. Mechanisms for media make a list of their own, although they stand in the same header: theirs may
    be the same q as one of the others'.
    """
    items = [item for value in values for item in split_list(value)]
    if len(items) > MAX_MECHANISMS:
        raise LimitExceeded(f"more than {MAX_MECHANISMS} security mechanisms")
    mechanisms = tuple([Mechanism.parse(item) for item in items])
    known: set[tuple[bool, int]] = set()
    for mechanism in mechanisms:
        q = mechanism.q
        if q is None:
            continue
        if (mechanism.media, q) in known:
            raise RemoteProtocolError(f"two security mechanisms with the same q: {visible(', '.join(items))}")
        known.add((mechanism.media, q))
    return mechanisms


def format_mechanisms(mechanisms: Iterable[Mechanism]) -> str:
    """The inverse of `parse_mechanisms`, in one line."""
    return ", ".join([str(mechanism) for mechanism in mechanisms])


def _is_digest(value: str) -> bool:
    return len(value) == 34 and value[0] == value[-1] == '"' and not value[1:-1].strip("0123456789abcdef")


def _is_qvalue(value: str) -> bool:
    return parse_qvalue(value) is not None


_WELL_FORMED: Final = {"q": _is_qvalue, "d-alg": is_token, "d-qop": is_token, "d-ver": _is_digest}
