"""Each rule of the registrar model, as the core's own agent meets it, or as a hand-written request does."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from sipcore.agent import UserAgent
from sipcore.events import Rejected
from sipcore.testing import Datagram, Station, World
from sipcore.testing.sim.registrar import Handled, Rules, SimRegistrar
from sipcore.testing.sim.registrar_messages import DAMAGES
from sipcore.values import State
from tests.accounts import TCP, account
from tests.secrecy import PASSWORD
from tests.testing.sim_registrar_client import CLIENT, CONTACT, SERVER, Caller


class Agent:
    """The core's agent with one account against a registrar model."""

    def __init__(self, rules: Rules | None = None, *, seed: int = 1, **options: Any) -> None:
        self.world = World()
        self.world.name("example.com", SERVER[0])
        self.registrar = SimRegistrar(self.world, SERVER, {"alice": PASSWORD}, seed=1, rules=rules)
        self.rules = self.registrar.rules
        self.told: list[Handled] = []
        self.registrar.journal = self.told.append
        self.agent = UserAgent([account(**options)], random=Random(seed), now=0.0)
        self.station = Station(self.world, self.agent)

    def register(self, until: float = 0.5) -> State:
        self.agent.register("alice", now=self.world.now)
        return self.run(until)

    def run(self, until: float) -> State:
        self.world.run(until)
        return self.state

    @property
    def state(self) -> State:
        return self.agent.status("alice").state

    @property
    def statuses(self) -> list[int]:
        return [item.status for item in self.told]

    def events(self, kind: type) -> list[Any]:
        return [item.output for item in self.station.outputs if isinstance(item.output, kind)]


def agree(agent: Agent) -> None:
    """Both ends know one binding and when it ends."""
    status = agent.agent.status("alice")
    (held,) = [held for held in agent.registrar.bindings("alice") if held.own]
    assert status.state is State.REGISTERED
    assert status.expires_at is not None
    assert abs(status.expires_at - held.expires_at) <= 2.0
    assert agent.registrar.faults == []


@pytest.mark.parametrize("options", [{}, {"transport": TCP}, {"line": True, "supported": ("path", "outbound")}])
@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"auth": False},
        {"algorithms": ("SHA-256", "MD5")},
        {"algorithms": ("SHA-512-256",)},
        {"algorithms": ("MD5-sess",)},
        {"qop": None},
        {"opaque": "0123"},
        {"proxy_auth": True},
        {"further_challenges": ('Basic realm="x"', 'NTLM realm="y"')},
        {"nextnonce": True, "nonce_once": True},
        {"nextnonce": True, "algorithms": ("MD5-sess",)},
        {"nextnonce": True, "algorithms": ("MD5-sess",), "nonce_lifetime": 5.0},
        {"rspauth": "right"},
        {"nonce_once": True},
        {"nonce_lifetime": 10.0},
        {"nonce_lifetime": 10.0, "stale": False},
        {"min_expires": 4000},
        {"max_expires": 300},
        {"grant_factor": 0.5},
        {"grant_spread": 0.5},
        {"clock": 1.0005},
        {"contact_form": "case"},
        {"contact_form": "parameters"},
        {"contact_form": "uri parameters"},
        {"contact_form": "display name"},
        {"contact_form": "order"},
        {"others": 63},
        {"expires_header": True},
        {"list_contacts": False},
        {"service_route": ("<sip:proxy.example.com;lr>",), "path": ("<sip:edge.example.com;lr>",)},
        {"associated": ("<sip:alice@example.com>", "<tel:+1>"), "outbound": True, "flow_timer": 120},
        {"headers": ("Server: model", "Date: Sat, 13 Nov 2010 23:29:00 GMT")},
        {"provisional": (100,)},
        {"delay": 0.2, "delay_spread": 0.2},
        {"copies": 3},
        {"split": True},
        {"compact": True},
        {"folded": True},
        {"odd_case": True},
        {"compact": True, "folded": True, "odd_case": True, "contact_form": "parameters"},
        {"from_port": 5099},
        {"auth": False, "close_after_answer": True},
        {"idle_close": 100.0},
    ],
    ids=str,
)
def test_the_agent_registers_whatever_is_peculiar(rules: dict[str, Any], options: dict[str, Any]) -> None:
    agent = Agent(Rules(**rules), **options)
    assert agent.register(until=5.0) is State.REGISTERED
    agree(agent)
    agent.run(20_000.0)
    agree(agent)


