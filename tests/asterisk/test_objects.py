"""From a pjsip.conf to accounts: every option, every trap, and the exact text of every refusal."""

# ruff: noqa: E501 -- each row of the table of refusals stays on one line

from __future__ import annotations

from pathlib import Path

import pytest

from sipcore.asterisk import Configuration, load, parse
from sipcore.asterisk.options import is_true, parse_integer
from sipcore.asterisk.tables import OPTIONS
from sipcore.auth.hashing import Algorithm
from sipcore.config import Account, Transport
from sipcore.errors import ConfigError
from sipcore.profiles import ASTERISK, SIPCORE
from sipcore.values import Protocol, Secret

CANARY = "canary-7f3a"

GOOD = """\
[reg]
type = registration
server_uri = sip:sip.example.com
client_uri = sip:alice@example.com
"""
"""Four lines: what is appended begins in line 5."""

AUTH = f"""\
[a]
type = auth
username = alice
password = {CANARY}
"""


def read(text: str) -> Configuration:
    return parse(text, file="p.conf")


def account(text: str) -> Account:
    (found,) = read(text).accounts
    return found


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert CANARY not in repr(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_least_that_registers() -> None:
    found = account(GOOD)
    assert found.name == "reg"
    assert found.aor == "sip:alice@example.com"
    assert found.registrar == "sip:sip.example.com"
    assert found.profile is ASTERISK
    assert found.transport is None
    assert found.credentials == ()
    assert found.user_agent == "sipcore"
    assert not read(GOOD).warnings
    assert not read(GOOD).secret


def test_all_options() -> None:
    configuration = read(
        f"""\
[global]
type = global
user_agent = Example 1.0
max_forwards = 30

[system]
type = system
timer_t1 = 100
timer_b = 10000

[udp]
type = transport
bind = 127.0.0.1:5062

[tcp]
type = transport
protocol = TCP
bind = [::1]

[a]
type = auth
auth_type = digest
username = alice
password = {CANARY}
realm = example.com
supported_algorithms_uac = SHA-256, MD5

[b]
type = auth
username = bob
password_digest = MD5:{"1" * 32}, SHA-256:{"2" * 64}
password_digest = SHA-512-256:{"3" * 64}
supported_algorithms_uac = sha-512-256

[reg]
type = registration
transport = tcp
server_uri = <sip:sip.example.com:5070\\;transport=tcp>
client_uri = sip:alice@example.com
contact_user = trunk1
contact_header_params = reg-id=1\\;+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000001>"
expiration = 0x258
max_random_initial_delay = 3
retry_interval = 7
forbidden_retry_interval = 8
fatal_retry_interval = 9
max_retries = 4
auth_rejection_permanent = no
outbound_auth = a , ,b
outbound_proxy = sip:p1.example.com\\;lr, <sip:p2.example.com\\;lr>
line = Yes
endpoint = trunk
support_path = 1
support_outbound = on
user_agent = Example 2.0
@note = kept by tools
"""
    )
    assert configuration.warnings == ()
    assert configuration.secret
    (found,) = configuration.accounts
    assert found.transport == Transport(protocol=Protocol.TCP, local=("::1", 5060), listen=True)
    assert configuration.binds == {
        (Protocol.UDP, ("127.0.0.1", 5062)): "p.conf:13",
        (Protocol.TCP, ("::1", 5060)): "p.conf:18",
    }
    assert found.registrar == "sip:sip.example.com:5070;transport=tcp"
    assert found.contact_user == "trunk1"
    assert found.contact_header_parameters == (
        ';reg-id=1;+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000001>"'
    )
    assert found.expires == 600
    assert found.max_random_initial_delay == 3
    assert (found.retry_interval, found.forbidden_retry_interval, found.fatal_retry_interval) == (7, 8, 9)
    assert found.max_retries == 4
    assert found.auth_rejection_permanent is False
    assert found.outbound_proxy == ("<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>")
    assert found.line is True
    assert found.supported == ("path", "outbound")
    assert found.user_agent == "Example 2.0"
    assert found.max_forwards == 30
    assert (found.timing.t1, found.timing.f) == (0.1, 10.0)
    first, second = found.credentials
    assert (first.username, first.password, first.realm) == ("alice", Secret(CANARY), "example.com")
    assert first.algorithms == (Algorithm.SHA_256, Algorithm.MD5)
    assert second.password is None
    assert dict(second.ha1) == {
        Algorithm.MD5: Secret("1" * 32),
        Algorithm.SHA_256: Secret("2" * 64),
        Algorithm.SHA_512_256: Secret("3" * 64),
    }
    assert second.algorithms == (Algorithm.SHA_512_256,)


def test_a_given_number_is_never_taken_for_one_that_was_not_given() -> None:
    # Asterisk's default is 10, the standard's 0: the zero that was written has to win.
    assert account(GOOD + "max_random_initial_delay = 0\n").max_random_initial_delay == 0
    assert account(GOOD).max_random_initial_delay == 10
    assert account(GOOD).max_retries == 10
    assert account(GOOD + "max_retries = 0\n").max_retries == 0


def test_another_profile() -> None:
    (found,) = parse(GOOD, profile=SIPCORE).accounts
    assert found.profile is SIPCORE
    assert found.max_retries is None


def test_order_and_templates() -> None:
    text = """\
[base](!)
type = registration
server_uri = sip:sip.example.com
expiration = 60
outbound_auth = late
[two](base)
client_uri = sip:two@example.com
[one](base)
client_uri = sip:one@example.com
expiration = 90
[late]
type = auth
username = u
password =
"""
    configuration = read(text)
    assert [(found.name, found.expires) for found in configuration.accounts] == [("two", 60), ("one", 90)]
    # An empty password is a password.
    assert configuration.accounts[0].credentials[0].password == Secret("")
    assert configuration.warnings == ()


def test_one_name_may_serve_several_types() -> None:
    text = AUTH.replace("[a]", "[reg]") + GOOD + "outbound_auth = reg\n"
    assert account(text).credentials[0].username == "alice"


def test_a_template_that_is_right_and_unused_is_no_fault() -> None:
    text = "[t](!)\nexpiration = 60\n@note = x\n[u](!)\ntype = auth\nusername = u\n[v](!)\n"
    assert read(text + GOOD).warnings == ()


def test_traps_in_a_template_that_nobody_uses_are_told() -> None:
    text = GOOD + "[t](!)\ntype = registration\nexpiration = 010\nline = ja\n"
    assert [warning.partition(": ")[0] for warning in read(text).warnings] == ["p.conf:7", "p.conf:8"]


def test_one_address_may_serve_two_protocols() -> None:
    text = "[u]\ntype = transport\nbind = ::1\n[t]\ntype = transport\nprotocol = tcp\nbind = ::1\n"
    assert len(read(text + GOOD).binds) == 2


@pytest.mark.parametrize(("host", "bind"), [("192.0.2.1", "0.0.0.0"), ("[2001:db8::1]", "::"), ("h.example", "::")])
def test_a_transport_of_the_right_family_is_used(host: str, bind: str) -> None:
    text = GOOD.replace("sip.example.com", host) + f"transport = t\n[t]\ntype = transport\nbind = {bind}\n"
    assert account(text).transport == Transport(protocol=Protocol.UDP, local=(bind, 5060))


def test_equal_values_are_one_object() -> None:
    # Ten thousand registrations name the same few servers and transports.
    text = GOOD + GOOD.replace("[reg]", "[other]") + "[t]\ntype = transport\nbind = 0.0.0.0\n"
    one, two = read(text).accounts
    assert one.registrar is two.registrar
    assert one.transport is two.transport
    assert one.transport is not None


TRANSPORTS = """\
[tcp4]
type = transport
protocol = tcp
bind = 0.0.0.0
[udp6]
type = transport
bind = ::
[udp4]
type = transport
bind = 0.0.0.0:5066
"""


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("sip:sip.example.com", ("::", 5060)),
        ("sip:192.0.2.1", ("0.0.0.0", 5066)),
        ("sip:[2001:db8::1]:5070", ("::", 5060)),
        ("sip:sip.example.com\\;transport=tcp", ("0.0.0.0", 5060)),
        ("sip:sip.example.com\\;transport=UDP", ("::", 5060)),
        ("sip:[2001:db8::1]\\;transport=tcp", None),
    ],
)
def test_without_a_transport_the_first_that_fits_is_used(uri: str, local: tuple[str, int] | None) -> None:
    found = account(TRANSPORTS + GOOD.replace("sip:sip.example.com", uri))
    assert (found.transport.local if found.transport else None) == local


