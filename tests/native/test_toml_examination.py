"""What `sipcore check` says of a TOML file: each option, and all that is wrong with it."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore import native
from sipcore.errors import ConfigError
from sipcore.settings import OptionNote, Verdict
from tests.native.toml_tools import ALICE, Vault
from tests.secrecy import PASSWORD, find

TEXT = f"""\
profile = "ASTERISK"
colour = "red"
[transports.udp]
bind = "0.0.0.0:5060"
socket = {{ tos = 96 }}
[transports.spare]
bind = "nonsense"
[credentials.a]
username = "a"
password = "{PASSWORD}"
[defaults]
expires = "10min"
[registrations.one]
aor = "sip:one@example.com"
credentials = "a"
transport = "udp"
passwort = "{PASSWORD}"
redirects = 1
timing = {{ t1 = 0 }}
password = {{ file = 5 }}
[registrations.two]
expires = "soon"
"""


def examine(text: str) -> list[OptionNote]:
    return list(native.examine("s.toml", lambda name: text.encode("utf-8", "surrogatepass")))


def test_every_option_and_every_fault_in_one_go() -> None:
    notes = examine(TEXT)
    assert find(repr(notes)) is None
    told = [(note.where, note.section, note.type, note.option, note.value, note.verdict.name) for note in notes]
    assert told == [
        ("s.toml:1", "", "file", "profile", "ASTERISK", "USED"),
        ("s.toml:2", "", "file", "colour", None, "REFUSED"),
        ("s.toml:4", "transports.udp", "transport", "bind", "0.0.0.0:5060", "USED"),
        ("s.toml:5", "transports.udp", "transport", "socket.tos", "96", "USED"),
        ("s.toml:7", "transports.spare", "transport", "bind", "nonsense", "REFUSED"),
        ("s.toml:9", "credentials.a", "credential", "username", "a", "USED"),
        ("s.toml:10", "credentials.a", "credential", "password", None, "USED"),
        ("s.toml:12", "defaults", "defaults", "expires", "10min", "USED"),
        ("s.toml:14", "registrations.one", "registration", "aor", "sip:one@example.com", "USED"),
        ("s.toml:15", "registrations.one", "registration", "credentials", "a", "USED"),
        ("s.toml:16", "registrations.one", "registration", "transport", "udp", "USED"),
        ("s.toml:17", "registrations.one", "registration", "passwort", None, "REFUSED"),
        ("s.toml:18", "registrations.one", "registration", "redirects", "1", "USED"),
        ("s.toml:19", "registrations.one", "registration", "timing.t1", "0", "REFUSED"),
        ("s.toml:20", "registrations.one", "registration", "password", None, "REFUSED"),
        ("s.toml:22", "registrations.two", "registration", "expires", "soon", "REFUSED"),
        ("s.toml:21", "registrations.two", "registration", "", None, "REFUSED"),
    ]
    assert notes[1].text.startswith("not an option here; ")
    assert notes[11].text == "not an option here; did you mean 'password'?"
    assert notes[-1].text == "needs aor, such as sip:alice@example.com"
    assert all(note.text for note in notes)


def test_what_has_no_effect() -> None:
    notes = examine(f"{ALICE}retry_interval = 5\n[transports.t]\nbind = '0.0.0.0'\n")
    unused = [note for note in notes if note.verdict is Verdict.UNUSED]
    assert [(note.section, note.option, note.text) for note in unused] == [
        ("registrations.office", "retry_interval", "has no effect under the profile SIPCORE"),
        ("transports.t", "", "no registration uses it"),
    ]


def test_secrets_are_looked_at_only_when_asked_for() -> None:
    text = f'{ALICE}password = {{ file = "missing" }}\n'.encode()
    assert all(note.verdict is Verdict.USED for note in native.examine("s.toml", lambda name: text))
    note = native.examine("s.toml", lambda name: text, secrets=Vault())[-1]
    assert (note.option, note.verdict, note.value) == ("password", Verdict.REFUSED, None)
    assert note.text == "cannot be read: No such file or directory"


def test_what_cannot_be_read_is_one_note() -> None:
    (note,) = examine("x = ")
    assert (note.where, note.verdict) == ("s.toml:1", Verdict.REFUSED)

    def absent(name: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", name)

    (note,) = native.examine("s.toml", absent)
    assert (note.where, note.text) == ("s.toml", "cannot be read: No such file or directory")


# --- any text --------------------------------------------------------------------------------------------------------

PIECES = [
    *("[registrations.a]\n", "[registrations]\n", "[defaults]\n", "[transports.t]\n", "[credentials.c]\n", "[[x]]\n"),
    *('aor = "sip:a@h"\n', "aor = 5\n", "expires = 0\n", 'expires = "1h"\n', 'credentials = "c"\n', "timing = "),
    *('username = "u"\n', f'password = "{PASSWORD}"\n', 'password = { file = "open" }\n', "password = {}\n"),
    *("{ t1 = 1 }\n", "a.b = 1\n", '"', "'''", '"""', "\\", "=", "\n", "[", "]", "#", "\u2028", "\x00", "\ud800"),
    *("1979-05-27T07:32:00Z\n", "line = true\n", 'name = "x"\n', "ha1 = { MD5 = '' }\n", "bind = '::'\n", "1e999"),
    *("transport = 't'\n", "give_up = []\n"),
]

texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=10).map("".join))


def fault(data: bytes) -> ConfigError | None:
    try:
        native.load("s.toml", lambda name: data, secrets=Vault())
    except ConfigError as error:
        return error
    return None


@given(texts)
@example("[registrations.a]\naor = 'sip:a@h'\nexpires = " + "9" * 400)
@example("[registrations.a]\naor = 'sip:a@h'\ntiming.t1 = 1e999")
@example("[registrations.a]\naor = 'sip:a@h'\nkeep_alive_interval = nan")
@settings(max_examples=300)
def test_any_text_is_a_configuration_or_an_error(text: str) -> None:
    """Law: nothing but `ConfigError` is raised, no error shows a secret, and `examine` finds a fault exactly when
    `parse` does."""
    error = fault(text.encode("utf-8", "surrogatepass"))
    if error is not None:
        assert find(f"{error} {error!r} {error.args!r}") is None
        assert str(error).startswith("s.toml")
    notes = native.examine("s.toml", lambda name: text.encode("utf-8", "surrogatepass"), secrets=Vault())
    assert find(repr(notes)) is None
    assert any(note.verdict is Verdict.REFUSED for note in notes) is (error is not None)


@given(st.binary(max_size=60))
@settings(max_examples=100)
def test_any_bytes_are_a_configuration_or_an_error(data: bytes) -> None:
    """Law: the same for bytes that are no text."""
    error = fault(data)
    assert error is None or str(error).startswith("s.toml")
