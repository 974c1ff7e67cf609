"""The hooks by which requests, answers and challenges are counted: what they are told, and when."""

from __future__ import annotations

import pytest

from sipcore.auth.client import AuthVerdict, Verdict
from sipcore.exchange import Failure, Outcome, Reply
from sipcore.registration.kinds import ChallengeKind, RequestKind, challenge_kind, request_kind
from sipcore.testing import Line, Step, challenge, ok
from sipcore.values import OutcomeClass
from tests.accounts import account


@pytest.mark.parametrize(
    ("removal", "answering", "standing", "kind"),
    [
        (False, False, False, RequestKind.INITIAL),
        (False, False, True, RequestKind.REFRESH),
        (False, True, False, RequestKind.AUTH),
        (False, True, True, RequestKind.AUTH),
        (True, False, True, RequestKind.REMOVE),
        (True, True, True, RequestKind.REMOVE),
    ],
)
def test_kinds_of_requests(removal: bool, answering: bool, standing: bool, kind: RequestKind) -> None:
    assert request_kind(removal=removal, answering=answering, standing=standing) is kind


@pytest.mark.parametrize(
    ("verdict", "sent", "kind"),
    [
        (AuthVerdict(Verdict.NEW), False, ChallengeKind.INITIAL),
        (AuthVerdict(Verdict.UNUSABLE), False, ChallengeKind.INITIAL),
        (AuthVerdict(Verdict.NEW, stale=True), True, ChallengeKind.STALE),
        (AuthVerdict(Verdict.NEW), True, ChallengeKind.NONCE_CHANGED),
        (AuthVerdict(Verdict.EXHAUSTED), True, ChallengeKind.REJECTED),
        (AuthVerdict(Verdict.NONE), True, ChallengeKind.REJECTED),
    ],
)
def test_kinds_of_challenges(verdict: AuthVerdict, sent: bool, kind: ChallengeKind) -> None:
    assert challenge_kind(verdict, credentials_sent=sent) is kind


@pytest.fixture
def told() -> list[tuple[object, ...]]:
    return []


def watched(monkeypatch: pytest.MonkeyPatch, told: list[tuple[object, ...]], *script: Step) -> Line:
    line = Line(account(), script=script)

    def answered(name: str, reply: Reply, outcome: Outcome, seconds: float) -> None:
        code = reply.failure if reply.response is None else reply.response.status
        told.append((name, code, outcome.kind, round(seconds, 3)))

    monkeypatch.setattr(line.agent, "on_register_sent", lambda name, kind: told.append((name, kind)))
    monkeypatch.setattr(line.agent, "on_challenge", lambda name, kind: told.append((name, kind)))
    monkeypatch.setattr(line.agent, "on_register_answered", answered)
    return line


def test_a_life(monkeypatch: pytest.MonkeyPatch, told: list[tuple[object, ...]]) -> None:
    """Each request is told once and before its answer, each challenge between the two."""
    line = watched(monkeypatch, told, challenge(nonce="n1"), ok(100), ok(100), ok(None))
    line.register()
    line.run(60.0)
    line.agent.unregister("alice", now=line.now)
    line.run()
    kinds = [item[1] for item in told if isinstance(item[1], RequestKind)]
    assert kinds == [RequestKind.INITIAL, RequestKind.AUTH, RequestKind.REFRESH, RequestKind.REMOVE]
    assert told[:3] == [
        ("alice", RequestKind.INITIAL),
        ("alice", ChallengeKind.INITIAL),
        ("alice", 401, OutcomeClass.CHALLENGE, told[2][3]),
    ]
    assert [item[1] for item in told if len(item) == 4] == [401, 200, 200, 200]
    assert len(kinds) == len(line.peer.requests)


def test_silence(monkeypatch: pytest.MonkeyPatch, told: list[tuple[object, ...]]) -> None:
    """Copies are not told, and the time runs from the request and not from its last copy."""
    line = watched(monkeypatch, told)
    line.register()
    line.run(32.1)
    assert len(line.sent()) > 1
    assert told == [
        ("alice", RequestKind.INITIAL),
        ("alice", Failure.TIMEOUT, OutcomeClass.TEMPORARY, 32.0),
    ]
