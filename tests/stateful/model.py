"""The machine's small model: what is wanted, what is in flight, what may be claimed, what was told.

It knows the contract and the standard, not the core: it reads what leaves and is told what is fed, and compares. Names
are tied to Call-IDs by `snapshot()`, which says so in public.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sipcore import (
    Account,
    Cause,
    CloseFlow,
    MessageDropped,
    OpenFlow,
    Phase,
    Registered,
    Rejected,
    Resolve,
    State,
    Status,
    StatusChanged,
    Transmit,
    Unregistered,
    UserAgent,
)
from sipcore.commands import Command
from sipcore.events import Event
from tests.stateful.laws import (
    BrokenTimer,
    ClaimedTooMuch,
    Disturbed,
    NotSilent,
    Raised,
    Stuck,
    WrongTelling,
)
from tests.stateful.traffic import FOREVER, TIMEOUT, Delivered, Traffic
from tests.stateful.wire import read_request

__all__ = ["SLACK", "WALL", "Call", "Model", "View"]

Output = Command | Event

WALL = 1_700_000_000.0
"""The wall clock at 0."""

RESOLVING = 10.0
"""Seconds after which a question is given up."""
SLACK = 1e-3
"""Seconds lost when a time travels through a snapshot."""

REPLACED = " (replaced)"


class View(NamedTuple):
    """All that can be seen of an agent."""

    statuses: tuple[Status, ...]
    deadline: float | None
    closed: bool


class Call(NamedTuple):
    """One call of the agent's interface."""

    number: int
    """Which list of outputs is its."""
    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    now: float
    delivered: Delivered | None = None
    quiet: bool = False
    """It must change nothing."""
    refused: bool = False
    """It raised LocalProtocolError."""


