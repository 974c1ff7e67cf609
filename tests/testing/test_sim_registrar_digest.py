"""The registrar model's digest: known answers, each verdict, each rule about challenges, each fault of a client."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sipcore.testing.sim.registrar import Rules
from sipcore.testing.sim.registrar_digest import ALGORITHMS, MAX_NONCES, Gate, Users, a1, a2, digest, parameters_of
from tests.secrecy import PASSWORD
from tests.testing.sim_registrar_client import CONTACT, Caller, fields

VECTORS = json.loads((Path(__file__).parent.parent / "auth" / "vectors.json").read_text(encoding="utf-8"))["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
def test_known_answers(vector: dict[str, Any]) -> None:
    def wire(name: str) -> str:
        return str(vector[name]).encode().decode("latin-1")

    algorithm = vector["algorithm"]
    if algorithm.removesuffix("-sess") not in ALGORITHMS:
        pytest.skip("this hashlib does not know it")
    hashed = ALGORITHMS[algorithm.removesuffix("-sess")]
    ha1 = vector["expect"]["ha1"]
    if vector["password"] is not None:
        assert a1(hashed, wire("username"), wire("realm"), vector["password"]) == ha1
    key = hashed(f"{ha1}:{vector['nonce']}:{vector['cnonce']}") if algorithm.endswith("-sess") else ha1
    assert key == vector["expect"]["a1_hash"]
    body = bytes.fromhex(vector["body_hex"]).decode("latin-1")
    ha2 = a2(hashed, vector["method"], vector["uri"], body, vector["qop"])
    assert ha2 == vector["expect"]["ha2"]
    nc, cnonce = vector["nc"] or "", vector["cnonce"] or ""
    assert digest(hashed, key, vector["nonce"], nc, cnonce, vector["qop"], ha2) == vector["expect"]["response"]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess"])
def test_right_credentials_register(algorithm: str) -> None:
    caller = Caller(Rules(algorithms=(algorithm,), opaque="o"))
    assert caller.register().status == 200
    assert [item.verdict for item in caller.told] == ["none", "right"]
    assert (caller.told[1].nc, caller.told[1].nonce) == (1, next(iter(caller.nonces)))
    assert caller.registrar.faults == []


def test_the_form_without_qop() -> None:
    caller = Caller(Rules(qop=None))
    challenge = caller.ask().one("www-authenticate")
    assert "qop" not in challenge
    for _ in range(3):
        assert caller.ask(authorization=caller.credentials(challenge)).status == 200
    assert caller.told[-1].nc is None


def test_a_user_beyond_ascii() -> None:
    caller = Caller(users={"zoë": "pässwörd"})
    names = {name: f"<sip:zo%C3%AB@example.com>{tag}" for name, tag in (("To", ""), ("From", ";tag=a"))}
    assert caller.register(user="zoë", password="pässwörd", headers=names).status == 200
    assert caller.told[-1].user == "zoë"
    assert len(caller.registrar.bindings("zoë")) == 1


def challenged(**rules: Any) -> tuple[Caller, str]:
    caller = Caller(Rules(**rules))
    return caller, caller.ask().one("www-authenticate")


def test_a_session_key_is_that_of_the_first_answer() -> None:
    caller, challenge = challenged(algorithms=("MD5-sess",))
    assert caller.ask(authorization=caller.credentials(challenge)).status == 200
    assert caller.ask(authorization=caller.credentials(challenge)).status == 200
    assert caller.ask(authorization=caller.credentials(challenge, cnonce="another")).status == 401


def test_a_session_goes_on_with_the_next_nonce_and_may_be_forgotten() -> None:
    caller, challenge = challenged(algorithms=("MD5-sess",), nextnonce=True)
    first = caller.credentials(challenge)
    nonce = fields("Digest " + caller.ask(authorization=first).one("authentication-info"))["nextnonce"]
    md5 = ALGORITHMS["MD5"]
    key = md5(md5(f"alice:example.com:{PASSWORD}") + f":{fields(challenge)['nonce']}:c0ffee")
    response = md5(f"{key}:{nonce}:00000001:c0ffee:auth:{md5('REGISTER:sip:example.com')}")
    changes = {"nonce": nonce, "nc": "00000001", "response": response}
    assert caller.ask(authorization=caller.credentials(challenge, **changes)).status == 200
    caller.registrar.restart(keep_bindings=True)
    answer = caller.ask(authorization=caller.credentials(challenge, **changes))
    assert "stale" not in answer.one("www-authenticate")
    assert (caller.told[-1].verdict, caller.told[-1].detail) == ("unknown nonce", "the session is unknown")
    assert caller.registrar.faults == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"response": "0" * 32}, "fits none of his passwords"),
        ({"username": "carol"}, "who is nobody"),
        ({"uri": "sip:other.example"}, "digest uri"),
        ({"algorithm": "SHA-256"}, "was not offered"),
        ({"algorithm": "rot13"}, "was not offered"),
        ({"qop": "auth-int"}, "qop 'auth-int'"),
        ({"qop": None, "nc": None, "cnonce": None}, "qop None"),
        ({"cnonce": None}, "cnonce"),
        ({"nc": "1"}, "nc='1'"),
        ({"nc": None}, "nc=''"),
        ({"uri": None}, "credentials without uri"),
        ({"response": None}, "credentials without response"),
    ],
)
def test_wrong_credentials_are_a_fault_with_words(changes: dict[str, Any], fault: str) -> None:
    caller, challenge = challenged()
    answer = caller.ask(authorization=caller.credentials(challenge, **changes))
    assert answer.status == 401
    assert "stale" not in answer.one("www-authenticate")
    assert caller.told[-1].verdict == "wrong"
    assert caller.told[-1].detail
    assert any(fault in text for text in caller.registrar.faults), caller.registrar.faults
    assert caller.contacts == []


def test_the_nonce_of_another_realm_is_no_credential() -> None:
    caller, challenge = challenged()
    assert caller.ask(authorization=caller.credentials(challenge, realm="elsewhere")).status == 401
    assert caller.told[-1].verdict == "none"


def test_two_answers_to_one_realm_are_a_fault() -> None:
    caller, challenge = challenged()
    good = caller.credentials(challenge)
    caller.ask(authorization=good, lines=[f"Authorization: {good}"])
    assert "two answers to one realm" in caller.registrar.faults[0]


def test_a_count_is_good_once_and_rises() -> None:
    caller, challenge = challenged()
    assert caller.ask(authorization=caller.credentials(challenge, nc="00000005")).status == 200
    # One that is late on the network: no fault of the client.
    answer = caller.ask(authorization=caller.credentials(challenge, nc="00000004"))
    assert "stale=true" in answer.one("www-authenticate")
    assert caller.registrar.faults == []
    caller.ask(authorization=caller.credentials(challenge, nc="00000005"))
    assert caller.told[-1].verdict == "stale"
    assert "in two requests" in caller.registrar.faults[0]
    assert caller.ask(authorization=caller.credentials(challenge, nc="0000000A")).status == 200
    assert caller.told[-1].nc == 10


def test_an_old_nonce_is_stale_and_then_unknown() -> None:
    caller, challenge = challenged(nonce_lifetime=100.0)
    assert caller.ask(authorization=caller.credentials(challenge)).status == 200
    caller.later(100)
    answer = caller.ask(authorization=caller.credentials(challenge))
    assert "stale=true" in answer.one("www-authenticate")
    caller.later(5000)
    answer = caller.ask(authorization=caller.credentials(challenge))
    assert [item.verdict for item in caller.told] == ["none", "right", "stale", "unknown nonce"]
    assert "stale=true" in answer.one("www-authenticate")
    # stale is said only of a digest that is right (RFC 7616 section 3.3).
    caller.later(5000)
    answer = caller.ask(authorization=caller.credentials(challenge, response="0" * 32))
    assert "stale" not in answer.one("www-authenticate")


def test_stale_may_be_missing() -> None:
    caller, challenge = challenged(stale=False, nonce_once=True)
    assert caller.ask(authorization=caller.credentials(challenge)).status == 200
    answer = caller.ask(authorization=caller.credentials(challenge))
    assert caller.told[-1].verdict == "stale"
    assert "stale" not in answer.one("www-authenticate")


def test_a_nonce_for_one_use() -> None:
    caller, challenge = challenged(nonce_once=True)
    assert caller.ask(authorization=caller.credentials(challenge)).status == 200
    assert "stale=true" in caller.ask(authorization=caller.credentials(challenge)).one("www-authenticate")


def test_a_challenge_for_each_algorithm_in_order() -> None:
    caller = Caller(Rules(algorithms=("SHA-256", "MD5"), further_challenges=('Basic realm="x"',)))
    answer = caller.ask()
    values = answer.all("www-authenticate")
    assert values[0] == 'Basic realm="x"'
    assert [fields(value)["algorithm"] for value in values[1:]] == ["SHA-256", "MD5"]
    assert fields(values[1])["nonce"] == fields(values[2])["nonce"]
    assert caller.ask(authorization=caller.credentials(values[2])).status == 200


def test_the_algorithm_may_go_without_a_name() -> None:
    caller, challenge = challenged(algorithm_named=False)
    assert "algorithm" not in challenge
    assert caller.ask(authorization=caller.credentials(challenge)).status == 200


def test_opaque_has_to_come_back() -> None:
    caller, challenge = challenged(opaque="tag")
    assert caller.ask(authorization=caller.credentials(challenge, opaque="gat")).status == 200
    assert "opaque 'gat'" in caller.registrar.faults[0]


def test_a_proxy_before_the_registrar() -> None:
    caller = Caller(Rules(proxy_auth=True))
    assert caller.ask().status == 407
    assert caller.register().status == 200
    assert [item.status for item in caller.told] == [407, 407, 401, 200]
    assert caller.ask().status == 407
    assert fields(caller.ask().one("proxy-authenticate"))["realm"] == "proxy.example.com"


def test_challenges_without_end() -> None:
    caller, challenge = challenged(challenge_always=True)
    seen = set()
    for _ in range(5):
        answer = caller.ask(authorization=caller.credentials(challenge))
        challenge = answer.one("www-authenticate")
        assert "stale=true" in challenge
        seen.add(fields(challenge)["nonce"])
    assert len(seen) == 5
    assert caller.contacts == []
    assert caller.registrar.faults == []


def test_the_next_nonce_comes_along() -> None:
    caller = Caller(Rules(nextnonce=True))
    info = "Digest " + caller.register().one("authentication-info")
    challenge = f'Digest realm="example.com", nonce="{fields(info)["nextnonce"]}", qop="auth"'
    assert caller.ask(authorization=caller.credentials(challenge)).status == 200
    assert len(caller.told) == 3


def test_the_registrar_proves_itself() -> None:
    caller = Caller(Rules(rspauth="right"))
    info = fields("Digest " + caller.register().one("authentication-info"))
    md5 = ALGORITHMS["MD5"]
    key = md5(f"alice:example.com:{PASSWORD}")
    nonce = next(iter(caller.nonces))
    right = md5(f"{key}:{nonce}:00000001:c0ffee:auth:{md5(':sip:example.com')}")
    assert info == {"rspauth": right, "qop": "auth", "cnonce": "c0ffee", "nc": "00000001"}
    caller.rules.rspauth = "wrong"
    assert fields("Digest " + caller.register().one("authentication-info"))["rspauth"] != right


def test_a_changed_password_is_wrong_and_nobody_is_blamed() -> None:
    caller = Caller()
    caller.registrar.users["alice"] = "new"
    assert caller.register().status == 401
    assert caller.told[-1].verdict == "wrong"
    assert caller.told[-1].detail == "the password was right once"
    assert caller.registrar.faults == []
    assert caller.register(password="new").status == 200
    caller.registrar.users["alice"] = PASSWORD
    assert caller.register().status == 200
    caller.registrar.users.also("alice", "mistyped")
    assert caller.register(password="mistyped").status == 401
    assert caller.registrar.faults == []


def test_former_passwords_are_few() -> None:
    users = Users([("alice", "0")])
    for number in range(1, 50):
        users["alice"] = str(number)
    assert users.former("alice") == ["45", "46", "47", "48"]
    assert users.former("bob") == []


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ('a="1", b=2', {"a": "1", "b": "2"}),
        ('A="x, y=z" ,b = 2', {"a": "x, y=z", "b": "2"}),
        (r'a="say \"hi\", you", b="\\"', {"a": 'say "hi", you', "b": "\\"}),
        ('a=""', {"a": ""}),
        ('a="open', None),
        (r'a="open\"', None),
    ],
)
def test_parameters_are_read_with_quotes_and_commas(text: str, parameters: dict[str, str] | None) -> None:
    told: list[str] = []
    assert parameters_of(text, told.append) == parameters
    assert bool(told) is (parameters is None)
    parameters_of("a=1, a=2", told.append)
    assert told[-1] == "credentials with two a"


def test_a_flood_of_challenges_fills_no_memory() -> None:
    gate = Gate("example.com", Users([]), random=Random(1))
    rules = Rules()
    for _ in range(MAX_NONCES + 100):
        gate.issue(0.0, rules)
    assert len(gate) <= MAX_NONCES
    gate.issue(100_000.0, rules)
    assert len(gate) == 1


def test_the_registrars_clock_counts() -> None:
    """A clock that runs twice as fast ends bindings and nonces in half the time."""
    caller = Caller(Rules(clock=2.0, nonce_lifetime=1000.0))
    assert caller.register(expires=100).one("contact") == f"{CONTACT};expires=100"
    challenge = f'Digest realm="example.com", nonce="{next(iter(caller.nonces))}", qop="auth"'
    assert caller.registrar.bindings("alice")[0].expires_at == 50.0
    caller.later(25)
    assert caller.register(None, None).one("contact") == f"{CONTACT};expires=50"
    caller.later(475)
    caller.ask(authorization=caller.credentials(challenge))
    assert caller.told[-1].verdict == "stale"
