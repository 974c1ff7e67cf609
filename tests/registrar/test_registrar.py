"""The registrar as an agent: flows, transactions, and the contract that a driver relies on."""

from __future__ import annotations

import subprocess
import sys
from hashlib import md5
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.auth.hashing import Algorithm
from sipcore.commands import CloseFlow, CloseListener, Command, Listen, OpenFlow, Transmit
from sipcore.errors import ConfigError, LocalProtocolError
from sipcore.events import Event, ListenFailed, Listening, MessageDropped
from sipcore.registrar import RegistrarPolicy, rules
from sipcore.server import Registrar
from sipcore.syntax.message import Response, parse_message
from sipcore.values import Address, Protocol
from tests.secrecy import PASSWORD

LOCAL = ("192.0.2.1", 5060)
CLIENT = ("192.0.2.7", 5062)
OPEN = RegistrarPolicy(require_authentication=False)


def outputs(registrar: Registrar) -> list[Command | Event]:
    found = []
    while (output := registrar.next_output()) is not None:
        found.append(output)
    return found


class Line:
    """A registrar with one bound UDP socket."""

    def __init__(self, policy: RegistrarPolicy = OPEN, users: dict[str, str] | None = None) -> None:
        self.registrar = Registrar([(Protocol.UDP, LOCAL)], users or {}, policy=policy, random=Random(1), now=0.0)
        (opened,) = outputs(self.registrar)
        assert isinstance(opened, OpenFlow)
        self.flow = opened.flow
        self.registrar.flow_opened(self.flow, LOCAL, now=0.0)
        assert outputs(self.registrar) == [Listening(protocol="UDP", local=LOCAL)]

    def send(self, data: bytes, now: float = 1.0, source: Address = CLIENT) -> list[Command | Event]:
        self.registrar.receive(self.flow, data, source, now=now)
        return outputs(self.registrar)

    def ask(self, data: bytes, now: float = 1.0) -> Response:
        (output,) = self.send(data, now)
        assert isinstance(output, Transmit)
        assert (output.flow, output.remote) == (self.flow, CLIENT)
        message = parse_message(output.data)
        assert isinstance(message, Response)
        return message


def request(
    method: str = "REGISTER",
    *,
    branch: str = "z9hG4bK1",
    cseq: int = 1,
    contact: str = "<sip:alice@192.0.2.7:5062>",
    expires: str = "3600",
    user: str = "alice",
    more: str = "",
    without: str = "",
) -> bytes:
    lines = [
        f"{method} sip:192.0.2.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.7:5062;branch={branch};rport",
        f"From: <sip:{user}@192.0.2.1>;tag=t",
        f"To: <sip:{user}@192.0.2.1>",
        "Call-ID: c1",
        f"CSeq: {cseq} {method}",
        f"Contact: {contact}",
        f"Expires: {expires}",
    ]
    kept = [line for line in lines if not without or not line.startswith(f"{without}:")]
    return ("\r\n".join(kept) + f"\r\n{more}Content-Length: 0\r\n\r\n").encode()


# --- opening and closing ---------------------------------------------------------------------------------------------


def test_it_asks_for_each_address_and_tells_what_it_got() -> None:
    registrar = Registrar(
        [(Protocol.UDP, ("127.0.0.1", 0)), (Protocol.TCP, ("::1", 0))], policy=OPEN, random=Random(1), now=5.0
    )
    opened, listen = outputs(registrar)
    assert isinstance(opened, OpenFlow)
    assert isinstance(listen, Listen)
    assert (opened.protocol, opened.local, opened.remote) == (Protocol.UDP, ("127.0.0.1", 0), None)
    assert (listen.protocol, listen.local) == (Protocol.TCP, ("::1", 0))
    registrar.flow_opened(opened.flow, ("127.0.0.1", 5070), now=5.0)
    registrar.listening(listen.listener, ("::1", 5071), now=5.0)
    assert outputs(registrar) == [
        Listening(protocol="UDP", local=("127.0.0.1", 5070)),
        Listening(protocol="TCP", local=("::1", 5071)),
    ]


