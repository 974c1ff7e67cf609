"""The stories that every driver has to tell alike: one row each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sipcore import Account, Address, Protocol, Timing, Transport
from sipcore.testing import REGISTRAR, Answer, challenge, ok
from tests.drivers.acts import (
    answers,
    arrives,
    breaks,
    call,
    close_at_once,
    connects,
    leap,
    names,
    note,
    request,
    unreachable,
    writes,
)
from tests.drivers.stories import Story
from tests.secrecy import PASSWORD

__all__ = ["STORIES"]

TCP = Transport(protocol=Protocol.TCP)
LISTENING = Transport(protocol=Protocol.TCP, local=("192.0.2.10", 5060), listen=True)
SECOND: Address = ("192.0.2.2", 5060)
SIX: Address = ("2001:db8::1", 5060)


def account(user: str = "alice", **options: Any) -> Account:
    """One of example.com, with a short lifetime so that stories have refreshes."""
    options = {"name": user, "password": PASSWORD, "expires": 60, **options}
    return Account(f"sip:{user}@example.com", **options)


REGISTER = (1.0, call("register", "alice"))
ALICE = (account(),)
OVER_TCP = (account(transport=TCP),)
NO_LOSS = {"latency": 0.011, "jitter": 0.003}

STORIES = [
    Story(
        name="a challenge and refreshes",
        accounts=ALICE,
        script=(challenge(), ok(60)),
        acts=(REGISTER,),
        closes=500.0,
        tells=("Registered(name='alice', expires=60.0, refreshed=True",),
    ),
    Story(
        name="an interval too brief",
        accounts=ALICE,
        script=(Answer(423, ("Min-Expires: 120",)), challenge(), ok(120)),
        acts=(REGISTER,),
        closes=300.0,
        tells=("Registered(name='alice', expires=120.0",),
    ),
    Story(
        name="a stale nonce",
        accounts=ALICE,
        script=(challenge(), ok(60), challenge(stale=True), ok(60)),
        acts=(REGISTER,),
        closes=150.0,
        tells=("refreshed=True",),
    ),
    Story(
        name="forbidden, then asked again",
        accounts=ALICE,
        script=(challenge(), 403, ok(60)),
        acts=(REGISTER, (50.3, call("register", "alice"))),
        tells=("Rejected(", "code=403", "Registered("),
    ),
    Story(
        name="silence, then recovery",
        accounts=ALICE,
        script=(None,),
        acts=(REGISTER, (45.0, answers(challenge(), ok(60)))),
        closes=300.0,
        tells=("Rejected(", "Registered("),
    ),
    Story(
        name="a third of all datagrams is lost",
        accounts=(account(), account("bob"), account("carol")),
        script=(challenge(), ok(60)),
        acts=(REGISTER, (1.2, call("register", "bob")), (1.7, call("register", "carol"))),
        wire={**NO_LOSS, "loss": 0.3},
        closes=1500.0,
        tells=("name='carol', expires=60.0, refreshed=True",),
    ),
    Story(
        name="every answer comes twice, and out of order",
        accounts=ALICE,
        script=(Answer(401, challenge().headers, provisional=(100,)), ok(60)),
        acts=(REGISTER,),
        wire={"latency": 0.01, "jitter": 0.9, "duplication": 1.0},
        closes=400.0,
        tells=("Registered(",),
    ),
    Story(
        name="a stream in small pieces, reset within a message",
        accounts=OVER_TCP,
        script=(challenge(), ok(60)),
        acts=(
            REGISTER,
            (10.3, writes(b"OPTIONS sip:alice@192.0.2.10 SIP/2.0\r\nVia: SIP")),
            (10.5, breaks("connection reset")),
        ),
        wire={**NO_LOSS, "cut": True},
        closes=300.0,
        tells=("FlowLost(", "'connection reset'", "refreshed=False"),
    ),
    Story(
        name="a connection that the registrar closes in good order",
        accounts=OVER_TCP,
        script=(challenge(), ok(60)),
        acts=(REGISTER, (10.5, breaks(None)), (77.7, breaks(None))),
        closes=300.0,
        tells=("FlowLost(", "'closed by the peer'"),
    ),
    Story(
        name="connections refused, then accepted",
        accounts=OVER_TCP,
        script=(challenge(), ok(60)),
        acts=((0.5, note("peer.refuses_connections", True)), REGISTER, (40.0, note("peer.refuses_connections", False))),
        closes=500.0,
        tells=("connection re", "Registered("),
    ),
    Story(
        name="connections without an answer, closed while connecting",
        accounts=OVER_TCP,
        acts=((0.5, note("peer.ignores_connections", True)), REGISTER),
        closes=37.7,
        tells=("Rejected(",),
    ),
    Story(
        name="a stream that takes little at once",
        accounts=(account(transport=TCP), account("bob", transport=TCP)),
        script=(challenge(), ok(60)),
        acts=(REGISTER, (1.0, call("register", "bob"))),
        wire={"latency": 0.01},
        window=100,
        timed=False,
        closes=100.0,
        tells=("name='bob', expires=60.0, refreshed=True",),
    ),
    Story(
        name="closed while a request is still leaving",
        accounts=OVER_TCP,
        script=(challenge(), ok(60)),
        acts=(REGISTER, (1.0285, call("close", unregister=False))),
        wire={"latency": 0.01},
        window=100,
        closes=10.0,
        tells=("state='stopped'",),
    ),
    Story(
        name="a stream that loses its framing",
        accounts=OVER_TCP,
        script=(challenge(), ok(60)),
        acts=(REGISTER, (10.3, writes(b"\r\n\r\n")), (20.3, writes(b"what is this\r\nContent-Length: x\r\n\r\n"))),
        closes=200.0,
        tells=("FlowLost(", "MessageDropped("),
    ),
    Story(
        name="a resolver that fails, is mute, then answers",
        accounts=ALICE,
        script=(challenge(), ok(60)),
        acts=((0.5, names("no such name")), REGISTER, (30.0, names()), (200.0, names(None, REGISTRAR[0]))),
        closes=600.0,
        tells=("no such name", "Registered("),
    ),
    Story(
        name="the first of two servers does not listen",
        accounts=(account(), account("bob", transport=TCP)),
        acts=((0.5, names(None, "192.0.2.3", SECOND[0])), REGISTER, (1.3, call("register", "bob"))),
        others={SECOND: (challenge(), ok(60))},
        closes=300.0,
        tells=("Registered(name='alice'", "Registered(name='bob'"),
    ),
    Story(
        name="a redirect",
        accounts=(account(redirects=2),),
        script=(Answer(302, contact="<sip:192.0.2.2>"),),
        acts=(REGISTER,),
        others={SECOND: (ok(60),)},
        closes=200.0,
        tells=("Registered(", "192.0.2.2:5060"),
    ),
    Story(
        name="a registrar of IPv6",
        accounts=ALICE,
        acts=((0.5, names(None, SIX[0])), REGISTER),
        others={SIX: (challenge(), ok(60))},
        closes=200.0,
        tells=("Registered(", "2001:db8::1"),
    ),
    Story(
        name="a reload with another contact",
        accounts=(account(), account("bob")),
        script=(challenge(), ok(60)),
        acts=(
            REGISTER,
            (1.0, call("register", "bob")),
            (20.0, call("reload", [account(contact_user="desk"), account("bob", name="carol")])),
        ),
        closes=200.0,
        tells=("name='carol'", "sip:desk@", "renamed to carol"),
    ),
    Story(
        name="requests from others, answered by the agent and by the application",
        accounts=ALICE,
        script=(challenge(), ok(60)),
        handles=("MESSAGE",),
        answer=202,
        acts=(
            REGISTER,
            (5.1, arrives(request("OPTIONS"))),
            (6.1, arrives(request("MESSAGE", number=2))),
            (6.4, arrives(request("MESSAGE", number=2))),
            (7.1, arrives(request("INVITE", number=3))),
            (8.1, arrives(b"")),
            (9.1, arrives(b"nonsense\r\n\r\n")),
        ),
        tells=("InboundRequest(", "MessageDropped("),
    ),
    Story(
        name="a listener and those who connect to it",
        accounts=(account(transport=LISTENING),),
        script=(challenge(), ok(60)),
        handles=("MESSAGE",),
        answer=202,
        acts=(
            REGISTER,
            (5.1, connects(request("MESSAGE", number=4, transport="TCP"))),
            (6.1, connects(request("OPTIONS", number=5, transport="TCP"), b"\r\n\r\n")),
            (7.1, connects(b"rubbish\r\nContent-Length: x\r\n\r\n")),
            (30.0, call("reload", [account()])),
            (35.0, connects(request("OPTIONS", number=6, transport="TCP"))),
        ),
        wire={**NO_LOSS, "cut": True},
        closes=200.0,
        tells=("Listening(", "InboundRequest(", "MessageDropped("),
    ),
    Story(
        name="no descriptor for those who connect",
        accounts=(account(transport=LISTENING),),
        script=(challenge(), ok(60)),
        handles=("MESSAGE",),
        answer=202,
        acts=(
            REGISTER,
            (4.9, note("system.accepting_fails", "too many open files")),
            (5.1, connects(request("MESSAGE", number=4, transport="TCP"))),
            (8.9, note("system.accepting_fails", None)),
        ),
        timed=False,
        tells=("InboundRequest(",),
    ),
    Story(
        name="a listener that cannot be had",
        accounts=(account(transport=LISTENING), account("bob")),
        script=(challenge(), ok(60)),
        acts=(
            REGISTER,
            (4.0, note("system.binding_fails", "address already in use")),
            (5.0, call("reload", [account(transport=replace(LISTENING, local=("192.0.2.10", 5070)))])),
            (20.0, note("system.binding_fails", None)),
        ),
        closes=200.0,
        tells=("ListenFailed(", "'address already in use'"),
    ),
    Story(
        name="no socket can be had for a while",
        accounts=ALICE,
        script=(challenge(), ok(60)),
        acts=(
            (0.5, note("system.binding_fails", "too many open files")),
            REGISTER,
            (40.0, note("system.binding_fails", None)),
        ),
        closes=300.0,
        tells=("too many open files", "Registered("),
    ),
    Story(
        name="a network that cannot be reached for a while",
        accounts=(account(), account("bob", transport=TCP)),
        script=(challenge(), ok(60)),
        acts=(
            REGISTER,
            (1.5, call("register", "bob")),
            (20.0, unreachable("network is unreachable")),
            (150.0, unreachable(None)),
        ),
        closes=500.0,
        tells=("network is unreachable", "Registered("),
    ),
    Story(
        name="a host without an address for a while",
        accounts=(account(), account("bob", transport=TCP), account("carol")),
        script=(challenge(), ok(60)),
        acts=(
            (0.5, note("system.ipv4", None)),
            REGISTER,
            (1.5, call("register", "bob")),
            (20.0, note("system.ipv4", "192.0.2.10")),
            (100.0, note("system.ipv4", None)),
            (100.1, call("register", "carol")),
            (150.0, note("system.ipv4", "192.0.2.11")),
            (150.0, call("network_changed")),
        ),
        closes=400.0,
        tells=("network is unreachable", "sip:alice@192.0.2.11", "sip:bob@192.0.2.11"),
    ),
    Story(
        name="a host that slept",
        accounts=(account(expires=3600), account("bob", expires=3600, transport=TCP)),
        script=(challenge(), ok(3600)),
        acts=(REGISTER, (1.5, call("register", "bob")), (100.0, leap(500.0)), (700.0, leap(20000.0))),
        closes=21000.0,
        tells=("name='alice', expires=3600.0, refreshed=True", "lapsed"),
    ),
    Story(
        name="another network",
        accounts=(account(expires=3600), account("bob", expires=3600, transport=TCP)),
        script=(challenge(), ok(3600)),
        acts=(
            REGISTER,
            (1.5, call("register", "bob")),
            (50.0, note("system.ipv4", "192.0.2.11")),
            (50.1, call("network_changed")),
        ),
        closes=200.0,
        tells=("sip:alice@192.0.2.11", "sip:bob@192.0.2.11"),
    ),
    Story(
        name="unregistered, and back, and removed",
        accounts=(account(), account("bob", transport=TCP)),
        script=(challenge(), ok(60)),
        acts=(
            REGISTER,
            (1.5, call("register", "bob")),
            (20.0, call("unregister", "alice")),
            (20.3, call("unregister", "bob", all=True)),
            (30.0, call("register", "alice")),
            (40.0, call("remove", "alice")),
            (50.0, call("add", account())),
            (50.2, call("register", "alice")),
        ),
        closes=150.0,
        tells=("Unregistered(name='alice'", "state='stopped'"),
    ),
    Story(
        name="closed, and nobody answers",
        accounts=(account(), account("bob", transport=TCP)),
        script=(challenge(), ok(60)),
        acts=(REGISTER, (1.5, call("register", "bob")), (30.0, close_at_once)),
        closes=31.0,
        tells=("removal=True",),
    ),
    Story(
        name="fast timers, for which a tick of the clock matters",
        accounts=(account(timing=Timing(t1=0.01, t2=0.04, t4=0.05)),),
        script=(None, None, challenge(), ok(60)),
        acts=(REGISTER,),
        wire={},
        closes=300.0,
        tells=("Registered(",),
    ),
]
"""Each closes its agent in the end, so that the driver's `run()` has to end, too."""
