"""Everything that goes wrong in the simulated world, or that somebody does in it, as one table.

To add a fault, add a row to `FAULTS`: how long it lasts, how large it is, how it begins and how it ends, and by its
grade what the agent may not be blamed for meanwhile. The plan draws it from then on. A fault that needs something that
the world cannot do yet adds that to `Weather` (the network), to the registrar model's `Rules`, or to `Town`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from sipcore.testing.sim.plan import Incident
    from sipcore.testing.sim.town import Town

__all__ = ["FAULTS", "Fault", "Grade"]


class Grade(enum.Enum):
    """What a fault excuses."""

    HARMLESS = "harmless"
    """Nothing: bindings stand without a gap, and whoever is not registered gets there in the usual time."""
    HINDERS = "hinders"
    """As long as it lasts nobody need get through; a binding may lapse if that is longer than the refresh margin."""
    BREAKS = "breaks"
    """Bindings may be gone, or attempts be refused so that the next is far away; excused until the next success."""


class Fault(NamedTuple):
    """One row."""

    grade: Grade
    begin: Callable[[Town, Incident], object]
    end: Callable[[Town, Incident], object] | None = None
    """None for what happens at once."""
    lasts: tuple[float, float] = (0.0, 0.0)
    """Seconds, at least and at most."""
    size: tuple[float, float] = (0.0, 0.0)
    """At least and at most; the unit is the fault's own."""
    hostile: bool = False
    """Only in the climates in which somebody on the path is an enemy."""
    personal: bool = False
    """It concerns the one whom the incident names; the others have no excuse."""
    forges: bool = False
    """What arrives may say something else than what was sent, so no claim can be held against the registrar."""


MINUTES = (30.0, 1200.0)
HOURS = (60.0, 6 * 3600.0)

CONTACT_FORMS = ("case", "parameters", "uri parameters", "display name", "order")
"""How a registrar may write our Contact; see `Rules.contact_form`."""

OTHER_SCHEMES = (
    'Basic realm="example.com"',
    'Bearer realm="example.com", scope="sip", authz_server="https://example.com/authorize"',
    'Digest realm="example.com", nonce="a7f3", algorithm=SHAKE-128, qop="auth"',
    "Negotiate",
)
"""Challenges that nobody needs to answer."""

OTHER_REALMS = ('Digest realm="elsewhere", nonce="{nonce}", algorithm=MD5, qop="auth"',)


def _weather(grade: Grade, attribute: str, size: tuple[float, float], lasts: tuple[float, float], **more: Any) -> Fault:
    """The network has another value for a while: that of the incident's size, and at rest the one it had."""

    def begin(town: Town, incident: Incident) -> None:
        town.change(town.weather, attribute, incident, incident.size)

    def end(town: Town, incident: Incident) -> None:
        town.restore(town.weather, attribute, incident)

    return Fault(grade, begin, end, lasts, size, **more)


def _rules(
    grade: Grade,
    lasts: tuple[float, float],
    *,
    size: tuple[float, float] = (0.0, 0.0),
    forges: bool = False,
    **values: Any,
) -> Fault:
    """The registrars have other rules for a while; a callable value gets the incident's size."""

    def begin(town: Town, incident: Incident) -> None:
        for registrar in town.registrars:
            for name, value in values.items():
                town.change(registrar.rules, name, incident, value(incident.size) if callable(value) else value)

    def end(town: Town, incident: Incident) -> None:
        for registrar in town.registrars:
            for name in values:
                town.restore(registrar.rules, name, incident)

    return Fault(grade, begin, end, lasts, size, forges=forges)


def _begin_partition(town: Town, incident: Incident) -> None:
    town.weather.cut_out_until = town.weather.cut_in_until = town.world.now + incident.lasts


def _begin_deaf(town: Town, incident: Incident) -> None:
    town.weather.cut_in_until = town.world.now + incident.lasts


def _begin_mute(town: Town, incident: Incident) -> None:
    town.weather.cut_out_until = town.world.now + incident.lasts


def _end_partition(town: Town, incident: Incident) -> None:
    town.weather.cut_out_until = town.weather.cut_in_until = 0.0


def _begin_unreachable(town: Town, incident: Incident) -> None:
    for registrar in town.registrars:
        town.world.unreachable[registrar.address[0]] = "network is unreachable"


def _end_unreachable(town: Town, incident: Incident) -> None:
    town.world.unreachable.clear()


