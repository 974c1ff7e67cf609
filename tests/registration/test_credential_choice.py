"""Which of several credentials answers which challenge: the rules of Asterisk's `outbound_auth`, on the wire."""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5

from sipcore.auth.hashing import Algorithm
from sipcore.config import Credential
from sipcore.profiles import ASTERISK, SIPCORE, Profile
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, ok
from sipcore.values import OutcomeClass, Secret
from tests.accounts import PASSWORD, account, has_credentials
from tests.registration.lines import every_profile


def digest(realm: str = "example.com", nonce: str = "n1", algorithm: str | None = "MD5") -> str:
    """The value of one challenge."""
    last = "" if algorithm is None else f", algorithm={algorithm}"
    return f'Digest realm="{realm}", nonce="{nonce}", qop="auth"{last}'


def asked(*challenges: str) -> Answer:
    """A 401 with these challenges, in order."""
    return Answer(401, tuple(f"WWW-Authenticate: {item}" for item in challenges))


def known(username: str, realm: str | None = None, *algorithms: Algorithm) -> Credential:
    return Credential(
        username=username, password=Secret(PASSWORD), realm=realm, algorithms=algorithms or (Algorithm.MD5,)
    )


def answered(profile: Profile, answer: Answer, *credentials: Credential) -> list[dict[str, str]]:
    """The parameters of each answer in the second request; none when there was no second request."""
    made = account(credentials=credentials, profile=profile, max_random_initial_delay=0)
    line = Line(made, script=[answer, ok(60)])
    line.register(until=2.0)
    if len(line.peer.requests) == 1:
        assert line.status().cause is not None
        return []
    assert line.status().registered
    return [parameters(value) for value in line.peer.requests[1].get_all("authorization")]


def parameters(value: str) -> dict[str, str]:
    pairs = (item.strip().partition("=") for item in value.removeprefix("Digest ").split(","))
    return {name: text.strip('"') for name, _, text in pairs}


def users(answers: list[dict[str, str]]) -> list[str]:
    return [item["username"] for item in answers]


@every_profile
def test_the_credential_of_the_realm_comes_before_the_one_of_any_realm(profile: Profile) -> None:
    for order in ((known("any"), known("own", "example.com")), (known("own", "example.com"), known("any"))):
        assert users(answered(profile, asked(digest()), *order)) == ["own"]
    assert users(answered(profile, asked(digest()), known("star", "*"), known("other", "elsewhere"))) == ["star"]


@every_profile
def test_the_first_of_any_realm_answers(profile: Profile) -> None:
    assert users(answered(profile, asked(digest()), known("one"), known("two", "*"))) == ["one"]


@every_profile
def test_a_realm_is_found_whatever_its_case(profile: Profile) -> None:
    assert users(answered(profile, asked(digest("EXAMPLE.com")), known("any"), known("own", "example.COM"))) == ["own"]


def test_of_two_realms_that_differ_in_case_alone_asterisk_takes_the_first_and_we_the_exact_one() -> None:
    pair = (known("first", "EXAMPLE.COM"), known("exact", "example.com"))
    assert users(answered(ASTERISK, asked(digest()), *pair)) == ["first"]
    assert users(answered(SIPCORE, asked(digest()), *pair)) == ["exact"]


@every_profile
def test_without_a_credential_for_the_realm_nothing_is_answered(profile: Profile) -> None:
    line = Line(
        account(credentials=(known("own", "elsewhere"),), profile=profile, max_random_initial_delay=0),
        script=[asked(digest())],
    )
    line.register(until=0.5 if profile is not ASTERISK else 1.5)
    assert not any(has_credentials(request) for request in line.peer.requests)
    cause = line.status().cause
    assert cause is not None
    assert cause.kind is OutcomeClass.CREDENTIALS
    assert "no credential for this realm and algorithm" in cause.detail


