"""Which challenge is answered, with which credential."""

from __future__ import annotations

from dataclasses import fields

import pytest

from sipcore.auth import (
    ASTERISK_POLICY,
    JSSIP_POLICY,
    SIPCORE_POLICY,
    Algorithm,
    AuthPolicy,
    Credential,
    Order,
    parse_challenges,
    select,
)
from sipcore.values import Secret

ALICE = Credential(username="alice", password=Secret("secret"))
SHA_512, SHA, MD5 = (
    f'Digest realm="r", nonce="n", algorithm={name}, qop="auth"' for name in ("SHA-512-256", "SHA-256", "MD5")
)


def answered(
    *values: str,
    policy: AuthPolicy = SIPCORE_POLICY,
    credentials: tuple[Credential, ...] = (ALICE,),
    proxy: bool = False,
) -> list[tuple[str, str, str | None]]:
    sessions = select(parse_challenges(values, proxy=proxy), credentials, policy).sessions
    return [(session.challenge.realm, session.algorithm.value, session.qop) for session in sessions]


def test_every_cell_of_the_policies_is_as_written_down() -> None:
    cells = {
        "order": (Order.STRONGEST, Order.SERVER, Order.SERVER),
        "qops": (("auth", "auth-int"), ("auth",), ("auth-int", "auth")),
        "without_qop": (True, True, True),
        "algorithms": (
            tuple(Algorithm),
            (Algorithm.MD5, Algorithm.SHA_256, Algorithm.SHA_512_256),
            (Algorithm.MD5,),
        ),
        "userhash": (True, False, False),
        "realm_case": (True, False, True),
        "proactive": (True, False, False),
    }
    assert [item.name for item in fields(AuthPolicy)] == list(cells)
    for name, row in cells.items():
        assert tuple(getattr(policy, name) for policy in (SIPCORE_POLICY, ASTERISK_POLICY, JSSIP_POLICY)) == row


@pytest.mark.parametrize("values", [(SHA_512, SHA, MD5), (MD5, SHA, SHA_512), (SHA, SHA_512, MD5)])
def test_the_strongest_is_answered_in_any_order(values: tuple[str, ...]) -> None:
    assert answered(*values) == [("r", "SHA-512-256", "auth")]


@pytest.mark.requirement("RFC8760-2.4-01")
@pytest.mark.parametrize(("values", "algorithm"), [((SHA_512, SHA, MD5), "SHA-512-256"), ((MD5, SHA, SHA_512), "MD5")])
def test_the_servers_first_is_answered_when_the_policy_says_so(values: tuple[str, ...], algorithm: str) -> None:
    assert answered(*values, policy=AuthPolicy(order=Order.SERVER)) == [("r", algorithm, "auth")]
    assert answered(*values, policy=ASTERISK_POLICY) == [("r", algorithm, "auth")]


def test_among_equals_the_servers_first_is_answered() -> None:
    first = 'Digest realm="r", nonce="1", algorithm=MD5-sess, qop="auth"'
    assert answered(first, MD5) == [("r", "MD5-sess", "auth")]
    assert answered(MD5, first) == [("r", "MD5", "auth")]


@pytest.mark.requirement("RFC7616-3.3-04")
def test_an_unknown_algorithm_is_skipped() -> None:
    assert answered('Digest realm="r", nonce="n", algorithm=FOO', MD5) == [("r", "MD5", "auth")]


def test_asterisk_passes_over_what_its_credential_does_not_list() -> None:
    both = Credential(username="a", password=Secret("x"), algorithms=(Algorithm.MD5, Algorithm.SHA_256))
    md5 = Credential(username="a", password=Secret("x"), algorithms=(Algorithm.MD5,))
    assert answered(SHA, MD5, policy=ASTERISK_POLICY, credentials=(both,)) == [("r", "SHA-256", "auth")]
    assert answered(SHA, MD5, policy=ASTERISK_POLICY, credentials=(md5,)) == [("r", "MD5", "auth")]


@pytest.mark.requirement("RFC7616-3.4-01")
@pytest.mark.parametrize(
    ("offered", "ours", "asterisk", "jssip"),
    [
        ('qop="auth-conf,auth-int, auth"', "auth", "auth", "auth-int"),
        ('qop="auth-int"', "auth-int", None, "auth-int"),
        ('qop="auth"', "auth", "auth", "auth"),
    ],
)
def test_the_qop_is_one_of_the_offered(offered: str, ours: str, asterisk: str | None, jssip: str) -> None:
    value = f'Digest realm="r", nonce="n", {offered}'
    assert answered(value) == [("r", "MD5", ours)]
    assert answered(value, policy=ASTERISK_POLICY) == ([("r", "MD5", asterisk)] if asterisk else [])
    assert answered(value, policy=JSSIP_POLICY) == [("r", "MD5", jssip)]


@pytest.mark.requirement("RFC7616-3.3-02")
def test_a_challenge_with_unknown_qops_only_is_passed_over() -> None:
    assert answered('Digest realm="r", nonce="n", qop="foo"', MD5) == [("r", "MD5", "auth")]


def test_no_qop_can_be_refused() -> None:
    value = 'Digest realm="fritz.box", nonce="8A"'
    assert answered(value) == [("fritz.box", "MD5", None)]
    assert answered(value, policy=AuthPolicy(without_qop=False)) == []


@pytest.mark.requirement("RFC8760-3-01")
def test_weak_algorithms_can_be_refused() -> None:
    policy = AuthPolicy(algorithms=(Algorithm.SHA_256,))
    assert answered(MD5, SHA, policy=policy) == [("r", "SHA-256", "auth")]
    assert select(parse_challenges([MD5], proxy=False), [ALICE], policy).reason == "r/MD5: the algorithm is not allowed"


