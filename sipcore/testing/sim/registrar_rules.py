"""How the registrar model behaves: mutable rules for the simulation, and what it tells about each request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from sipcore.values import Address

__all__ = ["MAX_FAULTS", "MAX_OTHERS", "Counters", "Handled", "Held", "Rules", "Verdict"]

MAX_FAULTS: Final = 100
"""Texts in `faults`; what is wrong once is usually wrong each time."""

MAX_OTHERS: Final = 63
"""With ours that makes 64, as many as the largest list that real registrars give."""

Verdict = Literal["none", "right", "stale", "wrong", "unknown nonce"]
"""What the credentials of a request are worth.

"none": there are none, or none for our realm. "right": accepted. "stale": the digest is right, and the nonce is too old
or was used. "unknown nonce": we did not issue the nonce, or have forgotten it; `Handled.detail` says if the digest is
right. "wrong": the digest is not what the password gives.
"""


@dataclass(slots=True, kw_only=True)
class Rules:
    """What is special about a registrar. All may be changed while it runs, and holds for what comes from then on.

    The values here are those of a registrar that does all that the standard asks for, quickly, and nothing else.
    """

    # --- lifetimes, in seconds ---
    min_expires: int = 60
    """Less is refused with 423."""
    min_expires_header: bool = True
    """Say in the 423 how much would do, as RFC 3261 section 21.4.17 demands."""
    max_expires: int = 7200
    """More is granted as this."""
    default_expires: int = 3600
    """Granted when nothing is asked for."""
    grant_factor: float = 1.0
    """Grants are what was asked for, times this."""
    grant_spread: float = 0.0
    """The largest share of a grant that is taken off at random."""
    clock: float = 1.0
    """How many seconds pass on the registrar's own clock in one of the world's: 1.0005 lets bindings end earlier."""

    # --- authentication ---
    auth: bool = True
    """The registrar asks for credentials (401)."""
    proxy_auth: bool = False
    """A proxy before it asks for credentials, too (407), in the realm `proxy.` plus the registrar's."""
    algorithms: tuple[str, ...] = ("MD5",)
    """Offered in that order, one header for each; keys of `registrar_digest.ALGORITHMS`, also with `-sess`."""
    algorithm_named: bool = True
    """Name the algorithm in challenges; without, it has to be MD5 (RFC 7616 section 3.3)."""
    qop: str | None = "auth"
    """None challenges as RFC 2069 does."""
    opaque: str | None = None
    nonce_lifetime: float = 3600.0
    """Seconds for which a nonce can be answered."""
    nonce_once: bool = False
    """A nonce is good for one request."""
    stale: bool = True
    """Say stale=true where it is true; some servers never do."""
    challenge_always: bool = False
    """Every request is challenged with a new nonce, whatever it proves."""
    further_challenges: tuple[str, ...] = ()
    """Whole values of WWW-Authenticate that stand before ours, of other schemes or realms; `{nonce}` in one becomes a
    new one each time."""
    nextnonce: bool = False
    """Each 200 brings the nonce for the next request in Authentication-Info."""
    rspauth: Literal["right", "wrong"] | None = None
    """Prove in Authentication-Info that we know the password, or try to."""

    # --- refusals ---
    status: int | None = None
    """Every REGISTER is answered so."""
    status_after_auth: bool = False
    """Only those whose credentials are right are."""
    reason: str | None = None
    """The phrase that goes with `status`; None is the usual one."""
    retry_after: int | None = None
    """Seconds, in answers with `status` and in those of an overload."""
    redirect: str | None = None
    """The Contact of answers with a `status` of 300 to 399, as `<sip:192.0.2.9>`."""
    overload: float = 0.0
    """The probability that a REGISTER gets a 503."""

    # --- time ---
    silent: bool = False
    """Read everything, do nothing, answer nothing."""
    provisional: tuple[int, ...] = ()
    """Codes that come at once, before the final answer."""
    delay: float = 0.0
    """Seconds from a request, which takes effect at once, to its final answer."""
    delay_spread: float = 0.0
    """At most that many seconds more, at random."""

    # --- what a 200 says ---
    list_contacts: bool = True
    """False leaves all Contacts out."""
    others: int = 0
    """How many contacts of somebody else stand before ours, of an imaginary client that comes back at once; at most
    `MAX_OTHERS`."""
    contact_form: Literal["same", "case", "parameters", "uri parameters", "display name", "order"] = "same"
    """How the contacts are written: other case where case means nothing; an added header parameter or URI parameter; a
    display name; the URI parameters in reverse order."""
    expires_header: bool = False
    """Say the lifetime in an Expires header and not with the contacts."""
    service_route: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    """Values that proxies have added, for clients that know Path (RFC 3327)."""
    associated: tuple[str, ...] = ()
    """P-Associated-URI."""
    outbound: bool = False
    """Know RFC 5626: one binding for each reg-id of an instance."""
    flow_timer: int | None = None
    """Seconds, with `outbound`."""
    headers: tuple[str, ...] = ()
    """Further lines of every final answer, as `Server: x`."""

    # --- how answers travel ---
    copies: int = 0
    """How many copies follow each final answer at once."""
    from_port: int | None = None
    """Another port that datagrams come from."""
    split: bool = False
    """On connections: each answer in two segments."""
    compact: bool = False
    """One-letter header names."""
    folded: bool = False
    """Long header values go on in a second line (RFC 3261 section 7.3.1)."""
    odd_case: bool = False
    """Header names in strange case."""
    damage: float = 0.0
    """The probability that something is missing from a final answer, or wrong: see `DAMAGES`."""
    damages: tuple[str, ...] = ()
    """Which of `registrar_messages.DAMAGES` may happen; none means all."""

    # --- connections ---
    refuses_connections: bool = False
    ignores_connections: bool = False
    """Who connects hears nothing."""
    half_open: bool = False
    """Accept connections and read nothing from them."""
    idle_close: float | None = None
    """Seconds without a byte from the client after which its connection is closed."""
    close_after_answer: bool = False

    # --- the process and the referee ---
    down: Literal["mute", "refuses", "unreachable"] = "mute"
    """What `stop` looks like from outside: nothing comes back, or connections are refused, or the network says that
    the host cannot be reached. Read by `stop`."""
    judge: bool = True
    """Note in `faults` what no client may send. To be switched off where somebody changes what it sends."""


