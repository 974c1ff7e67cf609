"""What `examine` says of each option: used, read and not used, or refused; and that it goes on behind a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.asterisk import examine, load
from sipcore.errors import ConfigError
from sipcore.settings import OptionNote, Verdict

CANARY = "canary-7f3a"

REGISTRATION = "[r]\ntype = registration\nserver_uri = sip:h.example\nclient_uri = sip:u@h.example\n"
"""Four lines: what is appended begins in line 5."""


class Directory:
    """Files by name, in one directory."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self.files = files

    def read(self, name: str, /) -> bytes:
        if name not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        found = self.files[name]
        return found if isinstance(found, bytes) else found.encode()

    def glob(self, pattern: str, /) -> Sequence[str]:
        return []


def notes(text: str | bytes, wizards: str | None = None) -> tuple[OptionNote, ...]:
    files = {"pjsip.conf": text} | ({} if wizards is None else {"pjsip_wizard.conf": wizards})
    found = examine("pjsip.conf", Directory(files))
    assert CANARY not in repr(found)
    return found


def at(found: Sequence[OptionNote], line: int, file: str = "pjsip.conf") -> OptionNote:
    (note,) = [note for note in found if note.where == f"{file}:{line}"]
    return note


def verdicts(found: Sequence[OptionNote]) -> dict[str, Verdict]:
    return {note.option: note.verdict for note in found}


def test_used_and_not_used() -> None:
    found = notes(
        REGISTRATION + "max_retries = 3\n@tool = x\n[e]\ntype = endpoint\ncontext = default\nidentify_by = ip\n"
        "[n]\ntype = acl\npermit = 10.0.0.0/8\n[global]\nuser_agent = x\ndebug = yes\n"
    )
    assert at(found, 5) == OptionNote(
        where="pjsip.conf:5",
        section="r",
        type="registration",
        option="max_retries",
        value="3",
        verdict=Verdict.USED,
    )
    unused = {note.option for note in found if note.verdict is Verdict.UNUSED}
    assert unused == {"@tool", "context", "type", "permit", "debug"}
    assert not [note for note in found if note.verdict is Verdict.REFUSED]
    assert [note.where for note in found] == sorted((note.where for note in found), key=lambda where: int(where[11:]))


def test_it_goes_on_behind_a_fault_and_load_raises_the_first() -> None:
    text = "[a]\ntype = auth\nusername = u\npasword = " + CANARY + "\n" + REGISTRATION
    text += "expiraton = 1\nmax_retries = many\nretry_interval = x\nexpiration = 0\n[e]\ntype = endpont\n"
    found = notes(text)
    refused = {note.where: (note.option, note.text) for note in found if note.verdict is Verdict.REFUSED}
    assert refused == {
        "pjsip.conf:1": ("", "needs password, or a password_digest"),
        "pjsip.conf:4": ("pasword", "not an option of type auth; did you mean 'password'?"),
        "pjsip.conf:9": ("expiraton", "not an option of type registration; did you mean 'expiration'?"),
        "pjsip.conf:10": ("max_retries", "a whole number from 0 to 4294967295"),
        "pjsip.conf:11": ("retry_interval", "a whole number from 0 to 4294967295"),
        "pjsip.conf:12": ("expiration", "a whole number from 1 to 4294967295"),
        "pjsip.conf:14": ("type", "not a type of Asterisk; did you mean 'endpoint'?"),
    }
    with pytest.raises(ConfigError) as caught:
        load("pjsip.conf", Directory({"pjsip.conf": text}))
    assert caught.value.where == "pjsip.conf:4"


def test_an_auth_that_is_refused_is_not_missed_as_well() -> None:
    found = notes("[a]\ntype = auth\nusername = u\n" + REGISTRATION + "outbound_auth = a\n")
    assert [note.where for note in found if note.verdict is Verdict.REFUSED] == ["pjsip.conf:1"]


def test_an_option_of_a_template_is_noted_once_by_its_best_use() -> None:
    text = "[t](!)\nendpoint = e\nexpiration = 60\n[i](t)\n" + REGISTRATION.replace("[r]", "[r](t)") + "line = yes\n"
    found = notes(text.replace("[i](t)\n", "") + "[lost](!)\nmax_retries = 3\n")
    assert at(found, 2).verdict is Verdict.USED
    assert (at(found, 3).section, at(found, 3).type) == ("t", "registration")
    lost = at(found, 10)
    assert (lost.verdict, lost.text, lost.section) == (Verdict.UNUSED, "no section inherits it", "lost")


