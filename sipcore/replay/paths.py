"""Which flow led where, found from the steps of a run: what a renderer needs to draw bytes between two addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sipcore.commands import CloseFlow, OpenFlow, Record, Resolve
from sipcore.errors import RemoteProtocolError
from sipcore.replay.inputs import INPUTS
from sipcore.syntax.framing import KeepAlive, StreamFramer
from sipcore.values import Address, Protocol, RecordKind

if TYPE_CHECKING:
    from sipcore.agent import UserAgent
    from sipcore.replay.steps import Step

__all__ = ["Path", "Paths", "named"]


def named(step: Step) -> dict[str, object]:
    """The arguments of an input by name, however they were given."""
    known = INPUTS.get(step.name)
    return {**dict(zip(known.positional if known else (), step.arguments, strict=False)), **step.keywords}


class Path:
    """One flow as the run shows it."""

    __slots__ = ("accepted", "flow", "framer", "local", "open", "protocol", "remote")

    def __init__(self, flow: int, protocol: Protocol, local: Address | None, remote: Address | None) -> None:
        self.flow = flow
        self.protocol = protocol
        self.local = local
        """Where it is bound; the host may be a wildcard, the port 0 as long as it is not open."""
        self.remote = remote
        """The other side of a connection; None for UDP."""
        self.accepted = False
        self.open = False
        self.framer = StreamFramer() if protocol.reliable else None

    def pieces(self, data: bytes) -> Iterator[bytes | KeepAlive | RemoteProtocolError]:
        """What bytes that arrived complete: messages, keep-alives, or the fault that ended the stream."""
        if self.framer is None:
            yield data
            return
        try:
            yield from self.framer.receive(data)
        except RemoteProtocolError:
            return  # it was told when the stream died
        if self.framer.error is not None:
            yield self.framer.error


class Paths:
    """All flows of a run. `agent` is the one that the run begins with, if it does not begin with an empty one."""

    def __init__(self, agent: UserAgent | None = None) -> None:
        self.flows: dict[int, Path] = {}
        self.sources: dict[str, str] = {}
        """The host's own address towards a remote host, as the system told it."""
        self._asked: dict[int, str] = {}
        self._last = 0
        if agent is not None:
            self._begin(agent)

    def learn(self, step: Step) -> Path | None:
        """Take one step in; returns the flow that it is about, if any."""
        if step.output is None:
            return self._input(step.name, named(step))
        match step.output:
            case OpenFlow() as command:
                return self._new(command.flow, command.protocol, command.local, command.remote)
            case Resolve(kind=RecordKind.SOURCE) as command:
                self._asked[command.query] = command.name
            case CloseFlow() as command:
                return self._closed(command.flow)
            case _:
                pass
        number = getattr(step.output, "flow", None)
        return self.flows.get(number) if isinstance(number, int) else None

    def _input(self, name: str, values: dict[str, object]) -> Path | None:
        if name == "resolved":
            self._learn_source(values.get("query"), values.get("records"))
            return None
        if name == "flow_accepted":
            path = self._new(self._last + 1, Protocol.TCP, _address(values["local"]), _address(values["remote"]))
            path.open = path.accepted = True
            path.framer = StreamFramer(accepted=True)
            return path
        number = values.get("flow")
        if not isinstance(number, int):
            return None
        if name == "flow_closed":
            return self._closed(number)
        known = self.flows.get(number)
        if name == "flow_opened" and known is not None and not known.open:
            known.open = True
            known.local = _address(values["local"]) or known.local
        return known

    def _new(self, number: int, protocol: Protocol, local: Address | None, remote: Address | None) -> Path:
        # Flows are numbered in the order of their causes, and an accepted one is not named by an output.
        self._last = max(self._last, number)
        path = self.flows[number] = Path(number, protocol, local, remote)
        return path

    def _closed(self, number: int) -> Path | None:
        path = self.flows.pop(number, None)
        if path is not None:
            path.open = False
        return path

    def _learn_source(self, query: object, records: object) -> None:
        name = self._asked.pop(query, None) if isinstance(query, int) else None
        if name is not None and isinstance(records, (list, tuple)):
            found = [record.address for record in records if isinstance(record, Record)]
            if found:
                self.sources[name] = found[0]

    def _begin(self, agent: UserAgent) -> None:
        for flow in agent.flows.values():
            path = self._new(flow.id, flow.protocol, flow.local, flow.remote)
            path.open = flow.open
            path.accepted = flow.listener is not None
            # The agent was made for this: nobody else feeds its framers.
            path.framer = flow.framer
        self._last = agent._last_flow


def _address(value: object) -> Address | None:
    if isinstance(value, tuple) and len(value) >= 2:
        host, port = value[0], value[1]
        if isinstance(host, str) and isinstance(port, int):
            return host, port
    return None
