"""Thirty problems that users of Asterisk, PJSIP and others reported: a test for each, and what is better here.

The SIPCORE profile, or what the core does under every profile. What needs something that the core does not have yet
stands in `NOT_YET`: the reader of a pjsip.conf refuses it by name, so that nobody believes to have it.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from sipcore.asterisk import examine, parse
from sipcore.commands import Resolve
from sipcore.config import Account, Credential, Transport
from sipcore.errors import ConfigError
from sipcore.events import FlowLost, Registered, Rejected, StatusChanged, Unregistered
from sipcore.profiles import ASTERISK, MAX_UNTRIED_CREDENTIALS
from sipcore.settings import Verdict
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import OutcomeClass, Protocol, Secret, State
from tests.accounts import PASSWORD, TCP, account, has_credentials
from tests.registration.lines import every_profile, kinds, reload, up


def times(line: Line) -> list[float]:
    return [item.at for item in line.peer.received if not item.copy]


def bare(request: Request) -> bool:
    return not has_credentials(request)


def field(request: Request, name: str) -> str:
    text = request.get("authorization") or request.get("proxy-authorization") or ""
    found = re.search(rf'\b{name}="?([^",]*)', text)
    return found[1] if found else ""


def planned(line: Line) -> float:
    moment = line.status().next_attempt_at
    assert moment is not None
    return moment


HOUR: Final = 3600

# --- which grant, which connection -----------------------------------------------------------------------------------


@every_profile
def test_issue_01_behind_a_nat_the_grant_of_our_own_contact_counts(profile: Any) -> None:
    """Two Contacts in the 200, ours as the outside sees it with 60 s: never the 3600 s that were asked for."""
    transport = Transport(local=("192.0.2.10", 5060), external_signaling_address="198.51.100.7")
    other = "<sip:alice@203.0.113.9:5060>;expires=3600"
    line = Line(
        account(transport=transport, profile=profile, max_random_initial_delay=0),
        script=[ok(60, contacts=(other,))],
    )
    line.register(until=1.5)
    [event] = line.told(Registered)
    assert event.expires == 60
    assert planned(line) < 62.0


@every_profile
def test_issue_02_every_lost_connection_is_noticed_not_only_the_first(profile: Any) -> None:
    line = Line(account(transport=TCP, profile=profile, max_random_initial_delay=0), script=[ok(HOUR)])
    line.register(until=2.0)
    for round_ in range(1, 4):
        line.peer.close("reset by peer")
        line.run(until=line.now + 300.0)
        assert line.status().registered
        assert len(line.peer.requests) == 1 + round_
        assert len(line.peer.connections) == 1
    assert len(line.told(FlowLost)) == 3


def test_issue_03_with_several_addresses_the_connection_that_is_used_is_watched() -> None:
    line = Line(account(transport=TCP), script=[503])
    line.world.name("example.com", "192.0.2.1", "192.0.2.2")
    second = line.serve(("192.0.2.2", 5060), ok(HOUR))
    line.register(until=2.0)
    assert line.status().server == "192.0.2.2:5060"
    line.peer.close("reset by peer")
    line.run(until=100.0)
    assert len(second.requests) == 1
    second.close("reset by peer")
    line.run(until=200.0)
    assert len(second.requests) == 2


def test_issue_04_two_connections_to_one_address_are_two() -> None:
    one = account("alice", transport=Transport(protocol=Protocol.TCP, local=("192.0.2.10", 5071)))
    two = account("bob", transport=Transport(protocol=Protocol.TCP, local=("192.0.2.10", 5072)))
    line = Line(one, two, script=[ok(HOUR)])
    line.register(until=2.0)
    assert len(line.peer.connections) == 2
    [source] = [item.source for item in line.peer.received if item.request.to.uri.user == "bob"]
    bobs = next(item for item in line.peer.connections if item.remote == source)
    bobs.close("reset by peer")
    line.run(until=100.0)
    assert [str(request.to.uri.user) for request in line.peer.requests[2:]] == ["bob"]


@every_profile
def test_issue_05_every_forced_register_says_for_how_long(profile: Any) -> None:
    line = up(lambda request: 200 if request.get("expires") == "0" else ok(100), profile=profile, expires=1800)
    for _ in range(3):
        line.agent.register("alice", now=line.now)
        line.run(until=line.now + 5.0)
    assert len(line.peer.requests) >= 4
    assert {request.get("expires") for request in line.peer.requests} <= {"1800", "0"}
    assert line.peer.requests[-1].get("expires") == "1800"


def test_issue_06_security_agreements_that_pile_up() -> None:
    """Not there yet: see `NOT_YET`. A 494 without an agreement ends the attempt and does not loop."""
    assert "security_negotiation" in NOT_YET
    line = Line(account(), script=[494])
    line.register(until=100.0)
    assert times(line) == [0.0]


def test_issue_07_headers_of_a_security_agreement_after_401_and_494() -> None:
    """Not there yet, and so not offered either: no header of RFC 3329 leaves."""
    line = up(until=5.0)
    for name in ("security-client", "security-verify", "require", "proxy-require"):
        assert line.peer.requests[0].get(name) is None


# --- removals --------------------------------------------------------------------------------------------------------


def registered(line: Line) -> None:
    line.peer.answer(200)


def rejected(line: Line) -> None:
    """A refresh was refused and the binding stands."""
    line.peer.answer(403)
    line.run(until=95.0)
    assert line.status().cause is not None


def silent(line: Line) -> None:
    """A refresh is under way and nobody answers."""
    line.peer.answer(None)
    line.run(until=95.0)


@pytest.mark.parametrize("state", [registered, rejected, silent])
@every_profile
def test_issue_08_a_removed_account_is_un_registered_from_every_state_that_may_have_a_binding(
    profile: Any, state: Any
) -> None:
    line = up(profile=profile)
    state(line)
    line.peer.answer(200)
    reload(line)
    line.run(until=line.now + 40.0)
    assert line.peer.requests[-1].get("expires") == "0"
    assert line.agent.names() == ()


def test_issue_09_each_registration_has_its_own_user_agent_and_headers() -> None:
    first = account("alice", user_agent="One", extra_headers=(("X-Site", "Berlin"),))
    line = Line(first, account("bob", user_agent="Two"), script=[ok(60)])
    line.register(until=1.0)
    seen = {request.to.uri.user: (request.get("user-agent"), request.get("x-site")) for request in line.peer.requests}
    assert seen == {"alice": ("One", "Berlin"), "bob": ("Two", None)}


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_issue_10_all_algorithms_are_there_without_being_asked_for(algorithm: str) -> None:
    line = Line(account(), script=[challenge(algorithm=algorithm), ok(60)])
    line.register(until=1.0)
    assert field(line.peer.requests[1], "algorithm") == algorithm
    assert line.status().registered


def test_issue_10_an_algorithm_that_is_not_allowed_is_named() -> None:
    """A pjsip.conf allows MD5 alone unless it says more."""
    [found] = parse(CONF + "outbound_auth = a\n[a]\ntype = auth\nusername = alice\npassword = x\n").accounts
    line = Line(found, script=[challenge(algorithm="SHA-256")])
    line.register(until=20.0)
    assert "SHA-256" in str(line.status().cause)


def test_issue_11_the_server_that_took_the_registration_is_told_and_kept() -> None:
    """SRV records are not looked up yet; with several addresses of one name it is the same question."""
    line = Line(account(), script=[503, ok(60)])
    line.world.name("example.com", "192.0.2.1", "192.0.2.2")
    second = line.serve(("192.0.2.2", 5060), ok(60))
    line.register(until=1.0)
    assert line.status().server == "192.0.2.2:5060"
    assert line.status().flow is not None
    line.run(until=200.0)
    assert len(line.peer.requests) == 1
    assert len(second.requests) > 3


def test_issue_12_one_version_of_tls_for_each_transport() -> None:
    """Not there yet: a TLS transport is refused by name when a registration uses it."""
    assert "protocol" in NOT_YET


# --- configuration and reload ----------------------------------------------------------------------------------------

CONF: Final = "[r]\ntype = registration\nserver_uri = sip:example.com\nclient_uri = sip:alice@example.com\n"
BROKEN: Final = "[bad]\ntype = transport\nprotocol = udp\nbind = nowhere\n"


def test_issue_13_one_bad_transport_changes_nothing_and_all_faults_are_listed() -> None:
    line = Line(*parse(CONF).accounts, script=[ok(600)])
    line.register(until=20.0)
    line.sent()
    text = CONF + "retry_interval = often\n" + BROKEN
    with pytest.raises(ConfigError, match=r"pjsip\.conf:\d+: "):
        line.agent.reload(parse(text).accounts, now=line.now)
    assert line.sent(until=60.0) == []
    assert line.status("r").registered
    notes = examine("pjsip.conf", lambda name: text.encode())
    assert {note.option for note in notes if note.verdict is Verdict.REFUSED} == {"retry_interval", "bind"}


@every_profile
@pytest.mark.parametrize("moments", [[0.0, 0.5, 1.0, 1.25], [1.25, 1.5, 1.75, 2.0, 3.0], [5.0, 5.0, 5.0]], ids=str)
def test_issue_14_reloads_at_any_moment_stop_nothing(profile: Any, moments: list[float]) -> None:
    """Each moment is one of a resolver's answer, a challenge and a grant under way; nothing waits for anything."""
    options: dict[str, Any] = {"profile": profile, "max_random_initial_delay": 0}
    line = Line(account(**options), script=[challenge(), ok(600)])
    line.wire.latency = 0.25
    line.world.resolve_delay = 0.25
    line.register()
    for number, moment in enumerate(moments):
        line.run(until=moment)
        reload(line, account(**options, user_agent=f"number {number}"))
    line.run(until=moments[-1] + 40.0)
    assert line.status().registered
    assert line.peer.requests[-1].get("user-agent") == f"number {len(moments) - 1}"


