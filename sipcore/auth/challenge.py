"""WWW-Authenticate and Proxy-Authenticate: what a server asks for (RFC 7616 section 3.3, RFC 3261 section 22)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sipcore.auth.fields import MALFORMED, MAX_CHALLENGE, MAX_VALUE, Fields, parse_schemes, size, unescape
from sipcore.syntax.expressions import compile_possessive
from sipcore.syntax.grammar import is_token, quote
from sipcore.syntax.limits import MAX_CHALLENGES

__all__ = ["Challenge", "parse_challenges"]


class Challenge(NamedTuple):
    """One challenge. Of a scheme other than Digest only `scheme` and `proxy` are kept."""

    scheme: str
    """`Digest`, or another scheme as the peer wrote it."""
    realm: str = ""
    """The protection space, unescaped; it may be empty."""
    nonce: str = ""
    opaque: str | None = None
    """To be sent back unchanged; None when the peer sent none, which is not the same as an empty one."""
    algorithm: str | None = None
    """The token as offered; None means MD5."""
    qop: tuple[str, ...] = ()
    """The offered qualities of protection in lower case and in the peer's order; empty is the form of RFC 2069."""
    stale: bool = False
    """The answer was right and only its nonce is too old."""
    userhash: bool = False
    """The server takes the hash of the user name in the name's place (RFC 7616 section 3.4.4)."""
    domain: str | None = None
    proxy: bool = False
    """True when it came in Proxy-Authenticate, so that Proxy-Authorization answers it."""
    charset: str | None = None
    """`UTF-8`, the only value there is: user name and password are normalised before hashing (RFC 7616 section 4)."""
    verbatim: tuple[tuple[str, str], ...] = ()
    """Parameters that the peer escaped in its own way, as (name, text between the quotes), to be echoed so."""

    @property
    def digest(self) -> bool:
        """True when the scheme is Digest."""
        return self.scheme == "Digest"

    def echo(self, name: str, value: str) -> str:
        """A value of this challenge as quoted-string, byte for byte as the peer wrote it."""
        for known, text in self.verbatim:
            if known == name:
                return f'"{text}"'
        return quote(value)

    def __str__(self) -> str:
        """The header value."""
        if not self.digest:
            return self.scheme
        parts = [f"realm={self.echo('realm', self.realm)}"]
        if self.domain is not None:
            parts.append(f"domain={quote(self.domain)}")
        parts.append(f"nonce={self.echo('nonce', self.nonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={self.echo('opaque', self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        if self.algorithm is not None:
            parts.append(f"algorithm={self.algorithm if is_token(self.algorithm) else quote(self.algorithm)}")
        if self.qop:
            parts.append(f"qop={quote(','.join(self.qop))}")
        if self.charset is not None:
            parts.append(f"charset={self.charset}")
        if self.userhash:
            parts.append("userhash=true")
        return "Digest " + ", ".join(parts)


def parse_challenges(values: Sequence[str], *, proxy: bool) -> tuple[Challenge, ...]:
    """All challenges of the given header values, in order; `proxy` tells which header they came in.

    A value may hold several challenges. A malformed challenge is left out, since another one may be usable
    (RFC 8760 section 2.4), and so is everything beyond `MAX_CHALLENGES`. Never raises.

    Leniencies: `algorithm`, `stale` and `userhash` may be quoted; `qop` may be a token, in any case, with spaces
    in its list; an empty `qop` list counts as none.
    """
    found: list[Challenge] = []
    for value in values:
        usual = _usual_digest(value) if len(value) <= MAX_VALUE and value.isascii() else None
        if usual is not None:
            realm, nonce, opaque, algorithm, offered, stale, domain, charset, userhash = usual.groups()
            if realm is not None and nonce is not None and len(found) < MAX_CHALLENGES:
                found.append(
                    _new(
                        Challenge,
                        (
                            "Digest",
                            realm,
                            nonce,
                            opaque,
                            algorithm,
                            () if offered is None else _QOPS.get(offered) or _qops(offered),
                            stale is not None and (stale == "true" or stale.lower() == "true"),
                            userhash is not None and userhash.lower() == "true",
                            domain,
                            proxy,
                            "UTF-8" if charset is not None and charset.lower() == "utf-8" else None,
                            (),
                        ),
                    )
                )
                continue
        for scheme, fields in parse_schemes(value):
            if len(found) == MAX_CHALLENGES:
                return tuple(found)
            if scheme != "Digest" and scheme.lower() != "digest":
                found.append(Challenge(scheme, proxy=proxy))
            elif (
                "realm" in fields
                and "nonce" in fields
                and MALFORMED not in fields
                and sum(map(size, fields.values())) <= MAX_CHALLENGE
            ):
                for name in ("algorithm", "qop"):
                    if name in fields:
                        fields[name] = unescape(fields[name])
                found.append(_digest(fields, proxy))
    return tuple(found)


# A NamedTuple's own constructor is a Python function and costs as much as finding the values.
_new = tuple.__new__

# One challenge without quoted-pairs, each parameter quoted as the grammar has it, as nearly every one is. A parameter
# that came before does not match again; what does not fit is looked at more closely.
_QUOTED = r'"([^"\\\x00-\x08\x0a-\x1f\x7f]*+)"'
_BARE = r"([!#$%&'*+.^_`|~0-9A-Za-z-]++)"
_usual_digest = compile_possessive(
    "Digest (?:(?:"
    + "|".join(
        f"{name}=(?({number})(?!)){form}"
        for number, (name, form) in enumerate(
            [
                ("realm", _QUOTED),
                ("nonce", _QUOTED),
                ("opaque", _QUOTED),
                ("algorithm", _BARE),
                ("qop", _QUOTED),
                ("stale", _BARE),
                ("domain", _QUOTED),
                ("charset", _BARE),
                ("userhash", _BARE),
            ],
            1,
        )
    )
    + r")(?:,[ ]?+(?!\Z)|\Z))++"
).fullmatch

# Nearly every server sends one of these.
_QOPS: dict[str, tuple[str, ...]] = {"auth": ("auth",), "auth,auth-int": ("auth", "auth-int")}


def _qops(offered: str) -> tuple[str, ...]:
    return tuple([option for item in offered.split(",") if (option := item.strip(" \t").lower())])


def _digest(fields: Fields, proxy: bool) -> Challenge:
    get = fields.get
    realm, nonce, opaque = fields["realm"], fields["nonce"], get("opaque")
    stale, userhash, domain, charset = get("stale"), get("userhash"), get("domain"), get("charset")
    challenge = Challenge(
        "Digest",
        realm,
        nonce,
        opaque,
        get("algorithm"),
        _qops(get("qop", "")),
        stale is not None and stale.lower() == "true",
        userhash is not None and userhash.lower() == "true",
        domain if domain is None else unescape(domain),
        proxy,
        "UTF-8" if charset is not None and charset.lower() == "utf-8" else None,
    )
    if "\\" in realm or "\\" in nonce or (opaque is not None and "\\" in opaque):
        return _unescaped(challenge)
    return challenge


def _unescaped(challenge: Challenge) -> Challenge:
    kept = []
    for name, text in (("realm", challenge.realm), ("nonce", challenge.nonce), ("opaque", challenge.opaque)):
        if text is not None and quote(unescape(text)) != f'"{text}"':
            kept.append((name, text))
    return challenge._replace(
        realm=unescape(challenge.realm),
        nonce=unescape(challenge.nonce),
        opaque=None if challenge.opaque is None else unescape(challenge.opaque),
        verbatim=tuple(kept),
    )
