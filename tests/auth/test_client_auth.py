"""What a registration learns from challenges: what is new, what is refused, what is sent unasked."""

from __future__ import annotations

from random import Random

import pytest

from sipcore.auth import (
    ASTERISK_POLICY,
    SIPCORE_POLICY,
    AuthPolicy,
    AuthVerdict,
    Challenge,
    ClientAuth,
    Credential,
    InfoResult,
    Verdict,
    parse_challenges,
)
from sipcore.auth.client import MAX_SESSIONS, REUSE_FAILURES
from sipcore.auth.computation import a2_hash, response
from sipcore.auth.digest import MAX_NC, DigestSession
from sipcore.auth.fields import parse_schemes
from sipcore.values import Secret

URI = "sip:example.test"
ALICE = Credential(username="alice", password=Secret("secret"))
USERS = (ALICE,)

Sent = list[tuple[str, dict[str, str]]]


class Client:
    """A registration's side, its headers taken apart."""

    def __init__(self) -> None:
        self.auth = ClientAuth()
        self.random = Random(1)
        self.users: tuple[Credential, ...] = USERS

    def first(self, policy: AuthPolicy = SIPCORE_POLICY) -> Sent:
        return self._read(self.auth.preemptive("REGISTER", URI, b"", self.random, policy))

    def again(self) -> Sent:
        return self._read(self.auth.credentials("REGISTER", URI, b"", self.random))

    def challenged(self, www: str | list[str] = "", proxy: str | list[str] = "") -> AuthVerdict:
        return self.auth.answer(self._parse(www, False), self._parse(proxy, True), self.users)

    def accepted(self, info: str | None = None) -> InfoResult:
        return self.auth.succeeded(info, uri=URI)

    def registers(self, nonce: str = "n1") -> None:
        assert self.first() == []
        assert self.challenged(digest(nonce)).new
        assert len(self.again()) == 1
        self.accepted()

    @staticmethod
    def _parse(values: str | list[str], proxy: bool) -> tuple[Challenge, ...]:
        listed = [values] if isinstance(values, str) else values
        return parse_challenges([value for value in listed if value], proxy=proxy)

    @staticmethod
    def _read(headers: list[tuple[str, str]]) -> Sent:
        return [(name, parse_schemes(value)[0][1]) for name, value in headers]


@pytest.fixture
def client() -> Client:
    return Client()


def digest(nonce: str, *, realm: str = "r", stale: bool = False, qop: bool = True, algorithm: str = "MD5") -> str:
    tail = (', qop="auth"' if qop else "") + (", stale=true" if stale else "")
    return f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}{tail}'


def counts(sent: Sent) -> list[tuple[str, str]]:
    return [(fields["nonce"], fields["nc"]) for _, fields in sent]


@pytest.mark.requirement("RFC7616-3.6-01", "RFC3261-22.3-03")
def test_a_refresh_carries_credentials_with_the_next_nc(client: Client) -> None:
    client.registers()
    for nc in ("00000002", "00000003", "00000004"):
        assert counts(client.first()) == [("n1", nc)]
        client.accepted()


def test_nothing_is_sent_unasked_before_it_has_worked(client: Client) -> None:
    client.challenged(digest("n1"))
    client.again()
    assert client.first() == []


@pytest.mark.requirement("RFC3261-22.2-02")
@pytest.mark.parametrize(
    ("www", "proxy", "name"), [(digest("n"), "", "Authorization"), ("", digest("n"), "Proxy-Authorization")]
)
def test_each_kind_of_challenge_has_its_header(client: Client, www: str, proxy: str, name: str) -> None:
    assert client.challenged(www, proxy) == AuthVerdict(Verdict.NEW)
    assert [sent for sent, _ in client.again()] == [name]


@pytest.mark.requirement("RFC3261-22.3-01")
@pytest.mark.parametrize("proxy_realm", ["r", "p"])
def test_a_401_after_a_407_is_answered_with_both(client: Client, proxy_realm: str) -> None:
    assert client.challenged("", digest("p1", realm=proxy_realm)).new
    assert counts(client.again()) == [("p1", "00000001")]
    assert client.challenged(digest("r1")).new
    assert counts(client.again()) == [("p1", "00000002"), ("r1", "00000001")]
    client.accepted()
    assert [name for name, _ in client.first()] == ["Proxy-Authorization", "Authorization"]


