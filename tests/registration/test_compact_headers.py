"""The option `compact_headers`: fewer bytes, and nothing else is different."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sipcore.commands import Transmit
from sipcore.config import Account
from sipcore.registrar import RegistrarPolicy
from sipcore.syntax.message import Request
from sipcore.testing import Line, Pair, challenge, ok
from tests.accounts import account
from tests.registration.lines import every_profile, reload
from tests.secrecy import PASSWORD

LONG = {"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "k": "Supported", "l": "Content-Length"}


def sent(line: Line) -> list[bytes]:
    return [item.output.data for item in line.station.outputs if isinstance(item.output, Transmit)]


def run(made: Account) -> Line:
    """Registered, and removed again."""
    line = Line(made, script=[challenge(), ok(60), lambda request: 200 if request.get("expires") == "0" else ok(60)])
    line.register(until=2.0)
    assert line.status().registered
    line.agent.unregister(made.name, now=line.now)
    line.run(5.0)
    return line


@pytest.mark.requirement("RFC3261-7.3.3-02")
@every_profile
def test_all_that_has_a_compact_form_is_written_in_it(profile: object) -> None:
    options: dict[str, Any] = {"supported": ("path", "outbound"), "extra_headers": (("Subject", "x"),)}
    options |= {"profile": profile, "max_random_initial_delay": 0}
    long, compact = run(account(**options)), run(account(**options, compact_headers=True))
    assert len(sent(long)) == len(sent(compact)) >= 3
    for plain, short in zip(sent(long), sent(compact), strict=True):
        names = re.findall(rb"^([^:\r\n]+): ", short, re.MULTILINE)
        assert {name.decode() for name in names} >= set(LONG)
        written = short.decode()
        for form, name in LONG.items():
            written = re.sub(rf"^{form}: ", f"{name}: ", written, flags=re.MULTILINE)
        assert written.encode() == plain
        assert len(plain) - len(short) == sum(len(name) - 1 for name in LONG.values())


def meaning(request: Request) -> tuple[object, ...]:
    supported = request.values("supported")
    return (request.via, request.from_, request.to, request.call_id, request.cseq, request.contacts, supported)


@pytest.mark.requirement("RFC3261-7.3.3-02")
def test_a_registrar_reads_the_same() -> None:
    long, compact = (run(account(supported=("path",), compact_headers=value)) for value in (False, True))
    assert [meaning(item) for item in long.peer.requests] == [meaning(item) for item in compact.peer.requests]
    pair = Pair(account(compact_headers=True), users={"alice": PASSWORD}, policy=RegistrarPolicy(realm="example.com"))
    pair.register()
    assert pair.status().registered
    (binding,) = pair.registrar.bindings("sip:alice@example.com")
    assert binding.uri == "sip:alice@192.0.2.10:40000"


def test_accounts_that_differ_in_it_do_not_share_their_texts() -> None:
    line = Line(account("one"), account("two", compact_headers=True), script=[ok(60)])
    line.register(until=1.0)
    assert [data.split(b"\r\n")[1][:2] for data in sent(line)] == [b"Vi", b"v:"]


def test_a_reload_that_changes_it_keeps_the_registration() -> None:
    line = Line(account(), script=[ok(60)])
    line.register(until=1.0)
    reload(line, account(compact_headers=True))
    line.run(3.0)
    first, second = line.peer.requests
    assert first.call_id == second.call_id
    assert sent(line)[-1].split(b"\r\n")[1].startswith(b"v: ")