def test_the_outbound_proxy_decides_about_the_transport() -> None:
    text = TRANSPORTS + GOOD + "outbound_proxy = sip:p.example.com\\;lr\\;transport=tcp\n"
    found = account(text)
    assert found.transport is not None
    assert found.transport.protocol is Protocol.TCP


@pytest.mark.parametrize(
    ("bind", "local"),
    [
        ("127.0.0.1", ("127.0.0.1", 5060)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("::1", ("::1", 5060)),
        ("[::1]", ("::1", 5060)),
        ("[::]:65535", ("::", 65535)),
    ],
)
def test_bind(bind: str, local: tuple[str, int]) -> None:
    ((_, address),) = read(f"{GOOD}[t]\ntype = transport\nbind = {bind}\n").binds
    assert address == local


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("60", 60),
        ("0x3C", 60),
        ("0X3c", 60),
        ("074", 60),
        ("4294967295", 2**32 - 1),
        ("4294967296", None),
        ("08", None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1_0", None),
        ("60s", None),
        ("6 0", None),
        ("0x", None),
        ("٣", None),
        ("1e3", None),
        ("9" * 5000, None),
    ],
)
def test_integers_as_in_asterisk(text: str, value: int | None) -> None:
    assert parse_integer(text) == value


def test_booleans_as_in_asterisk() -> None:
    assert all(is_true(word) for word in ("yes", "TRUE", "y", "T", "1", "On"))
    assert not any(is_true(word) for word in ("no", "false", "", "enable", "ja", "2", "si"))


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (GOOD + "expiration = 0300\n", "p.conf:5: expiration: a leading 0 means octal, as in Asterisk: 0300 is 192"),
        (
            GOOD + "support_path = enabled\n",
            "p.conf:5: support_path: 'enabled' is neither yes nor no and counts as no, as in Asterisk",
        ),
        (GOOD + "expiration = 60\nexpiration = 90\n", "p.conf:6: expiration: replaces the value of line 5"),
        (
            GOOD + "outbound_auth = a\noutbound_auth = a\n" + AUTH,
            "p.conf:6: outbound_auth: replaces the value of line 5",
        ),
        (
            GOOD + "outbound_proxy = sip:p.example.com\n",
            "p.conf:5: outbound_proxy: has no \\;lr, so the proxy is asked to route strictly (RFC 2543)",
        ),
        (
            GOOD + "type = auth\n",
            "p.conf:5: type: 'auth' is not looked at: the first type, in line 2, decides",
        ),
        (
            GOOD + "transport = t\n[t]\ntype = transport\nprotocol = tcp\nbind = ::\n",
            None,
        ),
        (
            GOOD.replace(".com\nclient", ".com\\;transport=udp\nclient")
            + "transport = t\n[t]\ntype = transport\nprotocol = tcp\nbind = ::\n",
            "p.conf:5: transport: is TCP, although server_uri says transport=udp",
        ),
        (
            "[s]\ntype = system\ntimer_t1 = 1000\ntimer_b = 32000\n" + GOOD,
            "p.conf:4: timer_b: less than 64 times timer_t1; raised to 64000, as in Asterisk",
        ),
        (
            f"[a]\ntype = auth\nusername = a\nmd5_cred = {'0' * 32}\n" + GOOD,
            "p.conf:4: md5_cred: is deprecated; write password_digest = MD5:...",
        ),
        (
            GOOD.replace(".com\nclient", ".com;transport=tcp\nclient"),
            "p.conf:3: server_uri: its value ends where ';' begins a comment; write '\\;' for a semicolon",
        ),
    ],
)
def test_traps_are_told(text: str, warning: str | None) -> None:
    assert list(read(text).warnings) == ([warning] if warning else [])