@pytest.mark.requirement("RFC3261-22.3-02")
def test_both_kinds_in_one_response_are_answered(client: Client) -> None:
    assert client.challenged(digest("r1"), digest("p1", realm="p")).new
    assert [name for name, _ in client.again()] == ["Authorization", "Proxy-Authorization"]


def test_the_same_nonce_without_stale_refuses_the_password(client: Client) -> None:
    client.challenged(digest("n1"))
    client.again()
    verdict = client.challenged(digest("n1"))
    assert verdict.kind is Verdict.EXHAUSTED
    assert verdict.reason == "the credentials for r were refused"
    assert not verdict.new


@pytest.mark.requirement("RFC3261-22.1-04")
@pytest.mark.parametrize("nonce", ["n1", "n2"])
def test_stale_is_answered_again(client: Client, nonce: str) -> None:
    client.challenged(digest("n1"))
    client.again()
    assert client.challenged(digest(nonce, stale=True)) == AuthVerdict(Verdict.NEW, stale=True)
    assert counts(client.again()) == [(nonce, "00000002" if nonce == "n1" else "00000001")]


@pytest.mark.requirement("RFC3261-22.1-05")
def test_a_refused_old_nonce_without_stale_is_answered_with_the_new_one(client: Client) -> None:
    client.registers()
    assert counts(client.first()) == [("n1", "00000002")]
    assert client.challenged(digest("n2")) == AuthVerdict(Verdict.NEW)
    assert counts(client.again()) == [("n2", "00000001")]
    client.accepted()
    assert counts(client.first()) == [("n2", "00000002")]


@pytest.mark.requirement("RFC3261-22.1-03")
def test_a_refused_fresh_nonce_is_new_but_doubted_and_never_sent_unasked(client: Client) -> None:
    client.registers()
    client.first()
    client.challenged(digest("n2"))
    client.again()
    assert client.challenged(digest("n3")) == AuthVerdict(Verdict.NEW, doubted=True)
    assert client.first() == []


def test_a_refused_password_is_not_sent_unasked_again_and_nc_goes_on(client: Client) -> None:
    client.registers()
    client.first()
    assert client.challenged(digest("n1")).kind is Verdict.EXHAUSTED
    assert client.first() == []
    assert client.challenged(digest("n1")).new, "this request carried no credentials"
    assert counts(client.again()) == [("n1", "00000003")]


def test_nonces_that_hold_once_are_learned_and_unasked_use_ends(client: Client) -> None:
    client.registers("n0")
    for number in range(1, REUSE_FAILURES + 1):
        assert not client.auth.reuse_fails
        assert len(client.first()) == 1
        assert client.challenged(digest(f"n{number}")).new
        client.again()
        client.accepted()
    assert client.auth.reuse_fails
    assert client.first() == []
    # It stays so, and each challenge is answered, also when the server repeats its nonce.
    assert client.challenged(digest(f"n{REUSE_FAILURES}")).new
    assert counts(client.again()) == [(f"n{REUSE_FAILURES}", "00000002")]
    client.auth.forget()
    # All of it is forgotten: it takes as many refusals as the first time.
    client.registers("m0")
    for number in range(1, REUSE_FAILURES + 1):
        assert not client.auth.reuse_fails
        client.first()
        client.challenged(digest(f"m{number}"))
        client.again()
        client.accepted()
    assert client.auth.reuse_fails


def test_one_success_of_a_reused_nonce_forgives_the_failures_before(client: Client) -> None:
    client.registers("n0")
    for number in range(1, 5):
        client.first()
        client.challenged(digest(f"n{number}"))
        client.again()
        client.accepted()
        assert counts(client.first()) == [(f"n{number}", "00000002")]
        client.accepted()
    assert not client.auth.reuse_fails


