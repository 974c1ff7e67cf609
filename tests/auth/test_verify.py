"""The server's side: it takes what our client makes, and nothing that is old, copied or wrong."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.auth import (
    Algorithm,
    AuthPolicy,
    ClientAuth,
    Credential,
    DigestVerifier,
    InfoResult,
    Verification,
    VerifyOutcome,
    parse_challenges,
    select,
    userhash_index,
)
from sipcore.values import Secret

REALM = "example.test"
URI = "sip:example.test"
ALICE = Credential(username="alice", password=Secret("secret"))
ALL = (Algorithm.SHA_512_256, Algorithm.SHA_256, Algorithm.MD5)


def lookup(username: str, realm: str) -> Credential | None:
    assert realm == REALM
    return ALICE if username == "alice" else None


def verifier(**options: object) -> DigestVerifier:
    return DigestVerifier(REALM, random=Random(5), **options)  # type: ignore[arg-type]  # test options of many types


def check(server: DigestVerifier, value: str | list[str] | None, *, now: float = 1.0, uri: str = URI) -> Verification:
    return server.verify(value, "REGISTER", uri, b"", lookup, now)


def answer(server: DigestVerifier, *, user: Credential = ALICE, now: float = 0.0, uri: str = URI) -> str:
    session = select(parse_challenges(server.challenges(now=now), proxy=False), [user]).sessions[0]
    return session.authorization("REGISTER", uri, b"", Random(9))


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)
PASSWORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)
SIXTEEN_AND_MORE = 18


@settings(max_examples=120)
@given(
    algorithms=st.lists(st.sampled_from(list(Algorithm)), min_size=1, max_size=6, unique=True),
    qops=st.sampled_from([(), ("auth",), ("auth-int",), ("auth", "auth-int"), ("auth-int", "auth")]),
    prefer=st.sampled_from([("auth", "auth-int"), ("auth-int", "auth")]),
    userhash=st.booleans(),
    hashed=st.booleans(),
    name=NAMES,
    password=PASSWORDS,
    realm=NAMES,
    body=st.binary(max_size=20),
)
def test_the_server_takes_what_the_client_makes(
    algorithms: list[Algorithm],
    qops: tuple[str, ...],
    prefer: tuple[str, ...],
    userhash: bool,
    hashed: bool,
    name: str,
    password: str,
    realm: str,
    body: bytes,
) -> None:
    """Law: for every algorithm, qop, userhash, name, password and realm, each request of a session is accepted once,
    and the server's rspauth is accepted by the client."""
    plain = Credential(username=name, password=Secret(password))
    bases = dict.fromkeys(algorithm.base for algorithm in algorithms)
    digests = Credential(username=name, ha1=tuple((base, plain.ha1_for(base, realm)) for base in bases))
    known = digests if hashed else plain
    server = DigestVerifier(
        realm,
        random=Random(1),
        algorithms=algorithms,
        qops=qops,
        userhash_lookup=userhash_index([known], realm, algorithms) if userhash else None,
    )
    client, random = ClientAuth(), Random(2)
    verdict = client.answer(
        parse_challenges(server.challenges(now=0.0), proxy=False), (), [plain], AuthPolicy(qops=prefer)
    )
    if not qops and all(algorithm.session for algorithm in algorithms):
        assert not verdict.new
        return
    assert verdict.new
    for number in range(SIXTEEN_AND_MORE if qops else 1):
        ((_, value),) = client.credentials("REGISTER", URI, body, random)
        result = server.verify([value], "REGISTER", URI, body, lambda user, _: known if user == name else None, 1.0)
        assert (result.outcome, result.username) == (VerifyOutcome.OK, name), number
        info = server.authentication_info(result, body=b"answer", next_nonce_at=1.0 if number == 4 else None)
        assert info is not None
        assert client.succeeded(info, uri=URI, body=b"answer") is InfoResult.OK
        again = server.verify(value, "REGISTER", URI, body, lambda *_: known, 1.0)
        assert again.outcome is VerifyOutcome.STALE
        other = server.verify(value, "INVITE", URI, body, lambda *_: known, 1.0)
        assert other.outcome is VerifyOutcome.WRONG


@pytest.mark.requirement("RFC8760-2.3-01", "RFC3261-22.4-04")
def test_challenges_come_most_preferred_first_and_each_with_qop() -> None:
    challenges = parse_challenges(verifier(algorithms=ALL).challenges(now=0.0), proxy=False)
    assert [challenge.algorithm for challenge in challenges] == ["SHA-512-256", "SHA-256", "MD5"]
    assert all(challenge.qop == ("auth",) and challenge.realm == REALM for challenge in challenges)
    assert not any(challenge.stale or challenge.userhash for challenge in challenges)
    assert all(c.stale for c in parse_challenges(verifier().challenges(now=0.0, stale=True), proxy=False))


