"""A counter-example as a script: the calls of the agent's interface that led there, and what must hold at the end.

`Script` keeps each call with its arguments while the machine runs, and writes them as Python that imports nothing but
the standard library and sipcore. Run as it stands, the script fails as the machine did: the last call raises, or the
assertion at its end does not hold.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, NamedTuple

from sipcore import Account, MessageDropped, Profile, Secret, StatusChanged, Transmit
from sipcore.commands import Command
from sipcore.events import Event

__all__ = ["Expression", "Script", "literal"]

Output = Command | Event

_HEAD = '''"""{law}

{happened}
"""

from contextlib import suppress
from random import Random

from sipcore import *

outputs = []
"""What the agent put out, one list for each call."""
requests = []
"""The requests that it handed to the application."""


def drain():
    outputs.append(list(iter(agent.next_output, None)))
    requests.extend(item for item in outputs[-1] if isinstance(item, InboundRequest))


def header(data, name):
    lines = data.split(b"\\r\\n")
    return next(line.partition(b": ")[2] for line in lines if line.startswith(name + b": "))


def known(status):
    return status.state, status.cause, status.expires_at


def told(name):
    news = [item for call in outputs for item in call if isinstance(item, StatusChanged) and item.name == name]
    return known(news[-1].status) if news else (State.UNREGISTERED, None, None)


def nc(data, nonce):
    lines = data.split(b"\\r\\n")
    return next(int(line.partition(b"nc=")[2][:8], 16) for line in lines if b'"' + nonce + b'"' in line)


'''


class Expression(NamedTuple):
    """Python that is to be written as it stands, in place of a value that has no literal."""

    text: str


class Script:
    """The calls so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.calls = 0
        """How many lists of outputs there are so far."""

    def create(self, accounts: Iterable[Account], options: Mapping[str, object]) -> None:
        """The agent is made, perhaps a second time."""
        given = ", ".join(f"{name}={literal(value)}" for name, value in options.items())
        self.lines.append(f"agent = UserAgent({literal(list(accounts))}, {given})")

    def call(self, method: str, arguments: Iterable[object], options: Mapping[str, object], now: float) -> None:
        """One call is about to be made."""
        given = [literal(value) for value in arguments]
        given += [f"{name}={literal(value)}" for name, value in options.items()]
        self.lines.append(f"agent.{method}({', '.join([*given, f'now={now!r}'])})")

    def refused(self) -> None:
        """The last call raised `LocalProtocolError`, as it may."""
        self.lines[-1] = f"state = agent.random.getstate()\nwith suppress(LocalProtocolError):\n    {self.lines[-1]}"

    def drained(self, outputs: Iterable[Output]) -> None:
        """What the last call brought."""
        self.calls += 1
        said = [_brief(output) for output in outputs]
        self.lines.append("drain()" + (f"  # {self.calls - 1}: {'; '.join(said)}" if said else ""))

    def text(self, law: str, happened: str, evidence: str) -> str:
        """The whole script. `evidence` is an expression that should be true and is not; empty when the last call
        raises."""
        head = _HEAD.replace("{law}", _plain(law)).replace("{happened}", _plain(happened))
        end = [f"assert {evidence}, {happened!r}"] if evidence else []
        return head + "\n".join([*self.lines, *end]) + "\n"


def _plain(text: str) -> str:
    return text.replace("\\", "/").replace('"""', "'''")


def _brief(output: Output) -> str:
    kind = type(output).__name__
    if isinstance(output, Transmit):
        lines = output.data.split(b"\r\n")
        number = [line for line in lines if line.startswith(b"CSeq")]
        said = ascii(b", ".join([lines[0].replace(b" SIP/2.0", b""), *number[:1]]).decode("ascii", "replace"))[1:-1]
        return f"{kind} {output.flow} {said}"
    if isinstance(output, StatusChanged):
        return f"{kind} {output.name}: {output.previous} -> {output.status.state}, {output.status.phase}"
    if isinstance(output, MessageDropped):
        return f"{kind} {output.cause}"
    name = getattr(output, "name", getattr(output, "flow", ""))
    return f"{kind} {name}".rstrip()


def literal(value: object) -> str:
    """Python source of a value, in the names that `sipcore` exports."""
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, Profile):
        return value.name
    if isinstance(value, Secret):
        return f"Secret({value.reveal()!r})"
    if isinstance(value, enum.Enum):
        return str(value.__class__.__name__) + f".{value.name}"
    if isinstance(value, Account):
        return _account(value)
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({', '.join(_given(value))})"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return f"{type(value).__name__}({', '.join(literal(item) for item in value)})"
    if isinstance(value, list | tuple):
        inside = ", ".join(literal(item) for item in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, set | frozenset):
        return f"frozenset([{', '.join(sorted(literal(item) for item in value))}])"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f"float({str(value)!r})"
    return repr(value)


def _given(value: Any) -> list[str]:
    """The fields of a dataclass that are not as by default."""
    return [
        f"{item.name}={literal(getattr(value, item.name))}"
        for item in fields(value)
        if item.default is MISSING or getattr(value, item.name) != item.default
    ]


def _account(account: Account) -> str:
    options = [item.name for item in fields(account) if item.name != "aor"]
    if account.password is not None:
        options.remove("credentials")
    given = [f"{name}={literal(getattr(account, name))}" for name in options if account.source(name) == "given"]
    return f"Account({', '.join([literal(account.aor), *given])})"
