"""What happened in a run, in words: each scene is an arrow between two parties, or a note beside one of them.

The diagrams are made of scenes, so a text ladder and a Mermaid diagram of one run say the same. Only what a message
says about itself is told (method, status, CSeq, lifetimes): no credentials, so also no secrets. All that came from a
peer or a file is made safe for terminals here, at the one place through which it has to pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from sipcore.commands import CloseFlow, CloseListener, Command, Listen, OpenFlow, Record, Remember, Resolve, Transmit
from sipcore.config import Account
from sipcore.errors import RemoteProtocolError
from sipcore.events import (
    Event,
    FlowLost,
    InboundRequest,
    InboundResponse,
    ListenFailed,
    Listening,
    MessageDropped,
    Registered,
    Rejected,
    StatusChanged,
    Unregistered,
)
from sipcore.redact import redact_uri
from sipcore.replay.paths import Path, Paths, named
from sipcore.syntax.framing import KeepAlive
from sipcore.syntax.grammar import visible
from sipcore.syntax.message import Message, Request, parse_message
from sipcore.syntax.stun import is_stun
from sipcore.syntax.uri import Uri
from sipcore.values import Address, State, format_address

if TYPE_CHECKING:
    from sipcore.agent import UserAgent
    from sipcore.replay.steps import Step

__all__ = ["AGENT", "APPLICATION", "LATEST", "Scene", "Story", "caption", "seconds", "selected"]

APPLICATION: Final = "application"
AGENT: Final = "agent"

MAX_TEXT: Final = 160
"""Characters of a scene: a cause with a Warning fits, and nobody reads more in a diagram."""

MAX_NAMES: Final = 3
"""Names listed of those whom a lost flow carried."""


LATEST: Final = 2.0**36
"""Seconds: some two thousand years. What is more is no time, and is not written out."""


class Scene(NamedTuple):
    """One row of a diagram."""

    number: int
    """The step's."""
    now: float
    source: str
    """Who acts: the application, the agent, or a remote address with its transport protocol."""
    target: str
    """On whom; equal to `source` for a note."""
    text: str
    """Safe to print, at most `MAX_TEXT` characters."""
    names: frozenset[str] | None
    """The registrations that it is about; None for what concerns all, such as a flow."""