@pytest.mark.requirement("RFC7616-3.4-08")
def test_a_copied_request_is_refused_as_stale() -> None:
    server = verifier()
    value = answer(server)
    assert check(server, value).ok
    assert check(server, value).outcome is VerifyOutcome.STALE


@pytest.mark.requirement("RFC7616-3.3-06")
def test_stale_is_said_only_when_the_password_is_right() -> None:
    server = verifier(nonce_lifetime=30.0)
    wrong = Credential(username="alice", password=Secret("wrong"))
    assert check(server, answer(server), now=29.9).ok
    assert check(server, answer(server), now=30.0).outcome is VerifyOutcome.STALE
    assert check(server, answer(server, user=wrong), now=30.0).outcome is VerifyOutcome.WRONG
    assert check(server, answer(server, user=wrong), now=1.0).outcome is VerifyOutcome.WRONG


def test_a_nonce_of_another_server_is_stale() -> None:
    foreign = DigestVerifier(REALM, random=Random(6))
    assert check(verifier(), answer(foreign)).outcome is VerifyOutcome.STALE


def test_a_wrong_answer_uses_up_nothing() -> None:
    server = verifier()
    value = answer(server)
    start = value.index('response="') + len('response="')
    assert check(server, value[:start] + "0" * 64 + value[start + 64 :]).outcome is VerifyOutcome.WRONG
    assert check(server, value).ok


def test_an_unknown_user_is_wrong_and_named_as_such_to_the_operator_only() -> None:
    result = check(verifier(), answer(verifier(), user=Credential(username="mallory", password=Secret("secret"))))
    assert (result.outcome, result.reason, result.username) == (VerifyOutcome.WRONG, "the user is unknown", None)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "",
        "Basic YTpi",
        "Bearer x",
        'Digest username="alice", realm="other", nonce="n", uri="u", response="r"',
    ],
)
def test_no_digest_for_our_realm_is_missing(value: str | list[str] | None) -> None:
    assert check(verifier(), value).outcome is VerifyOutcome.MISSING


def test_our_realm_is_found_among_several_values() -> None:
    server = verifier()
    other = 'Digest username="alice", realm="other", nonce="n", uri="u", response="r"'
    assert check(server, [other, "Basic x", answer(server)]).ok


@pytest.mark.requirement("RFC7616-3.4-09")
@pytest.mark.parametrize("name", ["nonce", "uri", "response", "cnonce", "nc"])
def test_a_missing_parameter_is_malformed(name: str) -> None:
    server = verifier()
    value = answer(server)
    kept = [part for part in value.removeprefix("Digest ").split(", ") if not part.startswith(f"{name}=")]
    assert check(server, "Digest " + ", ".join(kept)).outcome is VerifyOutcome.MALFORMED


@pytest.mark.requirement("RFC7616-3.4-09")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("nc=00000001", "nc=000000001"),
        ("nc=00000001", "nc=+0000001"),
        ("qop=auth", "qop=auth-int"),
        ("qop=auth", "qop=foo"),
        ("qop=auth", "qop=auth, qop=auth"),
        ('cnonce="', 'cnonce="", x="'),
    ],
)
def test_a_broken_parameter_is_malformed(old: str, new: str) -> None:
    server = verifier()
    assert check(server, answer(server).replace(old, new)).outcome is VerifyOutcome.MALFORMED


def test_nc_zero_is_not_a_count() -> None:
    server = verifier(algorithms=(Algorithm.MD5,))
    session = select(parse_challenges(server.challenges(now=0.0), proxy=False), [ALICE]).sessions[0]
    session.nc = -1
    value = session.authorization("REGISTER", URI, b"", Random(9))
    assert "nc=00000000" in value
    assert check(server, value).outcome is VerifyOutcome.STALE


def test_an_algorithm_that_was_not_offered_is_refused() -> None:
    weak = DigestVerifier(REALM, random=Random(5), algorithms=(Algorithm.MD5,))
    strong = DigestVerifier(REALM, random=Random(5), algorithms=(Algorithm.SHA_256,))
    value = answer(weak)
    assert check(strong, value).outcome is VerifyOutcome.WRONG
    assert check(strong, value.replace("algorithm=MD5, ", "")).outcome is VerifyOutcome.WRONG
    assert check(weak, value.replace("algorithm=MD5, ", "")).ok, "no algorithm means MD5"


def test_a_client_that_knows_no_qop_is_accepted_once_for_each_nonce_unless_refused() -> None:
    def without_qop(server: DigestVerifier) -> str:
        values = [value.replace(', qop="auth"', "") for value in server.challenges(now=0.0)]
        session = select(parse_challenges(values, proxy=False), [ALICE]).sessions[0]
        return session.authorization("REGISTER", URI, b"", Random(1))

    server = verifier()
    value = without_qop(server)
    assert "qop" not in value
    assert check(server, value).ok
    assert check(server, value).outcome is VerifyOutcome.STALE
    strict = verifier(accept_without_qop=False)
    assert check(strict, without_qop(strict)).outcome is VerifyOutcome.MALFORMED


