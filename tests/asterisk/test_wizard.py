"""The wizard: which sections it stands for, with which options in which order, and what it refuses."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.asterisk import load, parse
from sipcore.asterisk.syntax import ConfigText, Section
from sipcore.asterisk.wizard import OPTIONS, PREFIXES, Expansion, check_options, expand, export
from sipcore.errors import ConfigError
from tests.secrecy import PASSWORD

TRUNK = """\
[trunk1]
type = wizard
sends_auth = yes
sends_registrations = yes
remote_hosts = 192.0.2.1:5060, 192.0.2.2
outbound_auth/username = me
endpoint/context = default
aor/qualify_frequency = 15
registration/retry_interval = 38
"""


class Object(NamedTuple):
    name: str
    options: list[tuple[str, str]]


def expansion(text: str, warnings: dict[str, None] | None = None) -> Expansion:
    *_, section = ConfigText(text, file="w.conf").sections()
    return expand(section, {} if warnings is None else warnings)


def wizard(*lines: str) -> str:
    return "\n".join(["[w]", "type = wizard", *lines, ""])


def objects(text: str) -> dict[str, Object]:
    """The options of each object but for its type, by type; an object whose type has others gets its name with it."""
    found: dict[str, Object] = {}
    for section in expansion(text).sections:
        (first, kind, *_), *options = section.options
        assert first == "type"
        key = kind if kind not in found else f"{kind} {section.name}"
        found[key] = Object(section.name, [(option.name, option.value) for option in options])
    return found


def warnings(text: str) -> list[str]:
    found: dict[str, None] = {}
    expansion(text, found)
    return list(found)


def error(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        expansion(text)
    return str(caught.value)


# --- the table: object, contents in order ----------------------------------------------------------------------------


def test_a_trunk_becomes_all_its_objects() -> None:
    made = objects(TRUNK)
    assert list(made) == ["endpoint", "aor", "auth", "identify", "registration", "registration trunk1-reg-1"]
    assert made["endpoint"] == Object(
        "trunk1",
        [("context", "default"), ("@pjsip_wizard", "trunk1"), ("aors", "trunk1"), ("outbound_auth", "trunk1-oauth")],
    )
    assert made["aor"] == Object(
        "trunk1",
        [
            ("qualify_frequency", "15"),
            ("@pjsip_wizard", "trunk1"),
            ("contact", "sip:192.0.2.1:5060"),
            ("contact", "sip:192.0.2.2"),
        ],
    )
    assert made["auth"] == Object(
        "trunk1-oauth", [("username", "me"), ("@pjsip_wizard", "trunk1"), ("auth_type", "userpass")]
    )
    assert made["identify"] == Object(
        "trunk1-identify",
        [("endpoint", "trunk1"), ("@pjsip_wizard", "trunk1"), ("match", "192.0.2.1"), ("match", "192.0.2.2")],
    )
    assert made["registration"] == Object(
        "trunk1-reg-0",
        [
            ("retry_interval", "38"),
            ("@pjsip_wizard", "trunk1"),
            ("server_uri", "sip:192.0.2.1:5060"),
            ("client_uri", "sip:me@192.0.2.1:5060"),
            ("outbound_auth", "trunk1-oauth"),
        ],
    )
    assert made["registration trunk1-reg-1"].name == "trunk1-reg-1"
    assert ("client_uri", "sip:me@192.0.2.2") in made["registration trunk1-reg-1"].options


def test_every_option_in_its_place() -> None:
    made = objects(
        wizard(
            "sends_auth = yes",
            "accepts_auth = yes",
            "sends_registrations = yes",
            "sends_line_with_registrations = yes",
            "has_phoneprov = yes",
            "remote_hosts = a.example",
            "outbound_proxy = sip:proxy.example\\;lr",
            "transport = udp",
            "hint_exten = 1000",
            "endpoint/context = phones",
            "outbound_auth/username = out",
            "inbound_auth/username = in",
            "inbound_auth/auth_type = md5",
            "phoneprov/MAC = 001122aa4455",
            "phoneprov/PROFILE = profile1",
            "registration/expiration = 600",
        )
    )
    proxy = ("outbound_proxy", "sip:proxy.example;lr")
    mark = ("@pjsip_wizard", "w")
    assert made == {
        "endpoint": Object(
            "w",
            [
                ("context", "phones"),
                mark,
                ("aors", "w"),
                proxy,
                ("@hint_context", "phones"),
                ("@hint_exten", "1000"),
                ("transport", "udp"),
                ("outbound_auth", "w-oauth"),
                ("auth", "w-iauth"),
            ],
        ),
        "aor": Object("w", [mark, proxy, ("contact", "sip:a.example")]),
        "auth": Object("w-oauth", [("username", "out"), mark, ("auth_type", "userpass")]),
        "auth w-iauth": Object("w-iauth", [("username", "in"), ("auth_type", "md5"), mark]),
        "phoneprov": Object("w-phoneprov", [("mac", "001122aa4455"), ("profile", "profile1"), ("endpoint", "w"), mark]),
        "registration": Object(
            "w-reg-0",
            [
                ("expiration", "600"),
                proxy,
                mark,
                ("server_uri", "sip:a.example"),
                ("client_uri", "sip:out@a.example"),
                ("outbound_auth", "w-oauth"),
                ("transport", "udp"),
                ("line", "yes"),
                ("endpoint", "w"),
            ],
        ),
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["accepts_registrations = yes"], ["endpoint", "aor"]),
        (["sends_line_with_registrations = yes"], ["endpoint", "aor"]),
        (["remote_hosts = a"], ["endpoint", "aor", "identify"]),
        (["remote_hosts = a", "sends_registrations = no"], ["endpoint", "aor", "identify"]),
        (["remote_hosts = a", "sends_registrations = yes"], ["endpoint", "aor", "identify", "registration"]),
        (
            ["remote_hosts = a", "sends_registrations = yes", "sends_line_with_registrations = yes"],
            ["endpoint", "aor", "registration"],
        ),
        (
            ["accepts_registrations = yes", "accepts_auth = on", "inbound_auth/username = x"],
            ["endpoint", "aor", "auth"],
        ),
        (["accepts_registrations = T", "has_phoneprov = 1", "phoneprov/MAC = x"], ["endpoint", "aor", "phoneprov"]),
    ],
)
def test_the_condition_of_each_object(lines: list[str], expected: list[str]) -> None:
    assert list(objects(wizard(*lines))) == expected


# --- hosts and patterns ----------------------------------------------------------------------------------------------


def test_two_hosts_with_ports_and_a_retry_interval() -> None:
    """As in the test suite of Asterisk."""
    text = wizard(
        "sends_auth = yes",
        "sends_registrations = yes",
        "remote_hosts = 127.0.0.5:41060,127.0.0.6:41070",
        "outbound_auth/username = testuser",
        f"outbound_auth/password = {PASSWORD}",
        "registration/retry_interval = 38",
    ).replace("[w]", "[trunk1]")
    registrations = [section for section in expansion(text).sections if "-reg-" in section.name]
    assert [section.name for section in registrations] == ["trunk1-reg-0", "trunk1-reg-1"]
    values = [{option.name: option.value for option in section.options} for section in registrations]
    assert [value["client_uri"] for value in values] == [
        "sip:testuser@127.0.0.5:41060",
        "sip:testuser@127.0.0.6:41070",
    ]
    assert [value["server_uri"] for value in values] == ["sip:127.0.0.5:41060", "sip:127.0.0.6:41070"]
    assert {value["retry_interval"] for value in values} == {"38"}
    assert {value["outbound_auth"] for value in values} == {"trunk1-oauth"}


def last(text: str, kind: str, name: str) -> str | None:
    values = [value for option, value in objects(text)[kind].options if option == name]
    return values[-1] if values else None


REGISTERS = ("sends_registrations = yes", "remote_hosts = h:5070")


@pytest.mark.parametrize(
    ("lines", "name", "expected"),
    [
        ([], "server_uri", "sip:h:5070"),
        ([], "client_uri", "sip:w@h:5070"),
        (["server_uri_pattern = sip:${REMOTE_HOST}\\;transport=tcp"], "server_uri", "sip:h:5070;transport=tcp"),
        (["client_uri_pattern = sip:${USERNAME}@example.com"], "client_uri", "sip:w@example.com"),
        (["client_uri_pattern = ${USERNAME}${USERNAME}$x{"], "client_uri", "ww$x{"),
        (["server_uri_pattern = sip:${USERNAME}"], "server_uri", "sip:w"),
        (
            ["sends_auth = yes", "outbound_auth/username = a", "outbound_auth/username = b"],
            "client_uri",
            "sip:b@h:5070",
        ),
        (["outbound_auth/username = unused"], "client_uri", "sip:w@h:5070"),
        # What the pattern makes comes last and wins, unless it is empty.
        (["registration/server_uri = sip:mine"], "server_uri", "sip:h:5070"),
        (["registration/server_uri = sip:mine", "server_uri_pattern ="], "server_uri", "sip:mine"),
        (["registration/client_uri = sip:me@mine", "client_uri_pattern ="], "client_uri", "sip:me@mine"),
        (["server_uri_pattern ="], "server_uri", None),
        # The last of several counts.
        (["server_uri_pattern = sip:one", "server_uri_pattern = sip:two"], "server_uri", "sip:two"),
    ],
)
def test_patterns_of_registrations(lines: list[str], name: str, expected: str | None) -> None:
    assert last(wizard(*REGISTERS, *lines), "registration", name) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ["sip:a", "sip:b:5070"]),
        (["contact_pattern = sip:x@${REMOTE_HOST}"], ["sip:x@a", "sip:x@b:5070"]),
        (["contact_pattern ="], []),
        (["aor/contact = sip:mine"], ["sip:mine"]),
    ],
)
def test_contacts_of_the_aor(lines: list[str], expected: list[str]) -> None:
    made = objects(wizard("remote_hosts = a , b:5070", *lines))
    assert [value for name, value in made["aor"].options if name == "contact"] == expected


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("a", ["a"]),
        ("a:5070,b", ["a", "b"]),
        ("[2001:db8::1]:5070", ["2001:db8::1"]),
        ("[2001:db8::1]", ["2001:db8::1"]),
        ("2001:db8::1", ["2001:db8::1"]),
    ],
)
def test_identify_matches_hosts_without_ports(hosts: str, expected: list[str]) -> None:
    made = objects(wizard(f"remote_hosts = {hosts}"))
    assert [value for name, value in made["identify"].options if name == "match"] == expected


def test_a_match_of_ones_own_takes_the_place_of_the_hosts() -> None:
    made = objects(wizard("remote_hosts = a,b", "identify/match = 192.0.2.0/24"))
    assert made["identify"].options == [("match", "192.0.2.0/24"), ("endpoint", "w"), ("@pjsip_wizard", "w")]


# --- where it stands -------------------------------------------------------------------------------------------------


def test_each_option_has_the_line_that_asks_for_it() -> None:
    made = {section.name: section for section in expansion(TRUNK).sections}
    lines = {option.name: option.where for option in made["trunk1-reg-0"].options}
    assert lines == {
        "type": "w.conf:2",
        "retry_interval": "w.conf:9",
        "@pjsip_wizard": "w.conf:1",
        "server_uri": "w.conf:5",
        "client_uri": "w.conf:5",
        "outbound_auth": "w.conf:3",
    }
    assert all(section.where == "w.conf:1" and not section.template for section in made.values())


def test_what_came_from_a_template_is_still_inherited() -> None:
    text = "[t](!)\ntype = wizard\nregistration/expiration = 1\naccepts_registrations = no\n[w](t)\n"
    text += "registration/expiration = 2\nsends_registrations = yes\nremote_hosts = a\n"
    section = expansion(text).sections[-1]
    assert [option.name for option in section.options[: section.inherited]] == ["type", "expiration"]
    assert [option.value for option in section.options if option.name == "expiration"] == ["1", "2"]
    assert section.options[1].where == "w.conf:3"


# --- what is refused and what is told --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["sends_registrations = yes", "accepts_registrations = yes"],
            "w.conf:3: [w]: needs remote_hosts, since sends_",
        ),
        (
            ["sends_auth = yes", "accepts_registrations = yes"],
            "w.conf:3: [w]: needs outbound_auth/username, since sends_auth = yes",
        ),
        (
            ["accepts_registrations = yes", "accepts_auth = yes"],
            "w.conf:4: [w]: needs inbound_auth/username, since accepts_auth = yes",
        ),
        ([], "w.conf:1: [w]: needs remote_hosts, or accepts_registrations or sends_line_with_registrations = yes"),
        (["remote_hosts ="], "w.conf:3: [w]: needs remote_hosts, or accepts_registrations or"),
        (
            ["accepts_registrations = yes", "has_phoneprov = yes"],
            "w.conf:4: [w]: needs phoneprov/MAC, since has_phoneprov = yes",
        ),
        (["remote_hosts = a,,b"], "w.conf:3: remote_hosts = 'a,,b': hosts with or without a port"),
        (
            ["sends_registration = yes"],
            "w.conf:3: sends_registration: not an option of type wizard; did you mean 'sends_",
        ),
        (
            ["registraton/expiration = 1"],
            "w.conf:3: registraton/expiration: a wizard makes no object 'registraton'; did you mean 'registration'?",
        ),
        (["endpoint/ = 1"], "w.conf:3: endpoint/: has no name behind the slash"),
        (
            [*REGISTERS, "server_uri_pattern = sip:${HOST}"],
            "w.conf:5: server_uri_pattern = 'sip:${HOST}': only ${REMOTE_HOST} and ${USERNAME} can be filled in here",
        ),
        ([*REGISTERS, "client_uri_pattern = sip:${USERNAME"], "w.conf:5: client_uri_pattern = 'sip:${USERNAME': only"),
        (
            ["remote_hosts = a", "contact_pattern = sip:${USERNAME}@${REMOTE_HOST}"],
            "w.conf:4: contact_pattern = 'sip:${USERNAME}@${REMOTE_HOST}': only ${REMOTE_HOST} can be filled in here",
        ),
    ],
)
def test_what_is_refused(lines: list[str], expected: str) -> None:
    assert error(wizard(*lines)).startswith(expected)


def test_a_password_in_a_pattern_is_not_shown() -> None:
    shown = error(wizard(*REGISTERS, f"server_uri_pattern = sip:me:{PASSWORD}@${{HOST}}"))
    assert "sip:me:***@${HOST}" in shown


def test_a_misspelt_password_is_not_shown() -> None:
    assert PASSWORD not in error(wizard(f"outbond_auth/password = {PASSWORD}"))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["sends_auth = maybe"], "sends_auth: 'maybe' is neither yes nor no and counts as no, as in Asterisk"),
        (["outbound_auth/username = x"], "outbound_auth/username: nothing is made of it without sends_auth = yes"),
        (["inbound_auth/username = x"], "inbound_auth/username: nothing is made of it without accepts_auth = yes"),
        (["phoneprov/MAC = x"], "phoneprov/mac: nothing is made of it without has_phoneprov = yes"),
        (["registration/line = x"], "registration/line: nothing is made of it without sends_registrations = yes"),
        (["server_uri_pattern = x"], "server_uri_pattern: nothing is made of it without sends_registrations = yes"),
        (["identify/match = x"], "identify/match: nothing is made of it since accepts_registrations = yes tells who"),
        (["contact_pattern = x"], "contact_pattern: nothing is made of it without remote_hosts"),
        (
            ["sends_line_with_registrations = yes"],
            "sends_line_with_registrations: nobody is told it without sends_registrations = yes",
        ),
    ],
)
def test_what_is_told(lines: list[str], expected: str) -> None:
    [told] = warnings(wizard("accepts_registrations = yes", *lines))
    assert told.startswith(f"w.conf:4: {expected}")


def test_what_a_template_brings_along_in_vain_is_not_told() -> None:
    template = "[t](!)\ntype = wizard\nphoneprov/PROFILE = p\ncontact_pattern = x\naccepts_registrations = yes\n"
    assert warnings(template + "[w](t)\n") == []
    assert [option.name for option in expansion(template + "[w](t)\n").idle] == ["contact_pattern", "phoneprov/profile"]


def test_what_is_for_the_dialplan_is_idle() -> None:
    text = wizard("accepts_registrations = yes", "has_hint = yes", "hint_exten = 1", "@note = x")
    assert [option.name for option in expansion(text).idle] == ["has_hint", "hint_exten", "@note"]
    assert warnings(text) == []


def test_a_template_is_checked_by_name_only() -> None:
    (section,) = ConfigText("[t](!)\ntype = wizard\nsends_registrations = yes\n@x = y\n", file="w.conf").sections()
    check_options(section)
    (section,) = ConfigText("[t](!)\ntype = wizard\nendpont/context = x\n", file="w.conf").sections()
    with pytest.raises(ConfigError, match="did you mean 'endpoint'"):
        check_options(section)


# --- export ----------------------------------------------------------------------------------------------------------


def test_the_objects_as_a_file() -> None:
    text = wizard(
        *REGISTERS,
        "sends_line_with_registrations = yes",
        "sends_auth = yes",
        "outbound_auth/username = me",
        f"outbound_auth/password = {PASSWORD}",
        "server_uri_pattern = sip:${REMOTE_HOST}\\;transport=tcp",
        "registration/contact_user =",
    )
    expected = """
