"""Every type and option of chan_pjsip is known, its value is checked by kind, and what is used ends in an account."""

# ruff: noqa: E501 -- each row of a table stays on one line

from __future__ import annotations

import pytest

from sipcore.asterisk import Configuration, parse
from sipcore.asterisk.options import is_boolean, parse_integer
from sipcore.asterisk.tables import ANY_OPTION, OPTIONS, Kind, known_option
from sipcore.auth.hashing import Algorithm
from sipcore.config import Account, Transport
from sipcore.errors import ConfigError
from sipcore.values import Protocol, SocketOptions

REGISTRATION = "[r]\ntype = registration\nserver_uri = sip:h.example\nclient_uri = sip:u@h.example\n"

NEEDED = {
    "transport": "bind = ::\n",
    "auth": "username = u\npassword = x\n",
    "identify": "endpoint = e\nmatch = 192.0.2.1\n",
    "domain_alias": "domain = h.example\n",
    "registration": "server_uri = sip:h.example\nclient_uri = sip:u@h.example\n",
}


def read(text: str) -> Configuration:
    return parse(text, file="p.conf")


def account(text: str) -> Account:
    (found,) = read(text).accounts
    return found


def test_all_types_of_chan_pjsip_are_known() -> None:
    types = "acl aor auth contact domain_alias endpoint global identify phoneprov registration resource_list system "
    types += "transport asterisk-publication inbound-publication outbound-publish subscription_persistence"
    assert set(OPTIONS) == set(types.split())


@pytest.mark.parametrize("kind", OPTIONS)
def test_defaults_read_as_their_kind_says(kind: str) -> None:
    for name, known in OPTIONS[kind].items():
        if known.kind is Kind.INTEGER:
            assert parse_integer(known.default) is not None, name
        if known.kind is Kind.BOOLEAN:
            assert is_boolean(known.default), name


BAD = {Kind.INTEGER: "x", Kind.SIGNED: "1.5", Kind.NUMBER: "x"}


@pytest.mark.parametrize("kind", OPTIONS)
def test_every_option_is_read_and_its_value_checked(kind: str) -> None:
    for name, known in OPTIONS[kind].items():
        if name in ("type", "method") or (known.used and kind not in ("system", "global")):
            continue
        head = f"[x]\ntype = {kind}\n{NEEDED.get(kind, '')}"
        good = known.default or "x"
        assert read(f"{head}{name} = {good}\n{REGISTRATION}").accounts, name
        if known.kind in BAD:
            with pytest.raises(ConfigError) as caught:
                read(f"{head}{name} = {BAD[known.kind]}\n{REGISTRATION}")
            assert caught.value.option == name
        if known.kind is Kind.BOOLEAN and name != "disable_tcp_switch":
            told = read(f"{head}{name} = vielleicht\n{REGISTRATION}").warnings
            assert [text for text in told if f"{name}: 'vielleicht' is neither yes nor no" in text]


@pytest.mark.parametrize(("kind", "prefix"), ANY_OPTION.items())
def test_types_that_take_any_option(kind: str, prefix: str) -> None:
    assert known_option(kind, f"{prefix}whatever") is not None
    assert known_option("aor", f"{prefix}whatever") is None


