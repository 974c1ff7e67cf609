"""For which registration a request comes, when Contacts change or are shared."""

from __future__ import annotations

from itertools import count

from sipcore.events import InboundRequest
from sipcore.profiles import ASTERISK
from sipcore.testing import REGISTRAR, Line, ok
from tests.accounts import account
from tests.registration.lines import reload

_numbers = count(1)


def called(line: Line, uri: str) -> list[str | None]:
    """Whom a MESSAGE to that URI is for."""
    number = next(_numbers)
    line.told()
    line.agent.receive(
        1,
        f"MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx{number}\r\nFrom: <sip:x@y>;tag=1\r\n"
        f"To: <sip:a@b>\r\nCall-ID: c{number}\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n".encode(),
        REGISTRAR,
        now=line.now,
    )
    return [event.registration for event in line.told(InboundRequest)]


def test_the_index_of_contacts_follows_a_reload() -> None:
    line = Line(account(), script=[ok()], handles=["MESSAGE"])
    line.register(until=5.0)
    assert called(line, "sip:alice@192.0.2.10:40000") == ["alice"]
    reload(line, account(contact_user="bob"))
    line.run(until=10.0)
    assert called(line, "sip:bob@192.0.2.10:40000") == ["alice"]
    assert called(line, "sip:alice@192.0.2.10:40000") == [None]


def test_the_index_of_contacts_follows_a_new_name() -> None:
    line = Line(account(name="one"), script=[ok()], handles=["MESSAGE"])
    line.register(until=5.0)
    assert called(line, "sip:alice@192.0.2.10:40000") == ["one"]
    reload(line, account(name="two"))
    assert called(line, "sip:alice@192.0.2.10:40000") == ["two"]


def test_the_index_of_contacts_follows_a_new_address() -> None:
    line = Line(account(), script=[ok()], handles=["MESSAGE"])
    line.register(until=5.0)
    assert called(line, "sip:alice@192.0.2.10:40000") == ["alice"]
    line.station.ipv4 = "192.0.2.11"
    line.agent.network_changed(now=line.now)
    line.run(until=10.0)
    assert called(line, "sip:alice@192.0.2.11:40000") == ["alice"]


def test_a_contact_that_several_registrations_have_names_none_of_them() -> None:
    """Asterisk's default user is the same for all; a guess would ring the wrong phone."""
    accounts = [account(name, profile=ASTERISK, max_random_initial_delay=0) for name in ("alice", "bob")]
    line = Line(*accounts, script=[lambda request: 200 if request.get("expires") == "0" else ok()], handles=["MESSAGE"])
    line.register(until=5.0)
    assert called(line, "sip:s@192.0.2.10:40000") == [None]
    line.agent.remove("bob", now=line.now)
    line.run(until=10.0)
    assert called(line, "sip:s@192.0.2.10:40000") == ["alice"]


def test_a_token_that_was_switched_off_leads_nowhere() -> None:
    accounts = [account(name, line=True, contact_user="s") for name in ("alice", "bob")]
    line = Line(*accounts, script=[ok()], handles=["MESSAGE"])
    line.register(until=5.0)
    uri = next(binding.uri for binding in line.status("alice").bindings)
    assert called(line, uri) == ["alice"]
    reload(line, account("alice", contact_user="s"), accounts[1])
    [request] = line.sent(until=10.0)[2:]
    assert request.values("contact") == ["<sip:s@192.0.2.10:40000>"]
    assert called(line, uri) == [None]
