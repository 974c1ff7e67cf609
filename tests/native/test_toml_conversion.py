"""From one form of a configuration to the other and back: nothing is lost, or it is said."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sipcore import asterisk, native
from sipcore.config import Account, Credential, Timing, Transport
from sipcore.errors import ConfigError
from sipcore.native.conversion import differences, normal
from sipcore.native.pjsip_text import LEFT_OUT
from sipcore.profiles import ASTERISK, PROFILES, SIPCORE
from sipcore.settings import Configuration, Written
from sipcore.values import OutcomeClass, Protocol, Secret
from tests.native.toml_tools import Vault, configurations, missing, read
from tests.secrecy import PASSWORD, find

EXAMPLES = Path(__file__).parents[2] / "examples"


def configuration(*accounts: Account) -> Configuration:
    return Configuration(file="x", accounts=accounts, warnings=(), secret=True, binds={})


def test_nothing_is_left_undrawn() -> None:
    """The laws below hold for what is drawn: every field of every class."""
    assert missing() == []


@given(configurations)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
def test_toml_says_everything(wanted: Configuration) -> None:
    """Law: accounts written as TOML and read again are the same accounts, and nothing is noted."""
    converted = native.to_toml(wanted, secrets=True)
    assert converted.notes == ()
    assert converted.secrets == ()
    again = read(converted.text)
    assert differences(wanted.accounts, again.accounts) == []


@given(configurations)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
def test_a_pjsip_conf_says_the_same_or_it_is_noted(wanted: Configuration) -> None:
    """Law: each field of each account comes back equal in effect, or a note names the field and the account; or the
    notes say that the text is refused."""
    converted = native.to_pjsip(wanted, secrets=True)
    if any("refused as it stands" in note for note in converted.notes):
        return
    noted = " ".join(converted.notes)
    for number, account in enumerate(wanted.accounts):
        again = asterisk.parse(converted.text, profile=account.profile).accounts[number]
        mine, theirs = normal(account), normal(again)
        for field in mine:
            assert mine[field] == theirs[field] or f"{field}: " in noted


SAID = {
    "registrar": "sip:sip.example.com:5070",
    "outbound_proxy": ("<sip:a.example.com;lr>", "<sip:b.example.com;lr>"),
    "transport": Transport(protocol=Protocol.TCP, local=("0.0.0.0", 5062), listen=True),
    "contact_user": "trunk",
    "contact_header_parameters": ";reg-id=1",
    "expires": 601,
    "supported": ("path", "outbound"),
    "user_agent": "A; b",
    "compact_headers": True,
    "max_forwards": 30,
    "max_retries": 3,
    "retry_interval": 7,
    "forbidden_retry_interval": 8,
    "fatal_retry_interval": 9,
    "max_random_initial_delay": 4,
    "auth_rejection_permanent": False,
    "line": True,
    "rport": False,
    "keep_alive_interval": 30.0,
    "timing": Timing(t1=0.1, timeout=10.0),
    "credentials": (
        Credential(username="u; v", password=Secret(PASSWORD), realm="r"),
        Credential(username="e", password=Secret("")),
    ),
}
"""What both forms can say; every other field is named in the notes."""


@pytest.mark.parametrize("field", SAID)
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_what_both_forms_can_say(field: str, profile: object) -> None:
    """Law: TOML -> pjsip.conf -> TOML keeps the account, for each of these options and under each profile."""
    options = {"user_agent": "sipcore", "profile": profile, field: SAID[field]}
    account = Account("sip:alice@example.com", name="office", **options)  # type: ignore[arg-type]  # by name
    there = native.to_pjsip(configuration(account), secrets=True)
    assert [note for note in there.notes if not note.startswith("profile: ")] == []
    back = native.to_toml(asterisk.parse(there.text, profile=account.profile), secrets=True)
    assert differences([account], read(back.text).accounts) == []


UNSAID = {
    "contact_parameters": ";ob",
    "allow": ("REGISTER",),
    "extra_headers": (("X-Site", "a"),),
    "redirects": 2,
    "give_up": frozenset({OutcomeClass.PERMANENT}),
    "any_source": True,
    "supported": ("gruu",),
    "timing": Timing(t2=8.0),
    "user_agent": "",
    "transport": Transport(protocol=Protocol.TCP),
}


def test_differences_are_seen() -> None:
    """The laws above would hold for a comparison that sees nothing, too."""
    one = Account("sip:alice@example.com", credentials=(Credential(username="a", password=Secret("1")),))
    other = Account("sip:alice@example.com", credentials=(Credential(username="a", password=Secret("2")),))
    assert differences([one], [other]) == ['credentials: differ ("sip:alice@example.com")']
    for field, value in SAID.items():
        changed = Account("sip:alice@example.com", **{field: value})  # type: ignore[arg-type]  # by name
        assert [note.partition(":")[0] for note in differences([Account("sip:alice@example.com")], [changed])] == [
            field
        ]
    assert differences([one], []) == ["1 registrations became 0"]


@pytest.mark.parametrize("field", UNSAID)
def test_what_a_pjsip_conf_cannot_say_is_noted(field: str) -> None:
    options = {"user_agent": "sipcore", "profile": ASTERISK, field: UNSAID[field]}
    account = Account("sip:alice@example.com", name="office", **options)  # type: ignore[arg-type]  # by name
    (note,) = native.to_pjsip(configuration(account)).notes
    assert note.startswith(f"{field}: ")
    assert note.endswith(" (office)")
    assert f";   {note}" in native.to_pjsip(configuration(account)).text


def test_a_password_that_a_line_cannot_carry_is_noted_and_never_shown() -> None:
    account = Account("sip:alice@example.com", password=f" {PASSWORD} ", user_agent="sipcore", profile=ASTERISK)
    converted = native.to_pjsip(configuration(account))
    assert find(f"{converted}") is None
    (note,) = converted.notes
    assert "refused" in note


def test_values_are_told_as_a_user_would_write_them() -> None:
    wanted = Account(
        "sip:alice@example.com", name="office", profile=ASTERISK, transport=Transport(protocol=Protocol.TCP),
        give_up=frozenset({OutcomeClass.PERMANENT}), extra_headers=(("X", "a"),), redirects=1,
    )  # fmt: skip
    assert native.to_pjsip(configuration(wanted)).notes == (
        'transport: { protocol = "TCP" } became { protocol = "TCP", local = ["0.0.0.0", 0], listen = True } (office)',
        'user_agent: "" became "sipcore" (office)',
        'extra_headers: [["X", "a"]] became [] (office)',
        'give_up: ["permanent"] became [] (office)',
        "redirects: 1 became 0 (office)",
    )


def test_the_profile_is_noted() -> None:
    account = Account("sip:alice@example.com", name="office", user_agent="sipcore", profile=SIPCORE)
    assert native.to_pjsip(configuration(account)).notes == (
        "profile: a pjsip.conf has none; run it with --profile SIPCORE",
    )


def test_many_of_one_kind_are_one_note() -> None:
    accounts = [Account(f"sip:u{number}@example.com", profile=ASTERISK) for number in range(9)]
    (note,) = native.to_pjsip(configuration(*accounts)).notes
    assert note.startswith('user_agent: "" became "sipcore" ("sip:u0@example.com", ')
    assert note.endswith(" and 4 more)")


# --- files -----------------------------------------------------------------------------------------------------------

CONF = f"""\
[udp]
type = transport
bind = 0.0.0.0:5062

