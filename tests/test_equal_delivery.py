"""A whole agent, and a whole registrar, whose streams are cut anywhere: the same outputs, byte for byte.

The answers among the mutants are made to fit the REGISTER that the agent waits for, so that they reach everything that
reads an answer: challenges, grants, redirects, refusals. Time stands still, and outputs are fetched at the end, since
drops that nobody fetched are counted together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

import pytest

from sipcore.agent import UserAgent
from sipcore.commands import Command, Listen, OpenFlow, Transmit
from sipcore.events import Event, MessageDropped
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.syntax import parse_message
from sipcore.testing import Mutant, mutant
from sipcore.testing.mutation.bases import BRANCH, CALL_ID, CSEQ, FROM_TAG
from sipcore.testing.mutation.delivery import byte_by_byte, random_cuts
from sipcore.testing.mutation.dice import Dice
from sipcore.values import Address, Protocol
from tests.accounts import TCP, account
from tests.secrecy import PASSWORD
from tests.seeds import FRESH_SEED

NOW = 100.0

SERVER: Address = ("192.0.2.1", 5060)
CLIENT: Address = ("192.0.2.10", 40000)


class Outcome(NamedTuple):
    """All that can be seen of an endpoint."""

    outputs: list[Command | Event]
    deadline: float | None
    later: list[Command | Event]
    """What it puts out when that time has come."""


def outcome(endpoint: UserAgent | Registrar, flow: int, pieces: Iterable[bytes]) -> Outcome:
    for piece in pieces:
        endpoint.receive(flow, piece, now=NOW)
    outputs = drain(endpoint)
    deadline = endpoint.next_deadline()
    if deadline is not None:
        endpoint.handle_deadline(now=deadline)
    return Outcome(outputs, deadline, drain(endpoint))


def drain(endpoint: UserAgent | Registrar) -> list[Command | Event]:
    found = []
    while (output := endpoint.next_output()) is not None:
        found.append(output)
    return found


# --- the two endpoints -----------------------------------------------------------------------------------------------


ACCOUNT = account(registrar="sip:192.0.2.1", transport=TCP)


def waiting_agent() -> tuple[UserAgent, int, bytes]:
    """An agent with a REGISTER under way, its connection, and that request."""
    agent = UserAgent([ACCOUNT], random=Random(1), now=NOW)
    agent.register("alice", now=NOW)
    agent.handle_deadline(now=NOW)
    (opening,) = [item for item in drain(agent) if isinstance(item, OpenFlow)]
    agent.flow_opened(opening.flow, CLIENT, SERVER, now=NOW)
    (request,) = [item.data for item in drain(agent) if isinstance(item, Transmit)]
    return agent, opening.flow, request


def listening_registrar(**users: str) -> tuple[Registrar, int, bytes]:
    """A registrar with a connection; without users it trusts everybody."""
    policy = RegistrarPolicy(domains=("example.com",))
    registrar = Registrar([(Protocol.TCP, SERVER)], users, policy=policy, random=Random(1), now=NOW)
    (listen,) = [item for item in drain(registrar) if isinstance(item, Listen)]
    registrar.listening(listen.listener, SERVER, now=NOW)
    flow = registrar.flow_accepted(listen.listener, SERVER, CLIENT, now=NOW)
    drain(registrar)
    return registrar, flow, b""


def guarded_registrar() -> tuple[Registrar, int, bytes]:
    """One that looks at credentials."""
    return listening_registrar(alice=PASSWORD)


def fitting(case: Mutant, request: bytes) -> bytes:
    """The mutant's bytes as an answer to that request, as far as they are still those of an answer."""
    if not request:
        return case.data
    asked = parse_message(request)
    data = case.data
    for ours, theirs in (
        (BRANCH, asked.via.branch),
        (FROM_TAG, asked.from_.tag),
        (CALL_ID, asked.call_id),
        (f"CSeq: {CSEQ}", f"CSeq: {asked.cseq.number}"),
        ('"Alice" ', ""),
        ("192.0.2.10:5060", "192.0.2.10:40000"),
    ):
        assert theirs is not None
        data = data.replace(ours.encode(), theirs.encode())
    return data


# --- the law ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [waiting_agent, listening_registrar, guarded_registrar])
@pytest.mark.parametrize("seed", [1, FRESH_SEED])
@pytest.mark.requirement("RFC3261-18.3-03")
def test_outputs_do_not_depend_on_the_cuts(
    make: Callable[[], tuple[UserAgent | Registrar, int, bytes]], seed: int
) -> None:
    """Law: of equal endpoints that get the same stream, cut in different places, all outputs are equal."""
    told: set[str] = set()
    for number in range(1000):
        case = mutant(seed, number)
        endpoint, flow, request = make()
        data = fitting(case, request)
        whole = outcome(endpoint, flow, [data])
        for pieces in (byte_by_byte(data), random_cuts(data, Dice(seed, number))):
            endpoint, flow, _ = make()
            assert outcome(endpoint, flow, pieces) == whole, f"SIPCORE_SEED={seed}: {case}"
        told.update(describe(output) for output in whole.outputs)
    # The mutants got as far as the decisions, not only to the parser.
    assert len(told) > 20, told


def describe(output: Command | Event) -> str:
    """What it is: a status code, a start line, a cause."""
    if isinstance(output, MessageDropped):
        return output.cause
    if isinstance(output, Transmit):
        return output.data.partition(b"\r\n")[0].decode()
    return type(output).__name__
