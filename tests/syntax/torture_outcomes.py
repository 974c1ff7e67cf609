"""What a registrar and a user agent make of bytes that arrive: one word for each thing they put out."""

from __future__ import annotations

from random import Random

from sipcore.agent import UserAgent
from sipcore.commands import CloseFlow, OpenFlow, Transmit
from sipcore.endpoint import INCOMPLETE_MESSAGE_TIMEOUT, Endpoint
from sipcore.events import InboundRequest, MessageDropped
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.syntax.message import Response, parse_message
from sipcore.testing import Line, ok
from sipcore.values import Address, Protocol
from tests.accounts import TCP, account

__all__ = ["CLIENT", "OPEN", "answers", "at_client", "at_registrar", "serving"]

LOCAL: Address = ("192.0.2.1", 5060)
CLIENT: Address = ("198.51.100.7", 40321)
OPEN = RegistrarPolicy(require_authentication=False)


def serving(protocol: Protocol, policy: RegistrarPolicy = OPEN) -> tuple[Registrar, int]:
    """A registrar of every domain, and its UDP flow or a connection that it accepted from `CLIENT`."""
    registrar = Registrar([(protocol, LOCAL)], {"user": "secret"}, policy=policy, random=Random(1), now=0.0)
    output = registrar.next_output()
    if isinstance(output, OpenFlow):
        registrar.flow_opened(output.flow, LOCAL, now=0.0)
        flow = output.flow
    else:
        registrar.listening(1, LOCAL, now=0.0)
        flow = registrar.flow_accepted(1, LOCAL, CLIENT, now=0.0)
    while registrar.next_output() is not None:
        pass
    return registrar, flow


def at_registrar(data: bytes, protocol: Protocol, policy: RegistrarPolicy = OPEN) -> tuple[str, ...]:
    """Feed it as one datagram or one piece of a stream."""
    registrar, flow = serving(protocol, policy)
    return _outcome(registrar, flow, data, 0.0)


def at_client(data: bytes, protocol: Protocol) -> tuple[str, ...]:
    """The same for an agent that is registered, handles nothing, and gets it from its registrar."""
    line = Line(account(transport=None if protocol is Protocol.UDP else TCP), script=[ok()])
    line.register()
    assert line.status().state == "Registered"
    (flow,) = line.station.flows
    # What the agent puts out from here on is ours to read.
    line.world.residents.remove(line.station)
    assert isinstance(line.agent, UserAgent)
    return _outcome(line.agent, flow, data, line.now)


def answers(endpoint: Endpoint) -> list[Response]:
    """The responses that were sent since the last look; what else was put out is forgotten."""
    found = []
    while (output := endpoint.next_output()) is not None:
        if isinstance(output, Transmit):
            message = parse_message(output.data)
            assert isinstance(message, Response)
            found.append(message)
    return found


def _outcome(endpoint: Endpoint, flow: int, data: bytes, now: float) -> tuple[str, ...]:
    endpoint.receive(flow, data, CLIENT, now=now)
    words = _words(endpoint, data)
    if not words:
        # A message that is not complete: it is waited for, but not for ever.
        deadline = now + INCOMPLETE_MESSAGE_TIMEOUT
        endpoint.handle_deadline(now=deadline - 0.001)
        assert not _words(endpoint, data)
        endpoint.handle_deadline(now=deadline)
        words = ["waits", *_words(endpoint, data)]
    return tuple(words)


def _words(endpoint: Endpoint, data: bytes) -> list[str]:
    found = []
    while (output := endpoint.next_output()) is not None:
        match output:
            case Transmit():
                message = parse_message(output.data)
                # An agent that lost its connection may go on; that is no answer.
                if isinstance(message, Response):
                    found.append(str(message.status))
            case MessageDropped(cause=cause):
                found.append(f"dropped: {cause}")
            case CloseFlow():
                found.append("closed")
            case InboundRequest():
                found.append("handed over")
            case _:
                pass
    return found
