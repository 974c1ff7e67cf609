"""Challenges over the life of a registration: what is answered, what is learned, and what a late 401 means."""

from __future__ import annotations

import re
from hashlib import md5
from typing import Any

import pytest

from sipcore.auth.hashing import Algorithm
from sipcore.config import Credential
from sipcore.events import Registered, Rejected, Unregistered
from sipcore.profiles import ASTERISK, SIPCORE, Profile
from sipcore.registrar import RegistrarPolicy
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Pair, Step, challenge, ok
from sipcore.values import OutcomeClass, Secret, State
from tests.accounts import account, has_credentials
from tests.secrecy import PASSWORD

FRITZ = challenge(algorithm=None, qop=None)
"""What a FRITZ!Box asks: neither algorithm nor qop."""


def fields(request: Request, name: str = "authorization") -> dict[str, str]:
    """The parameters of a request's credentials, unquoted; empty when there are none."""
    text = (request.get(name) or "").removeprefix("Digest ")
    return {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^",]*))', text)}


def shape(line: Line) -> str:
    """One letter for each REGISTER so far: b bare, c with credentials."""
    return "".join("c" if has_credentials(request) else "b" for request in line.peer.requests)


def registered_line(*after: Step, **options: Any) -> Line:
    """Registered with digest at 0 for 100 s, the next refresh between 50 and 60 s; then the script `after`."""
    line = Line(account(**options), script=[challenge(nonce="n1"), ok(100)])
    line.register()
    assert line.status().registered
    line.told()
    line.peer.answer(*after)
    return line


# --- answering ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-22.2-02", "RFC3261-22.2-01", "RFC3261-22.4-01")
@pytest.mark.parametrize(("status", "header"), [(401, "authorization"), (407, "proxy-authorization")])
def test_a_challenge_is_answered_at_once(status: int, header: str) -> None:
    line = Line(account(), script=[challenge(status), ok(100)])
    line.register()
    first, second = line.peer.requests
    assert second.cseq.number == first.cseq.number + 1
    assert second.call_id == first.call_id
    assert second.from_.tag == first.from_.tag
    assert second.via.branch != first.via.branch
    assert second.get("to") == first.get("to")
    given = fields(second, header)
    assert given["uri"] == second.uri == "sip:example.com"
    assert given["nc"] == "00000001"
    assert line.now == 0.0


@pytest.mark.requirement("RFC3261-22.3-01", "RFC3261-22.3-02", "RFC3261-7.3.1-08")
def test_a_proxy_and_a_registrar_ask_in_one_attempt() -> None:
    line = Line(account(), script=[challenge(407, realm="proxy"), challenge(401), ok(100)])
    line.register()
    last = line.peer.requests[2]
    assert fields(last, "proxy-authorization")["realm"] == "proxy"
    assert fields(last, "authorization")["realm"] == "example.com"
    assert line.status().registered


@pytest.mark.requirement("RFC3261-22.3-02", "RFC3261-7.3.1-07")
def test_one_response_asks_for_both() -> None:
    both = Answer(401, (*challenge(407, realm="proxy").headers, *challenge(401).headers))
    line = Line(account(), script=[both, ok(100)])
    line.register()
    assert fields(line.peer.requests[1], "proxy-authorization")
    assert fields(line.peer.requests[1], "authorization")


@pytest.mark.requirement("RFC8760-2.4-01", "RFC8760-2.4-02", "RFC7616-3.3-04")
@pytest.mark.parametrize(("profile", "algorithm"), [(SIPCORE, "SHA-256"), (ASTERISK, "MD5")])
def test_of_several_challenges_one_is_answered_and_unknown_ones_are_passed_over(
    profile: Profile, algorithm: str
) -> None:
    """Q-12: the strongest under SIPCORE, the server's first under ASTERISK."""
    asked = (
        *challenge(algorithm="SHA-1024").headers,
        "WWW-Authenticate: Basic realm=\"{realm}\"",
        *challenge(algorithm="MD5").headers,
        *challenge(algorithm="SHA-256").headers,
    )
    line = Line(account(profile=profile), script=[Answer(401, asked), ok(100)])
    line.register(until=12.0)
    second = line.peer.requests[1]
    assert len(second.get_all("authorization")) == 1
    assert fields(second)["algorithm"] == algorithm


@pytest.mark.requirement("RFC3261-22.4-03", "RFC2617-3.2.2-01", "RFC7616-3.3-03")
def test_md5_without_qop_is_answered_as_rfc_2069_says() -> None:
    """Q-13."""
    line = Line(account(), script=[FRITZ, ok(100)])
    line.register()
    given = fields(line.peer.requests[1])
    assert not {"qop", "nc", "cnonce"} & set(given)

    def digest(text: str) -> str:
        return md5(text.encode()).hexdigest()

    secret, what = digest(f"alice:example.com:{PASSWORD}"), digest("REGISTER:sip:example.com")
    assert given["response"] == digest(f"{secret}:{given['nonce']}:{what}")


@pytest.mark.requirement("RFC3261-22.2-03", "RFC8760-2.4-04")
def test_without_a_fitting_credential_the_cause_names_realm_and_algorithm() -> None:
    other = Credential(username="alice", password=Secret(PASSWORD), realm="elsewhere")
    line = Line(account(credentials=(other,)), script=[challenge()])
    line.register()
    [rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.CREDENTIALS
    assert "example.com/MD5" in rejected.cause.detail
    assert len(line.peer.requests) == 1


def test_md5_can_be_forbidden() -> None:
    strong = Credential(username="alice", password=Secret(PASSWORD), algorithms=(Algorithm.SHA_256,))
    line = Line(account(credentials=(strong,)), script=[challenge()])
    line.register()
    [rejected] = line.told(Rejected)
    assert "MD5" in rejected.cause.detail


@pytest.mark.requirement("RFC3261-22.1-03", "RFC7616-3.3-01", "RFC3261-22.1-05")
def test_a_wrong_password_is_offered_once() -> None:
    """The registrar repeats its nonce without stale: that is a refusal, and says nothing new."""
    line = Line(account(), script=[challenge(nonce="n1")])
    line.register()
    [rejected] = line.told(Rejected)
    assert shape(line) == "bc"
    assert rejected.kind is OutcomeClass.CREDENTIALS
    assert rejected.retry_at == 600.0
    line.run(until=10_000.0)
    times = sorted({item.at for item in line.peer.received})
    assert times == [0.0, 600.0, 1800.0, 4200.0, 9000.0]


# --- from refresh to refresh ----------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC7616-3.6-01", "RFC3261-22.3-03", "RFC7616-3.4-02")
def test_a_refresh_costs_one_round_trip_while_the_nonce_works() -> None:
    line = registered_line(ok(100))
    line.run(until=1000.0)
    requests = line.peer.requests
    assert shape(line) == "bc" + "c" * (len(requests) - 2)
    assert len(requests) > 15
    given = [fields(request) for request in requests[1:]]
    assert [item["nc"] for item in given] == [f"{count:08x}" for count in range(1, len(given) + 1)]
    assert given[9]["nc"] == "0000000a"
    assert {item["nonce"] for item in given} == {"n1"}


def test_asterisk_asks_anew_each_time() -> None:
    line = Line(account(profile=ASTERISK), script=[challenge(), ok(60), challenge(), ok(60), challenge(), ok(60)])
    line.register(until=125.0)
    assert shape(line) == "bcbcbc"
    assert [fields(request)["nc"] for request in line.peer.requests[1::2]] == ["00000001"] * 3


@pytest.mark.requirement("RFC3261-22.1-05", "RFC7616-3.6-02")
@pytest.mark.parametrize("asked", [challenge(nonce="n2"), FRITZ], ids=["qop", "fritz"])
def test_a_refresh_with_an_old_nonce_is_asked_anew_without_stale_and_answered(asked: Answer) -> None:
    """Q-09: FRITZ!Box and others change the nonce and do not say stale."""
    line = registered_line(asked, ok(100))
    line.run(until=70.0)
    assert shape(line) == "bccc"
    assert fields(line.peer.requests[3])["nonce"] != "n1"
    assert line.told(Rejected) == []
    assert line.status().registered


def test_a_registrar_that_takes_no_nonce_twice_is_asked_first_after_two_refusals() -> None:
    """Q-10 and Q-11: a nonce is good for one request, and its second use is refused without stale."""
    line = registered_line(*[step for _ in range(20) for step in (challenge(), ok(100))])
    line.run(until=600.0)
    assert shape(line).startswith("bc" + "cc" + "cc" + "bcbcbcbc")
    assert line.told(Rejected) == []
    assert line.status().registered


@pytest.mark.requirement("RFC7616-3.5-01", "RFC7616-3.5-02")
def test_nextnonce_is_used_for_the_next_refresh() -> None:
    """Q-10."""
    line = Line(account(), script=[challenge(nonce="n1"), ok(100, 'Authentication-Info: nextnonce="n2"'), ok(100)])
    line.register(until=70.0)
    given = fields(line.peer.requests[2])
    assert (given["nonce"], given["nc"]) == ("n2", "00000001")


def test_after_a_403_to_an_old_nonce_the_registrar_is_asked_for_a_new_one() -> None:
    """Some say 403 and not 401 to a nonce that they do not know any more."""
    line = registered_line(Answer(403, ("Retry-After: 5",)), challenge(nonce="n2"), ok(100))
    line.run(until=70.0)
    assert shape(line) == "bccbc"
    assert line.status().registered


def test_a_wrong_rspauth_is_told() -> None:
    info = 'Authentication-Info: rspauth="00000000000000000000000000000000", qop=auth, nc=00000001, cnonce="{c}"'

    def answer(request: Request) -> Answer:
        return ok(100, info.replace("{c}", fields(request)["cnonce"]))

    line = Line(account(), script=[challenge(), answer])
    line.register()
    cause = line.status().cause
    assert cause is not None
    assert "rspauth" in cause.detail


@pytest.mark.requirement("RFC3261-10.2.2-03", "RFC3261-22.2-02")
@pytest.mark.parametrize("status", [401, 407])
def test_a_removal_is_challenged_with_a_fresh_nonce_and_answered(status: int) -> None:
    """Q-33."""
    line = registered_line(challenge(status, nonce="fresh"), 200)
    line.run(until=10.0)
    line.agent.unregister("alice", now=line.now)
    line.run()
    removal, answered = line.peer.requests[2:]
    assert [removal.get("expires"), answered.get("expires")] == ["0", "0"]
    name = "authorization" if status == 401 else "proxy-authorization"
    assert fields(answered, name)["nonce"] == "fresh"
    assert line.status().state is State.UNREGISTERED


def test_what_the_answer_to_a_removal_teaches_is_kept() -> None:
    line = registered_line(Answer(200, ('Authentication-Info: nextnonce="n2"',)), ok(100))
    line.agent.unregister("alice", now=0.0)
    line.run(until=2.0)
    line.agent.register("alice", now=line.now)
    line.run(until=3.0)
    assert shape(line) == "bccc"
    assert fields(line.peer.requests[3])["nonce"] == "n2"


# --- it worked, and then: 401 ---------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-22.1-04")
def test_stale_twice_in_a_refresh_keeps_the_registration() -> None:
    """Cause 1: the nonce was consumed by another node, twice."""
    line = registered_line(challenge(nonce="n2", stale=True), challenge(nonce="n3", stale=True), ok(100))
    line.run(until=70.0)
    assert shape(line) == "bcccc"
    assert line.told(Rejected) == []
    assert line.status().registered


def test_a_repeated_nonce_is_used_with_a_rising_count() -> None:
    """Cause 2: a registrar that counts takes the same nc again for a replay."""
    line = registered_line(challenge(nonce="n1", stale=True), ok(100))
    line.run(until=70.0)
    counts = [fields(request)["nc"] for request in line.peer.requests[1:]]
    assert counts == sorted(set(counts))
    assert line.status().registered


@pytest.mark.requirement("RFC3261-17.1.2.2-08")
def test_a_401_to_a_copy_after_the_200_is_absorbed() -> None:
    """Cause 3: a one-time nonce, and the copy of the datagram is judged after the datagram itself."""
    line = Line(account(), script=[challenge(), ok(100)])
    line.register()
    line.peer.send(line.peer.write(line.peer.requests[1], challenge(nonce="n2")), ("192.0.2.10", 40000))
    line.run(until=4.0)
    assert line.told(Rejected) == []
    assert shape(line) == "bc"
    assert line.status().registered


def test_a_lost_200_and_a_401_to_the_copy_keep_the_registration() -> None:
    """Cause 3: the 200 is lost; the copy of the request is answered with another nonce."""
    line = registered_line()
    line.peer.answer(None)
    deadline = line.status().next_attempt_at
    assert deadline is not None
    line.run(until=deadline + 0.1)
    # The registrar did store it; what it says to the copy is 401.
    copy = line.peer.requests[-1]
    line.peer.answer(ok(100))
    line.peer.send(line.peer.write(copy, challenge(nonce="n9")), ("192.0.2.10", 40000))
    line.run(until=deadline + 1.0)
    assert fields(line.peer.requests[-1])["nonce"] == "n9"
    assert line.told(Rejected) == []
    assert line.status().registered


def test_another_node_that_does_not_know_the_nonce_is_answered() -> None:
    """Cause 4: a balancer without affinity; each node refuses the other's nonce, not stale."""
    line = registered_line(challenge(nonce="node-b"), challenge(nonce="node-a2"), ok(100))
    line.run(until=70.0)
    assert shape(line) == "bcccc"
    assert line.status().registered
    assert line.told(Rejected) == []


@pytest.mark.requirement("RFC7616-3.6-02")
@pytest.mark.parametrize(
    "asked",
    [
        challenge(realm="new realm", nonce="n1"),
        challenge(algorithm="SHA-256", nonce="n1"),
        challenge(qop="auth-int", nonce="n2"),
    ],
    ids=["realm", "algorithm", "qop"],
)
def test_a_changed_challenge_is_answered_as_it_is_now(asked: Answer) -> None:
    """Cause 5: a server upgrade between two refreshes; also when the nonce is the same by accident."""
    line = registered_line(asked, ok(100))
    line.run(until=70.0)
    assert shape(line) == "bccc"
    assert line.status().registered


@pytest.mark.requirement("RFC3261-10.2.4-09", "RFC3261-10.2.4-03")
def test_credentials_that_worked_before_and_are_refused_are_tried_again_soon() -> None:
    """Cause 6: the registrar's database is away, and it says 401 to everybody."""
    line = registered_line(challenge(nonce="n1"))
    due = line.status().next_attempt_at
    assert due is not None
    line.run(until=due)
    [rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.CREDENTIALS
    assert rejected.retry_at == due + 1.0
    assert line.status().registered
    line.peer.answer(ok(100))
    line.run(until=due + 1.0)
    assert line.told(Registered)
    assert line.status().attempt == 0


def test_credentials_that_are_refused_again_and_again_wait_long_but_for_ever_never() -> None:
    """Cause 6: two refusals count as temporary, 1 and 2 s here; from the third on it is 10 minutes, doubling."""
    line = registered_line(challenge(nonce="n1"))
    line.run(until=90.0)
    rejected = line.told(Rejected)
    assert [round((event.retry_at or 0) - (rejected[0].retry_at or 0), 6) for event in rejected] == [0, 2, 602]
    line.run(until=110.0)
    assert line.status().state is State.UNREGISTERED
    line.peer.answer(ok(100))
    line.run(until=800.0)
    assert line.status().registered


def test_a_lock_out_by_403_waits_ten_minutes_and_comes_back() -> None:
    """Cause 7: brute-force protection; shorter retries would keep the lock alive (Q-26)."""
    locked = Answer(403, ('Warning: 399 registrar "too many failures"',), reason="Blocked for a while")
    line = registered_line(locked)
    due = line.status().next_attempt_at
    assert due is not None
    line.run(until=due)
    [rejected] = line.told(Rejected)
    assert rejected.retry_at == due + 600.0
    assert rejected.cause.reason == "Blocked for a while"
    assert rejected.cause.warning == '399 registrar "too many failures"'
    line.peer.answer(ok(100))
    line.run(until=due + 700.0)
    assert line.status().registered


@pytest.mark.parametrize(
    ("answer", "low", "high"),
    [
        (Answer(403, reason="Forbidden"), 600.0, 600.0),
        (Answer(403, ("Retry-After: 1800",)), 1800.0, 1980.0),
        (Answer(403, ("Retry-After: 86400",)), 3600.0, 3960.0),
    ],
)
def test_403_after_credentials_is_never_retried_before_ten_minutes_unless_told(
    answer: Answer, low: float, high: float
) -> None:
    """Q-26."""
    line = Line(account(), script=[challenge(), answer])
    line.register()
    [rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.CREDENTIALS
    assert rejected.retry_at is not None
    assert low <= rejected.retry_at <= high


def test_credentials_that_are_missing_after_a_reload_are_used_at_once_when_they_come_back() -> None:
    """Cause 8: an auth section that was refused or forgotten at a reload."""
    line = registered_line(challenge(nonce="n2"))
    line.agent.reload([account(password=None)], now=1.0)
    line.run(until=90.0)
    [*_, rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.CREDENTIALS
    line.peer.answer(challenge(nonce="n3"), ok(100))
    line.agent.reload([account()], now=line.now)
    line.run(until=line.now + 1.0)
    assert line.told(Registered)
    assert line.status().registered


def test_under_asterisk_the_second_401_is_final_though_it_had_worked() -> None:
    line = Line(account(profile=ASTERISK), script=[challenge(), ok(60), challenge(), challenge(stale=True)])
    line.register(until=200.0)
    assert shape(line) == "bcbc"
    assert line.status().state is State.REJECTED
    assert line.status().next_attempt_at is None


@pytest.mark.parametrize("profile", [SIPCORE, ASTERISK])
@pytest.mark.parametrize("one_time", [False, True])
@pytest.mark.parametrize("lifetime", [40.0, 3600.0])
def test_a_real_registrar_with_short_nonces_never_loses_us(
    profile: Profile, one_time: bool, lifetime: float
) -> None:
    policy = RegistrarPolicy(
        domains=("example.com",),
        nonce_lifetime=lifetime,
        one_time_nonces=one_time,
        max_expires=120,
        default_expires=120,
    )
    pair = Pair(account(profile=profile), users={"alice": PASSWORD}, policy=policy)
    pair.register(until=4000.0)
    events = [item.output for item in pair.client.outputs if isinstance(item.output, Rejected | Unregistered)]
    assert events == []
    assert pair.status().registered
    assert len(pair.registrar.bindings("sip:alice@example.com")) == 1