def test_an_option_is_used_when_one_of_its_heirs_uses_it() -> None:
    text = "[t](!)\nendpoint = e\n[i](t)\ntype = identify\nmatch = 192.0.2.1\n[c](t)\ntype = contact\n"
    found = notes(text + REGISTRATION)
    assert [note.verdict for note in found if note.where == "pjsip.conf:2"] == [Verdict.USED]


def test_traps_and_what_is_passed_over_are_in_the_notes() -> None:
    found = notes(REGISTRATION + "expiration = 010\nhello\nsecurity_mechanisms = sdes-srtp\n[s]x\ntype = system\n")
    assert (at(found, 5).verdict, at(found, 5).text) == (
        Verdict.USED,
        "a leading 0 means octal, as in Asterisk: 010 is 8",
    )
    assert (at(found, 6).option, at(found, 6).verdict) == ("line", Verdict.UNUSED)
    assert at(found, 7).text == "has no effect without security_negotiation = mediasec"
    assert (at(found, 8).section, at(found, 8).verdict) == ("s", Verdict.UNUSED)


def test_a_transport_of_a_kind_that_is_not_supported_yet_matters_only_when_it_is_used() -> None:
    transport = "[t]\ntype = transport\nprotocol = wss\nbind = 0.0.0.0\n"
    found = notes(REGISTRATION + transport)
    assert at(found, 7).text == "no registration uses this transport, and wss is not supported yet"
    assert {note.verdict for note in found[4:]} == {Verdict.UNUSED}
    found = notes(REGISTRATION + "transport = t\n" + transport)
    assert at(found, 5).verdict is Verdict.REFUSED


def test_an_auth_matters_only_when_a_registration_names_it() -> None:
    phone = "[6001]\ntype = auth\nusername = 6001\npassword = x\n"
    trunk = phone.replace("6001", "trunk")
    found = notes(phone + trunk + REGISTRATION + "outbound_auth = trunk\n")
    assert {(note.verdict, note.text) for note in found[:3]} == {(Verdict.UNUSED, "no registration uses this auth")}
    assert {note.verdict for note in found[3:]} == {Verdict.USED}


def test_the_type_of_an_object_that_is_not_used_is_not_used_either() -> None:
    found = notes(REGISTRATION + "[a]\ntype = aor\n[d]\ntype = domain_alias\ndomain = d.example\n")
    assert (at(found, 6).verdict, at(found, 8).verdict) == (Verdict.UNUSED, Verdict.USED)


def test_options_without_effect_say_why() -> None:
    text = "[t]\ntype = transport\nbind = ::\nexternal_signaling_port = 5080\ntcp_keepalive_probe_count = 3\n"
    found = notes(REGISTRATION + text)
    assert at(found, 8).text.startswith("has no effect without external_signaling_address")
    assert at(found, 9).text == "has no effect without connections, which UDP has not"


def test_secrets_are_not_shown() -> None:
    found = notes(
        f"[a]\ntype = auth\nusername = u\npassword = {CANARY}\noauth_secret = {CANARY}\nrefresh_token = {CANARY}\n"
        f"[t]\ntype = transport\nbind = ::\npassword = {CANARY}\n"
        f"[e]\ntype = endpoint\nset_var = P={CANARY}\n@note = {CANARY}\npaswd = {CANARY}\n"
        f"[p]\ntype = phoneprov\nSECRET = {CANARY}\n[l](!)\npassword = {CANARY}\n"
        + REGISTRATION
        + f"outbound_proxy = sip:u:{CANARY}@h.example\n",
        f"[w]\ntype = wizard\nremote_hosts = 192.0.2.1\noutbound_auth/password = {CANARY}\nendpoint/@x = {CANARY}\n",
    )
    assert next(note for note in found if note.option == "outbound_proxy").value == "sip:u:***@h.example"