def test_a_trap_in_a_template_is_told_once() -> None:
    text = "[t](!)\ntype = registration\nserver_uri = sip:h.example\nretry_interval = 010\n"
    text += "".join(f"[r{n}](t)\nclient_uri = sip:u{n}@h.example\n" for n in range(3))
    assert len(read(text).warnings) == 1


def test_timer_b_follows_a_longer_t1() -> None:
    found = account("[s]\ntype = system\ntimer_t1 = 1000\n" + GOOD)
    assert (found.timing.t1, found.timing.f) == (1.0, 64.0)


def test_timer_b_does_not_follow_a_shorter_t1() -> None:
    found = account("[s]\ntype = system\ntimer_t1 = 50\n" + GOOD)
    assert (found.timing.t1, found.timing.f) == (0.05, 32.0)


def at5(line: str, message: str) -> tuple[str, str]:
    """One more line in the registration, and what it leads to."""
    return f"{GOOD}{line}\n", f"p.conf:5: {message}"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        # misspelt, unknown, not yet
        at5("expiraton = 60", "expiraton: not an option of type registration; did you mean 'expiration'?"),
        at5("colour = red", "colour: not an option of type registration"),
        at5("realm = x", "realm: not an option of type registration"),
        at5("registration/expiration = 60", "registration/expiration: not an option of type registration; options with a slash are those of a wizard, in pjsip_wizard.conf"),
        at5("security_negotiation = mediasec", "security_negotiation = 'mediasec': not supported yet (only 'no' is)"),
        at5("security_negotiation = tls", "security_negotiation = 'tls': no or mediasec"),
        ("[x]\ntype = registraton\n", "p.conf:2: type = 'registraton': not a type of Asterisk; did you mean 'registration'?"),
        ("[x]\ntype = Registration\n", "p.conf:2: type = 'Registration': not a type of Asterisk; did you mean 'registration'?"),
        ("[x]\ncontact = y\n", f"p.conf:1: [x]: has no type; one of {', '.join(OPTIONS)}, wizard"),
        ("[g]\ntype = global\ncolour = 3\n", "p.conf:3: colour: not an option of type global"),
        ("[s]\ntype = system\ndisable_tcp_switch = no\n", "p.conf:3: disable_tcp_switch: not supported yet (only 'yes' is): a request that is too large for UDP is not sent over TCP"),
        ("[s]\ntype = system\ntimer_t = 30\n", "p.conf:3: timer_t: not an option of type system; did you mean 'timer_t1'?"),
        ("[t]\ntype = transport\nprotocol = upd\n", "p.conf:3: protocol = 'upd': udp, tcp, tls, ws, wss or flow"),
        ("[t]\ntype = transport\nprotocol = sctp\n", "p.conf:3: protocol = 'sctp': udp, tcp, tls, ws, wss or flow"),
        ("[t]\ntype = transport\nmethod = tls13\n", "p.conf:3: method = 'tls13': one of default, unspecified, tlsv1, tlsv1_1, tlsv1_2, tlsv1_3, sslv2, sslv3, sslv23"),
        *((GOOD + f"transport = t\n[t]\ntype = transport\nprotocol = {p}\nbind = ::\n", f"p.conf:5: transport = 't': its protocol, {p}, is not supported yet; udp and tcp are") for p in ("tls", "ws", "wss", "flow")),
        ("[a]\ntype = auth\nauth_type = google_oauth\n", "p.conf:1: [a]: needs username, for auth_type = google_oauth"),
        ("[a]\ntype = auth\nauth_type = Google_OAuth\nusername = u\nrefresh_token = x\noauth_clientid = y\noauth_secret = z\n", "p.conf:3: auth_type = 'Google_OAuth': not supported yet; userpass is"),
        ("[a]\ntype = auth\nauth_type = plain\n", "p.conf:3: auth_type = 'plain': one of userpass, md5, digest"),
        (f"[a]\ntype = auth\npasword = {CANARY}\n", "p.conf:3: pasword: not an option of type auth; did you mean 'password'?"),
        # nothing to register: an empty or cut-off file must not remove every registration there is
        ("", "p.conf: file: has no section of type registration"),
        ("; all commented out\n", "p.conf: file: has no section of type registration"),
        (AUTH, "p.conf: file: has no section of type registration"),
        (GOOD.replace("[reg]", "[reg](!)"), "p.conf: file: has no section of type registration"),
        # a name that is taken
        (GOOD.replace("[reg]", "[*all]"), "p.conf:1: [*all]: stands for all registrations"),
        # templates that nobody inherits from
        (GOOD + "[t](!)\ntype = registration\nexpiraton = 60\n", "p.conf:7: expiraton: not an option of type registration; did you mean 'expiration'?"),
        (GOOD + "[t](!)\nexpiraton = 60\n", "p.conf:6: expiraton: not an option of any type; did you mean 'expiration'?"),
        (GOOD + f"[t](!)\npasword = {CANARY}\n", "p.conf:6: pasword: not an option of any type; did you mean 'password'?"),
        (GOOD + "[t](!)\ntype = registration\nexpiration = soon\n", "p.conf:7: expiration = 'soon': a whole number from 1 to 4294967295"),
        (GOOD + "[t](!)\ntype = registraton\n", "p.conf:6: type = 'registraton': not a type of Asterisk; did you mean 'registration'?"),
        # an address of the other family
        (GOOD.replace("sip.example.com", "[2001:db8::1]") + "transport = t\n[t]\ntype = transport\nbind = 0.0.0.0\n", "p.conf:5: transport = 't': binds an IPv4 address, and server_uri names an IPv6 address"),
        (GOOD.replace("sip.example.com", "192.0.2.1") + "transport = t\n[t]\ntype = transport\nbind = ::\n", "p.conf:5: transport = 't': binds an IPv6 address, and server_uri names an IPv4 address"),
        (GOOD + "outbound_proxy = sip:192.0.2.1\\;lr\ntransport = t\n[t]\ntype = transport\nbind = ::\n", "p.conf:6: transport = 't': binds an IPv6 address, and outbound_proxy names an IPv4 address"),
        # duplicates
        ("[t]\ntype = transport\nbind = ::1\n[u]\ntype = transport\nbind = [::1]:5060\n", "p.conf:6: bind = '[::1]:5060': transport 't' in line 3 has the same bind and protocol"),
        (GOOD + GOOD, "p.conf:5: [reg]: a second registration of this name; the first is in line 1; Asterisk then discards every registration, so that none would be left"),
        (AUTH + AUTH, "p.conf:5: [a]: a second auth of this name; the first is in line 1; Asterisk then discards every auth"),
        ("[g]\ntype=global\n[h]\ntype=global\n", "p.conf:3: [h]: a second global; the first is in line 1"),
        # missing
        ("[r]\ntype = registration\nclient_uri = sip:a@b.example\n", "p.conf:1: [r]: needs server_uri, a SIP URI"),
        ("[r]\ntype = registration\nserver_uri = sip:b.example\n", "p.conf:1: [r]: needs client_uri, a SIP URI"),
        ("[t]\ntype = transport\n", "p.conf:1: [t]: needs bind, an IP address with or without a port"),
        ("[a]\ntype = auth\npassword = x\n", "p.conf:1: [a]: needs username, the name to log in with"),
        ("[a]\ntype = auth\nusername = x\n", "p.conf:1: [a]: needs password, or a password_digest"),
        at5("outbound_auth = a", "outbound_auth = 'a': no section [a] of type auth"),
        (GOOD + "outbound_auth = trunkk\n" + AUTH.replace("[a]", "[trunk]"), "p.conf:5: outbound_auth = 'trunkk': no section [trunkk] of type auth; did you mean 'trunk'?"),
        at5("transport = t", "transport = 't': no section [t] of type transport"),
        at5("line = yes", "line = 'yes': needs an endpoint"),
        at5("endpoint = x", "endpoint = 'x': needs line = yes"),
        # values
        at5("expiration = soon", "expiration = 'soon': a whole number from 1 to 4294967295"),
        at5("retry_interval = -1", "retry_interval = '-1': a whole number from 0 to 4294967295"),
        at5("max_retries = 08", "max_retries = '08': a whole number from 0 to 4294967295"),
        at5("expiration = 0", "expiration = '0': a whole number from 1 to 4294967295"),
        at5("contact_header_params = <", "contact_header_params = '<': parameters in the form ;name=value"),
        at5("outbound_proxy = sip:a b", "outbound_proxy = 'sip:a b': a route such as <sip:proxy.example.com\\;lr>"),
        at5("outbound_proxy = sip:p.example\\;lr\\;transport=tls", "outbound_proxy = 'sip:p.example;lr;transport=tls': transport=tls is not supported yet"),
        (GOOD.replace("sip:sip.", "sips:sip."), "p.conf:3: server_uri = 'sips:sip.example.com': sips and TLS are not supported yet"),
        (GOOD.replace("sip:sip.example.com", "sip:h.example\\;transport=ws"), "p.conf:3: server_uri = 'sip:h.example;transport=ws': transport=ws is not supported yet"),
        (GOOD.replace("sip:sip.example.com", "sip:h.example\\;transport=tpc"), "p.conf:3: server_uri = 'sip:h.example;transport=tpc': transport=tpc is not a transport"),
        ("[t]\ntype = transport\nbind = eth0\n", "p.conf:3: bind = 'eth0': an IP address with or without a port, such as 0.0.0.0:5060 or [::]:5060"),
        ("[t]\ntype = transport\nbind = 0.0.0.0:x\n", "p.conf:3: bind = '0.0.0.0:x': an IP address with or without a port, such as 0.0.0.0:5060 or [::]:5060"),
        ("[t]\ntype = transport\nbind = 0.0.0.0:70000\n", "p.conf:3: bind = '0.0.0.0:70000': an IP address with or without a port, such as 0.0.0.0:5060 or [::]:5060"),
        ("[t]\ntype = transport\nbind = [::1]5060\n", "p.conf:3: bind = '[::1]5060': an IP address with or without a port, such as 0.0.0.0:5060 or [::]:5060"),
        ("[g]\ntype = global\nmax_forwards = 300\n", "p.conf:3: max_forwards = '300': a whole number from 0 to 255"),
        ("[s]\ntype = system\ntimer_t1 = 0\n", "p.conf:3: timer_t1 = '0': milliseconds: timer_t1 from 1 to 50000, timer_b to 3600000"),
        ("[s]\ntype = system\ntimer_b = 9999999\n", "p.conf:3: timer_b = '9999999': milliseconds: timer_t1 from 1 to 50000, timer_b to 3600000"),
        (f"[a]\ntype = auth\nusername = a\npassword_digest = MD5:{CANARY}\n", "p.conf:4: password_digest: a digest of MD5 has 32 hexadecimal digits"),
        (f"[a]\ntype = auth\nusername = a\nmd5_cred = {CANARY}\n", "p.conf:4: md5_cred: a digest of MD5 has 32 hexadecimal digits"),
        (f"[a]\ntype = auth\nusername = a\npassword_digest = SHA1:{CANARY}\n", "p.conf:4: password_digest: needs MD5:, SHA-256: or SHA-512-256: before the digest"),
        ("[a]\ntype = auth\nusername = a\npassword = b\nsupported_algorithms_uac = SHA1\n", "p.conf:5: supported_algorithms_uac = 'SHA1': one of MD5, SHA-256, SHA-512-256"),
        (f"[a]\ntype = auth\nusername = a\npassword_digest = {'0' * 32}\nsupported_algorithms_uac = SHA-256\n", "p.conf:5: supported_algorithms_uac = 'SHA-256': there is neither a password nor a password_digest for SHA-256"),
        # passwords in URIs are secrets, too
        at5(f"outbound_proxy = sip:p:{CANARY}@h h", "outbound_proxy = 'sip:p:***@h h': a route such as <sip:proxy.example.com\\;lr>"),
        (GOOD.replace("sip:sip.", f"sips:u:{CANARY}@sip."), "p.conf:3: server_uri = 'sips:u:***@sip.example.com': sips and TLS are not supported yet"),
        (GOOD.replace("sip:sip.example.com", f"sip:u:{CANARY}@h\\;transport=ws"), "p.conf:3: server_uri = 'sip:u:***@h;transport=ws': transport=ws is not supported yet"),
        # CR in the middle of a value: the reader's own check
        (GOOD + "user_agent = a\rX-Evil: 1\n", "p.conf:5: line: holds the character U+000D, which no value can carry"),
    ],
)  # fmt: skip
def test_refused(text: str, error: str) -> None:
    assert refusal(text) == error