def test_the_agent_removes_its_binding() -> None:
    agent = Agent()
    agent.register()
    agent.agent.unregister("alice", now=agent.world.now)
    agent.run(2.0)
    assert agent.registrar.bindings("alice") == []
    assert agent.told[-1].granted == 0
    assert agent.registrar.faults == []


@pytest.mark.parametrize("after_auth", [False, True])
@pytest.mark.parametrize(("status", "retry_after"), [(403, None), (404, None), (500, None), (503, 20), (603, 7)])
def test_a_forced_status(status: int, retry_after: int | None, after_auth: bool) -> None:
    agent = Agent(Rules(status=status, retry_after=retry_after, reason="So There", status_after_auth=after_auth))
    agent.register()
    assert agent.statuses == ([401, status] if after_auth else [status])
    (rejected,) = agent.events(Rejected)
    assert rejected.status == status
    if retry_after is not None:
        assert rejected.retry_at is not None
        assert rejected.retry_at >= retry_after
    agent.rules.status = None
    agent.run(90_000.0)
    agree(agent)


def test_a_redirect_leads_elsewhere() -> None:
    agent = Agent(Rules(status=302, redirect="<sip:192.0.2.9>"), redirects=1)
    # Nobody that a redirect names gets to hear about passwords.
    other = SimRegistrar(agent.world, ("192.0.2.9", 5060), {}, seed=3, rules=Rules(auth=False))
    agent.register()
    assert agent.state is State.REGISTERED
    assert len(other.bindings("alice")) == 1


def test_an_overload_hits_some() -> None:
    caller = Caller(Rules(auth=False, overload=0.5, retry_after=9))
    answers = [caller.ask() for _ in range(200)]
    assert 60 < sum(answer.status == 503 for answer in answers) < 140
    assert all(answer.all("retry-after") == (["9"] if answer.status == 503 else []) for answer in answers)
    assert set(caller.registrar.counters.by_status) == {200, 503}


def test_silence() -> None:
    agent = Agent(Rules(silent=True))
    assert agent.register(40.0) is not State.REGISTERED
    assert agent.told == []
    agent.rules.silent = False
    agent.run(4000.0)
    agree(agent)
    caller = Caller(Rules(silent=True))
    caller.connect()
    assert caller.send(b"\r\n\r\n" + caller.request()) == []
    assert caller.pongs == 0


def test_a_late_answer_is_made_at_once_and_comes_when_nobody_waits() -> None:
    agent = Agent(Rules(auth=False, delay=40.0))
    agent.register(39.0)
    assert agent.statuses[0] == 200
    assert len(agent.registrar.bindings("alice")) == 1
    assert agent.state is not State.REGISTERED
    caller = Caller(Rules(auth=False, delay=3.0, delay_spread=2.0))
    times = []
    for _ in range(20):
        start = caller.world.now
        caller.send(caller.request())
        times += [answer.at - start for answer in caller.later(6.0)]
    assert len(times) == 20
    assert 3.0 <= min(times) < 3.6
    assert 4.4 < max(times) <= 5.0


def test_provisional_answers_come_first() -> None:
    caller = Caller(Rules(auth=False, provisional=(100, 199), delay=1.0))
    answers = caller.send(caller.request())
    assert [(answer.status, ";tag=" in answer.one("to")) for answer in answers] == [(100, False), (199, True)]
    assert [answer.status for answer in caller.later(1.0)] == [200]


def test_copies_of_the_answer() -> None:
    caller = Caller(Rules(auth=False, copies=2))
    answers = caller.send(caller.request())
    assert len(answers) == 3
    assert len({answer.lines for answer in answers}) == 1


