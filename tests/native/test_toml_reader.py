"""From TOML to accounts: every option, and the exact text of every refusal."""

# ruff: noqa: E501 -- each row of the table of refusals stays on one line

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from sipcore import native
from sipcore.auth.hashing import Algorithm
from sipcore.config import Account, Credential, Timing, Transport
from sipcore.errors import ConfigError
from sipcore.native.source import MAX_KEYS, Source
from sipcore.native.tables import CREDENTIAL, DEFAULTS, REGISTRATION, SOCKET, TIMING, TRANSPORT
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE
from sipcore.values import OutcomeClass, Protocol, Secret, SocketOptions
from tests.native.toml_tools import ALICE, Vault, account, read, refusal
from tests.secrecy import PASSWORD

GIVEN = """\
profile = "SIPCORE"            # optional
[transports.udp]               # optional
protocol = "udp"
bind = "0.0.0.0:5060"
[credentials.trunk]            # optional, shared
username = "alice"
password = { file = "/run/secrets/trunk" }
[registrations.office]
aor = "sip:alice@example.com"
registrar = "sip:example.com"
credentials = "trunk"
transport = "udp"
expires = 600
"""


def test_a_file_as_people_write_it() -> None:
    vault = Vault()
    configuration = native.parse(GIVEN, file="s.toml", secrets=vault)
    assert configuration.accounts == (
        Account(
            "sip:alice@example.com",
            name="office",
            credentials=(Credential(username="alice", password=Secret(PASSWORD)),),
            transport=Transport(local=("0.0.0.0", 5060)),
            expires=600,
        ),
    )
    assert configuration.binds == {(Protocol.UDP, ("0.0.0.0", 5060)): "s.toml:4"}
    assert configuration.warnings == ()
    assert not configuration.secret
    assert configuration.files == ("s.toml",)
    assert vault.asked == [("file", "/run/secrets/trunk")]


def test_the_least_that_registers() -> None:
    assert account(ALICE) == Account("sip:alice@example.com", name="office")


# --- every option ----------------------------------------------------------------------------------------------------

REGISTRATIONS: dict[str, tuple[str, Any]] = {
    "aor": ('"sip:bob@example.com"', "sip:bob@example.com"),
    "password": (f'"{PASSWORD}"', Secret(PASSWORD)),
    "username": ('"u"', "u"),
    "credentials": (
        '["one", "two"]',
        (Credential(username="1", password=Secret("")), Credential(username="2", password=Secret(""))),
    ),
    "registrar": ('"sip:sip.example.com"', "sip:sip.example.com"),
    "outbound_proxy": ('"sip:p.example.com;lr"', ("<sip:p.example.com;lr>",)),
    "transport": ('"tcp"', Transport(protocol=Protocol.TCP)),
    "contact_user": ('"c"', "c"),
    "contact_parameters": ('";ob"', ";ob"),
    "contact_header_parameters": ('";reg-id=1"', ";reg-id=1"),
    "line": ("true", True),
    "expires": ('"10min"', 600),
    "supported": ('["path", "outbound"]', ("path", "outbound")),
    "allow": ("[]", ()),
    "user_agent": ('"A/1"', "A/1"),
    "compact_headers": ("true", True),
    "rport": ("false", False),
    "extra_headers": ('["X-Site: a: b", "X-Empty:"]', (("X-Site", "a: b"), ("X-Empty", ""))),
    "max_forwards": ("30", 30),
    "profile": ('"JSSIP"', JSSIP),
    "max_retries": ("0", 0),
    "retry_interval": ("7", 7),
    "forbidden_retry_interval": ('"1h"', 3600),
    "fatal_retry_interval": ('"1d"', 86400),
    "max_random_initial_delay": ("5.0", 5),
    "auth_rejection_permanent": ("false", False),
    "give_up": ('["permanent", "refused credentials"]', frozenset({OutcomeClass.PERMANENT, OutcomeClass.CREDENTIALS})),
    "redirects": ("2", 2),
    "timing": ("{ t1 = 0.1 }", Timing(t1=0.1)),
    "keep_alive_interval": ('"1.5min"', 90.0),
    "any_source": ("true", True),
}
TRANSPORTS: dict[str, tuple[str, Any]] = {
    "protocol": ('"tcp"', Protocol.TCP),
    "bind": ('"[::1]"', ("::1", 5060)),
    "listen": ('true\nbind = "0.0.0.0:0"\nprotocol = "tcp"', True),
    "external_signaling_address": ('"198.51.100.1"', "198.51.100.1"),
    "external_signaling_hostname": ('"nat.example.com"', "nat.example.com"),
    "external_signaling_port": ('5080\nexternal_signaling_address = "198.51.100.1"', 5080),
    "local_net": ('["192.168.0.0/16"]', ("192.168.0.0/16",)),
    "socket": ("{ tos = 96 }", SocketOptions(tos=96)),
}
CREDENTIALS: dict[str, tuple[str, Any]] = {
    "username": ('"u"', "u"),
    "password": ('{ env = "X" }', Secret(PASSWORD)),
    "ha1": (f'{{ MD5 = "{"1" * 32}" }}', ((Algorithm.MD5, Secret("1" * 32)),)),
    "realm": ('""', ""),
    "algorithms": ('["SHA-256", "MD5-sess"]', (Algorithm.SHA_256, Algorithm.MD5_SESS)),
}
TIMINGS: dict[str, tuple[str, Any]] = {
    "t1": ('"250ms"', 0.25), "t2": ("8", 8), "t4": ("5.5", 5.5), "timeout": ('"1min"', 60.0)
}  # fmt: skip
SOCKETS: dict[str, tuple[str, Any]] = {
    "tos": ("96", 96), "cos": ("3", 3), "tcp_keepalive": ("true", True), "tcp_keepalive_idle": ('"1min"', 60),
    "tcp_keepalive_interval": ("2", 2), "tcp_keepalive_probes": ("3", 3),
}  # fmt: skip