[w]
type = endpoint
@pjsip_wizard = w
aors = w
outbound_auth = w-oauth

[w]
type = aor
@pjsip_wizard = w
contact = sip:h:5070

[w-oauth]
type = auth
username = me
password = ***
@pjsip_wizard = w
auth_type = userpass

[w-reg-0]
type = registration
@pjsip_wizard = w
server_uri = sip:h:5070\\;transport=tcp
client_uri = sip:me@h:5070
outbound_auth = w-oauth
line = yes
endpoint = w
"""
    sections = expansion(text).sections
    assert export(sections, secrets=False) == expected
    assert export(sections, secrets=True) == expected.replace("***", PASSWORD)


def test_secrets_are_masked_whatever_they_are_called() -> None:
    lines = ["md5_cred", "password_digest", "refresh_token", "oauth_secret", "pasword"]
    text = wizard("accepts_registrations = yes", "accepts_auth = yes", "inbound_auth/username = me")
    text += "".join(f"inbound_auth/{name} = {PASSWORD}\n" for name in lines)
    text += f"endpoint/outbound_proxy = sip:me:{PASSWORD}@proxy\nendpoint/password = {PASSWORD}\n"
    assert PASSWORD not in export(expansion(text).sections, secrets=False)


class Folder(NamedTuple):
    """A pjsip.conf and the pjsip_wizard.conf beside it."""

    wizards: str
    plain: str = "[udp]\ntype = transport\nbind = 0.0.0.0\n"

    def read(self, name: str) -> bytes:
        return {"pjsip.conf": self.plain, "pjsip_wizard.conf": self.wizards}[name].encode()

    def glob(self, pattern: str) -> list[str]:
        return []


def test_registrations_of_a_wizard_are_accounts() -> None:
    configuration = load("pjsip.conf", Folder(TRUNK + f"outbound_auth/password = {PASSWORD}\ntransport = udp\n"))
    assert [account.name for account in configuration.accounts] == ["trunk1-reg-0", "trunk1-reg-1"]
    account = configuration.accounts[1]
    assert (account.aor, account.registrar) == ("sip:me@192.0.2.2", "sip:192.0.2.2")
    assert account.retry_interval == 38
    assert [credential.username for credential in account.credentials] == ["me"]
    assert configuration.secret
    assert configuration.identify is not None


def test_a_fault_in_what_is_passed_through_names_its_line() -> None:
    wizards = wizard("sends_registrations = yes", "remote_hosts = a", "registration/expiration = x")
    with pytest.raises(ConfigError, match=r"^pjsip_wizard\.conf:5: expiration = 'x': a whole number"):
        load("pjsip.conf", Folder(wizards))


def test_an_exported_wizard_is_a_configuration_of_the_same_accounts() -> None:
    text = TRUNK + f"outbound_auth/password = {PASSWORD}\n"
    folder = Folder(text)
    once = load("pjsip.conf", folder)
    again = parse(folder.plain + export(expansion(text).sections, secrets=True))
    assert again.accounts == once.accounts


VALUES = st.text(
    st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="\\"), max_size=12
) | st.sampled_from(["yes", "no", "a.example", "a,b:5070", "${REMOTE_HOST}", "${USERNAME}", "${X}", "192.0.2.1", "5"])
NAMES = st.sampled_from(
    [*OPTIONS[1:], *[f"{prefix}/{name}" for prefix in PREFIXES for name in ("username", "password", "expiration", "x")]]
)
TRUNK_REGISTRATION = "[r]\ntype = registration\nserver_uri = sip:a\nclient_uri = sip:b@a\n"

WIZARDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


def written(options: list[tuple[str, str]]) -> str:
    return wizard(*[f"{name} = {value}".replace(";", "\\;") for name, value in options])


@settings(deadline=None)
@given(WIZARDS)
def test_a_wizard_is_sections_that_are_read_or_one_error(options: list[tuple[str, str]]) -> None:
    """Of any wizard: a configuration with it is read, or raises `ConfigError` that names the file; nothing else.
    So is one of what it is expanded to."""
    refused: list[ConfigError] = []
    try:
        load("pjsip.conf", Folder(written(options), TRUNK_REGISTRATION))
        parse(TRUNK_REGISTRATION + export(expansion(written(options)).sections, secrets=True))
    except ConfigError as error:
        refused.append(error)
    assert all(error.where is not None for error in refused)


@settings(deadline=None)
@given(WIZARDS)
def test_what_is_exported_is_read_as_the_same_sections(options: list[tuple[str, str]]) -> None:
    """Export and reading are inverse, but for options that are empty and change nothing."""
    try:
        sections = expansion(written(options)).sections
    except ConfigError:
        return

    def shown(given: tuple[Section, ...]) -> list[tuple[str, list[tuple[str, str]]]]:
        return [(item.name, [(option.name, option.value) for option in item.options if option.value]) for item in given]

    text = export(sections, secrets=True)
    assert shown(tuple(ConfigText(text, file="x.conf").sections())) == shown(sections)