def test_a_port_in_use_is_told_and_the_rest_goes_on() -> None:
    registrar = Registrar([(Protocol.UDP, LOCAL), (Protocol.TCP, LOCAL)], policy=OPEN, random=Random(1), now=0.0)
    opened, listen = outputs(registrar)
    assert isinstance(opened, OpenFlow)
    assert isinstance(listen, Listen)
    registrar.flow_closed(opened.flow, "address in use", now=0.0)
    registrar.listen_failed(listen.listener, "address in use", now=0.0)
    assert outputs(registrar) == [
        ListenFailed(protocol="UDP", local=LOCAL, error="address in use"),
        ListenFailed(protocol="TCP", local=LOCAL, error="address in use"),
    ]
    assert registrar.next_deadline() is None


def test_a_socket_that_never_comes_up_is_given_up() -> None:
    registrar = Registrar([(Protocol.UDP, LOCAL)], policy=OPEN, random=Random(1), now=0.0)
    (opened,) = outputs(registrar)
    assert isinstance(opened, OpenFlow)
    assert registrar.next_deadline() == 32.0
    registrar.handle_deadline(now=32.0)
    assert outputs(registrar) == [
        CloseFlow(flow=opened.flow),
        ListenFailed(protocol="UDP", local=LOCAL, error="no connection in time"),
    ]


def test_a_socket_that_ends_is_told() -> None:
    line = Line()
    line.registrar.flow_closed(line.flow, "network down", now=1.0)
    assert outputs(line.registrar) == [ListenFailed(protocol="UDP", local=LOCAL, error="network down")]


def test_close_closes_everything_and_nothing_is_sent_afterwards() -> None:
    registrar = Registrar([(Protocol.UDP, LOCAL), (Protocol.TCP, LOCAL)], policy=OPEN, random=Random(1), now=0.0)
    opened, listen = outputs(registrar)
    assert isinstance(opened, OpenFlow)
    assert isinstance(listen, Listen)
    registrar.flow_opened(opened.flow, LOCAL, now=0.0)
    registrar.listening(listen.listener, LOCAL, now=0.0)
    accepted = registrar.flow_accepted(listen.listener, LOCAL, CLIENT, now=0.0)
    registrar.receive(opened.flow, request(), CLIENT, now=1.0)
    outputs(registrar)
    assert not registrar.closed
    registrar.close(now=2.0)
    assert registrar.closed
    assert set(outputs(registrar)) == {
        CloseListener(listener=listen.listener),
        CloseFlow(flow=opened.flow),
        CloseFlow(flow=accepted),
    }
    registrar.receive(opened.flow, request(branch="z9hG4bK2", cseq=2), CLIENT, now=3.0)
    registrar.receive(accepted, request(branch="z9hG4bK3", cseq=3), now=3.0)
    late = registrar.flow_accepted(listen.listener, LOCAL, CLIENT, now=3.0)
    assert outputs(registrar) == [CloseFlow(flow=late)]
    assert [binding.uri for binding in registrar.bindings("sip:alice@192.0.2.1")] == ["sip:alice@192.0.2.7:5062"]
    while (deadline := registrar.next_deadline()) is not None:
        registrar.handle_deadline(now=deadline)
    assert outputs(registrar) == []
    registrar.close(now=10000.0)
    assert outputs(registrar) == []


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipcore.endpoint.MAX_ACCEPTED", 1)
    registrar = Registrar([(Protocol.TCP, LOCAL)], policy=OPEN, random=Random(1), now=0.0)
    (listen,) = outputs(registrar)
    assert isinstance(listen, Listen)
    registrar.listening(listen.listener, LOCAL, now=0.0)
    registrar.flow_accepted(listen.listener, LOCAL, CLIENT, now=0.0)
    outputs(registrar)
    second = registrar.flow_accepted(listen.listener, LOCAL, CLIENT, now=0.0)
    assert outputs(registrar) == [
        MessageDropped(cause="too many connections", flow=second, source=CLIENT),
        CloseFlow(flow=second),
    ]