OTHERS = '[transports.tcp]\nprotocol = "tcp"\n[credentials.one]\nusername = "1"\npassword = ""\n[credentials.two]\nusername = "2"\npassword = ""\n'


@pytest.mark.parametrize("option", REGISTRATIONS)
def test_every_option_of_a_registration(option: str) -> None:
    written, wanted = REGISTRATIONS[option]
    lines = {"aor": '"sip:alice@example.com"', option: written}
    if option == "username":
        lines["password"] = '""'
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    found = account(f"[registrations.r]\n{text}{OTHERS}")
    assert getattr(found, REGISTRATION[option].field) == wanted
    if option in DEFAULTS:
        text = "".join(f"{key} = {value}\n" for key, value in lines.items() if key != "aor")
        found = account(f'[defaults]\n{text}[registrations.r]\naor = "sip:alice@example.com"\n{OTHERS}')
        assert getattr(found, REGISTRATION[option].field) == wanted


@pytest.mark.parametrize("option", TRANSPORTS)
def test_every_option_of_a_transport(option: str) -> None:
    found = account(f'{ALICE}transport = "t"\n[transports.t]\n{option} = {TRANSPORTS[option][0]}\n').transport
    assert getattr(found, TRANSPORT[option].field) == TRANSPORTS[option][1]


@pytest.mark.parametrize("option", CREDENTIALS)
def test_every_option_of_a_credential(option: str) -> None:
    lines = {"username": '"x"', "password": '""', option: CREDENTIALS[option][0]}
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    (found,) = account(f'{ALICE}credentials = "c"\n[credentials.c]\n{text}').credentials
    assert getattr(found, CREDENTIAL[option].field) == CREDENTIALS[option][1]


@pytest.mark.parametrize("option", TIMINGS)
def test_every_timer(option: str) -> None:
    assert getattr(account(f"{ALICE}timing.{option} = {TIMINGS[option][0]}\n").timing, option) == TIMINGS[option][1]


@pytest.mark.parametrize("option", SOCKETS)
def test_every_option_of_sockets(option: str) -> None:
    found = account(f'{ALICE}transport = "t"\n[transports.t.socket]\n{option} = {SOCKETS[option][0]}\n').transport
    assert found is not None
    assert getattr(found.options, option) == SOCKETS[option][1]


def test_nothing_that_the_engine_can_do_is_out_of_reach() -> None:
    """Each field of each class has an option, a text, and a row above. A new field needs: a row there; in
    `sipcore.native.tables` a text, and a kind where its annotation is none that is known."""
    reached = {
        (Account, frozenset({"name"})): (REGISTRATION, REGISTRATIONS), (Transport, frozenset()): (TRANSPORT, TRANSPORTS),
        (Credential, frozenset()): (CREDENTIAL, CREDENTIALS), (Timing, frozenset()): (TIMING, TIMINGS),
        (SocketOptions, frozenset()): (SOCKET, SOCKETS),
    }  # fmt: skip
    for (of, leave), (options, rows) in reached.items():
        wanted = {item.name for item in fields(of)} - leave
        assert {option.field for option in options.values()} == wanted, of
        assert set(options) == set(rows), of
        assert all(option.text for option in options.values()), of
        standard = {item.name: item.default for item in fields(of)}
        for key, (_, value) in rows.items():
            assert standard[options[key].field] != value, f"{key}: the row proves nothing"


