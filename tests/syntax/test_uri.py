"""URIs: parts, text, and what is equivalent to what."""

from __future__ import annotations

import traceback
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.uri import Uri

SAMPLES: list[tuple[str, Uri]] = [
    ("sip:example.com", Uri(scheme="sip", host="example.com")),
    ("sips:example.com:5061", Uri(scheme="sips", host="example.com", port=5061)),
    ("sip:alice@example.com", Uri(scheme="sip", user="alice", host="example.com")),
    ("sip:alice:secret@h", Uri(scheme="sip", user="alice", password="secret", host="h")),
    ("sip:alice:@h", Uri(scheme="sip", user="alice", password="", host="h")),
    (
        "sip:alice@192.0.2.4:5070;transport=tcp;lr?subject=x&priority=urgent",
        Uri(
            scheme="sip",
            user="alice",
            host="192.0.2.4",
            port=5070,
            parameters=(("transport", "tcp"), ("lr", None)),
            headers="subject=x&priority=urgent",
        ),
    ),
    ("sip:[2001:db8::10]:5070", Uri(scheme="sip", host="[2001:db8::10]", port=5070)),
    ("sip:[2001:db8::10:5070]", Uri(scheme="sip", host="[2001:db8::10:5070]")),
    (
        "sip:user;par=u%40example.net@example.com",
        Uri(scheme="sip", user="user;par=u%40example.net", host="example.com"),
    ),
    ("sip:a?b/c&d=e+f$g,h@h", Uri(scheme="sip", user="a?b/c&d=e+f$g,h", host="h")),
    ("sip:null-%00-null@example.com", Uri(scheme="sip", user="null-%00-null", host="example.com")),
    (
        "sip:h;newparam=5;maddr=239.255.255.1",
        Uri(scheme="sip", host="h", parameters=(("newparam", "5"), ("maddr", "239.255.255.1"))),
    ),
    ("sip:h?Route=%3Csip:sip.example.com%3E", Uri(scheme="sip", host="h", headers="Route=%3Csip:sip.example.com%3E")),
    ("tel:+1-201-555-0123;phone-context=a", Uri(scheme="tel", opaque="+1-201-555-0123;phone-context=a")),
    ("nobodyknowsthisscheme:totallyopaque@x", Uri(scheme="nobodyknowsthisscheme", opaque="totallyopaque@x")),
    ("urn:uuid:f81d4fae", Uri(scheme="urn", opaque="uuid:f81d4fae")),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "uri"), SAMPLES)
@pytest.mark.requirement("RFC3261-19.1.1-01", "RFC3261-19.1.1-02", "RFC4475-3.1.1.9-01")
def test_samples_both_ways(text: str, uri: Uri) -> None:
    assert Uri.parse(text) == uri
    assert str(uri) == text


