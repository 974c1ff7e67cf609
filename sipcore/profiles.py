"""What the three profiles do differently, as data: one table row for each decision, one column for each profile.

`SIPCORE` is our own judgement, `ASTERISK` is what res_pjsip_outbound_registration does, `JSSIP` what JsSIP's
Registrator does, each without the defects that `docs/profiles.md` lists. Code that decides reads these tables; it
never asks which profile it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sipcore.auth.policy import ASTERISK_POLICY, JSSIP_POLICY, SIPCORE_POLICY, AuthPolicy
from sipcore.syntax import slots
from sipcore.syntax.slots import SlotTable, fill
from sipcore.values import OutcomeClass

__all__ = [
    "ASTERISK",
    "JSSIP",
    "MAX_REQUESTS_PER_ATTEMPT",
    "MAX_UNTRIED_CREDENTIALS",
    "MIN_ATTEMPT_GAP",
    "PROFILES",
    "PROFILE_SLOTS",
    "SIPCORE",
    "Backoff",
    "ChallengeRule",
    "Counted",
    "Doubling",
    "FixedLead",
    "Give",
    "InitialDelay",
    "JsSipLead",
    "Profile",
    "RefreshRule",
    "RetryAfterRule",
    "RetryRule",
    "ShareLead",
    "TooBriefRule",
]

MIN_ATTEMPT_GAP = 1.0
"""Seconds between the starts of two attempts of one registration, in every profile: whatever a peer answers, it is not
hammered."""

MAX_REQUESTS_PER_ATTEMPT = 8
"""REGISTER transactions in one attempt: enough for a challenge from a proxy and one from a registrar, each once stale,
a 423 and two more targets; any more is a loop."""

MAX_UNTRIED_CREDENTIALS = 3
"""Requests of one attempt with credentials computed on a nonce that had not been answered before. A wrong password
is told to the registrar no more often than that, which keeps us below the usual lock-outs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLead:
    """Refresh `lead` seconds before the binding lapses: a share of the grant within bounds, made earlier at random.

    lead = min(max(grant * share, floor), ceiling, grant * at_most), and the whole wait is shortened by up to `jitter`
    of the lead.
    """

    share: float
    floor: float
    ceiling: float
    at_most: float
    jitter: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLead:
    """Refresh a fixed time before the binding lapses."""

    lead: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JsSipLead:
    """JsSIP's formula: above `threshold` a random moment in the second half of the grant, `threshold / 2` before its
    end at the latest; below, a fixed `lead` before the end."""

    minimum: float
    threshold: float
    lead: float


RefreshRule = ShareLead | FixedLead | JsSipLead


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """RFC 5626 section 4.5: min(ceiling, base * 2**failures), of which 50 to 100 %.

    While a binding stands there is more to lose than to spare: then retries start at the attempt gap and double up to
    `standing_ceiling`.
    """

    base: float
    ceiling: float
    standing_ceiling: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """`first` seconds, then twice as long each time in a row, up to `ceiling`."""

    first: float
    ceiling: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The first of the account's named intervals that is not 0, as often as `max_retries` allows; then never."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Give:
    """No retry: the registration stays Rejected until the application asks, or the network changes."""