def test_issue_15_a_name_server_that_does_not_answer_holds_up_nobody_else() -> None:
    line = Line(account("alice", registrar="sip:slow.example.net"), account("bob"), script=[ok(600)])
    line.world.name_fails("slow.example.net", None)
    line.register(until=1.0)
    assert line.status("bob").registered
    assert not line.status("alice").registered
    line.run(until=11.0)
    cause = line.status("alice").cause
    assert cause is not None
    assert cause.kind is OutcomeClass.TEMPORARY
    assert line.status("alice").next_attempt_at is not None
    assert any(isinstance(item.output, Resolve) for item in line.station.outputs)


# --- never stuck -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [None, 503, 403, 404, 480, challenge(nonce="n")], ids=str)
def test_issue_16_it_never_gives_up_and_never_waits_longer_than_a_day(failure: Step) -> None:
    line = Line(account(), script=[failure])
    line.register()
    line.run(until=30 * 24 * HOUR)
    assert 0 < planned(line) - line.now <= 24 * HOUR
    line.peer.answer(ok(3600))
    line.run(until=planned(line) + 1.0)
    assert line.status().registered


def test_issue_17_rejections_and_recoveries_are_events_with_everything_in_them() -> None:
    line = Line(account(), script=[Answer(503, ("Warning: 399 h \"busy\"",)), ok(600)])
    line.register(until=1.0)
    [event] = line.told(Rejected)
    assert (event.name, event.status, event.retry_at) == ("alice", 503, planned(line))
    assert event.cause.server == "192.0.2.1:5060"
    assert "busy" in str(event.cause)
    line.run(until=100.0)
    [change] = [item for item in line.told(StatusChanged) if item.status.state is not item.previous]
    assert (change.name, change.previous, change.status.state) == ("alice", State.REJECTED, State.REGISTERED)
    assert change.status.since > 1.0
    assert change.status.next_attempt_at is not None


