"""What leaves: requests in flight, their identities and numbers, and what the registrar may have made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sipcore import Account, State
from tests.stateful.laws import BrokenIdentity, NotSilent, SentTooMuch
from tests.stateful.wire import Asked

__all__ = ["FOREVER", "TIMEOUT", "Delivered", "Identity", "Traffic"]

TIMEOUT = 32.0
"""Timer F with the standard's T1; all accounts of the machine have it."""
COPIES = 11
"""The first and ten more: at 0.5, 1.5, 3.5, 7.5 ... 31.5 s."""
GAP = 1.0
REQUESTS = 8
FOREVER = 2.0**32


class Delivered(NamedTuple):
    """A response that is about to be received."""

    asked: Asked
    code: int
    sure: bool = True
    """Every identity is right and nothing is damaged; otherwise it may or may not count."""
    most: float = 0.0
    """A 2xx: for how many seconds a binding may be claimed because of it."""
    exact: float | None = None
    """A 2xx: for how many seconds one has to be claimed."""
    listed: bool = False
    """A 2xx: our Contact stands in it."""


@dataclass
class Identity:
    """What is known of one Call-ID."""

    to: str
    cseq: int = -1
    cseq_place: tuple[int, int] = (0, 0)
    until: float | None = None
    """Until when a binding may be claimed at most."""
    over: bool = True
    """No attempt is under way."""
    started: float = float("-inf")
    requests: int = 0
    """... in the attempt that is under way, or was last."""
    removing: bool = False
    """Its last request was a removal."""
    stopped: bool = False