TCP = "[t]\ntype = transport\nprotocol = tcp\nbind = 192.0.2.1\n"
LOCAL = Transport(protocol=Protocol.TCP, local=("192.0.2.1", 5060), listen=True)


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        ("external_signaling_address = 203.0.113.1", "external_signaling_address", "203.0.113.1"),
        (
            "external_signaling_hostname = pbx.example\nexternal_signaling_port = 0x1388",
            "external_signaling_port",
            5000,
        ),
        ("external_signaling_hostname = pbx.example", "external_signaling_hostname", "pbx.example"),
        ("external_signaling_port = 5080", "external_signaling_port", 0),
        (
            "local_net = 10.0.0.0/8\nlocal_net = 192.168.0.0/255.255.0.0, ,172.16.0.0/12",
            "local_net",
            ("10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"),
        ),
        ("tos = cs3", "options", SocketOptions(tos=96)),
        ("tos = EF", "options", SocketOptions(tos=184)),
        ("tos = af41", "options", SocketOptions(tos=136)),
        ("tos = 0x61", "options", SocketOptions(tos=96)),
        ("tos = lowdelay", "options", SocketOptions(tos=16)),
        ("cos = 03", "options", SocketOptions(cos=3)),
        (
            "tcp_keepalive_enable = yes",
            "options",
            SocketOptions(tcp_keepalive=True, tcp_keepalive_idle=30, tcp_keepalive_interval=1, tcp_keepalive_probes=5),
        ),
        (
            "tcp_keepalive_enable = yes\ntcp_keepalive_idle_time = 7\ntcp_keepalive_interval_time = 8\n"
            "tcp_keepalive_probe_count = 9",
            "options",
            SocketOptions(tcp_keepalive=True, tcp_keepalive_idle=7, tcp_keepalive_interval=8, tcp_keepalive_probes=9),
        ),
        ("tcp_keepalive_idle_time = 7", "options", SocketOptions()),
        ("allow_reload = no\nsymmetric_transport = yes\nasync_operations = 1\nwebsocket_write_timeout = 50", "local",
         ("192.0.2.1", 5060)),
    ],
)  # fmt: skip
def test_options_of_a_transport(lines: str, field: str, value: object) -> None:
    found = account(f"{TCP}{lines}\n{REGISTRATION}transport = t\n").transport
    assert getattr(found, field) == value


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("tos = cs9", "p.conf:5: tos = 'cs9': a number from 0 to 255, or one of cs0 to cs7, af11 to af43 and ef"),
        ("tos = 256", "p.conf:5: tos = '256': a number from 0 to 255, or one of cs0 to cs7, af11 to af43 and ef"),
        ("cos = 8", "p.conf:5: cos = 8: a whole number from 0 to 7"),
        ("external_signaling_port = 70000\nexternal_signaling_hostname = h", "p.conf:5: external_signaling_port = 70000: "),
        ("local_net = 10.0.0.0/8\nlocal_net = 10.0.0.0/33", "p.conf:6: local_net = '10.0.0.0/33': "),
        ("external_signaling_address = pbx.example", "p.conf:5: external_signaling_address = 'pbx.example': an IP address"),
        (
            "external_signaling_address = 192.0.2.1\nexternal_signaling_hostname = h",
            "p.conf:6: external_signaling_hostname = 'h': not together with external_signaling_address",
        ),
        ("tcp_keepalive_enable = yes\ntcp_keepalive_probe_count = 0", "p.conf:6: tcp_keepalive_probe_count = 0: "),
    ],
)  # fmt: skip
def test_a_transport_that_is_refused(line: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"{TCP}{line}\n{REGISTRATION}")
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("[global]\nkeep_alive_interval = 30\n", "keep_alive_interval", 30),
        ("", "keep_alive_interval", 90),
        ("[global]\nkeep_alive_interval = 0\n", "keep_alive_interval", 0),
        ("[system]\ndisable_rport = yes\n", "rport", False),
        ("[system]\ndisable_rport = ja\n", "rport", True),
        ("[system]\ncompact_headers = on\n", "compact_headers", True),
        ("[g]\ntype = global\nmax_forwards = 010\n", "max_forwards", 8),
        ("[system]\ndisable_tcp_switch = yes\nthreadpool_max_size = 20\n", "rport", True),
    ],
)
def test_what_holds_for_all(text: str, field: str, value: object) -> None:
    assert getattr(account(text + REGISTRATION), field) == value