def test_at_the_bound_a_silent_connection_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipcore.endpoint.MAX_ACCEPTED", 1)
    registrar = Registrar([(Protocol.TCP, LOCAL)], policy=OPEN, random=Random(1), now=0.0)
    (listen,) = outputs(registrar)
    assert isinstance(listen, Listen)
    registrar.listening(listen.listener, LOCAL, now=0.0)
    first = registrar.flow_accepted(listen.listener, LOCAL, CLIENT, now=0.0)
    outputs(registrar)
    second = registrar.flow_accepted(listen.listener, LOCAL, CLIENT, now=1000.0)
    assert outputs(registrar) == [CloseFlow(flow=first)]
    assert second in registrar.flows


def test_there_must_be_something_to_listen_on() -> None:
    with pytest.raises(ConfigError, match="listen"):
        Registrar([], policy=OPEN, random=Random(1), now=0.0)


# --- requests --------------------------------------------------------------------------------------------------------


def digest(challenge: Response, username: str, password: str, nc: int = 1) -> str:
    text = challenge.get("www-authenticate") or ""
    realm, nonce = (text.partition(f'{name}="')[2].partition('"')[0] for name in ("realm", "nonce"))

    def h(text: str) -> str:
        return md5(text.encode(), usedforsecurity=False).hexdigest()

    key, what = h(f"{username}:{realm}:{password}"), h("REGISTER:sip:192.0.2.1")
    response = h(f"{key}:{nonce}:{nc:08x}:abc:auth:{what}")
    return (
        f'Authorization: Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="sip:192.0.2.1", '
        f'response="{response}", algorithm=MD5, cnonce="abc", qop=auth, nc={nc:08x}\r\n'
    )


@pytest.mark.requirement("RFC3261-22.1-07", "RFC3261-10.3-11")
def test_a_registration_with_digest_from_the_first_request_to_the_removal() -> None:
    line = Line(RegistrarPolicy(algorithms=(Algorithm.MD5,)), {"alice": PASSWORD})
    challenge = line.ask(request())
    assert challenge.status == 401
    final = line.ask(request(branch="z9hG4bK2", cseq=2, more=digest(challenge, "alice", PASSWORD)))
    assert (final.status, final.get_all("contact")) == (200, ["<sip:alice@192.0.2.7:5062>;expires=3600"])
    assert [binding.expires_at for binding in line.registrar.bindings("sip:alice@192.0.2.1")] == [3601.0]
    assert line.registrar.addresses == 1
    refresh = line.ask(request(branch="z9hG4bK3", cseq=3, more=digest(challenge, "alice", PASSWORD, nc=2)), now=1801.0)
    assert refresh.status == 200
    removal = request(branch="z9hG4bK4", cseq=4, expires="0", more=digest(challenge, "alice", PASSWORD, nc=3))
    assert line.ask(removal, now=1900.0).get_all("contact") == []
    assert line.registrar.addresses == 0


@pytest.mark.requirement("RFC3261-17.2.2-01", "RFC3261-8.2.6.2-01")
def test_a_copy_gets_the_same_bytes_and_changes_nothing() -> None:
    line = Line()
    first = line.send(request(), now=1.0)
    assert line.send(request(), now=1.5) == first
    assert line.send(request(), now=32.9) == first
    assert [binding.expires_at for binding in line.registrar.bindings("sip:alice@192.0.2.1")] == [3601.0]
    again = line.ask(request(), now=33.0)
    assert (again.status, again.reason) == (500, "CSeq Not Higher Than Before"), "now it is a request of its own"


@pytest.mark.requirement("RFC3261-8.2.6.2-01")
def test_each_request_gets_a_tag_of_its_own() -> None:
    line = Line()
    tags = {line.ask(request(branch=f"z9hG4bK{number}", cseq=number)).to.tag for number in range(1, 20)}
    assert len(tags) == 19
    assert None not in tags


@pytest.mark.parametrize("header", ["From", "To", "Call-ID", "CSeq"])
def test_what_cannot_be_understood_is_400_and_copies_get_it_too(header: str) -> None:
    line = Line()
    response = line.ask(request(without=header))
    assert (response.status, response.reason) == (400, f"Missing or malformed {header}")
    assert line.ask(request(without=header), now=2.0) == response
    assert line.registrar.addresses == 0


