"""Every row of the table in docs/profiles.md, under every profile, from the wire to the status."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from sipcore.events import Registered, Rejected
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.testing import REGISTRAR, Answer, Line, Step, challenge, ok
from sipcore.values import OutcomeClass, Phase, State
from tests.accounts import account, has_credentials

SECOND = ("192.0.2.2", 5060)

FOREIGN = Answer(200, contact="<sip:bob@198.51.100.7>;expires=600, <sip:carol@198.51.100.8>;expires=600")
ZERO = Answer(200, ("Expires: 0",), contact="{contact};expires=0")
BASIC = Answer(401, ('WWW-Authenticate: Basic realm="x"',))
REDIRECT = Answer(302, contact="<sip:198.51.100.9>")


class Row(NamedTuple):
    """A script, and for each profile: requests, class, state, wait.

    Requests: one letter for each REGISTER up to the outcome, `b` bare, `c` with credentials. State: `up` is Registered,
    `down` Unregistered. Wait: seconds from the outcome to the next attempt, `low..high` where it is random, `-` when
    there is none.
    """

    name: str
    script: list[Step]
    sipcore: str
    asterisk: str
    jssip: str


FIRST = [
    # SIPCORE asks for 3600 and refreshes 600 s before the end, up to 60 s earlier. JSSIP asks for 600.
    Row("success", [ok(3600)], "b success up 2940..3000", "b success up 3590", "b success up 300..568"),
    Row("short grant", [ok(60)], "b success up 27..30", "b success up 50", "b success up 55"),
    Row("no Contact", [200], "b success up 2940..3000", "b success up 3590", "b success up 300..568"),
    Row("only others", [FOREIGN], "b removed down 1", "b success up 3590", "b success up 300..568"),
    Row("grant of 0", [ZERO], "b removed down 1", "b removed down -", "b removed down -"),
    Row("challenge", [challenge(), ok(60)], "bc success up 27..30", "bc success up 50", "bc success up 55"),
    Row("407", [challenge(407), ok(60)], "bc success up 27..30", "bc success up 50", "bc success up 55"),
    Row(
        "stale once",
        [challenge(), challenge(stale=True), ok(60)],
        "bcc success up 27..30",
        "bc refused rejected -",
        "bcc success up 55",
    ),
    Row(
        "stale twice",
        [challenge(), challenge(stale=True), challenge(stale=True), ok(60)],
        "bccc success up 27..30",
        "bc refused rejected -",
        "bcc refused rejected -",
    ),
    Row(
        "stale for ever",
        [challenge(stale=True)],
        "bccc refused rejected 600",
        "bc refused rejected -",
        "bcc refused rejected -",
    ),
    Row(
        "another nonce, not stale",
        [challenge(), challenge(), ok(60)],
        "bcc success up 27..30",
        "bc refused rejected -",
        "bc refused rejected -",
    ),
    Row(
        "new nonces for ever",
        [challenge()],
        "bcc refused rejected 600",
        "bc refused rejected -",
        "bc refused rejected -",
    ),
    Row(
        "wrong password",
        [challenge(nonce="n")],
        "bc refused rejected 600",
        "bc refused rejected -",
        "bc refused rejected -",
    ),
    Row("unusable challenge", [BASIC], "b refused rejected 600", "b refused rejected -", "b refused rejected -"),
    Row(
        "423",
        [Answer(423, ("Min-Expires: 7200",)), ok(7200)],
        "bb success up 6540..6600",
        "bb success up 7190",
        "bb success up 3600..7168",
    ),
    Row(
        "423 without Min-Expires",
        [423, ok(None)],
        "bb success up 6540..6600",
        "bb success up 3591",
        "b permanent rejected -",
    ),
    Row(
        "423 that does not grow",
        [Answer(423, ("Min-Expires: 600",))],
        "b permanent rejected 3600",
        "b permanent rejected -",
        "b permanent rejected -",
    ),
    Row(
        "redirect",
        [REDIRECT, ok(60)],
        "b permanent rejected 3600",
        "b permanent rejected -",
        "b permanent rejected -",
    ),
    Row("403 at once", [403], "b permanent rejected 3600", "b permanent rejected -", "b permanent rejected -"),
    Row(
        "403 after credentials",
        [challenge(), 403],
        "bc refused rejected 600",
        "bc permanent rejected -",
        "bc permanent rejected -",
    ),
    Row(
        "404 after credentials",
        [challenge(), 404],
        "bc permanent rejected 3600",
        "bc permanent rejected -",
        "bc permanent rejected -",
    ),
    Row("408", [408], "b temporary rejected 30..60", "b temporary rejected 60", "b temporary rejected -"),
    Row("429", [429], "b temporary rejected 30..60", "b permanent rejected -", "b permanent rejected -"),
    Row("480", [480], "b temporary rejected 30..60", "b permanent rejected -", "b permanent rejected -"),
    Row("500", [500], "b temporary rejected 30..60", "b temporary rejected 60", "b permanent rejected -"),
    Row("501", [501], "b temporary rejected 30..60", "b permanent rejected -", "b permanent rejected -"),
    Row("502", [502], "b temporary rejected 30..60", "b temporary rejected 60", "b permanent rejected -"),
    Row("503", [503], "b temporary rejected 30..60", "b temporary rejected 60", "b permanent rejected -"),
    Row("504", [504], "b temporary rejected 30..60", "b temporary rejected 60", "b permanent rejected -"),
    Row("505", [505], "b temporary rejected 30..60", "b permanent rejected -", "b permanent rejected -"),
    Row("600", [600], "b temporary rejected 30..60", "b temporary rejected 60", "b permanent rejected -"),
    Row("603", [603], "b temporary rejected 30..60", "b temporary rejected 60", "b permanent rejected -"),
    Row("silence", [None], "b temporary down 30..60", "b temporary rejected 60", "b temporary rejected -"),
    Row(
        "503 with Retry-After",
        [Answer(503, ("Retry-After: 100",))],
        "b temporary rejected 100..110",
        "b temporary rejected 100",
        "b permanent rejected -",
    ),
    Row(
        "403 with Retry-After",
        [Answer(403, ("Retry-After: 100",))],
        "b permanent rejected 100..110",
        "b permanent rejected 100",
        "b permanent rejected -",
    ),
    *[
        Row(str(code), [code], "b permanent rejected 3600", "b permanent rejected -", "b permanent rejected -")
        for code in (300, 305, 380, 400, 402, 404, 405, 406, 413, 415, 416, 420, 421, 439, 481, 486, 488, 491, 494, 499)
    ],
]

REFRESH = [
    Row("success", [ok(100)], "b success up 55..60", "b success up 90", "b success up 50..68"),
    # While the binding stands there is more to lose than to spare.
    Row("503", [503], "b temporary up 1", "b temporary rejected 60", "b permanent rejected -"),
    Row("400", [400], "b permanent up 3600", "b permanent rejected -", "b permanent rejected -"),
    Row("403", [403], "b permanent up 3600", "b permanent rejected -", "b permanent rejected -"),
    Row("silence", [None], "b temporary up 1", "b temporary rejected 60", "b temporary rejected -"),
    Row("only others", [FOREIGN], "b removed down 1", "b success up 3590", "b success up 300..568"),
]


def cases(rows: list[Row]) -> list[object]:
    return [
        pytest.param(profile, row.script, expected, id=f"{row.name}-{profile.name}")
        for row in rows
        for profile, expected in ((SIPCORE, row.sipcore), (ASTERISK, row.asterisk), (JSSIP, row.jssip))
    ]


@pytest.mark.requirement("RFC3261-21.4.9-01", "RFC3261-8.1.3.1-01", "RFC3261-21.4.19-01")
@pytest.mark.parametrize(("profile", "script", "expected"), cases(FIRST))
def test_first_attempt(profile: Profile, script: list[Step], expected: str) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0), script=script)
    line.agent.register("alice", now=0.0)
    check(line, expected)


@pytest.mark.requirement("RFC3261-10.2.4-03", "RFC3261-10.2.4-09")
@pytest.mark.parametrize(("profile", "script", "expected"), cases(REFRESH))
def test_refresh(profile: Profile, script: list[Step], expected: str) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[ok(100)])
    line.register(until=1.0)
    line.sent()
    line.told()
    line.peer.answer(*script)
    check(line, expected)


@pytest.mark.requirement("RFC3261-21.4.19-01")
def test_an_unknown_device_is_a_matter_of_configuration_and_says_so() -> None:
    """Q-30: 404 to a REGISTER with good credentials."""
    line = Line(account(), script=[challenge(), Answer(404, reason="Unknown Device")])
    line.register()
    cause = line.status().cause
    assert cause is not None
    assert (cause.code, cause.reason) == (404, "Unknown Device")
    assert "does not know" in cause.detail


# --- next target -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3263-4.3-01", "RFC3261-21.5.4-02", "RFC3261-17.1.4-01")
@pytest.mark.parametrize("profile", [SIPCORE, ASTERISK, JSSIP], ids=lambda profile: profile.name)
@pytest.mark.parametrize("failure", [408, 503, None, "unreachable"])
def test_the_next_address_is_asked_in_the_same_attempt(profile: Profile, failure: int | str | None) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[failure if failure is None else 503])
    line.world.name("example.com", REGISTRAR[0], SECOND[0])
    second = line.serve(SECOND, ok(3600))
    if isinstance(failure, int):
        line.peer.answer(failure)
    if failure == "unreachable":
        line.world.unreachable[REGISTRAR[0]] = "no route to host"
    line.register(until=40.0)
    first_asked, then_asked = line.peer.requests, second.requests
    assert len(then_asked) == 1
    if failure != "unreachable":
        assert len(first_asked) == 1
        assert then_asked[0].via.branch != first_asked[0].via.branch
        assert then_asked[0].cseq.number == first_asked[0].cseq.number + 1
    assert line.told(Rejected) == []
    assert line.status().state is State.REGISTERED
    assert line.status().server == "192.0.2.2:5060"


@pytest.mark.requirement("RFC3263-4.3-02")
@pytest.mark.parametrize("profile", [SIPCORE, ASTERISK, JSSIP], ids=lambda profile: profile.name)
@pytest.mark.parametrize("code", [400, 403, 500, 502, 504, 603])
def test_other_answers_do_not_lead_to_the_next_address(profile: Profile, code: int) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[code])
    line.world.name("example.com", REGISTRAR[0], SECOND[0])
    second = line.serve(SECOND, ok(3600))
    line.register(until=20.0)
    assert len(line.peer.requests) == 1
    assert second.requests == []


@pytest.mark.parametrize("profile", [SIPCORE, ASTERISK, JSSIP], ids=lambda profile: profile.name)
def test_when_all_addresses_failed_the_attempt_is_over(profile: Profile) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[503])
    line.world.name("example.com", REGISTRAR[0], SECOND[0])
    second = line.serve(SECOND, 503)
    line.register(until=20.0)
    assert [len(line.peer.requests), len(second.requests)] == [1, 1]
    [rejected] = line.told(Rejected)
    assert rejected.cause.server == "192.0.2.2:5060"


# --- reading a row ---------------------------------------------------------------------------------------------------

STATES = {"up": State.REGISTERED, "down": State.UNREGISTERED, "rejected": State.REJECTED}
CLASSES = {str(kind).partition(" ")[0]: kind for kind in OutcomeClass}


def check(line: Line, expected: str) -> None:
    requests, kind, state, wait = expected.split()
    [event] = first_outcome(line)
    ended = line.now
    sent = [item.request for item in line.peer.received if not item.copy]
    seen = "".join("c" if has_credentials(request) else "b" for request in sent[-len(requests) :])
    assert seen == requests
    assert len(line.peer.requests) - len(requests) in (0, 1)
    status = line.status()
    if isinstance(event, Rejected):
        assert event.kind is CLASSES[kind]
        assert event.cause == status.cause
        assert event.retry_at == status.next_attempt_at
        assert status.cause is not None
        assert status.cause.server == "192.0.2.1:5060"
    else:
        assert kind == "success"
        assert event.refresh_at == status.next_attempt_at
    assert status.state is STATES[state]
    if wait == "-":
        assert status.next_attempt_at is None
        assert status.phase is Phase.IDLE
    else:
        assert status.next_attempt_at is not None
        assert status.phase is Phase.WAITING
        low, _, high = wait.partition("..")
        assert float(low) <= status.next_attempt_at - ended <= float(high or low)


def first_outcome(line: Line) -> list[Registered | Rejected]:
    """The event that ends the attempt, at the moment when it comes."""
    for _ in range(1000):
        found = [event for event in line.told() if isinstance(event, Registered | Rejected)]
        if found:
            return found
        when = line.world.next_event()
        assert when is not None
        line.run(when)
    raise AssertionError("no outcome")

