"""Metrics for Prometheus.

A scrape is made in two steps, so that ten thousand registrations do not stop the loop: statuses and counters are taken
in small portions, between which the registrations have their turn, and the text is made of them in a thread. One scrape
at a time. What is told has no secrets but names and addresses; what a peer can choose is bounded (`counts`).
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import trio
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from sipcore.errors import LocalProtocolError
from sipcore.events import Event
from sipcore.redact import redact_uri
from sipcore.registration.kinds import RequestKind
from sipcore.syntax.grammar import visible
from sipcore.values import State, Status
from sipcore_trio.daemon.counts import BUCKETS, Counts, General, Totals
from sipcore_trio.daemon.http import Answer, Asked

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["Metrics", "Row", "Snapshot", "SnapshotCollector", "families"]

PORTION = 50
"""Registrations that are looked at without giving way to the registrations themselves."""

SHOWN = tuple(state for state in State if state is not State.STOPPED)

MAX_NAME = 1000
"""Characters of a label's value; names of sections are no longer than 80."""

ASTERISK_STATES = {State.REGISTERED: 1, State.REJECTED: 2}
"""What Asterisk's exporter writes; 0 for the others."""

COMPRESSION = 1
"""The least of gzip's: it finds most of what repeats, at a fraction of the time."""


class Row(NamedTuple):
    """What is known of one registration at the time of a scrape; the times are Unix seconds."""

    name: str
    aor: str
    registrar: str
    status: Status
    flow_up: bool
    expires_at: float | None
    next_attempt_at: float | None
    totals: Totals
    succeeded_at: float | None


class Snapshot(NamedTuple):
    """Everything that a scrape tells."""

    rows: Sequence[Row]
    general: General
    profile: str


class Metrics:
    """The page `/metrics`, and what it counts."""

    def __init__(self, daemon: Daemon, *, asterisk: bool) -> None:
        self._daemon = daemon
        self._counts = Counts()
        self._asterisk = entity_id() if asterisk else None
        self._process = ProcessCollector(registry=None)
        self._lock = trio.Lock()

    def start(self) -> None:
        """Begin to count; the agent is there, and has sent nothing yet."""
        self._daemon.agent.counts = self._counts

    def tell(self, event: Event) -> None:
        """Count an event."""
        self._counts.tell(event, self._daemon.agent.now)

    async def page(self, asked: Asked) -> Answer:
        """The metrics, in the format that is asked for."""
        encode, kind = choose_encoder(asked.accept)
        zipped = "gzip" in asked.accept_encoding
        async with self._lock:
            snapshot = await self._snapshot()
            collectors = (SnapshotCollector(snapshot, asterisk=self._asterisk), self._process)
            body = await trio.to_thread.run_sync(_encoded, encode, collectors, zipped)
        return Answer(200, kind, body, (("content-encoding", "gzip"),) if zipped else ())

    async def _snapshot(self) -> Snapshot:
        agent, counts = self._daemon.agent, self._counts
        names = agent.names()
        counts.forget_but(frozenset(names))
        rows: list[Row] = []
        for start in range(0, len(names), PORTION):
            for name in names[start : start + PORTION]:
                try:
                    rows.append(self._row(name))
                except LocalProtocolError:
                    continue  # removed since
            await trio.lowlevel.checkpoint()
        return Snapshot(rows, counts.general(), self._daemon.profile.name)

    def _row(self, name: str) -> Row:
        daemon, agent = self._daemon, self._daemon.agent
        status, account = agent.status(name), agent.account(name)
        flow = None if status.flow is None else agent.flows.get(status.flow)
        totals = self._counts.totals(name).copy()

        def wall(moment: float | None) -> float | None:
            return None if moment is None else daemon.wall(moment)

        return Row(
            visible(name, MAX_NAME),
            visible(redact_uri(account.aor), MAX_NAME),
            visible(redact_uri(account.registrar or ""), MAX_NAME),
            status,
            flow is not None and flow.open,
            wall(status.expires_at),
            wall(status.next_attempt_at),
            totals,
            wall(totals.succeeded_at),
        )


