"""A client's session: the published answers, counting, form, nextnonce and rspauth."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sipcore.auth import (
    Algorithm,
    Challenge,
    Credential,
    DigestSession,
    InfoResult,
    is_new_information,
    parse_challenges,
    select,
)
from sipcore.auth.computation import a2_hash, response, session_key
from sipcore.auth.digest import MAX_NC
from sipcore.auth.fields import MALFORMED, parse_schemes
from sipcore.auth.policy import choose
from sipcore.errors import LocalProtocolError
from sipcore.values import Secret

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))["vectors"]

URI = "sip:sip.example.test"
ALICE = Credential(username="alice", password=Secret("secret"))


class Cnonce(int):
    """A number that is written as the cnonce of a vector."""

    text = ""

    def __format__(self, form: str) -> str:
        return self.text


class Scripted(Random):
    def __init__(self, cnonce: str | None) -> None:
        super().__init__(0)
        self.number = Cnonce(1)
        self.number.text = cnonce or "unused"

    def getrandbits(self, bits: int, /) -> int:
        return self.number


def credential_of(vector: dict[str, Any]) -> Credential:
    if vector["password"] is None:
        algorithm = Algorithm.parse(vector["algorithm"])
        assert algorithm is not None
        return Credential(username=vector["username"], ha1=((algorithm.base, Secret(vector["given_ha1"])),))
    return Credential(username=vector["username"], password=Secret(vector["password"]))


def challenge_of(vector: dict[str, Any]) -> Challenge:
    return Challenge(
        "Digest",
        vector["realm"],
        vector["nonce"],
        vector["opaque"],
        vector["algorithm"],
        (vector["qop"],) if vector["qop"] else (),
        userhash=vector["userhash"],
    )


def fields_of(value: str) -> dict[str, str]:
    ((scheme, fields),) = parse_schemes(value)
    assert scheme == "Digest"
    assert MALFORMED not in fields
    return fields


def session(
    text: str = 'realm="r", nonce="n1", algorithm=MD5, qop="auth"', *, user: Credential = ALICE
) -> DigestSession:
    (made,) = select(parse_challenges([f"Digest {text}"], proxy=False), [user]).sessions
    return made


def ask(made: DigestSession, random: Random | None = None, *, body: bytes = b"") -> str:
    return made.authorization("REGISTER", URI, body, random or Random(1))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
@pytest.mark.requirement("RFC7616-3.9.1-01", "RFC7616-3.9.2-01", "RFC2617-3.5-01")
def test_every_vector_is_computed_step_by_step(vector: dict[str, Any]) -> None:
    algorithm = Algorithm.parse(vector["algorithm"])
    assert algorithm is not None
    expect = vector["expect"]
    ha1 = credential_of(vector).ha1_for(algorithm, vector["realm"])
    key = session_key(algorithm, ha1, vector["nonce"], vector["cnonce"]) if algorithm.session else ha1
    a2 = a2_hash(algorithm, vector["method"], vector["uri"], vector["qop"], bytes.fromhex(vector["body_hex"]))
    assert (ha1.reveal(), key.reveal(), a2) == (expect["ha1"], expect["a1_hash"], expect["ha2"])
    text = response(algorithm, key, vector["nonce"], vector["nc"], vector["cnonce"], vector["qop"], a2)
    assert text == expect["response"]
    assert text == vector.get("published_response", text)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
@pytest.mark.requirement("RFC7616-3.4.4-01", "RFC7616-3.4.3-01", "RFC7616-3.4.2-01")
def test_every_vector_is_answered_by_a_session(vector: dict[str, Any]) -> None:
    (made,) = select([challenge_of(vector)], [credential_of(vector)]).sessions
    made.nc = int(vector["nc"] or "1", 16) - 1
    value = made.authorization(
        vector["method"], vector["uri"], bytes.fromhex(vector["body_hex"]), Scripted(vector["cnonce"])
    )
    fields = fields_of(value)
    assert fields["response"] == vector["expect"]["response"]
    assert fields["username"] == vector["expect"].get("userhash", vector["username"])
    assert fields.get("userhash") == ("true" if vector["userhash"] else None)
    assert (fields.get("nc"), fields.get("cnonce"), fields.get("qop")) == (
        vector["nc"],
        vector["cnonce"],
        vector["qop"],
    )
    assert fields.get("opaque") == vector["opaque"]


@pytest.mark.requirement("RFC7616-3.4-06", "RFC3261-22.4-01", "RFC3261-22.4-02")
def test_the_form_is_that_of_asterisk() -> None:
    made = session('realm="bars.invalid", nonce="nonce1", opaque="o", algorithm=MD5, qop="auth"')
    value = made.authorization("REGISTER", "sip:127.0.0.1:16009", b"", Scripted("b41e07a1bc054ebe90cbd1f97fe0459b"))
    # The response is that of a live Asterisk 22 for the same input.
    assert value == (
        'Digest username="alice", realm="bars.invalid", nonce="nonce1", uri="sip:127.0.0.1:16009", '
        'response="bc8621f5f3fd04e42cadf0d8425ed62e", algorithm=MD5, '
        'cnonce="b41e07a1bc054ebe90cbd1f97fe0459b", opaque="o", qop=auth, nc=00000001'
    )


@pytest.mark.requirement("RFC3261-22.4-03", "RFC2617-3.2.2-01")
def test_without_qop_there_is_neither_qop_nor_cnonce_nor_nc() -> None:
    assert set(fields_of(ask(session('realm="fritz.box", nonce="8A"')))) == {
        "username",
        "realm",
        "nonce",
        "uri",
        "response",
    }


@pytest.mark.requirement("RFC7616-3.4-05")
@pytest.mark.parametrize(
    ("offered", "sent"), [('opaque=""', ', opaque=""'), ('opaque="a=="', ', opaque="a=="'), ("x=y", "")]
)
def test_opaque_comes_back_as_it_was(offered: str, sent: str) -> None:
    value = ask(session(f'realm="r", nonce="n", {offered}'))
    assert re.search(r'response="[0-9a-f]{32}"(.*)$', value)[1] == sent  # type: ignore[index]


@pytest.mark.parametrize("token", ["MD5", "md5", "Md5-SESS", "sha-256"])
def test_the_algorithm_comes_back_as_the_server_wrote_it_and_not_unasked(token: str) -> None:
    assert f", algorithm={token}, " in ask(session(f'realm="r", nonce="n", algorithm="{token}", qop="auth"'))
    assert "algorithm" not in ask(session('realm="r", nonce="n", qop="auth"'))


@pytest.mark.requirement("RFC3261-25.1-01")
def test_escapes_are_echoed_byte_for_byte_and_hashed_undone() -> None:
    made = session(r'realm="a\"b\\c", nonce="\n\o", opaque="\p"')
    value = ask(made)
    assert r'realm="a\"b\\c", nonce="\n\o", ' in value
    assert r'opaque="\p"' in value
    assert made.nonce == "no"
    plain = select([Challenge("Digest", r'a"b\c', "no")], [ALICE]).sessions[0]
    assert fields_of(ask(plain))["response"] == fields_of(value)["response"]


@pytest.mark.requirement("RFC7616-3.4-02")
def test_nc_counts_in_eight_lower_case_hex_digits() -> None:
    made = session()
    counts = [fields_of(ask(made))["nc"] for _ in range(18)]
    assert counts == [f"{number:08x}" for number in range(1, 19)]
    assert counts[9] == "0000000a"
    assert counts[15] == "00000010"


def test_a_nonce_is_worn_out_when_nc_cannot_count_on() -> None:
    made = session()
    made.nc = MAX_NC - 1
    assert made.usable
    assert fields_of(ask(made))["nc"] == "ffffffff"
    assert not made.usable
    with pytest.raises(LocalProtocolError):
        ask(made)
    assert made.nc == MAX_NC
    assert not is_new_information(made.challenge._replace(stale=True), made)


@pytest.mark.requirement("RFC7616-3.4-04")
def test_cnonce_is_drawn_for_each_nonce_and_kept_with_it() -> None:
    random = Random(7)
    made = session()
    first, second = fields_of(ask(made, random)), fields_of(ask(made, random))
    assert first["cnonce"] == second["cnonce"]
    assert first["response"] != second["response"]
    renew(made, 'realm="r", nonce="n2", qop="auth"')
    third = fields_of(ask(made, random))
    assert third["cnonce"] not in (first["cnonce"], "")
    assert fields_of(ask(session(), Random(8)))["cnonce"] != first["cnonce"]
    assert len(first["cnonce"]) == 32


def renew(made: DigestSession, text: str) -> None:
    ((choice,), _) = choose(parse_challenges([f"Digest {text}"], proxy=False), [made.credential])
    assert made.fits(choice)
    made.renew(choice)


@pytest.mark.requirement("RFC7616-3.6-02")
def test_a_new_challenge_drops_nonce_count_and_opaque() -> None:
    made = session('realm="r", nonce="n1", opaque="o1", algorithm=MD5, qop="auth"')
    ask(made)
    ask(made)
    renew(made, 'realm="r", nonce="n2", algorithm=MD5, qop="auth"')
    fields = fields_of(ask(made))
    assert (fields["nonce"], fields["nc"], fields.get("opaque")) == ("n2", "00000001", None)


def test_a_repeated_nonce_goes_on_counting() -> None:
    made = session()
    ask(made)
    renew(made, 'realm="r", nonce="n1", algorithm=MD5, qop="auth", stale=true')
    assert fields_of(ask(made))["nc"] == "00000002"


@pytest.mark.requirement("RFC7616-3.4.2-01")
def test_a_sess_key_is_made_once_from_the_first_nonce_and_cnonce() -> None:
    made = session('realm="r", nonce="n1", algorithm=MD5-sess, qop="auth"')
    random = Random(3)
    first = fields_of(ask(made, random))
    key = session_key(Algorithm.MD5, ALICE.ha1_for(Algorithm.MD5, "r"), "n1", first["cnonce"])
    assert made.note_authentication_info('nextnonce="n2"', uri=URI) is InfoResult.ABSENT
    for nonce, nc in (("n2", "00000001"), ("n2", "00000002")):
        fields = fields_of(ask(made, random))
        assert (fields["nonce"], fields["nc"], fields["cnonce"]) == (nonce, nc, first["cnonce"])
        a2 = a2_hash(Algorithm.MD5, "REGISTER", URI, "auth", b"")
        assert fields["response"] == response(Algorithm.MD5, key, nonce, nc, first["cnonce"], "auth", a2)


@pytest.mark.requirement("RFC7616-3.4-07")
@pytest.mark.parametrize(
    ("extra", "sent"),
    [
        ("", 'username="J\u00e4s\u00f8n \\"Doe\\"", '),
        (", charset=UTF-8", "username*=UTF-8''J%C3%A4s%C3%B8n%20%22Doe%22, "),
        (
            ", charset=UTF-8, userhash=true",
            f'username="{Algorithm.MD5.hash(chr(74) + "äsøn " + chr(34) + "Doe" + chr(34) + ":r")}", ',
        ),
    ],
)
def test_names_beyond_ascii_take_the_form_that_the_server_can_read(extra: str, sent: str) -> None:
    user = Credential(username='Ja\u0308s\u00f8n "Doe"' if extra else 'J\u00e4s\u00f8n "Doe"', password=Secret("x"))
    value = ask(session(f'realm="r", nonce="n"{extra}', user=user))
    assert value.startswith(f"Digest {sent}realm=")
    assert value.count("username") == 1


def test_a_uri_with_a_quotation_mark_cannot_end_its_parameter() -> None:
    value = session().authorization("REGISTER", 'sip:a"b\\c', b"", Random(1))
    assert fields_of(value)["uri"] == r"sip:a\"b\\c"


@pytest.mark.requirement("RFC7616-3.5-01")
@pytest.mark.parametrize("escaped", ["next+/1==", r"ne\xt"])
def test_nextnonce_is_used_next_with_nc_one(escaped: str) -> None:
    made = session()
    ask(made)
    assert made.note_authentication_info(f'nextnonce="{escaped}"', uri=URI) is InfoResult.ABSENT
    fields = fields_of(ask(made))
    assert (fields["nonce"], fields["nc"]) == (escaped, "00000001")
    assert made.nonce == escaped.replace("\\", "")


def test_behind_a_nextnonce_a_realm_is_still_echoed_byte_for_byte() -> None:
    made = session(r'realm="\r", nonce="n1", qop="auth"')
    ask(made)
    made.note_authentication_info('nextnonce="n2"', uri=URI)
    assert ask(made).startswith(r'Digest username="alice", realm="\r", nonce="n2", uri=')


def test_a_new_nonce_begins_without_a_cnonce_and_draws_its_own() -> None:
    """Law: after any way to a new nonce the session is as one that has not answered yet."""
    random = Random(5)
    made = session()
    used = {fields_of(ask(made, random))["cnonce"]}
    for number, adopted in enumerate((False, True, False), 2):
        nonce = f"n{number}"
        if adopted:
            made.note_authentication_info(f'nextnonce="{nonce}"', uri=URI)
        else:
            renew(made, f'realm="r", nonce="{nonce}", algorithm=MD5, qop="auth"')
        assert (made.nonce, made.nc, made.cnonce) == (nonce, 0, "")
        assert made.adopted is adopted
        cnonce = fields_of(ask(made, random))["cnonce"]
        assert re.fullmatch("[0-9a-f]{32}", cnonce)
        assert cnonce not in used
        used.add(cnonce)


def test_a_response_without_a_body_is_proved_as_one() -> None:
    made = session('realm="r", nonce="n1", qop="auth-int"')
    ask(made)
    assert made.note_authentication_info(f'rspauth="{proof(made, body=b"")}"', uri=URI) is InfoResult.OK


def test_bytes_that_are_no_utf8_are_hashed_as_they_came_and_never_raise() -> None:
    odd = b"n\xff".decode("utf-8", "surrogateescape")
    made = session(f'realm="r", nonce="{odd}", algorithm=MD5-sess, qop="auth"')
    fields = fields_of(ask(made))
    assert fields["nonce"] == odd
    start = hashlib.md5(b"alice:r:secret").hexdigest().encode() + b":n\xff:" + fields["cnonce"].encode()
    key = Secret(hashlib.md5(start).hexdigest())
    a2 = a2_hash(Algorithm.MD5, "REGISTER", URI, "auth", b"")
    assert fields["response"] == response(Algorithm.MD5, key, odd, "00000001", fields["cnonce"], "auth", a2)
    assert made.note_authentication_info(f'rspauth="{odd}"', uri=URI) is InfoResult.WRONG


def test_a_nextnonce_that_is_the_present_one_goes_on_counting() -> None:
    made = session()
    ask(made)
    made.note_authentication_info('nextnonce="n1"', uri=URI)
    assert fields_of(ask(made))["nc"] == "00000002"


def proof(made: DigestSession, *, uri: str = URI, body: bytes = b"", password: str = "secret") -> str:
    algorithm = made.algorithm
    ha1 = Credential(username="alice", password=Secret(password)).ha1_for(algorithm, "r")
    key = session_key(algorithm, ha1, made.nonce, made.cnonce) if algorithm.session else ha1
    a2 = a2_hash(algorithm, "", uri, made.qop, body)
    return response(algorithm, key, made.nonce, f"{made.nc:08x}", made.cnonce, made.qop, a2)


@pytest.mark.requirement("RFC7616-3.5-02")
@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_rspauth_proves_that_the_server_knows_the_password(algorithm: Algorithm, qop: str) -> None:
    made = session(f'realm="r", nonce="n1", algorithm={algorithm.value}, qop="{qop}"')
    ask(made)
    tail = f', cnonce="{made.cnonce}", nc=00000001, qop={qop}'
    body = b"body"
    right, wrong = proof(made, body=body), proof(made, body=body, password="other")
    note = made.note_authentication_info
    assert note(f'rspauth="{right}"{tail}', uri=URI, body=body) is InfoResult.OK
    assert note(f'rspauth="{right.upper()}"', uri=URI, body=body) is InfoResult.OK
    assert note(f'rspauth="{wrong}"{tail}', uri=URI, body=body) is InfoResult.WRONG
    assert note(f'rspauth="{right}"{tail}', uri="sip:other", body=body) is InfoResult.WRONG
    assert note(f"qop={qop}", uri=URI) is InfoResult.ABSENT
    assert note('rspauth="ä"', uri=URI) is InfoResult.WRONG
    changed = note(f'rspauth="{right}"{tail}', uri=URI, body=b"other")
    assert changed is (InfoResult.WRONG if qop == "auth-int" else InfoResult.OK)


def test_rspauth_without_qop() -> None:
    made = session('realm="r", nonce="n1"')
    ask(made)
    assert made.note_authentication_info(f'rspauth="{proof(made)}"', uri=URI) is InfoResult.OK
    assert made.note_authentication_info('rspauth="0"', uri=URI) is InfoResult.WRONG


@pytest.mark.requirement("RFC7616-3.5-03")
@pytest.mark.parametrize("tail", ['cnonce="other", nc=00000001', 'cnonce="{cnonce}", nc=00000002', "nc=1"])
def test_rspauth_for_another_request_is_wrong_even_if_the_hash_is_right(tail: str) -> None:
    made = session()
    ask(made)
    value = f'rspauth="{proof(made)}", {tail.format(cnonce=made.cnonce)}'
    assert made.note_authentication_info(value, uri=URI) is InfoResult.WRONG


def test_a_nextnonce_beside_a_wrong_rspauth_is_not_adopted() -> None:
    made = session()
    ask(made)
    assert made.note_authentication_info('nextnonce="evil", rspauth="0"', uri=URI) is InfoResult.WRONG
    assert fields_of(ask(made))["nonce"] == "n1"


@pytest.mark.parametrize(
    "value", ["", "nextnonce", 'nextnonce="', 'Digest nextnonce="x"', 'nextnonce="a", nextnonce="b"']
)
def test_an_unreadable_info_changes_nothing(value: str) -> None:
    made = session()
    ask(made)
    assert made.note_authentication_info(value, uri=URI) is InfoResult.ABSENT
    assert made.nonce == "n1"


def test_what_is_new_information() -> None:
    made = session()
    same = made.challenge
    assert is_new_information(same, None)
    assert is_new_information(same, made), "nothing was sent yet"
    ask(made)
    assert not is_new_information(same, made)
    assert is_new_information(same._replace(stale=True), made)
    assert is_new_information(same._replace(nonce="n2"), made)
    made.sent = False
    assert is_new_information(same, made), "the last request carried no answer"


@pytest.mark.parametrize(
    ("text", "proxy", "fits"),
    [
        ('realm="r", nonce="n2", algorithm=MD5, qop="auth-int"', False, True),
        ('realm="r", nonce="n2", algorithm=MD5, qop="auth", charset=UTF-8', False, False),
        ('realm="r", nonce="n2", algorithm=MD5, qop="auth"', True, False),
        ('realm="R", nonce="n2", algorithm=MD5, qop="auth"', False, False),
        ('realm="r", nonce="n2", algorithm=MD5-sess, qop="auth"', False, False),
    ],
)
def test_a_session_takes_only_what_leaves_its_ha1_as_it_is(text: str, proxy: bool, fits: bool) -> None:
    (choice,), _ = choose(parse_challenges([f"Digest {text}"], proxy=proxy), [ALICE])
    assert session().fits(choice) is fits


def test_an_ascii_name_has_the_short_form_whatever_else_is_not_ascii() -> None:
    made = session('realm="r\u00e4", nonce="n", algorithm=MD5, qop="auth", charset=UTF-8')
    assert ask(made).startswith('Digest username="alice", realm="r\u00e4", nonce="n", uri=')


def test_a_challenge_behind_a_nextnonce_is_answered_as_one_that_was_asked() -> None:
    made = session()
    ask(made)
    made.note_authentication_info('nextnonce="n2"', uri=URI)
    ask(made)
    assert made.reused
    asked = parse_challenges(['Digest realm="r", nonce="n3", algorithm=MD5, qop="auth"'], proxy=False)
    (choice,), _ = choose(asked, [ALICE])
    made.renew(choice)
    ask(made)
    assert not made.reused


@pytest.mark.parametrize("form", ["08x", "08X"])
def test_the_nc_of_an_info_is_a_number_in_any_case(form: str) -> None:
    made = session()
    for _ in range(10):
        ask(made)
    a2 = a2_hash(made.algorithm, "", URI, "auth", b"")
    ha1 = ALICE.ha1_for(made.algorithm, "r")
    right = response(made.algorithm, ha1, "n1", "0000000a", made.cnonce, "auth", a2)
    info = f'rspauth="{right}", nc={made.nc:{form}}'
    assert made.note_authentication_info(info, uri=URI) is InfoResult.OK


def test_a_session_that_is_not_made_yet_has_a_repr() -> None:
    """A traceback with local variables shows it, and must not hide the error by another."""
    assert repr(DigestSession.__new__(DigestSession)) == "<DigestSession, not made yet>"