def test_without_a_via_nothing_is_sent() -> None:
    (dropped,) = Line().send(request(without="Via"))
    assert isinstance(dropped, MessageDropped)
    assert dropped.cause == "a request without a usable Via"


@pytest.mark.requirement("RFC3261-8.2.1-01")
def test_other_methods_are_refused_and_options_is_answered() -> None:
    line = Line()
    assert line.ask(request("OPTIONS")).status == 200
    invite = line.ask(request("INVITE"))
    assert (invite.status, invite.get("allow")) == (405, "OPTIONS, REGISTER")
    assert line.ask(request("NEWMETHOD")).status == 501
    assert line.ask(request("CANCEL")).status == 481
    assert line.ask(request("OPTIONS", more="Require: foo\r\n")).status == 420
    (dropped,) = line.send(request("ACK"))
    assert isinstance(dropped, MessageDropped)


def test_a_response_is_dropped_with_its_cause() -> None:
    line = Line()
    (dropped,) = line.send(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\r\n")
    assert dropped == MessageDropped(cause="a response to a registrar", flow=line.flow, source=CLIENT)


def test_the_server_header_is_written_when_asked_for() -> None:
    policy = RegistrarPolicy(require_authentication=False, server="here/1.0")
    assert Line(policy).ask(request()).get("server") == "here/1.0"
    assert Line().ask(request()).get("server") is None


def test_silence_is_complete() -> None:
    line = Line(RegistrarPolicy(require_authentication=False, silent=True))
    for method in ("REGISTER", "OPTIONS", "INVITE", "ACK"):
        assert line.send(request(method)) == []
    assert line.registrar.addresses == 0


def test_over_tcp_the_answer_takes_the_connection_it_came_on() -> None:
    registrar = Registrar([(Protocol.TCP, LOCAL)], policy=OPEN, random=Random(1), now=0.0)
    (listen,) = outputs(registrar)
    assert isinstance(listen, Listen)
    registrar.listening(listen.listener, LOCAL, now=0.0)
    first = registrar.flow_accepted(listen.listener, LOCAL, CLIENT, now=0.0)
    second = registrar.flow_accepted(listen.listener, LOCAL, ("192.0.2.8", 6000), now=0.0)
    outputs(registrar)
    data = request().replace(b"/UDP", b"/TCP")
    for piece in (data[:100], data[100:] + request(branch="z9hG4bK2", cseq=2, user="bob")):
        registrar.receive(first, piece, now=1.0)
    registrar.receive(second, b"\r\n\r\n", now=1.0)
    registrar.flow_closed(second, now=2.0)
    found = outputs(registrar)
    assert [(output.flow, output.remote) for output in found if isinstance(output, Transmit)] == [
        (first, None),
        (first, None),
        (second, None),
    ]
    assert len(found) == 3
    assert registrar.addresses == 2


def test_lapsed_bindings_are_freed_in_time() -> None:
    line = Line()
    line.ask(request(expires="60"), now=1.0)
    line.registrar.handle_deadline(now=60.999)
    assert len(line.registrar.bindings("sip:alice@192.0.2.1")) == 1
    line.registrar.handle_deadline(now=61.0)
    assert line.registrar.bindings("sip:alice@192.0.2.1") == ()
    assert line.registrar.addresses == 0
    assert outputs(line.registrar) == []


def test_bindings_takes_uris() -> None:
    registrar = Line().registrar
    assert registrar.bindings("sip:nobody@192.0.2.1") == ()
    assert registrar.bindings("sip:192.0.2.1") == ()
    for text in ("", "alice", "sip:", "sip:a@b c"):
        with pytest.raises(LocalProtocolError, match="address of record"):
            registrar.bindings(text)


def test_what_is_remembered_for_speed_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_REMEMBERED", 3)
    line = Line(RegistrarPolicy(algorithms=(Algorithm.MD5,)), {f"user{number}": PASSWORD for number in range(9)})
    for number in range(9):
        user = f"user{number}"
        challenge = line.ask(request(branch=f"z9hG4bKa{number}", user=user))
        authorization = digest(challenge, user, PASSWORD)
        final = line.ask(request(branch=f"z9hG4bKb{number}", user=user, cseq=2, more=authorization))
        assert final.status == 200
    assert len(line.registrar._rules._aors) <= 3
    assert len(line.registrar._rules._credentials) <= 3


def test_long_addresses_are_not_remembered() -> None:
    """Else strangers, whose requests are only challenged, could fill gigabytes with them."""
    line = Line(RegistrarPolicy(algorithms=(Algorithm.MD5,)), {"alice": PASSWORD})
    for number in range(3):
        data = request(branch=f"z9hG4bK{number}", user=f"{'a' * 128}{number}")
        line.ask(data.replace(b"REGISTER sip:", b"REGISTER sip:%s%d@" % (b"a" * 128, number)))
    assert (line.registrar._rules._aors, line.registrar._rules._uris) == ({}, {})
    line.ask(request(branch="z9hG4bK9", user="alice"))
    assert len(line.registrar._rules._aors) == len(line.registrar._rules._uris) == 1


def test_the_same_inputs_give_the_same_bytes() -> None:
    def run() -> list[Command | Event]:
        line = Line(RegistrarPolicy(), {"alice": PASSWORD})
        return [output for number in range(5) for output in line.send(request(branch=f"z9hG4bK{number}"), now=number)]

    assert run() == run()


# --- whatever comes --------------------------------------------------------------------------------------------------

SAMPLE = request(
    more='Authorization: Digest username="alice", realm="localhost", nonce="x", uri="sip:a"\r\nRequire: path\r\n'
)
PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"\r\n", b",", b";", b'"', b"<", b">", b"*", b"%", b"0", b"99999999999", b"Contact: *\r\n", b"\xff"]
    ),
)


