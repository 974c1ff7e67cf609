"""The recordings of a live Asterisk, replayed: same requests, order, delays and final status.

Every recording is replayed. Where ours differs on purpose, the case names the deviation of docs/profiles.md, and what
we do instead is asserted.
"""

from __future__ import annotations

import re
from hashlib import md5, sha256
from itertools import pairwise

import pytest

from tests.registration.asterisk_traces import CASES, Case, Outcome, Replayed, Request, load, replay

TOLERANCE = 0.06
"""Seconds: what a busy machine added to the recorded times. Ours are exact."""

UNUSABLE_CHALLENGE = "an unusable challenge is a rejection with cause, not a dropped message"
QUEUED_REMOVAL = "unregister in flight is queued, not lost"
RELOAD = "reload keeps Call-ID and sends nothing for options that do not change the binding"

DEVIATIONS = {
    "auth_basic_challenge": UNUSABLE_CHALLENGE,
    "do_unregister_in_flight": QUEUED_REMOVAL,
    "do_reload_new_retry_only": RELOAD,
    "do_reload_stopped_edited": RELOAD,
}


def test_every_recording_is_replayed_and_every_deviation_has_one() -> None:
    assert len(CASES) == 40
    assert set(DEVIATIONS) <= set(CASES)


@pytest.mark.requirement("RFC3261-17.1.2.2-02", "RFC3261-10.2-06", "RFC3261-8.1.3.5-01")
@pytest.mark.parametrize("name", [name for name in CASES if name not in DEVIATIONS])
def test_as_asterisk(name: str) -> None:
    case = load(name)
    ours = replay(case)
    compare_requests(ours.requests, case.requests)
    compare_outcomes(ours.outcomes, case.outcomes)
    assert ours.last_status == case.last_status


@pytest.mark.requirement("RFC3261-22.1-01", "RFC3261-22.2-03", "RFC8760-2.4-04")
def test_an_unusable_challenge_is_rejected_where_asterisk_sees_nothing() -> None:
    """Asterisk drops a 401 whose Basic challenge it cannot parse, and sends copies until timer F."""
    case, ours = played("auth_basic_challenge", UNUSABLE_CHALLENGE)
    compare_requests(ours.requests, case.requests[:1])
    assert case.requests[-1].copy
    assert case.outcomes == []
    assert ours.outcomes == [Outcome(0.0, "Rejected")]
    assert "Basic" in ours.causes[0]
    assert ours.last_status == "Rejected"


@pytest.mark.requirement("RFC3261-10.2-08", "RFC3261-10.2.2-01")
def test_unregister_in_flight_is_done_when_the_answer_is_there() -> None:
    """Asterisk forgets it, and stays registered."""
    case, ours = played("do_unregister_in_flight", QUEUED_REMOVAL)
    compare_requests(ours.requests[:-1], case.requests)
    removal = ours.requests[-1]
    assert removal.field("Expires") == "0"
    assert removal.cseq == ours.requests[0].cseq + 1
    assert removal.at == pytest.approx(4.0)
    assert case.last_status == "Registered"
    assert ours.last_status == "Unregistered"


@pytest.mark.requirement("RFC3261-10.2-05")
def test_reload_of_an_option_that_changes_no_binding_sends_nothing() -> None:
    """Asterisk removes the binding and makes a new one with another Call-ID."""
    case, ours = played("do_reload_new_retry_only", RELOAD)
    assert len(case.requests) == 3
    compare_requests(ours.requests, case.requests[:1])
    assert ours.last_status == case.last_status == "Registered"
    assert ours.line.agent.account("case").max_retries == 8


@pytest.mark.requirement("RFC3261-10.2-05", "RFC3261-10.2-06")
def test_reload_of_a_rejected_registration_tries_again_with_its_call_id() -> None:
    """Asterisk tries again, too, at the same time, but as somebody new."""
    case, ours = played("do_reload_stopped_edited", RELOAD)
    compare_texts(ours.requests, case.requests)
    assert len({request.field("Call-ID") for request in case.requests}) == 2
    assert len({request.field("Call-ID") for request in ours.requests}) == 1
    assert ours.requests[1].cseq == ours.requests[0].cseq + 1
    assert ours.last_status == case.last_status == "Registered"


# --- comparing -------------------------------------------------------------------------------------------------------


def played(name: str, deviation: str) -> tuple[Case, Replayed]:
    assert DEVIATIONS[name] == deviation
    case = load(name)
    return case, replay(case)


def compare_requests(ours: list[Request], theirs: list[Request]) -> None:
    compare_texts(ours, theirs)
    for field in ("cseq", "tag", "branch"):
        assert relations(ours, field) == relations(theirs, field), field
    assert [request.field("Call-ID") == ours[0].field("Call-ID") for request in ours] == [
        request.field("Call-ID") == theirs[0].field("Call-ID") for request in theirs
    ]


def compare_texts(ours: list[Request], theirs: list[Request]) -> None:
    """The same lines in the same order, at the same times."""
    assert [(request.to, request.copy) for request in ours] == [(request.to, request.copy) for request in theirs]
    for own, recorded in zip(ours, theirs, strict=True):
        assert own.lines == recorded.lines
        assert own.at == pytest.approx(recorded.at, abs=TOLERANCE)
        check_credentials(own)
        # The same check of what they sent shows that it checks something.
        check_credentials(recorded)


def compare_outcomes(ours: list[Outcome], theirs: list[Outcome]) -> None:
    assert [outcome.status for outcome in ours] == [outcome.status for outcome in theirs]
    for own, recorded in zip(ours, theirs, strict=True):
        assert own.at == pytest.approx(recorded.at, abs=TOLERANCE)


def relations(requests: list[Request], field: str) -> list[object]:
    """How each request's value follows from the one before: by how much CSeq grows, whether the others are new."""
    values = [getattr(request, field) for request in requests]
    if field == "cseq":
        return [after - before for before, after in pairwise(values)]
    return [after == before for before, after in pairwise(values)]


def check_credentials(request: Request) -> None:
    value = request.field("Authorization")
    if not value:
        return
    parameters = dict(re.findall(r'(\w+)="?([^",]*)"?', value.removeprefix("Digest ")))
    assert parameters["nc"] == "00000001"
    function = {"MD5": md5, "SHA-256": sha256}[parameters["algorithm"]]

    def digest(text: str) -> str:
        return function(text.encode()).hexdigest()

    secret = digest(f"alice:{parameters['realm']}:secret")
    middle = ":".join(parameters[key] for key in ("nonce", "nc", "cnonce", "qop"))
    assert parameters["response"] == digest(f"{secret}:{middle}:{digest('REGISTER:' + parameters['uri'])}")