@dataclass
class Traffic:
    """What the laws about requests need to remember."""

    accounts: dict[str, Account] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Call-IDs by name."""
    identities: dict[str, Identity] = field(default_factory=dict)
    replaced: dict[str, list[tuple[str, State]]] = field(default_factory=dict)
    """Call-ID and state of those whose name another has, by name."""
    branches: dict[str, Asked] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    flying: dict[str, bool] = field(default_factory=dict)
    """Branches of requests in flight; False when they may have been answered."""
    counts: dict[tuple[str, str, str], tuple[int, tuple[int, int]]] = field(default_factory=dict)
    """(Call-ID, header, nonce) -> the last nc and where it stands."""
    streams: dict[int, bool] = field(default_factory=dict)
    """Flows that may be sent on, and whether they are streams."""
    bindings: dict[str, dict[str, tuple[float, int]]] = field(default_factory=dict)
    """What the registrar surely holds: by To value, URI -> its end, and the call that brought the 2xx."""
    reloaded: int = -1
    """The last call that may have given a registration another account."""
    pending: dict[tuple[str, int], float] = field(default_factory=dict)
    """Questions and connections that were asked for, and until when they may be awaited."""
    closing: bool = False

    def flow_ended(self, flow: int) -> None:
        """Nothing can be sent on it any more, and no answer come."""
        self.streams.pop(flow, None)
        for branch in [item for item in self.flying if self.branches[item].flow == flow]:
            del self.flying[branch]

    def answered(self, delivered: Delivered, number: int) -> None:
        """A final response that counts has arrived."""
        asked = delivered.asked
        if delivered.code >= 300:
            return
        identity = self.identities[asked.call_id]
        identity.until = asked.at + delivered.most if delivered.most and not asked.removal else None
        held = self.bindings.setdefault(asked.to, {})
        for uri in asked.binds:
            if delivered.listed and delivered.most:
                held[uri] = (asked.at + delivered.most, number)
            else:
                held.pop(uri, None)

    def attempt_over(self, name: str) -> None:
        """What is under way of the registration of that name has come to something."""
        call_id = self.names.get(name)
        former = self.replaced.get(name, [])
        if len(former) == 1:
            call_id = former[0][0]
        if call_id in self.identities:
            self.identities[call_id].over = True

    def request(self, asked: Asked, where: str) -> None:
        """A REGISTER leaves."""
        known = self.branches.get(asked.branch)
        if known is not None:
            self._copy(asked, known, where)
            return
        identity = self.identities.setdefault(asked.call_id, Identity(asked.to))
        earlier = f"outputs[{identity.cseq_place[0]}][{identity.cseq_place[1]}]"
        if identity.stopped:
            raise NotSilent("a REGISTER of a registration that has stopped", f"type({where}).__name__ != 'Transmit'")
        if asked.cseq <= identity.cseq:
            raise BrokenIdentity(
                f"CSeq {asked.cseq} after {identity.cseq}",
                f"int(header({where}.data, b'CSeq').split()[0]) > int(header({earlier}.data, b'CSeq').split()[0])",
            )
        for branch, sure in list(self.flying.items()):
            if self.branches[branch].call_id == asked.call_id:
                if sure:
                    raise BrokenIdentity(
                        f"CSeq {asked.cseq} left while {self.branches[branch].cseq} was in flight",
                        f"header({where}.data, b'Call-ID') != header({earlier}.data, b'Call-ID')",
                    )
                del self.flying[branch]
        if identity.over and self._forgets(asked.call_id):
            for key in [item for item in self.counts if item[0] == asked.call_id]:
                del self.counts[key]
        for kind, nonce, count in asked.answers:
            last, there = self.counts.get((asked.call_id, kind, nonce), (0, (0, 0)))
            if count <= last:
                raise BrokenIdentity(
                    f"nc {count} after {last} for the nonce {nonce}",
                    f"nc({where}.data, b'{nonce}') > nc(outputs[{there[0]}][{there[1]}].data, b'{nonce}')",
                )
            self.counts[asked.call_id, kind, nonce] = (count, asked.place)
        if identity.over:
            if asked.at - identity.started < GAP - 1e-9:
                raise SentTooMuch(
                    f"an attempt started {asked.at - identity.started} s after the one before",
                    f"type({where}).__name__ != 'Transmit'",
                )
            identity.over, identity.started, identity.requests = False, asked.at, 0
            if self.closing and not asked.removal:
                raise NotSilent(
                    "an agent that closes began to register", f"header({where}.data, b'Expires') == b'0'"
                )
        elif identity.removing and not asked.removal:
            raise NotSilent(
                "an attempt to remove turned into one to register", f"header({where}.data, b'Expires') == b'0'"
            )
        identity.requests += 1
        if identity.requests > REQUESTS:
            raise SentTooMuch(f"request {identity.requests} of one attempt", f"type({where}).__name__ != 'Transmit'")
        identity.cseq, identity.cseq_place, identity.removing = asked.cseq, asked.place, asked.removal
        self.branches[asked.branch] = asked
        self.copies[asked.branch] = 1
        self.flying[asked.branch] = True
        held = self.bindings.get(asked.to, {})
        for uri in asked.drops:
            held.pop(uri, None)
            if uri == "*":
                held.clear()

    def _forgets(self, call_id: str) -> bool:
        """Profiles that send nothing unasked answer each attempt's challenge as the first, also to a nonce that they
        were given before; and other credentials are a new beginning."""
        names = [name for name, known in self.names.items() if known == call_id]
        return not names or self.accounts[names[0]].profile.name != "SIPCORE" or self.reloaded >= 0

    def _copy(self, asked: Asked, known: Asked, where: str) -> None:
        first = f"outputs[{known.place[0]}][{known.place[1]}]"
        if asked.data != known.data:
            raise BrokenIdentity("a branch of two requests", f"{where}.data == {first}.data")
        if asked.branch not in self.flying:
            raise SentTooMuch("a copy of a request that is over", f"{where}.data != {first}.data")
        if self.streams[asked.flow]:
            raise SentTooMuch("a copy on a stream", f"{where}.data != {first}.data")
        self.copies[asked.branch] += 1
        if self.copies[asked.branch] > COPIES:
            raise SentTooMuch(
                f"{self.copies[asked.branch]} copies of a request",
                f"sum(getattr(item, 'data', b'') == {first}.data for call in outputs for item in call) <= {COPIES}",
            )

    def stop(self, call_id: str) -> None:
        """A registration has stopped: no more of it."""
        if call_id in self.identities:
            self.identities[call_id].stopped = True
        for branch in [item for item in self.flying if self.branches[item].call_id == call_id]:
            del self.flying[branch]