# --- names, inheritance, secrets -------------------------------------------------------------------------------------


def test_what_registrations_inherit() -> None:
    first, second = read(
        '[defaults]\nexpires = 60\nuser_agent = "A"\ntiming = { t1 = 0.1, t2 = 8 }\n'
        '[registrations.a]\naor = "sip:a@example.com"\n'
        '[registrations.b]\naor = "sip:b@example.com"\nexpires = 70\ntiming.t2 = 9\n'
    ).accounts
    assert (first.expires, first.user_agent, first.timing) == (60, "A", Timing(t1=0.1, t2=8))
    assert (second.expires, second.user_agent, second.timing) == (70, "A", Timing(t1=0.1, t2=9))


def test_the_profile_of_all_and_of_one() -> None:
    text = 'profile = "ASTERISK"\n[registrations.a]\naor = "sip:a@h"\n[registrations.b]\naor = "sip:b@h"\nprofile = "SIPCORE"\n'
    assert [found.profile for found in read(text).accounts] == [ASTERISK, SIPCORE]
    first, second = read(text).accounts
    assert (first.max_retries, second.max_retries) == (10, None)


def test_one_way_to_log_in_puts_the_other_aside() -> None:
    shared = '[credentials.c]\nusername = "c"\npassword = ""\n'
    own = read(f'{shared}[defaults]\ncredentials = "c"\n{ALICE}password = ""\n').accounts[0]
    assert [credential.username for credential in own.credentials] == ["alice"]
    named = read(f'{shared}[defaults]\nusername = "d"\npassword = ""\n{ALICE}credentials = "c"\n').accounts[0]
    assert [credential.username for credential in named.credentials] == ["c"]


def test_names_are_any_text() -> None:
    assert account('[registrations."sip:x y@ä"]\naor = "sip:a@h"\n').name == "sip:x y@ä"


@pytest.mark.parametrize("place", ["file", "env", "credential"])
def test_a_secret_that_stands_elsewhere(place: str) -> None:
    vault = Vault()
    text = f'{ALICE}password = {{ {place} = "x" }}\n'
    configuration = native.parse(text, secrets=vault)
    assert configuration.accounts[0].password == Secret(PASSWORD)
    assert vault.asked == [(place, "x")]
    assert not configuration.secret


@pytest.mark.parametrize(
    "line", [f'password = "{PASSWORD}"', f'credentials = "c"\n[credentials.c]\nusername = "c"\npassword = "{PASSWORD}"']
)
def test_a_file_with_secrets_says_so(line: str) -> None:
    assert read(ALICE + line).secret
    assert not read(ALICE).secret


def test_a_stream_with_a_bind_listens() -> None:
    for protocol, listens in (("tcp", True), ("udp", False)):
        found = account(f'{ALICE}transport = "t"\n[transports.t]\nprotocol = "{protocol}"\nbind = "0.0.0.0:5062"\n')
        assert found.transport is not None
        assert found.transport.listen is listens
    found = account(
        f'{ALICE}transport = "t"\n[transports.t]\nprotocol = "tcp"\nbind = "0.0.0.0:5062"\nlisten = false\n'
    )
    assert found.transport is not None
    assert not found.transport.listen


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("192.0.2.1", ("192.0.2.1", 5060)), ("192.0.2.1:0", ("192.0.2.1", 0)), ("2001:db8::1", ("2001:db8::1", 5060)),
        ("[2001:db8::1]", ("2001:db8::1", 5060)), ("[fe80::1%eth0]:65535", ("fe80::1%eth0", 65535)),
    ],
)  # fmt: skip
def test_addresses(text: str, wanted: tuple[str, int]) -> None:
    found = account(f'{ALICE}transport = "t"\n[transports.t]\nbind = "{text}"\n').transport
    assert found is not None
    assert found.local == wanted


