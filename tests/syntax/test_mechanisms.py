"""Lists of security mechanisms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax import Mechanism, format_mechanisms, parse_mechanisms, parse_message
from sipcore.syntax.limits import MAX_MECHANISMS

LISTS: list[tuple[str, tuple[Mechanism, ...]]] = [
    ("tls", (Mechanism("tls"),)),
    (
        "digest;d-alg=MD5;d-qop=auth;q=0.1, tls;q=0.2",
        (
            Mechanism("digest", (("d-alg", "MD5"), ("d-qop", "auth"), ("q", "0.1"))),
            Mechanism("tls", (("q", "0.2"),)),
        ),
    ),
    (
        'ipsec-3gpp;alg=hmac-md5-96;spi=1234;port1=5062;q=1, x;y="a, b;c"',
        (
            Mechanism("ipsec-3gpp", (("alg", "hmac-md5-96"), ("spi", "1234"), ("port1", "5062"), ("q", "1"))),
            Mechanism("x", (("y", '"a, b;c"'),)),
        ),
    ),
    ("sdes-srtp;mediasec", (Mechanism("sdes-srtp", (("mediasec", None),)),)),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "mechanisms"), LISTS)
def test_lists_both_ways(text: str, mechanisms: tuple[Mechanism, ...]) -> None:
    assert parse_mechanisms([text]) == mechanisms
    assert format_mechanisms(mechanisms) == text


def test_what_a_mechanism_says() -> None:
    verify = "0123456789abcdef" * 2
    [mechanism] = parse_mechanisms([f' Digest ; Q = 0.25 ; d-alg=SHA-256 ; d-qop=auth-int;d-ver="{verify}"'])
    assert (mechanism.name, mechanism.q, mechanism.algorithm) == ("digest", 250, "SHA-256")
    assert (mechanism.qop, mechanism.verify, mechanism.media) == ("auth-int", verify, False)
    bare = Mechanism.parse("tls")
    assert (bare.q, bare.algorithm, bare.qop, bare.verify) == (None, None, None, None)


def test_the_lines_of_a_message_are_one_list() -> None:
    message = parse_message(
        b"SIP/2.0 494 Security Agreement Required\r\nSecurity-Server: tls;q=0.2\r\n"
        b"security-server: digest;\r\n q=0.1, ipsec-man\r\n\r\n"
    )
    names = [mechanism.name for mechanism in parse_mechanisms(message.get_all("security-server"))]
    assert names == ["tls", "digest", "ipsec-man"]


@pytest.mark.parametrize(
    "values",
    [
        ["digest;q=0.5, tls;q=0.5"],
        ["digest;q=0.5, tls;q=0.50"],
        ["digest;q=1", "tls;q=1.000"],
        ["a;q=0, b;q=1, c;q=0."],
    ],
)
@pytest.mark.requirement("RFC3329-2.2-02")
def test_two_mechanisms_with_the_same_q_are_an_error(values: list[str]) -> None:
    with pytest.raises(RemoteProtocolError, match="same q"):
        parse_mechanisms(values)


@pytest.mark.requirement("RFC3329-2.2-02")
def test_mechanisms_without_q_have_no_q_in_common() -> None:
    assert len(parse_mechanisms(["digest, tls, ipsec-ike;q=0.1"])) == 3


@pytest.mark.requirement("DRAFT-dawes-mediasec-all-04")
def test_mechanisms_for_media_are_a_list_of_their_own() -> None:
    mechanisms = parse_mechanisms(["tls;q=0.2, sdes-srtp;mediasec;q=0.2"])
    assert [mechanism.media for mechanism in mechanisms] == [False, True]
    with pytest.raises(RemoteProtocolError, match="same q"):
        parse_mechanisms(["dtls-srtp;q=0.2;mediasec, sdes-srtp;mediasec;q=0.2"])


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "tls,",
        "tls,,digest",
        "t ls",
        "tls/1",
        ";q=0.1",
        "tls;",
        "tls;q=0.1;q=0.2",
        "tls;q",
        "tls;q=",
        "tls;q=1.1",
        "tls;q=+1",
        "tls;q=high",
        'tls;q="0.1"',
        "digest;d-alg",
        'digest;d-alg="MD5"',
        "digest;d-qop=",
        "digest;d-ver=0123456789abcdef0123456789abcdef",
        'digest;d-ver="0123456789ABCDEF0123456789abcdef"',
        'digest;d-ver="0123456789abcdef0123456789abcde"',
        'digest;d-ver="0123456789abcdef0123456789abcdeg"',
        'digest;d-ver="0123456789abcdef0123456789abcdef',
        'digest;d-ver=""',
    ],
)
def test_malformed_lists(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_mechanisms([text])


def test_the_number_of_mechanisms_is_limited() -> None:
    assert len(parse_mechanisms(["a, " * (MAX_MECHANISMS - 1) + "a"])) == MAX_MECHANISMS
    with pytest.raises(LimitExceeded):
        parse_mechanisms(["a", "a, " * (MAX_MECHANISMS - 1) + "a"])


NAMES = st.sampled_from(["tls", "digest", "ipsec-ike", "ipsec-3gpp", "x"])
PARAMETERS = st.lists(
    st.sampled_from(
        [("d-alg", "MD5"), ("d-qop", "auth"), ("d-ver", f'"{"0" * 32}"'), ("spi", "1"), ("mediasec", None)]
    ),
    max_size=5,
    unique=True,
)


@given(st.lists(st.tuples(NAMES, PARAMETERS), max_size=8))
def test_what_was_written_is_read_back(items: list[tuple[str, list[tuple[str, str | None]]]]) -> None:
    """Law: parse is the inverse of format, on all lists whose q differ."""
    mechanisms = tuple(
        Mechanism(name, (("q", f"0.{place}"), *parameters)) for place, (name, parameters) in enumerate(items)
    )
    assert parse_mechanisms([format_mechanisms(mechanisms)]) == mechanisms


@given(st.text(alphabet='q=01.;, "dalg-ver\\', max_size=40))
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Law: any text gives a list or RemoteProtocolError, no q occurs twice, and the list is written back equal."""
    try:
        mechanisms = parse_mechanisms([text])
    except RemoteProtocolError:
        return
    preferences = [mechanism.q for mechanism in mechanisms if mechanism.q is not None]
    assert len(set(preferences)) == len(preferences)
    assert parse_mechanisms([format_mechanisms(mechanisms)]) == mechanisms