def _begin_no_sockets(town: Town, incident: Incident) -> None:
    town.station.binding_fails = "too many open files"


def _end_no_sockets(town: Town, incident: Incident) -> None:
    town.station.binding_fails = None


def _begin_down(town: Town, incident: Incident) -> None:
    for registrar in town.registrars:
        registrar.stop()


def _begin_gone(down: Literal["refuses", "unreachable"]) -> Callable[[Town, Incident], object]:
    """The registrars are down, and whoever calls hears so."""

    def begin(town: Town, incident: Incident) -> None:
        for registrar in town.registrars:
            # Read by `stop` alone, so that it need not stand longer.
            registrar.rules.down = down
            registrar.stop()
            registrar.rules.down = "mute"

    return begin


def _end_down(town: Town, incident: Incident) -> None:
    for registrar in town.registrars:
        registrar.start()


def _begin_first_down(town: Town, incident: Incident) -> None:
    town.registrars[0].stop()


def _end_first_down(town: Town, incident: Incident) -> None:
    town.registrars[0].start()


def _name_fails(error: str | None) -> Callable[[Town, Incident], object]:
    return lambda town, incident: town.world.name_fails("example.com", error)


def _name_again(town: Town, incident: Incident) -> None:
    town.name_registrars()


def _name_wrong(town: Town, incident: Incident) -> None:
    town.world.name("example.com", "192.0.2.77", ttl=max(1.0, incident.size))


def _begin_slow_names(town: Town, incident: Incident) -> None:
    town.world.resolve_delay = incident.size


def _end_slow_names(town: Town, incident: Incident) -> None:
    town.world.resolve_delay = 0.0


def _break_flows(town: Town, incident: Incident) -> None:
    for flow in town.station.flows:
        town.station.break_flow(flow)


def _half_open(town: Town, incident: Incident) -> None:
    for connection in town.station.connections:
        connection.lose()


def _begin_cut(town: Town, incident: Incident) -> None:
    town.weather.cut = True


