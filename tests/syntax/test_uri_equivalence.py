"""Which URIs mean the same: RFC 3261 section 19.1.4, with RFC 5954 for IPv6 and RFC 3966 for telephone numbers.

Two tables, each pair under the requirement that decides it; the pairs that the RFC prints are marked as such.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from _pytest.mark.structures import ParameterSet
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.addresses import NameAddr
from sipcore.syntax.uri import Uri
from tests.syntax.test_uri import URIS

RULE = "RFC3261-19.1.4"

EQUAL: dict[str, list[tuple[str, str]]] = {
    # user and password by case, everything else without
    f"{RULE}-02": [
        ("SIP:a@h", "sip:a@h"),
        ("sip:a@EXAMPLE.com", "sip:a@example.COM"),
        ("sip:a@h;method=INVITE", "sip:a@h;METHOD=invite"),
        ("sip:a@h;transport=TCP", "sip:a@h;Transport=tcp"),
        ("sip:a@h;x=Y", "sip:a@h;X=y"),
        ("sip:a@h?X=Y", "sip:a@h?x=y"),
    ],
    # order
    f"{RULE}-03": [
        # printed
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@h?X=1&y=2", "sip:a@h?Y=2&x=1"),
        ("sip:a@h?x=1&x=2", "sip:a@h?x=2&x=1"),
        ("sip:a@h;a=1;b=2;c", "sip:a@h;c;b=2;a=1"),
    ],
    # escapes of what need not be escaped
    f"{RULE}-04": [
        # printed
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        # RFC 4475 section 3.1.1.4
        ("sip:%75se%72@example.com", "sip:user@example.com"),
        (
            "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31",
            "sip:caller@host5.example.net;lr;name=value%2541",
        ),
        ("sip:a%3bb@h", "sip:a%3Bb@h"),
        ("sip:%7ea@h", "sip:~a@h"),
        ("sip:%2d%5F%2e%21%7e%2A%27%28%29@h", "sip:-_.!~*'()@h"),
        # not reserved either, and left unescaped by telephones
        ("sip:%2a21%23@h", "sip:*21#@h"),
        ("sip:%5B1%5d@h", "sip:[1]@h"),
        ("tel:7042;phone-context=+1-914;ext=1-2", "tel:7042;ext=12;phone-context=+1914"),
        ("sip:a:%70w@h", "sip:a:pw@h"),
        ("sip:a@h;x=%41", "sip:a@h;x=a"),
        ("sip:a@h;n%61me=%62", "sip:a@h;name=b"),
        ("sip:a@h?%78=%79", "sip:a@h?x=y"),
    ],
    # parameters that are in one only
    f"{RULE}-08": [
        # printed
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        ("sip:a@h;lr", "sip:a@h"),
        ("sip:a@h;lr", "sip:a@h;lr="),
    ],
    # IPv6 by value
    "RFC5954-4.2-01": [
        # printed
        ("sip:bob@[::ffff:192.0.2.128]", "sip:bob@[::ffff:c000:280]"),
        ("sip:[2001:db8::9:1]", "sip:[2001:DB8::9:01]"),
        ("sip:[2001:db8::1]:5060", "sip:[2001:db8:0:0:0:0:0:1]:5060"),
        ("sip:[0:0:0:0:0:0:0:0]", "sip:[::]"),
        ("sip:[::0:1]", "sip:[::1]"),
    ],
    "RFC3966-4-01": [
        ("tel:+1-201-555-0123", "tel:+12015550123"),
        ("TEL:+1(201)555.0123", "tel:+12015550123"),
        ("tel:7042;a=b;phone-context=example.com", "tel:70.42;phone-context=EXAMPLE.com;a=b"),
        ("tel:*A;phone-context=b", "tel:*a;phone-context=B"),
    ],
}

UNEQUAL: dict[str, list[tuple[str, str]]] = {
    f"{RULE}-01": [
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h:5061", "sips:a@h:5061"),
        ("sip:+12015550123@h;user=phone", "tel:+12015550123"),
    ],
    f"{RULE}-02": [
        # printed
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:a@h", "sip:A@h"),
        ("sip:a:pw@h", "sip:a:PW@h"),
        ("sip:%41@h", "sip:a@h"),
    ],
    f"{RULE}-04": [
        ("sip:a%3Bb@h", "sip:a;b@h"),
        ("sip:%40@h", "sip:%3B@h"),
        ("sip:a%00@h", "sip:a@h"),
        ("sip:a%00b@h", "sip:a%00c@h"),
        ("sip:a%20b@h", "sip:a+b@h"),
        ("sip:%C3%A4@h", "sip:%E4@h"),
        ("sip:a@h?x=%3D", "sip:a@h?x=="),
    ],
    f"{RULE}-05": [
        # printed
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:a@localhost", "sip:a@127.0.0.1"),
        ("sip:a@[::ffff:192.0.2.4]", "sip:a@192.0.2.4"),
        ("sip:a@example.com", "sip:a@example.com."),
        ("sip:a@h", "sip:a@i"),
    ],
    f"{RULE}-06": [
        # printed
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sips:h", "sips:h:5061"),
        ("sip:h", "sip:a@h"),
        ("sip:a@h", "sip:a:pw@h"),
        ("sip:a:@h", "sip:a@h"),
        ("sip:a@h:1", "sip:a@h:2"),
    ],
    f"{RULE}-07": [
        # printed
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:a@h", "sip:a@h;user=phone"),
        ("sip:a@h", "sip:a@h;user=ip"),
        ("sip:a@h", "sip:a@h;ttl=1"),
        ("sip:a@h", "sip:a@h;method=INVITE"),
        ("sip:a@h", "sip:a@h;maddr=h"),
        ("sip:a@h", "sip:a@h;%6Daddr=h"),
        ("sip:a@h;transport=tcp", "sip:a@h;transport=udp"),
        ("sip:a@h;user=phone", "sip:a@h;user=ip"),
        ("sip:a@h;maddr=192.0.2.1", "sip:a@h;maddr=192.0.2.2"),
        ("sip:a@h;x=1", "sip:a@h;x=2"),
        ("sip:a@h;lr", "sip:a@h;lr=on"),
        ("sip:a@h;x=1;y=1", "sip:a@h;x=1;y=2;z"),
    ],
    f"{RULE}-09": [
        # printed
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:a@h?x=1", "sip:a@h?x=2"),
        ("sip:a@h?x=1", "sip:a@h?y=1"),
        ("sip:a@h?x=1", "sip:a@h?x=1&x=1"),
        ("sip:a@h?x=1", "sip:a@h?x=1&y=2"),
    ],
    f"{RULE}-10": [
        # printed: neither differs from the URI without the parameter
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ],
    "RFC3261-19.1.2-03": [
        ("sip:%2561@h", "sip:a@h"),
        ("sip:%2561@h", "sip:%61@h"),
        ("sip:a@h;x=%2541", "sip:a@h;x=A"),
    ],
    "RFC5954-4.2-01": [
        ("sip:a@[::1]", "sip:a@[::2]"),
        ("sip:a@[2001:db8::1:0]", "sip:a@[2001:db8::1]"),
    ],
    "RFC3261-19.1.6-01": [
        ("sip:+1-212-555-1212@h;user=phone", "sip:+12125551212@h;user=phone"),
        ("sip:+358-555-1234567;postd=pp22@h;user=phone", "sip:+358-555-1234567;POSTD=PP22@h;user=phone"),
    ],
    "RFC3966-4-01": [
        ("tel:+7042", "tel:7042"),
        ("tel:7042;phone-context=a", "tel:7042"),
        ("tel:7042;phone-context=a", "tel:7042;phone-context=b"),
        ("tel:7042;a=b", "tel:7042;a"),
    ],
    # Of other schemes nothing is known but their text.
    "": [("urn:a", "urn:A"), ("urn:a-b", "urn:ab"), ("x:a;b;c", "x:a;c;b")],
}


def pairs(table: dict[str, list[tuple[str, str]]]) -> list[ParameterSet]:
    return [
        pytest.param(one, two, marks=[pytest.mark.requirement(rule)] if rule else [])
        for rule, rows in table.items()
        for one, two in rows
    ]


@pytest.mark.parametrize(("one", "two"), pairs(EQUAL))
def test_equivalent(one: str, two: str) -> None:
    first, second = Uri.parse(one), Uri.parse(two)
    assert first.equivalent(second)
    assert second.equivalent(first)
    assert first.equivalent(first)


@pytest.mark.parametrize(("one", "two"), pairs(UNEQUAL))
def test_not_equivalent(one: str, two: str) -> None:
    first, second = Uri.parse(one), Uri.parse(two)
    assert not first.equivalent(second)
    assert not second.equivalent(first)


def test_equal_text_is_equivalent_in_every_scheme() -> None:
    for text in ("urn:a", "sip:a@h", "tel:7042;a", "nobodyknowsthisscheme:x"):
        assert Uri.parse(text).equivalent(Uri.parse(text))


@pytest.mark.requirement("RFC3261-19.1.4-10")
def test_equivalence_is_not_transitive_so_no_key_can_stand_for_it() -> None:
    """on ~ plain and plain ~ off, but not on ~ off: a key equal for each pair that is equivalent would be equal for
    the third, too. So a `Uri` compares and hashes by its parts, and offers nothing to put URIs into a table by."""
    on, plain, off = (Uri.parse(f"sip:a@h{tail}") for tail in (";security=on", "", ";security=off"))
    assert on.equivalent(plain)
    assert plain.equivalent(off)
    assert not on.equivalent(off)
    assert len({on, plain, off}) == 3
    assert plain in {Uri.parse("sip:a@h")}
    assert on not in {plain}
    assert [name for name in dir(Uri) if any(word in name for word in ("key", "canon", "normal"))] == []


@pytest.mark.requirement("RFC3261-19.1.4-10")
def test_an_order_of_comparison_does_not_change_a_pair() -> None:
    uris = [Uri.parse(f"sip:a@h{tail}") for tail in (";security=on", ";x", "", ";security=off", ";y=1;security=on")]
    found = {(one, two) for one, two in combinations(range(len(uris)), 2) if uris[one].equivalent(uris[two])}
    assert found == {(0, 1), (0, 2), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4)}


@pytest.mark.requirement("RFC4475-3.1.1.4-01", "RFC3261-19.1.4-04", "RFC3261-19.1.2-03")
def test_the_users_of_a_message_full_of_escapes() -> None:
    """RFC 4475 section 3.1.1.4: which of these is user@example.com, and which is not."""
    user = Uri.parse("sip:user@example.com")
    for text in ("<sip:%75se%72@example.com>", "sip:us%65r@EXAMPLE.COM", "<SIP:%75%73%65%72@example.com;%6C%72>"):
        assert NameAddr.parse(text).uri.equivalent(user), text
    for other in ("sips:user", "sip:%55ser", "sip:%2575ser", "sip:user%00"):
        assert not Uri.parse(f"{other}@example.com").equivalent(user), other
    one = Uri.parse("sips:sips%3Auser%40example.com@example.net")
    assert one.equivalent(Uri.parse("sips:sips%3auser%40example.com@EXAMPLE.net"))
    assert one.user == "sips%3Auser%40example.com"


@pytest.mark.requirement("RFC3261-19.1.2-03", "RFC3261-19.1.4-04", "RFC4475-3.1.1.4-01")
def test_escapes_are_undone_once_and_only_where_they_mean_nothing() -> None:
    users = ["a", "%2561", "a%00", "a%00b", "%40", "%3B", ";"]
    uris = [Uri(scheme="sip", user=user, host="h") for user in users]
    assert not any(one.equivalent(two) for one, two in combinations(uris, 2))


@pytest.mark.requirement("RFC5954-4.2-01")
@pytest.mark.parametrize("tail", ["", ":5060", ";transport=tcp", "?x=y"])
def test_every_spelling_of_an_ipv6_address_is_one_host(tail: str) -> None:
    spellings = ["2001:db8::9:1", "2001:DB8:0:0:0:0:9:1", "2001:0db8::0009:0001", "2001:db8::0.9.0.1"]
    for one, two in pairwise([Uri.parse(f"sip:a@[{text}]{tail}") for text in spellings]):
        assert one.equivalent(two)
        assert not one.equivalent(Uri.parse(f"sip:a@[2001:db8::9:2]{tail}"))


def test_values_that_were_never_parsed_compare_without_error() -> None:
    assert not Uri(scheme="sip", user="50%", host="h").equivalent(Uri(scheme="sip", user="50%o", host="h"))
    assert not Uri(scheme="sip", host="[x]").equivalent(Uri(scheme="sip", host="[y]"))


# --- laws ------------------------------------------------------------------------------------------------------------


@given(URIS, URIS)
@settings(max_examples=300)
def test_equivalence_is_reflexive_and_symmetric(one: Uri, two: Uri) -> None:
    """Law: u ~ u; and u ~ v exactly when v ~ u."""
    assert one.equivalent(one)
    assert one.equivalent(two) == two.equivalent(one)


@given(URIS, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_another_spelling_is_equivalent(uri: Uri, random: object) -> None:
    """Law: case of scheme, host and parameter names, order of parameters, and unreserved characters escaped or not,
    change nothing."""
    shuffle = list(uri.parameters)
    random.shuffle(shuffle)  # type: ignore[attr-defined]  # hypothesis' own Random
    user = uri.user
    if user is not None:
        user = "".join(f"%{ord(letter):02x}" if letter.isalnum() else letter for letter in user)
    parameters = tuple((name.upper(), value) for name, value in shuffle)
    text = str(uri._replace(user=user, password=None, parameters=parameters))
    scheme, _, rest = text.partition(":")
    other = Uri.parse(f"{scheme.upper()}:{rest.replace(uri.host, uri.host.swapcase(), 1)}")
    assert other.equivalent(uri)
    assert uri.equivalent(other)


@given(URIS, URIS)
@settings(max_examples=300)
def test_what_is_equivalent_shares_scheme_user_and_port(one: Uri, two: Uri) -> None:
    """Law: parts that have no second spelling are equal in equivalent URIs."""
    if one.equivalent(two):
        assert (one.scheme, one.user, one.port, one.host.lower()) == (two.scheme, two.user, two.port, two.host.lower())


def test_malformed_escapes_never_reach_a_comparison() -> None:
    for text in ("sip:a%@h", "sip:a%zz@h", "sip:a@h;x=%4", "sip:a@h?x=%"):
        with pytest.raises(RemoteProtocolError):
            Uri.parse(text)
