"""What a credential may be, and which realms and algorithms it is for."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.auth import Algorithm, Credential
from sipcore.auth.credentials import RealmMatch
from sipcore.errors import ConfigError
from sipcore.values import Secret

MD5_HA1 = "939e7578ed9e3c518a452acee763bce9"
CANARY = "kanarien-vogel"


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"username": ""}, "username"),
        ({"username": "a\r\nb"}, "username"),
        ({"username": "a\0b"}, "username"),
        ({"username": "\ud800"}, "username"),
        ({"realm": "a\nb"}, "realm"),
        ({"password": None}, "password"),
        ({"password": Secret(f"{CANARY}\r\nX: y")}, "password"),
        ({"password": Secret(f"{CANARY}\n")}, "password"),
        ({"password": Secret(f"{CANARY}\0")}, "password"),
        ({"password": Secret(f"{CANARY}\ud800")}, "password"),
        ({"ha1": ((Algorithm.MD5, Secret("abc")),)}, "ha1 (MD5)"),
        ({"ha1": ((Algorithm.SHA_256, Secret(MD5_HA1)),)}, "ha1 (SHA-256)"),
        ({"ha1": ((Algorithm.MD5, Secret("z" * 32)),)}, "ha1 (MD5)"),
        ({"ha1": ((Algorithm.MD5, Secret(MD5_HA1)), (Algorithm.MD5_SESS, Secret(MD5_HA1)))}, "ha1"),
        ({"algorithms": ()}, "algorithms"),
        (
            {"password": None, "ha1": ((Algorithm.MD5, Secret(MD5_HA1)),), "algorithms": (Algorithm.SHA_256,)},
            "algorithms",
        ),
    ],
)
def test_what_could_never_answer_is_a_configuration_error(options: dict[str, Any], option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Credential(**{"username": "alice", "password": Secret("secret"), **options})
    assert caught.value.option == option
    assert CANARY not in str(caught.value)


def test_an_empty_password_is_a_password() -> None:
    credential = Credential(username="anonymous@t-online.de", password=Secret(""))
    assert credential.supports(Algorithm.MD5)
    assert credential.ha1_for(Algorithm.MD5, "r") == Secret(Algorithm.MD5.hash("anonymous@t-online.de:r:"))


@pytest.mark.parametrize(
    ("own", "realm", "match"),
    [
        (None, "example.test", RealmMatch.ANY),
        ("*", "example.test", RealmMatch.ANY),
        ("example.test", "example.test", RealmMatch.EXACT),
        ("Example.Test", "example.test", RealmMatch.CASELESS),
        ("example.test", "example.org", RealmMatch.NONE),
        ("", "", RealmMatch.EXACT),
        ("", "example.test", RealmMatch.NONE),
    ],
)
@pytest.mark.requirement("RFC3261-22.1-02")
def test_realms_match_exactly_then_but_for_case_then_any(own: str | None, realm: str, match: RealmMatch) -> None:
    assert Credential(username="alice", password=Secret("secret"), realm=own).match(realm) is match


def test_a_digest_is_used_before_the_password_and_for_sess_too() -> None:
    credential = Credential(
        username="alice", password=Secret("secret"), ha1=((Algorithm.MD5, Secret(MD5_HA1.upper())),)
    )
    assert credential.ha1_for(Algorithm.MD5, "r") == Secret(MD5_HA1)
    assert credential.ha1_for(Algorithm.MD5_SESS, "r") == Secret(MD5_HA1)
    assert credential.ha1_for(Algorithm.SHA_256, "r") == Secret(Algorithm.SHA_256.hash("alice:r:secret"))


def test_without_a_password_only_the_algorithms_of_the_digests_are_supported() -> None:
    credential = Credential(username="alice", ha1=((Algorithm.MD5_SESS, Secret(MD5_HA1)),))
    assert [algorithm for algorithm in Algorithm if credential.supports(algorithm)] == ["MD5", "MD5-sess"]
    with pytest.raises(ConfigError):
        credential.ha1_for(Algorithm.SHA_256, "r")


def test_a_list_of_algorithms_limits_and_a_base_stands_for_its_sess() -> None:
    credential = Credential(username="a", password=Secret(""), algorithms=(Algorithm.SHA_256, Algorithm.MD5_SESS))
    assert [a for a in Algorithm if credential.supports(a)] == ["MD5-sess", "SHA-256", "SHA-256-sess"]


@pytest.mark.requirement("RFC7616-4-01")
def test_normal_form_c_is_taken_when_asked_for() -> None:
    composed = Credential(username="J\u00e4s\u00f8n", password=Secret("\u00c5"))
    decomposed = Credential(username="Ja\u0308s\u00f8n", password=Secret("A\u030a"))
    right = composed.ha1_for(Algorithm.SHA_256, "r")
    assert decomposed.ha1_for(Algorithm.SHA_256, "r", normalised=True) == right
    assert decomposed.ha1_for(Algorithm.SHA_256, "r") != right
    assert decomposed.userhash(Algorithm.MD5, "r", normalised=True) == composed.userhash(Algorithm.MD5, "r")


def test_a_server_can_keep_digests_instead_of_the_password() -> None:
    plain = Credential(username="alice", password=Secret("secret"), algorithms=(Algorithm.MD5, Algorithm.SHA_256))
    kept = plain.hashed("r", [Algorithm.SHA_256_SESS, Algorithm.SHA_256, Algorithm.SHA_512_256])
    assert (kept.password, kept.realm, kept.algorithms) == (None, "r", (Algorithm.SHA_256,))
    assert kept.ha1 == ((Algorithm.SHA_256, plain.ha1_for(Algorithm.SHA_256, "r")),)
    assert [algorithm for algorithm in Algorithm if kept.supports(algorithm)] == ["SHA-256", "SHA-256-sess"]