RetryRule = Backoff | Doubling | Counted | Give


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeRule:
    """How often a 401 or 407 is answered within one attempt."""

    answers: int
    """At most so many answers."""
    without_stale: int
    """At most so many answers to challenges that do not say stale=true."""
    only_bare_requests: bool
    """Only a request that carried no credentials has its challenge answered (Asterisk: a second 401 is final)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooBriefRule:
    """What a 423 leads to (RFC 3261 section 10.2.8)."""

    guess: str
    """Without a usable Min-Expires: "double" what was asked for, once; ask for "3601", once; or "refuse"."""
    floor: int
    """A Min-Expires below it counts as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAfterRule:
    """What a Retry-After in a final failure leads to (RFC 3261 section 20.33)."""

    cap: int | None
    """The longest that is believed, in seconds; None believes all (up to 2**32-1)."""
    jitter: float
    """Up to this share is added at random, so that a crowd does not come back in one moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialDelay:
    """The wait before a registration's first attempt: `base` plus a whole random number of seconds below the account's
    `max_random_initial_delay`."""

    base: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Profile:
    """One column of the tables; see the module's text."""

    name: str
    refresh: RefreshRule
    retries: Mapping[OutcomeClass, RetryRule]
    """What follows each class that ends an attempt without a binding."""
    challenge: ChallengeRule
    too_brief: TooBriefRule
    retry_after: RetryAfterRule | None
    """None: the header is not looked at."""
    initial_delay: InitialDelay | None
    """None: the first attempt starts at once."""
    temporary: frozenset[int]
    """Codes of class `temporary`."""
    temporary_hundreds: frozenset[int]
    """Whole hundreds of class `temporary`."""
    next_target: frozenset[int]
    """Codes after which the next target is tried while there is one (RFC 3263 section 4.3)."""
    forbidden_is_credentials: bool
    """A 403 to a request with credentials is class `refused credentials`."""
    forbidden: RetryRule | None
    """What follows a 403, when that is not what its class says."""
    grant_within_asked: bool
    """A grant above what was asked for counts as what was asked for (RFC 3261 section 10.3 forbids it)."""
    auth: AuthPolicy
    """Which challenges are answered, and whether a request carries credentials before it is challenged."""
    tag_per_attempt: bool
    """The From tag is new for each attempt and after a 423, and kept when a challenge is answered; otherwise it lives
    as long as the Call-ID."""
    provisional_restarts_copies: bool
    """A 1xx puts the next copy T2 away (PJSIP); otherwise the copy that is due next is still sent in its time (RFC 3261
    section 17.1.2.2)."""
    reopens_connections: bool
    """A request whose connection ends is sent once more over a new one to the same address, when the server had
    answered another of the same attempt over it: some hang up after each answer, also after a challenge. Otherwise that
    is a failed target."""
    bare_aor: bool
    """From and To lose the port and the parameters of the AOR (RFC 3261 section 19.1.1, table 1); otherwise they carry
    it as written."""
    userless_request_uri: bool
    """The registrar URI loses its user part (RFC 3261 section 10.2); otherwise it is used as written."""
    max_forwards_first: bool
    """Max-Forwards stands behind Via and Route, where proxies find it at once (RFC 3261 section 7.3.1); otherwise in
    front of User-Agent."""
    default_contact_user: str | None
    """The Contact's user part; None takes that of the AOR."""
    register_removes_first: bool
    """A forced register() of a registration that was tried before sends Expires: 0 first."""
    failed_refresh_rejects: bool
    """A refused refresh is Rejected at once; otherwise the status is Registered until the binding lapses."""
    silence_rejects: bool
    """An attempt that nobody answered is Rejected, too; otherwise only an answer can reject."""
    assume_unlisted: bool
    """A 2xx that lists Contacts but not ours counts as success."""
    zero_grant_is_asked: bool
    """An own Contact with expires=0 counts as granted what the Expires header or else the request says (Asterisk)."""
    redirects: bool
    """A 3xx may be followed, if the account allows it."""
    defaults: Mapping[str, object]
    """The account's options that have another default under this profile."""

    def __post_init__(self) -> None:
        for option, slot in PROFILE_SLOTS.items():
            value = getattr(self, option)
            if value is not None:
                fill(option, slot, value)

    def __repr__(self) -> str:
        # The whole table would bury everything else in a listing of accounts.
        return f"<profile {self.name}>"


PROFILE_SLOTS: SlotTable = {"name": slots.label, "default_contact_user": slots.user}
"""Which slot each text of a `Profile` fills."""


def _all(rule: RetryRule) -> Mapping[OutcomeClass, RetryRule]:
    ending = (OutcomeClass.REMOVED, OutcomeClass.TEMPORARY, OutcomeClass.CREDENTIALS, OutcomeClass.PERMANENT)
    return MappingProxyType(dict.fromkeys(ending, rule))