WARNED = {
    "retry_interval = 5": "s.toml:3: registrations.office.retry_interval: has no effect under the profile SIPCORE",
    "redirects = 1\nprofile = 'ASTERISK'": "s.toml:3: registrations.office.redirects: has no effect under the profile ASTERISK",
    "[transports.t]": "s.toml:3: transports.t: no registration uses it",
    "[credentials.c]\nusername = 'c'\npassword = ''": "s.toml:3: credentials.c: no registration uses it",
    "[defaults]\nfatal_retry_interval = 5": "s.toml:4: defaults.fatal_retry_interval: has no effect under the profile SIPCORE",
    "keep_alive_interval = 9\ntransport = 't'\n[transports.t]": "s.toml:3: registrations.office.keep_alive_interval: has no effect over UDP",
    "any_source = true\ntransport = 't'\n[transports.t]\nprotocol = 'tcp'": "s.toml:3: registrations.office.any_source: has no effect on streams",
}


@pytest.mark.parametrize("line", WARNED)
def test_what_has_no_effect_is_a_warning(line: str) -> None:
    assert read(ALICE + line).warnings == (WARNED[line],)


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSED = {
    "expires = true": 's.toml:3: registrations.office.expires = True: must be whole seconds, such as 600, or a text such as "10min" (ms, s, min, h, d)',
    "expires = 0.5": 's.toml:3: registrations.office.expires = 0.5: must be whole seconds, such as 600, or a text such as "10min" (ms, s, min, h, d)',
    "expires = '10 min'": "s.toml:3: registrations.office.expires = '10 min': must be whole seconds, such as 600, or a text such as \"10min\" (ms, s, min, h, d)",
    "expires = -1": 's.toml:3: registrations.office.expires = -1: must be whole seconds, such as 600, or a text such as "10min" (ms, s, min, h, d)',
    "expires = 0": "s.toml:3: registrations.office.expires = 0: a whole number from 1 to 4294967295",
    "expires = nan": 's.toml:3: registrations.office.expires = nan: must be whole seconds, such as 600, or a text such as "10min" (ms, s, min, h, d)',
    "expires = inf": 's.toml:3: registrations.office.expires = inf: must be whole seconds, such as 600, or a text such as "10min" (ms, s, min, h, d)',
    "expire = 5": "s.toml:3: registrations.office.expire: not an option here; did you mean 'expires'?",
    "line = 'yes'": "s.toml:3: registrations.office.line = 'yes': must be true or false",
    "max_retries = -1": "s.toml:3: registrations.office.max_retries = -1: must be a whole number",
    "max_retries = true": "s.toml:3: registrations.office.max_retries = True: must be a whole number",
    "max_retries = 1.5": "s.toml:3: registrations.office.max_retries = 1.5: must be a whole number",
    "user_agent = 5": "s.toml:3: registrations.office.user_agent = 5: must be a text",
    "user_agent = ['x']": "s.toml:3: registrations.office.user_agent: is an array; must be a text",
    'user_agent = "a\\nb"': "s.toml:3: registrations.office.user_agent = 'a\\nb': a value without control characters and without white space at its ends",
    "supported = ['a', 5]": "s.toml:3: registrations.office.supported: is an array; must be an array of texts",
    "profile = 'sipcore'": "s.toml:3: registrations.office.profile = 'sipcore': must be one of 'SIPCORE', 'ASTERISK', 'JSSIP'",
    "give_up = ['permanant']": "s.toml:3: registrations.office.give_up = 'permanant': must be one of 'success', 'removed', 'challenge', 'too brief', 'redirect', 'next target', 'temporary', 'refused credentials', 'permanent'; did you mean 'permanent'?",
    "extra_headers = ['X']": 's.toml:3: registrations.office.extra_headers: is an array; must be an array of texts such as "X-Site: berlin"',
    "extra_headers = ['Via: x']": "s.toml:3: registrations.office.extra_headers = 'Via': a header name that sipcore does not write itself",
    "timing = 5": "s.toml:3: registrations.office.timing: must be a table",
    "timing = { t9 = 5 }": "s.toml:3: registrations.office.timing.t9: not an option here; one of t1, t2, t4, timeout",
    "timing = { t1 = 9999 }": "s.toml:3: registrations.office.timing.t1 = 9999: seconds, from 0.001 to 3600",
    "timing.t1 = 9999": "s.toml:3: registrations.office.timing.t1 = 9999: seconds, from 0.001 to 3600",
    "registrar = 'sips:h'": "s.toml:3: registrations.office.registrar = 'sips:h': a sip URI: TLS is not supported yet, so what sips promises cannot be kept",
    "transport = 'udq'\n[transports.udp]": "s.toml:3: registrations.office.transport = 'udq': there is no table [transports.NAME] of that name; did you mean 'udp'?",
    "credentials = ['x']": "s.toml:3: registrations.office.credentials = 'x': there is no table [credentials.NAME] of that name",
    f"password = ['{PASSWORD}']": 's.toml:3: registrations.office.password: must be a text, or where it stands: { file = "..." }, { env = "..." } or { credential = "..." }',
    f"passwort = '{PASSWORD}'": "s.toml:3: registrations.office.passwort: not an option here; did you mean 'password'?",
    f"credentials = {{ password = '{PASSWORD}' }}": "s.toml:3: registrations.office.credentials: is a table; must be a text or an array of texts",
    f"password = {{ text = '{PASSWORD}' }}": "s.toml:3: registrations.office.password.text: not an option here; one of file, env, credential",
    "password = {}": 's.toml:3: registrations.office.password: must be a text, or where it stands: { file = "..." }, { env = "..." } or { credential = "..." }, and one of them',
    "password = { env = '' }": "s.toml:3: registrations.office.password.env = '': must be the name of a variable of the environment",
    "password = { file = 'missing' }": "s.toml:3: registrations.office.password.file = 'missing': cannot be read: No such file or directory",
    "password = { file = 'open' }": "s.toml:3: registrations.office.password.file = 'open': has mode 0644, so that others can read or change it; chmod 600",
    f'password = "{PASSWORD}\\n"': "s.toml:3: registrations.office.password: password: no line ends and no NUL, only what UTF-8 can carry",
    "username = 'u'": "s.toml:3: registrations.office.username = 'u': a password, too",
    f"[credentials]\nc = '{PASSWORD}'": "s.toml:4: credentials.c: must be a table",
    f"[credentials.c]\npassword = '{PASSWORD}'": "s.toml:3: credentials.c: needs username, the name to log in with",
    "[credentials.c]\nusername = 'u'": "s.toml:3: credentials.c: password: a password or a password digest is needed (an empty password is one)",
    "[credentials.c]\nusername = 'u'\nha1 = { MD5 = 'x' }": "s.toml:5: credentials.c.ha1: ha1: 32 hexadecimal digits",
    "[credentials.c]\nusername = 'u'\nha1 = { MD6 = 'x' }": "s.toml:5: credentials.c.ha1.MD6: not an option here; did you mean 'md5'?",
    "[transports.t]\nprotocol = 'tls'": "s.toml:4: transports.t.protocol = 'tls': must be one of 'udp', 'tcp'",
    "[transports.t]\nbind = '[::1'": "s.toml:4: transports.t.bind = '[::1': must be an IP address with or without a port, such as 0.0.0.0:5060 or [::]:5060",
    "[transports.t]\nbind = 'h.example:5060'": "s.toml:4: transports.t.bind = 'h.example': an IP address without brackets",
    "[transports.t]\nbind = '0.0.0.0:99999'": "s.toml:4: transports.t.bind = 65536: a port from 0 to 65535",
    "[transports.t]\nsocket = { tos = 256 }": "s.toml:4: transports.t.socket.tos = 256: a whole number from 0 to 255",
    "transport = 't'\nregistrar = 'sip:[::1]'\n[transports.t]\nbind = '0.0.0.0'": "s.toml:3: registrations.office.transport: binds an IPv4 address, and the next hop is an IPv6 address",
    "[defaults]\naor = 'sip:a@h'": "s.toml:4: defaults.aor: not an option here; one of password, username, credentials, registrar, outbound_proxy, transport, contact_user, contact_parameters, contact_header_parameters, line, expires, supported, allow, user_agent, compact_headers, rport, extra_headers, max_forwards, profile, max_retries, retry_interval, forbidden_retry_interval, fatal_retry_interval, max_random_initial_delay, auth_rejection_permanent, give_up, redirects, timing, keep_alive_interval, any_source",
    "[defaults]\nexpires = 0": "s.toml:4: defaults.expires = 0: a whole number from 1 to 4294967295",
    "[defaults]\ntransport = 'x'": "s.toml:4: defaults.transport = 'x': there is no table [transports.NAME] of that name",
    "[registrations.b]": "s.toml:3: registrations.b: needs aor, such as sip:alice@example.com",
    "[registrations.'*all']\naor = 'sip:a@h'": 's.toml:3: registrations."*all": stands for all registrations',
    "[registrations.'']\naor = 'sip:a@h'": 's.toml:3: registrations."": needs a name',
    "[registrations.\"a\\u001bb\"]\naor = 'sip:a@h'": 's.toml:3: registrations."a\\u001Bb": name: text without control characters',
    "[transport.t]": "s.toml:3: transport: not an option here; did you mean 'transports'?",
    "expires = 5\nexpires = 6": "s.toml:4: TOML: Cannot overwrite a value (at line 4, column 12)",
    "expires =": "s.toml:3: TOML: Invalid value (at line 3, column 10)",
    "expires = 2000-13-01": "s.toml:3: TOML: Expected newline or end of document after a statement (at line 3, column 15)",
}