class Handled(NamedTuple):
    """A request that was handled, copies not among them."""

    at: float
    method: str
    user: str
    """The user part of To; empty when it cannot be read."""
    call_id: str
    cseq: int
    """-1 when it cannot be read."""
    branch: str
    contacts: tuple[str, ...]
    """The URIs as they were sent; `("*",)` for all."""
    asked_each: tuple[int | None, ...]
    """Seconds asked for each contact, by parameter or by header; None when nothing was."""
    status: int
    """Of the final answer."""
    granted_each: tuple[int, ...] | None
    """Seconds for each contact, 0 where it was removed; None when the request changed nothing."""
    verdict: Verdict
    """The registrar's; that of a proxy where the request got no further."""
    detail: str
    """Why the verdict is that, in words."""
    nc: int | None
    nonce: str | None
    source: Address
    protocol: str
    """UDP or TCP."""
    late: bool
    """The very same bytes were here before, so long ago that the transaction was forgotten: the network did that."""
    out_of_order: bool
    """A higher CSeq of the same Call-ID was here before."""

    @property
    def asked(self) -> int | None:
        """The longest lifetime that is asked for; None when the request names none."""
        return max((seconds for seconds in self.asked_each if seconds is not None), default=None)

    @property
    def granted(self) -> int | None:
        """The longest lifetime that was granted; 0 when all was removed, None when nothing was changed."""
        return max(self.granted_each) if self.granted_each else None


class Held(NamedTuple):
    """A binding that stands."""

    contact: str
    """The URI as it was sent."""
    expires_at: float
    """On the world's clock."""
    call_id: str
    cseq: int
    own: bool
    """False for one that the simulation planted as another client's."""


class Counters:
    """What came and what went."""

    __slots__ = ("by_status", "copies", "faults", "keepalives", "late", "noise", "requests")

    def __init__(self) -> None:
        self.requests = 0
        """New ones, those that are late copies among them."""
        self.copies = 0
        self.late = 0
        """Copies of requests whose transaction is over."""
        self.keepalives = 0
        self.noise = 0
        """What could not be answered."""
        self.faults = 0
        """All of them, also those beyond the first `MAX_FAULTS`."""
        self.by_status: dict[int, int] = {}
