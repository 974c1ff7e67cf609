"""URIs: their parts and their text; what is equivalent to what is in the file beside this one."""

from __future__ import annotations

import copy
import pickle
import traceback

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
        "sip:a\\b@h",
        "sip:a{b@h",
        "sip:a|b@h",
        "sip:a}b@h",
        "sip:a^b@h",
        "sip:a`b@h",
        "sip:a@h;x=^",
        "sip:a@h;",
        "sip:a@h;;lr",
        "sip:a@h;transport=udp;transport=tcp",
        "sip:a@h?",
        "sip:a@h:",
        "sip:a@h:0",
        "sip:a@h:5060x",
        "sip:a@h:99999",
        "sip:a@ex%61mple.com",
        "sip:a@example..com",
        "sip:a@example.-com",
        "sip:a@-h",
        "sip:a@h-",
        "sip:a@.h",
        "sip:a@1.2.3.256",
        "sip:a@" + "a" * 256,
        "sip:a@2001:db8::10",
        "sip:2001:db8::10",
        "sip:a%@h",
        "sip:a%4@h",
        "sip:a%zz@h",
        "sip:h;a=`b",
        "sip:h;`a",
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


@pytest.mark.requirement("RFC3261-19.1.1-03")
@pytest.mark.parametrize("tail", [";transport=udp;transport=tcp", ";transport=udp;TRANSPORT=udp", ";lr;a;lr", ";x;X=1"])
def test_a_parameter_stands_once(tail: str) -> None:
    with pytest.raises(RemoteProtocolError, match="twice"):
        Uri.parse(f"sip:a@h{tail}")


@pytest.mark.requirement("RFC3261-19.1.1-02")
def test_unknown_parameters_are_kept_as_they_came() -> None:
    text = "sip:a@h;newparam=5;x;y=[a]:/&+$;z=%41"
    uri = Uri.parse(text)
    assert str(uri) == str(uri.without_user()).replace("sip:", "sip:a@") == text
    assert (uri.get("newparam"), uri.get("x"), uri.get("z")) == ("5", "", "%41")


def test_lenient_characters_behind_the_host_and_in_other_schemes() -> None:
    assert Uri.parse("sip:h;a=b=c,#?d=e;f[#").get("a") == "b=c,#"
    assert Uri.parse("sip:h;a=b=c,#?d=e;f[#").headers == "d=e;f[#"
    assert Uri.parse("cid:[a]#b").opaque == "[a]#b"


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


# --- laws -----------------------------------------------------------------------------------------------------------

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
    password=st.none(),
    host=HOSTS,
    port=st.none() | st.integers(1, 65535),
    parameters=PARAMETERS,
    headers=st.sampled_from(["", "a=b", "A=b&c=d"]),
    opaque=st.just(""),
)


@given(URIS)
@settings(max_examples=200)
def test_parse_is_the_inverse_of_str(uri: Uri) -> None:
    """Law: parse(str(u)) == u for every URI that is made of valid parts."""
    assert Uri.parse(str(uri)) == uri


@given(st.text(alphabet='sip:aA@%4[]1.;=?&+- "<>ä\x00', max_size=25).map(lambda text: f"sip:{text}"))
@settings(max_examples=500)
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Law: any text parses or raises RemoteProtocolError, and what parses is written back equal."""
    try:
        uri = Uri.parse(text)
    except RemoteProtocolError:
        return
    again = Uri.parse(str(uri))
    assert again == uri
    assert again.equivalent(uri)


def test_a_uri_is_made_by_keyword_copied_and_pickled() -> None:
    uri = Uri(scheme="sip", user="a", password="b", host="h", port=1, parameters=(("lr", None),), headers="c=d")
    assert copy.deepcopy(uri) == copy.copy(uri) == uri
    assert type(pickle.loads(pickle.dumps(uri))) is Uri
    assert pickle.loads(pickle.dumps(uri)) == uri
    with pytest.raises(TypeError):
        Uri("sip", "a", "b")  # type: ignore[call-arg]  # what a user may write


@pytest.mark.parametrize("text", ["alice@example.com", "@", "a@b@c"])
def test_an_error_invents_no_password(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Uri.parse(text)
    assert str(caught.value).endswith(f": {text}")


@pytest.mark.parametrize("text", ["sip::hunter2@h", "sip:a:hunter2:x@h", "SIPS:a:hunter2/@h"])
def test_what_may_be_a_password_is_in_no_error(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Uri.parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["sip:", "tel:", "http:"])
def test_a_scheme_alone_is_no_uri(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Uri.parse(text)


def test_without_its_user_a_uri_has_no_password() -> None:
    assert Uri.parse("sip:a:b@h:5070;lr?x=y").without_user() == Uri.parse("sip:h:5070;lr?x=y")