def test_secrets_are_not_shown_where_the_type_is_not_known_either() -> None:
    """Found by the fuzzer: a wizard whose `type` line is lost, and options that nobody knows."""
    lines = f"outbound_auth/password = {CANARY}\npassword = {CANARY}\npaswd = {CANARY}\nouch/x = {CANARY}\n"
    harmless = "outbound_auth/username = u\nremote_hosts = h\nrealm = r\n"
    for head in ("[w]\n", "[w](!)\n", "[w]\ntype = wizzard\n", "[w]\ntype = wizard\n"):
        found = [*notes(REGISTRATION, head + lines + harmless), *notes(REGISTRATION + head + lines + harmless)]
        shown = {note.option for note in found if note.section == "w" and note.value is not None}
        assert shown <= {"type", "outbound_auth/username", "remote_hosts", "realm"}
        assert shown >= {"outbound_auth/username", "remote_hosts"}


WIZARD = """\
[w]
type = wizard
remote_hosts = 192.0.2.1, 192.0.2.2
sends_auth = yes
sends_registrations = yes
outbound_auth/username = u
outbound_auth/password = x
registration/expiration = 60
registration/max_retries = {retries}
endpoint/context = default
aor/max_contacts = 1
"""


def test_a_wizard_is_read_beside_the_pjsip_conf() -> None:
    files = {"/e/pjsip.conf": "", "/e/pjsip_wizard.conf": WIZARD.format(retries=3)}
    configuration = load("/e/pjsip.conf", Directory(files))
    assert [account.name for account in configuration.accounts] == ["w-reg-0", "w-reg-1"]
    assert [account.expires for account in configuration.accounts] == [60, 60]
    assert configuration.accounts[1].registrar == "sip:192.0.2.2"
    assert configuration.accounts[1].credentials[0].username == "u"
    assert configuration.files == ("/e/pjsip.conf", "/e/pjsip_wizard.conf")
    assert configuration.identify is not None


def test_the_options_of_a_wizard_are_noted_under_their_own_names() -> None:
    found = notes("", WIZARD.format(retries="many"))
    assert verdicts(found) == {
        "type": Verdict.USED,
        "remote_hosts": Verdict.USED,
        "sends_auth": Verdict.USED,
        "sends_registrations": Verdict.USED,
        "outbound_auth/username": Verdict.USED,
        "outbound_auth/password": Verdict.USED,
        "registration/expiration": Verdict.USED,
        "registration/max_retries": Verdict.REFUSED,
        "endpoint/context": Verdict.UNUSED,
        "aor/max_contacts": Verdict.UNUSED,
    }


def test_only_wizards_are_looked_at_in_their_file_and_nowhere_else() -> None:
    found = notes(REGISTRATION + "[w]\ntype = wizard\nnonsense = 1\n", REGISTRATION.replace("[r]", "[other]"))
    assert not [note for note in found if note.verdict is Verdict.REFUSED]
    assert at(found, 5).text == "wizards are looked at in pjsip_wizard.conf alone, as in Asterisk"
    about = at(found, 1, "pjsip_wizard.conf")
    assert about.text == "only sections of type wizard are looked at here, as in Asterisk"


def test_what_is_told_of_an_option_that_a_wizard_made_is_told_of_its_line() -> None:
    text = "[w]\ntype = wizard\nsends_registrations = yes\nremote_hosts = h.example\nregistration/max_retries = 010\n"
    found = notes("", text)
    assert len(found) == 4
    assert (at(found, 4, "pjsip_wizard.conf").verdict, at(found, 4, "pjsip_wizard.conf").text) == (
        Verdict.USED,
        "match: 'h.example' is a name, which is not looked up here: it matches nothing",
    )
    assert (at(found, 5, "pjsip_wizard.conf").verdict, at(found, 5, "pjsip_wizard.conf").text) == (
        Verdict.USED,
        "a leading 0 means octal, as in Asterisk: 010 is 8",
    )
    (hosts,) = [note for note in notes("", text.replace("h.example", "a b")) if note.where.endswith(":4")]
    assert (hosts.section, hosts.option, hosts.verdict) == ("w", "remote_hosts", Verdict.REFUSED)
    assert "match: an address" in hosts.text
    assert "client_uri: must be a sip URI" in hosts.text


def test_all_that_is_unknown_in_a_wizard_is_told_at_once() -> None:
    found = notes("", "[w]\ntype = wizard\nremote_host = h\nendpont/context = x\nregistration/ = 1\nsends_auth = no\n")
    assert {note.option: (note.verdict, note.text) for note in found if note.where.endswith((":3", ":4", ":5"))} == {
        "remote_host": (Verdict.REFUSED, "not an option of type wizard; did you mean 'remote_hosts'?"),
        "endpont/context": (Verdict.REFUSED, "a wizard makes no object 'endpont'; did you mean 'endpoint'?"),
        "registration/": (Verdict.REFUSED, "has no name behind the slash"),
    }
    idle = at(found, 6, "pjsip_wizard.conf")
    assert (idle.verdict, idle.text) == (Verdict.UNUSED, "this wizard is refused")