def test_answers_from_another_port() -> None:
    caller = Caller(Rules(auth=False, from_port=5099))
    assert caller.ask().source == (SERVER[0], 5099)


def test_two_segments() -> None:
    caller = Caller(Rules(auth=False, split=True))
    caller.connect()
    assert caller.ask().status == 200
    assert len(caller.pieces) == 2


def raw(**rules: Any) -> bytes:
    """The bytes of a 200."""
    got: list[Datagram] = []
    caller = Caller(Rules(auth=False, **rules))
    caller.world.nodes[CLIENT] = type("Node", (), {"on_datagram": lambda self, datagram: got.append(datagram)})()
    caller.world.send(caller.request(), CLIENT, SERVER)
    caller.world.run(0.0)
    return got[0].data


def test_other_forms_of_the_same() -> None:
    assert b"\r\nv:SIP/2.0/UDP" in raw(compact=True)
    assert b"\r\nm:<sip:" in raw(compact=True)
    assert b"\r\ncALL-id: call" in raw(odd_case=True)
    assert b"\r\nVia: SIP/2.0/UDP 192.0.2.10:5062\r\n ;rport=5062;" in raw(folded=True)


def test_noise_has_no_other_case() -> None:
    assert raw(odd_case=True, damage=1.0, damages=("a line of noise",)).count(b"\xff") == 1


@pytest.mark.parametrize("name", DAMAGES)
def test_damages_are_damage(name: str) -> None:
    damaged = raw(damage=1.0, damages=(name,))
    if "challenge" not in name:
        assert damaged != raw()
    agent = Agent(Rules(damage=1.0, damages=(name,)))
    agent.register(300.0)
    agent.rules.damage = 0.0
    agent.run(90_000.0)
    agree(agent)


def test_damage_comes_with_its_probability() -> None:
    caller = Caller(Rules(auth=False, damage=0.3, damages=("no To tag",)))
    answers = [caller.ask() for _ in range(300)]
    assert 60 < sum(";gat=" in answer.one("to") for answer in answers) < 120


def test_the_forms_of_a_contact() -> None:
    def contact(form: Any) -> str:
        caller = Caller(Rules(auth=False, contact_form=form))
        return caller.ask("<sip:alice@h.example;x=1;y=2>").one("contact")

    assert contact("case") == "<SIP:alice@H.EXAMPLE;x=1;y=2>;EXPIRES=3600"
    assert contact("parameters") == '<sip:alice@h.example;x=1;y=2>;expires=3600;x-seen="a, b;c>";x-new'
    assert contact("uri parameters") == "<sip:alice@h.example;x=1;y=2;x-seen=1>;expires=3600"
    assert contact("order") == "<sip:alice@h.example;y=2;x=1>;expires=3600"
    assert contact("display name").startswith('"Office, \\"main\\" <1>" <sip:alice@h.example')


def test_what_else_a_200_says() -> None:
    rules = Rules(
        auth=False, service_route=("<sip:a;lr>",), path=("<sip:b;lr>",), associated=("<tel:+1>",), outbound=True,
        flow_timer=60, expires_header=True, headers=("Server: model",), others=2,
    )  # fmt: skip
    caller = Caller(rules)
    answer = caller.ask(lines=["Supported: path, outbound", "Path: <sip:c;lr>"])
    assert answer.all("contact") == [
        "<sip:alice@198.51.100.1:5062>;expires=1801", "<sip:alice@198.51.100.2:5062>;expires=1802", CONTACT,
    ]  # fmt: skip
    assert answer.one("expires") == "3600"
    assert answer.one("service-route") == "<sip:a;lr>"
    assert answer.all("path") == ["<sip:b;lr>", "<sip:c;lr>"]
    assert answer.one("p-associated-uri") == "<tel:+1>"
    assert (answer.one("require"), answer.one("flow-timer"), answer.one("server")) == ("outbound", "60", "model")
    plain = caller.ask()
    assert plain.all("path") == plain.all("require") == plain.all("flow-timer") == []
    # Another client that comes back at once is no reason to say that a removal of all has failed.
    assert caller.ask("*", 0).all("contact") == []
    caller.rules.list_contacts = False
    assert caller.ask().all("contact") == []
    assert len(caller.contacts) == 1


