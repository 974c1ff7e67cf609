"""A user agent, and everything that can happen to it, one rule each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sipcore import Account, Protocol, Record
from tests.stateful.bench import ACCOUNTS, HOST, Bench, accept
from tests.stateful.traffic import Delivered
from tests.stateful.wire import SPOOFS, Asked, answer, fitting, inbound_request

__all__ = ["UserAgentMachine"]

Item = TypeVar("Item")

PLACES = st.integers(0, 5)
"""Which of several; past the end it begins again."""
NAMES = st.sampled_from(sorted(ACCOUNTS))
STEPS = st.sampled_from([0.001, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 31.5, 32.0, 60.0])
LEAPS = st.sampled_from([300.0, 1800.0, 3590.0, 3600.0, 86400.0, 30 * 86400.0])
GRANTS = st.sampled_from([3600, 60, 1, 0, 30, 7200, 2**32 - 1])
CODES = st.one_of(
    st.sampled_from([300, 302, 400, 401, 403, 404, 407, 408, 421, 423, 429, 480, 486, 494, 500, 503, 504, 600, 603]),
    st.integers(300, 699),
)
LINES = st.sampled_from(
    [
        "",
        "Retry-After: 5",
        "Retry-After: 4294967295",
        "Retry-After: x (y",
        "Min-Expires: 90",
        "Min-Expires: 4294967295",
        "Contact: <sip:192.0.2.2>",
        "Contact: <sip:other.example.com>;q=0.5",
        "Contact: *",
    ]
)
"""What may stand in a refusal."""
CUTS = st.sampled_from([0, 0, 0, 1, 20, 200])
SELECTIONS = st.fixed_dictionaries(
    {}, optional={name: st.integers(0, len(variants) - 1) for name, variants in ACCOUNTS.items()}
)
"""Accounts for a reload: which variant of each name."""


def pick(items: Sequence[Item], place: int) -> Item:
    """One of them."""
    return items[place % len(items)]


def choose(selection: dict[str, int]) -> list[Account]:
    """The accounts; of the two that are one address of record only the first."""
    names = [name for name in selection if name != "dave" or "alice" not in selection]
    return [ACCOUNTS[name][selection[name]] for name in sorted(names)]


class UserAgentMachine(RuleBasedStateMachine):
    """See the module's text. All laws are looked at after each call; they are in `laws`."""

    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.nonces = 0
        self.last_nonce: dict[str, str] = {}

    @initialize(seed=st.integers(0, 3), selection=SELECTIONS, settled=st.booleans())
    def begin(self, seed: int, selection: dict[str, int], settled: bool) -> None:
        """An agent with some registrations, all wanted, perhaps all standing."""
        accounts = choose(selection) or [ACCOUNTS["alice"][0]]
        self.bench = Bench(accounts, seed=seed)
        for account in accounts:
            self.bench.call("register", account.name)
        if settled:
            self.bench.go_well(40)

    def teardown(self) -> None:
        if hasattr(self, "bench") and not self.bench.broken:
            self.bench.settle()

    def someone(self, place: int) -> Asked | None:
        """A request that waits for its answer, if there is one soon."""
        waiting = self.bench.until_asked()
        return pick(waiting, place) if waiting else None

    # --- all goes well ---------------------------------------------------------------------------------------------

    @rule(rounds=st.sampled_from([40, 1, 2, 5, 10]))
    def go_well(self, rounds: int) -> None:
        """Whatever was asked for is answered as it should be."""
        self.bench.go_well(rounds)

    # --- time ------------------------------------------------------------------------------------------------------

    @rule(seconds=STEPS)
    def wait(self, seconds: float) -> None:
        self.bench.pass_time(self.bench.now + seconds)

    @precondition(lambda self: self.bench.view.deadline is not None)
    @rule(times=st.integers(1, 4))
    def wait_for_the_deadline(self, times: int) -> None:
        for _ in range(times):
            if self.bench.view.deadline is not None:
                self.bench.pass_time(self.bench.view.deadline)

    @rule()
    def just_before_the_deadline(self) -> None:
        deadline = self.bench.view.deadline
        if deadline is not None and deadline - 0.001 > self.bench.now:
            self.bench.now = deadline - 0.001
            self.bench.call("handle_deadline", quiet=True)

    @rule(seconds=LEAPS)
    def leap(self, seconds: float) -> None:
        self.bench.pass_time(self.bench.now + seconds)

    @rule(seconds=st.one_of(STEPS, LEAPS))
    def the_timer_is_late(self, seconds: float) -> None:
        """What comes next comes before the driver's timer."""
        self.bench.now += seconds

    @rule(seconds=STEPS)
    def the_clock_stutters(self, seconds: float) -> None:
        """A reading that is older than the last one."""
        self.bench.call("handle_deadline")
        self.bench.call("handle_deadline", now=self.bench.now - seconds, quiet=True)

    # --- responses -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.bench.view.statuses)
    @rule(
        place=PLACES,
        grant=GRANTS,
        where=st.sampled_from(["ours", "header", "among others", "others only", "none", "star", "several"]),
        cut=CUTS,
    )
    def succeed(self, place: int, grant: int, where: str, cut: int) -> None:
        asked = self.someone(place)
        if asked is None:
            return
        lines, delivered = self._granting(asked, grant, where)
        self.bench.reply(delivered, answer(asked, 200, lines), cut=cut)

    def _granting(self, asked: Asked, grant: int, where: str) -> tuple[list[str], Delivered]:
        other = "Contact: <sip:other@203.0.113.9>;expires=7"
        if asked.removal:
            return ([other] if where == "others only" else []), Delivered(asked, 200)
        profile = self._profile(asked)
        if profile is None:
            return [f"Contact: {asked.contact};expires={grant}"], Delivered(asked, 200, most=2.0**32)
        within = float(grant if profile == "ASTERISK" else min(grant, asked.expires))
        if where in ("ours", "header", "among others", "several"):
            lines = [f"Contact: {asked.contact};expires={grant}"]
            if where == "header":
                lines = [f"Contact: {asked.contact}", f"Expires: {grant}"]
            elif where == "among others":
                lines = [f"{other}, {lines[0][9:]}"]
            elif where == "several":
                lines = [other, *lines, "Contact: <sip:third@203.0.113.10>"]
            if grant:
                return lines, Delivered(asked, 200, most=within, exact=within, listed=True)
            # Asterisk believes no grant of 0 when the request asked for more.
            return lines, Delivered(asked, 200, most=float(asked.expires) if profile == "ASTERISK" else 0.0)
        if where == "others only":
            # What is assumed is the lifetime of the one that is listed, or what was asked for.
            return [other], Delivered(asked, 200, most=0.0 if profile == "SIPCORE" else 7.0)
        lines = ["Contact: *"] if where == "star" else []
        return lines, Delivered(asked, 200, most=float(asked.expires), exact=float(asked.expires))

    def _profile(self, asked: Asked) -> str | None:
        """The profile under which the answer is read; None when a reload may have changed it since."""
        model = self.bench.model
        for name, call_id in model.names.items():
            if call_id == asked.call_id and model.reloaded < asked.place[0]:
                return model.accounts[name].profile.name
        return None

    @precondition(lambda self: self.bench.view.statuses)
    @rule(
        place=PLACES,
        code=st.sampled_from([401, 407]),
        kind=st.sampled_from(["new", "stale", "same", "no qop", "unknown algorithm", "broken", "two realms"]),
        cut=CUTS,
    )
    def challenge(self, place: int, code: int, kind: str, cut: int) -> None:
        asked = self.someone(place)
        if asked is None:
            return
        name = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
        self.nonces += kind != "same"
        nonce = f"nonce{self.nonces}"
        if kind == "same":
            nonce = self.last_nonce.get(asked.call_id, nonce)
        self.last_nonce[asked.call_id] = nonce
        value = f'Digest realm="example.com", nonce="{nonce}"'
        value += {"stale": ", stale=true", "unknown algorithm": ", algorithm=CRC32", "broken": '"'}.get(kind, "")
        value += ', qop="auth"' if kind not in ("no qop", "broken") else ""
        lines = [f"{name}: {value}"]
        if kind == "two realms":
            lines.append(f'Proxy-Authenticate: Digest realm="proxy", nonce="{nonce}p", qop="auth"')
        self.bench.reply(Delivered(asked, code), answer(asked, code, lines), cut=cut)

    @precondition(lambda self: self.bench.view.statuses)
    @rule(
        place=PLACES,
        code=CODES,
        line=LINES,
        cut=CUTS,
    )
    def refuse(self, place: int, code: int, line: str, cut: int) -> None:
        asked = self.someone(place)
        if asked is None:
            return
        self.bench.reply(Delivered(asked, code), answer(asked, code, [line] if line else []), cut=cut)

    @precondition(lambda self: self.bench.view.statuses)
    @rule(place=PLACES, code=st.integers(100, 199))
    def trying(self, place: int, code: int) -> None:
        asked = self.someone(place)
        if asked is None:
            return
        self.bench.reply(Delivered(asked, code), answer(asked, code))

    @precondition(lambda self: self.bench.view.statuses)
    @rule(place=PLACES, seed=st.integers(0, 7), number=st.integers(0, 1 << 24))
    def damaged(self, place: int, seed: int, number: int) -> None:
        """A mutant of some answer, which may or may not count as one."""
        asked = self.someone(place)
        if asked is None:
            return
        if self.bench.flows[asked.flow][0] is Protocol.TCP:
            self.bench.tainted.add(asked.flow)
        self.bench.reply(Delivered(asked, 999, sure=False), fitting(asked, seed, number))

    @precondition(lambda self: self.bench.view.statuses)
    @rule(
        place=PLACES,
        wrong=st.sampled_from(["source", "flow", *sorted(SPOOFS)]),
        code=st.sampled_from([200, 100, 401, 403, 503]),
    )
    def spoofed(self, place: int, wrong: str, code: int) -> None:
        """One identity is wrong, and nothing happens."""
        bench = self.bench
        asked = self.someone(place)
        if asked is None:
            return
        stream = bench.flows[asked.flow][0] is Protocol.TCP
        flow, source = asked.flow, asked.remote
        lines = accept(asked)[0] if code == 200 else []
        if wrong in SPOOFS:
            data = SPOOFS[wrong](asked, code, lines)
        else:
            data = answer(asked, code, lines)
            others = [other for other in sorted(bench.flows) if other != flow]
            if wrong == "flow" and others:
                flow = pick(others, place)
            elif stream:
                return
            else:
                source = ("198.51.100.9", 5060)
        if flow in bench.tainted or bench.tails.get(flow):
            return
        bench.receive(flow, data, source, None, quiet=True)

    @precondition(lambda self: self.bench.asked)
    @rule(place=PLACES, late=st.booleans())
    def again(self, place: int, late: bool) -> None:
        """A copy of a final response, or one that comes when nobody waits any more."""
        bench = self.bench
        over = [item for item in bench.asked if item.branch not in bench.model.flying and item.flow in bench.flows]
        if not over:
            return
        asked = pick(over, place)
        said = bench.said.get(asked.branch)
        data = said[0] if said and not late else answer(asked, 200, accept(asked)[0])
        if asked.flow in bench.tainted or bench.tails.get(asked.flow):
            return
        bench.receive(asked.flow, data, asked.remote, None, quiet=True)

    # --- resolver, flows, listeners ----------------------------------------------------------------------------------

    @precondition(lambda self: self.bench.resolving)
    @rule(place=PLACES, kind=st.sampled_from(["well", "empty", "failed", "nonsense", "short", "never"]))
    def resolve(self, place: int, kind: str) -> None:
        query = pick(self.bench.resolving, place)
        if kind == "well":
            self.bench.resolve(query)
            return
        self.bench.resolving.remove(query)
        if kind == "never":
            self.bench.ignored.append(query)
        elif kind == "failed":
            self.bench.call("resolve_failed", query.query, "NXDOMAIN")
        else:
            records = {"empty": [], "nonsense": [Record("example", -1.0), Record("0.0.0.0", float("nan"))]}
            self.bench.call("resolved", query.query, records.get(kind, [Record("192.0.2.2", 0.0)]))

    @rule(place=PLACES)
    def resolve_late(self, place: int) -> None:
        """An answer to a question that may be over, or that was never asked."""
        self.bench.call("resolved", 999, [Record("192.0.2.2", 60.0)], quiet=True)
        if self.bench.ignored:
            self.bench.call("resolved", pick(self.bench.ignored, place).query, [Record("192.0.2.2", 60.0)])

    @precondition(lambda self: self.bench.opening)
    @rule(place=PLACES, fails=st.booleans())
    def open_flow(self, place: int, fails: bool) -> None:
        wanted = pick(self.bench.opening, place)
        if fails:
            self.bench.forget(wanted.flow)
            self.bench.call("flow_closed", wanted.flow, "refused")
        else:
            self.bench.open(wanted)

    @precondition(lambda self: self.bench.flows)
    @rule(place=PLACES, error=st.sampled_from([None, "reset"]))
    def close_flow(self, place: int, error: str | None) -> None:
        flow = pick(sorted(self.bench.flows), place)
        self.bench.forget(flow)
        self.bench.call("flow_closed", flow, error)

    @rule(place=PLACES)
    def late_for_a_flow(self, place: int) -> None:
        """The driver tells of a flow that is over."""
        flow = pick(self.bench.dead_flows, place)
        if flow in self.bench.flows or any(wanted.flow == flow for wanted in self.bench.opening):
            return
        self.bench.call("flow_opened", flow, (HOST, 40999), None, quiet=True)
        self.bench.call("flow_closed", flow, "late", quiet=True)
        self.bench.call("receive", flow, b"SIP/2.0 200 OK\r\n\r\n", quiet=True)
        self.bench.call("transmit_failed", flow, ("192.0.2.1", 5060), "late", quiet=True)

    @precondition(lambda self: self.bench.asked)
    @rule(place=PLACES)
    def transmit_failed(self, place: int) -> None:
        asked = pick(self.bench.asked, place)
        if asked.flow in self.bench.flows and self.bench.flows[asked.flow][0] is Protocol.UDP:
            self.bench.call("transmit_failed", asked.flow, asked.remote, "unreachable")

    @precondition(lambda self: self.bench.listening)
    @rule(fails=st.booleans())
    def listen(self, fails: bool) -> None:
        wanted = self.bench.listening[0]
        if fails:
            self.bench.listening.remove(wanted)
            self.bench.call("listen_failed", wanted.listener, "in use")
        else:
            self.bench.listen(wanted)

    @rule(gone=st.booleans())
    def accept_flow(self, gone: bool) -> None:
        """A peer connects, perhaps to a listener that is gone."""
        known = sorted(self.bench.listeners)
        if known or gone:
            self.bench.peers += 1
            peer = ("203.0.113.5", 50000 + self.bench.peers)
            self.bench.call("flow_accepted", known[0] if known and not gone else 999, (HOST, 5062), peer)

    # --- the application ---------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(["alice", "bob", "carol"]), place=PLACES)
    def add(self, name: str, place: int) -> None:
        if name == "alice" and "dave" in self.bench.model.wanted:
            return
        self.bench.call("add", pick(ACCOUNTS[name], place))

    @rule(name=NAMES)
    def register(self, name: str) -> None:
        self.bench.call("register", name)

    @rule(name=NAMES, everything=st.booleans())
    def unregister(self, name: str, everything: bool) -> None:
        if everything:
            self.bench.call("unregister", name, all=True)
        else:
            self.bench.call("unregister", name)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.bench.call("remove", name)

    @rule(selection=SELECTIONS)
    def reload(self, selection: dict[str, int]) -> None:
        self.bench.call("reload", choose(selection))

    @rule()
    def network_changed(self) -> None:
        self.bench.call("network_changed")

    @rule(unregister=st.booleans(), sure=st.integers(0, 7))
    def close(self, unregister: bool, sure: int) -> None:
        # A run that has closed has little left to tell, so most go on.
        if sure == 7:
            self.bench.call("close", unregister=unregister)

    @rule(place=PLACES, far=st.booleans())
    def send_raw(self, place: int, far: bool) -> None:
        flow = pick([*sorted(self.bench.flows), 999], place)
        remote = ("192.0.2.1", 5060) if far else None
        self.bench.call("send_raw", flow, b"MESSAGE sip:a@b SIP/2.0\r\n\r\n", remote)

    # --- requests from outside ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.bench.flows)
    @rule(place=PLACES, method=st.sampled_from(["OPTIONS", "MESSAGE", "INVITE", "ACK", "BYE", "NONE"]))
    def inbound(self, place: int, method: str) -> None:
        bench = self.bench
        flow = pick(sorted(bench.flows), place)
        bench.peers += 1
        data = inbound_request(method, bench.peers, host="192.0.2.1", contact_user="alice")
        if not bench.tails.get(flow):
            bench.receive(flow, data, ("192.0.2.1", 5060), None, quiet=False)

    @precondition(lambda self: self.bench.flows)
    @rule(place=PLACES, data=st.sampled_from([b"\r\n\r\n", b"\r\n", b"\0", b"junk\r\n\r\n", b"", b"\x00\x01\x00\x00"]))
    def bytes_of_no_message(self, place: int, data: bytes) -> None:
        bench = self.bench
        flow = pick(sorted(bench.flows), place)
        if bench.flows[flow][0] is Protocol.TCP:
            bench.tainted.add(flow)
        bench.receive(flow, data, ("192.0.2.1", 5060), None, quiet=False)

    @precondition(lambda self: self.bench.inbound)
    @rule(place=PLACES, status=st.sampled_from([200, 100, 180, 486, 99]))
    def respond(self, place: int, status: int) -> None:
        self.bench.respond(place % len(self.bench.inbound), status)

    # --- another life ------------------------------------------------------------------------------------------------

    @rule(selection=SELECTIONS, keep=st.booleans(), register=st.booleans())
    def restart(self, selection: dict[str, int], keep: bool, register: bool) -> None:
        accounts = choose(selection)
        self.bench.restart(accounts, keep=keep)
        for account in accounts:
            if register:
                self.bench.call("register", account.name)
