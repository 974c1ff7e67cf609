"""The recordings in `asterisk/`: read, and replayed against the ASTERISK profile on the virtual wire."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sipcore import asterisk
from sipcore.config import Account
from sipcore.events import Registered, Rejected, Unregistered
from sipcore.testing import Answer, Line, ScriptedPeer, Step
from sipcore.values import Address

__all__ = ["CASES", "Case", "Outcome", "Registration", "Request", "load", "replay"]

FOLDER = Path(__file__).with_name("asterisk")
CASES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))

ALLOW = ("OPTIONS", "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK")
"""What the modules of that Asterisk handle; not a matter of registering."""

SECOND: Address = ("127.0.0.1", 16999)
"""Where a redirect would lead."""

Registration = Registered | Rejected | Unregistered

STATUSES = {Registered: "Registered", Rejected: "Rejected", Unregistered: "Unregistered"}


class Request(NamedTuple):
    """One REGISTER, theirs or ours."""

    at: float
    """Seconds since the first one."""
    to: str
    copy: bool
    text: str

    def field(self, name: str) -> str:
        """The first value of a header, "" when there is none."""
        found = re.search(rf"^{name}: *(.*?)\r$", self.text, re.MULTILINE)
        return found[1] if found else ""

    @property
    def cseq(self) -> int:
        """The number in CSeq."""
        return int(self.field("CSeq").split()[0])

    @property
    def tag(self) -> str:
        """The From tag."""
        return self.field("From").rpartition(";tag=")[2]

    @property
    def branch(self) -> str:
        """The Via branch."""
        return self.field("Via").rpartition(";branch=")[2]

    @property
    def lines(self) -> list[str]:
        """The text without what is different in every run."""
        text = self.text
        for pattern, blank in (
            (r"branch=z9hG4bK[^\r;]*", "branch=*"),
            (r";tag=[^\r;>]*", ";tag=*"),
            (r"(?m)^Call-ID: .*\r$", "Call-ID: *\r"),
            (r"(?m)^CSeq: \d+", "CSeq: *"),
            (r'cnonce="[^"]*"', "cnonce=*"),
            (r'response="[^"]*"', "response=*"),
            (r"(?m)^Content-Length: *", "Content-Length: "),
        ):
            text = re.sub(pattern, blank, text)
        return text.split("\r\n")


class Outcome(NamedTuple):
    """What the manager interface tells after each attempt."""

    at: float
    status: str


@dataclass(frozen=True)
class Case:
    """One recording."""

    name: str
    configuration: str
    steps: list[Any]
    actions: list[tuple[float, str]]
    """When it was really done, and what."""
    duration: float
    requests: list[Request]
    outcomes: list[Outcome]
    last_status: str | None


def load(name: str) -> Case:
    """Read one recording."""
    lines = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    of = {kind: [line for line in lines if line["kind"] == kind] for kind in ("meta", "rx", "do", "ami", "end")}
    meta, end = of["meta"][0], of["end"][0]
    return Case(
        name=name,
        configuration=meta["pjsip_conf"],
        steps=meta["steps"],
        actions=[(line["t"], line["what"]) for line in of["do"]],
        # What comes in the very last moment may be on either side of the end.
        duration=meta["watch_s"] - 0.5,
        requests=[
            Request(line["t"], line["to"], line["retransmission"], line["raw"])
            for line in of["rx"]
            if line["t"] <= meta["watch_s"] - 0.5
        ],
        outcomes=[
            Outcome(line["t"], line["packet"].partition("Status: ")[2].strip())
            for line in of["ami"]
            if line["t"] <= meta["watch_s"] - 0.5
        ],
        last_status=end["last_status"],
    )


class Replayed(NamedTuple):
    """What sipcore did in the same case."""

    line: Line
    requests: list[Request]
    outcomes: list[Outcome]
    last_status: str | None
    causes: list[str]
    """Why, in words, for each Rejected."""


def replay(case: Case) -> Replayed:
    """Run a case under the ASTERISK profile."""
    configuration = case.configuration
    accounts = _accounts(configuration)
    account = accounts[0]
    host, port = (account.registrar or "").removeprefix("sip:").split(":")
    line = Line(*accounts)
    line.station.ipv4 = host
    steps = [_step(step) for step in case.steps]
    server = ScriptedPeer(line.world, (host, int(port)), steps, realm="bars.invalid")
    second = ScriptedPeer(line.world, SECOND, steps[1:], realm="bars.invalid")
    line.register(account.name)
    while not server.received:
        # The initial delay; the recordings' clocks start with the first REGISTER.
        line.run(line.world.next_event())
    start = line.now
    for at, what in case.actions:
        line.run(start + at)
        if what.startswith("edit:"):
            _, before, after = what.split(":")
            configuration = configuration.replace(before, after)
        elif what == "reload":
            line.agent.reload(_accounts(configuration), now=line.now)
        elif what == "unload":
            line.agent.close(now=line.now)
        else:
            getattr(line.agent, what)(account.name, now=line.now)
    line.run(start + case.duration)
    requests = [
        Request(item.at - start, to, item.copy, bytes(item.request).decode())
        for to, peer in (("server", server), ("second", second))
        for item in peer.received
    ]
    told = [item for item in line.station.outputs if isinstance(item.output, Registration)]
    return Replayed(
        line,
        sorted(requests, key=lambda request: request.at),
        [Outcome(item.at - start, STATUSES[type(item.output)]) for item in told],
        str(line.status().state) if line.agent.names() else None,
        [str(item.output.cause) for item in told if isinstance(item.output, Rejected)],
    )


def _accounts(configuration: str) -> list[Account]:
    return [replace(account, allow=ALLOW) for account in asterisk.parse(configuration).accounts]


def _step(step: Any) -> Step:
    if step is None or isinstance(step, int):
        return step
    unknown = set(step) - {"s", "h", "contact", "pre", "delay", "wrong", "received", "rport"}
    assert not unknown, unknown
    contact = step.get("contact")
    if contact is not None:
        contact = contact.replace("{c}", "{contact}").replace("{port2}", str(SECOND[1]))
    edit = None
    if "wrong" in step:
        edit = {"branch": _wrong_branch, "compact": _compact}[step["wrong"]]
    elif "received" in step:
        edit = partial(_behind_nat, received=step["received"], rport=step["rport"])
    return Answer(
        step["s"],
        tuple(step.get("h", ())),
        contact,
        provisional=tuple(step.get("pre", ())),
        delay=step.get("delay", 0),
        edit=edit,
    )


def _wrong_branch(data: bytes) -> bytes:
    return data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKwrong")


def _compact(data: bytes) -> bytes:
    text = data.decode()
    for name, short in (("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "CSEQ"), ("Contact", "m")):
        text = re.sub(rf"(?m)^{name}: ", f"{short} :\r\n ", text)
    return text.replace("Content-Length:", "l:").encode()


def _behind_nat(data: bytes, *, received: str, rport: int) -> bytes:
    text = re.sub(r";rport=\d+", f";rport={rport}", data.decode())
    return re.sub(r";received=[0-9.]+", f";received={received}", text).encode()