@dataclass
class Model(Traffic):
    """Everything the laws need to remember; see the module's text."""

    wanted: dict[str, str] = field(default_factory=dict)
    """up, down or gone, by name."""
    told: dict[str, tuple[State, Cause | None, float | None]] = field(default_factory=dict)
    silent: bool = False
    _stopped: list[str] = field(default_factory=list)

    # --- what is about to happen -----------------------------------------------------------------------------------

    def refuses(self, call: Call) -> bool | None:
        """Whether the call must raise; None when the model does not know."""
        if call.method == "add":
            name = call.arguments[0].name
            return self.closing or self.wanted.get(name, "gone") != "gone"
        if call.method in ("register", "unregister", "remove"):
            return self.wanted.get(call.arguments[0], "gone") == "gone"
        if call.method == "reload":
            return self.closing
        return None

    def _before(self, call: Call) -> None:
        """What the call itself ends."""
        delivered = call.delivered
        if call.method in _ANSWERS:
            self.pending.pop((_ANSWERS[call.method], call.arguments[0]), None)
        if call.method == "handle_deadline":
            for branch in [item for item in self.flying if self.branches[item].at + TIMEOUT <= call.now]:
                del self.flying[branch]
            for key in [item for item, until in self.pending.items() if until <= call.now]:
                del self.pending[key]
        elif call.method == "flow_closed":
            self.flow_ended(call.arguments[0])
        elif call.method == "transmit_failed":
            for branch in list(self.flying):
                if (self.branches[branch].flow, self.branches[branch].remote) == call.arguments[:2]:
                    del self.flying[branch]
        elif call.method == "close" and call.options.get("unregister") is False:
            self.flying.clear()
            self.bindings.clear()
        elif delivered is not None and delivered.code >= 200 and delivered.asked.branch in self.flying:
            if delivered.sure and self.flying[delivered.asked.branch]:
                del self.flying[delivered.asked.branch]
                self.answered(delivered, call.number)
            else:
                self.flying[delivered.asked.branch] = False
                identity = self.identities[delivered.asked.call_id]
                if not delivered.asked.removal:
                    identity.until = delivered.asked.at + FOREVER
        if not call.refused:
            self._wish(call)

    def _wish(self, call: Call) -> None:
        method, arguments = call.method, call.arguments
        if method == "add":
            self.accounts[arguments[0].name] = arguments[0]
            self.wanted[arguments[0].name] = "down"
        elif method in ("register", "unregister", "remove"):
            self.wanted[arguments[0]] = {"register": "up", "unregister": "down", "remove": "gone"}[method]
        elif method == "close":
            self.closing = True
            self.wanted = dict.fromkeys(self.wanted, "gone")

    def restarted(self, accounts: Sequence[Account], snapshot: Mapping[str, Mapping[str, object]]) -> None:
        """Another agent goes on from what the last one left, which may be nothing."""
        whose = {account.name: (account.aor, account.registrar) for account in accounts}
        kept = {
            str(record["contact"]).partition("<")[2].partition(">")[0].partition(";line=")[0]
            for name, record in snapshot.items()
            if whose.get(name) == (record["aor"], record["registrar"])
        }
        for held in self.bindings.values():
            for uri in [item for item in held if item not in kept]:
                del held[uri]
        known = {str(record["call_id"]) for record in snapshot.values()}
        for call_id, identity in self.identities.items():
            identity.over, identity.started, identity.removing = True, float("-inf"), False
            identity.stopped = identity.stopped or call_id not in known
        for table in (self.names, self.told, self.replaced, self.flying, self.counts, self.streams, self.pending):
            table.clear()
        self.accounts = {account.name: account for account in accounts}
        self.wanted = dict.fromkeys(self.accounts, "down")
        self.closing = self.silent = False

    # --- what happened ---------------------------------------------------------------------------------------------

    def judge(self, call: Call, before: View, outputs: Sequence[Output], after: View, agent: UserAgent) -> None:
        """Hold one call and all it brought against the laws. Raises a `Violation`."""
        place = f"outputs[{call.number}]"
        if call.refused and call.method == "respond":
            # A request whose flow is lost is forgotten when its answer is refused, and its timer with it.
            before = before._replace(deadline=after.deadline)
        if call.refused and (outputs or before != after):
            raise Raised(f"{call.method} was refused, and changed something", f"not {place} and {_same(before)}")
        expected = self.refuses(call)
        if expected is not None and expected != call.refused:
            wrong = f"{call.method} of {call.arguments[0]} was {'' if call.refused else 'not '}refused"
            raise Raised(wrong, "False")
        if call.quiet:
            disturbing = [item for item in outputs if type(item).__name__ not in ("MessageDropped", "InboundResponse")]
            law = BrokenTimer if call.method == "handle_deadline" else Disturbed
            if disturbing or before != after:
                raise law(
                    f"{call.method} changed something: {disturbing or _difference(before, after)}",
                    f"all(type(item).__name__ in ('MessageDropped', 'InboundResponse') for item in {place})"
                    f" and {_same(before)}",
                )
        if call.method == "handle_deadline" and after.deadline is not None and after.deadline <= call.now:
            raise BrokenTimer(
                f"the deadline {after.deadline} is not later than {call.now}",
                f"agent.next_deadline() is None or agent.next_deadline() > {call.now!r}",
            )
        waiting = call.delivered is not None and call.delivered.asked.branch in self.flying
        self._before(call)
        self._stopped = []
        for index, output in enumerate(outputs):
            self._output(call, output, (call.number, index), waiting)
        self._order(call, outputs)
        self._names(call, after, agent)
        self._claims(call, after, outputs, waiting)
        self._phases(call, after)
        self.silent = self.silent or after.closed

    def _output(self, call: Call, output: Output, place: tuple[int, int], waiting: bool) -> None:
        where = f"outputs[{place[0]}][{place[1]}]"
        if self.silent and not isinstance(output, MessageDropped | CloseFlow):
            allowed = f"type({where}).__name__ in ('MessageDropped', 'CloseFlow')"
            raise NotSilent(f"a closed agent put out {output}", allowed)
        if isinstance(output, OpenFlow):
            self.streams[output.flow] = output.protocol.reliable
            self.pending["flow", output.flow] = call.now + TIMEOUT
        elif isinstance(output, Resolve):
            self.pending["query", output.query] = call.now + RESOLVING
        elif isinstance(output, CloseFlow):
            self.pending.pop(("flow", output.flow), None)
            self.flow_ended(output.flow)
        elif isinstance(output, Transmit):
            if output.flow not in self.streams:
                raise NotSilent(f"sent on flow {output.flow}, which is closed", f"{where}.flow != {output.flow}")
            remote = output.remote or ("", 0)
            asked = read_request(output.data, output.flow, remote, call.now, place)
            if asked is not None:
                self.request(asked, where)
        elif isinstance(output, Registered):
            self._registered(call, output, where, waiting)
            self.attempt_over(output.name)
        elif isinstance(output, Rejected):
            self.attempt_over(output.name)
            if output.removal:
                # The cause says that the binding may stand; nobody is promised that it is tried again.
                for call_id in (self.names.get(output.name), *(item[0] for item in self.replaced.get(output.name, []))):
                    if call_id in self.identities:
                        self.bindings.pop(self.identities[call_id].to, None)
        elif isinstance(output, Unregistered):
            if call.delivered is not None and call.delivered.asked.removal:
                self.attempt_over(output.name)
        elif isinstance(output, StatusChanged):
            self._status_changed(output, where)

    # --- what is told ----------------------------------------------------------------------------------------------

    def _registered(self, call: Call, output: Registered, where: str, waiting: bool) -> None:
        delivered = call.delivered
        if delivered is None or not waiting or delivered.asked.removal or (delivered.sure and not delivered.most):
            raise ClaimedTooMuch(f"{output.name} is Registered, by no answer", f"{where}.name != {output.name!r}")
        if delivered.sure and output.expires > delivered.most:
            raise ClaimedTooMuch(
                f"{output.name} is Registered for {output.expires} s, of {delivered.most}",
                f"{where}.expires <= {delivered.most!r}",
            )

    def _status_changed(self, output: StatusChanged, where: str) -> None:
        name, status = output.name, output.status
        told = (status.state, status.cause, status.expires_at)
        if name.endswith(REPLACED):
            former = self.replaced.get(name, [])
            fitting = [item for item in former if item[1] is output.previous]
            if not fitting:
                raise WrongTelling(f"{name} was never {output.previous}", f"{where}.previous != {output.previous!r}")
            former.remove(fitting[0])
            if status.state is not State.STOPPED:
                former.append((fitting[0][0], status.state))
            elif not former and len(fitting) == 1:
                self.stop(fitting[0][0])
            return
        if name in self.told and self.told[name][0] is not output.previous:
            raise WrongTelling(
                f"{name} was {self.told[name][0]}, not {output.previous}",
                f"{where}.previous == {self.told[name][0].value!r}",
            )
        self.told[name] = told
        if status.state is State.STOPPED:
            del self.told[name]
            self._stopped.append(name)

    def _order(self, call: Call, outputs: Sequence[Output]) -> None:
        """A reason comes before the status that it leads to, and each is followed by one."""
        reasons: dict[str, list[Output]] = {}
        for index, output in enumerate(outputs):
            where = f"outputs[{call.number}][{index}]"
            if isinstance(output, Registered | Rejected | Unregistered):
                reasons.setdefault(output.name, []).append(output)
            elif isinstance(output, StatusChanged):
                given = reasons.pop(output.name, [])
                reason = _REASONS.get(output.status.state)
                changed = output.status.state is not output.previous and reason is not None
                if changed and not any(isinstance(item, reason or ()) for item in given):
                    raise WrongTelling(
                        f"{output.name} became {output.status.state} without a reason",
                        f"{where}.status.state == {where}.previous",
                    )
        for name in reasons:
            raise WrongTelling(
                f"no StatusChanged of {name} came after {reasons[name]}",
                f"any(type(item).__name__ == 'StatusChanged' and item.name == {name!r}"
                f" for item in outputs[{call.number}])",
            )

    def _names(self, call: Call, after: View, agent: UserAgent) -> None:
        """What the statuses say is what was told, and who is called what."""
        new = {
            name: str(record["call_id"])
            for name, record in agent.snapshot(now=call.now, wall=WALL + call.now).items()
            if name in agent.names()  # and not what was replaced and is still being removed
        }
        for name in self._stopped:
            call_id = self.names.get(name)
            if call_id is not None and call_id not in new.values():
                self.stop(call_id)
        statuses = {status.name: status for status in after.statuses}
        if call.method in ("reload", "add"):
            self.reloaded = call.number
        if call.method == "reload" and not call.refused:
            self._reloaded(call.arguments[0], new)
        for name in [item for item in self.told if item not in statuses]:
            raise WrongTelling(f"{name} is gone, and Stopped was not told", f"{name!r} in agent.names()")
        for name, status in statuses.items():
            seen = (status.state, status.cause, status.expires_at)
            if name not in self.told or (call.method in ("reload", "add") and self.names.get(name) != new[name]):
                if name in self.told:
                    self.replaced.setdefault(name + REPLACED, []).append((self.names[name], self.told[name][0]))
                self.told[name] = seen
            if self.told[name] != seen:
                raise WrongTelling(
                    f"{name} is {seen}, and the last that was told is {self.told[name]}",
                    f"known(agent.status({name!r})) == told({name!r})",
                )
        self.names = new
        for name in [item for item in self.wanted if item not in statuses]:
            del self.wanted[name]
            self.accounts.pop(name, None)

    def _reloaded(self, accounts: Sequence[Account], new: dict[str, str]) -> None:
        wishes = {self.names[name]: wish for name, wish in self.wanted.items() if name in self.names and wish != "gone"}
        chosen = {account.name: account for account in accounts}
        # One that was un-registered on request stays so, also with another identity under the same name.
        otherwise = {name: "down" if self.wanted.get(name) == "down" else "up" for name in new}
        self.wanted = {name: wishes.get(new[name], otherwise[name]) if name in chosen else "gone" for name in new}
        self.accounts = {**{name: self.accounts[name] for name in new if name in self.accounts}, **chosen}

    # --- what is true ----------------------------------------------------------------------------------------------

    def _claims(self, call: Call, after: View, outputs: Sequence[Output], waiting: bool) -> None:
        overdue = after.deadline is not None and after.deadline <= call.now
        for status in after.statuses:
            if status.state is not State.REGISTERED or overdue:
                continue
            identity = self.identities.get(self.names[status.name])
            until = identity.until if identity is not None else None
            claim = f"agent.status({status.name!r})"
            if until is None:
                raise ClaimedTooMuch(f"{status.name} is Registered, by no answer", f"not {claim}.registered")
            if status.expires_at is None or status.expires_at <= call.now:
                raise ClaimedTooMuch(f"{status.name} is Registered past its time", f"not {claim}.registered")
            if status.expires_at > until + SLACK:
                raise ClaimedTooMuch(
                    f"{status.name} is Registered until {status.expires_at}, and was granted until {until}",
                    f"{claim}.expires_at <= {until!r}",
                )
        delivered = call.delivered
        if delivered is not None and delivered.exact is not None and waiting and delivered.sure:
            told = [item.expires for item in outputs if isinstance(item, Registered)]
            if told != [delivered.exact] and not self.identities[delivered.asked.call_id].stopped:
                raise WrongTelling(
                    f"a 2xx granted {delivered.exact}, and Registered was told for {told}",
                    f"[item.expires for item in outputs[{call.number}] if isinstance(item, Registered)]"
                    f" == [{delivered.exact!r}]",
                )

    def _phases(self, call: Call, after: View) -> None:
        deadline, now = after.deadline, call.now
        soon = float("inf") if deadline is None else deadline
        for status in after.statuses:
            name, phase = status.name, status.phase
            account = self.accounts[name]
            latest: float | None = None
            if phase is Phase.WAITING:
                latest = max(status.next_attempt_at or now, now)
                if status.next_attempt_at is None:
                    raise Stuck(f"{name} waits for nothing", f"agent.status({name!r}).next_attempt_at is not None")
            elif phase is not Phase.IDLE:
                latest = now + TIMEOUT
                flying = any(self.branches[branch].call_id == self.names[name] for branch in self.flying)
                if not flying and not self.pending:
                    resting = f"agent.status({name!r}).phase != {phase.value!r}"
                    raise Stuck(f"{name} is {phase}, with nothing under way", resting)
            if status.expires_at is not None:
                latest = min(status.expires_at, float("inf") if latest is None else latest)
            if latest is not None and soon > latest + 1e-9:
                raise Stuck(
                    f"{name} is {status.state}, {phase}, and the next deadline is {deadline}",
                    f"(agent.next_deadline() or 1e99) <= {latest!r} + 1e-9",
                )
            if phase is Phase.IDLE and self.wanted.get(name) == "up":
                never = account.profile.name == "SIPCORE" and account.max_retries is None
                if never or status.cause is None:
                    raise Stuck(
                        f"{name} is wanted and rests: {status.cause}", f"agent.status({name!r}).phase != 'idle'"
                    )


_ANSWERS = {"resolved": "query", "resolve_failed": "query", "flow_opened": "flow", "flow_closed": "flow"}

_REASONS: dict[State, type[Output]] = {
    State.REGISTERED: Registered,
    State.REJECTED: Rejected,
}


def _same(view: View) -> str:
    texts = [repr(status) for status in view.statuses]
    return f"[repr(item) for item in agent.statuses()] == {texts!r} and agent.next_deadline() == {view.deadline!r}"


def _difference(before: View, after: View) -> str:
    if before.statuses != after.statuses:
        return f"{before.statuses} became {after.statuses}"
    return f"the deadline {before.deadline} became {after.deadline}, closed {before.closed} {after.closed}"