@settings(max_examples=300)
@given(st.lists(st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.integers(0, 12), PIECES), max_size=5), max_size=6))
def test_no_message_raises_and_the_bindings_stay_sound(messages: list[list[tuple[int, int, bytes]]]) -> None:
    """However requests are damaged: no exception, an answer or a report or both and never a second answer, only
    REGISTER changes anything, and nothing that is written breaks out of its line."""
    for policy in (OPEN, RegistrarPolicy()):
        line = Line(policy, {"alice": PASSWORD})
        for number, edits in enumerate(messages):
            data = SAMPLE.replace(b"z9hG4bK1", f"z9hG4bK{number}".encode())
            for place, length, piece in edits:
                data = data[:place] + piece + data[place + length :]
            found = line.send(data, now=float(number))
            assert len(found) == len({type(output) for output in found}) > (not data.strip(b"\r\n\0"))
            for output in found:
                if isinstance(output, Transmit):
                    message = parse_message(output.data)
                    assert isinstance(message, Response)
                    assert message.status in (200, 400, 401, 404, 405, 416, 420, 423, 481, 500, 501, 505, 513)
                    assert message.status != 505 or len(found) == 2
        while (deadline := line.registrar.next_deadline()) is not None:
            line.registrar.handle_deadline(now=deadline)
        assert line.registrar.addresses == 0


# --- a secret stays one ----------------------------------------------------------------------------------------------


def test_no_password_is_in_what_the_registrar_shows() -> None:
    line = Line(RegistrarPolicy(algorithms=(Algorithm.MD5,)), {"alice": "canary-secret"})
    challenge = line.ask(request())
    found = line.send(request(branch="z9hG4bK2", cseq=2, more=digest(challenge, "alice", "canary-secret")))
    shown = repr(found) + repr(line.registrar) + repr(vars(line.registrar)) + repr(vars(line.registrar._rules))
    assert "canary" not in shown
    assert not any(isinstance(output, Transmit) and b"canary" in output.data for output in found)


def test_the_server_can_be_imported_alone() -> None:
    subprocess.run([sys.executable, "-c", "import sipcore.server"], check=True)