def test_the_first_challenge_of_a_realm_that_can_be_answered_wins() -> None:
    both = known("both", None, Algorithm.MD5, Algorithm.SHA_256)
    strong = known("strong", None, Algorithm.SHA_256)
    challenges = asked(digest(algorithm="MD5", nonce="weak"), digest(algorithm="SHA-256", nonce="strong"))
    [answer] = answered(ASTERISK, challenges, both)
    assert (answer["algorithm"], answer["nonce"]) == ("MD5", "weak")
    [answer] = answered(ASTERISK, challenges, strong)
    assert (answer["algorithm"], answer["nonce"]) == ("SHA-256", "strong")
    # The realm's own credential cannot do what is asked first, so the other one answers that.
    [answer] = answered(ASTERISK, challenges, known("own", "example.com", Algorithm.SHA_256), known("any"))
    assert (answer["algorithm"], answer["username"]) == ("MD5", "any")


def test_an_unknown_algorithm_is_passed_over() -> None:
    challenges = asked(digest(algorithm="SHA-999", nonce="new"), digest(algorithm=None, nonce="old"))
    [answer] = answered(ASTERISK, challenges, known("one"))
    assert answer["nonce"] == "old"
    assert "algorithm" not in answer


@every_profile
def test_each_realm_gets_its_own_answer(profile: Profile) -> None:
    challenges = asked(digest("a"), digest("b"), digest("c"))
    answers = answered(profile, challenges, known("for-b", "b"), known("any"))
    assert [(item["realm"], item["username"]) for item in answers] == [("a", "any"), ("b", "for-b"), ("c", "any")]


def test_a_password_is_not_used_for_an_algorithm_that_its_auth_does_not_list() -> None:
    """Asterisk hands a plain password on without its list, and answers the MD5 challenge that comes first."""
    challenges = asked(digest(algorithm="MD5", nonce="weak"), digest(algorithm="SHA-256", nonce="strong"))
    answers = answered(ASTERISK, challenges, known("one", None, Algorithm.SHA_256))
    assert [(item["algorithm"], item["nonce"]) for item in answers] == [("SHA-256", "strong")]
    assert answered(ASTERISK, asked(digest(algorithm="MD5")), known("one", None, Algorithm.SHA_256)) == []


def test_a_later_challenge_of_the_same_realm_with_another_nonce_does_not_replace_the_first() -> None:
    """Asterisk answers the later, less preferred one."""
    both = known("one", None, Algorithm.SHA_256, Algorithm.MD5)
    challenges = asked(digest(algorithm="SHA-256", nonce="first"), digest(algorithm="MD5", nonce="second"))
    answers = answered(ASTERISK, challenges, both)
    assert [(item["algorithm"], item["nonce"]) for item in answers] == [("SHA-256", "first")]


@every_profile
def test_a_digest_is_preferred_to_the_password(profile: Profile) -> None:
    ha1 = md5(b"one:example.com:another password").hexdigest()
    credential = replace(known("one"), ha1=((Algorithm.MD5, Secret(ha1)),))
    [answer] = answered(profile, asked(digest()), credential)
    a2 = md5(f"REGISTER:{answer['uri']}".encode()).hexdigest()
    middle = f"{answer['nonce']}:{answer['nc']}:{answer['cnonce']}:{answer['qop']}"
    assert answer["response"] == md5(f"{ha1}:{middle}:{a2}".encode()).hexdigest()


def test_proxy_and_registrar_are_answered_each_in_its_own_header() -> None:
    line = Line(
        account(credentials=(known("any"), known("proxy", "px")), profile=ASTERISK, max_random_initial_delay=0),
        script=[
            Answer(401, (f"WWW-Authenticate: {digest()}", f"Proxy-Authenticate: {digest('px')}")),
            ok(60),
        ],
    )
    line.register(until=2.0)
    last: Request = line.peer.requests[-1]
    assert users([parameters(value) for value in last.get_all("authorization")]) == ["any"]
    assert users([parameters(value) for value in last.get_all("proxy-authorization")]) == ["proxy"]