class Story:
    """Turns steps into scenes. `agent` is the one that the run begins with, if it does not begin with an empty one."""

    def __init__(self, agent: UserAgent | None = None) -> None:
        self.start: float | None = None
        """The clock of the first step; times in texts are counted from it."""
        self.paths = Paths(agent)
        self._names: dict[str, frozenset[str]] = {}
        self._seen: set[tuple[str, str, bytes]] = set()
        self._waiting: Scene | None = None
        for name in agent.names() if agent is not None else ():
            self._know(agent.account(name) if agent is not None else None)

    def tell(self, steps: Iterable[Step]) -> Iterator[Scene]:
        """The scenes of these steps, which continue those that were told before."""
        for step in steps:
            if self.start is None:
                self.start = step.now
            path = self.paths.learn(step)
            if step.output is None:
                # Of a deadline only that is told which came of it.
                self._waiting = None
                scenes = list(self._input(step, path))
                if step.name == "handle_deadline":
                    self._waiting = self._note(step, "deadline")
                    continue
                yield from scenes
                continue
            scenes = list(self._output(step, step.output, path))
            if scenes and self._waiting is not None:
                yield self._waiting._replace(names=scenes[0].names)
                self._waiting = None
            yield from scenes

    # --- inputs ----------------------------------------------------------------------------------------------------

    def _input(self, step: Step, path: Path | None) -> Iterator[Scene]:
        values = named(step)
        match step.name:
            case "add":
                self._know(values.get("account"))
                yield self._call(step, f"add {_name(values.get('account'))}", _name(values.get("account")))
            case "reload":
                items = _items(values.get("accounts"))
                for account in items:
                    self._know(account)
                yield self._call(step, f"reload, {len(items)} registration{'' if len(items) == 1 else 's'}")
            case "register" | "unregister" | "remove":
                every = ", all bindings" if values.get("all") else ""
                yield self._call(step, f"{step.name} {values.get('name')}{every}", str(values.get("name")))
            case "close":
                yield self._call(step, "close" if values.get("unregister", True) else "close, leave the bindings")
            case "respond":
                yield self._call(step, f"respond {values.get('status')}")
            case "send_raw":
                yield self._call(step, "send_raw")
            case "receive":
                yield from self._received(step, path, values)
            case "resolved":
                records = values.get("records")
                found = [item.address for item in _items(records) if isinstance(item, Record)]
                yield self._note(step, f"answer {values.get('query')}: {', '.join(found) or 'no address'}")
            case "resolve_failed":
                yield self._note(step, f"answer {values.get('query')}: {values.get('error')}")
            case "flow_opened":
                yield self._note(step, f"flow {values.get('flow')} is open at {_address(values.get('local'))}")
            case "flow_accepted":
                flow = path.flow if path is not None else "?"
                yield self._note(step, f"flow {flow} accepted from {_address(values.get('remote'))}")
            case "flow_closed":
                why = values.get("error") or "closed by the peer"
                yield self._note(step, f"flow {values.get('flow')} ended: {why}")
            case "transmit_failed":
                yield self._note(step, f"not sent to {_address(values.get('remote'))}: {values.get('error')}")
            case "network_changed":
                yield self._note(step, "network changed")
            case _:
                pass  # `listening` and `listen_failed` are told by the event that follows

    def _received(self, step: Step, path: Path | None, values: dict[str, object]) -> Iterator[Scene]:
        data = values.get("data")
        if path is None or not path.open or not isinstance(data, bytes):
            return
        remote = f"{path.protocol} {_address(path.remote or values.get('source'))}"
        for piece in path.pieces(data):
            if isinstance(piece, KeepAlive):
                yield self._scene(step, remote, AGENT, f"CRLF keep-alive ({piece.name.lower()})")
            elif isinstance(piece, RemoteProtocolError):
                yield self._note(step, f"the stream cannot be read: {piece.kind}")
            else:
                yield self._message(step, remote, AGENT, piece)

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _output(self, step: Step, output: Command | Event, path: Path | None) -> Iterator[Scene]:
        match output:
            case Transmit():
                address = output.remote or (path.remote if path is not None else None)
                remote = f"{path.protocol if path is not None else 'flow'} {_address(address)}"
                yield self._message(step, AGENT, remote, output.data)
            case Resolve():
                yield self._note(step, f"question {output.query}: {output.kind} of {output.name}")
            case OpenFlow():
                where = f"to {_address(output.remote)}" if output.remote else f"at {_address(output.local)}"
                yield self._note(step, f"opens flow {output.flow}, {output.protocol} {where}")
            case CloseFlow():
                yield self._note(step, f"closes flow {output.flow}")
            case Listen():
                yield self._note(step, f"wants to listen on {output.protocol} {_address(output.local)}")
            case CloseListener():
                yield self._note(step, f"closes listener {output.listener}")
            case Remember():
                what = "forgets" if output.record is None else "remembers"
                yield self._note(step, f"{what} {output.name}", output.name)
            case StatusChanged():
                yield self._note(step, self._status(output, step.now), output.name)
            case Registered() | Rejected() | Unregistered():
                pass  # the status that follows says it
            case MessageDropped():
                times = f" ({output.count} times)" if output.count > 1 else ""
                source = f" from {_address(output.source)}" if output.source else ""
                yield self._note(step, f"dropped{source}: {output.cause}{times}")
            case FlowLost():
                more = len(output.names) - MAX_NAMES
                carried = ", ".join(output.names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
                users = f"; it carried {carried}" if carried else ""
                yield self._note(step, f"flow {output.flow} lost: {output.error or 'closed'}{users}")
            case InboundRequest():
                whom = f" for {output.registration}" if output.registration is not None else ""
                who = f" from {output.endpoint}" if output.endpoint is not None else ""
                text = f"{output.request.method}{whom}{who}"
                yield self._scene(step, AGENT, APPLICATION, text, output.registration)
            case InboundResponse():
                yield self._scene(step, AGENT, APPLICATION, f"{output.response.status} of no request")
            case Listening():
                yield self._note(step, f"listening on {output.protocol} {_address(output.local)}")
            case ListenFailed():
                yield self._note(step, f"cannot listen on {output.protocol} {_address(output.local)}: {output.error}")
            case _:
                yield self._note(step, type(output).__name__)

    def _status(self, event: StatusChanged, now: float) -> str:
        status = event.status
        change = "still" if event.previous is status.state else f"{event.previous} →"
        text = f"{status.name}: {change} {status.state}"
        if status.state is State.REGISTERED and status.expires_at is not None:
            text += f" for {seconds(status.expires_at - now, 0)} s"
        if status.next_attempt_at is not None:
            text += f", next at {seconds(status.next_attempt_at - (self.start or 0.0))}"
        return f"{text}: {status.cause}" if status.cause is not None else text

    # --- inside ----------------------------------------------------------------------------------------------------

    def _message(self, step: Step, source: str, target: str, data: bytes) -> Scene:
        text, message = caption(data)
        names: frozenset[str] | None = None
        if message is not None:
            key = (source, target, data)
            if key in self._seen:
                text += " (copy)"
            self._seen.add(key)
            names = self._concerned(message)
        scene = self._scene(step, source, target, text)
        return scene._replace(names=names)

    def _concerned(self, message: Message) -> frozenset[str] | None:
        try:
            return self._names.get(_key(message.to.uri))
        except RemoteProtocolError:
            return None

    def _know(self, account: object) -> None:
        if isinstance(account, Account):
            key = _key(Uri.parse(account.aor))
            self._names[key] = self._names.get(key, frozenset()) | {account.name}

    def _call(self, step: Step, text: str, name: str | None = None) -> Scene:
        return self._scene(step, APPLICATION, AGENT, text, name)

    def _note(self, step: Step, text: str, name: str | None = None) -> Scene:
        return self._scene(step, AGENT, AGENT, text, name)

    def _scene(self, step: Step, source: str, target: str, text: str, name: str | None = None) -> Scene:
        names = None if name is None else frozenset({name})
        return Scene(step.number, step.now, source, target, visible(redact_uri(text), MAX_TEXT), names)


def selected(
    scenes: Iterable[Scene], *, first: int | None = None, last: int | None = None, name: str | None = None
) -> Iterator[Scene]:
    """Those of steps `first` to `last`, and with a `name` only what is about that registration, or about all."""
    for scene in scenes:
        if last is not None and scene.number > last:
            return
        if first is not None and scene.number < first:
            continue
        if name is None or scene.names is None or name in scene.names:
            yield scene


def seconds(value: float, digits: int = 3) -> str:
    """A time in seconds, short whatever it is."""
    return f"{value:.{digits}f}" if abs(value) < LATEST else f"{value:.{digits}e}"


def caption(data: bytes) -> tuple[str, Message | None]:
    """A message in a few words, and the message itself; None for what is no SIP message. Not yet safe to print."""
    if not data.strip(b"\r\n"):
        return ("CRLF keep-alive" if data else "an empty datagram"), None
    if is_stun(data):
        return f"STUN, {len(data)} bytes", None
    try:
        message = parse_message(data)
        cseq = message.cseq
    except RemoteProtocolError as error:
        return f"no SIP: {error.kind}, {len(data)} bytes", None
    if isinstance(message, Request):
        text = f"{message.method} {cseq.number}"
    else:
        text = f"{message.status} {message.reason}".rstrip() + f" ({cseq})"
    return ", ".join([text, *_details(message)]), message


def _details(message: Message) -> Iterator[str]:
    lifetimes: list[str] = []
    try:
        contacts = message.contacts
    except RemoteProtocolError:
        contacts = ()
    if isinstance(contacts, tuple):
        general = message.expires
        for contact in contacts:
            lifetime = contact.expires if contact.expires is not None else general
            lifetimes.append("?" if lifetime is None else str(lifetime))
    else:
        lifetimes.append(f"all, {message.expires}")
    if lifetimes:
        more = len(lifetimes) - MAX_NAMES
        yield f"expires {' '.join(lifetimes[:MAX_NAMES])}{f' and {more} more' if more > 0 else ''}"
    if message.min_expires is not None:
        yield f"min {message.min_expires}"
    if message.retry_after is not None:
        yield f"retry after {message.retry_after}"
    if message.get("authorization") is not None or message.get("proxy-authorization") is not None:
        yield "credentials"
    challenges = message.get_all("www-authenticate") + message.get_all("proxy-authenticate")
    if any("stale=true" in challenge.lower().replace('"', "") for challenge in challenges):
        yield "stale"


def _key(uri: Uri) -> str:
    return f"{uri.user}@{uri.host}".lower()


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _name(account: object) -> str:
    return account.name if isinstance(account, Account) else "?"


def _address(value: Address | object | None) -> str:
    if isinstance(value, tuple) and len(value) >= 2 and isinstance(value[0], str):
        return visible(format_address((value[0], value[1])), 60)
    return "?"
