"""What the agent says, held against what the registrar did: invariants 2, 4 and 10, and the shares of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipcore.events import Event, Registered, Rejected, StatusChanged, Unregistered
from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.values import OutcomeClass, State

if TYPE_CHECKING:
    from sipcore.testing.sim.registrar_rules import Handled

__all__ = ["MAX_EXPIRES", "Claim", "Claims", "Grant"]

LATE = 1e-6
"""Seconds by which sums of floats may differ."""

LONGEST_SILENCE = 1800.0
"""Seconds after an attempt without any answer until the next: the ceiling of the back-off (RFC 5626 section 4.5)."""

LONGEST_RETRY_AFTER = 1.1 * 3600.0
"""Seconds that a registrar that is in trouble can put an attempt off: the cap of Retry-After, and its jitter."""

LONGEST_WAIT = 1.1 * 86400.0
"""Seconds that any attempt is put off at most: the ceiling of all back-offs, and its jitter."""

MAX_EXPIRES = 3600
"""Seconds; a registration's year counts only where it asks for this lifetime or a shorter one."""

REPLACED = " (replaced)"
"""Behind the name of a registration whose account another one has taken over."""

ATTEMPTS_AT_ONCE = 4.0
"""Attempts start a second apart, and one that took long may end when the next one does; so many may end at once."""


class Grant:
    """The last binding that a registrar gave to a user's agent."""

    __slots__ = ("asked", "at", "call_id", "concealed", "counted", "expires_at", "lost", "seconds")

    def __init__(self, at: float, seconds: float, call_id: str, asked: float) -> None:
        self.at = at
        self.counted = at
        """Up to when it is in the sum of covered time."""
        self.seconds = seconds
        self.asked = asked
        """For how long the agent asked to be bound."""
        self.concealed = False
        """The answer did not say how long it lasts, which is less than was asked."""
        self.expires_at = at + seconds
        self.call_id = call_id
        self.lost = False
        """The registrar forgot it; the answer that made it may still be on its way."""