SHA = f"SHA-256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "algorithms"),
    [
        ("password = x", (Algorithm.MD5,)),
        (f"password_digest = {SHA}\nsupported_algorithms_uac = sha-256\nsupported_algorithms_uas = SHA-256",
         (Algorithm.SHA_256,)),
        ("password = x\n[global]\ndefault_auth_algorithms_uac = SHA-512-256, md5", (Algorithm.SHA_512_256, Algorithm.MD5)),
        (
            f"password_digest = {SHA}\n[global]\ndefault_auth_algorithms_uac = SHA-256\n"
            "default_auth_algorithms_uas = SHA-256",
            (Algorithm.SHA_256,),
        ),
    ],
)  # fmt: skip
def test_algorithms(text: str, algorithms: tuple[Algorithm, ...]) -> None:
    found = account(f"{REGISTRATION}outbound_auth = a\n[a]\ntype = auth\nusername = u\nrealm = *\n{text}\n")
    assert found.credentials[0].algorithms == algorithms
    assert found.credentials[0].realm is None


def test_what_asterisk_could_not_answer_as_a_server_rejects_the_auth() -> None:
    """A trap: an auth with a digest of SHA-256 alone has to say so for both directions."""
    with pytest.raises(ConfigError) as caught:
        read(f"[a]\ntype = auth\nusername = u\npassword_digest = {SHA}\nsupported_algorithms_uac = SHA-256\n")
    assert str(caught.value) == (
        "p.conf:1: supported_algorithms_uas = 'MD5': there is neither a password nor a password_digest for MD5, which "
        "is the default of this option"
    )


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        (f"sip:{'u' * 480}@h.example", True),
        (f"sip:{'u' * 500}@h.example", False),
        (f"sip:u@{'h' * 60}.{'h' * 60}.{'h' * 60}.{'h' * 60}", True),
        (f"sip:u@{'h' * 60}.{'h' * 60}.{'h' * 60}.{'h' * 60}.ab", False),
        (f"sip:u@{'h' * 60}.{'h' * 60}.{'h' * 60}.{'h' * 60}.ab:5060", True),
        (f"sip:u@{'h' * 60}.{'h' * 60}.{'h' * 60}.{'h' * 60}.{'h' * 12}:5060", False),
    ],
)
def test_the_length_of_uris(uri: str, good: bool) -> None:
    text = REGISTRATION.replace("sip:u@h.example", uri)
    if good:
        assert account(text).aor == uri
    else:
        with pytest.raises(ConfigError, match=r"^p\.conf:4: client_uri"):
            read(text)


def test_unknown_security_mechanisms_are_left_out_and_told() -> None:
    (told,) = read(REGISTRATION + "security_mechanisms = sdes-srtp\\;q=0.5, dtls-sctp\n").warnings
    assert told == (
        "p.conf:5: security_mechanisms: 'dtls-sctp' is not one of none, msrp-tls, sdes-srtp, dtls-srtp; did you mean "
        "'dtls-srtp'?; it is left out, as in Asterisk"
    )


def test_bytes_that_are_not_utf8_matter_where_they_are_used() -> None:
    from sipcore.asterisk import load

    good = REGISTRATION.encode() + b"[e]\ntype = endpoint\ncallerid = M\xfcller <1>\n"
    assert len(load("p.conf", lambda name: good).accounts) == 1
    with pytest.raises(ConfigError) as caught:
        load("p.conf", lambda name: REGISTRATION.encode() + b"contact_user = M\xfcller\n")
    assert str(caught.value) == "p.conf:5: contact_user: holds bytes that are not UTF-8"


@pytest.mark.parametrize("kind", ["endpoint", "identify", "transport"])
def test_a_second_object_of_what_matters_is_refused(kind: str) -> None:
    one = f"[x]\ntype = {kind}\n{NEEDED.get(kind, '')}"
    with pytest.raises(
        ConfigError, match=f"a second {kind} of this name; the first is in line 1; Asterisk then discards"
    ):
        read(one + one + REGISTRATION)


def test_a_second_object_of_what_does_not_matter_is_told() -> None:
    (told,) = read("[x]\ntype = aor\n[x]\ntype = aor\n" + REGISTRATION).warnings
    assert told == "p.conf:3: [x]: a second aor of this name; the first is in line 1; Asterisk then discards every aor"