@pytest.mark.parametrize("fault", ["send", "bind", "route", "name", "connect", "mute"])
@every_profile
def test_issue_18_every_failure_of_the_system_has_an_event_and_a_plan(profile: Any, fault: str) -> None:
    options: dict[str, Any] = {"profile": profile, "max_random_initial_delay": 0}
    if fault in ("connect", "mute"):
        options["transport"] = TCP
    line = Line(account(**options), script=[ok(600)])
    match fault:
        case "send":
            line.station.transmitting_fails[("192.0.2.1", 5060)] = "no buffer space available"
        case "bind":
            line.station.binding_fails = "too many open files"
        case "route":
            line.world.unreachable["192.0.2.1"] = "network is unreachable"
        case "name":
            line.world.name_fails("example.com", "server failure")
        case "connect":
            line.peer.refuses_connections = True
        case "mute":
            line.peer.ignores_connections = True
    line.register(until=60.0)
    assert line.told(Rejected)
    # JSSIP waits for a word of the application by its own rules; it takes it at once.
    assert line.status().next_attempt_at is not None or profile.name == "JSSIP"
    line.station.transmitting_fails.clear()
    line.station.binding_fails = None
    line.world.unreachable.clear()
    line.world.name("example.com", "192.0.2.1")
    line.peer.refuses_connections = line.peer.ignores_connections = False
    line.agent.register("alice", now=line.now)
    line.run(until=200.0)
    assert line.status().registered


