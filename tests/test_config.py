"""`Account`, `Transport` and `Timing`: what is refused, in which words, and that what is accepted stays in its slot."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipcore.config import Account, Credential, Timing, Transport
from sipcore.errors import ConfigError
from sipcore.profiles import ASTERISK, JSSIP, PROFILES, SIPCORE, Profile
from sipcore.registration.request import Texts, contact_value, write_register
from sipcore.syntax import Request, parse_message
from sipcore.syntax.addresses import parse_name_addr
from sipcore.values import OutcomeClass, Protocol, Secret

ALICE = "sip:alice@example.com"
ONE_AOR = st.just(ALICE)


def account(**options: Any) -> Account:
    return Account(options.pop("aor", ALICE), **options)


# --- what is refused -------------------------------------------------------------------------------------------------

PARAMETERS = "parameters in the form ;name=value"
TLS = "a sip URI: TLS is not supported yet, so what sips promises cannot be kept"
NO_METHOD = "a URI without headers and method (RFC 3261 section 19.1.1)"

# Option, refused value, what would be valid (the beginning).
REFUSED: list[tuple[str, object, str]] = [
    ("aor", "", "must be a sip URI"),
    ("aor", "alice@example.com", "must be a sip URI"),
    ("aor", "tel:+4930123456", "must be a sip URI"),
    ("aor", "sip:example.com", "must be a sip URI with a user part, such as sip:alice@example.com"),
    ("aor", "sip:@example.com", "must be a sip URI"),
    ("aor", "sip:alice@exa mple.com", "must be a sip URI"),
    ("aor", "sip:alice@example.com\r\nEvil: 1", "must be a sip URI"),
    ("aor", "sip:alice@example.com:70000", "must be a sip URI"),
    ("aor", "sip:alice@example.com?subject=x", NO_METHOD),
    ("aor", "sip:alice@example.com;method=INVITE", NO_METHOD),
    ("aor", "sips:alice@example.com", TLS),
    ("name", "a\nb", "text without control characters"),
    ("name", "a\x1b[2J", "text without control characters"),
    ("username", "bob", "a password, too"),
    ("registrar", "example.com", "must be a sip URI"),
    ("registrar", "tel:123", "must be a sip URI"),
    ("registrar", "sips:example.com", TLS),
    ("registrar", "sip:example.com;transport=tls", "transport=udp or transport=tcp; others are not supported yet"),
    ("registrar", "sip:example.com;transport=ws", "transport=udp or transport=tcp; others are not supported yet"),
    ("registrar", "sip:example.com?x=y", NO_METHOD),
    ("aor", "sip:alice@example.com;transport=tls", "transport=udp or transport=tcp; others are not supported yet"),
    ("aor", "sip:alice@example.com;x=", "must be a sip URI with parameters in the form ;name=value"),
    ("aor", "sip:12#3@example.com", "must be a sip URI with a user part (RFC 3261 25.1), other characters as %HH"),
    ("registrar", "sip:example.com;maddr=a/b", "must be a sip URI with parameters in the form ;name=value"),
    ("registrar", f"sip:{'a' * 1030}", "must be a sip URI, at most 1024 characters"),
    ("outbound_proxy", ("<sip:p.example;lr>;x=a, <sip:q.example>",), "a route such as <sip:proxy.example.com;lr>"),
    ("registrar", "sip:example.com>\r\nEvil: 1", "must be a sip URI"),
    ("outbound_proxy", ("<sip:p.example;lr",), "a route such as <sip:proxy.example.com;lr>"),
    ("outbound_proxy", ("<sip:p.example;lr>, <sip:q.example;lr>",), "a route such as <sip:proxy.example.com;lr>"),
    ("outbound_proxy", ("<sip:p.example;lr>\r\nEvil: 1",), "a route such as <sip:proxy.example.com;lr>"),
    ("outbound_proxy", ('"\r\nEvil: 1" <sip:p.example;lr>',), "a route such as <sip:proxy.example.com;lr>"),
    ("outbound_proxy", ("<sips:p.example;lr>",), TLS),
    ("outbound_proxy", ("<sip:p.example;transport=tls;lr>",), "transport=udp or transport=tcp"),
    ("outbound_proxy", ("<tel:123>",), "must be a sip URI"),
    ("contact_user", "", "a user part"),
    ("contact_user", "a@b", "a user part"),
    ("contact_user", "a%4", "a user part"),
    ("contact_user", "a>\r\nEvil: 1", "a user part"),
    ("contact_parameters", "x=1", PARAMETERS),
    ("contact_parameters", ";x>;y=<", PARAMETERS),
    ("contact_parameters", ";x?subject=y", PARAMETERS),
    ("contact_parameters", ";x=1;x=2", PARAMETERS),
    ("contact_parameters", ";x=", PARAMETERS),
    ("contact_parameters", ";x=a,b", PARAMETERS),
    ("contact_parameters", ";x\r\nEvil: 1", PARAMETERS),
    ("contact_parameters", ";transport=tcp", f"{PARAMETERS}, without transport, which sipcore writes itself"),
    ("contact_parameters", ";line=1", f"{PARAMETERS}, without line, which sipcore writes itself"),
    ("contact_parameters", ";Lr", f"{PARAMETERS}, without lr, which no Contact of a REGISTER has"),
    ("contact_parameters", ";x;method=INVITE", f"{PARAMETERS}, without method, which no Contact of a REGISTER has"),
    ("contact_parameters", ";maddr=224.0.1.75;ttl=1", f"{PARAMETERS}, without ttl, which goes with multicast only"),
    ("contact_header_parameters", "q=1", PARAMETERS),
    ("contact_header_parameters", ";x=1, <sip:evil@example.com>", PARAMETERS),
    ("contact_header_parameters", ";x=a b", PARAMETERS),
    ("contact_header_parameters", ';x="', PARAMETERS),
    ("contact_header_parameters", ";x=<", PARAMETERS),
    ("contact_header_parameters", ";x\r\nEvil: 1", PARAMETERS),
    ("contact_header_parameters", ';x="a\r\nEvil: 1"', PARAMETERS),
    ("contact_header_parameters", ";expires=60", f"{PARAMETERS}, without expires, which sipcore writes itself"),
    ("supported", ("path", "a b"), "a token"),
    ("supported", ("",), "a token"),
    ("allow", ("OPTIONS\r\nEvil: 1",), "a token"),
    ("user_agent", "a\r\nEvil: 1", "a value without control characters"),
    ("user_agent", "a\0", "a value without control characters and without white space at its ends"),
    ("extra_headers", (("X Y", "1"),), "a header name that sipcore does not write itself"),
    ("extra_headers", (("", "1"),), "a header name that sipcore does not write itself"),
    ("extra_headers", (("X-A", "1\r\nEvil: 1"),), "a value for X-A without control characters"),
    ("extra_headers", (("X-A", "1 "),), "a value for X-A without control characters and without white space"),
    ("expires", 0, "a whole number from 1 to 4294967295"),
    ("expires", 2**32, "a whole number from 1 to 4294967295"),
    ("expires", True, "a whole number from 1 to 4294967295"),
    ("expires", 60.5, "a whole number from 1 to 4294967295"),
    ("max_forwards", 256, "a whole number from 0 to 255"),
    ("max_forwards", -1, "a whole number from 0 to 255"),
    ("max_retries", -1, "a whole number from 0 to 4294967295"),
    ("retry_interval", -1, "a whole number from 0 to 4294967295"),
    ("forbidden_retry_interval", -1, "a whole number from 0 to 4294967295"),
    ("fatal_retry_interval", 2**32, "a whole number from 0 to 4294967295"),
    ("max_random_initial_delay", -1, "a whole number from 0 to 4294967295"),
    ("redirects", 6, "a whole number from 0 to 5"),
]


@pytest.mark.parametrize(("option", "value", "expected"), REFUSED)
def test_a_bad_value_is_refused_in_clear_words(option: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        account(**{option: value})
    error = caught.value
    assert error.option == option
    assert error.expected.startswith(expected)
    bad = value[-1] if isinstance(value, tuple) else value
    assert error.value == bad or error.value in bad  # type: ignore[operator]  # of a pair, the part that is wrong
    assert str(error).startswith(f"{option} = ")
    assert "\r" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("aor", "sip:+49301234%3B5@example.com;user=phone"),
        ("name", "Büro (1. Stock)"),
        ("registrar", "sip:[2001:db8::1]:5070;transport=TCP"),
        ("outbound_proxy", ('"A, B" <sip:p.example;lr;x=1>;y=2', "<sip:q.example>")),
        ("contact_user", "a%20b;c=1"),
        ("contact_parameters", ";ob;x=1;y=[2001:db8::1]:5060"),
        ("contact_header_parameters", ';+sip.instance="<urn:uuid:1>, \\"x\\"";reg-id=1;q=0.5;x=[2001:db8::1];audio'),
        ("supported", ("path", "outbound", "gruu")),
        ("user_agent", "Öl/1.0 (a b)"),
        ("extra_headers", (("X-A", '<any, thing>; at="all"'), ("P-B", ""))),
        ("expires", 1),
        ("expires", 2**32 - 1),
        ("max_forwards", 0),
        ("max_forwards", 255),
        ("max_retries", 0),
        ("redirects", 5),
    ],
)
def test_a_good_value_is_kept(option: str, value: object) -> None:
    made = account(**{option: value})
    assert getattr(made, option) == value
    check_wire(made)


@pytest.mark.parametrize("seconds", [0.001, 3600])
def test_the_ends_of_timing(seconds: float) -> None:
    assert Timing(t1=seconds, t2=seconds, t4=seconds, timeout=3600).t4 == seconds
    assert Timing(timeout=0.5).f == 0.5


@pytest.mark.parametrize("transport", [None, Transport(), Transport(protocol=Protocol.TCP)])
@pytest.mark.requirement("RFC3261-19.1.1-07")
def test_sips_is_refused_over_every_transport_there_is(transport: Transport | None) -> None:
    for options in ({"aor": "sips:alice@example.com"}, {"registrar": "sips:example.com"}):
        with pytest.raises(ConfigError, match="TLS is not supported yet"):
            account(transport=transport, **options)


NO_TTL = "ttl only with a multicast address in maddr and over UDP"


@pytest.mark.requirement("RFC3261-19.1.1-08")
@pytest.mark.parametrize(
    "parameters",
    [
        ";ttl=1",
        ";ttl=1;maddr=192.0.2.1",
        ";ttl=1;maddr=example.com",
        ";ttl=256;maddr=224.0.1.75",
        ";ttl=-1;maddr=224.0.1.75",
        ";ttl;maddr=224.0.1.75",
        ";ttl=1;maddr=224.0.1.75;transport=tcp",
    ],
)
def test_a_ttl_without_multicast_is_refused(parameters: str) -> None:
    for option, value in (
        ("aor", f"sip:alice@example.com{parameters}"),
        ("registrar", f"sip:example.com{parameters}"),
        ("outbound_proxy", (f"<sip:example.com;lr{parameters}>",)),
    ):
        with pytest.raises(ConfigError) as caught:
            account(**{option: value})
        assert (caught.value.option, caught.value.expected[: len(NO_TTL)]) == (option, NO_TTL)
    with pytest.raises(ConfigError) as caught:
        account(contact_parameters=parameters.replace(";transport=tcp", ""))
    assert (caught.value.option, "without ttl" in caught.value.expected) == ("contact_parameters", True)


@pytest.mark.requirement("RFC3261-19.1.1-08")
def test_a_ttl_with_multicast_is_written_where_it_was_configured() -> None:
    for address in ("224.0.1.75", "239.255.255.255", "[ff05::1]"):
        made = account(registrar=f"sip:example.com;maddr={address};ttl=255")
        assert register(made).uri == f"sip:example.com;maddr={address};ttl=255"
        for option, hop in (("registrar", made.registrar), ("outbound_proxy", f"<{made.registrar};lr>")):
            with pytest.raises(ConfigError, match="ttl") as caught:
                account(**{option: hop}, transport=Transport(protocol=Protocol.TCP))
            assert caught.value.option == "transport"


@pytest.mark.requirement("RFC5630-5.1.1-01")
@pytest.mark.parametrize("value", ["tls", "TLS", "Tls"])
def test_transport_tls_is_refused_wherever_it_is_written(value: str) -> None:
    """RFC 5630 wants sips or configuration for TLS; we have none yet, and so promise none."""
    for option, text in (
        ("aor", f"sip:alice@example.com;transport={value}"),
        ("registrar", f"sip:example.com;transport={value}"),
        ("outbound_proxy", f"<sip:example.com;lr;transport={value}>"),
        ("contact_parameters", f";transport={value}"),
    ):
        for more in ({}, {"transport": Transport(protocol=Protocol.TCP)}):
            with pytest.raises(ConfigError, match=f"transport={value}") as caught:
                account(**{option: text}, **more)
            assert caught.value.option == option


@pytest.mark.requirement("RFC5630-5.1.1-01")
@pytest.mark.parametrize("protocol", Protocol)
def test_transport_tls_is_in_no_request(protocol: Protocol) -> None:
    made = account(transport=Transport(protocol=protocol), registrar="sip:example.com;transport=tcp")
    assert b"tls" not in bytes(register(made)).lower()


def test_what_leads_to_the_registrar_is_refused_in_the_name_of_the_address_of_record() -> None:
    with pytest.raises(ConfigError) as caught:
        account(aor="sip:alice@example.com;transport=ws")
    assert caught.value.option == "aor"
    # Where the registrar is given, it is part of a name and leads nowhere.
    assert account(aor="sip:alice@example.com;transport=ws", registrar="sip:example.com").registrar == "sip:example.com"


@pytest.mark.parametrize("name", ["Via", "f", "CSEQ", "Authorization", "Content-Length", "l", "Route"])
def test_headers_that_are_ours_cannot_be_added(name: str) -> None:
    with pytest.raises(ConfigError, match="does not write itself"):
        account(extra_headers=((name, "1"),))


@pytest.mark.requirement("RFC3261-19.1.1-09")
@pytest.mark.parametrize("option", ["aor", "registrar"])
@pytest.mark.parametrize("text", ["sip:alice:s3cr3t@example.com", "sip:alice:s3cr3t@exa mple.com"])
def test_a_password_in_a_uri_is_refused_and_not_repeated(option: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        account(**{option: text})
    assert caught.value.option == option
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in repr(caught.value.args)


@pytest.mark.parametrize(
    ("options", "option", "expected"),
    [
        ({"t1": 0.0}, "t1", "seconds, from 0.001 to 3600"),
        ({"t2": math.nan}, "t2", "seconds, from 0.001 to 3600"),
        ({"t4": math.inf}, "t4", "seconds, from 0.001 to 3600"),
        ({"timeout": 0.4}, "timeout", "seconds, from t1 to 3600"),
        ({"timeout": math.nan}, "timeout", "seconds, from t1 to 3600"),
        ({"timeout": 3601.0}, "timeout", "seconds, from t1 to 3600"),
    ],
)
def test_bad_timing_is_refused(options: dict[str, float], option: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Timing(**options)
    assert (caught.value.option, caught.value.expected) == (option, expected)


@pytest.mark.requirement("RFC3261-17.1.2.2-01")
def test_the_standard_timing() -> None:
    timing = Timing()
    assert (timing.t1, timing.t2, timing.t4, timing.f) == (0.5, 4.0, 5.0, 32.0)
    assert Timing(t1=0.05).f == pytest.approx(3.2)
    assert Timing(timeout=10.0).f == 10.0


@pytest.mark.parametrize(
    ("options", "option", "expected"),
    [
        ({"local": ("localhost", 5060)}, "local", "an IP address without brackets"),
        ({"local": ("[::1]", 5060)}, "local", "an IP address without brackets"),
        ({"local": ("127.0.0.1", 65536)}, "local", "a port from 0 to 65535"),
        ({"local": ("127.0.0.1", -1)}, "local", "a port from 0 to 65535"),
        ({"listen": True}, "listen", "needs a stream transport with a local address"),
        ({"listen": True, "local": ("::1", 0)}, "listen", "needs a stream transport with a local address"),
        ({"listen": True, "protocol": Protocol.TCP}, "listen", "needs a stream transport with a local address"),
    ],
)
def test_a_bad_transport_is_refused(options: dict[str, Any], option: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Transport(**options)
    assert (caught.value.option, caught.value.expected) == (option, expected)


def test_a_listening_transport_may_have_any_port() -> None:
    assert Transport(local=("127.0.0.1", 65535)).local == ("127.0.0.1", 65535)
    transport = Transport(protocol=Protocol.TCP, local=("fe80::1%eth0", 0), listen=True)
    assert transport == Transport(protocol=Protocol.TCP, local=("fe80::1%eth0", 0), listen=True)


# --- what is accepted stays where it belongs -------------------------------------------------------------------------

NASTY = "\r\n\0\t <>\"\\,;:?@%=&/[]{}()'`^|~!*._-+#\x7f\x85\u2028\udcff"
texts = st.one_of(
    st.text(alphabet=st.sampled_from(NASTY + "abAB01éß"), max_size=12),
    st.text(max_size=8),
    st.sampled_from(["\r\nEvil: 1", "a\nEvil: 1", "a\rEvil: 1", "\r\n\r\nEvil", "x\r\n Evil: folded"]),
)
pieces = st.sampled_from(
    [";", "=", "x", "yy", "1", '"', "<", ">", ",", "?", "\r\n", " ", "%41", "%", "@", ":", "é", '"a"', '"a\r\nb"']
)
parameter_texts = st.one_of(
    st.lists(pieces, max_size=8).map("".join),
    st.lists(pieces, max_size=8).map(lambda parts: ";" + "".join(parts)),
    texts,
)
hosts = st.sampled_from(["example.com", "192.0.2.1", "[2001:db8::1]", "example.com:5070"])
uris = st.one_of(
    st.builds("sip:{}@{}{}".format, st.one_of(st.just("alice"), texts), hosts, parameter_texts),
    st.builds("{}{}".format, st.just(ALICE), texts),
)
strings: dict[str, st.SearchStrategy[Any]] = {
    "aor": st.one_of(ONE_AOR, uris),
    "password": st.one_of(st.none(), texts),
    "name": texts,
    "username": texts,
    "registrar": st.one_of(st.none(), uris),
    "outbound_proxy": st.one_of(st.just(()), st.tuples(st.builds("<{}>".format, uris)), st.tuples(uris)),
    "contact_user": st.one_of(st.none(), texts),
    "contact_parameters": parameter_texts,
    "contact_header_parameters": parameter_texts,
    "supported": st.one_of(st.just(()), st.tuples(texts)),
    "allow": st.one_of(st.none(), st.just(()), st.tuples(texts)),
    "user_agent": texts,
    "extra_headers": st.one_of(st.just(()), st.tuples(st.tuples(st.one_of(st.just("X-A"), texts), texts))),
}


def test_every_text_of_an_account_is_drawn() -> None:
    drawn = {item.name for item in fields(Account) if "str" in str(item.type)} - {"give_up"}
    assert drawn == set(strings)


def register(of: Account, line: str = "") -> Request:
    """The REGISTER that the account leads to, read back from its bytes."""
    contact = contact_value(of, of.contact_user or "alice", ("192.0.2.9", 5062), reliable=True, line=line)
    texts = Texts(of, "OPTIONS")
    data = write_register(
        texts,
        aor=f"<{of.aor}>",
        protocol="TCP",
        sent_by="192.0.2.9:5062",
        branch="z9hG4bK1",
        from_value=f"<{of.aor}>;tag=1",
        call_id="c",
        cseq=1,
        contacts=contact,
        expires=of.expires or 0,
        credentials=(),
        request_uri=texts.request_uri,
        removal=False,
    )
    message = parse_message(data)
    assert isinstance(message, Request)
    assert bytes(message) == data
    return message


def check_wire(of: Account) -> None:
    """The law of `test_no_text_leaves_its_slot`."""
    message = register(of, line="f00d")
    names = [name for name, _ in message.headers]
    routes = names.count("Route")
    first = of.profile.max_forwards_first
    expected = ["Via", *["Route"] * routes, *["Max-Forwards"] * first]
    expected += ["From", "To", "Call-ID", "CSeq", "Contact", "Expires"]
    expected += ["Allow"] * (of.allow is None or of.allow != ())
    expected += ["Supported"] * (of.supported != ())
    expected += ["Max-Forwards"] * (not first)
    expected += ["User-Agent"] * (of.user_agent != "")
    expected += [name for name, _ in of.extra_headers] + ["Content-Length"]
    assert names == expected
    assert routes in (len(of.outbound_proxy), len(of.outbound_proxy) + 1)
    assert message.start_line == f"REGISTER {message.uri} SIP/2.0"
    assert message.uri[:4].lower() == "sip:"
    assert message.body == b""
    assert message.to.uri_text == of.aor
    assert message.from_.parameters == (("tag", "1"),)
    assert message.to.parameters == ()
    contacts = message.contacts
    assert isinstance(contacts, tuple)
    (contact,) = contacts
    uri = contact.uri
    assert (uri.host, uri.port, uri.headers, uri.password) == ("192.0.2.9", 5062, "", None)
    assert uri.user == (of.contact_user or "alice")
    assert uri.parameters[0] == ("transport", "TCP")
    assert uri.parameters[-1] == ("line", "f00d")
    assert len(uri.parameters) == 2 + of.contact_parameters.count(";")
    assert contact.get("expires") is None
    assert (message.get("user-agent") or "") == of.user_agent.strip(" \t")
    assert {(name, value.strip(" \t")) for name, value in of.extra_headers} <= set(message.headers)


@pytest.mark.requirement("RFC3261-25.1-02")
@pytest.mark.parametrize("option", strings)
@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), profile=st.sampled_from(list(PROFILES)))
def test_no_text_leaves_its_slot(option: str, data: st.DataObject, profile: str) -> None:
    """Law: whatever an option holds is refused with a ConfigError, or stands in the REGISTER where it belongs."""
    options = {"password": "kanarie"} if option == "username" else {}
    made = attempt(profile=PROFILES[profile], **options, **{option: data.draw(strings[option])})
    if isinstance(made, ConfigError):
        assert made.option == option
        assert "\n" not in str(made)
        return
    assert all(mark not in made.name for mark in "\r\n\0")
    check_wire(made)


def attempt(**options: Any) -> Account | ConfigError:
    try:
        return account(**options)
    except ConfigError as error:
        return error


NOT_TOGETHER = {"aor", "username", "password"}


@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(chosen=st.fixed_dictionaries({}, optional={key: strings[key] for key in strings if key not in NOT_TOGETHER}))
def test_texts_do_not_leave_their_slots_together(chosen: dict[str, Any]) -> None:
    """Law: the same when several options are drawn at once, since one could finish what another began."""
    # What is refused alone is left out, so that the rest still meets.
    made = attempt(
        **{option: value for option, value in chosen.items() if isinstance(attempt(**{option: value}), Account)}
    )
    assert isinstance(made, Account)
    check_wire(made)


# --- what follows from what ------------------------------------------------------------------------------------------


def test_only_the_address_of_record_is_needed() -> None:
    made = account()
    assert made.name == ALICE
    assert made.registrar == "sip:example.com"
    assert made.expires == 3600
    assert made.credentials == ()
    assert made.profile is SIPCORE


@pytest.mark.requirement("RFC3261-10.2.6-01")
def test_the_registrar_is_the_host_of_the_address_of_record() -> None:
    assert account(aor="sip:alice@[2001:db8::1]:5070").registrar == "sip:[2001:db8::1]:5070"
    assert account(aor="sip:alice@example.com;transport=tcp;x=1").registrar == "sip:example.com;transport=tcp"
    assert account(registrar="sip:192.0.2.1").registrar == "sip:192.0.2.1"


def test_a_password_makes_a_credential_of_any_realm() -> None:
    made = account(password="p4ss")
    assert made.credentials == (Credential(username="alice", password=Secret("p4ss")),)
    assert made.credentials[0].realm is None
    assert account(username="bob", password=Secret("")).credentials[0].username == "bob"
    assert "p4ss" not in repr(made)
    assert "p4ss" not in str(made)


def test_several_credentials_stand_for_themselves() -> None:
    credentials = (
        Credential(username="a", password=Secret("x"), realm="one"),
        Credential(username="b", password=Secret("y"), realm="two"),
    )
    assert account(credentials=credentials).credentials == credentials


@pytest.mark.parametrize("option", ["password", "username"])
def test_credentials_and_a_password_exclude_each_other(option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        account(credentials=(Credential(username="a", password=Secret("kanarie")),), **{option: "two"})
    assert caught.value.option == "credentials"
    assert "kanarie" not in str(caught.value)


def test_an_account_can_be_replaced() -> None:
    made = account(password="p4ss", outbound_proxy="sip:p.example;lr")
    assert replace(made) == made
    changed = replace(made, expires=60)
    assert (changed.expires, changed.credentials) == (60, made.credentials)
    assert replace(made, password="other", credentials=()).credentials[0].password == Secret("other")
    with pytest.raises(FrozenInstanceError):
        made.expires = 60  # type: ignore[misc]  # that it cannot be set is what is tested


def test_a_bare_outbound_proxy_keeps_its_parameters() -> None:
    """In a Route header without brackets ;lr would belong to the header, and the proxy would be a strict router."""
    made = account(outbound_proxy=("sip:p.example;lr", "<sip:q.example;lr>"))
    assert made.outbound_proxy == ("<sip:p.example;lr>", "<sip:q.example;lr>")
    assert parse_name_addr(register(made).get_all("route")[0]).uri.get("lr") == ""


def test_profiles_have_defaults_of_their_own() -> None:
    assert (account().max_retries, account().max_random_initial_delay) == (None, 0)
    asterisk = account(profile=ASTERISK)
    assert (asterisk.max_retries, asterisk.max_random_initial_delay, asterisk.retry_interval) == (10, 10, 60)
    assert account(profile=ASTERISK, max_random_initial_delay=0).max_random_initial_delay == 0
    assert account(profile=ASTERISK, max_retries=0).max_retries == 0
    assert account(profile=JSSIP).expires == 600
    assert account(profile=JSSIP, expires=3600).expires == 3600


@pytest.mark.parametrize(
    ("profile", "options", "option", "source"),
    [
        (SIPCORE, {}, "expires", "standard"),
        (SIPCORE, {"expires": 60}, "expires", "given"),
        (JSSIP, {}, "expires", "profile"),
        (JSSIP, {"expires": 3600}, "expires", "given"),
        (ASTERISK, {}, "max_retries", "profile"),
        (ASTERISK, {}, "max_random_initial_delay", "profile"),
        (ASTERISK, {"max_random_initial_delay": 0}, "max_random_initial_delay", "given"),
        (SIPCORE, {}, "max_random_initial_delay", "standard"),
        (SIPCORE, {}, "registrar", "standard"),
        (SIPCORE, {"registrar": "sip:192.0.2.1"}, "registrar", "given"),
        (SIPCORE, {}, "name", "standard"),
        (SIPCORE, {"name": "x"}, "name", "given"),
        (SIPCORE, {}, "aor", "given"),
        (SIPCORE, {}, "max_forwards", "standard"),
        (SIPCORE, {}, "compact_headers", "standard"),
        (SIPCORE, {"compact_headers": True}, "compact_headers", "given"),
        (SIPCORE, {"give_up": frozenset({OutcomeClass.PERMANENT})}, "give_up", "given"),
    ],
)
def test_the_source_of_a_value(profile: Profile, options: dict[str, Any], option: str, source: str) -> None:
    assert account(profile=profile, **options).source(option) == source


def test_an_unknown_option_has_no_source() -> None:
    with pytest.raises(KeyError):
        account().source("expire")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("password", 12345),
        ("password", b"secret"),
        ("name", 5),
        ("username", 5),
        ("credentials", [1]),
        ("credentials", (1,)),
        ("transport", "tcp"),
        ("transport", Protocol.TCP),
        ("timing", 5),
        ("profile", "ASTERISK"),
        ("supported", "path"),
        ("allow", "INVITE"),
        ("give_up", "permanent"),
        ("give_up", frozenset({"permanent"})),
        ("line", "yes"),
        ("compact_headers", "no"),
        ("extra_headers", {"X-A": "1"}),
        ("extra_headers", ("X-A: 1",)),
        ("any_source", 1),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Account("sip:alice@example.com", **{option: value})
    assert caught.value.option == option
    assert caught.value.expected.startswith("must be ")
    assert "secret" not in str(caught.value)


def test_an_aor_without_scheme_gets_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"such as sip:alice@example\.com"):
        Account("alice@example.com")


def test_a_credential_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="Secret"):
        Credential(username="alice", password="secret")  # type: ignore[arg-type] # what is refused
