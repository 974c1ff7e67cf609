"""What the simulated world does to agents, and how it counts their time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipcore.testing.sim import Incident, Plan, Storm, Subscriber, live
from sipcore.testing.sim.plan import YEAR
from sipcore.testing.sim.town import Town
from sipcore.testing.sim.weather import Weather

LASTS = 50000.0


def plan(*incidents: Incident, protocol: str = "UDP", **options: Any) -> Plan:
    subscribers = (Subscriber(name="user0", protocol=protocol),)
    storms = (Storm(lasts=LASTS, incidents=incidents),)
    return Plan(seed=5, climate="hostile", subscribers=subscribers, storms=storms, **options)


def test_an_enemy_on_the_path_changes_and_repeats_what_goes_through_streams() -> None:
    for attribute in ("changed", "repeated"):
        weather = Weather(seed=1, client="192.0.2.10")
        setattr(weather, attribute, 0.5)
        message = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 192.0.2.10;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n"
        arrived = [b"".join(weather.pieces(message)) for _ in range(100)]
        others = sum(data != message for data in arrived)
        assert 30 <= others <= 70
        if attribute == "repeated":
            assert set(arrived) == {message, message + message}


def test_a_stream_at_rest_arrives_as_it_was_sent() -> None:
    weather = Weather(seed=1, client="192.0.2.10")
    assert [weather.pieces(b"x" * 100) for _ in range(9)] == [[b"x" * 100]] * 9


@pytest.mark.parametrize("kind", ["enemy changes", "enemy repeats"])
def test_the_enemy_of_streams_breaks_no_invariant_and_is_noticed(kind: str) -> None:
    incident = Incident(at=100.0, kind=kind, lasts=20000.0, size=0.3)
    life = live(plan(incident, protocol="TCP"))
    assert life.broken is None, "\n".join([str(life.broken), *life.last])
    assert life.digest != live(plan(replace(incident, size=0.0), protocol="TCP")).digest


def years(made: Plan) -> float:
    life = live(made)
    assert life.broken is None, "\n".join([str(life.broken), *life.last])
    return life.years * YEAR


def test_a_year_counts_where_an_hour_or_less_is_asked_for() -> None:
    whole = years(plan())
    assert whole == pytest.approx(LASTS, rel=0.02)
    brief = Incident(at=4000.0, kind="interval too brief", lasts=20000.0, size=3600.0)
    assert years(plan(brief)) == pytest.approx(whole, rel=0.01)
    # Up to the first refresh under that rule; the agent goes on asking for what the registrar wanted once.
    assert 4000.0 < years(plan(replace(brief, size=7200.0))) < 4000.0 + 3600.0


def test_a_year_counts_where_somebody_wants_to_be_registered() -> None:
    away = Incident(at=4000.0, kind="user un-registers", lasts=3000.0)
    assert years(plan(away)) == pytest.approx(years(plan()) - 3000.0, abs=200.0)


@pytest.mark.parametrize("kind", ["clock leaps", "stopped"])
def test_a_leap_of_the_clock_is_not_lived(kind: str) -> None:
    assert years(plan(Incident(at=4000.0, kind=kind, size=7000.0))) == pytest.approx(years(plan()) - 7000.0, abs=200.0)


def lived(made: Plan) -> Town:
    town = Town(made)
    town.run()
    return town


def test_a_stop_leaves_the_binding_and_the_next_process_takes_it_over() -> None:
    """No removal is sent, and no other Call-ID than that of before."""
    told: list[tuple[int | None, str]] = []
    town = Town(plan(Incident(at=4000.0, kind="stopped", size=60.0)))
    handled = town.registrars[0].journal
    assert handled is not None

    def note(item: Any) -> None:
        told.append((item.granted, item.call_id))
        handled(item)

    town.registrars[0].journal = note
    town.run()
    granted = [seconds for seconds, _ in told if seconds is not None]
    assert len({call_id for _, call_id in told}) == 1
    # The last one is that of the end of the life.
    assert granted.count(0) == 1
    assert granted[-1] == 0


def test_a_reload_moves_the_account_to_the_other_name() -> None:
    town = lived(plan(Incident(at=4000.0, kind="reload moves"), twin=True))
    assert town.accounts["user0"].registrar == "sip:backup.example.com"


def test_a_reload_brings_the_password_that_the_registrar_has() -> None:
    town = lived(plan(Incident(at=4000.0, kind="reload renews", lasts=3000.0)))
    assert town.registrars[0].users["user0"].endswith("user0-2")
    twice = [Incident(at=at, kind="reload renews", lasts=3000.0) for at in (4000.0, 20000.0)]
    assert lived(plan(*twice)).registrars[0].users["user0"].endswith("user0")