@pytest.mark.requirement("RFC3261-7.1-03")
@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("client_uri = alice@example.com", "p.conf:4: client_uri = 'alice@example.com': "),
        ("client_uri = sip:example.com", "p.conf:4: client_uri = 'sip:example.com': "),
        ("client_uri = sip:al ice@example.com", "p.conf:4: client_uri = 'sip:al ice@example.com': "),
        (f"client_uri = sip:alice:{CANARY}@exa mple.com", "p.conf:4: client_uri = 'sip:alice:***@exa mple.com': "),
        ("client_uri = http://example.com", "p.conf:4: client_uri = 'http://example.com': "),
        ("server_uri = sip:", "p.conf:4: server_uri = 'sip:': "),
        ("server_uri = sip:h h", "p.conf:4: server_uri = 'sip:h h': "),
        ("server_uri = sip:h:99999", "p.conf:4: server_uri = 'sip:h:99999': "),
        ("server_uri = <sip:h", "p.conf:4: server_uri = '<sip:h': "),
        ("contact_user = a b", "p.conf:4: contact_user = 'a b': "),
        ("user_agent = a\tb", "p.conf:4: user_agent = 'a\\tb': "),
    ],
)
def test_what_the_account_refuses_names_the_option_of_the_file(line: str, start: str) -> None:
    name = line.partition(" ")[0]
    kept = [one for one in GOOD.splitlines()[:4] if not one.startswith(name)]
    if len(kept) == 4:
        kept.remove("client_uri = sip:alice@example.com")
        kept.append(line)
        kept.append("client_uri = sip:alice@example.com")
    else:
        kept.append(line)
    assert refusal("\n".join(kept) + "\n").startswith(start)


