"""Reading challenges: several in a line, several lines, odd forms, and nothing that raises."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore.auth import Challenge, Credential, parse_challenges, select
from sipcore.auth.fields import MAX_VALUE
from sipcore.syntax.limits import MAX_CHALLENGES, MAX_PARAMETERS
from sipcore.values import Secret

CHALLENGES: list[dict[str, str]] = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))["challenges"]

CREDENTIALS = (Credential(username="alice", password=Secret("secret")),)


def parse(*values: str, proxy: bool = False) -> tuple[Challenge, ...]:
    return parse_challenges(values, proxy=proxy)


def one(value: str) -> Challenge:
    (challenge,) = parse(value)
    return challenge


@pytest.mark.parametrize("case", CHALLENGES, ids=lambda case: str(case["id"]))
@pytest.mark.requirement("RFC7616-3.3-02", "RFC8760-2.4-04")
def test_the_challenges_of_the_vectors_are_answered_or_not_as_required(case: dict[str, str]) -> None:
    sessions = select(parse(case["challenge"]), CREDENTIALS).sessions
    # A challenge with an empty qop is the one that is left to policy; ours answers it as if it had none.
    assert len(sessions) == int(case["id"].startswith("ok-") or case["id"] == "neg-empty-qop")


def test_all_parameters_are_read() -> None:
    challenge = one(
        'Digest realm="sip.example.test", domain="sip:a sip:b", nonce="N+/1==", opaque="o", stale=false, '
        'algorithm=SHA-256, qop="auth,auth-int", charset=UTF-8, userhash=true, future="x"'
    )
    assert challenge == Challenge(
        scheme="Digest",
        realm="sip.example.test",
        nonce="N+/1==",
        opaque="o",
        algorithm="SHA-256",
        qop=("auth", "auth-int"),
        stale=False,
        userhash=True,
        domain="sip:a sip:b",
        proxy=False,
        charset="UTF-8",
    )


def test_white_space_may_stand_around_the_equals_signs_and_commas() -> None:
    challenge = one(
        'Digest realm =  "[1:ABCD::abc]"\t, nonce =  "31d0", qop="AUTH , autH-INt",algorithm =  md5  ,  stale =  TRUE '
    )
    assert (challenge.realm, challenge.nonce) == ("[1:ABCD::abc]", "31d0")
    assert (challenge.qop, challenge.algorithm, challenge.stale) == (("auth", "auth-int"), "md5", True)


@pytest.mark.parametrize(
    "value",
    [
        'Digest realm="r", nonce="n", algorithm="MD5", stale="true", qop=auth',
        'Digest realm="r", nonce="n", algorithm=MD5, stale=TRUE, qop="auth"',
        'DIGEST REALM="r", Nonce="n", ALGORITHM=MD5, Stale=True, QOP="auth"',
        'digest realm="r",nonce="n",algorithm=MD5,stale=true,qop=auth',
        'Digest realm=r, nonce=n, algorithm=MD5, stale=true, qop="auth"',
        ', ,Digest realm="r", , nonce="n", algorithm=MD5, stale=true, qop="auth",',
    ],
    ids=["quoted", "usual", "case", "no-spaces", "all-tokens", "empty-elements"],
)
@pytest.mark.requirement("RFC7616-3.3-05", "RFC7235-2.1-01")
def test_leniencies_give_the_same_challenge(value: str) -> None:
    assert one(value) == Challenge("Digest", "r", "n", algorithm="MD5", qop=("auth",), stale=True)


@pytest.mark.requirement("RFC7616-3.3-01")
@pytest.mark.parametrize(
    ("text", "stale"), [("TRUE", True), ('"true"', True), ("false", False), ("1", False), ('"yes"', False)]
)
def test_stale_is_true_in_any_case_and_everything_else_is_not(text: str, stale: bool) -> None:
    assert one(f'Digest realm="r", nonce="n", stale={text}').stale is stale


def test_values_may_hold_commas_equals_signs_and_slashes() -> None:
    challenge = one('Digest realm="a, Digest realm=b", nonce="x+/=,y==", qop="auth"')
    assert (challenge.realm, challenge.nonce) == ("a, Digest realm=b", "x+/=,y==")


@pytest.mark.requirement("RFC3261-25.1-01")
def test_escapes_are_undone_for_use_and_kept_for_the_echo() -> None:
    plain = one(r'Digest realm="a\"b,c;d\\e", nonce="n"')
    assert plain.realm == r'a"b,c;d\e'
    assert plain.verbatim == ()
    assert plain.echo("realm", plain.realm) == r'"a\"b,c;d\\e"'
    odd = one(r'Digest realm="\a\b", nonce="\n", opaque="\o"')
    assert (odd.realm, odd.nonce, odd.opaque) == ("ab", "n", "o")
    assert odd.echo("realm", odd.realm) == r'"\a\b"'
    assert odd.echo("nonce", odd.nonce) == r'"\n"'
    assert odd.echo("opaque", "o") == r'"\o"'


def test_escapes_in_qop_and_algorithm_are_undone() -> None:
    challenge = one(r'Digest realm="a", nonce="b", qop="\auth,\x", algorithm="MD\5"')
    assert (challenge.qop, challenge.algorithm) == (("auth", "x"), "MD5")
    assert one(str(challenge)) == challenge


def test_what_is_written_is_what_was_read_byte_for_byte() -> None:
    """Servers compare some of it without undoing escapes, and some know tokens in one case only."""
    for value in (
        r'Digest realm="\r\"", domain="sip:a", nonce="\n", opaque="\o", stale=true, algorithm=MD5, qop="auth,x", '
        "charset=UTF-8, userhash=true",
        'Digest realm="", nonce="", opaque="", algorithm="a b"',
        'Digest realm="r", nonce="n"',
    ):
        (challenge,) = parse(value)
        assert str(challenge) == value


@pytest.mark.parametrize(
    ("text", "qop"),
    [
        ("auth", ("auth",)),
        ("auth,auth-int", ("auth", "auth-int")),
        ("auth-int,auth", ("auth-int", "auth")),
        ("Auth, AUTH-INT", ("auth", "auth-int")),
        ("", ()),
    ],
)
def test_qops_are_read_in_the_peers_order(text: str, qop: tuple[str, ...]) -> None:
    assert parse(f'Digest realm="r", nonce="n", qop="{text}"')[0].qop == qop
    assert parse(f'Digest realm = "r", nonce="n", qop="{text}"')[0].qop == qop, "the long way"


@pytest.mark.parametrize("text", ["auth\u00a0", "\u3000auth", "AUTHX", "Xauth"])
def test_only_blanks_are_taken_off_the_names_of_qops(text: str) -> None:
    assert parse(f'Digest realm="r", nonce="n", qop="{text}, auth-int\t"')[0].qop == (text.lower(), "auth-int")


def test_an_empty_realm_is_a_realm_and_an_empty_opaque_an_opaque() -> None:
    assert one('Digest realm="", nonce="n", opaque=""')[:4] == ("Digest", "", "n", "")
    assert one('Digest realm="", nonce="n"').opaque is None


TWO = ('Digest realm="a", nonce="1", algorithm=SHA-256, qop="auth"', 'Digest realm="a", nonce="2", algorithm=MD5')


@pytest.mark.parametrize("order", [TWO, TWO[::-1]], ids=["sha-first", "md5-first"])
def test_several_challenges_in_one_line_and_in_several_lines_are_the_same(order: tuple[str, str]) -> None:
    apart = parse(*order)
    assert [challenge.algorithm for challenge in apart] == [one(text).algorithm for text in order]
    assert parse(", ".join(order)) == apart
    assert parse(",".join(order)) == apart


@pytest.mark.requirement("RFC8760-2.4-02", "RFC7235-2.1-01")
def test_strange_schemes_are_kept_by_name_and_end_no_list() -> None:
    digest = 'Digest realm="r", nonce="n"'
    value = f'Negotiate, NTLM TlRM==, Bearer realm="x", scope="a b", {digest}, FooAuth x, Basic realm="b"'
    assert [challenge.scheme for challenge in parse(value)] == [
        "Negotiate",
        "NTLM",
        "Bearer",
        "Digest",
        "FooAuth",
        "Basic",
    ]
    assert parse(value)[3] == one(digest)
    assert not parse(value)[0].digest


@pytest.mark.parametrize(
    "broken",
    [
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="a", realm="b", nonce="n"',
        'Digest realm="r" nonce="n"',
        'Digest realm="r", nonce="n"x',
        'Digest realm="r", nonce="a\r\nb"',
        'Digest realm="r", nonce="a\0b"',
        'Digest realm="r", nonce=',
        'Digest realm"r", nonce="n"',
        'Digest realm="r", nonce="n", =x',
        f'Digest realm="r", nonce="{"n" * (MAX_VALUE + 1)}"',
        f'Digest realm="{"n" * (MAX_VALUE + 1)}", nonce="n"',
        'Digest realm="r", nonce="n"' + "".join(f", p{i}=1" for i in range(MAX_PARAMETERS)),
        'realm="r", nonce="n"',
        "",
        "Digest",
        "Digest ,",
    ],
)
def test_a_malformed_challenge_is_left_out_and_the_next_is_read(broken: str) -> None:
    good = 'Digest realm="good", nonce="n"'
    assert parse(broken) == ()
    assert parse(broken, good) == parse(good)
    assert parse(f"{good}, {broken}")[:1] == parse(good)[: int(broken[:6] == "Digest" or not broken)]


def test_an_unterminated_string_ends_its_own_challenge_only() -> None:
    assert [c.realm for c in parse('Digest realm="a", nonce="1", Digest realm="b", nonce="2')] == ["a"]


def test_the_number_of_challenges_is_bounded() -> None:
    values = [f'Digest realm="{i}", nonce="n"' for i in range(MAX_CHALLENGES + 1)]
    assert len(parse(*values)) == MAX_CHALLENGES
    assert len(parse(", ".join(values))) == MAX_CHALLENGES
    assert len(parse(", ".join(["Negotiate"] * 1000))) == MAX_CHALLENGES


def test_the_kind_of_header_is_noted() -> None:
    assert all(challenge.proxy for challenge in parse(*TWO, "Basic", proxy=True))
    assert not any(challenge.proxy for challenge in parse(*TWO, "Basic"))


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)


@settings(max_examples=200)
@given(
    st.lists(
        st.builds(
            Challenge,
            st.just("Digest"),
            TEXT,
            TEXT,
            st.none() | TEXT,
            st.none() | st.sampled_from(["MD5", "SHA-256-sess", "odd one", "FOO"]),
            st.sampled_from([(), ("auth",), ("auth-int", "auth"), ("x", "auth-conf")]),
            st.booleans(),
            st.booleans(),
            st.none() | TEXT,
            proxy=st.just(False),
            charset=st.sampled_from([None, "UTF-8"]),
            verbatim=st.just(()),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_writing_and_reading_are_inverse(challenges: list[Challenge], joined: bool) -> None:
    """Law: parse(str(c)) is c, for one challenge to a line and for several in a line."""
    lines = [str(challenge) for challenge in challenges]
    assert parse(*([", ".join(lines)] if joined else lines)) == tuple(challenges)


PIECES = [
    "Digest ",
    "realm=",
    "nonce=",
    '"',
    "\\",
    ",",
    " ",
    "=",
    "\t",
    "a",
    "b",
    "\r\n",
    "\0",
    "é",
    "\udcff",
    "Basic ",
    "qop",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=80), st.booleans())
def test_no_text_raises_or_makes_a_value_that_could_end_a_header(text: str, proxy: bool) -> None:
    """Law: any text gives challenges, of which no value has a line end or NUL."""
    for challenge in parse_challenges([text], proxy=proxy):
        assert not {"\r", "\n", "\0"} & set(str(challenge))


@pytest.mark.parametrize("piece", ['a="', 'a="\\",', "a=b ", '"', "\\", ", ", "a ", "a= ", " \t", 'Digest a="'])
def test_hostile_repetition_takes_linear_work(piece: str) -> None:
    # Not a matter of time but of steps: an expression that went back would not come to an end with these.
    assert len(parse(f"Digest {piece * 20_000}")) <= MAX_CHALLENGES


ITEMS = st.sampled_from(
    [
        'realm="a"', 'realm="b, c"', 'realm=""', r'realm="a\"b"', "realm=a", 'Realm="a"', 'nonce="n=="', 'nonce=""',
        "nonce=n", 'opaque="o"', 'opaque=""', "algorithm=MD5", 'algorithm="MD5"', "algorithm=sha-256", "algorithm=",
        'qop="auth"', 'qop="AUTH , auth-int"', "qop=auth", 'qop=""', "stale=TRUE", "stale=false", 'stale="true"',
        'domain="sip:a sip:b"',
        "charset=UTF-8", "userhash=true", 'vendor="x"', 'nonce = "n"', 'realm="\x01"', 'realm="é"', "", "x", '"',
    ]
)  # fmt: skip


@given(
    st.sampled_from(["Digest ", "digest ", "Digest  ", "Digest\t", "Basic ", "Digest"]),
    st.lists(ITEMS, max_size=6),
    st.sampled_from([", ", ",", ",  ", " , ", " "]),
    st.sampled_from(["", ",", ", ", " "]),
)
@example("Digest ", ['realm="a"', 'nonce="n"', 'realm="b"'], ", ", "")
@example("Digest ", ['realm="a"', 'nonce="n"', 'nonce="n"'], ",", "")
@example("Digest ", ['realm="a"', 'nonce="n"'], ", ", ",")
@settings(max_examples=1500)
def test_the_short_way_gives_what_the_long_way_gives(scheme: str, items: list[str], comma: str, end: str) -> None:
    """Law: a challenge that one expression takes whole is read as if it had been taken apart piece by piece."""
    value = scheme + comma.join(items) + end
    short = parse_challenges([value], proxy=False)
    with patch("sipcore.auth.challenge._usual_digest", lambda value: None):
        assert parse_challenges([value], proxy=False) == short


def test_the_short_way_is_taken() -> None:
    """Else the law above would compare a thing with itself."""
    with patch("sipcore.auth.challenge.parse_schemes", side_effect=AssertionError):
        assert len(parse_challenges(TWO, proxy=False)) == 2
        every = (
            'Digest realm="r", nonce="n", opaque="o", algorithm=MD5, qop="auth", stale=true, domain="sip:a", '
            "charset=UTF-8, userhash=true"
        )
        assert parse_challenges([every], proxy=False) == (
            Challenge("Digest", "r", "n", "o", "MD5", ("auth",), True, True, "sip:a", False, "UTF-8"),
        )


@pytest.mark.parametrize("text", ["true", "TRUE", "True", '"TRUE"'])
def test_userhash_and_stale_in_any_case(text: str) -> None:
    challenge = one(f'Digest realm="r", nonce="n", stale={text}, userhash={text}')
    assert (challenge.stale, challenge.userhash) == (True, True)


@pytest.mark.parametrize("text", ["ISO-8859-1", "UTF8", '"x"'])
def test_there_is_one_charset(text: str) -> None:
    assert one(f'Digest realm="r", nonce="n", charset={text}').charset is None
    assert one('Digest realm="r", nonce="n", charset=utf-8').charset == "UTF-8"


@pytest.mark.parametrize("filler", ["a", "é", "😀", r"\a"])
def test_what_is_kept_of_a_challenge_is_bounded_in_bytes(filler: str) -> None:
    """A session keeps its challenge for as long as the registration lives, and every request carries it back."""
    text = filler * (4000 // len(filler))
    assert parse(f'Digest realm="{text}", nonce="{text}", opaque="{text}"') == ()
    most = MAX_VALUE // 4 // max(1, len(filler.encode()))
    (kept,) = parse(f'Digest realm="{filler * (most // 4)}", nonce="{filler * (most // 4)}"')
    assert len(f"{kept.realm}{kept.nonce}".encode()) <= MAX_VALUE