@every_profile
def test_issue_19_a_dead_connection_is_closed_and_not_used_again(profile: Any) -> None:
    line = Line(account(transport=TCP, profile=profile, max_random_initial_delay=0), script=[ok(120)])
    line.register(until=2.0)
    old = line.status().flow
    line.peer.connections[0].lose()
    line.run(until=260.0)
    if profile.name == "JSSIP":
        line.agent.register("alice", now=line.now)
        line.run(until=270.0)
    assert line.status().registered
    assert line.status().flow != old


def test_issue_20_480_is_temporary() -> None:
    line = Line(account(), script=[480, ok(600)])
    line.register(until=1.0)
    [event] = line.told(Rejected)
    assert event.kind is OutcomeClass.TEMPORARY
    assert planned(line) <= 60.0
    line.run(until=61.0)
    assert line.status().registered


# --- grants ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contacts", "grant", "counts"),
    [
        (("<sip:alice@203.0.113.9:5060>;expires=0",), 600, 600),
        (("<sip:bob@203.0.113.9:5060>;expires=5",), 600, 600),
        (("<sip:alice@192.0.2.10:40000>;expires=90",), 600, 90),
        ((), 599_398, 2400),
    ],
)
def test_issue_21_foreign_contacts_old_ones_and_absurd_grants_do_not_set_the_refresh(
    contacts: tuple[str, ...], grant: int, counts: int
) -> None:
    line = Line(account(expires=2400), script=[ok(grant, contacts=contacts)])
    line.register(until=1.0)
    [event] = line.told(Registered)
    assert event.expires == counts
    assert planned(line) < counts


def test_issue_21_a_registrar_that_granted_too_much_is_named_in_the_cause() -> None:
    line = Line(account(expires=2400), script=[ok(599_398)])
    line.register(until=1.0)
    assert "599398" in str(line.status().cause)


@pytest.mark.parametrize("before", [[], [challenge()]], ids=["bare", "with credentials"])
@every_profile
def test_issue_22_a_423_is_understood_before_and_behind_the_challenge_and_remembered(
    profile: Any, before: list[Step]
) -> None:
    script = [*before, Answer(423, ("Min-Expires: 900",)), challenge(), ok(900)]
    line = Line(account(expires=60, profile=profile, max_random_initial_delay=0), script=script)
    line.register(until=2.0)
    assert line.status().registered
    line.peer.answer(ok(900))
    line.run(until=1000.0)
    assert line.peer.requests[-1].get("expires") == "900"
    assert len(line.peer.requests) > len(script)


@pytest.mark.parametrize("failure", [408, 503, None])
def test_issue_23_the_next_server_is_asked_and_then_kept(failure: Step) -> None:
    """With SRV records, which are not looked up yet, as with addresses."""
    line = Line(account(), script=[failure])
    line.world.name("example.com", "192.0.2.1", "192.0.2.2")
    second = line.serve(("192.0.2.2", 5060), ok(60))
    line.register(until=40.0)
    assert line.status().registered
    line.peer.answer(ok(60))
    line.run(until=300.0)
    assert line.status().server == "192.0.2.2:5060"
    assert len(second.requests) > 5


# --- challenges ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("realm", ["example.com", "asterisk", "", "any thing"])
def test_issue_24_the_realm_need_not_be_known(realm: str) -> None:
    line = Line(account(), script=[challenge(realm=realm), ok(60)])
    line.register(until=1.0)
    assert field(line.peer.requests[1], "realm") == realm
    assert line.status().registered


