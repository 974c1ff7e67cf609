"""Edits of pjsip.conf, its includes and pjsip_wizard.conf while registrations run: what each sends, and what it leaves
alone. Through the reader and the real agent; what a changed `Account` does is in tests/registration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatch

import pytest

from sipcore.asterisk import load
from sipcore.errors import ConfigError
from sipcore.events import InboundRequest, StatusChanged, Unregistered
from sipcore.profiles import ASTERISK, SIPCORE, Profile
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import State
from tests.accounts import has_credentials
from tests.asterisk.conf_lines import AUTH, REGISTRATION, conf_line, text_of, times
from tests.secrecy import PASSWORD

both = pytest.mark.parametrize("profile", [ASTERISK, SIPCORE], ids=lambda profile: profile.name)
"""A pjsip.conf can be run under either."""

TRANSPORT = "[udp]\ntype = transport\nbind = 192.0.2.10:5060\n"


class Folder:
    """Files that can be edited."""

    def __init__(self, **files: str) -> None:
        self.files = {f"{name}.conf": text for name, text in files.items()}

    def read(self, name: str, /) -> bytes:
        if name not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[name].encode()

    def glob(self, pattern: str, /) -> Sequence[str]:
        return sorted(name for name in self.files if fnmatch(name, pattern))

    def edit(self, old: str, new: str, name: str = "pjsip.conf") -> None:
        assert old in self.files[name]
        self.files[name] = self.files[name].replace(old, new)


def folder(**files: str) -> Folder:
    usual = TRANSPORT + text_of("alice", dict(REGISTRATION), transport="udp", retry_interval="60", expiration="3600")
    return Folder(**{"pjsip": usual + text_of("alice", dict(AUTH)), **files})


def up(place: Folder, *after: Step, profile: Profile = ASTERISK, until: float = 5.0) -> Line:
    """Registered for 600 s, nothing unread, the clock at `until`; then the script `after`."""
    line = conf_line("", challenge(), ok(600), files=place, profile=profile, until=until, handles=("MESSAGE",))
    assert all(line.status(name).registered for name in line.agent.names())
    line.sent()
    line.told()
    line.peer.answer(*(after or (answer,)))
    return line


def answer(request: Request) -> Answer | int:
    """As a registrar does: it asks for credentials, and removes what is to be removed."""
    if not has_credentials(request):
        return challenge()
    return 200 if request.get("expires") == "0" else ok(600)


def reread(line: Line, place: Folder, profile: Profile = ASTERISK) -> None:
    configuration = load("pjsip.conf", place, profile=profile)
    line.agent.reload(configuration.accounts, now=line.now)
    line.agent.identify = configuration.identify


def asked(requests: list[Request]) -> list[tuple[str, str | None]]:
    """Of each request that carries credentials: for whom, and for how long."""
    return [(str(item.to.uri.user), item.get("expires")) for item in requests if has_credentials(item)]


# --- unchanged -------------------------------------------------------------------------------------------------------

EDITS: dict[str, Callable[[Folder], object]] = {
    "nothing": lambda place: None,
    "a comment": lambda place: place.edit("[udp]", "; of the house\n[udp]"),
    "an option that no registration uses": lambda place: place.edit("bind =", "method = tlsv1_2\nbind ="),
    "order of sections": lambda place: place.files.update(
        {"pjsip.conf": place.files["pjsip.conf"].partition("[alice]\n")[2].join(["[alice]\n", TRANSPORT])}
    ),
    "two auths in the list": lambda place: None,
    "a number written otherwise": lambda place: place.edit("expiration = 3600", "expiration = 0xe10"),
    "an arrow": lambda place: place.edit("expiration = 3600", "expiration => 3600"),
    "a default that is written out": lambda place: place.edit(
        "expiration = 3600", "expiration = 3600\nauth_rejection_permanent = yes\nmax_retries = 10"
    ),
    "an endpoint more": lambda place: place.edit("[udp]", "[bob]\ntype = endpoint\n[udp]"),
}


@both
@pytest.mark.parametrize("edit", EDITS)
def test_what_did_not_change_keeps_call_id_cseq_flow_and_timers(profile: Profile, edit: str) -> None:
    place = folder()
    if edit == "two auths in the list":
        # Asterisk takes such a registration for changed each time.
        place.edit("outbound_auth = alice", "outbound_auth = alice,carol")
        place.files["pjsip.conf"] += text_of("carol", dict(AUTH), username="carol", realm="elsewhere")
    line = up(place, profile=profile)
    first, before = line.peer.requests[1], line.status()
    EDITS[edit](place)
    reread(line, place, profile)
    assert line.status() == before
    assert line.sent(until=20.0) == []
    assert line.told() == []
    refresh = line.sent(until=before.next_attempt_at)[0]
    assert (refresh.call_id, refresh.cseq.number) == (first.call_id, first.cseq.number + 1)
    assert line.peer.received[-1].source == line.peer.received[0].source


@both
@pytest.mark.parametrize("retry", ["retry_interval = 5", "max_retries = 3\nfatal_retry_interval = 9"])
def test_timers_and_limits_apply_at_once_and_send_nothing(profile: Profile, retry: str) -> None:
    place = folder()
    line = up(place, profile=profile)
    before = line.status()
    place.edit("retry_interval = 60", retry)
    reread(line, place, profile)
    assert line.sent(until=20.0) == []
    assert line.status() == before


def test_the_new_retry_interval_holds_for_the_next_failure() -> None:
    place = folder()
    line = up(place, 503)
    place.edit("retry_interval = 60", "retry_interval = 5")
    reread(line, place)
    line.run(until=604.0)
    assert times(line)[2:] == [591.0, 596.0, 601.0]


# --- credentials -----------------------------------------------------------------------------------------------------


@both
def test_an_edited_auth_retries_at_once_also_what_was_rejected_for_good(profile: Profile) -> None:
    place = folder()
    line = conf_line("", challenge(nonce="n"), challenge(nonce="n"), files=place, profile=profile, until=10.0)
    assert line.status().state is State.REJECTED
    assert profile is SIPCORE or line.status().next_attempt_at is None
    line.sent()
    line.peer.answer(challenge(), ok(600))
    place.edit(PASSWORD, "corrected")
    reread(line, place, profile)
    assert [has_credentials(request) for request in line.sent(until=13.0)] == [False, True]
    assert line.status().registered
    assert line.status().attempt == 0


def test_an_auth_that_others_use_too_touches_only_those() -> None:
    place = folder()
    place.files["pjsip.conf"] += text_of("bob", dict(REGISTRATION), outbound_auth="bob", transport="udp").replace(
        "sip:alice@", "sip:bob@"
    ) + text_of("bob", dict(AUTH), username="bob")
    line = up(place, answer)
    place.edit("username = bob", "username = robert")
    reread(line, place)
    assert asked(line.sent(until=10.0)) == [("bob", "3600")]


def test_an_auth_in_an_included_file_is_seen_too() -> None:
    auth = text_of("alice", dict(AUTH))
    place = folder(secrets=auth)
    place.edit(auth, "#include secrets.conf\n")
    line = up(place, answer)
    place.edit(PASSWORD, "other", "secrets.conf")
    reread(line, place)
    assert asked(line.sent(until=10.0)) == [("alice", "3600")]


# --- removed and added -----------------------------------------------------------------------------------------------


@both
def test_what_is_no_longer_in_the_file_is_un_registered_and_stopped(profile: Profile) -> None:
    place = folder()
    place.files["pjsip.conf"] += text_of("bob", dict(REGISTRATION), client_uri="sip:bob@example.com", transport="udp")
    line = up(place, answer, profile=profile)
    place.files["pjsip.conf"] = place.files["pjsip.conf"].partition("[bob]")[0]
    reread(line, place, profile)
    assert asked(line.sent(until=10.0)) == [("bob", "0")]
    assert line.agent.names() == ("alice",)
    states = [change.status.state for change in line.told(StatusChanged) if change.name == "bob"]
    assert states[-1] is State.STOPPED


def test_a_renamed_section_is_the_same_registration() -> None:
    """Same address of record and registrar: no removal and no new binding."""
    place = folder()
    line = up(place, answer)
    place.edit("[alice]\ntype = registration", "[trunk]\ntype = registration")
    reread(line, place)
    assert asked(line.sent(until=10.0)) == []
    assert line.agent.names() == ("trunk",)
    assert line.status("trunk").registered


def test_a_file_for_each_registration_comes_and_goes() -> None:
    place = folder(**{"d-bob": text_of("bob", dict(REGISTRATION), client_uri="sip:bob@example.com", transport="udp")})
    place.files["pjsip.conf"] += "#tryinclude d-*.conf\n"
    line = up(place, answer)
    place.files["d-carol.conf"] = place.files["d-bob.conf"].replace("bob", "carol")
    reread(line, place)
    assert asked(line.sent(until=10.0)) == [("carol", "3600")]
    del place.files["d-bob.conf"]
    reread(line, place)
    assert asked(line.sent(until=20.0)) == [("bob", "0")]


# --- the binding changes ---------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("old", "new", "contact"),
    [
        ("max_random", "contact_user = bob\nmax_random", "<sip:bob@192.0.2.10:5060>"),
        (":5060\n", ":5066\n", "@192.0.2.10:5066>"),
        (":5060\n", ":5060\nexternal_signaling_address = 198.51.100.7\n", "@198.51.100.7:5060>"),
    ],
    ids=["contact_user", "bind", "external_signaling_address"],
)
def test_a_new_contact_is_one_register_with_the_old_one_at_expires_0(
    profile: Profile, old: str, new: str, contact: str
) -> None:
    place = folder()
    line = up(place, profile=profile)
    before = line.peer.requests[1]
    place.edit(old, new)
    reread(line, place, profile)
    requests = line.sent(until=10.0)
    first = requests[0]
    ours, former = first.values("contact")
    assert ours.endswith(contact)
    assert former == f"{before.get('contact')};expires=0"
    assert first.call_id == before.call_id
    assert first.cseq.number == before.cseq.number + 1
    assert len([request for request in requests if has_credentials(request)]) == 1
    assert line.told(Unregistered) == []
    assert line.status().registered


@both
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("client_uri = sip:alice@example.com", "client_uri = sip:alice2@example.com"),
        ("server_uri = sip:example.com", "server_uri = sip:other.example.net"),
    ],
    ids=["client_uri", "server_uri"],
)
def test_another_address_of_record_or_registrar_is_registered_first_then_the_old_removed_by_its_uri(
    profile: Profile, old: str, new: str
) -> None:
    place = folder()
    line = up(place, answer, profile=profile)
    line.world.name("other.example.net", "192.0.2.99")
    line.serve(("192.0.2.99", 5060), answer)
    contact = line.peer.requests[1].get("contact")
    place.edit(old, new)
    reread(line, place, profile)
    requests = [request for request in line.sent(until=20.0) if has_credentials(request)]
    added, removal, *again = requests
    assert (added.get("expires"), removal.get("expires")) == ("3600", "0")
    # Two registrars may share their bindings, so with an equal Contact the new one makes sure.
    assert [(item.call_id, item.get("expires")) for item in again] in ([], [(added.call_id, "3600")])
    assert new.partition("sip:")[2] in f"{added.to.uri_text} {added.request_uri}"
    assert removal.values("contact") == [contact]
    assert removal.to.uri_text.endswith("alice@example.com")
    assert added.call_id != removal.call_id
    assert "*" not in (removal.get("contact") or "")
    assert line.status().registered


def test_a_new_registrar_that_refuses_leaves_the_old_binding() -> None:
    place = folder()
    line = up(place, answer)
    line.world.name("other.example.net", "192.0.2.99")
    line.serve(("192.0.2.99", 5060), 503)
    place.edit("server_uri = sip:example.com", "server_uri = sip:other.example.net")
    reread(line, place)
    line.run(until=200.0)
    assert [request for request in line.peer.requests if request.get("expires") == "0"] == []


# --- a bad file ------------------------------------------------------------------------------------------------------

BAD: dict[str, tuple[Callable[[Folder], object], str]] = {
    "a number": (lambda place: place.edit("= 3600", "= often"), r"pjsip\.conf:12: expiration = 'often'"),
    "a misspelling": (lambda place: place.edit("retry_interval", "retry_intervall"), r"pjsip\.conf:11: .*retry_interv"),
    "an auth that is gone": (lambda place: place.edit("[alice]\ntype = auth", "[bob]\ntype = auth"), r"outbound_auth"),
    "a bracket": (lambda place: place.edit("[udp]", "[udp"), r"pjsip\.conf:1: "),
    "an include that is missing": (lambda place: place.edit("[udp]", "#include gone.conf\n[udp]"), r"gone\.conf"),
    "a program": (lambda place: place.edit("[udp]", "#exec /bin/true\n[udp]"), "exec"),
    "an empty file": (lambda place: place.files.update({"pjsip.conf": ""}), "no section of type registration"),
    "a name twice": (
        lambda place: place.files.update({"pjsip.conf": place.files["pjsip.conf"] * 2}), "a second transport"
    ),
    "a wizard's": (
        lambda place: place.files.update({"pjsip_wizard.conf": "[w]\ntype = wizard\nsends_registrations = yes\n"}),
        "remote_hosts",
    ),
    "no file": (lambda place: place.files.pop("pjsip.conf"), "cannot be read"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_changes_nothing_and_says_why_and_where(fault: str) -> None:
    place = folder()
    line = up(place)
    before = line.status()
    spoil, why = BAD[fault]
    spoil(place)
    with pytest.raises(ConfigError, match=why) as caught:
        reread(line, place)
    assert str(caught.value).startswith("pjsip")
    assert PASSWORD not in str(caught.value)
    assert line.sent(until=60.0) == []
    assert line.status() == before


def test_what_is_mended_is_taken_at_the_next_reload() -> None:
    place = folder()
    line = up(place, answer)
    place.edit("expiration = 3600", "expiration = often")
    with pytest.raises(ConfigError):
        reread(line, place)
    place.edit("expiration = often", "expiration = 700")
    reread(line, place)
    assert asked(line.sent(until=10.0)) == [("alice", "700")]


# --- the wizard, and who calls ---------------------------------------------------------------------------------------

WIZARD = """\
[trunk]
type = wizard
remote_hosts = example.com, 192.0.2.1
sends_registrations = yes
sends_auth = yes
accepts_registrations = yes
outbound_auth/username = alice
outbound_auth/password = {}
client_uri_pattern = sip:${{USERNAME}}@${{REMOTE_HOST}}
registration/max_random_initial_delay = 0
"""


def test_a_host_less_in_the_wizard_removes_one_and_leaves_the_other() -> None:
    place = Folder(pjsip=TRANSPORT, pjsip_wizard=WIZARD.format(PASSWORD))
    line = up(place, answer)
    assert line.agent.names() == ("trunk-reg-0", "trunk-reg-1")
    before = line.status("trunk-reg-0")
    place.edit("example.com, 192.0.2.1", "example.com", "pjsip_wizard.conf")
    reread(line, place)
    assert [expires for _, expires in asked(line.sent(until=10.0))] == ["0"]
    assert line.agent.names() == ("trunk-reg-0",)
    assert line.status("trunk-reg-0") == before


def test_a_new_password_in_the_wizard_is_tried_at_once_for_each_host() -> None:
    place = Folder(pjsip=TRANSPORT, pjsip_wizard=WIZARD.format(PASSWORD))
    line = up(place, answer)
    place.edit(PASSWORD, "other", "pjsip_wizard.conf")
    reread(line, place)
    assert [expires for _, expires in asked(line.sent(until=10.0))] == ["3600", "3600"]


def test_endpoints_are_those_of_the_new_file_and_the_line_stays() -> None:
    """In Asterisk each reload has a new token, so that calls to the old Contact find nobody."""
    place = folder()
    place.edit("max_random", "line = yes\nendpoint = one\nmax_random")
    line = up(place)
    contact = line.peer.requests[1].get("contact") or ""
    place.edit("endpoint = one", "endpoint = two")
    reread(line, place)
    line.run(until=10.0)
    assert times(line) == [1.0, 1.0]
    uri = contact.partition("<")[2].partition(">")[0]
    message = (
        f"MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:x@y>;tag=1\r\n"
        "To: <sip:z@y>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
    )
    line.peer.send(message.encode(), ("192.0.2.10", 5060))
    [event] = line.told(InboundRequest, until=11.0)
    assert (event.registration, event.endpoint) == ("alice", "two")