def test_one_binding_for_each_flow_of_an_instance() -> None:
    caller = Caller(Rules(auth=False, outbound=True))
    flow = ';+sip.instance="<urn:uuid:1>";reg-id={}'
    for address, number in (("<sip:a@192.0.2.1>", 1), ("<sip:a@192.0.2.2>", 1), ("<sip:a@192.0.2.3>", 2)):
        caller.ask(address + flow.format(number), lines=["Supported: outbound"])
    assert caller.contacts == ["sip:a@192.0.2.2", "sip:a@192.0.2.3"]


def test_grants_are_shorter() -> None:
    caller = Caller(Rules(auth=False, grant_factor=0.5))
    assert caller.ask(expires=1001).one("contact").endswith("=500")
    caller.rules.grant_spread = 0.5
    granted = [int(caller.ask(expires=1000).one("contact").rpartition("=")[2]) for _ in range(50)]
    assert 250 <= min(granted) < 300 < 450 < max(granted) <= 500
    assert caller.ask(expires=0).status == 200
    assert caller.contacts == []


# --- connections ------------------------------------------------------------------------------------------------------


def test_connections_are_refused_or_ignored() -> None:
    caller = Caller(Rules(refuses_connections=True))
    caller.connect()
    assert (caller.stream, caller.refused) == (None, ["connection refused"])
    assert caller.registrar.connections == []
    caller.rules.refuses_connections, caller.rules.ignores_connections = False, True
    caller.connect()
    caller.later(100)
    assert (caller.stream, caller.refused) == (None, ["connection refused"])
    caller.rules.ignores_connections = False
    caller.connect()
    assert caller.stream is not None
    assert len(caller.registrar.connections) == 1


def test_half_open_connections_hear_nothing() -> None:
    caller = Caller(Rules(half_open=True))
    caller.connect()
    assert caller.send(caller.request()) == []
    assert caller.later(100) == []
    assert caller.told == []


def test_idle_connections_are_closed() -> None:
    caller = Caller(Rules(auth=False, idle_close=100.0))
    caller.connect()
    caller.later(60)
    caller.send(b"\r\n\r\n")
    caller.later(99)
    assert caller.ended == []
    caller.later(1)
    assert caller.ended == [None]
    assert caller.registrar.connections == []


def test_a_connection_is_closed_after_each_answer() -> None:
    caller = Caller(Rules(auth=False, close_after_answer=True))
    caller.connect()
    assert caller.ask().status == 200
    assert caller.ended == [None]


def test_the_agent_gets_through_where_connections_are_closed_after_each_answer() -> None:
    agent = Agent(Rules(close_after_answer=True), transport=TCP)
    agent.register(20_000.0)
    agree(agent)


def test_a_connection_that_is_gone_takes_no_answer() -> None:
    caller = Caller(Rules(auth=False, delay=1.0))
    caller.connect()
    caller.send(caller.request())
    assert caller.stream is not None
    caller.stream.close()
    assert caller.later(5.0) == []
    assert caller.registrar.connections == []


def test_rules_change_while_it_runs() -> None:
    agent = Agent()
    agent.register()
    agent.rules.status = 503
    agent.run(3600.0)
    assert 503 in agent.statuses
    agent.rules.status = None
    agent.run(9000.0)
    agree(agent)


def test_challenges_without_end_do_not_make_the_agent_hammer() -> None:
    agent = Agent(Rules(challenge_always=True))
    agent.register(3600.0)
    assert agent.state is not State.REGISTERED
    assert len(agent.told) < 60
    agent.rules.challenge_always = False
    agent.run(100_000.0)
    agree(agent)


def test_a_wrong_proof_of_the_registrar_is_noticed() -> None:
    agent = Agent(Rules(rspauth="wrong"))
    agent.register(5.0)
    assert agent.statuses[:2] == [401, 200]
    assert agent.registrar.faults == []