class SnapshotCollector(Collector):
    """All families of a snapshot; with `asterisk`, an entity id, also Asterisk's own."""

    def __init__(self, snapshot: Snapshot, *, asterisk: str | None = None) -> None:
        self._snapshot = snapshot
        self._asterisk = asterisk

    def collect(self) -> Iterator[Metric]:
        """One family after the other, since all at once would take much memory."""
        yield from families(self._snapshot)
        if self._asterisk is not None:
            yield _asterisk(self._snapshot.rows, self._asterisk)


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """What we tell of ourselves."""
    rows, general = snapshot.rows, snapshot.general
    yield _states(rows)
    yield _registrations(rows)
    yield _info(rows)
    for name, text, value in GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=("registration",))
        for row in rows:
            number = value(row)
            if number is not None:
                gauge.add_metric((row.name,), number)
        yield gauge
    requests = _counter("sipcore_register_requests", "REGISTERs sent, copies left out.", "registration", "kind")
    responses = _counter("sipcore_register_responses", "Final responses.", "registration", "code", "class")
    unanswered = _counter("sipcore_register_unanswered", "REGISTERs without a response.", "registration", "reason")
    for row in rows:
        totals = row.totals
        for kind in RequestKind:
            requests.add_metric((row.name, kind.value), totals.requests.get(kind, 0))
        for (code, outcome), number in totals.responses.items():
            responses.add_metric((row.name, code, outcome), number)
        for reason, number in totals.unanswered.items():
            unanswered.add_metric((row.name, reason), number)
    yield from (requests, responses, unanswered)
    yield _durations(general)
    for name, text, label, counted in (
        ("sipcore_auth_challenges", "401 and 407 by why they came.", "reason", general.challenges),
        ("sipcore_flow_failures", "Flows that ended without our doing.", "reason", general.flow_failures),
        ("sipcore_messages_dropped", "What arrived and was not acted upon.", "cause", general.dropped),
    ):
        family = _counter(name, text, label)
        for reason, number in counted.items():
            family.add_metric((reason,), number)
        yield family
    yield InfoMetricFamily("sipcore_daemon", "The daemon.", {"profile": snapshot.profile})


GAUGES: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
    (
        "sipcore_registration_expiry_timestamp_seconds",
        "When the binding lapses if it is not refreshed.",
        lambda row: row.expires_at,
    ),
    (
        "sipcore_registration_next_attempt_timestamp_seconds",
        "When the next attempt starts; none while one runs, or when none is planned.",
        lambda row: row.next_attempt_at,
    ),
    (
        "sipcore_registration_last_success_timestamp_seconds",
        "When the registrar confirmed the binding last.",
        lambda row: row.succeeded_at,
    ),
    (
        "sipcore_flow_up",
        "Whether the flow that the binding was made over is open.",
        lambda row: float(row.flow_up),
    ),
    (
        "sipcore_consecutive_failures",
        "Attempts that failed in a row.",
        lambda row: float(row.status.attempt),
    ),
    (
        "sipcore_granted_expires_seconds",
        "The lifetime that the registrar granted last, while the binding stands.",
        lambda row: None if row.expires_at is None else row.totals.granted,
    ),
)
"""Numbers of one registration; None is left out."""


def entity_id() -> str:
    """What Asterisk would take as its entity id: the address of the first network interface that has one."""
    for path in sorted(Path("/sys/class/net").glob("*/address")):
        try:
            text = path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if len(text) == 17 and text != "00:00:00:00:00:00":
            return text
    return "00:00:00:00:00:00"


def _encoded(encode: Callable[[Collector], bytes], collectors: Iterable[Collector], zipped: bool) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    body = encode(registry)
    return gzip.compress(body, COMPRESSION, mtime=0) if zipped else body


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def _states(rows: Iterable[Row]) -> Metric:
    # Not a state set of OpenMetrics, whose label would have to have the metric's own name.
    family = GaugeMetricFamily(
        "sipcore_registration_state", "1 for the state that is, 0 for the others.", labels=("registration", "state")
    )
    for row in rows:
        for state in SHOWN:
            family.add_metric((row.name, state.value), float(row.status.state is state))
    return family


def _registrations(rows: Iterable[Row]) -> Metric:
    counts = dict.fromkeys(SHOWN, 0)
    for row in rows:
        if row.status.state in counts:
            counts[row.status.state] += 1
    family = GaugeMetricFamily("sipcore_registrations", "How many are in each state.", labels=("state",))
    for state, number in counts.items():
        family.add_metric((state.value,), number)
    return family


def _info(rows: Iterable[Row]) -> Metric:
    family = InfoMetricFamily(
        "sipcore_registration",
        "What does not change as often as the rest.",
        labels=("registration", "aor", "registrar", "transport", "server"),
    )
    for row in rows:
        transport, server = row.status.transport, row.status.server
        family.add_metric((row.name, row.aor, row.registrar, "" if transport is None else transport, server or ""), {})
    return family


def _durations(general: General) -> Metric:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, number in zip((*map(str, BUCKETS), "+Inf"), general.durations, strict=True):
        total += number
        buckets.append((bound, total))
    return HistogramMetricFamily(
        "sipcore_register_duration_seconds",
        "From when a REGISTER left to its final response.",
        buckets=buckets,
        sum_value=general.duration_sum,
    )


def _asterisk(rows: Iterable[Row], entity: str) -> Metric:
    family = GaugeMetricFamily(
        "asterisk_pjsip_outbound_registration_status",
        "Current registration status. 0=Unregistered; 1=Registered; 2=Rejected.",
        labels=("eid", "username", "domain", "channel_type"),
    )
    # Two registrations may share both URIs; a series that comes twice would spoil the scrape. The worse one is told.
    worst: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row.aor, row.registrar)
        number = ASTERISK_STATES.get(row.status.state, 0)
        if key not in worst or worst[key] == 1:
            worst[key] = number
    for (aor, registrar), number in worst.items():
        family.add_metric((entity, aor, registrar, "PJSIP"), number)
    return family