@pytest.mark.requirement("RFC8760-2.6-02")
@pytest.mark.parametrize(
    ("signed", "outcome"),
    [
        (URI, VerifyOutcome.OK),
        ("sip:EXAMPLE.test;transport=tcp", VerifyOutcome.OK),
        ("sip:example.test:5060", VerifyOutcome.OK),
        ("sip:example.org", VerifyOutcome.MALFORMED),
        ("sip:bob@example.test", VerifyOutcome.MALFORMED),
        ("tel:+49", VerifyOutcome.MALFORMED),
        ("rubbish", VerifyOutcome.MALFORMED),
        ("", VerifyOutcome.MALFORMED),
    ],
)
def test_the_digest_uri_may_differ_in_parameters_but_not_in_resource(signed: str, outcome: VerifyOutcome) -> None:
    server = verifier()
    assert check(server, answer(server, uri=signed)).outcome is outcome


@pytest.mark.requirement("RFC7616-3.4-07")
def test_both_forms_of_a_name_beyond_ascii_are_read() -> None:
    user = Credential(username="J\u00e4s\u00f8n Doe", password=Secret("x"))
    for charset in ("", ", charset=UTF-8"):
        server = verifier()
        values = [value + charset for value in server.challenges(now=0.0)]
        session = select(parse_challenges(values, proxy=False), [user]).sessions[0]
        value = session.authorization("REGISTER", URI, b"", Random(1))
        assert ("username*=" in value) is bool(charset)
        result = server.verify(
            value, "REGISTER", URI, b"", lambda name, _: user if name == user.username else None, 1.0
        )
        assert result.ok


@pytest.mark.parametrize("name", ["UTF-8''%zz", "UTF-8''%", "UTF-8''%ff", "UTF-8", "latin1''a", "''a", ""])
def test_a_broken_extended_name_is_an_unknown_user(name: str) -> None:
    server = verifier()
    value = answer(server).replace('username="alice"', f"username*={name}" if name else 'x="y"')
    assert check(server, value).outcome is VerifyOutcome.WRONG


def test_a_userhash_that_was_not_offered_is_an_unknown_user() -> None:
    server = verifier(algorithms=(Algorithm.MD5,))
    hashed = ALICE.userhash(Algorithm.MD5, REALM)
    value = answer(server).replace('username="alice"', f'username="{hashed}"') + ", userhash=true"
    assert check(server, value).outcome is VerifyOutcome.WRONG
    assert check(server, answer(server)).ok


def test_a_user_may_be_limited_to_strong_algorithms() -> None:
    server = verifier(algorithms=(Algorithm.MD5,))
    strong = Credential(username="alice", password=Secret("secret"), algorithms=(Algorithm.SHA_256,))
    result = server.verify(answer(server), "REGISTER", URI, b"", lambda *_: strong, 1.0)
    assert result.outcome is VerifyOutcome.WRONG


def test_info_is_given_for_accepted_requests_only() -> None:
    server = verifier()
    assert server.authentication_info(check(server, None)) is None
    assert (
        server.authentication_info(check(server, answer(server, user=Credential(username="x", password=Secret("")))))
        is None
    )


def test_the_next_nonce_is_a_good_one() -> None:
    server = verifier(algorithms=(Algorithm.MD5,), nonce_lifetime=10.0)
    client, random = ClientAuth(), Random(3)
    client.answer(parse_challenges(server.challenges(now=0.0), proxy=False), (), [ALICE])
    ((_, value),) = client.credentials("REGISTER", URI, b"", random)
    now = 0.0
    for _ in range(5):
        result = check(server, value, now=now)
        assert result.ok
        client.succeeded(server.authentication_info(result, next_nonce_at=now), uri=URI)
        now += 9.0
        ((_, value),) = client.preemptive("REGISTER", URI, b"", random)


PIECES = st.sampled_from(
    ["Digest ", 'realm="example.test"', ", ", "nonce=", '"', "\\", "uri=", "response=", "nc=00000001", "qop=auth"]
) | st.sampled_from(
    [
        'username="alice"',
        "username*=UTF-8''%e4",
        "cnonce=x",
        "algorithm=MD5-sess",
        "userhash=true",
        "tel:1",
        "\r\n",
        "\udcff",
    ]
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_no_text_raises_or_is_accepted(text: str) -> None:
    """Law: whatever is sent, without the password it is not accepted, and nothing raises."""
    assert not check(verifier(qops=("auth", "auth-int"), algorithms=list(Algorithm)), "Digest " + text).ok
    assert not check(verifier(), text).ok