def test_no_secret_in_any_repr() -> None:
    configuration = read(AUTH + GOOD + "outbound_auth = a\n")
    assert configuration.accounts[0].credentials[0].password == Secret(CANARY)
    assert CANARY not in repr(configuration)
    assert CANARY not in str(configuration.accounts[0])


def test_load_reads_through_the_function_that_is_given() -> None:
    asked: list[str] = []

    def reader(name: str) -> bytes:
        asked.append(name)
        return b"\xef\xbb\xbf" + GOOD.encode()

    assert len(load("some.conf", reader).accounts) == 1
    assert asked == ["some.conf"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory"), "x.conf: file: cannot be read: No such file or directory"),
        (PermissionError(13, "Permission denied"), "x.conf: file: cannot be read: Permission denied"),
        (OSError(), "x.conf: file: cannot be read: OSError"),
    ],
)
def test_a_file_that_cannot_be_read(error: OSError, text: str) -> None:
    def reader(name: str) -> bytes:
        raise error

    with pytest.raises(ConfigError) as caught:
        load("x.conf", reader)
    assert str(caught.value) == text


def test_the_example_is_read_without_a_warning() -> None:
    path = Path(__file__).parents[2] / "examples" / "pjsip.conf"
    configuration = load(str(path), lambda name: Path(name).read_bytes())
    assert configuration.warnings == ()
    assert [account.name for account in configuration.accounts] == ["trunk-alice", "trunk-bob"]
    bob = configuration.accounts[1]
    by_digest = bob.credentials[0].ha1_for(Algorithm.MD5, "sip.example.com")
    assert by_digest == Secret(Algorithm.MD5.hash("bob:sip.example.com:change-me"))