@pytest.mark.parametrize("first", ['Digest realm="r", nonce="n", algorithm=X-99', "Basic realm=\"r\"", "Bearer"])
def test_issue_24_an_unknown_challenge_in_front_does_not_hide_the_next(first: str) -> None:
    second = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
    line = Line(account(), script=[Answer(401, (f"WWW-Authenticate: {first}", f"WWW-Authenticate: {second}")), ok(60)])
    line.register(until=1.0)
    assert line.status().registered


def test_issue_25_two_changes_of_address_make_one_request_each() -> None:
    """It replaces the Contact: the new one, and the old one with expires=0."""
    line = up(ok(HOUR), until=5.0)
    previous = "<sip:alice@192.0.2.10:40000>"
    for address in ("192.0.2.20", "192.0.2.30"):
        line.station.ipv4 = address
        line.agent.network_changed(now=line.now)
        line.run(until=line.now + 20.0)
        [request] = line.sent()
        new, old = request.values("contact")
        assert f"@{address}:" in new
        assert old == f"{previous};expires=0"
        previous = new
    assert line.sent(until=line.now + 100.0) == []


@pytest.mark.parametrize("address", ["198.51.100.7", "203.0.113.9"])
def test_issue_25_what_the_answer_says_of_us_rewrites_nothing_and_so_cannot_loop(address: str) -> None:
    def seen_from_outside(data: bytes) -> bytes:
        return data.replace(b"received=192.0.2.10", f"received={address}".encode())

    line = Line(account(), script=[Answer(200, contact="{contact};expires=60", edit=seen_from_outside)])
    line.register(until=200.0)
    assert {request.get("contact") for request in line.peer.requests} == {"<sip:alice@192.0.2.10:40000>"}
    assert len(times(line)) < 10


def test_issue_26_a_439_does_not_leave_the_account_dead() -> None:
    """Sending once more without outbound and reg-id is not there yet; but it is tried again, and says why not."""
    line = Line(
        account(supported=("path", "outbound"), contact_header_parameters=";reg-id=1"), script=[439, ok(600)]
    )
    line.register(until=1.0)
    [event] = line.told(Rejected)
    assert (event.status, event.retry_at) == (439, HOUR)
    assert "Outbound" in event.cause.reason
    line.run(until=HOUR + 1.0)
    assert line.status().registered


@pytest.mark.parametrize("stale", [None, False, True])
def test_issue_27_a_new_nonce_is_answered_whatever_it_says_and_never_without_end(stale: bool | None) -> None:
    line = Line(account(), script=[challenge(nonce="a"), challenge(nonce="b", stale=stale), ok(60)])
    line.register(until=1.0)
    assert line.status().registered
    endless = Line(account(), script=[challenge(stale=stale)])
    endless.register(until=0.9)
    assert 2 <= sum(has_credentials(request) for request in endless.peer.requests) <= MAX_UNTRIED_CREDENTIALS
    assert endless.status().next_attempt_at is not None


def test_issue_27_a_nonce_that_is_taken_once_only_is_learned() -> None:
    """Each refresh meets a new nonce without stale: the binding never lapses, and no attempt is refused."""
    used: set[str] = set()

    def once(request: Request) -> Answer:
        nonce = field(request, "nonce")
        if bare(request) or nonce in used:
            return challenge()
        used.add(nonce)
        return ok(100)

    line = Line(account(), script=[once])
    line.register(until=2000.0)
    assert line.status().registered
    assert line.told(Rejected) == []
    assert line.told(Unregistered) == []


def test_issue_28_nc_counts_on_while_a_server_repeats_its_nonce() -> None:
    line = Line(account(), script=[challenge(nonce="same"), ok(60)])
    line.register(until=100.0)
    counts = [int(field(request, "nc"), 16) for request in line.peer.requests if not bare(request)]
    assert counts == list(range(1, len(counts) + 1))
    assert len(counts) > 3
    line.peer.answer(challenge(nonce="same", stale=True), ok(60))
    line.run(until=150.0)
    last = int(field(line.peer.requests[-1], "nc"), 16)
    assert last > counts[-1]