def test_stale_teaches_nothing_against_reuse(client: Client) -> None:
    client.registers("n0")
    for number in range(1, 2 * REUSE_FAILURES + 1):
        assert len(client.first()) == 1
        assert client.challenged(digest(f"n{number}", stale=True)).stale
        client.again()
        client.accepted()
    assert not client.auth.reuse_fails


def test_a_refused_nextnonce_counts_as_reuse_and_not_as_a_wrong_password(client: Client) -> None:
    client.challenged(digest("n0"))
    client.again()
    client.accepted('nextnonce="x0"')
    assert counts(client.first()) == [("x0", "00000001")]
    assert client.challenged(digest("n1")) == AuthVerdict(Verdict.NEW)


@pytest.mark.requirement("RFC7616-3.5-01")
def test_one_time_nonces_with_nextnonce_cost_one_round_trip_for_ever(client: Client) -> None:
    client.challenged(digest("n0"))
    client.again()
    for number in range(6):
        client.accepted(f'nextnonce="x{number}"')
        assert counts(client.first()) == [(f"x{number}", "00000001")]


@pytest.mark.requirement("RFC7615-4-01")
def test_each_info_header_is_for_its_kind_of_session(client: Client) -> None:
    client.challenged(digest("r1"), digest("p1", realm="p"))
    client.again()
    assert client.auth.succeeded('nextnonce="r2"', 'nextnonce="p2"', uri=URI) is InfoResult.ABSENT
    assert counts(client.first()) == [("r2", "00000001"), ("p2", "00000001")]
    assert client.auth.succeeded('rspauth="0"', None, uri=URI) is InfoResult.WRONG
    assert client.auth.succeeded('nextnonce="r3"', 'rspauth="0"', uri=URI) is InfoResult.WRONG


@pytest.mark.requirement("RFC7616-3.5-03")
def test_an_rspauth_for_another_cnonce_is_wrong(client: Client) -> None:
    client.challenged(digest("n1"))
    client.again()
    assert client.accepted('rspauth="0", cnonce="other", nc=00000001') is InfoResult.WRONG


def test_a_2xx_to_a_request_without_credentials_proves_nothing(client: Client) -> None:
    client.challenged(digest("n1"))
    client.accepted('nextnonce="x"')
    assert client.first() == []
    assert counts(client.again()) == [("n1", "00000001")]


def test_after_a_403_nothing_is_sent_unasked_until_it_works_again(client: Client) -> None:
    client.registers()
    assert len(client.first()) == 1
    client.auth.refused()
    assert [session.proven for session in client.auth.sessions] == [False]
    assert client.first() == []
    assert client.challenged(digest("n2")).new
    client.again()
    client.accepted()
    assert counts(client.first()) == [("n2", "00000002")]


def test_a_403_to_a_request_without_credentials_says_nothing_about_them(client: Client) -> None:
    client.registers()
    client.auth.sessions[0].sent = False
    client.auth.refused()
    assert len(client.first()) == 1


def test_asterisk_answers_each_challenge_as_if_it_were_the_first(client: Client) -> None:
    for _ in range(3):
        assert client.first(ASTERISK_POLICY) == []
        assert client.challenged(digest("fixed")).new
        assert counts(client.again()) == [("fixed", "00000001")]
        client.accepted()


def test_a_registrar_that_changes_its_realm_is_not_sent_the_old_one(client: Client) -> None:
    client.challenged(digest("r1"), digest("p1", realm="p"))
    client.again()
    client.accepted()
    client.first()
    assert client.challenged(digest("s1", realm="s")).new
    assert [(name, fields["realm"]) for name, fields in client.again()] == [
        ("Proxy-Authorization", "p"),
        ("Authorization", "s"),
    ]


def test_the_number_of_realms_is_bounded(client: Client) -> None:
    for number in range(MAX_SESSIONS + 3):
        assert client.challenged("", digest("n", realm=f"p{number}")).new
        assert len(client.again()) <= MAX_SESSIONS
    assert [session.challenge.realm for session in client.auth.sessions] == ["p3", "p4", "p5", "p6"]