def test_what_is_not_used_is_checked_also_in_an_object_that_is_refused() -> None:
    text = "[t]\ntype = transport\nmethod = x\nverify_server = maybe\nwebsocket_write_timeout = y\n"
    found = notes(REGISTRATION + text + "[a]\ntype = auth\nauth_type = x\nnonce_lifetime = z\n")
    refused = {note.option for note in found if note.verdict is Verdict.REFUSED}
    assert refused == {"method", "websocket_write_timeout", "auth_type", "nonce_lifetime"}
    assert at(found, 8).text == "'maybe' is neither yes nor no and counts as no, as in Asterisk"


def test_a_lifetime_of_nothing_is_no_number_that_would_be_valid() -> None:
    for value in ("0", "x", ""):
        (note,) = [note for note in notes(REGISTRATION + f"expiration = {value}\n") if note.option == "expiration"]
        assert note.text == "a whole number from 1 to 4294967295"


def test_a_wizard_at_fault_has_the_place_of_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load("pjsip.conf", Directory({"pjsip.conf": "", "pjsip_wizard.conf": "[w]\ntype = wizard\nsends_aut = 1\n"}))
    assert str(caught.value).startswith("pjsip_wizard.conf:3: sends_aut: not an option of type wizard")


def test_a_fault_in_the_syntax_ends_the_reading() -> None:
    found = notes(REGISTRATION + "[e]\n[broken\nx = 1\n")
    assert (at(found, 6).option, at(found, 6).verdict) == ("section", Verdict.REFUSED)
    assert at(found, 4).verdict is Verdict.USED


def test_a_file_that_is_not_there() -> None:
    (note,) = examine("pjsip.conf", Directory({}))
    assert (note.where, note.option, note.verdict) == ("pjsip.conf", "file", Verdict.REFUSED)
    assert note.text == "cannot be read: No such file or directory"


LINES = [
    *"[r] [t](!) [u](t) [r](+) [global] ;-- --; hello # [e](!,t)".split(),
    *("type=" + kind for kind in "registration auth transport global system endpoint wizard identify nonsense".split()),
    *("server_uri=sip:h.example", "client_uri=sip:u@h.example", "expiration=010", "expiration=x", "line=yes"),
    *("endpoint=e", "outbound_auth=a,r", "transport=r", "bind=::", "protocol=tls", "username=u", "password=p"),
    *("match=192.0.2.0/24", "outbound_proxy=<sip:p;lr>", "local_net=10.0.0.0/8,x", "tos=cs3", "timer_t1=0"),
    *("#include pjsip.conf", "#tryinclude x", "remote_hosts=h.example", "sends_registrations=yes", "@x=1", "a+=b"),
    *("default_auth_algorithms_uac=SHA-256", "supported_algorithms_uas=x", "keep_alive_interval=0", "user_agent=\xff"),
]


@given(st.lists(st.sampled_from(LINES), max_size=14), st.lists(st.sampled_from(LINES), max_size=8))
def test_whatever_stands_in_a_file_load_and_examine_agree(main: list[str], wizards: list[str]) -> None:
    """`examine` refuses something exactly when `load` raises, and the first fault of `load` is among its notes."""
    files = Directory({"pjsip.conf": "\n".join(main), "pjsip_wizard.conf": "\n".join(wizards).encode("latin-1")})
    found = examine("pjsip.conf", files)
    refused = [note for note in found if note.verdict is Verdict.REFUSED]
    raised: ConfigError | None = None
    try:
        load("pjsip.conf", files)
    except ConfigError as error:
        raised = error
    assert bool(refused) is (raised is not None)
    assert raised is None or raised.where in {note.where for note in refused}


@given(st.binary(max_size=300) | st.text(alphabet="[]()!+,;-\\=>#a \t\r\n\0\x85é=type", max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes raise anything but `ConfigError` in `load`, and nothing at all in `examine`."""
    files = Directory({"pjsip.conf": data, "pjsip_wizard.conf": data[::-1]})
    assert examine("pjsip.conf", files)
    with pytest.raises(ConfigError):
        load("pjsip.conf", files)