@pytest.mark.parametrize("line", REFUSED)
def test_refusals(line: str) -> None:
    assert refusal(f"{ALICE}{line}\n") == REFUSED[line]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "s.toml: file: has no table [registrations.NAME]"),
        ("[registrations]", "s.toml: file: has no table [registrations.NAME]"),
        ("registrations = 5", "s.toml:1: registrations: must be a table of tables [registrations.NAME]"),
        ("profile = 5", "s.toml:1: profile = 5: must be one of 'SIPCORE', 'ASTERISK', 'JSSIP'"),
        ("x = " + "9" * 5000, "s.toml: TOML: a value that cannot be read"),
        ("x = " + "[" * 5000, "s.toml: file: too many arrays or tables within each other"),
        ('x = "', "s.toml:1: TOML: Unterminated string (at end of document)"),
    ],
)
def test_files_that_say_nothing(text: str, wanted: str) -> None:
    assert refusal(text) == wanted


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ConfigError) as caught:
        native.load("s.toml", lambda name: b"# a\n# \xff\n", secrets=Vault())
    assert str(caught.value) == "s.toml:2: file: byte 0xFF is not UTF-8"


def test_a_file_that_is_not_there() -> None:
    def absent(name: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", name)

    with pytest.raises(ConfigError) as caught:
        native.load("s.toml", absent, secrets=Vault())
    assert str(caught.value) == "s.toml: file: cannot be read: No such file or directory"


def test_a_mark_of_byte_order_is_passed_over() -> None:
    assert len(native.load("s.toml", lambda name: b"\xef\xbb\xbf" + ALICE.encode(), secrets=Vault()).accounts) == 1


# --- lines -----------------------------------------------------------------------------------------------------------

LINES = '''\
# expires = 1
[registrations]
"a b".aor = "sip:a@h"
"a b".user_agent = """
expires = 2
"""
"a b".supported = [
  "path", # expires = 3
["x"],
]
  "a b" . 'expires'  = 0
'''


def test_the_line_is_that_of_the_key_and_not_of_what_looks_like_it() -> None:
    text = LINES.replace('["x"],\n', "").replace('user_agent = """\nexpires = 2\n"""', 'user_agent = "x" # """')
    assert refusal(text).startswith('s.toml:8: registrations."a b".expires = 0: ')
    assert refusal(LINES).startswith('s.toml:7: registrations."a b".supported: ')


def test_an_array_is_no_header() -> None:
    notes = native.examine("s.toml", lambda name: LINES.encode())
    assert [(note.option, note.where) for note in notes] == [
        ("aor", "s.toml:3"), ("user_agent", "s.toml:4"), ("supported", "s.toml:7"), ("expires", "s.toml:11")
    ]  # fmt: skip


def test_a_key_within_a_line_has_the_line_of_what_is_around_it() -> None:
    text = 'registrations = { r = { aor = "sip:a@h",\nexpires = 0 } }'.replace("\n", " ")
    assert refusal(f"# first\n{text}").startswith("s.toml:2: registrations.r.expires = 0: ")


def test_a_key_of_thousands_of_parts_costs_no_more_than_tomllib_takes_for_it() -> None:
    """Found by the fuzzer: looking for its line cost the square of its parts."""
    text = ALICE + "expires = 600\n" + "a." * 2000 + "b = 1\n"
    source = Source(text.encode(), file="s.toml")
    assert source.where(("registrations", "office", "expires")) == "s.toml:3"
    assert source.where(("registrations", "office", "a")) == "s.toml:1"
    assert len(max(source._lines or {}, key=len)) <= MAX_KEYS
    assert "registrations.office.a" in refusal(text)


def test_a_key_of_as_many_parts_as_are_looked_at_has_its_line() -> None:
    key = ".".join("a" * (MAX_KEYS - 2))
    assert Source(f"{ALICE}{key} = 1\n".encode(), file="s.toml").where(
        ("registrations", "office", *key.split("."))
    ) == "s.toml:3"