def test_the_number_of_realms_of_one_response_is_bounded(client: Client) -> None:
    assert client.challenged("", [digest("n", realm=f"p{number}") for number in range(MAX_SESSIONS + 2)]).new
    assert [fields["realm"] for _, fields in client.again()] == ["p2", "p3", "p4", "p5"]


def test_a_changed_password_or_algorithm_is_new_even_for_the_same_nonce(client: Client) -> None:
    client.challenged(digest("n1"))
    client.again()
    client.users = (Credential(username="alice", password=Secret("changed")),)
    assert client.challenged(digest("n1")) == AuthVerdict(Verdict.NEW)
    client.again()
    assert client.challenged(digest("n1")).kind is Verdict.EXHAUSTED
    assert client.challenged(digest("n1", algorithm="SHA-256")).new
    ((_, fields),) = client.again()
    assert len(fields["response"]) == 64


def test_a_worn_out_nonce_is_not_used_and_repeating_it_is_nothing_new(client: Client) -> None:
    client.registers()
    client.auth.sessions[0].nc = MAX_NC
    assert client.first() == []
    assert client.again() == []
    assert client.challenged(digest("n1", stale=True)).kind is Verdict.EXHAUSTED
    assert client.challenged(digest("n2")).new


@pytest.mark.requirement("RFC3261-22.1-01", "RFC8760-2.4-04", "RFC3261-22.2-03")
def test_what_cannot_be_answered_is_named(client: Client) -> None:
    client.users = (Credential(username="alice", password=Secret("x"), realm="mine"),)
    verdict = client.challenged(['Basic realm="mine"', digest("n1", realm="theirs")])
    assert verdict.kind is Verdict.UNUSABLE
    assert verdict.reason == ("scheme Basic is not supported; theirs/MD5: no credential for this realm and algorithm")
    assert client.again() == []


def test_a_401_without_a_readable_challenge_says_so(client: Client) -> None:
    unreadable = AuthVerdict(Verdict.NONE, "the response brought no challenge that can be read")
    assert client.challenged() == client.challenged("Digest nonsense") == unreadable


def test_the_reason_tells_what_was_left_unanswered(client: Client) -> None:
    verdict = client.challenged([digest("n1"), digest("n2", realm="s", algorithm="FOO")])
    assert verdict == AuthVerdict(Verdict.NEW, "s/FOO: the algorithm is not known")


def test_forgetting_starts_from_nothing(client: Client) -> None:
    client.registers()
    client.auth.forget()
    assert client.first() == []
    assert client.auth.sessions == ()


def test_the_rfc_2069_form_counts_inside_so_that_reuse_is_learned(client: Client) -> None:
    client.challenged(digest("n1", qop=False))
    ((_, fields),) = client.again()
    assert "nc" not in fields
    client.accepted()
    assert len(client.first()) == 1
    assert client.challenged(digest("n2", qop=False)) == AuthVerdict(Verdict.NEW)


def test_the_info_of_a_proxy_proves_nothing_for_the_registrar(client: Client) -> None:
    """Wrong is wrong, whatever the other header says, and of several proxies the header is the last one's."""
    client.challenged(digest("n1"), [digest("p1", realm="p"), digest("q1", realm="q")])
    client.again()
    right = [_rspauth(session) for session in client.auth.sessions]
    assert client.auth.succeeded('rspauth="00"', right[2], uri=URI) is InfoResult.WRONG
    assert client.auth.succeeded(right[0], right[2], uri=URI) is InfoResult.OK
    assert client.auth.succeeded(right[0], "qop=auth", uri=URI) is InfoResult.OK
    assert client.auth.succeeded("qop=auth", right[2], uri=URI) is InfoResult.OK
    assert client.auth.succeeded(right[0], right[1], uri=URI) is InfoResult.WRONG


def _rspauth(session: DigestSession) -> str:
    assert session.qop == "auth"
    ha1 = ALICE.ha1_for(session.algorithm, session.challenge.realm)
    a2 = a2_hash(session.algorithm, "", URI, "auth", b"")
    text = response(session.algorithm, ha1, session.nonce, f"{session.nc:08x}", session.cnonce, "auth", a2)
    return f'rspauth="{text}"'
