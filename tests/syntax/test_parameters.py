"""`;name=value` lists."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax import parse_message
from sipcore.syntax.limits import MAX_PARAMETERS
from sipcore.syntax.parameters import Parameters, format_parameters, get, parse_parameters

SAMPLES: list[tuple[str, Parameters]] = [
    ("", ()),
    (";lr", (("lr", None),)),
    (";tag=1928301774", (("tag", "1928301774"),)),
    (";expires=60;q=0.7;ob", (("expires", "60"), ("q", "0.7"), ("ob", None))),
    (';+sip.instance="<urn:uuid:0>";reg-id=1', (("+sip.instance", '"<urn:uuid:0>"'), ("reg-id", "1"))),
    (';a="b;c";d', (("a", '"b;c"'), ("d", None))),
    (r';a="b\";c";d', (("a", r'"b\";c"'), ("d", None))),
    (";received=2001:db8::9", (("received", "2001:db8::9"),)),
    (";a=b=c", (("a", "b=c"),)),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "parameters"), SAMPLES)
@pytest.mark.requirement("RFC3261-25.1-01", "RFC3261-20-02")
def test_samples_both_ways(text: str, parameters: Parameters) -> None:
    assert parse_parameters(text, "test") == parameters
    assert format_parameters(parameters) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" ; lr", ";lr"),
        (" ;\texpires = 60 ; q = 1 ", ";expires=60;q=1"),
        ("\t;\tq\t=\t1\t;\tx\t=\t\"a\"\t;\tlr\t", ';q=1;x="a";lr'),
        (';a = "x y" ; b', ';a="x y";b'),
    ],
)
@pytest.mark.requirement("RFC3261-25.1-04")
def test_white_space_around_semicolon_and_equal_sign(text: str, canonical: str) -> None:
    assert format_parameters(parse_parameters(text, "test")) == canonical


@pytest.mark.requirement("RFC3261-7.3.1-11")
def test_the_case_of_names_does_not_count_and_that_of_values_is_kept() -> None:
    parameters = parse_parameters(";ExPiReS=3600;TRANSPORT=UDP;Tag=AbC", "test")
    assert get(parameters, "expires") == "3600"
    assert get(parameters, "transport") == "UDP"
    assert get(parameters, "tag") == "AbC"


def test_a_name_alone_is_told_from_an_absent_one() -> None:
    parameters = parse_parameters(";lr;rport=", "test")
    assert get(parameters, "lr") == ""
    assert get(parameters, "rport") == ""
    assert get(parameters, "ob") is None


def test_lenient_the_characters_of_names_and_values_in_a_header() -> None:
    assert parse_parameters(";a/b[1]=c<d @;q=0.[", "test") == (("a/b[1]", "c<d @"), ("q", "0.["))


def test_lenient_an_empty_value() -> None:
    assert parse_parameters(";rport=;branch=x", "test") == (("rport", ""), ("branch", "x"))


@pytest.mark.parametrize(
    "text", [";", ";;a", ";a;", ";=b", "; ;", ";a b=c", ";a,b", ";<a>", ";ä=1", ";\u212a=1", "a=b", 'x;a="b"']
)
@pytest.mark.requirement("RFC4475-3.1.2.1-01")
def test_malformed(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_parameters(text, "test")


@pytest.mark.parametrize("text", [';a="b', ';a="b\\"', ';a="b"c', ';a="b";c="', ';"a"=b'])
def test_malformed_quoted_strings(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_parameters(text, "test")


@pytest.mark.parametrize("text", [";branch=a;branch=b", ";expires=5;Expires=5", ";a;b;A"])
@pytest.mark.requirement("RFC3261-7.3.1-10", "RFC3261-19.1.1-03")
def test_a_name_may_occur_only_once(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="twice"):
        parse_parameters(text, "test")


def test_the_number_is_limited() -> None:
    most = "".join(f";p{number}" for number in range(MAX_PARAMETERS))
    assert len(parse_parameters(most, "test")) == MAX_PARAMETERS
    with pytest.raises(LimitExceeded):
        parse_parameters(f"{most};one", "test")


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~[]/:&$()", min_size=1, max_size=8)
VALUES = st.one_of(
    st.none(),
    st.text("abcXYZ0189-.:[]%", max_size=8),
    st.text('abc;=, <>"\\', max_size=8).map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6, unique_by=lambda item: item[0]))
@settings(max_examples=200)
def test_parse_is_the_inverse_of_format(items: list[tuple[str, str | None]]) -> None:
    """Law: parse(format(p)) == p for every p with valid names, no name twice."""
    assert parse_parameters(format_parameters(tuple(items)), "test") == tuple(items)


@given(st.text(alphabet=';="\\a \t<,', max_size=30))
@settings(max_examples=300)
def test_what_is_taken_is_written_back_the_same(text: str) -> None:
    """Law: for any text, parse raises RemoteProtocolError only, and format gives what parses to the same."""
    try:
        parameters = parse_parameters(text, "test")
    except RemoteProtocolError:
        return
    assert parse_parameters(format_parameters(parameters), "test") == parameters


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Contact", "sip:a@b;x=<, sip:c@d;y=>"),
        ("Contact", "<sip:a@b>;x=<, <sip:c@d>"),
        ("Via", "SIP/2.0/UDP a;x=<, SIP/2.0/UDP b;y=>"),
    ],
)
def test_no_comma_hides_between_angle_brackets_of_a_parameter(header: str, value: str) -> None:
    """Others end the element there, and would see two contacts or hops where we see one."""
    message = parse_message(f"OPTIONS sip:a SIP/2.0\r\n{header}: {value}\r\n\r\n".encode())
    with pytest.raises(RemoteProtocolError):
        _ = message.contacts if header == "Contact" else message.via
