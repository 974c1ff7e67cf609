"""`ScriptedPeer`: each new branch gets the next step, copies get the same answer."""

from __future__ import annotations

from sipcore.syntax.message import Request, Response, parse_message
from sipcore.testing import REGISTRAR, Answer, Datagram, ScriptedPeer, Step, World, challenge, ok

CLIENT = ("192.0.2.10", 40000)


class Client:
    """The other side of a peer: sends what it is told, keeps what it gets."""

    def __init__(self, *script: Step, world: World | None = None) -> None:
        self.world = world or World()
        self.peer = ScriptedPeer(self.world, REGISTRAR, script)
        self.world.nodes[CLIENT] = self
        self.got: list[Response] = []
        self.texts: list[str] = []

    def on_datagram(self, datagram: Datagram) -> None:
        message = parse_message(datagram.data)
        assert isinstance(message, Response)
        self.got.append(message)
        self.texts.append(datagram.data.decode())

    def ask(self, branch: str, until: float | None = None) -> list[int]:
        """Send a request; the codes that came by then."""
        lines = [
            "REGISTER sip:example.com SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.10:40000;rport;branch=z9hG4bK{branch}",
            "From: <sip:alice@example.com>;tag=a",
            "To: <sip:alice@example.com>",
            "Call-ID: c",
            "CSeq: 1 REGISTER",
            "Contact: <sip:alice@192.0.2.10>",
            "Content-Length: 0",
        ]
        self.world.send(("\r\n".join(lines) + "\r\n\r\n").encode(), CLIENT, REGISTRAR)
        self.world.run(self.world.now if until is None else until)
        got, self.got = self.got, []
        return [response.status for response in got]


def test_the_last_step_repeats() -> None:
    client = Client(500, 404)
    assert [client.ask(branch) for branch in "abcd"] == [[500], [404], [404], [404]]


def test_a_copy_gets_the_same_answer_and_takes_no_step() -> None:
    client = Client(500, 404, 200)
    assert [client.ask(branch) for branch in "aabab"] == [[500], [500], [404], [500], [404]]
    assert [item.copy for item in client.peer.received] == [False, True, False, True, True]
    assert len(client.peer.requests) == 2


def test_none_and_an_empty_script_are_silence() -> None:
    client = Client(None, 200)
    assert client.ask("a") == []
    assert client.ask("a") == []
    assert client.ask("b") == [200]
    assert Client().ask("a") == []


def test_a_delayed_answer_comes_once_and_copies_wait_for_it() -> None:
    client = Client(Answer(200, provisional=(100,), delay=2.0))
    assert client.ask("a") == [100]
    assert client.ask("a", until=1.9) == []
    assert client.ask("a", until=2.0) == [200]
    assert client.ask("a") == [100, 200]


def test_a_step_may_be_a_function_and_an_edit_has_the_last_word() -> None:
    def step(request: Request) -> Answer:
        return Answer(403, edit=lambda data: data.replace(b"403", b"404"))

    assert Client(step).ask("a") == [404]


def test_the_script_can_be_changed() -> None:
    client = Client(200)
    assert client.ask("a") == [200]
    client.peer.answer(503, 404)
    assert [client.ask(branch) for branch in "abc"] == [[200], [503], [404]]


def test_fields_are_filled_in() -> None:
    client = Client(challenge(), ok(60, "X-Number: {number}"))
    client.ask("a")
    client.ask("b")
    first, second = client.texts
    assert 'realm="example.com", nonce="nonce1"' in first
    assert "Contact: <sip:alice@192.0.2.10>;expires=60\r\n" in second
    assert "X-Number: 2\r\n" in second


def test_via_says_where_the_request_came_from() -> None:
    client = Client(200)
    client.ask("a")
    assert "Via: SIP/2.0/UDP 192.0.2.10:40000;rport=40000;branch=z9hG4bKa;received=192.0.2.10\r\n" in client.texts[0]


def test_what_is_no_request_is_passed_over() -> None:
    client = Client(200)
    for data in (b"", b"nonsense", b"SIP/2.0 200 OK\r\n\r\n", b"REGISTER sip:x SIP/2.0\r\n\r\n"):
        client.world.send(data, CLIENT, REGISTRAR)
    client.world.run(1.0)
    assert client.got == []
    assert client.peer.received == []