class Claim:
    """What the agent says of one registration."""

    __slots__ = (
        "attempts", "ended", "expires_at", "failed", "reason", "registered_for", "since", "state", "successes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = State.UNREGISTERED
        self.expires_at: float | None = None
        self.since = 0.0
        self.reason: Event | None = None
        """An event that a StatusChanged must follow."""
        self.registered_for = 0.0
        """Seconds in which it was said to be registered, up to `since`."""
        self.successes = 0
        self.attempts = 0
        self.failed = 0
        self.ended = (0.0, 0.0)
        """How many attempts ended lately, at one a second, and when the last one did."""


Excuse = Callable[[str, Grant, float], bool]
"""Whether a user's binding may have lapsed: the user, the grant that lapsed, and when the next one came."""


class Claims:
    """Follows the events of one agent after the other, and the registrar's journal beside them."""

    def __init__(self, excuse: Excuse) -> None:
        self._excuse = excuse
        self.claims: dict[str, Claim] = {}
        self.grants: dict[str, Grant] = {}
        self.covered: dict[str, float] = {}
        """Seconds in which a registrar had a binding of the user's agent."""
        self.gaps: list[tuple[str, float, float]] = []
        """User, when, and for how long there was none although nobody wanted it gone."""
        self.strict = True
        """False while somebody may change what is sent: then no claim is held against the registrar."""
        self.wanted: dict[str, bool] = {}
        """Whether the user wants to be registered."""
        self.wanted_for = 0.0
        """Seconds in which somebody wanted to be."""
        self.counted_for = 0.0
        """Those of them that count as registration-years: without a leap of the clock, and with a lifetime of
        `MAX_EXPIRES` or less asked for, as the registrar saw it last."""
        self._long: set[str] = set()
        self._wanted_since: dict[str, float] = {}
        self._open: set[str] = set()

    def want(self, user: str, wanted: bool, now: float) -> None:
        """The user wants to be registered from now on, or not to be."""
        self._count_wanted(user, now)
        self.wanted[user] = wanted

    def _count_wanted(self, user: str, now: float) -> None:
        if self.wanted.get(user, False):
            self.wanted_for += now - self._wanted_since[user]
            if user not in self._long:
                self.counted_for += now - self._wanted_since[user]
        self._wanted_since[user] = now

    def leapt(self, seconds: float) -> None:
        """The clock is about to leap, and nobody lives through that."""
        counts = sum(wanted and user not in self._long for user, wanted in self.wanted.items())
        self.counted_for -= seconds * counts

    def _asked(self, user: str, asked: int | None, now: float) -> None:
        """A registrar that grants nothing shorter makes a longer lifetime necessary (RFC 3261 section 10.2.8)."""
        if user in self.wanted and asked is not None and (asked > MAX_EXPIRES) is not (user in self._long):
            self._count_wanted(user, now)
            (self._long.add if asked > MAX_EXPIRES else self._long.discard)(user)

    # --- the registrar's side --------------------------------------------------------------------------------------

    def on_handled(self, handled: Handled) -> None:
        """The registrar answered a new request."""
        user, now = handled.user, handled.at
        self._asked(user, handled.asked, now)
        if handled.granted is None or user not in self.wanted:
            return
        before = self.grants.get(user)
        if before is not None and before.lost:
            before = None
        if handled.granted <= 0:
            if before is not None and before.call_id == handled.call_id:
                self._cover(user, before, now)
                if self.wanted[user]:
                    # Nobody asked for that: from here on it is a gap.
                    before.expires_at = min(before.expires_at, now)
                else:
                    del self.grants[user]
            return
        if before is not None:
            if before.expires_at < now - LATE and self.wanted[user]:
                self.gaps.append((user, before.expires_at, now - before.expires_at))
                if not before.concealed and not self._excuse(user, before, now):
                    raise BrokenInvariant(
                        4, f"{user} had no binding for {now - before.expires_at:.1f} s, granted {before.seconds} s", now
                    )
            self._cover(user, before, now)
        self.grants[user] = Grant(now, handled.granted, handled.call_id, max(handled.granted, handled.asked or 0))

    def lost(self, now: float) -> None:
        """The registrars forgot all bindings."""
        for user, grant in self.grants.items():
            self._cover(user, grant, now)
            grant.lost = True

    def cover_until(self, now: float) -> None:
        """Count the time up to now."""
        for user in self.wanted:
            self._count_wanted(user, now)
        for user, grant in self.grants.items():
            self._cover(user, grant, now)
        for claim in self.claims.values():
            if claim.state is State.REGISTERED:
                claim.registered_for += now - claim.since
            claim.since = now

    def _cover(self, user: str, grant: Grant, now: float) -> None:
        until = min(grant.expires_at, now)
        if until > grant.counted and not grant.lost:
            self.covered[user] = self.covered.get(user, 0.0) + until - grant.counted
            grant.counted = until

    # --- the agent's side ------------------------------------------------------------------------------------------

    def forget(self, now: float) -> None:
        """Another process: what the last one said counts no longer."""
        for claim in self.claims.values():
            if claim.state is State.REGISTERED:
                claim.registered_for += now - claim.since
            claim.since, claim.state, claim.expires_at, claim.reason = now, State.UNREGISTERED, None, None
            claim.ended = (0.0, now)
        self._open.clear()

    def adopted(self, name: str, expires_at: float, now: float) -> None:
        """A new process took a binding over from what the last one left behind."""
        claim = self._claim(name)
        claim.state, claim.since, claim.expires_at = State.REGISTERED, now, expires_at

    def replaced(self, name: str, now: float) -> None:
        """The account goes to another registrar: what is said under its name from now on is of a new registration."""
        claim = self.claims.pop(name, None)
        if claim is not None:
            fresh = self.claims[name] = Claim()
            fresh.since, fresh.ended = now, claim.ended
            fresh.attempts, fresh.failed, fresh.successes = claim.attempts, claim.failed, claim.successes
            fresh.registered_for = claim.registered_for
            if claim.state is State.REGISTERED:
                fresh.registered_for += now - claim.since

    def on_event(self, event: Event, now: float) -> None:
        """The agent told something."""
        if isinstance(event, _NAMED) and event.name.endswith(REPLACED):
            # What becomes of the old one is looked at on the wire.
            return
        if isinstance(event, StatusChanged):
            self._changed(event, now)
        elif isinstance(event, Registered | Rejected | Unregistered):
            claim = self._claim(event.name)
            before = claim.reason
            if before is not None and not (isinstance(before, Rejected) and isinstance(event, Unregistered)):
                raise BrokenInvariant(10, f"{_kind(before)} of {event.name} and no StatusChanged before {event}", now)
            claim.reason = event
            self._open.add(event.name)
            if isinstance(event, Registered):
                self._registered(event, claim, now)
            elif isinstance(event, Rejected):
                claim.attempts += 1
                claim.failed += 1
                self._rejected(event, claim, now)

    def on_step(self, now: float, next_deadline: float | None) -> None:
        """All that a step caused has been performed."""
        if self._open:
            raise BrokenInvariant(10, f"no StatusChanged follows for {', '.join(sorted(self._open))}", now)
        for name, claim in self.claims.items():
            expires_at = claim.expires_at
            # Until it is told the time the agent cannot know it; its deadline says that it wants to.
            late = expires_at is not None and now > expires_at + LATE and claim.state is State.REGISTERED
            if late and (next_deadline is None or next_deadline > now):
                raise BrokenInvariant(2, f"{name} is said to be registered after its expiry at {expires_at}", now)

    def _changed(self, event: StatusChanged, now: float) -> None:
        name, status = event.name, event.status
        claim = self._claim(name)
        reason, claim.reason = claim.reason, None
        self._open.discard(name)
        if event.previous is not claim.state:
            raise BrokenInvariant(10, f"{name} is said to have been {event.previous}, but was {claim.state}", now)
        state = status.state
        if state is State.REGISTERED and claim.state is not state and not isinstance(reason, Registered):
            raise BrokenInvariant(2, f"{name} is Registered without a Registered event", now)
        if state is State.REJECTED and claim.state is not state and not isinstance(reason, Rejected):
            raise BrokenInvariant(10, f"{name} is Rejected without a Rejected event", now)
        if claim.state is State.REGISTERED and state is State.UNREGISTERED and not isinstance(reason, Unregistered):
            raise BrokenInvariant(10, f"{name} is Unregistered without an Unregistered event", now)
        if state is State.REGISTERED and status.expires_at is None:
            raise BrokenInvariant(2, f"{name} is Registered without an expiry", now)
        if status.cause is None and state is not State.UNREGISTERED:
            raise BrokenInvariant(10, f"{name} is {state} without a cause", now)
        if isinstance(reason, Registered) and status.expires_at is not None and self.strict:
            grant = self.grants[name]
            until = grant.at + _most(reason, grant)
            if status.expires_at > max(until, now) + LATE:
                text = f"{name} claims to be registered until {status.expires_at}, granted until {until}"
                raise BrokenInvariant(2, text, now)
        if claim.state is State.REGISTERED:
            claim.registered_for += now - claim.since
        claim.since, claim.state, claim.expires_at = now, state, status.expires_at
        if state is State.STOPPED:
            claim.state, claim.expires_at = State.UNREGISTERED, None

    def _registered(self, event: Registered, claim: Claim, now: float) -> None:
        claim.attempts += 1
        claim.successes += 1
        _pace(event.name, claim, now)
        grant = self.grants.get(event.name)
        if grant is not None and event.assumed and grant.seconds < grant.asked:
            grant.concealed = True
        if not self.strict:
            return
        if grant is None:
            raise BrokenInvariant(2, f"{event.name} is Registered, but no registrar granted anything", now)
        if event.expires > _most(event, grant) + LATE:
            raise BrokenInvariant(2, f"{event.name} claims {event.expires} s of {grant.seconds} granted", now)

    def _rejected(self, event: Rejected, claim: Claim, now: float) -> None:
        _pace(event.name, claim, now)
        if event.retry_at is None or not self.strict:
            return
        longest = LONGEST_WAIT
        if event.kind is OutcomeClass.TEMPORARY:
            longest = LONGEST_SILENCE if event.status is None else LONGEST_RETRY_AFTER
        if event.retry_at > now + longest:
            raise BrokenInvariant(3, f"{event} puts the next attempt off for {event.retry_at - now:.0f} s", now)

    def _claim(self, name: str) -> Claim:
        claim = self.claims.get(name)
        if claim is None:
            claim = self.claims[name] = Claim()
        return claim


_NAMED = (Registered, Rejected, StatusChanged, Unregistered)


def _most(event: Registered, grant: Grant) -> float:
    """Seconds that may be claimed of a grant: where the answer lists no Contact, those that were asked for."""
    return grant.asked if event.assumed else grant.seconds


def _pace(name: str, claim: Claim, now: float) -> None:
    level, at = claim.ended
    level = max(0.0, level - (now - at)) + 1.0
    claim.ended = (level, now)
    if level > ATTEMPTS_AT_ONCE:
        raise BrokenInvariant(6, f"more than one attempt of {name} a second", now)


def _kind(event: Event) -> str:
    if isinstance(event, Rejected) and event.kind is OutcomeClass.CREDENTIALS:
        return "Rejected (credentials)"
    return type(event).__name__