@pytest.mark.parametrize("order", [("MD5", "SHA-256"), ("SHA-256", "MD5"), ("X-1", "SHA-512-256"), ("X-1", "MD5")])
def test_issue_29_of_several_challenges_of_a_proxy_one_is_answered(order: tuple[str, ...]) -> None:
    lines = tuple(
        f'Proxy-Authenticate: Digest realm="p", nonce="{name}", algorithm={name}, qop="auth"' for name in order
    )
    line = Line(account(), script=[Answer(407, lines), ok(60)])
    line.register(until=1.0)
    [answered] = line.peer.requests[1].values("proxy-authorization")
    assert f'nonce="{field(line.peer.requests[1], "algorithm")}"' in answered
    assert line.status().registered


def test_issue_30_nc_is_hexadecimal_past_9_and_15() -> None:
    line = Line(account(), script=[challenge(nonce="same"), ok(4)])
    line.register(until=60.0)
    counts = [field(request, "nc") for request in line.peer.requests if not bare(request)]
    assert counts[8:11] == ["00000009", "0000000a", "0000000b"]
    assert counts[14:17] == ["0000000f", "00000010", "00000011"]


# --- what the core does not have yet ---------------------------------------------------------------------------------

TLS_FILE: Final = "[t]\ntype = transport\nprotocol = {}\nbind = 0.0.0.0\n"

IN_T: Final = CONF + "transport = t\n"
OAUTH: Final = "[a]\ntype = auth\nauth_type = google_oauth\nusername = u\n"
OAUTH_KEYS: Final = "refresh_token = r\noauth_clientid = c\noauth_secret = s\n"

NOT_YET: Final = {
    "security_negotiation": (
        "the security agreement of RFC 3329, mediasec, 494", CONF + "security_negotiation = mediasec\n"
    ),
    "protocol": ("TLS with its versions and certificates", TLS_FILE.format("tls") + IN_T),
    "protocol, ws": ("WebSocket", TLS_FILE.format("ws") + IN_T),
    "protocol, flow": ("a connection for each registration, Service-Route", TLS_FILE.format("flow") + IN_T),
    "sips": ("TLS by the URI", CONF.replace("sip:example.com", "sips:example.com", 1)),
    "transport=tls": ("TLS by the URI", CONF.replace("sip:example.com", "sip:example.com\\;transport=tls", 1)),
    "google_oauth": ("a token fetched over HTTP", CONF + OAUTH + OAUTH_KEYS),
    "disable_tcp_switch": ("TCP for what is too large for UDP", CONF + "[system]\ndisable_tcp_switch = no\n"),
}
"""Each with what it would be and a file that asks for it."""


@pytest.mark.parametrize("what", NOT_YET)
def test_what_is_not_there_yet_is_refused_by_name(what: str) -> None:
    _, text = NOT_YET[what]
    with pytest.raises(ConfigError, match=r"^pjsip\.conf:\d+: .*not supported yet"):
        parse(text)


def test_an_initial_authorization_cannot_be_smuggled_in_as_a_header() -> None:
    """An empty Authorization in the first request (as IMS wants it) is not there yet, and is refused by name."""
    with pytest.raises(ConfigError, match="extra_headers"):
        account(extra_headers=(("Authorization", 'Digest username="alice"'),))


def test_there_is_a_test_for_each_of_the_thirty() -> None:
    numbers = {int(name[11:13]) for name in globals() if name.startswith("test_issue_")}
    assert numbers == set(range(1, 31))


def test_a_user_and_his_credentials_may_have_different_names() -> None:
    """A credential of any realm is the default, also in a list."""
    one = Account("sip:alice@example.com", credentials=(Credential(username="trunk", password=Secret(PASSWORD)),))
    line = Line(one, script=[challenge(realm="whatever"), ok(60)])
    line.register(until=1.0)
    assert field(line.peer.requests[1], "username") == "trunk"


def test_under_asterisk_480_stays_fatal_and_is_still_no_surprise() -> None:
    """The same in the profile that does as Asterisk does: `fatal_retry_interval` helps."""
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0, fatal_retry_interval=30), script=[480, ok(600)])
    line.register(until=32.0)
    assert kinds(line) == ["R", "R"]