def _end_cut(town: Town, incident: Incident) -> None:
    town.weather.cut = False


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        # --- datagrams ---
        "loss": Fault(
            Grade.HINDERS,
            lambda town, incident: town.lose(incident.size),
            lambda town, incident: town.lose(0.0),
            HOURS,
            (0.05, 0.5),
        ),
        "duplication": _weather(Grade.HARMLESS, "duplication", (0.01, 0.1), HOURS),
        "reordering": _weather(Grade.HINDERS, "late", (0.01, 0.2), HOURS),
        "corruption": _weather(Grade.HINDERS, "flipped", (0.0001, 0.01), HOURS, forges=True),
        "mtu": _weather(Grade.HINDERS, "mtu", (500.0, 900.0), MINUTES),
        "slow network": _weather(Grade.HINDERS, "latency", (0.2, 2.0), HOURS),
        "partition": Fault(Grade.HINDERS, _begin_partition, _end_partition, (1.0, 4 * 3600.0)),
        "nothing arrives": Fault(Grade.HINDERS, _begin_deaf, _end_partition, (1.0, 3600.0)),
        "nothing leaves": Fault(Grade.HINDERS, _begin_mute, _end_partition, (1.0, 3600.0)),
        "unreachable": Fault(Grade.HINDERS, _begin_unreachable, _end_unreachable, (1.0, 3600.0)),
        "nat rebinds": Fault(
            Grade.HINDERS, lambda town, incident: town.weather.rebind(f"203.0.113.{incident.who + 1}"), None
        ),
        # --- the client's host ---
        "address changes": Fault(Grade.BREAKS, lambda town, incident: town.host.change_address(), None),
        "no sockets": Fault(Grade.HINDERS, _begin_no_sockets, _end_no_sockets, MINUTES),
        "sockets break": Fault(Grade.BREAKS, _break_flows, None),
        "clock leaps": Fault(
            Grade.BREAKS, lambda town, incident: town.host.leap(incident.size), None, size=(1.0, 30 * 86400.0)
        ),
        "clock stands": Fault(Grade.HARMLESS, lambda town, incident: town.host.repeat_time(), None),
        "crash": Fault(Grade.BREAKS, lambda town, incident: town.host.crash(state=True), None),
        "crash without state": Fault(Grade.BREAKS, lambda town, incident: town.host.crash(state=False), None),
        "clean restart": Fault(Grade.BREAKS, lambda town, incident: town.host.restart(), None),
        "stopped": Fault(Grade.BREAKS, lambda town, incident: town.host.stop(incident.size), None, size=(1.0, 7200.0)),
        "started without": Fault(
            Grade.BREAKS,
            lambda town, incident: town.operator.lose(incident.who),
            lambda town, incident: town.operator.add(incident.who),
            (1.0, 3600.0),
        ),
        # --- streams ---
        "segments": Fault(Grade.HARMLESS, _begin_cut, _end_cut, HOURS),
        "resets": _weather(Grade.HINDERS, "resets", (0.01, 0.5), HOURS),
        "half-open": Fault(Grade.BREAKS, _half_open, None),
        "refused connections": _rules(Grade.HINDERS, MINUTES, refuses_connections=True),
        "mute connections": _rules(Grade.HINDERS, MINUTES, ignores_connections=True),
        # --- names ---
        "no such name": Fault(Grade.HINDERS, _name_fails("no such name"), _name_again, HOURS),
        "mute resolver": Fault(Grade.HINDERS, _name_fails(None), _name_again, HOURS),
        "slow resolver": Fault(Grade.HARMLESS, _begin_slow_names, _end_slow_names, HOURS, (0.1, 3.0)),
        "wrong address": Fault(Grade.BREAKS, _name_wrong, _name_again, MINUTES, (1.0, 300.0)),
        # --- the registrar ---
        "registrar down": Fault(Grade.HINDERS, _begin_down, _end_down, (1.0, 4 * 3600.0)),
        "registrar gone": Fault(Grade.HINDERS, _begin_gone("refuses"), _end_down, (1.0, 4 * 3600.0)),
        "registrar's host gone": Fault(Grade.HINDERS, _begin_gone("unreachable"), _end_down, (1.0, 4 * 3600.0)),
        "first registrar down": Fault(Grade.BREAKS, _begin_first_down, _end_first_down, HOURS),
        "registrar restarts": Fault(Grade.HARMLESS, lambda town, incident: town.restart_registrars(keep=True), None),
        "bindings lost": Fault(Grade.BREAKS, lambda town, incident: town.restart_registrars(keep=False), None),
        "overload": _rules(Grade.BREAKS, MINUTES, size=(1.0, 600.0), status=503, retry_after=int),
        "forbidden": _rules(Grade.BREAKS, MINUTES, status=403),
        "not found": _rules(Grade.BREAKS, MINUTES, status=404),
        "server error": _rules(Grade.BREAKS, MINUTES, status=500),
        "declined": _rules(Grade.BREAKS, MINUTES, status=603),
        "busy": _rules(Grade.BREAKS, MINUTES, status=486, retry_after=lambda size: 5),
        "interval too brief": _rules(Grade.BREAKS, HOURS, size=(300.0, 7200.0), min_expires=int),
        "short grants": _rules(Grade.BREAKS, HOURS, size=(30.0, 1800.0), max_expires=int),
        # Longer than any way there and back, since a nonce that is stale on arrival lets nobody in.
        "short nonces": _rules(Grade.HARMLESS, HOURS, size=(30.0, 120.0), nonce_lifetime=float),
        "nonces for one use": _rules(Grade.HARMLESS, HOURS, nonce_once=True),
        "nonce flood": _rules(Grade.BREAKS, MINUTES, challenge_always=True),
        # What is granted is not said, so where it is less than was asked for nobody can know when to refresh.
        "unlisted": _rules(Grade.BREAKS, HOURS, list_contacts=False),
        "slow answers": _rules(Grade.HARMLESS, HOURS, size=(0.1, 3.0), delay=float),
        "late answers": _rules(Grade.BREAKS, MINUTES, size=(20.0, 40.0), delay=float),
        "repeated answers": _rules(Grade.HARMLESS, HOURS, copies=3),
        "uneven answers": _rules(Grade.HARMLESS, HOURS, size=(0.1, 3.0), delay_spread=float),
        "provisional answers": _rules(Grade.HARMLESS, HOURS, provisional=(100,), delay=lambda size: 2.0),
        "smaller grants": _rules(Grade.HARMLESS, HOURS, size=(0.1, 0.9), grant_spread=float),
        "next nonces": _rules(Grade.HARMLESS, HOURS, nextnonce=True),
        "proofs": _rules(Grade.HARMLESS, HOURS, rspauth="right"),
        # Nothing in such a response may be believed, and who knows the password does not err in it.
        "wrong proofs": _rules(Grade.BREAKS, MINUTES, rspauth="wrong"),
        "other schemes": _rules(Grade.HARMLESS, HOURS, further_challenges=OTHER_SCHEMES),
        # The models of other user agents answer the first challenge that they know, whose realm it may be.
        "other realms": _rules(Grade.BREAKS, HOURS, further_challenges=OTHER_REALMS),
        "another clock": _rules(Grade.HARMLESS, HOURS, size=(0.9995, 1.0005), clock=float),
        "answers from another port": _rules(Grade.HARMLESS, HOURS, from_port=5090),
        "others are listed": _rules(Grade.HARMLESS, HOURS, size=(1.0, 63.0), others=int),
        "contacts rewritten": _rules(
            Grade.HARMLESS, HOURS, size=(0.0, 4.99), contact_form=lambda size: CONTACT_FORMS[int(size)]
        ),
        "lifetimes in a header": _rules(Grade.HARMLESS, HOURS, expires_header=True),
        "two segments": _rules(Grade.HARMLESS, HOURS, split=True, odd_case=True),
        "damaged answers": _rules(Grade.BREAKS, MINUTES, size=(0.05, 0.5), forges=True, damage=float),
        "refused with credentials": _rules(Grade.BREAKS, MINUTES, status=403, status_after_auth=True),
        "redirected": _rules(Grade.BREAKS, MINUTES, status=302, redirect="<sip:192.0.2.9>"),
        "half-open registrar": _rules(Grade.HINDERS, MINUTES, half_open=True),
        "idle connections close": _rules(Grade.HINDERS, HOURS, size=(10.0, 600.0), idle_close=float),
        "hangs up": _rules(Grade.HINDERS, HOURS, close_after_answer=True),
        "strange forms": _rules(Grade.HARMLESS, HOURS, compact=True, folded=True),
        "password changed": Fault(
            Grade.BREAKS,
            lambda town, incident: town.change_password(incident.who, "another"),
            lambda town, incident: town.change_password(incident.who),
            HOURS,
            personal=True,
        ),
        # --- the user ---
        "user registers": Fault(Grade.HARMLESS, lambda town, incident: town.operator.register(incident.who), None),
        "user un-registers": Fault(
            Grade.BREAKS,
            lambda town, incident: town.operator.unregister(incident.who),
            lambda town, incident: town.operator.register(incident.who),
            (1.0, 3600.0),
            personal=True,
        ),
        "user removes all": Fault(
            Grade.BREAKS,
            lambda town, incident: town.operator.unregister(incident.who, everything=True),
            lambda town, incident: town.operator.register(incident.who),
            (1.0, 3600.0),
            personal=True,
        ),
        "account removed": Fault(
            Grade.BREAKS,
            lambda town, incident: town.operator.remove(incident.who),
            lambda town, incident: town.operator.add(incident.who),
            (1.0, 3600.0),
            personal=True,
        ),
        "reload": Fault(Grade.HARMLESS, lambda town, incident: town.operator.reload(), None),
        "reload changes": Fault(
            Grade.BREAKS, lambda town, incident: town.operator.reload_contact(incident.who), None, personal=True
        ),
        "reload moves": Fault(
            Grade.BREAKS, lambda town, incident: town.operator.reload_registrar(incident.who), None, personal=True
        ),
        "reload renews": Fault(
            Grade.BREAKS,
            lambda town, incident: town.change_password(incident.who, town.operator.next_password(incident.who)),
            lambda town, incident: town.operator.reload_password(incident.who),
            HOURS,
            personal=True,
        ),
        "reload removes": Fault(
            Grade.BREAKS,
            lambda town, incident: town.operator.reload_without(incident.who),
            lambda town, incident: town.operator.reload_with(incident.who),
            (1.0, 3600.0),
            personal=True,
        ),
        "reload fails": Fault(Grade.HARMLESS, lambda town, incident: town.operator.reload_doubled(), None),
        "network changed": Fault(Grade.HARMLESS, lambda town, incident: town.host.network_changed(), None),
        # --- an enemy on the path ---
        "enemy changes": _weather(Grade.BREAKS, "changed", (0.01, 0.3), HOURS, hostile=True, forges=True),
        "enemy repeats": _weather(Grade.HARMLESS, "repeated", (0.01, 0.3), HOURS, hostile=True, forges=True),
    }
)
"""All faults by name."""