[a]
type = auth
username = alice
password = {PASSWORD}

[b]
type = auth
username = bob
password_digest = MD5:{"1" * 32}
realm = example.org

[one]
type = registration
server_uri = sip:sip.example.com
client_uri = sip:alice@example.com
outbound_auth = a, b
expiration = 600

[two]
type = registration
server_uri = sip:sip.example.org
client_uri = sip:bob@example.org
outbound_auth = b
"""


def as_files(**files: str) -> object:
    return lambda name: files[name.replace(".", "_")].encode()


def test_a_pjsip_conf_as_toml_word_by_word() -> None:
    converted = native.convert("p.conf", lambda name: CONF.encode(), to="toml")
    lines = [line for line in converted.text.splitlines() if not line.startswith("[credentials") and line]
    assert lines == [
        "# From p.conf.",
        "# Passwords are looked for in secrets/ beside this file, in files that only their owner can read.",
        'profile = "ASTERISK"',
        "[transports.udp]",
        'bind = "0.0.0.0:5062"',
        'username = "alice"',
        f'password = {{ file = "{converted.secrets[0][0]}" }}',
        'algorithms = ["MD5"]',
        'username = "bob"',
        f'ha1 = {{ MD5 = {{ file = "{converted.secrets[1][0]}" }} }}',
        'realm = "example.org"',
        'algorithms = ["MD5"]',
        "[defaults]",
        'transport = "udp"',
        'user_agent = "sipcore"',
        "keep_alive_interval = 90",
        "[registrations.one]",
        'aor = "sip:alice@example.com"',
        *[line for line in lines if line.startswith("credentials = [")],
        'registrar = "sip:sip.example.com"',
        "expires = 600",
        "[registrations.two]",
        'aor = "sip:bob@example.org"',
        *[line for line in lines if line.startswith("credentials = ") and "[" not in line],
        'registrar = "sip:sip.example.org"',
    ]


def test_secrets_are_left_out_of_toml_and_handed_over() -> None:
    converted = native.convert("p.conf", lambda name: CONF.encode(), to="toml")
    assert find(converted.text) is None
    assert [secret for _, secret in converted.secrets] == [Secret(PASSWORD), Secret("1" * 32)]
    assert all(f'{{ file = "{name}" }}' in converted.text for name, _ in converted.secrets)
    given = dict(converted.secrets)

    class Handed:
        def secret(self, place: str, name: str) -> Secret:
            assert place == "file"
            return given[name]

    again = native.parse(converted.text, secrets=Handed())
    assert differences(asterisk.parse(CONF).accounts, again.accounts) == []
    assert not again.secret


def test_secrets_are_written_when_asked_for() -> None:
    converted = native.convert("p.conf", lambda name: CONF.encode(), to="toml", secrets=True)
    assert PASSWORD in converted.text
    assert converted.secrets == ()
    assert find(repr(converted)) is None
    again = native.parse(converted.text, secrets=Vault())
    assert differences(asterisk.parse(CONF).accounts, again.accounts) == []
    assert again.secret


def test_secrets_are_left_out_of_a_pjsip_conf_which_is_then_refused() -> None:
    toml = native.convert("p.conf", lambda name: CONF.encode(), to="toml", secrets=True).text
    converted = native.convert("s.toml", lambda name: toml.encode(), to="pjsip")
    assert find(converted.text) is None
    assert f"; password = {LEFT_OUT}" in converted.text
    with pytest.raises(ConfigError) as caught:
        asterisk.parse(converted.text)
    assert "needs password" in str(caught.value)
    filled = converted.text.replace(f"; password = {LEFT_OUT}", f"password = {PASSWORD}")
    filled = filled.replace(f"; password_digest = {LEFT_OUT}", f"password_digest = {'1' * 32}")
    assert differences(asterisk.parse(CONF).accounts, asterisk.parse(filled).accounts) == []


def test_secrets_that_stand_elsewhere_are_read_only_when_they_are_written() -> None:
    text = '[registrations.a]\naor = "sip:a@example.com"\npassword = { env = "X" }\n'
    vault = Vault()
    native.convert("s.toml", lambda name: text.encode(), to="pjsip", source=vault)
    assert vault.asked == []
    converted = native.convert("s.toml", lambda name: text.encode(), to="pjsip", secrets=True, source=vault)
    assert vault.asked == [("env", "X")]
    assert f"password = {PASSWORD}" in converted.text


@pytest.mark.parametrize(("file", "to"), [("s.toml", "toml"), ("p.conf", "pjsip")])
def test_a_file_is_not_made_from_its_own_form(file: str, to: str) -> None:
    with pytest.raises(ConfigError) as caught:
        native.convert(file, lambda name: b"", to=to)  # type: ignore[arg-type]  # one of the two
    assert str(caught.value) == f"{file}: file: is {'TOML' if to == 'toml' else 'a pjsip.conf'} already"


def test_a_file_that_is_not_there() -> None:
    def absent(name: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", name)

    for file, to in (("s.toml", "pjsip"), ("p.conf", "toml")):
        with pytest.raises(ConfigError) as caught:
            native.convert(file, absent, to=to)  # type: ignore[arg-type]  # one of the two
        assert str(caught.value) == f"{file}: file: cannot be read: No such file or directory"


def test_the_example_of_asterisk_and_back() -> None:
    text = (EXAMPLES / "pjsip.conf").read_bytes()
    there = native.convert("pjsip.conf", lambda name: text, to="toml", secrets=True)
    assert there.notes == ()
    back = native.convert("s.toml", lambda name: there.text.encode(), to="pjsip", secrets=True, source=Vault())
    assert back.notes == ()
    assert differences(asterisk.parse(text.decode()).accounts, asterisk.parse(back.text).accounts) == []


@given(st.text("ab ];\\[äß-+=>#", min_size=1, max_size=9))
@example("a;b]c")
@example(";--")
@settings(max_examples=30)
def test_names_survive_or_are_noted(name: str) -> None:
    """Law: a name comes back, or the notes tell what it became."""
    account = Account("sip:alice@example.com", name=name, user_agent="sipcore", profile=ASTERISK)
    converted = native.to_pjsip(configuration(account))
    (again,) = asterisk.parse(converted.text).accounts
    assert again.name == name or any(note.startswith("name: ") for note in converted.notes)


def test_nothing_to_write() -> None:
    assert "refused as it stands" in native.to_toml(configuration()).notes[0]
    assert "refused as it stands" in native.to_pjsip(configuration()).notes[0]


WIZARD = """\
[itsp]
type = wizard
sends_auth = yes
sends_registrations = yes
remote_hosts = sip1.example.com, sip2.example.com
outbound_auth/username = alice
outbound_auth/password = x
registration/expiration = 600
endpoint/context = default
"""


def test_wizards_are_expanded_and_what_is_for_others_is_noted() -> None:
    class Files:
        def read(self, name: str, /) -> bytes:
            return {"pjsip.conf": b"[udp]\ntype = transport\nbind = 0.0.0.0\n", "pjsip_wizard.conf": WIZARD.encode()}[
                name
            ]

        def glob(self, pattern: str, /) -> list[str]:
            return []

    converted = native.convert("pjsip.conf", Files(), to="toml", secrets=True)
    assert [found.name for found in read(converted.text).accounts] == ["itsp-reg-0", "itsp-reg-1"]
    assert any("not used by sipcore" in note and "endpoint/context" in note for note in converted.notes)


def test_names_are_those_of_the_file() -> None:
    udp = Transport(local=("0.0.0.0", 5060))
    accounts = [
        Account(
            f"sip:{user}@h", name=user, transport=udp, credentials=(Credential(username=user, password=Secret("")),)
        )
        for user in ("a", "b")
    ]
    written = {"a": Written(transport="wan", outbound_auth=("login",), endpoint="e", security_negotiation="mediasec")}
    found = Configuration(file="x", accounts=tuple(accounts), warnings=(), secret=True, binds={}, written=written)
    converted = native.to_toml(found)
    assert set(tomllib.loads(converted.text)["transports"]) == {"wan"}
    assert set(tomllib.loads(converted.text)["credentials"]) == {"login", "b"}
    assert converted.notes == (
        "endpoint: 'e' has no place here (a)",
        "security_negotiation: 'mediasec' has no place here (a)",
    )