SIPCORE = Profile(
    name="SIPCORE",
    # A quarter of the grant, but at least timer F and some, so that a refresh that meets a silent server is over before
    # the binding lapses; never more than half, so that short grants are not refreshed all the time.
    refresh=ShareLead(share=0.25, floor=40.0, ceiling=600.0, at_most=0.5, jitter=0.1),
    retries=MappingProxyType(
        {
            # The registrar says 2xx and does not list us: ask again soon, but back off, since it may never change.
            OutcomeClass.REMOVED: Doubling(first=MIN_ATTEMPT_GAP, ceiling=1800.0),
            OutcomeClass.TEMPORARY: Backoff(base=30.0, ceiling=1800.0, standing_ceiling=10.0),
            # Long enough to outlast the usual brute-force locks, which shorter retries would keep alive.
            OutcomeClass.CREDENTIALS: Doubling(first=600.0, ceiling=86400.0),
            OutcomeClass.PERMANENT: Doubling(first=3600.0, ceiling=86400.0),
        }
    ),
    challenge=ChallengeRule(answers=MAX_UNTRIED_CREDENTIALS, without_stale=2, only_bare_requests=False),
    too_brief=TooBriefRule(guess="double", floor=1),
    retry_after=RetryAfterRule(cap=3600, jitter=0.1),
    initial_delay=None,
    temporary=frozenset({408, 429, 480}),
    temporary_hundreds=frozenset({5, 6}),
    next_target=frozenset({408, 503}),
    forbidden_is_credentials=True,
    forbidden=None,
    grant_within_asked=True,
    auth=SIPCORE_POLICY,
    tag_per_attempt=False,
    provisional_restarts_copies=False,
    reopens_connections=True,
    bare_aor=True,
    userless_request_uri=True,
    max_forwards_first=True,
    default_contact_user=None,
    register_removes_first=False,
    failed_refresh_rejects=False,
    silence_rejects=False,
    assume_unlisted=False,
    zero_grant_is_asked=False,
    redirects=True,
    defaults=MappingProxyType({}),
)
"""The default: never gives up, never hammers, believes the registrar's grant and nothing else."""

ASTERISK = Profile(
    name="ASTERISK",
    refresh=FixedLead(lead=10.0),
    retries=MappingProxyType(
        {
            # A grant of 0 is a success to Asterisk: Unregistered, and nothing more until somebody asks.
            OutcomeClass.REMOVED: Give(),
            OutcomeClass.TEMPORARY: Counted(options=("retry_interval", "fatal_retry_interval")),
            OutcomeClass.CREDENTIALS: Counted(options=("fatal_retry_interval",)),
            OutcomeClass.PERMANENT: Counted(options=("fatal_retry_interval",)),
        }
    ),
    challenge=ChallengeRule(
        answers=MAX_UNTRIED_CREDENTIALS, without_stale=MAX_UNTRIED_CREDENTIALS, only_bare_requests=True
    ),
    too_brief=TooBriefRule(guess="3601", floor=1),
    retry_after=RetryAfterRule(cap=None, jitter=0.0),
    initial_delay=InitialDelay(base=1.0),
    temporary=frozenset({408, 500, 502, 503, 504}),
    temporary_hundreds=frozenset({6}),
    next_target=frozenset({408, 503}),
    forbidden_is_credentials=False,
    forbidden=Counted(options=("forbidden_retry_interval", "fatal_retry_interval")),
    grant_within_asked=False,
    auth=ASTERISK_POLICY,
    tag_per_attempt=True,
    provisional_restarts_copies=True,
    reopens_connections=False,
    bare_aor=False,
    userless_request_uri=False,
    max_forwards_first=False,
    default_contact_user="s",
    register_removes_first=True,
    failed_refresh_rejects=True,
    silence_rejects=True,
    assume_unlisted=True,
    zero_grant_is_asked=True,
    redirects=False,
    defaults=MappingProxyType({"max_retries": 10, "max_random_initial_delay": 10}),
)
"""As res_pjsip_outbound_registration: requests, order, delays and final status."""

JSSIP = Profile(
    name="JSSIP",
    refresh=JsSipLead(minimum=10.0, threshold=64.0, lead=5.0),
    retries=_all(Give()),
    challenge=ChallengeRule(answers=2, without_stale=1, only_bare_requests=False),
    too_brief=TooBriefRule(guess="refuse", floor=10),
    retry_after=None,
    initial_delay=None,
    temporary=frozenset({408}),
    temporary_hundreds=frozenset(),
    next_target=frozenset({408, 503}),
    forbidden_is_credentials=False,
    forbidden=None,
    grant_within_asked=True,
    auth=JSSIP_POLICY,
    tag_per_attempt=True,
    provisional_restarts_copies=False,
    reopens_connections=False,
    bare_aor=True,
    userless_request_uri=True,
    max_forwards_first=True,
    default_contact_user=None,
    register_removes_first=False,
    failed_refresh_rejects=True,
    silence_rejects=True,
    assume_unlisted=True,
    zero_grant_is_asked=False,
    redirects=False,
    defaults=MappingProxyType({"expires": 600}),
)
"""As JsSIP's UA and Registrator: no retry of its own until the network or the application gives a reason."""

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in (SIPCORE, ASTERISK, JSSIP)})
"""All profiles by name."""