@pytest.mark.parametrize("policy", [ASTERISK_POLICY, JSSIP_POLICY])
def test_the_models_do_no_sess_and_no_userhash(policy: AuthPolicy) -> None:
    assert answered('Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"', policy=policy) == []
    value = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth", userhash=true'
    (session,) = select(parse_challenges([value], proxy=False), [ALICE], policy).sessions
    assert not session.userhash
    assert select(parse_challenges([value], proxy=False), [ALICE]).sessions[0].userhash


EXACT = Credential(username="exact", password=Secret("1"), realm="example.test")
CASELESS = Credential(username="caseless", password=Secret("2"), realm="Example.TEST")
ANY = Credential(username="any", password=Secret("3"))
STAR = Credential(username="star", password=Secret("4"), realm="*")
FOREIGN = Credential(username="foreign", password=Secret("5"), realm="example.org")
SHA_ONLY = Credential(username="sha", password=Secret("6"), realm="example.test", algorithms=(Algorithm.SHA_256,))


@pytest.mark.requirement("RFC3261-22.1-02")
@pytest.mark.parametrize(
    ("credentials", "user"),
    [
        ((ANY, CASELESS, EXACT), "exact"),
        ((EXACT, CASELESS, ANY), "exact"),
        ((ANY, CASELESS), "caseless"),
        ((FOREIGN, STAR, ANY), "star"),
        ((SHA_ONLY, ANY), "any"),
        ((FOREIGN,), None),
        ((SHA_ONLY,), None),
        ((), None),
    ],
)
def test_exact_comes_before_caseless_before_wildcard(credentials: tuple[Credential, ...], user: str | None) -> None:
    for order in (credentials, credentials[::-1] if user not in ("star",) else credentials):
        selection = select(parse_challenges(['Digest realm="example.test", nonce="n"'], proxy=False), order)
        assert [session.credential.username for session in selection.sessions] == ([user] if user else [])


@pytest.mark.requirement("RFC8760-2.4-03", "RFC3261-22.1-02")
def test_each_realm_is_answered_once_with_its_own_credential() -> None:
    values = [f'Digest realm="{realm}", nonce="n{i}"' for i, realm in enumerate(["a", "b", "a", "c"])]
    users = [Credential(username=realm, password=Secret("x"), realm=realm) for realm in "cb"]
    sessions = select(parse_challenges(values, proxy=False), users).sessions
    assert [(made.challenge.realm, made.credential.username) for made in sessions] == [("b", "b"), ("c", "c")]
    everything = select(parse_challenges(values, proxy=False), [ALICE]).sessions
    assert [(made.challenge.realm, made.nonce) for made in everything] == [("a", "n0"), ("b", "n1"), ("c", "n3")]


def test_a_registrar_and_a_proxy_of_one_realm_are_both_answered() -> None:
    both = (*parse_challenges([MD5], proxy=False), *parse_challenges([MD5], proxy=True))
    assert [made.challenge.proxy for made in select(both, [ALICE]).sessions] == [False, True]


@pytest.mark.requirement("RFC3261-22.1-01", "RFC8760-2.4-02", "RFC3261-22.2-03")
def test_the_reason_names_realm_algorithm_and_scheme() -> None:
    values = [
        'Basic realm="b"',
        'Digest realm="s", nonce="n", algorithm=SHA3-256, qop="auth"',
        'Digest realm="q", nonce="n", qop="auth-conf"',
        'Digest realm="z", nonce="n", algorithm=MD5-sess',
        'Digest realm="u\x85", nonce="n"',
    ]
    selection = select(parse_challenges(values, proxy=False), [FOREIGN])
    assert selection.sessions == ()
    assert selection.reason.split("; ") == [
        "scheme Basic is not supported",
        "s/SHA3-256: the algorithm is not known",
        "q/MD5: the qop auth-conf is not supported",
        "z/MD5-sess: the algorithm needs a qop and none is offered",
        "u\\x85/MD5: no credential for this realm and algorithm",
    ]


@pytest.mark.parametrize(("size", "shown"), [(80, "r" * 80), (81, "r" * 79 + "…"), (900, "r" * 79 + "…")])
def test_the_reason_shows_no_more_of_a_realm_than_fits_a_line(size: int, shown: str) -> None:
    selection = select(parse_challenges([f'Digest realm="{"r" * size}", nonce="n", algorithm=FOO'], proxy=False), [])
    assert selection.reason == f"{shown}/FOO: the algorithm is not known"


@pytest.mark.parametrize(("size", "shown"), [(40, "F" * 40), (41, "F" * 39 + "…"), (900, "F" * 39 + "…")])
def test_the_reason_shows_no_more_of_a_token_than_fits_a_line(size: int, shown: str) -> None:
    token = "F" * size
    values = [
        f'Digest realm="r", nonce="n", algorithm={token}',
        f'Digest realm="r", nonce="n", qop="{token}"',
        f'{token} realm="r"',
    ]
    assert select(parse_challenges(values, proxy=False), [ALICE]).reason.split("; ") == [
        f"r/{shown}: the algorithm is not known",
        f"r/MD5: the qop {shown.lower()} is not supported",
        f"scheme {shown} is not supported",
    ]


def test_a_digest_is_enough_for_its_algorithm() -> None:
    user = Credential(username="alice", ha1=((Algorithm.MD5, Secret("0" * 32)),))
    assert answered(SHA, MD5, credentials=(user,)) == [("r", "MD5", "auth")]