def test_scheme_and_parameter_names_are_written_in_lower_case() -> None:
    uri = Uri.parse("SIP:Alice@AtLanTa.CoM;Transport=TCP")
    assert str(uri) == "sip:Alice@AtLanTa.CoM;transport=TCP"
    assert uri.get("transport") == "TCP"
    assert uri.get("lr") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "example.com",
        ":h",
        "sip:@host",
        "sip::pw@host",
        "sip:a@b@c",
        "sip:a@",
        "sip: a@h",
        "sip:a b@h",
        "sip:a@h\t",
        "<sip:a@h>",
        'sip:"a"@h',
        "sip:a@h;",
        "sip:a@h;;lr",
        "sip:a@h;transport=udp;transport=tcp",
        "sip:a@h?",
        "sip:a@h:",
        "sip:a@h:0",
        "sip:a@h:5060x",
        "sip:a@h:99999",
        "sip:a@ex%61mple.com",
        "sip:a@2001:db8::10",
        "sip:2001:db8::10",
        "sip:a%@h",
        "sip:a%4@h",
        "sip:a%zz@h",
        "sip:a:p;q@h",
        "sip:ä@h",
        "sip:a@h\x00",
        "1a:b",
        "a_b:c",
        "\u017fip:a@h",
    ],
)
@pytest.mark.requirement("RFC3261-19.1.1-01", "RFC3261-19.1.2-02", "RFC5118-4.2-01")
def test_malformed(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Uri.parse(text)


def test_lenient_characters_that_telephones_leave_unescaped_in_the_user() -> None:
    assert Uri.parse("sip:*31#@h").user == "*31#"
    assert Uri.parse("sip:[x]@h").user == "[x]"


def test_the_password_is_written_but_never_shown() -> None:
    uri = Uri.parse("sip:alice:hunter2@h")
    assert str(uri) == "sip:alice:hunter2@h"
    assert "hunter2" not in repr(uri)
    assert "hunter2" not in repr(Uri.parse("https://alice:hunter2@h/"))


def test_a_uri_is_a_value() -> None:
    uri = Uri.parse("sip:alice@h")
    assert hash(uri) == hash(Uri(scheme="sip", user="alice", host="h"))
    with pytest.raises(AttributeError):
        uri.host = "other"  # type: ignore[misc]
    assert not hasattr(uri, "__dict__")


@pytest.mark.parametrize(
    "text",
    ["sip:alice:hunter2@h ", "SIPS:alice:hunter2@", "alice:hunter2 @h", "sip:alice:x@hunter2@h", "sip:a:hunter2?@h"],
)
def test_no_error_shows_a_password(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Uri.parse(text)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception_only(caught.value))


def test_without_user() -> None:
    assert str(Uri.parse("sip:alice:secret@h:5070;lr").without_user()) == "sip:h:5070;lr"
    uri = Uri.parse("sip:h")
    assert uri.without_user() is uri


def test_secure() -> None:
    assert Uri.parse("sips:h").secure
    assert not Uri.parse("sip:h").secure


# --- comparison ------------------------------------------------------------------------------------------------------

EQUAL = [
    # the sets of RFC 3261 section 19.1.4
    ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;security=on"],
    ["sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"],
    [
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ],
    [
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ],
    # rules that have no example there
    ["SIP:a@h", "sip:a@h"],
    ["sip:a@h;method=INVITE", "sip:a@h;METHOD=invite"],
    ["sip:a@h;lr", "sip:a@h"],
    ["sip:a@h;lr", "sip:a@h;lr="],
    ["sip:a%3bb@h", "sip:a%3Bb@h"],
    ["sip:a%20b@h", "sip:a%20b@h"],
    ["sip:%7ea@h", "sip:~a@h"],
    ["sip:a:%70w@h", "sip:a:pw@h"],
    ["sip:a@h;x=%41", "sip:a@h;x=a"],
    ["sip:a@h;n%61me=value%25%34%31", "sip:a@h;name=value%2541"],
    ["sip:a@h?X=1&y=2", "sip:a@h?Y=2&x=1"],
    # RFC 5954 section 4.2
    ["sip:bob@[::ffff:192.0.2.128]", "sip:bob@[::ffff:c000:280]"],
    ["sip:[2001:db8::9:1]", "sip:[2001:DB8::9:01]"],
    ["sip:[2001:db8::1]:5060", "sip:[2001:db8:0:0:0:0:0:1]:5060"],
    # RFC 3966 section 4
    ["tel:+1-201-555-0123", "tel:+12015550123"],
    ["tel:7042;a=b;phone-context=example.com", "tel:70.42;phone-context=EXAMPLE.com;a=b"],
    ["urn:a", "urn:a"],
]

UNEQUAL = [
    # the sets of RFC 3261 section 19.1.4
    ["SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"],
    ["sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
    ["sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"],
    # rules that have no example there
    ["sip:a@h", "sips:a@h"],
    ["sip:h", "sip:a@h"],
    ["sip:a@h", "sip:a:pw@h"],
    ["sip:a:@h", "sip:a@h"],
    ["sip:a:pw@h", "sip:a:PW@h"],
    ["sip:a@h", "sip:a@i"],
    ["sip:a@h:1", "sip:a@h:2"],
    ["sip:a@h", "sip:a@h;user=phone"],
    ["sip:a@h", "sip:a@h;user=ip"],
    ["sip:a@h", "sip:a@h;ttl=1"],
    ["sip:a@h", "sip:a@h;method=INVITE"],
    ["sip:a@h", "sip:a@h;maddr=h"],
    ["sip:a@h;transport=tcp", "sip:a@h;transport=udp"],
    ["sip:a@h;lr", "sip:a@h;lr=on"],
    ["sip:a%3Bb@h", "sip:a;b@h"],
    ["sip:%2561@h", "sip:a@h"],
    ["sip:%2561@h", "sip:%61@h"],
    ["sip:a%00@h", "sip:a@h"],
    ["sip:a%00b@h", "sip:a%00c@h"],
    ["sip:a@h?x=1", "sip:a@h?x=2"],
    ["sip:a@h?x=1", "sip:a@h?x=1&x=1"],
    ["sip:a@example.com", "sip:a@example.com."],
    ["sip:a@[::1]", "sip:a@[::2]"],
    ["sip:a@[::ffff:192.0.2.4]", "sip:a@192.0.2.4"],
    ["sip:+1-212-555-1212@h;user=phone", "sip:+12125551212@h;user=phone"],
    ["sip:+12015550123@h;user=phone", "tel:+12015550123"],
    ["tel:+7042", "tel:7042"],
    ["tel:7042;phone-context=a", "tel:7042"],
    ["tel:7042;phone-context=a", "tel:7042;phone-context=b"],
    ["urn:a", "urn:A"],
    ["urn:a-b", "urn:ab"],
]


@pytest.mark.parametrize(("one", "two"), EQUAL)
@pytest.mark.requirement("RFC3261-19.1.4-03", "RFC3261-19.1.4-08", "RFC5954-4.2-01")
def test_equivalent(one: str, two: str) -> None:
    assert Uri.parse(one).equivalent(Uri.parse(two))
    assert Uri.parse(two).equivalent(Uri.parse(one))


@pytest.mark.parametrize(("one", "two"), UNEQUAL)
@pytest.mark.requirement("RFC3261-19.1.4-06", "RFC3261-19.1.4-07", "RFC3261-19.1.4-09")
def test_not_equivalent(one: str, two: str) -> None:
    assert not Uri.parse(one).equivalent(Uri.parse(two))
    assert not Uri.parse(two).equivalent(Uri.parse(one))


@pytest.mark.requirement("RFC3261-19.1.4-01", "RFC3261-19.1.4-02", "RFC3261-19.1.4-05")
def test_scheme_user_and_host_by_themselves() -> None:
    sip = Uri.parse("sip:a@h")
    assert not sip.equivalent(Uri.parse("sips:a@h"))
    assert not sip.equivalent(Uri.parse("sip:A@h"))
    assert sip.equivalent(Uri.parse("sip:a@H"))
    assert not sip.equivalent(Uri.parse("sip:a@192.0.2.4"))


@pytest.mark.requirement("RFC3261-19.1.4-10")
def test_equivalence_is_not_transitive() -> None:
    on, plain, off = (Uri.parse(f"sip:a@h{tail}") for tail in (";security=on", "", ";security=off"))
    assert on.equivalent(plain)
    assert plain.equivalent(off)
    assert not on.equivalent(off)


@pytest.mark.requirement("RFC3261-19.1.2-03", "RFC3261-19.1.4-04", "RFC4475-3.1.1.4-01")
def test_escapes_are_undone_once_and_only_where_they_mean_nothing() -> None:
    users = ["a", "%2561", "a%00", "a%00b", "%40", "%3B", ";"]
    uris = [Uri(scheme="sip", user=user, host="h") for user in users]
    assert not any(one.equivalent(two) for one, two in combinations(uris, 2))


@pytest.mark.requirement("RFC3966-4-01", "RFC3261-19.1.6-01")
def test_telephone_numbers_compare_as_numbers_in_tel_and_as_text_in_sip() -> None:
    assert Uri.parse("tel:+1-212").equivalent(Uri.parse("tel:+1212"))
    assert not Uri.parse("sip:+1-212@h").equivalent(Uri.parse("sip:+1212@h"))


def test_values_that_were_never_parsed_compare_without_error() -> None:
    assert not Uri(scheme="sip", user="50%", host="h").equivalent(Uri(scheme="sip", user="50%o", host="h"))
    assert not Uri(scheme="sip", host="[x]").equivalent(Uri(scheme="sip", host="[y]"))


USERS = st.text("abcXYZ09-_.!~*'()&=+$,;?/#", min_size=1, max_size=8)
HOSTS = st.sampled_from(["example.com", "h", "192.0.2.1", "[2001:db8::1]", "EXAMPLE.com", "a.b-c.d"])
PARAMETERS = st.lists(
    st.tuples(
        st.sampled_from(["transport", "user", "ttl", "method", "maddr", "lr", "line", "ob", "x"]),
        st.none() | st.text("abcXYZ09-:%41"[:9], max_size=4),
    ),
    max_size=4,
    unique_by=lambda item: item[0],
).map(tuple)
URIS = st.builds(
    Uri,
    scheme=st.sampled_from(["sip", "sips"]),
    user=st.none() | USERS,
    host=HOSTS,
    port=st.none() | st.integers(1, 65535),
    parameters=PARAMETERS,
    headers=st.sampled_from(["", "a=b", "A=b&c=d"]),
)


@given(URIS)
@settings(max_examples=200, deadline=None)
def test_parse_is_the_inverse_of_str(uri: Uri) -> None:
    """Law: parse(str(u)) == u for every URI that is made of valid parts."""
    assert Uri.parse(str(uri)) == uri


@given(URIS, URIS)
@settings(max_examples=300, deadline=None)
def test_equivalence_is_reflexive_and_symmetric(one: Uri, two: Uri) -> None:
    """Law: u ~ u; and u ~ v exactly when v ~ u."""
    assert one.equivalent(one)
    assert one.equivalent(two) == two.equivalent(one)


@given(st.text(alphabet='sip:aA@%4[]1.;=?&+- "<>ä\x00', max_size=25).map(lambda text: f"sip:{text}"))
@settings(max_examples=500, deadline=None)
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Law: any text parses or raises RemoteProtocolError, and what parses is written back equal."""
    try:
        uri = Uri.parse(text)
    except RemoteProtocolError:
        return
    again = Uri.parse(str(uri))
    assert again == uri
    assert again.equivalent(uri)
